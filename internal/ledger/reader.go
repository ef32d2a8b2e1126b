package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"
)

// pageSize is how many entries one query reads. Short queries keep a slow consumer from holding back SQLite's
// checkpoints; since nothing ever changes, pages fit together.
const pageSize = 256

// Reader reads a ledger; a database opened read-only is enough. Its methods may be called from many goroutines.
type Reader struct {
	db     *sql.DB
	origin string
}

// OpenReader gives a Reader of the ledger of that origin.
func OpenReader(ctx context.Context, db *sql.DB, origin string) (*Reader, error) {
	if err := checkOrigin(origin); err != nil {
		return nil, err
	}
	r := &Reader{db: db, origin: origin}
	if _, err := r.Size(ctx); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", origin, err)
	}
	if _, err := r.LastCheckpoint(ctx); err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("open ledger %s: %w", origin, err)
	}
	return r, nil
}

// Origin gives the log's name.
func (r *Reader) Origin() string { return r.origin }

// Size gives the number of entries.
func (r *Reader) Size(ctx context.Context) (int64, error) { return treeSize(ctx, r.db) }

// LastCheckpoint gives the newest stored checkpoint. Its signature is not checked: OpenCheckpoint does that.
func (r *Reader) LastCheckpoint(ctx context.Context) (Checkpoint, error) {
	c, _, err := lastStored(ctx, r.db, r.origin, 0)
	return c, err
}

// Entry gives one entry.
func (r *Reader) Entry(ctx context.Context, seq int64) (Entry, error) {
	e := Entry{Seq: seq}
	err := r.db.QueryRowContext(ctx, `SELECT body FROM ledger_entry WHERE id = ?`, seq).Scan(&e.Body)
	if errors.Is(err, sql.ErrNoRows) {
		return Entry{}, fmt.Errorf("entry %d: %w", seq, ErrNotFound)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("entry %d: %w", seq, err)
	}
	return e, nil
}

// Entries yields the entries from seq from up to, not including, seq to, in order; a negative to means up to the
// present end. After an error, which comes with a zero Entry, there is nothing more. A missing entry is an error.
func (r *Reader) Entries(ctx context.Context, from, to int64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		size, err := r.Size(ctx)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if to < 0 {
			to = size
		}
		if from < 0 || to > size {
			yield(Entry{}, fmt.Errorf("entries %d to %d of %d: %w", from, to, size, ErrNotFound))
			return
		}
		for from < to {
			page, err := r.page(ctx, from, min(from+pageSize, to))
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			from += int64(len(page))
		}
	}
}

// page reads the entries from seq from up to, not including, seq to: all of them or an error.
func (r *Reader) page(ctx context.Context, from, to int64) ([]Entry, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT id, body FROM ledger_entry WHERE id >= ? AND id < ? ORDER BY id`, from, to)
	if err != nil {
		return nil, fmt.Errorf("read entries from %d: %w", from, err)
	}
	list, err := scanEntries(rows, make([]Entry, 0, to-from))
	if err != nil {
		return nil, fmt.Errorf("read entries from %d: %w", from, err)
	}
	for i, e := range list {
		if e.Seq != from+int64(i) {
			return nil, fmt.Errorf("%w: entry %d is missing", ErrCorrupt, from+int64(i))
		}
	}
	if int64(len(list)) != to-from {
		return nil, fmt.Errorf("%w: entry %d is missing", ErrCorrupt, from+int64(len(list)))
	}
	return list, nil
}

func scanEntries(rows *sql.Rows, list []Entry) ([]Entry, error) {
	defer rows.Close()
	for rows.Next() {
		var e Entry
		if err := rows.Scan(&e.Seq, &e.Body); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

// Filter chooses entries; an empty field matches all.
type Filter struct {
	Actor, Action, Object string
	Outcome               Outcome
}

// Last gives the newest entry that the filter chooses. It reads backwards from the end until it finds one.
func (r *Reader) Last(ctx context.Context, f Filter) (Entry, error) {
	var where strings.Builder
	var args []any
	for _, c := range [...]struct{ key, value string }{
		{"actor", f.Actor}, {"action", f.Action}, {"object", f.Object}, {"outcome", string(f.Outcome)},
	} {
		if c.value != "" {
			fmt.Fprintf(&where, " AND json_extract(CAST(body AS TEXT), '$.%s') = ?", c.key)
			args = append(args, c.value)
		}
	}
	var e Entry
	err := r.db.QueryRowContext(ctx,
		`SELECT id, body FROM ledger_entry WHERE true`+where.String()+` ORDER BY id DESC LIMIT 1`, args...).Scan(&e.Seq, &e.Body)
	if errors.Is(err, sql.ErrNoRows) {
		return Entry{}, fmt.Errorf("last entry of %+v: %w", f, ErrNotFound)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("last entry of %+v: %w", f, err)
	}
	return e, nil
}

// Unfinished gives the Intent entries that no entry answers, oldest first: what was begun outside the database and
// may have been cut short. It reads the whole log, so it is for the start of a process.
func (r *Reader) Unfinished(ctx context.Context) ([]Entry, error) {
	rows, err := r.db.QueryContext(ctx, `
		WITH answered(id) AS (
			SELECT json_extract(CAST(body AS TEXT), '$.answers') FROM ledger_entry
			WHERE json_extract(CAST(body AS TEXT), '$.answers') IS NOT NULL)
		SELECT id, body FROM ledger_entry
		WHERE json_extract(CAST(body AS TEXT), '$.outcome') = ? AND id NOT IN (SELECT id FROM answered)
		ORDER BY id`, string(Intent))
	if err != nil {
		return nil, fmt.Errorf("unfinished intents: %w", err)
	}
	list, err := scanEntries(rows, nil)
	if err != nil {
		return nil, fmt.Errorf("unfinished intents: %w", err)
	}
	return list, nil
}
