// Package dumptest helps to test readers: a sink that collects what a reader finds, and the
// conformance suite that every reader passes.
package dumptest

import (
	"fmt"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// Row is one row a reader found, decoded.
type Row struct {
	Table   string
	Ordinal int64
	Offset  int64
	Cells   []string // NULL is "<null>", an expression "<expr:...>"
}

// Collector keeps everything.
type Collector struct {
	Found      []Row
	Damages    []dump.Damage
	Statements []string
	Tables     []*dump.Table
	seen       map[string]*dump.Table
}

// Rows collects a batch.
func (c *Collector) Rows(b *dump.Batch) error {
	if c.seen == nil {
		c.seen = map[string]*dump.Table{}
	}
	if was, ok := c.seen[b.Table.Name]; ok && was != b.Table {
		return fmt.Errorf("table %q was given as two tables", b.Table.Name)
	} else if !ok {
		c.seen[b.Table.Name] = b.Table
		c.Tables = append(c.Tables, b.Table)
	}
	if len(b.Fields) != len(b.Rows)*len(b.Table.Columns) {
		return fmt.Errorf("table %q: %d fields for %d rows of %d columns", b.Table.Name, len(b.Fields), len(b.Rows), len(b.Table.Columns))
	}
	for i, r := range b.Rows {
		row := Row{Table: b.Table.Name, Ordinal: b.FirstRow + int64(i), Offset: r.Offset}
		for _, f := range b.Cells(i) {
			row.Cells = append(row.Cells, Decode(f, b.Text))
		}
		c.Found = append(c.Found, row)
	}
	if b.Release != nil {
		b.Release()
	}
	return nil
}

// Damage collects a damage entry.
func (c *Collector) Damage(d dump.Damage) error {
	c.Damages = append(c.Damages, d)
	return nil
}

// Statement collects a statement.
func (c *Collector) Statement(s dump.Statement) error {
	c.Statements = append(c.Statements, string(s.Text))
	return nil
}

// In counts rows in: found and damaged.
func (c *Collector) In() (n int64) {
	for _, d := range c.Damages {
		n += d.Rows
	}
	return n + int64(len(c.Found))
}

// Decode gives a cell's value as text.
func Decode(f dump.Field, text []byte) string {
	switch f.Form() {
	case dump.Null:
		return "<null>"
	case dump.Expr:
		return "<expr:" + string(f.In(text)) + ">"
	}
	v, _, ok := f.Value(text, nil)
	if !ok {
		return "<undecodable>"
	}
	return string(v)
}

// String lists the rows, for comparing.
func (c *Collector) String() string {
	var b strings.Builder
	for _, r := range c.Found {
		fmt.Fprintf(&b, "%s %d@%d %q\n", r.Table, r.Ordinal, r.Offset, r.Cells)
	}
	for _, d := range c.Damages {
		fmt.Fprintf(&b, "damage %+v\n", d)
	}
	return b.String()
}
