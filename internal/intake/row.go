package intake

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/mapping"
	"github.com/unspoof/unspoof/internal/store"
)

// Original is one row as its source has it, read again from the sealed file.
type Original struct {
	Ref    casefile.RowRef `json:"ref"`
	Source store.Source    `json:"source"`
	Length int             `json:"length"` // bytes
	Text   []byte          `json:"-"`      // the row's bytes in the source
	Cells  []Cell          `json:"cells"`
}

// Cell is one value of an original row. A value that is not text is written in hexadecimal.
type Cell struct {
	Column string `json:"column"`
	Value  string `json:"value"`
	Null   bool   `json:"null,omitempty"`
	Secret bool   `json:"secret,omitempty"` // a passcode, password, card number ...: not shown without permission
}

// ReadRow reads one original row. The source of ref may be a unique prefix.
func ReadRow(ctx context.Context, c *store.Case, ref casefile.RowRef) (Original, error) {
	fail := func(err error) (Original, error) {
		return Original{}, &casefile.Problem{Where: casefile.Where{Source: ref.Source.Short(), Table: ref.Table, Row: ref.Row, Offset: ref.Offset, HasOffset: true}, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return Original{}, err
	}
	source, err := c.Source(ref.Source)
	if err != nil {
		return fail(err)
	}
	ref.Source = source.ID
	table, err := c.Table(store.SourceTableName(source.ID, ref.Table))
	if err != nil {
		return fail(err)
	}
	format, err := formatOf(source)
	if err != nil {
		return fail(err)
	}
	f, err := os.Open(c.SourcePath(source.ID))
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	text, fields, err := format.row(f, ref.Offset)
	if err != nil {
		return fail(err)
	}
	columns := table.Columns[2 : len(table.Columns)-1] // between the reference and the misfits
	if len(fields) != len(columns) {
		return fail(fmt.Errorf("the row has %d cells, its table %d columns", len(fields), len(columns)))
	}
	secret, err := mapping.Secrets(c, source.ID, ref.Table)
	if err != nil {
		return fail(err)
	}
	o := Original{Ref: ref, Source: source, Length: len(text), Text: text}
	for i, fd := range fields {
		cell := Cell{Column: columns[i].Name, Null: fd.Form() == dump.Null, Secret: secret(columns[i].Name)}
		v, _, ok := fd.Value(text, nil)
		if !ok {
			v = fd.In(text)
		}
		if columns[i].Type == "BLOB" || !utf8.Valid(v) {
			cell.Value = "0x" + hex.EncodeToString(v)
		} else {
			cell.Value = string(v)
		}
		o.Cells = append(o.Cells, cell)
	}
	return o, nil
}
