package mysqltab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/mysqldump"
)

// beside is the ending of the file that has the table's definition.
const beside = ".sql"

// maxDefinition is how large that file may be, in bytes: with its triggers.
const maxDefinition = 16 << 20

// errRows ends the reading of a file that has rows.
var errRows = errors.New("it has rows of its own")

// definer is a sink that keeps what a file defines.
type definer struct {
	tables  []*dump.Table
	defined *mysqldump.Definition
}

func (d *definer) Rows(b *dump.Batch) error {
	if len(b.Rows) > 0 {
		return errRows
	}
	d.tables = append(d.tables, b.Table)
	return nil
}

func (d *definer) Damage(dump.Damage) error { return nil } // said of that file, which is a source too

func (d *definer) Statement(s dump.Statement) error {
	if t := mysqldump.ParseDefinition(s.Text); t != nil {
		d.defined = t
	}
	return nil
}

// define reads the one table that a file defines, and how its rows are laid out. why says why
// there is none; an error is the machine's.
func define(ctx context.Context, path string) (l layout, remarks []string, why string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return l, nil, "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return l, nil, "", err
	}
	if info.Size() > maxDefinition {
		return l, nil, fmt.Sprintf("it has more than %d bytes", maxDefinition), nil
	}
	var d definer
	err = mysqldump.Read(ctx, f, &d, mysqldump.Options{Segment: 1 << 20, MaxRow: maxDefinition})
	switch {
	case errors.Is(err, errRows):
		return l, nil, errRows.Error(), nil
	case err != nil:
		return l, nil, "", err
	case len(d.tables) != 1 || d.defined == nil:
		return l, nil, fmt.Sprintf("it defines %d tables and not one", len(d.tables)), nil
	case len(d.defined.Columns) != len(d.tables[0].Columns):
		return l, nil, "it defines one table in several ways", nil
	}
	t := d.tables[0]
	n := len(t.Columns)
	l = layout{n: n, bits: make([]int, n), table: &dump.Table{Name: t.Name, Key: t.Key, Columns: t.Columns}, others: make([]dump.Charset, n)}
	l.stated = t.Charset == "latin1" || t.Charset == "cp1251" || t.Charset == "gbk"
	for i, c := range t.Columns {
		bits := d.defined.Bits[i]
		l.bits[i], l.exact = (bits+7)/8, l.exact || bits > 0
		if c.Kind != dump.Text {
			continue
		}
		if l.others[i] = t.Charset; l.stated {
			continue
		}
		if l.others[i], err = dump.ParseCharset(d.defined.Charsets[i]); err != nil {
			remarks = append(remarks, fmt.Sprintf("column %q: %v; read as UTF-8", c.Name, err))
		}
		if c := l.others[i]; c == "utf8mb4" || c == "binary" {
			l.others[i] = ""
		}
	}
	return l, remarks, "", nil
}

// layout is how the cells of a row are told apart.
type layout struct {
	n     int    // how many a row has
	exact bool   // cells are told apart by what their columns are, not by tabs and line ends alone
	bits  []int  // of each column declared BIT, its bytes; 0: it is none. Nil: not known
	gbk   []bool // columns of text in GBK, in which the second byte of a character may be a backslash; nil: none

	table  *dump.Table
	others []dump.Charset // that columns of text may be in, or are (stated); nil: there is no definition
	stated bool
}

// inOthers is the layout of rows whose text is in those character sets.
func (l layout) inOthers() layout {
	if slices.Contains(l.others, "gbk") {
		l.exact, l.gbk = true, make([]bool, l.n)
		for i, c := range l.others {
			l.gbk[i] = c == "gbk"
		}
	}
	return l
}

// layoutOf tells how the rows of a source are laid out, by the definition in the file sql if
// there is one that fits. remarks say why there is none, and what cannot be decoded. For a row
// that is read again, character sets are told only where they tell its cells apart.
func layoutOf(ctx context.Context, src io.ReaderAt, name, sql string, again bool) (l layout, remarks []string, err error) {
	head := make([]byte, look)
	n, err := src.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return l, nil, err
	}
	head = head[:n]
	var unused []string
	if sql != "" {
		d, remarks, why, err := define(ctx, sql)
		if err != nil {
			return l, nil, err
		}
		if why == "" {
			fits, err := d.fits(src, head)
			if err != nil {
				return l, nil, err
			}
			if !fits {
				why = fmt.Sprintf("its table %q has %d columns and the rows here have not", d.table.Name, d.n)
			}
		}
		if why == "" {
			if !sameName(name, d.table.Name) {
				remarks = append(remarks, fmt.Sprintf("the columns are those of table %q, which the %s file beside this one defines under another name", d.table.Name, beside))
			}
			l, err = d.decode(ctx, src, again)
			return l, remarks, err
		}
		unused = []string{fmt.Sprintf("the %s file beside this one does not say what its columns are: %s", beside, why)}
	}
	l = layout{n: usual(head), table: &dump.Table{Name: name}}
	for i := range l.n {
		l.table.Columns = append(l.table.Columns, dump.Column{Name: fmt.Sprintf("c%d", i+1), Kind: dump.Text, Declared: "unknown"})
	}
	return l, unused, nil
}

// sameName reports whether a file is called as its table is. In the names that a server gives
// its files, characters that are no letters of English stand behind an @.
func sameName(file, table string) bool {
	return strings.EqualFold(file, table) || strings.Contains(file, "@")
}

// fits reports whether at least half of the first rows have as many cells as the definition.
// head is the beginning of the source; more is read where it holds no whole row.
func (l layout) fits(src io.ReaderAt, head []byte) (bool, error) {
	eof, others := len(head) < look, l.inOthers()
	for {
		good, bad := l.count(head, eof)
		good2, bad2 := others.count(head, eof)
		if none := good+bad+good2+bad2 == 0; !none || eof || len(head) > longRow {
			return none || good > 0 && good >= bad || good2 > 0 && good2 >= bad2, nil
		}
		head = make([]byte, 8*len(head))
		n, err := src.ReadAt(head, 0)
		if err != nil && err != io.EOF {
			return false, err
		}
		head, eof = head[:n], err == io.EOF
	}
}

// longRow is how far a source is read for its first row.
const longRow = 16 << 20

// count counts the whole rows that have as many cells as the definition, and those that have not.
func (l layout) count(head []byte, eof bool) (good, bad int) {
	var cells []cell
	for i := 0; i < len(head); {
		var end int
		var ok bool
		if cells, end, ok = l.row(head, i, eof, cells[:0]); !ok {
			break
		}
		if len(cells) == l.n {
			good++
		} else {
			bad++
		}
		i = end + 1
	}
	return good, bad
}

// decode tells in which character sets the text is, notes it at the columns, and gives the
// layout that follows.
//
// A dump with SET NAMES latin1 (mysqldump --default-character-set) has all its text in that.
// SET NAMES utf8mb4 says either of two things: without that option the server writes each
// column's text in the column's own character set; with it, in UTF-8. Then most of the text of
// the columns that are declared to have another one decides.
func (l layout) decode(ctx context.Context, src io.ReaderAt, again bool) (layout, error) {
	others := l.inOthers()
	if !slices.ContainsFunc(l.others, func(c dump.Charset) bool { return c != "" }) || again && others.gbk == nil {
		return l, nil
	}
	if !l.stated {
		v := &voter{others: l.others}
		if err := read(ctx, io.NewSectionReader(src, 0, 1<<63-1), v, &others, Options{Segment: 1 << 20}); err != nil && err != errDecided {
			return l, err
		}
		if v.utf8 > v.other {
			return l, nil
		}
	}
	for i, c := range l.others {
		l.table.Columns[i].Charset = c
	}
	return others, nil
}

// voter is a sink that counts which text of some columns is UTF-8 and which is not, as long as
// it is not ASCII.
type voter struct {
	others      []dump.Charset
	utf8, other int
}

// errDecided ends a count.
var errDecided = errors.New("decided")

// votes are enough.
const votes = 1000

func (v *voter) Rows(b *dump.Batch) error {
	for i := range b.Rows {
		for j, f := range b.Cells(i) {
			if v.others[j] == "" || bytes.IndexFunc(f.In(b.Text), func(r rune) bool { return r >= 0x80 }) < 0 {
				continue
			}
			if utf8.Valid(f.In(b.Text)) {
				v.utf8++
			} else {
				v.other++
			}
		}
		if v.utf8+v.other >= votes {
			return errDecided
		}
	}
	return nil
}

func (v *voter) Damage(dump.Damage) error       { return nil }
func (v *voter) Statement(dump.Statement) error { return nil }

// row reads the row at b[i]: its cells, as many as stand there, and where its line end is. ok
// is false when more of the source is needed to tell.
func (l layout) row(b []byte, i int, eof bool, cells []cell) (_ []cell, end int, ok bool) {
	if !l.exact {
		return row(b, i, l.n, l.others == nil, eof, cells)
	}
	for {
		c := cell{start: i}
		col := len(cells)
		if col < l.n && l.bits[col] > 0 {
			if c.end, ok = bitsEnd(b, i, l.bits[col], eof); !ok {
				return cells, 0, false
			}
			c.escapes = c.end-i == 2 && b[i] == '\\' && b[i+1] == 'N'
		}
		if c.end == 0 {
			c.gbk = l.gbk != nil && (col >= l.n || l.gbk[col])
			for c.end = i; c.end < len(b) && b[c.end] != '\t' && b[c.end] != '\n'; c.end++ {
				switch {
				case b[c.end] == '\\':
					c.escapes = true
					c.end++
				case c.gbk && isGBK(b, c.end):
					c.escapes = c.escapes || b[c.end+1] == '\\'
					c.end++
				}
			}
		}
		if c.end >= len(b) {
			return cells, 0, false
		}
		cells = append(cells, c)
		if b[c.end] == '\n' {
			return cells, c.end, true
		}
		i = c.end + 1
	}
}

// bitsEnd finds the end of a BIT's cell of n bytes at b[i], which the server writes unescaped;
// 0 when no such cell is there.
func bitsEnd(b []byte, i, n int, eof bool) (end int, ok bool) {
	for _, end := range []int{i + 2, i + n} { // \N first
		if end >= len(b) {
			if !eof {
				return 0, false
			}
			continue
		}
		if sep := b[end] == '\t' || b[end] == '\n'; sep && (end == i+n || b[i] == '\\' && b[i+1] == 'N') {
			return end, true
		}
	}
	return 0, true
}

// isGBK reports whether b[i] begins a character of two bytes (MySQL's ctype-gbk.c).
func isGBK(b []byte, i int) bool {
	return i+1 < len(b) && b[i] >= 0x81 && b[i] <= 0xfe && b[i+1] >= 0x40 && b[i+1] != 0x7f && b[i+1] != 0xff
}
