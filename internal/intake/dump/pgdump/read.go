package pgdump

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/segment"
)

// Options bound a reading.
type Options = segment.Options

// Read reads a plain-text dump from r and hands what it finds to sink.
func Read(ctx context.Context, r io.Reader, sink dump.Sink, opt Options) error {
	p := newReader(ctx, r, sink, opt)
	if err := p.run(); err != nil {
		return err
	}
	return p.end()
}

func newReader(ctx context.Context, r io.Reader, sink dump.Sink, opt Options) *reader {
	return &reader{Reader: segment.New(ctx, r, sink, opt), tables: map[string]*table{}, std: true}
}

func (p *reader) run() error { return p.Run(p.scan, p.tooLong) }

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
	segment.Reader

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
	tmp   []raw

	bad      damage // when inDamage
	homeless int64  // damaged rows so far whose table is not known
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
	table   *table // of the rows that are looked for; nil: for a statement
	row     int64
	copying bool  // among COPY data: the next line is a row again
	looked  int64 // where to go on looking
	reason  string

	others int64 // rows that were passed over because they have another number of cells
	lost   lost  // rows of which there is no head
}

// tooLong gives up on a row without end, but keeps looking for the next one.
func (p *reader) tooLong(reason string) {
	if p.st != inDamage {
		p.startDamage(p.Pos, reason)
	}
}

// scan deals with the segment as far as it goes.
func (p *reader) scan() error {
	for p.Pos < len(p.Buf) {
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
		if err == segment.ErrMore {
			if !p.EOF || p.st == inDamage || p.Pos >= len(p.Buf) {
				return nil
			}
			// The file ends inside something. What lies behind its beginning may still be
			// readable: a lost quote swallows everything up to the end.
			what := "a statement"
			if p.st != atStatement {
				what = "a row"
			}
			p.startDamage(p.Pos, "the file ends inside "+what)
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
	at := p.Base + int64(len(p.Buf))
	st := p.st
	if err := p.endData(); err != nil {
		return err
	}
	if st == atStatement && !p.complete {
		if err := p.Sink.Damage(dump.Damage{Offset: at, Reason: "the dump lacks its closing line: it may be cut"}); err != nil {
			return err
		}
	}
	return p.all()
}

// all hands on every table, for those that have no rows are there too.
func (p *reader) all() error {
	for _, key := range slices.Sorted(maps.Keys(p.tables)) {
		t := p.tables[key]
		if len(t.Columns) == 0 { // its COPY would have named them
			continue
		}
		p.name(t)
		if err := p.Sink.Rows(&dump.Batch{Table: t.Table, FirstRow: t.next}); err != nil {
			return err
		}
	}
	return nil
}

// endData reports what the end of the text cuts off, for a file and for an archive's block.
func (p *reader) endData() error {
	at := p.Base + int64(len(p.Buf))
	switch p.st {
	case inDamage:
		return p.endDamage(len(p.Buf))
	case atCopy:
		return p.Sink.Damage(dump.Damage{Table: p.cur.Name, Row: p.cur.next, Offset: at, Reason: "the data is cut: it ends inside the rows of a COPY"})
	case atRow, afterRow:
		return p.Sink.Damage(dump.Damage{Table: p.cur.Name, Row: p.cur.next, Offset: at, Reason: "the data is cut: it ends between the rows of an INSERT"})
	}
	return nil
}

// add appends the row of p.tmp that begins at buf[start] to the batch. The cells' escapes are
// undone where they stand: nothing reads these bytes of the segment again.
func (p *reader) add(start int) {
	b := p.Open(p.cur.Table, p.cur.next, 80)
	n := len(b.Fields)
	if p.order == nil {
		for i, c := range p.tmp {
			b.Fields = append(b.Fields, c.field(p.Buf, p.cur.Columns[i].Kind == dump.Binary))
		}
	} else {
		for range p.cur.Columns {
			b.Fields = append(b.Fields, dump.Field{})
		}
		for i, c := range p.tmp {
			b.Fields[n+p.order[i]] = c.field(p.Buf, p.cur.Columns[p.order[i]].Kind == dump.Binary)
		}
	}
	b.Rows = append(b.Rows, dump.Row{Offset: p.Base + int64(start)})
	p.cur.next++
}

// startDamage notes that buf[i:] cannot be read as what should stand there.
func (p *reader) startDamage(i int, reason string) {
	p.bad = damage{start: p.Base + int64(i), reason: reason}
	if p.st != atStatement {
		p.bad.table, p.bad.row, p.bad.copying = p.cur, p.cur.next, p.st == atCopy
	}
	p.Pos = min(i+1, len(p.Buf))
	p.st = inDamage
}

// endDamage reports the damage up to buf[i].
func (p *reader) endDamage(i int) error {
	if err := p.Flush(); err != nil { // rows before the damage come before it
		return err
	}
	d := dump.Damage{Offset: p.bad.start, Length: p.Base + int64(i) - p.bad.start, Reason: p.bad.reason}
	if t := p.bad.table; t != nil {
		d.Table, d.Row, d.Rows = t.Name, p.bad.row, 1
		if from := p.bad.start - p.Base; p.lines && from >= 0 {
			d.Rows += int64(bytes.Count(p.Buf[from:i], []byte(",\n\t(")))
		} else {
			d.Rows += p.bad.others
		}
		t.next += d.Rows
	} else {
		p.countLost(&d)
	}
	p.bad, p.st = damage{}, atStatement
	return p.Sink.Damage(d)
}

// resync looks for the next readable place: the beginning of a line that begins a statement,
// or, among the rows of an INSERT, a row of the right number of cells behind a comma.
func (p *reader) resync() error {
	if p.bad.lost.kind == lostCopy {
		return p.lostLines()
	}
	marks := "\n"
	if p.bad.table != nil && !p.bad.copying || p.bad.lost.kind == lostInsert {
		marks = "\n("
	}
	more := func(i int) error { // from i on, with what stands before it
		p.bad.looked = p.Base + int64(i)
		p.Pos = max(p.Pos, i-64)
		return segment.ErrMore
	}
	for i := max(p.Pos, int(p.bad.looked-p.Base)); ; i++ {
		j := bytes.IndexAny(p.Buf[i:], marks)
		if j < 0 {
			return more(len(p.Buf))
		}
		i += j
		if p.bad.copying {
			err := p.endDamage(i + 1)
			p.Pos, p.st = i+1, atCopy
			return err
		}
		if p.Buf[i] == '\n' {
			if len(p.Buf)-i < 32 && !p.EOF {
				return more(i)
			}
			if beginsStatement(p.Buf[i+1:]) {
				err := p.endDamage(i + 1)
				p.Pos = i + 1
				return err
			}
			continue
		}
		if p.bad.lost.kind == lostInsert {
			next, err := p.lostRow(i)
			if err != nil {
				return more(i)
			}
			i = next
			continue
		}
		if !segment.BehindComma(p.Buf, i) {
			continue
		}
		cells, next, err := scanRow(p.Buf, i, p.std, p.tmp[:0])
		p.tmp = cells[:0]
		if err == segment.ErrMore && !p.EOF && len(p.Buf)-i < p.Opt.MaxRow {
			return more(i)
		}
		if err == nil && next+32 > len(p.Buf) && !p.EOF {
			return more(i)
		}
		if err != nil || !behindRow(p.Buf, next) {
			continue
		}
		if len(cells) == p.cells {
			err := p.endDamage(i)
			p.Pos, p.st = i, atRow
			return err
		}
		p.bad.others++
		i = next - 1
	}
}
