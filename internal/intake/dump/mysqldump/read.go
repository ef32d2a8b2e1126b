// Package mysqldump reads the SQL text that mysqldump and mariadb-dump write, as evidence:
// it never runs a statement, and gives every row the address at which it stands.
//
// It understands what a dump consists of: CREATE TABLE (for names and types), INSERT and
// REPLACE with any number of rows on one line or many, with or without a column list; SET
// NAMES, which says the character set of the text; comments; DELIMITER blocks. Statements
// that are not rows are handed on as text. General SQL parsers read such files at a few
// megabytes a second and stop at the first surprise; this one is a quote-aware scanner.
//
// The stream is cut into segments of a few megabytes. A batch is what one segment holds of
// one table; a row or statement that a segment cuts is carried over into the next. So memory
// is bounded by the segment size, or the longest row where that is larger.
//
// When a row cannot be read, the reader looks for the next place where a whole row of the
// right number of cells stands behind a comma, or a new statement begins at the start of a
// line, and reports everything in between as damage. In a dump that has one row a line, as
// MariaDB writes it, only line starts are considered, because mysqldump never leaves a raw
// newline inside a string.
//
// Reading order: read.go (segments and state), row.go (the scanner of one row),
// statement.go (everything else), create.go (column types), find.go (one row again).
package mysqldump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// Options bound a reading.
type Options struct {
	Segment int // bytes read at a time; 0: 16 MiB
	MaxRow  int // longest row or statement; 0: 128 MiB
}

const maxFields = 1 << 22 // of one batch: 32 MiB

// Read reads a dump from r and hands what it finds to sink.
func Read(ctx context.Context, r io.Reader, sink dump.Sink, opt Options) error {
	if opt.Segment <= 0 {
		opt.Segment = 16 << 20
	}
	if opt.MaxRow <= 0 {
		opt.MaxRow = 128 << 20
	}
	opt.MaxRow = min(opt.MaxRow, dump.MaxSegment-opt.Segment)
	p := &reader{ctx: ctx, src: r, sink: sink, opt: opt, tables: map[string]*table{}, names: map[string]bool{}, delimiter: ";"}
	return p.run()
}

// state is where in the grammar the reader stands between two segments.
type state uint8

const (
	atStatement state = iota // a statement, comment or white space begins
	atRow                    // an opening parenthesis begins a row
	afterRow                 // a comma or the end of the statement follows a row
	inDamage                 // looking for the next readable place
)

type reader struct {
	ctx  context.Context
	src  io.Reader
	sink dump.Sink
	opt  Options

	buf  []byte // the segment
	base int64  // source offset of buf[0]
	pos  int    // everything before it in buf is dealt with
	eof  bool

	st        state
	tables    map[string]*table // by key
	names     map[string]bool   // of tables, as the source's tables are called
	database  string            // of the last USE
	charset   dump.Charset
	delimiter string
	complete  bool // the closing comment was seen

	cur   *table
	order []int // column of each cell of the current INSERT; nil: as declared
	lines bool  // rows of this dump stand one a line
	cells int   // how many cells each row of the current INSERT has
	batch *dump.Batch
	tmp   []dump.Field

	bad damage // when inDamage
}

// table is a table and the ordinal its next row gets.
type table struct {
	*dump.Table
	next int64
}

type damage struct {
	start  int64
	table  *table
	row    int64
	reason string
}

// errMore is returned by scanners that reach the end of the segment.
var errMore = errors.New("segment ends")

func (p *reader) run() error {
	for {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if err := p.fill(); err != nil {
			return err
		}
		if err := p.segment(); err != nil {
			return err
		}
		if err := p.flush(); err != nil {
			return err
		}
		if p.eof {
			return p.end()
		}
	}
}

// fill makes a new segment: what the last one left over, and new bytes behind it.
func (p *reader) fill() error {
	if len(p.buf)-p.pos > p.opt.MaxRow && p.st != inDamage {
		// A row without end: give up on it, but keep looking for the next one.
		p.startDamage(p.pos, fmt.Sprintf("a row or statement is longer than %d bytes", p.opt.MaxRow))
	}
	left := p.buf[p.pos:]
	buf := make([]byte, len(left), len(left)+max(p.opt.Segment, len(left)))
	copy(buf, left)
	p.base += int64(p.pos)
	p.pos = 0
	n, err := io.ReadFull(p.src, buf[len(left):cap(buf)])
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		p.eof = true
		err = nil
	}
	p.buf = buf[:len(left)+n]
	return err
}

// segment deals with the segment as far as it goes.
func (p *reader) segment() error {
	for p.pos < len(p.buf) {
		var err error
		switch p.st {
		case atStatement:
			err = p.statement()
		case atRow:
			err = p.rows()
		case afterRow:
			err = p.separator()
		case inDamage:
			err = p.resync()
		}
		if err == errMore {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end reports what the end of the file cuts off.
func (p *reader) end() error {
	left := int64(len(p.buf) - p.pos)
	switch {
	case p.st == inDamage:
		return p.endDamage(len(p.buf))
	case left > 0 && p.st == atRow:
		p.startDamage(p.pos, "the file ends inside a row")
		return p.endDamage(len(p.buf))
	case left > 0 && len(bytes.TrimSpace(p.buf[p.pos:])) > 0:
		p.cur = nil
		p.startDamage(p.pos, "the file ends inside a statement")
		return p.endDamage(len(p.buf))
	case p.st != atStatement:
		return p.sink.Damage(dump.Damage{Table: p.cur.Name, Row: p.cur.next, Offset: p.base + int64(len(p.buf)),
			Reason: "the file is cut: it ends between the rows of a statement"})
	case !p.complete:
		return p.sink.Damage(dump.Damage{Offset: p.base + int64(len(p.buf)),
			Reason: "the dump lacks its closing line: it may be cut"})
	}
	return nil
}

// rows reads rows as far as they go.
func (p *reader) rows() error {
	for {
		if p.pos >= len(p.buf) {
			return errMore
		}
		if c := p.buf[p.pos]; c == ' ' || c == '\n' || c == '\r' || c == '\t' {
			p.pos++
			continue
		}
		b := p.open()
		var fields []dump.Field
		var next int
		var err error
		if p.order == nil {
			fields, next, err = scanRow(p.buf, p.pos, b.Fields)
		} else {
			p.tmp, next, err = scanRow(p.buf, p.pos, p.tmp[:0])
			fields = p.reorder(b.Fields)
		}
		if err == nil && p.got(fields, b) != p.cells {
			err = fmt.Errorf("the row has %d cells where %d belong", p.got(fields, b), p.cells)
		}
		if err == errMore && !p.eof {
			return errMore
		}
		if err != nil {
			if err == errMore {
				err = errors.New("the file ends inside a row")
			}
			p.startDamage(p.pos, err.Error())
			return nil
		}
		b.Fields = fields
		b.Rows = append(b.Rows, dump.Row{Offset: p.base + int64(p.pos)})
		p.cur.next++
		p.pos = next
		// The common case, a comma and the next row, stays in this loop.
		switch q := p.buf[next:]; {
		case len(q) > 2 && q[0] == ',' && q[1] == '\n' && q[2] == '(':
			p.pos += 2
			p.lines = true
		case len(q) > 1 && q[0] == ',' && q[1] == '(':
			p.pos++
			p.lines = false
		default:
			p.st = afterRow
			return nil
		}
		if len(b.Fields) > maxFields {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
}

func (p *reader) got(fields []dump.Field, b *dump.Batch) int {
	if p.order == nil {
		return len(fields) - len(b.Fields)
	}
	return len(p.tmp)
}

// reorder puts the cells of p.tmp where their columns are; columns the statement does not
// name are null.
func (p *reader) reorder(fields []dump.Field) []dump.Field {
	n := len(fields)
	for range p.cur.Columns {
		fields = append(fields, dump.Field{})
	}
	for i, f := range p.tmp {
		if i < len(p.order) {
			fields[n+p.order[i]] = f
		}
	}
	return fields
}

// separator reads what stands between two rows or behind the last.
func (p *reader) separator() error {
	i := skipSpace(p.buf, p.pos)
	if i == len(p.buf) {
		return errMore
	}
	switch {
	case p.buf[i] == ',':
		j := skipSpace(p.buf, i+1)
		if j == len(p.buf) && !p.eof {
			return errMore
		}
		p.pos, p.st = j, atRow
	case p.buf[i] == ';':
		p.pos, p.st = i+1, atStatement
	case hasPrefixFold(p.buf[i:], "ON DUPLICATE KEY"):
		end, err := statementEnd(p.buf, i, ";")
		if err != nil {
			return err
		}
		p.pos, p.st = end, atStatement
	case len(p.buf)-i < len("ON DUPLICATE KEY") && !p.eof:
		return errMore
	default:
		p.startDamage(i, fmt.Sprintf("%q stands between two rows", clip(p.buf[i:])))
	}
	return nil
}

// open gives the batch the next row of the current table goes to.
func (p *reader) open() *dump.Batch {
	if p.batch == nil {
		p.batch = &dump.Batch{Table: p.cur.Table, FirstRow: p.cur.next}
		if guess := (len(p.buf) - p.pos) / 64; guess > 64 {
			p.batch.Rows = make([]dump.Row, 0, guess)
			p.batch.Fields = make([]dump.Field, 0, min(maxFields+maxFields/8, guess*len(p.cur.Columns)))
		}
	}
	return p.batch
}

// flush hands the batch to the sink.
func (p *reader) flush() error {
	b := p.batch
	p.batch = nil
	if b == nil || len(b.Rows) == 0 {
		return nil
	}
	b.Text = p.buf
	return p.sink.Rows(b)
}

// startDamage notes that buf[i:] cannot be read as what should stand there.
func (p *reader) startDamage(i int, reason string) {
	p.bad = damage{start: p.base + int64(i), reason: reason}
	if p.st != atStatement {
		p.bad.table = p.cur
		p.bad.row = p.cur.next
	}
	p.pos = min(i+1, len(p.buf))
	p.st = inDamage
}

// endDamage reports the damage up to buf[i].
func (p *reader) endDamage(i int) error {
	if err := p.flush(); err != nil { // rows before the damage come before it
		return err
	}
	d := dump.Damage{Offset: p.bad.start, Length: p.base + int64(i) - p.bad.start, Reason: p.bad.reason}
	if t := p.bad.table; t != nil {
		d.Table, d.Row, d.Rows = t.Name, p.bad.row, 1
		if from := p.bad.start - p.base; p.lines && from >= 0 {
			d.Rows += int64(bytes.Count(p.buf[from:i], []byte(",\n(")))
		}
		t.next += d.Rows
	}
	p.bad = damage{}
	return p.sink.Damage(d)
}

// resync looks for the next readable place.
func (p *reader) resync() error {
	for i := p.pos; ; i++ {
		j := bytes.IndexAny(p.buf[i:], "(\n")
		if j < 0 {
			p.pos = max(p.pos, len(p.buf)-1)
			return errMore
		}
		i += j
		if p.buf[i] == '\n' {
			switch startsStatement(p.buf[i+1:]) {
			case yes:
				err := p.endDamage(i + 1)
				p.pos, p.st = i+1, atStatement
				return err
			case maybe:
				if !p.eof {
					p.pos = i
					return errMore
				}
			}
			continue
		}
		if p.bad.table == nil || !p.behindComma(i) {
			continue
		}
		fields, next, err := scanRow(p.buf, i, p.tmp[:0])
		p.tmp = fields[:0]
		if err == errMore && !p.eof && len(p.buf)-i < p.opt.MaxRow {
			p.pos = i
			return errMore
		}
		if err == nil && len(fields) == p.cells && p.behindRow(next) {
			err := p.endDamage(i)
			p.pos, p.st = i, atRow
			return err
		}
	}
}

// behindComma reports whether the parenthesis at i follows a comma as a row's does.
func (p *reader) behindComma(i int) bool {
	if p.lines {
		return i >= 2 && p.buf[i-1] == '\n' && p.buf[i-2] == ','
	}
	k := i - 1
	for k >= 0 && (p.buf[k] == '\n' || p.buf[k] == '\r' || p.buf[k] == ' ') {
		k--
	}
	return k >= 1 && p.buf[k] == ',' && p.buf[k-1] == ')'
}

// behindRow reports whether what follows a row is what should.
func (p *reader) behindRow(i int) bool {
	i = skipSpace(p.buf, i)
	return i == len(p.buf) || p.buf[i] == ',' || p.buf[i] == ';'
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

func clip(b []byte) []byte { return b[:min(len(b), 40)] }
