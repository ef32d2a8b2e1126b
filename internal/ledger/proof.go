package ledger

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// TreeHash gives the root of the tree of the first size entries, from the stored hashes.
func (r *Reader) TreeHash(ctx context.Context, size int64) (tlog.Hash, error) {
	if err := r.within(ctx, size); err != nil {
		return tlog.Hash{}, err
	}
	f, err := loadFrontier(size, storedHashes(ctx, r.db))
	if err != nil {
		return tlog.Hash{}, err
	}
	return f.root(), nil
}

// InclusionProof proves to the holder of the root of the tree of that size that it contains entry seq;
// tlog.CheckRecord checks it.
func (r *Reader) InclusionProof(ctx context.Context, seq, size int64) (tlog.RecordProof, error) {
	if err := r.within(ctx, size); err != nil {
		return nil, err
	}
	if seq < 0 || seq >= size {
		return nil, fmt.Errorf("entry %d in a tree of %d: %w", seq, size, ErrNotFound)
	}
	p, err := tlog.ProveRecord(size, seq, storedHashes(ctx, r.db))
	if err != nil {
		return nil, fmt.Errorf("prove entry %d in the tree of %d: %w", seq, size, err)
	}
	return p, nil
}

// ConsistencyProof proves that the tree of size newSize starts with the tree of size oldSize; tlog.CheckTree checks it.
// Every tree starts with the empty one, and that needs no proof: oldSize must be at least 1.
func (r *Reader) ConsistencyProof(ctx context.Context, oldSize, newSize int64) (tlog.TreeProof, error) {
	if err := r.within(ctx, newSize); err != nil {
		return nil, err
	}
	if oldSize < 1 || oldSize > newSize {
		return nil, fmt.Errorf("consistency of %d with %d: %w: the older size must be from 1 to the newer", oldSize, newSize, ErrInvalid)
	}
	p, err := tlog.ProveTree(newSize, oldSize, storedHashes(ctx, r.db))
	if err != nil {
		return nil, fmt.Errorf("prove the tree of %d in the tree of %d: %w", oldSize, newSize, err)
	}
	return p, nil
}

// Proof gives a C2SP tlog-proof of entry seq against the last checkpoint: a text that shows by itself, offline, to
// whoever knows the log's public key, that the log contains the entry. Staple it to an exhibit as
// <name>.tlog-proof. If no checkpoint covers the entry yet, it is ErrNotFound: make one first.
func (r *Reader) Proof(ctx context.Context, seq int64) ([]byte, error) {
	if seq < 0 {
		return nil, fmt.Errorf("entry %d: %w", seq, ErrNotFound)
	}
	c, _, err := lastStored(ctx, r.db, r.origin, seq+1)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", seq, err)
	}
	path, err := r.InclusionProof(ctx, seq, c.Size)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "c2sp.org/tlog-proof@v1\nindex %d\n", seq)
	for _, h := range path {
		fmt.Fprintf(&b, "%s\n", h)
	}
	b.WriteByte('\n')
	b.Write(c.Note)
	return b.Bytes(), nil
}

func (r *Reader) within(ctx context.Context, size int64) error {
	have, err := r.Size(ctx)
	if err != nil {
		return err
	}
	if size < 0 || size > have {
		return fmt.Errorf("a tree of %d entries: %w: the ledger has %d", size, ErrNotFound, have)
	}
	return nil
}
