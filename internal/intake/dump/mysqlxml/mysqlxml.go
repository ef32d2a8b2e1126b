// Package mysqlxml reads what mysqldump --xml writes: table_structure elements, and
// table_data elements with a row element for each row and a field element for each cell.
//
// It is a scanner for just this shape and no XML parser: mysqldump writes the bytes of blobs
// and NUL characters as they are, which no XML parser accepts, and a parser stops at the
// first such byte. Since mysqldump escapes every < in a value, a row ends where </row>
// stands, whatever lies between. Entities are decoded, xsi:nil is NULL, xs:hexBinary (with
// --hex-blob) is hexadecimal.
//
// Types are those of the table's structure, read by package mysqldump; columns of a table
// without a structure are its first row's, as text. Structures, triggers, routines and events
// are handed on as text. A table that two databases of a dump have is database.table the
// second time.
//
// An offset is that of a row's <row>. The text of a row read again is its element, behind
// which stand decoded the cells that hold entities. A row that cannot be read, of which the
// end or a field is missing, is damage up to the next row.
//
// Reading order: mysqlxml.go (segments and elements), row.go (fields, one row again).
package mysqlxml

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/mysqldump"
)

// Format is the reader of mysqldump --xml. It must be asked before readers that go by names.
func Format() dump.Format {
	return dump.Format{
		Name: "mysqlxml", Version: "2", About: "XML dump of a MySQL or MariaDB database (mysqldump --xml)",
		Match: func(_ string, head []byte) bool { return bytes.Contains(head, []byte("<mysqldump")) },
		Stream: func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
			return Read(ctx, r, sink, Options{})
		},
		Row: func(_ context.Context, src dump.Sealed, _ string, _, offset int64) (dump.Found, error) {
			return findRow(src.At, offset)
		},
	}
}

// Options bound a reading.
type Options struct {
	Segment int // bytes read at a time; 0: 16 MiB
	MaxRow  int // longest row or statement; 0: 128 MiB
}

const maxFields = 1 << 22 // of one batch

// errMore is returned by scanners that reach the end of the segment.
var errMore = errors.New("segment ends")

// Read reads a dump from r and hands what it finds to sink.
func Read(ctx context.Context, r io.Reader, sink dump.Sink, opt Options) error {
	if opt.Segment <= 0 {
		opt.Segment = 16 << 20
	}
	if opt.MaxRow <= 0 {
		opt.MaxRow = 128 << 20
	}
	opt.MaxRow = min(opt.MaxRow, dump.MaxSegment-opt.Segment)
	p := &reader{ctx: ctx, sink: sink, tables: map[string]*table{}}
	for !p.eof {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(p.buf)-p.pos > opt.MaxRow && !p.damaged {
			p.startDamage(fmt.Sprintf("an element is longer than %d bytes", opt.MaxRow))
		}
		left := p.buf[p.pos:]
		buf := make([]byte, len(left), len(left)+max(opt.Segment, len(left)))
		copy(buf, left)
		p.base += int64(p.pos)
		p.pos = 0
		n, err := io.ReadFull(r, buf[len(left):cap(buf)])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			p.eof = true
		} else if err != nil {
			return err
		}
		p.buf = buf[:len(left)+n]
		if err := p.segment(); err != nil {
			return err
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
	return p.end()
}

type reader struct {
	ctx  context.Context
	sink dump.Sink

	buf  []byte // the segment
	base int64  // source offset of buf[0]
	pos  int    // everything before it in buf is dealt with
	eof  bool

	tables   map[string]*table // by database and name
	database string
	cur      *table // inside its table_data; nil outside
	complete bool   // the closing tag was seen
	batch    *dump.Batch
	tmp      []cell

	damaged bool // looking for the next readable place
	from    int64
	reason  string
	rows    int64 // ends of rows in the damage so far
}

// table is a table and the ordinal its next row gets.
type table struct {
	*dump.Table
	next  int64
	named bool
	view  bool // its options name no engine
}

func (p *reader) segment() error {
	for p.pos < len(p.buf) {
		err := p.element()
		if err == errMore {
			if !p.eof || p.damaged {
				return nil
			}
			if len(bytes.TrimSpace(p.buf[p.pos:])) == 0 {
				return nil
			}
			p.startDamage("the file ends inside an element")
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// element deals with the element, tag or white space at p.pos.
func (p *reader) element() error {
	if p.damaged {
		return p.resync()
	}
	b := p.buf
	for p.pos < len(b) && isSpace(b[p.pos]) {
		p.pos++
	}
	rest := b[p.pos:]
	if len(rest) < 24 && !p.eof || len(rest) == 0 {
		return errMore
	}
	if p.cur != nil && bytes.HasPrefix(rest, []byte("<row>")) {
		return p.row()
	}
	for _, name := range []string{"table_structure", "triggers", "routines", "events"} {
		if opens(rest, name) {
			return p.statement(name)
		}
	}
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		return p.skip("-->")
	case bytes.HasPrefix(rest, []byte("<?")):
		return p.skip("?>")
	case opens(rest, "mysqldump"), bytes.HasPrefix(rest, []byte("</database>")), opens(rest, "options"):
		return p.skip(">")
	case bytes.HasPrefix(rest, []byte("</mysqldump>")):
		p.complete = true
		return p.skip(">")
	case opens(rest, "database"):
		end := bytes.IndexByte(rest, '>')
		if end < 0 {
			return errMore
		}
		p.database = attribute(rest[:end], "name")
		p.pos += end + 1
		return nil
	case opens(rest, "table_data"):
		end := bytes.IndexByte(rest, '>')
		if end < 0 {
			return errMore
		}
		if err := p.flush(); err != nil {
			return err
		}
		p.cur = p.tableOf(attribute(rest[:end], "name"))
		if rest[end-1] == '/' {
			p.cur = nil
		}
		p.pos += end + 1
		return nil
	case bytes.HasPrefix(rest, []byte("</table_data>")):
		if err := p.flush(); err != nil {
			return err
		}
		p.cur = nil
		return p.skip(">")
	}
	p.startDamage(fmt.Sprintf("%q is no element that belongs here", rest[:min(len(rest), 40)]))
	return nil
}

// opens tells whether b begins with the tag that opens an element.
func opens(b []byte, name string) bool {
	n := len(name) + 1
	return len(b) > n && b[0] == '<' && string(b[1:n]) == name && (isSpace(b[n]) || b[n] == '>' || b[n] == '/')
}

func (p *reader) skip(to string) error {
	j := bytes.Index(p.buf[p.pos:], []byte(to))
	if j < 0 {
		return errMore
	}
	p.pos += j + len(to)
	return nil
}

// statement hands an element on as text; a structure defines its table too.
func (p *reader) statement(name string) error {
	rest := p.buf[p.pos:]
	end := bytes.IndexByte(rest, '>')
	if end < 0 {
		return errMore
	}
	if rest[end-1] != '/' {
		closing := "</" + name + ">"
		j := bytes.Index(rest, []byte(closing))
		if j < 0 {
			return errMore
		}
		end = j + len(closing) - 1
	}
	text := rest[:end+1]
	if k := bytes.Index(text, []byte("<row>")); k >= 0 && name == "table_structure" {
		p.startDamage("the end of a table's structure is missing")
		return nil
	}
	offset := p.base + int64(p.pos)
	p.pos += end + 1
	if name == "table_structure" {
		if err := p.define(text); err != nil {
			if err := p.sink.Damage(dump.Damage{Offset: offset, Length: int64(len(text)), Reason: "table definition: " + err.Error()}); err != nil {
				return err
			}
		}
	}
	return p.sink.Statement(dump.Statement{Offset: offset, Text: text})
}

// tableOf gives the table of the current database that is so called.
func (p *reader) tableOf(name string) *table {
	key := p.database + "\x00" + name
	t := p.tables[key]
	if t == nil {
		t = &table{Table: &dump.Table{}, next: 1}
		p.tables[key] = t
	}
	if !t.named {
		t.named, t.Name = true, name
		for k, o := range p.tables {
			if k != key && o.named && o.Name == name {
				t.Name = p.database + "." + name
			}
		}
	}
	return t
}

// define notes the columns of a structure: package mysqldump reads the CREATE TABLE that says
// the same.
func (p *reader) define(text []byte) error {
	end := bytes.IndexByte(text, '>')
	name := attribute(text[:end], "name")
	var create, nulls strings.Builder
	for rest := text[end:]; ; {
		i := bytes.Index(rest, []byte("<field "))
		if i < 0 {
			break
		}
		rest = rest[i:]
		j := bytes.IndexByte(rest, '>')
		if j < 0 {
			break
		}
		tag := rest[:j]
		rest = rest[j:]
		if create.Len() > 0 {
			create.WriteString(", ")
			nulls.WriteString(",")
		}
		fmt.Fprintf(&create, "`%s` %s", strings.ReplaceAll(attribute(tag, "Field"), "`", "``"), attribute(tag, "Type"))
		nulls.WriteString("NULL")
	}
	key := p.database + "\x00" + name
	if old := p.tables[key]; old != nil && (old.next > 1 || len(old.Columns) > 0) || create.Len() == 0 {
		return nil
	}
	var taker definition
	sql := "CREATE TABLE `t` (" + create.String() + ");\nINSERT INTO `t` VALUES (" + nulls.String() + ");\n-- Dump completed\n"
	if err := mysqldump.Read(p.ctx, strings.NewReader(sql), &taker, mysqldump.Options{Segment: len(sql)}); err != nil {
		return err
	}
	if taker.table == nil {
		return fmt.Errorf("the columns of %q cannot be read", name)
	}
	p.tables[key] = &table{Table: &dump.Table{Columns: taker.table.Columns}, next: 1, view: !bytes.Contains(text, []byte(` Engine="`))}
	return nil
}

// definition is a sink that keeps the table.
type definition struct{ table *dump.Table }

func (d *definition) Rows(b *dump.Batch) error       { d.table = b.Table; return nil }
func (d *definition) Damage(dump.Damage) error       { return nil }
func (d *definition) Statement(dump.Statement) error { return nil }

// startDamage notes that what stands at p.pos cannot be read.
func (p *reader) startDamage(reason string) {
	p.damaged, p.from, p.reason, p.rows = true, p.base+int64(p.pos), reason, 0
	p.pos++
}

// resync looks for the next tag that begins something readable.
func (p *reader) resync() error {
	for {
		j := bytes.IndexByte(p.buf[p.pos:], '<')
		if j < 0 {
			p.pos = len(p.buf)
			return errMore
		}
		p.pos += j
		rest := p.buf[p.pos:]
		if len(rest) < 24 && !p.eof {
			return errMore
		}
		switch {
		case p.cur != nil && (bytes.HasPrefix(rest, []byte("<row>")) || bytes.HasPrefix(rest, []byte("</table_data>"))),
			opens(rest, "table_data"), opens(rest, "table_structure"), opens(rest, "database"), opens(rest, "triggers"),
			opens(rest, "routines"), opens(rest, "events"), bytes.HasPrefix(rest, []byte("</database>")), bytes.HasPrefix(rest, []byte("</mysqldump>")):
			return p.endDamage()
		case bytes.HasPrefix(rest, []byte("</row>")):
			p.rows++
		}
		p.pos++
	}
}

// endDamage reports the damage up to p.pos.
func (p *reader) endDamage() error {
	p.damaged = false
	if err := p.flush(); err != nil {
		return err
	}
	d := dump.Damage{Offset: p.from, Length: p.base + int64(p.pos) - p.from, Reason: p.reason}
	if p.cur != nil {
		d.Table, d.Row, d.Rows = p.cur.Name, p.cur.next, max(p.rows, 1)
		p.cur.next += d.Rows
	}
	return p.sink.Damage(d)
}

// end reports what the end of the file cuts off.
func (p *reader) end() error {
	if p.damaged {
		p.pos = len(p.buf)
		if err := p.endDamage(); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.tables)) { // those without rows are there too
		if t := p.tables[key]; t.view || len(t.Columns) == 0 {
			continue
		}
		database, name, _ := strings.Cut(key, "\x00")
		p.database = database
		t := p.tableOf(name)
		if err := p.sink.Rows(&dump.Batch{Table: t.Table, FirstRow: t.next}); err != nil {
			return err
		}
	}
	if p.complete {
		return nil
	}
	d := dump.Damage{Offset: p.base + int64(len(p.buf)), Reason: "the dump lacks its closing tag: it is cut"}
	if p.cur != nil {
		d.Table, d.Row = p.cur.Name, p.cur.next
	}
	return p.sink.Damage(d)
}

func (p *reader) flush() error {
	b := p.batch
	if p.batch = nil; b == nil || len(b.Rows) == 0 {
		return nil
	}
	b.Text = p.buf
	return p.sink.Rows(b)
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
