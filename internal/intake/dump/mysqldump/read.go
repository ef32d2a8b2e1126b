// Package mysqldump reads the SQL text that mysqldump, mariadb-dump, phpMyAdmin and Adminer write,
// as evidence: it never runs a statement, and gives every row the address at which it stands.
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
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/segment"
)

// Options bound a reading.
type Options = segment.Options

// Read reads a dump from r and hands what it finds to sink.
func Read(ctx context.Context, r io.Reader, sink dump.Sink, opt Options) error {
	p := &reader{tables: map[string]*table{}, names: map[string]bool{}, delimiter: ";"}
	p.Reader = segment.New(ctx, r, &doubter{sink, p}, opt)
	if err := p.Run(p.statements, p.tooLong); err != nil {
		return err
	}
	if err := p.end(); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(p.tables)) { // those without rows are there too
		if err := sink.Rows(&dump.Batch{Table: p.tables[key].Table, FirstRow: p.tables[key].next}); err != nil {
			return err
		}
	}
	return nil
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
	segment.Reader

	st        state
	tables    map[string]*table // by key
	names     map[string]bool   // of tables, as the source's tables are called
	database  string            // of the last USE
	charset   dump.Charset
	stated    bool // what the charset is
	doubted   bool // it is not stated and the text is not all UTF-8
	delimiter string
	complete  bool // the closing comment was seen

	cur   *table
	order []int // column of each cell of the current INSERT; nil: as declared
	lines bool  // rows of this dump stand one a line
	cells int   // how many cells each row of the current INSERT has
	tmp   []dump.Field

	bad      damage // when inDamage
	homeless int64  // damaged rows so far whose table is not known
}

// table is a table and the ordinal its next row gets.
type table struct {
	*dump.Table
	next int64
}

type damage struct {
	start  int64
	table  *table // of the rows that are looked for; nil: for a statement
	row    int64
	rows   int64  // without a table: rows that were passed over
	of     *table // theirs; nil: not known
	looked int64  // where to go on looking
	reason string
}

// tooLong gives up on a row without end, but keeps looking for the next one.
func (p *reader) tooLong(reason string) {
	if p.st != inDamage {
		p.startDamage(p.Pos, reason)
	}
}

// doubter remarks, once, that a dump which does not state its character set has text that is
// not UTF-8. Bytes of binary columns are not text.
type doubter struct {
	dump.Sink
	p *reader
}

func (d *doubter) Rows(b *dump.Batch) error {
	offset, doubtful := d.notUTF8(b) // the batch is the sink's afterwards
	if err := d.Sink.Rows(b); err != nil || !doubtful {
		return err
	}
	return d.doubt(offset)
}

// notUTF8 is where the first row with text that is not UTF-8 is, while there is no doubt yet.
func (d *doubter) notUTF8(b *dump.Batch) (offset int64, found bool) {
	if d.p.stated || d.p.doubted || len(b.Rows) == 0 || utf8.Valid(b.Text[b.Rows[0].Offset-d.p.Base:d.p.Pos]) {
		return 0, false
	}
	for i := range b.Rows {
		for j, f := range b.Cells(i) {
			if b.Table.Columns[j].Kind == dump.Text && f.Form() != dump.Hex && f.Form() != dump.Bits && !utf8.Valid(f.In(b.Text)) {
				return b.Rows[i].Offset, true
			}
		}
	}
	return 0, false
}

func (d *doubter) Statement(s dump.Statement) error {
	if err := d.Sink.Statement(s); err != nil || d.p.stated || d.p.doubted || utf8.Valid(s.Text) {
		return err
	}
	return d.doubt(s.Offset)
}

func (d *doubter) doubt(offset int64) error {
	d.p.doubted = true
	return d.Sink.Damage(dump.Damage{Offset: offset,
		Reason: "the dump does not say its character set (SET NAMES): it was read as UTF-8, and from here on not all of it is"})
}

// statements deals with the segment as far as it goes.
func (p *reader) statements() error {
	for p.Pos < len(p.Buf) {
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
		if err == segment.ErrMore {
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
	left := int64(len(p.Buf) - p.Pos)
	switch {
	case p.st == inDamage:
		return p.endDamage(len(p.Buf))
	case left > 0 && p.st == atRow:
		p.startDamage(p.Pos, "the file ends inside a row")
		return p.endDamage(len(p.Buf))
	case left > 0 && len(bytes.TrimSpace(p.Buf[p.Pos:])) > 0:
		p.cur, p.st = nil, atStatement // of no row
		p.startDamage(p.Pos, "the file ends inside a statement")
		return p.endDamage(len(p.Buf))
	case p.st != atStatement:
		return p.Sink.Damage(dump.Damage{Table: p.cur.Name, Row: p.cur.next, Offset: p.Base + int64(len(p.Buf)),
			Reason: "the file is cut: it ends between the rows of a statement"})
	case !p.complete:
		return p.Sink.Damage(dump.Damage{Offset: p.Base + int64(len(p.Buf)),
			Reason: "the dump lacks its closing line: it may be cut"})
	}
	return nil
}

// rows reads rows as far as they go.
func (p *reader) rows() error {
	for {
		if p.Pos >= len(p.Buf) {
			return segment.ErrMore
		}
		if c := p.Buf[p.Pos]; c == ' ' || c == '\n' || c == '\r' || c == '\t' {
			p.Pos++
			continue
		}
		b := p.Open(p.cur.Table, p.cur.next, 64)
		var fields []dump.Field
		var next int
		var err error
		if p.order == nil {
			fields, next, err = scanRow(p.Buf, p.Pos, b.Fields)
		} else {
			p.tmp, next, err = scanRow(p.Buf, p.Pos, p.tmp[:0])
			fields = p.reorder(b.Fields)
		}
		if err == nil && p.got(fields, b) != p.cells {
			err = fmt.Errorf("the row has %d cells where %d belong", p.got(fields, b), p.cells)
		}
		if err == segment.ErrMore && !p.EOF {
			return segment.ErrMore
		}
		if err != nil {
			if err == segment.ErrMore {
				err = errors.New("the file ends inside a row")
			}
			p.startDamage(p.Pos, err.Error())
			return nil
		}
		b.Fields = fields
		b.Rows = append(b.Rows, dump.Row{Offset: p.Base + int64(p.Pos)})
		p.cur.next++
		p.Pos = next
		// The common case, a comma and the next row, stays in this loop.
		switch q := p.Buf[next:]; {
		case len(q) > 2 && q[0] == ',' && q[1] == '\n' && q[2] == '(':
			p.Pos += 2
			p.lines = true
		case len(q) > 1 && q[0] == ',' && q[1] == '(':
			p.Pos++
			p.lines = false
		default:
			p.st = afterRow
			return nil
		}
		if len(b.Fields) > segment.MaxFields {
			if err := p.Flush(); err != nil {
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
	i := segment.SkipSpace(p.Buf, p.Pos)
	if i == len(p.Buf) {
		return segment.ErrMore
	}
	switch {
	case p.Buf[i] == ',':
		j := segment.SkipSpace(p.Buf, i+1)
		if j == len(p.Buf) && !p.EOF {
			return segment.ErrMore
		}
		p.Pos, p.st = j, atRow
	case p.Buf[i] == ';':
		p.Pos, p.st = i+1, atStatement
	case segment.HasPrefixFold(p.Buf[i:], "ON DUPLICATE KEY"):
		end, err := statementEnd(p.Buf, i, ";")
		if err != nil {
			return err
		}
		p.Pos, p.st = end, atStatement
	case len(p.Buf)-i < len("ON DUPLICATE KEY") && !p.EOF:
		return segment.ErrMore
	default:
		p.startDamage(i, fmt.Sprintf("%q stands between two rows", segment.Clip(p.Buf[i:])))
	}
	return nil
}

// startDamage notes that buf[i:] cannot be read as what should stand there.
func (p *reader) startDamage(i int, reason string) {
	p.bad = damage{start: p.Base + int64(i), reason: reason}
	if p.st != atStatement {
		p.bad.table = p.cur
		p.bad.row = p.cur.next
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
			d.Rows += int64(bytes.Count(p.Buf[from:i], []byte(",\n(")))
		}
		t.next += d.Rows
	} else if d.Rows = p.bad.rows; d.Rows > 0 && p.bad.of != nil {
		d.Table, d.Row = p.bad.of.Name, p.bad.of.next
		p.bad.of.next += d.Rows
	} else if d.Rows > 0 {
		d.Row = p.homeless + 1
		d.Reason += "; which table its rows are of is not known"
		p.homeless += d.Rows
	}
	p.bad = damage{}
	return p.Sink.Damage(d)
}

// resync looks for the next readable place.
func (p *reader) resync() error {
	more := func(i int) error { // from i on, with what stands before it
		p.bad.looked = p.Base + int64(i)
		p.Pos = max(p.Pos, i-64)
		return segment.ErrMore
	}
	for i := max(p.Pos, int(p.bad.looked-p.Base)); ; i++ {
		j := bytes.IndexAny(p.Buf[i:], "(\n")
		if j < 0 {
			return more(len(p.Buf))
		}
		i += j
		if p.Buf[i] == '\n' {
			switch startsStatement(p.Buf[i+1:]) {
			case yes:
				err := p.endDamage(i + 1)
				p.Pos, p.st = i+1, atStatement
				return err
			case maybe:
				if !p.EOF {
					return more(i)
				}
			}
			continue
		}
		if p.bad.table == nil && !p.behindWord(i) || p.bad.table != nil && !p.behindComma(i) {
			continue
		}
		fields, next, err := scanRow(p.Buf, i, p.tmp[:0])
		p.tmp = fields[:0]
		if err == segment.ErrMore && !p.EOF && len(p.Buf)-i < p.Opt.MaxRow {
			return more(i)
		}
		if p.bad.table == nil {
			// A row of an INSERT whose head cannot be read: it is counted.
			if err == nil && next+64 > len(p.Buf) && !p.EOF {
				return more(i)
			}
			if err == nil && p.beforeRow(next) {
				p.bad.rows++
				i = next - 1
			}
			continue
		}
		if err == nil && len(fields) == p.cells && segment.BehindRow(p.Buf, next) {
			err := p.endDamage(i)
			p.Pos, p.st = i, atRow
			return err
		}
	}
}

// behindWord reports whether the parenthesis at i follows VALUES, or a row and a comma, for all
// that can be told where that word may be damaged.
func (p *reader) behindWord(i int) bool {
	k := i - 1
	for k >= 0 && segment.IsSpace(p.Buf[k]) {
		k--
	}
	return k >= 0 && (isLetter(p.Buf[k]) || segment.BehindComma(p.Buf, i))
}

// beforeRow reports whether another row follows the one that ends at i, or the statement's end.
func (p *reader) beforeRow(i int) bool {
	i = segment.SkipSpace(p.Buf, i)
	if i == len(p.Buf) || p.Buf[i] == ';' || segment.HasPrefixFold(p.Buf[i:], "ON DUPLICATE KEY") {
		return true
	}
	j := segment.SkipSpace(p.Buf, i+1)
	return p.Buf[i] == ',' && (j == len(p.Buf) || p.Buf[j] == '(')
}

// behindComma reports whether the parenthesis at i follows a comma as a row's does.
func (p *reader) behindComma(i int) bool {
	if p.lines {
		return i >= 2 && p.Buf[i-1] == '\n' && p.Buf[i-2] == ','
	}
	return segment.BehindComma(p.Buf, i)
}
