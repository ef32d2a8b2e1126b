package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// memTree is the reference: every stored hash in memory, made by tlog itself.
type memTree struct {
	hashes []tlog.Hash
	n      int64
}

func (m *memTree) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, id := range at {
		out[i] = m.hashes[id]
	}
	return out, nil
}

func (m *memTree) add(t testing.TB, data []byte) []tlog.Hash {
	t.Helper()
	hs, err := tlog.StoredHashes(m.n, data, m)
	if err != nil {
		t.Fatal(err)
	}
	m.hashes, m.n = append(m.hashes, hs...), m.n+1
	return hs
}

func (m *memTree) root(t testing.TB, n int64) tlog.Hash {
	t.Helper()
	h, err := tlog.TreeHash(n, m)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestFrontierAgreesWithTlog(t *testing.T) {
	ref, f := &memTree{}, &frontier{}
	if f.root() != ref.root(t, 0) {
		t.Fatal("the empty tree's root differs")
	}
	for i := range 1100 {
		data := binary.BigEndian.AppendUint64(nil, rand.Uint64())
		want, got := ref.add(t, data), f.push(tlog.RecordHash(data))
		if fmt.Sprint(want) != fmt.Sprint(got) {
			t.Fatalf("leaf %d: the hashes differ", i)
		}
		if f.root() != ref.root(t, f.n) {
			t.Fatalf("size %d: the root differs", f.n)
		}
		again, err := loadFrontier(f.n, ref)
		if err != nil || again.n != f.n || fmt.Sprint(again.edge) != fmt.Sprint(f.edge) {
			t.Fatalf("size %d: the frontier read back differs: %v", f.n, err)
		}
	}
}

// TestLogAgreesWithReference appends through the log, in groups and one by one, and compares everything that can
// be asked of it with the reference in memory.
func TestLogAgreesWithReference(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, WithCheckpointEvery(100))
	w.fill(t, 500)
	for range 23 {
		w.fill(t, 1)
	}
	const n = 523
	ref := &memTree{}
	for e, err := range w.log.Entries(ctx, 0, -1) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq != ref.n {
			t.Fatalf("entry %d comes where %d should", e.Seq, ref.n)
		}
		ref.add(t, e.Body)
	}
	if size, err := w.log.Size(ctx); err != nil || size != n || ref.n != n {
		t.Fatalf("size %d, %d entries: %v", size, ref.n, err)
	}
	stored, err := w.log.hashes(ctx, 0, tlog.StoredHashCount(n))
	if err != nil || fmt.Sprint(stored) != fmt.Sprint(ref.hashes) {
		t.Fatalf("the stored hashes differ: %v", err)
	}
	for range 300 {
		size := 1 + rand.Int64N(n)
		seq, old := rand.Int64N(size), 1+rand.Int64N(size)
		root := ref.root(t, size)
		if h, err := w.log.TreeHash(ctx, size); err != nil || h != root {
			t.Fatalf("root at %d: %v", size, err)
		}
		e, err := w.log.Entry(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		p, err := w.log.InclusionProof(ctx, seq, size)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p, size, root, seq, e.Hash()); err != nil {
			t.Fatalf("entry %d in %d: %v", seq, size, err)
		}
		e.Body[rand.IntN(len(e.Body))] ^= 1 << rand.IntN(8)
		if tlog.CheckRecord(p, size, root, seq, e.Hash()) == nil {
			t.Fatalf("entry %d in %d: an altered leaf is accepted", seq, size)
		}
		c, err := w.log.ConsistencyProof(ctx, old, size)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckTree(c, size, root, old, ref.root(t, old)); err != nil {
			t.Fatalf("%d in %d: %v", old, size, err)
		}
		other := ref.root(t, old)
		other[rand.IntN(len(other))] ^= 1
		if tlog.CheckTree(c, size, root, old, other) == nil {
			t.Fatalf("%d in %d: an altered root is accepted", old, size)
		}
	}
	rep := w.sound(t)
	if rep.Root != ref.root(t, n) || rep.Checkpoints == 0 || rep.Last.Size < 500 {
		t.Fatalf("%+v", rep)
	}
}
