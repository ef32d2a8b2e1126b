// Package dump is the seam between the formats a seizure is found in and everything that
// uses its rows. A reader (one folder each: mysqldump, delimited, ...) is a [Format]: it turns
// a stream of bytes into tables, batches of rows and damage, and hands them to a [Sink]. It never interprets a
// value: a batch holds the original bytes, and for every cell where they lie and how they are
// quoted ([Field]); [Cell] and its methods decode them.
//
// Promises every reader keeps, checked by the conformance suite in dumptest:
//   - every row has the ordinal of its place in its table (from 1, damaged rows counted) and
//     the offset at which the same format's Row finds it again: of its first byte or, where
//     rows have no bytes of their own (sqlitefile, xlsx, parquetfile, pgdump's custom format),
//     what the format's package comment says; a rowid can be negative;
//   - every byte that should have been a row and could not be read lies in exactly one
//     [Damage], which says where and why and for how many rows it stands;
//   - memory is bounded by the segment size and the longest row, whatever the file's size;
//   - cancelling the context ends the reading soon.
//
// Reading order: dump.go (the seam), cell.go (decoding), charset.go.
package dump

import (
	"context"
	"io"
	"path"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
)

// Kind is what a source's declared type amounts to in a source table.
type Kind uint8

// The kinds, and the Parquet type each becomes: see docs/formats/case-folder.md.
const (
	Text Kind = iota
	Int
	Uint
	Decimal
	Float
	Date
	DateTime
	Binary
)

// Column is one column as the source declares it.
type Column struct {
	Name             string
	Kind             Kind
	Precision, Scale int     // of Decimal
	Declared         string  // the source's own words for the type
	Charset          Charset // of its text, where that is not the table's
}

// Table is one table as the source declares it. A reader gives each table one *Table and
// never changes it after the first batch.
type Table struct {
	Name    string
	Columns []Column
	Charset Charset  // of the text in its batches
	Key     []string // columns of the declared primary key; nil: none is known. It may become known after the rows
}

// Form says how a cell is written.
type Form uint8

// The forms.
const (
	Null    Form = iota // NULL, or a field that is missing
	Bare                // a number or word outside quotes
	Quoted              // text that stands for itself
	Escaped             // text with backslash escapes or doubled quotes
	Hex                 // hexadecimal digits
	Bits                // binary digits
	Expr                // an expression that is not a literal: kept as text, always a misfit
	Doubled             // text in double quotes in which a doubled quote is one (RFC 4180)
)

// Field is where one cell lies in its batch's text: 8 bytes, because a batch has millions.
type Field struct {
	start uint32
	size  uint32 // form in the upper three bits, length below
}

// MaxSegment is the largest batch text, and so the longest row: field lengths have 29 bits.
const MaxSegment = 1<<29 - 1

// NewField makes a field; start and length are below MaxSegment.
func NewField(start, length int, form Form) Field {
	return Field{uint32(start), uint32(length) | uint32(form)<<29}
}

// Form tells how the cell is written.
func (f Field) Form() Form { return Form(f.size >> 29) }

// In gives the cell's bytes as they stand in text.
func (f Field) In(text []byte) []byte { return text[f.start : f.start+f.size&MaxSegment] }

// Batch is a run of rows of one table in source order. The sink owns it and its Text until
// it calls Release, once; then they may hold other rows. One without rows says that the table
// is there, even if no row is.
type Batch struct {
	Table    *Table
	FirstRow int64   // ordinal of the first row
	Rows     []Row   // in order, ordinals rising by one
	Fields   []Field // len(Rows) * len(Table.Columns), row after row
	Text     []byte
	Release  func() // may be nil
}

// Row is the place of one row of a batch.
type Row struct {
	Offset int64 // where the format's Row finds it again
}

// Cells are the fields of row i of the batch.
func (b *Batch) Cells(i int) []Field {
	n := len(b.Table.Columns)
	return b.Fields[i*n : (i+1)*n]
}

// Damage is a stretch of the source that could not be read, or a remark about one (Rows 0).
type Damage struct {
	Table  string // empty outside any table
	Row    int64  // ordinal of the first damaged row; 0 outside any table
	Offset int64
	Length int64
	Rows   int64 // how many rows it stands for, at least
	Reason string
}

// Statement is something a source holds beside rows and that can be evidence: a table's
// definition, a trigger, a routine, a view. Its text is the reader's again after the call.
type Statement struct {
	Offset int64
	Text   []byte
}

// Sink takes what a reader finds, in source order. An error it returns ends the reading.
type Sink interface {
	Rows(*Batch) error
	Damage(Damage) error
	Statement(Statement) error
}

// Where is the damage's place for messages.
func (d Damage) Where(source string) casefile.Where {
	return casefile.Where{Source: source, Table: d.Table, Row: d.Row, Offset: d.Offset, HasOffset: true}
}

// Format is one kind of file and how it is read. Exactly one of Stream and File is set.
type Format struct {
	Name    string // in source records and versions: mysqldump, csv, ...
	Version string // of the reader; another version makes other table versions
	About   string // for people: what files these are

	// Match tells from a file's name and its first bytes (at most 64 KiB) whether this reader
	// reads it. Formats are asked in the order of intake.Formats.
	Match func(name string, head []byte) bool

	// Stream reads the content in one pass, while it is being sealed.
	Stream func(ctx context.Context, r io.Reader, name string, sink Sink) error
	// File reads a file that needs random access, or what lies beside it: the sealed copy, which it never changes.
	// Rows of such a format may have no byte address; their offset is then what the format's
	// package comment says.
	File func(ctx context.Context, src Sealed, sink Sink) error
	// Beside are the endings of names of files that belong to such a file when they lie beside
	// it, and are read with it; see [BesideName].
	Beside []string

	// Row reads one row again.
	Row func(ctx context.Context, src Sealed, table string, row, offset int64) (Found, error)
}

// BesideName is the name, or path, of the file of that ending that belongs to a file: the
// ending stands behind its name (x.db, x.db-wal) or, if it begins with a dot, in the place of
// the name's own (x.txt, x.sql).
func BesideName(name, ending string) string {
	if strings.HasPrefix(ending, ".") {
		name = strings.TrimSuffix(name, path.Ext(name))
	}
	return name + ending
}

// Sealed is a sealed source.
type Sealed struct {
	Path   string            // of the sealed copy
	Beside map[string]string // paths of the sealed files that lay beside it, by ending
	Name   string            // the file's own name
	At     io.ReaderAt       // for Row only
	Size   int64             // the same
	Temp   string            // folder for temporary files; empty: the system's
}

// Found is one row read again.
type Found struct {
	Text    []byte   // the row's bytes, or what the format's package comment says stands for them
	Cells   []Field  // over Text
	Columns []string // the cells' columns; nil: all columns of the table, as it declares them
}
