package verify

import (
	"crypto/sha256"
	"math/bits"
)

// hash is a node of the log's Merkle tree (RFC 6962, SHA-256).
type hash [32]byte

// leafHash is the hash of one entry.
func leafHash(entry []byte) hash {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(entry)
	return hash(h.Sum(nil))
}

func nodeHash(left, right hash) hash {
	var b [65]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// tree grows entry by entry and keeps only its right edge: the roots of the complete
// subtrees, largest first.
type tree struct {
	size int64
	edge []hash
}

// add appends one leaf. It calls node for every hash this completes, lowest first: the order
// in which the log's writer numbers its stored hashes (a tree of n leaves has
// 2n - ones(n) of them, so the sequence is the storage).
func (t *tree) add(leaf hash, node func(hash)) {
	h := leaf
	node(h)
	for n := t.size; n&1 == 1; n >>= 1 {
		last := len(t.edge) - 1
		h = nodeHash(t.edge[last], h)
		t.edge = t.edge[:last]
		node(h)
	}
	t.edge = append(t.edge, h)
	t.size++
}

// root is the tree's hash.
func (t *tree) root() hash {
	if len(t.edge) == 0 {
		return sha256.Sum256(nil)
	}
	h := t.edge[len(t.edge)-1]
	for i := len(t.edge) - 2; i >= 0; i-- {
		h = nodeHash(t.edge[i], h)
	}
	return h
}

// storedHashes is how many hashes a tree of n leaves has in storage.
func storedHashes(n int64) int64 { return 2*n - int64(bits.OnesCount64(uint64(n))) }
