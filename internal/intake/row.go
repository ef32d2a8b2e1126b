package intake

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
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

// sealed is a source as its reader takes it.
func sealed(c *store.Case, s store.Source) dump.Sealed {
	src := dump.Sealed{Path: c.SourcePath(s.ID), Name: s.Name, Size: s.Size, Beside: map[string]string{}}
	for ending, id := range s.Siblings {
		src.Beside[ending] = c.SourcePath(id)
	}
	return src
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
	if ref.Offset < 0 && format.File == nil {
		return fail(errors.New("an offset in this format is not negative"))
	}
	f, err := os.Open(c.SourcePath(source.ID))
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	src := sealed(c, source)
	src.At = f
	if format.File != nil {
		stage, err := c.Stage()
		if err != nil {
			return fail(err)
		}
		defer stage.Discard()
		src.Temp = stage.Dir
	}
	found, err := format.Row(ctx, src, ref.Table, ref.Row, ref.Offset)
	if err != nil {
		return fail(err)
	}
	columns := table.Columns[2 : len(table.Columns)-1] // between the reference and the misfits
	names := found.Columns
	if names == nil {
		for _, c := range columns {
			names = append(names, c.Name)
		}
	}
	if len(found.Cells) != len(names) {
		return fail(fmt.Errorf("the row has %d cells where %d belong", len(found.Cells), len(names)))
	}
	binary := map[string]bool{}
	for _, c := range columns {
		binary[strings.ToLower(c.Name)] = c.Type == "BLOB"
	}
	secret, err := mapping.Secrets(c, source.ID, ref.Table)
	if err != nil {
		return fail(err)
	}
	o := Original{Ref: ref, Source: source, Length: len(found.Text), Text: found.Text}
	for i, fd := range found.Cells {
		cell := Cell{Column: names[i], Null: fd.Form() == dump.Null, Secret: secret(names[i])}
		v, _, ok := fd.Value(found.Text, nil)
		if !ok {
			v = fd.In(found.Text)
		}
		if binary[strings.ToLower(names[i])] || !utf8.Valid(v) {
			cell.Value = "0x" + hex.EncodeToString(v)
		} else {
			cell.Value = string(v)
		}
		o.Cells = append(o.Cells, cell)
	}
	return o, nil
}
