// Package build makes batches for readers whose rows do not lie in their source as cells:
// JSON, BSON, spreadsheets, captures. Such a reader appends each cell's bytes to the batch's
// own text, which [Rows] keeps, numbers and hands on in portions of a few megabytes. [Shape]
// finds the columns of objects that declare none, and the narrowest kind that holds all of a
// column's values exactly.
//
// What Rows promises its reader: ordinals count damaged rows, a damage entry comes behind the
// rows before it, and a batch never outgrows what a [dump.Field] can address.
//
// Reading order: rows.go, shape.go.
package build

import (
	"errors"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// The size at which a batch is handed on.
const (
	maxText = 8 << 20
	maxRows = 1 << 17
)

// MaxRow is the longest row such a reader should take, so that decoded it still fits a batch.
const MaxRow = 64 << 20

// ErrTooLong is returned for a row whose decoded cells do not fit a batch.
var ErrTooLong = errors.New("the row's cells are longer than a batch can hold")

// Rows collects the rows of one table.
type Rows struct {
	sink    dump.Sink
	table   *dump.Table
	next    int64
	width   int
	rows    []dump.Row
	fields  []dump.Field
	text    []byte
	started int // len(text) where the row begun last begins
	err     error
}

// New makes a collector that hands the rows of t to sink.
func New(sink dump.Sink, t *dump.Table) *Rows {
	return &Rows{sink: sink, table: t, next: 1, width: len(t.Columns)}
}

// Table is the table the rows belong to.
func (r *Rows) Table() *dump.Table { return r.table }

// Next is the ordinal of the next row.
func (r *Rows) Next() int64 { return r.next }

// Begin begins a row whose cells are all null.
func (r *Rows) Begin(offset int64) {
	r.started = len(r.text)
	r.rows = append(r.rows, dump.Row{Offset: offset})
	for range r.width {
		r.fields = append(r.fields, dump.Field{})
	}
}

// Put sets a cell of the row begun last.
func (r *Rows) Put(column int, form dump.Form, v []byte) {
	if len(r.text)+len(v) >= dump.MaxSegment {
		r.err = ErrTooLong
		return
	}
	r.fields[len(r.fields)-r.width+column] = dump.NewField(len(r.text), len(v), form)
	r.text = append(r.text, v...)
}

// PutString sets a cell to text that stands for itself.
func (r *Rows) PutString(column int, v string) {
	if len(r.text)+len(v) >= dump.MaxSegment {
		r.err = ErrTooLong
		return
	}
	r.fields[len(r.fields)-r.width+column] = dump.NewField(len(r.text), len(v), dump.Quoted)
	r.text = append(r.text, v...)
}

// Cancel takes back the row begun last.
func (r *Rows) Cancel() {
	r.rows = r.rows[:len(r.rows)-1]
	r.fields = r.fields[:len(r.fields)-r.width]
	r.text = r.text[:r.started]
	r.err = nil
}

// End ends the row begun last. A row that is too long is an error of the source: the reader
// may Cancel it and report it as damage.
func (r *Rows) End() error {
	if r.err != nil {
		return r.err
	}
	r.next++
	if len(r.text) >= maxText || len(r.rows) >= maxRows {
		return r.Flush()
	}
	return nil
}

// Damage reports a stretch that stands for so many rows of this table.
func (r *Rows) Damage(offset, length, rows int64, reason string) error {
	if err := r.Flush(); err != nil {
		return err
	}
	d := dump.Damage{Table: r.table.Name, Row: r.next, Offset: offset, Length: length, Rows: rows, Reason: reason}
	r.next += rows
	return r.sink.Damage(d)
}

// Flush hands on what is collected.
func (r *Rows) Flush() error {
	if len(r.rows) == 0 {
		return nil
	}
	b := &dump.Batch{Table: r.table, FirstRow: r.next - int64(len(r.rows)), Rows: r.rows, Fields: r.fields, Text: r.text}
	r.rows, r.fields, r.text = nil, nil, nil
	return r.sink.Rows(b)
}

// One makes the one row that fill begins and puts, for a format's Row. Text is what the cells'
// text stands behind, and may be empty.
func One(t *dump.Table, text []byte, fill func(*Rows) error) (dump.Found, error) {
	r := New(nil, t)
	r.text = text[:len(text):len(text)]
	if err := fill(r); err != nil {
		return dump.Found{}, err
	}
	if len(r.rows) != 1 || r.err != nil {
		return dump.Found{}, errors.Join(r.err, errors.New("no row stands there"))
	}
	return dump.Found{Text: r.text, Cells: r.fields}, nil
}
