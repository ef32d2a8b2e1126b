// Package mysqltab reads the .txt files of mysqldump --tab (and of SELECT ... INTO OUTFILE
// with its defaults): a row a line, cells parted by tabs, NULL written \N, and a backslash
// before a tab, newline or backslash of the data.
//
// Such a file holds rows only. Their definition is the .sql file of the same name that the
// same command writes beside it: columns, types and key are those of its CREATE TABLE, read by
// package mysqldump, and the table is called as it says. Where no such file lies beside it, or
// that is of no use (it defines no table or several, has rows itself, or the rows here have
// another number of cells), the table is called as the file is, without its ending, and its
// columns are c1, c2, ..., all text; a remark says why. The .sql is a source of its own too.
//
// The server writes the file, in the session of the command: TIMESTAMP is in UTC unless
// --skip-tz-utc was given, and text is in each column's own character set unless
// --default-character-set was (see decode). Without a definition text is UTF-8. Bytes that are
// not what they should be are misfits and keep their value.
//
// A line that has not as many cells as it should is one damaged row. The server writes a BIT's
// bytes unescaped: with a definition they are counted, and two bytes of a BIT(9) to BIT(16) that
// are \N are taken for a NULL. Without one, where neither of two lines is a row and both together
// are, they are one, and the newline is a cell's; how many cells a row has is then what most
// lines of the first 64 KiB have. A file without tabs is not told from prose, so tables of one
// column are not recognised. A cut between two rows leaves no trace in such a file; a last line
// without its newline is damage.
//
// An offset is that of a line. The text of a row read again is its line, behind which stand
// decoded the cells whose escapes package dump does not know.
//
// Reading order: mysqltab.go (rows), definition.go (what lies beside them, cells that are not
// told by tabs).
package mysqltab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// Format is the reader of --tab files. It goes by the name's ending and by tabs, so it is
// asked late.
func Format() dump.Format {
	return dump.Format{
		Name: "mysqltab", Version: "2", About: "rows of a table written by mysqldump --tab",
		Match:  match,
		Beside: []string{beside},
		File: func(ctx context.Context, src dump.Sealed, sink dump.Sink) error {
			return readFile(ctx, src, sink, Options{})
		},
		Row: func(ctx context.Context, src dump.Sealed, _ string, _, offset int64) (dump.Found, error) {
			l, _, err := layoutOf(ctx, src.At, tableName(src.Name), src.Beside[beside], true)
			if err != nil {
				return dump.Found{}, err
			}
			return findRow(src.At, &l, offset)
		},
	}
}

// tableName is what a table is called without a definition.
func tableName(file string) string {
	base := filepath.Base(file)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// match wants a .txt most of whose first lines have the same number of cells, two or more.
func match(name string, head []byte) bool {
	if !strings.EqualFold(filepath.Ext(name), ".txt") || bytes.Count(head, []byte{0}) > len(head)/16 {
		return false // another kind of file, or UTF-16
	}
	want, lines, fit := usual(head), 0, 0
	for i := 0; lines < 20; lines++ {
		end, ok := lineEnd(head, i)
		if !ok {
			break
		}
		if len(split(head, i, end, nil)) == want {
			fit++
		}
		i = end + 1
	}
	return want >= 2 && fit > 0 && fit*2 >= lines
}

// Options bound a reading.
type Options struct {
	Segment int // bytes read at a time; 0: 16 MiB
	MaxRow  int // longest row; 0: 128 MiB
}

const (
	maxFields = 1 << 22  // of one batch
	look      = 64 << 10 // bytes from which the number of cells is told
)

// readFile reads a sealed file and hands its rows to sink.
func readFile(ctx context.Context, src dump.Sealed, sink dump.Sink, opt Options) error {
	f, err := os.Open(src.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	l, remarks, err := layoutOf(ctx, f, tableName(src.Name), src.Beside[beside], false)
	if err != nil {
		return err
	}
	for _, remark := range remarks {
		if err := sink.Damage(dump.Damage{Reason: remark}); err != nil {
			return err
		}
	}
	return read(ctx, f, sink, &l, opt)
}

// read reads rows that are laid out like that.
func read(ctx context.Context, r io.Reader, sink dump.Sink, l *layout, opt Options) error {
	if opt.Segment <= 0 {
		opt.Segment = 16 << 20
	}
	if opt.MaxRow <= 0 {
		opt.MaxRow = 128 << 20
	}
	opt.MaxRow = min(opt.MaxRow, dump.MaxSegment-opt.Segment)
	p := &reader{sink: sink, layout: l, next: 1}
	for eof := false; !eof; {
		if err := ctx.Err(); err != nil {
			return err
		}
		left := p.buf
		p.buf = make([]byte, len(left), len(left)+max(opt.Segment, len(left)))
		copy(p.buf, left)
		n, err := io.ReadFull(r, p.buf[len(left):cap(p.buf)])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			eof = true
		} else if err != nil {
			return err
		}
		p.buf = p.buf[:len(left)+n]
		if err := p.segment(eof, opt.MaxRow); err != nil {
			return err
		}
	}
	return nil
}

// usual is the number of cells that most lines of head have; the smaller one of two.
func usual(head []byte) (cells int) {
	count := map[int]int{}
	for i := 0; i < len(head); {
		end, ok := lineEnd(head, i)
		if !ok && i > 0 {
			break
		} else if !ok {
			end = len(head)
		}
		count[len(split(head, i, end, nil))]++
		i = end + 1
	}
	for n, c := range count {
		if c > count[cells] || c == count[cells] && n < cells {
			cells = n
		}
	}
	return max(cells, 1)
}

type reader struct {
	sink dump.Sink
	*layout
	next  int64 // ordinal of the next row
	buf   []byte
	base  int64 // source offset of buf[0]
	batch *dump.Batch
	tmp   []cell
	over  bool // inside a row longer than may be
}

// segment deals with the lines of the segment, and leaves the last, unfinished one.
func (p *reader) segment(eof bool, maxRow int) error {
	i := 0
	for i < len(p.buf) {
		var end int
		var ok bool
		p.tmp, end, ok = p.row(p.buf, i, eof, p.tmp[:0])
		if !ok && !eof && len(p.buf)-i <= maxRow {
			break
		}
		next, reason := end+1, ""
		if !ok {
			next = len(p.buf)
			reason = "the file ends inside a row"
			if !eof {
				reason = fmt.Sprintf("a row is longer than %d bytes", maxRow)
			}
		} else if len(p.tmp) != p.n {
			reason = fmt.Sprintf("the row has %d cells where %d belong", len(p.tmp), p.n)
		}
		if p.over { // the rest of a row whose beginning was reported
			reason = fmt.Sprintf("the rest of a row longer than %d bytes", maxRow)
		}
		if reason != "" {
			if err := p.flush(); err != nil {
				return err
			}
			d := dump.Damage{Table: p.table.Name, Row: p.next, Offset: p.base + int64(i), Length: int64(next - i), Rows: 1, Reason: reason}
			if p.over {
				d.Row, d.Rows = p.next-1, 0
			} else {
				p.next++
			}
			p.over = !ok && !eof
			if err := p.sink.Damage(d); err != nil {
				return err
			}
			i = next
			continue
		}
		if p.batch == nil {
			p.batch = &dump.Batch{Table: p.table, FirstRow: p.next, Text: p.buf}
		}
		for _, c := range p.tmp {
			p.batch.Fields = append(p.batch.Fields, c.field(p.buf))
		}
		p.batch.Rows = append(p.batch.Rows, dump.Row{Offset: p.base + int64(i)})
		p.next++
		if i = next; len(p.batch.Fields) > maxFields {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	p.buf, p.base = p.buf[i:], p.base+int64(i)
	return p.flush()
}

func (p *reader) flush() error {
	b := p.batch
	if p.batch = nil; b == nil {
		return nil
	}
	return p.sink.Rows(b)
}

// row reads the row at b[i] that should have n cells: a line, or, with join, the lines that an
// unescaped newline makes of it. ok is false when more of the source is needed to tell.
func row(b []byte, i, n int, join, eof bool, cells []cell) (_ []cell, end int, ok bool) {
	first, ok := lineEnd(b, i)
	if !ok {
		return cells, 0, false
	}
	cells = split(b, i, first, cells)
	if !join || len(cells) == n || len(cells) < 2 {
		return cells, first, true
	}
	was := len(cells)
	for end = first; len(cells) < n; {
		from := end + 1
		if end, ok = lineEnd(b, from); !ok {
			return cells[:was], first, eof
		}
		m := len(cells)
		if cells = split(b, from, end, cells); len(cells)-m >= n || len(cells)-m < 2 {
			break
		}
		cells[m-1].end, cells[m-1].escapes = cells[m].end, cells[m-1].escapes || cells[m].escapes
		cells = append(cells[:m], cells[m+1:]...)
		if len(cells) == n {
			return cells, end, true
		}
	}
	return split(b, i, first, cells[:0]), first, true
}

// lineEnd finds the newline that ends the line at b[i]: one without a backslash before it.
func lineEnd(b []byte, i int) (end int, ok bool) {
	for from := i; ; {
		j := bytes.IndexByte(b[from:], '\n')
		if j < 0 {
			return 0, false
		}
		if from += j; !odd(b, i, from) {
			return from, true
		}
		from++
	}
}

// odd reports whether b[i] has a backslash before it that is not itself escaped.
func odd(b []byte, from, i int) bool {
	n := 0
	for ; i > from && b[i-1] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

// cell is where a cell stands.
type cell struct {
	start, end int
	escapes    bool
	gbk        bool // it is text in GBK
}

// split appends the cells of the line b[s:e].
func split(b []byte, s, e int, cells []cell) []cell {
	escapes := bytes.IndexByte(b[s:e], '\\') >= 0
	for start := s; ; {
		end, last := e, true
		if j := bytes.IndexByte(b[s:e], '\t'); j >= 0 {
			end, last = s+j, false
		}
		if s = end + 1; escapes && !last && odd(b, start, end) {
			continue
		}
		cells = append(cells, cell{start: start, end: end, escapes: escapes && bytes.IndexByte(b[start:end], '\\') >= 0})
		if last {
			return cells
		}
		start = s
	}
}

// field makes a cell's field, and undoes its escapes in place: the reader does not come back
// to these bytes of the segment.
func (c cell) field(b []byte) dump.Field {
	v := b[c.start:c.end]
	if !c.escapes {
		return dump.NewField(c.start, len(v), dump.Quoted)
	}
	if len(v) == 2 && v[1] == 'N' {
		return dump.Field{}
	}
	return dump.NewField(c.start, len(unescape(v[:0], v, c.gbk)), dump.Quoted)
}

// kept makes a cell's field without changing the line.
func (c cell) kept(text []byte) ([]byte, dump.Field) {
	v := text[c.start:c.end]
	if !c.escapes || len(v) == 2 && v[1] == 'N' {
		return text, c.field(text)
	}
	if !c.gbk && !bytes.Contains(v, []byte("''")) && !bytes.Contains(v, []byte(`\%`)) && !bytes.Contains(v, []byte(`\_`)) {
		return text, dump.NewField(c.start, len(v), dump.Escaped)
	}
	n := len(text)
	text = unescape(text, v, c.gbk)
	return text, dump.NewField(n, len(text)-n, dump.Quoted)
}

// unescape appends v without its escapes to dst, which may lie in front of v in the same
// array: LOAD DATA reads \0 \b \n \r \t \Z, and any other byte behind a backslash as itself.
func unescape(dst, v []byte, gbk bool) []byte {
	for i := 0; i < len(v); i++ {
		x := v[i]
		if gbk && isGBK(v, i) {
			dst = append(dst, x, v[i+1])
			i++
			continue
		}
		if x == '\\' && i+1 < len(v) {
			i++
			switch x = v[i]; x {
			case '0':
				x = 0
			case 'b':
				x = '\b'
			case 'n':
				x = '\n'
			case 'r':
				x = '\r'
			case 't':
				x = '\t'
			case 'Z':
				x = 26
			}
		}
		dst = append(dst, x)
	}
	return dst
}

// findRow reads the row that begins at offset.
func findRow(r io.ReaderAt, l *layout, offset int64) (dump.Found, error) {
	for size := 64 << 10; ; size *= 8 {
		buf := make([]byte, size)
		n, err := r.ReadAt(buf, offset)
		if err != nil && err != io.EOF {
			return dump.Found{}, err
		}
		if n == 0 {
			return dump.Found{}, errors.New("the offset is behind the end of the source")
		}
		if cells, end, ok := l.row(buf[:n], 0, err == io.EOF, nil); ok {
			found := dump.Found{Text: buf[:end:end]}
			for _, c := range cells {
				var f dump.Field
				found.Text, f = c.kept(found.Text)
				found.Cells = append(found.Cells, f)
			}
			return found, nil
		}
		if err == io.EOF || size >= dump.MaxSegment {
			return dump.Found{}, fmt.Errorf("no row begins at offset %d", offset)
		}
	}
}
