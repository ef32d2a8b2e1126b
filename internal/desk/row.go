package desk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// OriginalRow is one row as its sealed source has it.
type OriginalRow struct {
	Ref    casefile.RowRef
	Source OriginalSource
	Text   []byte // the row's bytes; secret values are not shown, see [Desk.Row]
	Cells  []OriginalCell
}

// OriginalSource is the sealed file a row lies in.
type OriginalSource struct {
	Name, Exhibit, LegalBasis, SealedBy string
	Size                                int64
	SealedAt                            time.Time
}

// OriginalCell is one value of a row. A secret value (a password, a card number) is empty here
// and known only by its length.
type OriginalCell struct {
	Column, Value string
	Null, Secret  bool
	Length        int // of the value in bytes
}

// RowPage is an original row as a page may show it.
type RowPage struct {
	Row    OriginalRow
	Bytes  int // length of the row in the source
	Hidden int // secret values that were masked
}

// Row is one original row by its reference. Secrets are masked here, whoever asks.
func (d *Desk) Row(ctx context.Context, p Person, ref casefile.RowRef) (RowPage, error) {
	a := Asked{Action: SeeRow, Object: id("row", ref.String())}
	return look(ctx, d, p, a, func(ctx context.Context) (RowPage, error) {
		if _, err := d.c.Source(ref.Source); err != nil {
			return RowPage{}, ErrNotFound
		}
		row, err := d.readRow(ctx, ref)
		var file *fs.PathError
		if err != nil && !errors.As(err, &file) { // the source is there, but no such row in it
			return RowPage{}, fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		if err != nil {
			return RowPage{}, err
		}
		page := RowPage{Bytes: len(row.Text)}
		row.Text, page.Hidden = mask(row)
		for i := range row.Cells {
			c := &row.Cells[i]
			c.Length = len(c.Value)
			if c.Secret {
				c.Value = ""
			}
		}
		page.Row = row
		return page, nil
	})
}

// isRow reports whether the source table has a row of that number at that offset: what merely
// looks like a row, in the middle of a text, is not shown as one.
func (d *Desk) isRow(ctx context.Context, ref casefile.RowRef) (bool, error) {
	source, err := d.c.Source(ref.Source)
	if err != nil {
		return false, err
	}
	table, err := d.c.Table(store.SourceTableName(source.ID, ref.Table))
	if errors.Is(err, store.ErrNoTable) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var n int
	err = d.engine.DB.QueryRowContext(ctx, "SELECT count(*) FROM "+duckdb.Ident(table.Table)+" WHERE ref_row = ? AND ref_offset = ?", ref.Row, ref.Offset).Scan(&n)
	return n == 1, err
}
