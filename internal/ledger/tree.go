package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// frontier is the right edge of a Merkle tree: the roots of its complete subtrees, greatest first, one for
// each bit set in n. It is all one needs to append and to compute the root.
type frontier struct {
	n    int64
	edge []tlog.Hash
}

// push adds a leaf and returns the hashes that it completes, in StoredHashIndex order: the leaf, then its
// parent, and so on up.
func (f *frontier) push(leaf tlog.Hash) []tlog.Hash {
	made := []tlog.Hash{leaf}
	h := leaf
	for bits := f.n; bits&1 == 1; bits >>= 1 {
		last := len(f.edge) - 1
		h = tlog.NodeHash(f.edge[last], h)
		f.edge = f.edge[:last]
		made = append(made, h)
	}
	f.edge = append(f.edge, h)
	f.n++
	return made
}

// root gives the RFC 6962 root; that of the empty tree is the hash of nothing.
func (f *frontier) root() tlog.Hash {
	if len(f.edge) == 0 {
		return tlog.Hash(sha256.Sum256(nil))
	}
	h := f.edge[len(f.edge)-1]
	for i := len(f.edge) - 2; i >= 0; i-- {
		h = tlog.NodeHash(f.edge[i], h)
	}
	return h
}

// loadFrontier reads the right edge of the tree of size n.
func loadFrontier(n int64, r tlog.HashReader) (*frontier, error) {
	var at []int64
	for level := 62; level >= 0; level-- {
		if n>>level&1 == 1 {
			at = append(at, tlog.StoredHashIndex(level, n>>level-1))
		}
	}
	if len(at) == 0 {
		return &frontier{}, nil
	}
	edge, err := r.ReadHashes(at)
	if err != nil {
		return nil, err
	}
	return &frontier{n: n, edge: edge}, nil
}

// querier is a *sql.DB or a *sql.Conn.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// treeSize gives the number of entries, and fails if entries and hashes do not match in number.
func treeSize(ctx context.Context, q querier) (int64, error) {
	var size, hashes int64
	err := q.QueryRowContext(ctx, `SELECT (SELECT coalesce(max(id) + 1, 0) FROM ledger_entry),
		(SELECT coalesce(max(id) + 1, 0) FROM ledger_hash)`).Scan(&size, &hashes)
	if err != nil {
		return 0, fmt.Errorf("read the size of the ledger: %w", err)
	}
	if want := tlog.StoredHashCount(size); want != hashes {
		return 0, fmt.Errorf("%w: %d entries need %d hashes, %d are stored", ErrCorrupt, size, want, hashes)
	}
	return size, nil
}

// storedHashes reads the table ledger_hash for tlog.
func storedHashes(ctx context.Context, q querier) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		list, err := json.Marshal(indexes)
		if err != nil {
			return nil, err
		}
		rows, err := q.QueryContext(ctx,
			`SELECT id, h FROM ledger_hash WHERE id IN (SELECT value FROM json_each(?))`, string(list))
		if err != nil {
			return nil, fmt.Errorf("read tree hashes: %w", err)
		}
		defer rows.Close()
		found := make(map[int64]tlog.Hash, len(indexes))
		for rows.Next() {
			var id int64
			var raw []byte
			if err := rows.Scan(&id, &raw); err != nil {
				return nil, fmt.Errorf("read tree hashes: %w", err)
			}
			h, err := toHash(id, raw)
			if err != nil {
				return nil, err
			}
			found[id] = h
		}
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("read tree hashes: %w", err)
		}
		out := make([]tlog.Hash, len(indexes))
		for i, id := range indexes {
			h, ok := found[id]
			if !ok {
				return nil, fmt.Errorf("%w: tree hash %d is missing", ErrCorrupt, id)
			}
			out[i] = h
		}
		return out, nil
	})
}

func toHash(id int64, raw []byte) (tlog.Hash, error) {
	if len(raw) != tlog.HashSize {
		return tlog.Hash{}, fmt.Errorf("%w: tree hash %d has %d bytes", ErrCorrupt, id, len(raw))
	}
	return tlog.Hash(raw), nil
}
