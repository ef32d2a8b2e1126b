package ledger

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Report is what a Check found in order.
type Report struct {
	Entries     int64      // all of them hashed anew
	Root        tlog.Hash  // of the tree they make
	Checkpoints int        // stored ones, all verified
	Last        Checkpoint // the newest; zero if there is none. Entries from Last.Size on are covered by no signature
}

// Check recomputes the whole log from the entries' bodies and compares: every body with its seq, every stored hash,
// every stored checkpoint's signature and root, and every held checkpoint, which is a signed note that was kept
// outside the case (print-out, export, time-stamp). Only held checkpoints show that the database was set back
// or signed anew. The error says where the first contradiction is and wraps ErrCorrupt.
//
// This is the writer's check of itself; the package verify does the same without this code.
func (r *Reader) Check(ctx context.Context, known note.Verifiers, held ...[]byte) (Report, error) {
	size, err := r.Size(ctx)
	if err != nil {
		return Report{}, err
	}
	due, stored, err := r.checkpoints(ctx, known, size)
	if err != nil {
		return Report{}, err
	}
	rep := Report{Entries: size, Checkpoints: len(stored)}
	if len(stored) > 0 {
		rep.Last = stored[len(stored)-1]
	}
	for _, signed := range held {
		c, err := OpenCheckpoint(signed, known)
		if err != nil {
			return Report{}, fmt.Errorf("held checkpoint: %w", err)
		}
		if c.Origin != r.origin || c.Size > size {
			return Report{}, fmt.Errorf("%w: a checkpoint held elsewhere says %s had %d entries; %s has %d here",
				ErrCorrupt, c.Origin, c.Size, r.origin, size)
		}
		due[c.Size] = append(due[c.Size], c)
	}
	var strays int
	if err := r.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM ledger_entry WHERE id < 0) +
		(SELECT count(*) FROM ledger_hash WHERE id < 0) + (SELECT count(*) FROM ledger_checkpoint WHERE size < 0)`).Scan(&strays); err != nil {
		return Report{}, fmt.Errorf("check: %w", err)
	}
	if strays > 0 {
		return Report{}, fmt.Errorf("%w: %d rows have negative numbers", ErrCorrupt, strays)
	}
	tree := &frontier{}
	compare := func() error {
		for _, c := range due[tree.n] {
			if c.Hash != tree.root() {
				return fmt.Errorf("%w: the first %d entries are not those that a checkpoint signed", ErrCorrupt, tree.n)
			}
		}
		return nil
	}
	if err := compare(); err != nil {
		return Report{}, err
	}
	for tree.n < size {
		from, to := tree.n, min(tree.n+pageSize, size)
		page, err := r.page(ctx, from, to)
		if err != nil {
			return Report{}, err
		}
		hashes, err := r.hashes(ctx, tlog.StoredHashCount(from), tlog.StoredHashCount(to))
		if err != nil {
			return Report{}, err
		}
		for _, e := range page {
			if _, err := e.Act(); err != nil {
				return Report{}, err
			}
			made := tree.push(e.Hash())
			for i, h := range made {
				if h != hashes[i] {
					return Report{}, fmt.Errorf("%w: entry %d does not give its stored hash at level %d", ErrCorrupt, e.Seq, i)
				}
			}
			hashes = hashes[len(made):]
			if err := compare(); err != nil {
				return Report{}, err
			}
		}
	}
	rep.Root = tree.root()
	return rep, nil
}

// checkpoints verifies the stored checkpoints' signatures, origins and sizes, and gives them by size and in order.
func (r *Reader) checkpoints(ctx context.Context, known note.Verifiers, size int64) (map[int64][]Checkpoint, []Checkpoint, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT size, note FROM ledger_checkpoint ORDER BY size`)
	if err != nil {
		return nil, nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	defer rows.Close()
	bySize := make(map[int64][]Checkpoint)
	var list []Checkpoint
	for rows.Next() {
		var at int64
		var signed []byte
		if err := rows.Scan(&at, &signed); err != nil {
			return nil, nil, fmt.Errorf("read the checkpoints: %w", err)
		}
		c, err := OpenCheckpoint(signed, known)
		if err != nil {
			return nil, nil, fmt.Errorf("size %d: %w", at, err)
		}
		if c.Size != at || c.Origin != r.origin {
			return nil, nil, fmt.Errorf("%w: the checkpoint stored at size %d of %s says %s, %d", ErrCorrupt, at, r.origin, c.Origin, c.Size)
		}
		if at > size { // newer than our count, unless entries were taken away
			now, err := r.Size(ctx)
			if err != nil {
				return nil, nil, err
			}
			if at > now {
				return nil, nil, fmt.Errorf("%w: %d entries are left of the %d that a checkpoint signed", ErrCorrupt, now, at)
			}
			break
		}
		bySize[at] = append(bySize[at], c)
		list = append(list, c)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	return bySize, list, nil
}

// hashes reads the stored hashes from one index up to, not including, another: all of them or an error.
func (r *Reader) hashes(ctx context.Context, from, to int64) ([]tlog.Hash, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT id, h FROM ledger_hash WHERE id >= ? AND id < ? ORDER BY id`, from, to)
	if err != nil {
		return nil, fmt.Errorf("read tree hashes: %w", err)
	}
	defer rows.Close()
	list := make([]tlog.Hash, 0, to-from)
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
		list = append(list, h)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read tree hashes: %w", err)
	}
	if int64(len(list)) != to-from {
		return nil, fmt.Errorf("%w: of tree hashes %d to %d, %d are missing", ErrCorrupt, from, to-1, to-from-int64(len(list)))
	}
	return list, nil
}
