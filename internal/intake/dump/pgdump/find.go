package pgdump

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/segment"
)

// findRow reads the one row that begins at offset. Its columns stand in the head of its COPY
// or INSERT, which is looked for backwards; which of them are bytea, in the CREATE TABLE. A
// COPY's row begins a line and an INSERT's is a parenthesis behind something else, except
// where every row of an INSERT stands on its own line: then the nearer head decides.
func findRow(at io.ReaderAt, size int64, table string, offset int64) (dump.Found, error) {
	two := make([]byte, 2)
	from := max(offset-1, 0)
	if n, err := at.ReadAt(two, from); n < 1 || offset >= size || err != nil && err != io.EOF {
		return dump.Found{}, errors.Join(errors.New("the offset is behind the end of the source"), err)
	}
	first, before := two[offset-from], byte('\n')
	if offset > 0 {
		before = two[0]
	}
	var copyAt, insertAt int64 = -1, -1
	var copying, inserting head
	var err error
	if before == '\n' {
		if copying, copyAt, err = headBefore(at, size, "COPY ", table, offset); err != nil {
			return dump.Found{}, err
		}
	}
	if first == '(' {
		if inserting, insertAt, err = headBefore(at, size, "INSERT INTO ", table, offset); err != nil {
			return dump.Found{}, err
		}
	}
	if copyAt < 0 && insertAt < 0 {
		return dump.Found{}, fmt.Errorf("no COPY or INSERT stands before offset %d", offset)
	}
	columns, err := columnsOf(at, table, offset)
	if err != nil {
		return dump.Found{}, err
	}
	std := true
	start := make([]byte, min(size, 64<<10))
	if _, err := at.ReadAt(start, 0); err != nil && err != io.EOF {
		return dump.Found{}, err
	}
	if bytes.Contains(start, []byte("SET standard_conforming_strings = off")) || bytes.Contains(start, []byte("SET standard_conforming_strings = 'off'")) {
		std = false
	}
	h := inserting
	if copyAt > insertAt {
		h = copying
	}
	return rowAt(at, offset, copyAt > insertAt, std, h, columns)
}

// rowAt reads the row that begins at offset, of a COPY or an INSERT.
func rowAt(at io.ReaderAt, offset int64, copying, std bool, h head, columns []dump.Column) (dump.Found, error) {
	for size := 64 << 10; ; size *= 8 {
		buf := make([]byte, size)
		n, err := at.ReadAt(buf, offset)
		if err != nil && err != io.EOF {
			return dump.Found{}, err
		}
		buf = buf[:n]
		if n == 0 {
			return dump.Found{}, errors.New("the offset is behind the end of the source")
		}
		var cells []raw
		var end int
		var scanErr error
		if copying {
			if end, _, scanErr = copyLine(buf, 0); scanErr == nil {
				cells = splitCopy(buf, 0, end, nil)
			}
		} else {
			cells, end, scanErr = scanRow(buf, 0, std, nil)
		}
		if scanErr == nil {
			return foundOf(buf[:end:end], cells, h, columns), nil
		}
		if scanErr != segment.ErrMore || err == io.EOF || size >= dump.MaxSegment {
			return dump.Found{}, fmt.Errorf("no row begins at offset %d: %w", offset, scanErr)
		}
	}
}

// foundOf makes a row's fields. columns are the table's, as far as they are known.
func foundOf(text []byte, cells []raw, h head, columns []dump.Column) dump.Found {
	f := dump.Found{}
	if h.listed {
		f.Columns = h.columns
	}
	for i, c := range cells {
		binary := false
		if h.listed && i < len(h.columns) {
			for _, col := range columns {
				if col.Name == h.columns[i] {
					binary = col.Kind == dump.Binary
				}
			}
		} else if !h.listed && i < len(columns) {
			binary = columns[i].Kind == dump.Binary
		}
		var field dump.Field
		text, field = c.kept(text, binary)
		f.Cells = append(f.Cells, field)
	}
	f.Text = text
	return f
}

// headBefore finds the last head of a COPY or INSERT of the table that begins a line before
// offset, and where; -1 when there is none.
func headBefore(at io.ReaderAt, size int64, word, table string, offset int64) (head, int64, error) {
	const overlap = 64 << 10 // the longest head that is looked for across two steps
	step := int64(256 << 10)
	offset = min(offset, size)
	for end := offset; end > 0; step = min(step*4, 8<<20) {
		start := max(0, end-step)
		low := max(0, start-1)
		buf := make([]byte, min(end+overlap, size)-low)
		if _, err := at.ReadAt(buf, low); err != nil && err != io.EOF {
			return head{}, 0, err
		}
		var found []int
		for i := 0; ; i++ {
			j := bytes.Index(buf[i:], []byte(word))
			if j < 0 || low+int64(i+j) >= end {
				break
			}
			if i += j; low+int64(i) == 0 || i > 0 && buf[i-1] == '\n' {
				found = append(found, i)
			}
		}
		for k := len(found) - 1; k >= 0; k-- {
			i := found[k]
			var h head
			var why string
			if word == "COPY " {
				n, err := statementEnd(buf[i:], 0, true) // a name may hold a line end
				if err != nil {
					continue
				}
				h, why = copyHead(buf[i : i+n])
			} else {
				h, _, why = insertHead(buf, i)
			}
			if why == "" && strings.HasSuffix(strings.ToLower(table), strings.ToLower(h.name)) {
				return h, low + int64(i), nil
			}
		}
		end = start
	}
	return head{}, -1, nil
}

// columnsOf finds the table's definition before limit: the first, or, of a table that is
// called by its database's name too, the last. Nil when there is none.
func columnsOf(at io.ReaderAt, name string, limit int64) ([]dump.Column, error) {
	const step, overlap = 4 << 20, 1 << 20
	p := &reader{tables: map[string]*table{}}
	var last []dump.Column
	for low := int64(0); low < limit; low += step {
		buf := make([]byte, min(step+overlap, limit-low))
		if _, err := at.ReadAt(buf, low); err != nil && err != io.EOF {
			return nil, err
		}
		for i := 0; ; i++ {
			j := bytes.Index(buf[i:], []byte("CREATE "))
			if j < 0 || i+j >= step {
				break
			}
			if i += j; i > 0 && buf[i-1] != '\n' || !isCreateTable(buf[i:min(i+400, len(buf))]) {
				continue
			}
			end, err := statementEnd(buf, i, true)
			if err != nil {
				continue
			}
			if k := bytes.LastIndex(buf[:i], []byte("\nSET search_path = ")); k >= 0 {
				p.schema = searchPath(buf[k:i])
			}
			t, err := p.parseCreate(buf[i:end])
			if err != nil {
				continue
			}
			p.define(t)
			full := strings.TrimPrefix(t.schema+".", ".") + t.name
			if name == t.name || name == full {
				return t.Columns, nil
			}
			if strings.HasSuffix(name, "."+full) {
				last = t.Columns
			}
		}
	}
	return last, nil
}
