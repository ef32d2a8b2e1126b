package desk

import (
	"context"
	"database/sql"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/snapshot"
)

// SnapshotChange is one row that appeared, changed or vanished between two snapshots, or what
// is to be said of a table. A row that is not there has no reference.
type SnapshotChange struct {
	SourceTable, Change, Key, Columns string
	No                                int64
	Before, After                     casefile.RowRef
}

// Snapshots is what became of the source tables from one snapshot to the next, and one page of
// the changes of the table that was asked for.
type Snapshots struct {
	Summaries     []snapshot.Summary
	Table, Change string // of the list; an empty Change: every kind
	Page          Page
	List          []SnapshotChange
}

const snapshotChangeSQL = `
SELECT source_table, change, COALESCE(key, ''), COALESCE(columns, ''), snapshot_no,
       COALESCE(before_ref_source, ''), COALESCE(before_ref_table, ''), COALESCE(before_ref_row, 0), COALESCE(before_ref_offset, 0),
       COALESCE(after_ref_source, ''), COALESCE(after_ref_table, ''), COALESCE(after_ref_row, 0), COALESCE(after_ref_offset, 0)
FROM ` + snapshot.Table + ` WHERE source_table = ? AND (? = '' OR change = ?)
ORDER BY snapshot_no, COALESCE(before_ref_row, after_ref_row), change, after_ref_row`

// Snapshots compares the snapshots of a series. Keys are values of original rows, so that
// only those who may see rows see them.
func (d *Desk) Snapshots(ctx context.Context, p Person, table, change string, number int) (Snapshots, error) {
	s := Snapshots{Table: table, Change: change, Page: page(number)}
	a := Asked{Action: SeeRow, Object: id("snapshots", table), Details: map[string]any{"change": quoted(change), "page": number}, Needs: []string{snapshot.Table}}
	return look(ctx, d, p, a, func(ctx context.Context) (_ Snapshots, err error) {
		if s.Summaries, err = snapshot.Summaries(ctx, d.c, d.engine); err != nil || table == "" {
			return s, err
		}
		s.List, err = paged(ctx, d, &s.Page, snapshotChangeSQL, func(r *sql.Rows, v *SnapshotChange) error {
			return r.Scan(append(append([]any{&v.SourceTable, &v.Change, &v.Key, &v.Columns, &v.No}, refInto(&v.Before)...), refInto(&v.After)...)...)
		}, table, change, change)
		return s, err
	})
}
