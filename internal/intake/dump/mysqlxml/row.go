package mysqlxml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// cell is where a field element's name and content stand.
type cell struct {
	name       []byte // as it stands
	start, end int
	null, hex  bool
	entities   bool
}

// scanRow reads the row element at b[i]; next is behind it.
func scanRow(b []byte, i int, cells []cell) (_ []cell, next int, err error) {
	j := bytes.Index(b[i:], []byte("</row>"))
	if j < 0 {
		return cells, i, errMore
	}
	stop := i + j
	if bytes.Contains(b[i+1:stop], []byte("<row>")) {
		return cells, i, errors.New("a row does not end")
	}
	for i += len("<row>"); ; {
		for i < stop && isSpace(b[i]) {
			i++
		}
		if i == stop {
			return cells, stop + len("</row>"), nil
		}
		tag := b[i:stop]
		if !bytes.HasPrefix(tag, []byte("<field ")) {
			return cells, i, fmt.Errorf("%q is no field", tag[:min(len(tag), 40)])
		}
		n := bytes.IndexByte(tag, '>')
		if n < 0 {
			return cells, i, errors.New("a field's tag does not end")
		}
		tag = tag[:n]
		c := cell{start: i + n + 1}
		i = c.start
		if rest := tag[len("<field "):]; bytes.HasPrefix(rest, []byte(`name="`)) {
			c.name = rest[len(`name="`):]
			q := bytes.IndexByte(c.name, '"')
			if q < 0 {
				return cells, i, errors.New("a field's name does not end")
			}
			rest, c.name = c.name[q+1:], c.name[:q]
			if len(rest) > 0 {
				c.null = bytes.Contains(rest, []byte(`xsi:nil="true"`))
				c.hex = bytes.Contains(rest, []byte(`hexBinary"`))
			}
		} else {
			return cells, i, errors.New("a field has no name")
		}
		if tag[len(tag)-1] == '/' {
			c.end = c.start // not null: the empty string
			cells = append(cells, c)
			continue
		}
		m := bytes.IndexByte(b[i:stop], '<')
		if m < 0 || !bytes.HasPrefix(b[i+m:stop], []byte("</field>")) {
			return cells, i, errors.New("a field does not end")
		}
		c.end = i + m
		c.entities = bytes.IndexByte(b[c.start:c.end], '&') >= 0
		cells = append(cells, c)
		i = c.end + len("</field>")
	}
}

// row reads the row at p.pos.
func (p *reader) row() error {
	cells, next, err := scanRow(p.buf, p.pos, p.tmp[:0])
	p.tmp = cells
	if err == errMore {
		// The end of the row may be what is missing.
		if j := bytes.Index(p.buf[p.pos+1:], []byte("<row>")); j >= 0 {
			p.startDamage("a row does not end")
			return nil
		}
		return errMore
	}
	if err != nil {
		p.startDamage(err.Error())
		return nil
	}
	t := p.cur
	if len(t.Columns) == 0 {
		for _, c := range cells {
			t.Columns = append(t.Columns, dump.Column{Name: string(unescape(nil, c.name)), Kind: dump.Text, Declared: "unknown"})
		}
	}
	if len(cells) != len(t.Columns) {
		p.startDamage(fmt.Sprintf("the row has %d fields where %d belong", len(cells), len(t.Columns)))
		return nil
	}
	for i, c := range cells {
		if string(c.name) != t.Columns[i].Name && string(unescape(nil, c.name)) != t.Columns[i].Name {
			p.startDamage(fmt.Sprintf("field %d is called %q where %q belongs", i+1, c.name[:min(len(c.name), 80)], t.Columns[i].Name))
			return nil
		}
	}
	if p.batch == nil {
		p.batch = &dump.Batch{Table: t.Table, FirstRow: t.next}
	}
	p.batch.Rows = append(p.batch.Rows, dump.Row{Offset: p.base + int64(p.pos)})
	for _, c := range cells {
		p.batch.Fields = append(p.batch.Fields, c.field(p.buf))
	}
	t.next++
	p.pos = next
	if len(p.batch.Fields) > maxFields {
		return p.flush()
	}
	return nil
}

// field makes a cell's field, and decodes its entities in place: the reader does not come
// back to these bytes of the segment.
func (c cell) field(b []byte) dump.Field {
	switch {
	case c.null:
		return dump.Field{}
	case c.hex && (c.end-c.start)%2 == 0:
		return dump.NewField(c.start, c.end-c.start, dump.Hex)
	case c.entities:
		return dump.NewField(c.start, len(unescape(b[c.start:c.start], b[c.start:c.end])), dump.Quoted)
	}
	return dump.NewField(c.start, c.end-c.start, dump.Quoted)
}

var entities = []struct {
	name  string
	value byte
}{{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}}

// unescape appends v with its entities decoded to dst, which may lie in front of v in the
// same array. What is no entity stays.
func unescape(dst, v []byte) []byte {
next:
	for i := 0; i < len(v); i++ {
		if v[i] == '&' {
			for _, e := range entities {
				if bytes.HasPrefix(v[i:], []byte(e.name)) {
					dst = append(dst, e.value)
					i += len(e.name) - 1
					continue next
				}
			}
			if j := bytes.IndexByte(v[i:min(len(v), i+12)], ';'); j > 2 && v[i+1] == '#' {
				digits, base := string(v[i+2:i+j]), 10
				if digits[0] == 'x' {
					digits, base = digits[1:], 16
				}
				// A rune's UTF-8 is never longer than its reference.
				if n, err := strconv.ParseUint(digits, base, 32); err == nil && utf8.ValidRune(rune(n)) && n <= utf8.MaxRune {
					dst = utf8.AppendRune(dst, rune(n))
					i += j
					continue next
				}
			}
		}
		dst = append(dst, v[i])
	}
	return dst
}

// attribute gives the value of a tag's attribute.
func attribute(tag []byte, name string) string {
	i := bytes.Index(tag, []byte(" "+name+`="`))
	if i < 0 {
		return ""
	}
	v := tag[i+len(name)+3:]
	if j := bytes.IndexByte(v, '"'); j >= 0 {
		return string(unescape(nil, v[:j]))
	}
	return ""
}

// findRow reads the row element at offset.
func findRow(r io.ReaderAt, offset int64) (dump.Found, error) {
	for size := 64 << 10; ; size *= 8 {
		buf := make([]byte, size)
		n, err := r.ReadAt(buf, offset)
		if err != nil && err != io.EOF {
			return dump.Found{}, err
		}
		if buf = buf[:n]; !bytes.HasPrefix(buf, []byte("<row>")) {
			return dump.Found{}, fmt.Errorf("no row begins at offset %d", offset)
		}
		cells, next, scanErr := scanRow(buf, 0, nil)
		if scanErr == nil {
			found := dump.Found{Text: buf[:next:next]}
			for _, c := range cells {
				found.Columns = append(found.Columns, string(unescape(nil, c.name)))
				if !c.entities {
					found.Cells = append(found.Cells, c.field(found.Text))
					continue
				}
				n := len(found.Text)
				found.Text = unescape(found.Text, found.Text[c.start:c.end])
				found.Cells = append(found.Cells, dump.NewField(n, len(found.Text)-n, dump.Quoted))
			}
			return found, nil
		}
		if scanErr != errMore || err == io.EOF || size >= dump.MaxSegment {
			return dump.Found{}, fmt.Errorf("no row begins at offset %d: %w", offset, scanErr)
		}
	}
}
