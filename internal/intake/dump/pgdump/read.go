package pgdump

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

// Read reads a plain-text dump from r and hands what it finds to sink.
func Read(ctx context.Context, r io.Reader, sink dump.Sink, opt Options) error {
	p := newReader(ctx, sink, opt)
	p.src = r
	if err := p.run(); err != nil {
		return err
	}
	return p.end()
}

func newReader(ctx context.Context, sink dump.Sink, opt Options) *reader {
	if opt.Segment <= 0 {
		opt.Segment = 16 << 20
	}
	if opt.MaxRow <= 0 {
		opt.MaxRow = 128 << 20
	}
	opt.MaxRow = min(opt.MaxRow, dump.MaxSegment-opt.Segment)
	return &reader{ctx: ctx, sink: sink, opt: opt, tables: map[string]*table{}, std: true}
}

// state is where in the grammar the reader stands between two segments.
type state uint8

const (
	atStatement state = iota // a statement, comment or white space begins
	atCopy                   // a line of COPY data begins
	atRow                    // the parenthesis of an INSERT's row begins
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

	st       state
	tables   map[string]*table // by database, schema and name
	database string
	schema   string // of names that state none: search_path, in dumps older than 2018
	charset  dump.Charset
	std      bool // standard_conforming_strings
	complete bool // the closing comment was seen

	cur   *table
	order []int  // column of each cell; nil: as declared
	cells int    // how many cells each row of the current statement has
	lines bool   // rows of this INSERT stand one a line
	head  []byte // of the last INSERT, up to its first row: the next is likely the same
	batch *dump.Batch
	tmp   []raw

	bad damage // when inDamage
}

// table is a table and the ordinal its next row gets.
type table struct {
	*dump.Table
	database, schema, name string
	next                   int64
	named                  bool
}

type damage struct {
	start   int64
	table   *table
	row     int64
	copying bool // among COPY data: the next line is a row again
	reason  string
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
			return nil
		}
	}
}

// fill makes a new segment: what the last one left over, and new bytes behind it.
func (p *reader) fill() error {
	if len(p.buf)-p.pos > p.opt.MaxRow && p.st != inDamage {
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
		case atCopy:
			err = p.copyRows()
		case atRow:
			err = p.rows()
		case afterRow:
			err = p.separator()
		case inDamage:
			err = p.resync()
		}
		if err == errMore {
			if !p.eof || p.st == inDamage || p.pos >= len(p.buf) {
				return nil
			}
			// The file ends inside something. What lies behind its beginning may still be
			// readable: a lost quote swallows everything up to the end.
			what := "a statement"
			if p.st != atStatement {
				what = "a row"
			}
			p.startDamage(p.pos, "the file ends inside "+what)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end reports what the end of the file cuts off.
func (p *reader) end() error {
	at := p.base + int64(len(p.buf))
	st := p.st
	if err := p.endData(); err != nil {
		return err
	}
	if st == atStatement && !p.complete {
		return p.sink.Damage(dump.Damage{Offset: at, Reason: "the dump lacks its closing line: it may be cut"})
	}
	return nil
}

// endData reports what the end of the text cuts off, for a file and for an archive's block.
func (p *reader) endData() error {
	at := p.base + int64(len(p.buf))
	switch p.st {
	case inDamage:
		return p.endDamage(len(p.buf))
	case atCopy:
		return p.sink.Damage(dump.Damage{Table: p.cur.Name, Row: p.cur.next, Offset: at, Reason: "the data is cut: it ends inside the rows of a COPY"})
	case atRow, afterRow:
		return p.sink.Damage(dump.Damage{Table: p.cur.Name, Row: p.cur.next, Offset: at, Reason: "the data is cut: it ends between the rows of an INSERT"})
	}
	return nil
}

// open gives the batch the next row of the current table goes to.
func (p *reader) open() *dump.Batch {
	if p.batch == nil {
		p.batch = &dump.Batch{Table: p.cur.Table, FirstRow: p.cur.next}
		if guess := (len(p.buf) - p.pos) / 80; guess > 64 {
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

// add appends the row of p.tmp that begins at buf[start] to the batch. The cells' escapes are
// undone where they stand: nothing reads these bytes of the segment again.
func (p *reader) add(start int) {
	b := p.open()
	n := len(b.Fields)
	if p.order == nil {
		for i, c := range p.tmp {
			b.Fields = append(b.Fields, c.field(p.buf, p.cur.Columns[i].Kind == dump.Binary))
		}
	} else {
		for range p.cur.Columns {
			b.Fields = append(b.Fields, dump.Field{})
		}
		for i, c := range p.tmp {
			b.Fields[n+p.order[i]] = c.field(p.buf, p.cur.Columns[p.order[i]].Kind == dump.Binary)
		}
	}
	b.Rows = append(b.Rows, dump.Row{Offset: p.base + int64(start)})
	p.cur.next++
}

// startDamage notes that buf[i:] cannot be read as what should stand there.
func (p *reader) startDamage(i int, reason string) {
	p.bad = damage{start: p.base + int64(i), reason: reason}
	if p.st != atStatement {
		p.bad.table, p.bad.row, p.bad.copying = p.cur, p.cur.next, p.st == atCopy
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
			d.Rows += int64(bytes.Count(p.buf[from:i], []byte(",\n\t(")))
		}
		t.next += d.Rows
	}
	p.bad, p.st = damage{}, atStatement
	return p.sink.Damage(d)
}

// resync looks for the next readable place: the beginning of a line that begins a statement,
// or, among the rows of an INSERT, a row of the right number of cells behind a comma.
func (p *reader) resync() error {
	marks := "\n"
	if p.bad.table != nil && !p.bad.copying {
		marks = "\n("
	}
	for i := p.pos; ; i++ {
		j := bytes.IndexAny(p.buf[i:], marks)
		if j < 0 {
			p.pos = max(p.pos, len(p.buf)-1)
			return errMore
		}
		i += j
		if p.bad.copying {
			err := p.endDamage(i + 1)
			p.pos, p.st = i+1, atCopy
			return err
		}
		if p.buf[i] == '\n' {
			if len(p.buf)-i < 32 && !p.eof {
				p.pos = i
				return errMore
			}
			if beginsStatement(p.buf[i+1:]) {
				err := p.endDamage(i + 1)
				p.pos = i + 1
				return err
			}
			continue
		}
		if !behindComma(p.buf, i) {
			continue
		}
		cells, next, err := scanRow(p.buf, i, p.std, p.tmp[:0])
		p.tmp = cells[:0]
		if err == errMore && !p.eof && len(p.buf)-i < p.opt.MaxRow {
			p.pos = i
			return errMore
		}
		if err == nil && len(cells) == p.cells && behindRow(p.buf, next) {
			err := p.endDamage(i)
			p.pos, p.st = i, atRow
			return err
		}
	}
}

// behindComma reports whether the parenthesis at i follows a row and a comma.
func behindComma(b []byte, i int) bool {
	k := i - 1
	for k >= 0 && isSpace(b[k]) {
		k--
	}
	return k >= 1 && b[k] == ',' && b[k-1] == ')'
}

// behindRow reports whether what follows a row is what should.
func behindRow(b []byte, i int) bool {
	i = skipSpace(b, i)
	return i == len(b) || b[i] == ',' || b[i] == ';'
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

func clip(b []byte) []byte { return b[:min(len(b), 40)] }
