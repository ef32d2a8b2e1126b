package pgdump

import (
	"bytes"
	"fmt"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/segment"
)

// scanRow reads the row of an INSERT whose parenthesis is b[i]; next is behind its closing
// one. std says that a backslash in '..' stands for itself.
func scanRow(b []byte, i int, std bool, cells []raw) (_ []raw, next int, err error) {
	if b[i] != '(' {
		return cells, i, fmt.Errorf("%q stands where a row should begin", segment.Clip(b[i:]))
	}
	for i++; ; i++ {
		if i = segment.SkipSpace(b, i); i == len(b) {
			return cells, i, segment.ErrMore
		}
		c, end, err := scanCell(b, i, std)
		if err != nil {
			return cells, i, err
		}
		cells = append(cells, c)
		if i = segment.SkipSpace(b, end); i == len(b) {
			return cells, i, segment.ErrMore
		}
		switch b[i] {
		case ',':
		case ')':
			return cells, i + 1, nil
		default:
			return cells, i, fmt.Errorf("%q stands behind a cell", segment.Clip(b[i:]))
		}
	}
}

// scanCell reads one cell: a string, number, word, or an expression kept as it stands.
func scanCell(b []byte, i int, std bool) (c raw, next int, err error) {
	start := i
	switch x := b[i]; {
	case x == '\'':
		f := doubled
		if !std {
			f = escaped
		}
		if c, i, err = scanString(b, i, f); err != nil {
			return c, i, err
		}
	case (x == 'E' || x == 'e' || x == 'B' || x == 'b' || x == 'X' || x == 'x') && i+1 < len(b) && b[i+1] == '\'':
		f := doubled
		if x|0x20 == 'e' {
			f = escaped
		}
		if c, i, err = scanString(b, i+1, f); err != nil {
			return c, i, err
		}
	case x >= '0' && x <= '9' || x == '-' || x == '+' || x == '.':
		for i++; i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] == '.' || b[i]|0x20 == 'e' || (b[i] == '-' || b[i] == '+') && b[i-1]|0x20 == 'e'); i++ {
		}
		c = raw{start, i, bare}
	case isLetter(x) || x == '_' || x == '"':
		for i < len(b) && (isLetter(b[i]) || b[i] == '_' || b[i] == '.' || b[i] == '"' || b[i] >= '0' && b[i] <= '9') {
			i++
		}
		word := b[start:i]
		c = raw{start, i, expr}
		switch {
		case bytes.EqualFold(word, []byte("NULL")):
			c.form = null
		case bytes.EqualFold(word, []byte("TRUE")), bytes.EqualFold(word, []byte("FALSE")):
			c.form = bare
		}
	default:
		return c, i, fmt.Errorf("%q is not a cell", segment.Clip(b[i:]))
	}
	if i == len(b) {
		return c, i, segment.ErrMore
	}
	if b[i] == ',' || b[i] == ')' {
		return c, i, nil
	}
	if bytes.HasPrefix(b[i:], []byte("::")) && c.form != expr { // a cast does not change what is written
		for i < len(b) && (isLetter(b[i]) || b[i] >= '0' && b[i] <= '9' || bytes.IndexByte([]byte(`:_." []`), b[i]) >= 0) {
			i++
		}
		if i < len(b) && b[i] == '(' {
			if i, err = closing(b, i); err != nil {
				return c, i, err
			}
		}
		return c, i, nil
	}
	if j := segment.SkipSpace(b, i); j < len(b) && (b[j] == ',' || b[j] == ')') {
		return c, j, nil
	}
	if c.form != expr {
		return c, i, fmt.Errorf("%q stands behind a cell", segment.Clip(b[i:]))
	}
	// An expression: up to the comma or parenthesis that is not part of it.
	for i < len(b) && b[i] != ',' && b[i] != ')' {
		switch b[i] {
		case '(', '[':
			if i, err = closing(b, i); err != nil {
				return c, i, err
			}
		case '\'':
			if _, i, err = scanString(b, i, doubled); err != nil {
				return c, i, err
			}
		case '\n', ';':
			return c, i, fmt.Errorf("an expression does not end on its line")
		default:
			i++
		}
	}
	if i == len(b) {
		return c, i, segment.ErrMore
	}
	return raw{start, i, expr}, i, nil
}

// scanString reads the string whose quote is b[i]. Its form is plain when nothing in it needs
// undoing.
func scanString(b []byte, i int, f form) (c raw, next int, err error) {
	start := i + 1
	simple := true
	for i = start; i < len(b); i++ {
		if f == doubled {
			j := bytes.IndexByte(b[i:], '\'')
			if j < 0 {
				return c, i, segment.ErrMore
			}
			i += j
		}
		switch b[i] {
		case '\\':
			if f == escaped {
				simple = false
				i++
			}
		case '\'':
			if i+1 >= len(b) {
				return c, i, segment.ErrMore
			}
			if b[i+1] != '\'' {
				if simple {
					f = plain
				}
				return raw{start, i, f}, i + 1, nil
			}
			simple = false
			i++
		}
	}
	return c, i, segment.ErrMore
}

// maxNesting bounds the parentheses of an expression, so that what looks like the beginning of
// a row again and again is not each time read to the end of the file.
const maxNesting = 16

// closing finds the end of the parenthesis or bracket that opens at b[i], minding strings.
func closing(b []byte, i int) (end int, err error) {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '(', '[':
			if depth++; depth > maxNesting {
				return i, fmt.Errorf("an expression nests deeper than %d", maxNesting)
			}
		case ')', ']':
			if depth--; depth == 0 {
				return i + 1, nil
			}
		case '\'':
			_, e, err := scanString(b, i, doubled)
			if err != nil {
				return i, err
			}
			i = e - 1
		case ';':
			return i, fmt.Errorf("an expression does not end")
		}
	}
	return i, segment.ErrMore
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// rows reads an INSERT's rows as far as they go.
func (p *reader) rows() error {
	for {
		if p.Pos = segment.SkipSpace(p.Buf, p.Pos); p.Pos == len(p.Buf) {
			return segment.ErrMore
		}
		cells, next, err := scanRow(p.Buf, p.Pos, p.std, p.tmp[:0])
		p.tmp = cells
		if err == segment.ErrMore {
			return segment.ErrMore
		}
		if err == nil && len(cells) != p.cells {
			err = fmt.Errorf("the row has %d cells where %d belong", len(cells), p.cells)
		}
		if err != nil {
			p.startDamage(p.Pos, err.Error())
			return nil
		}
		p.add(p.Pos)
		p.Pos = next
		if q := p.Buf[next:]; len(q) > 3 && q[0] == ',' && q[1] == '\n' && q[2] == '\t' && q[3] == '(' {
			p.Pos += 3
			p.lines = true
		} else if len(q) > 1 && q[0] == ';' && q[1] == '\n' {
			p.Pos, p.st = next+1, atStatement
			return nil
		} else {
			p.st = afterRow
			return nil
		}
		if len(p.Batch.Fields) > segment.MaxFields {
			if err := p.Flush(); err != nil {
				return err
			}
		}
	}
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
	case segment.HasPrefixFold(p.Buf[i:], "ON CONFLICT"), segment.HasPrefixFold(p.Buf[i:], "RETURNING"):
		end, err := statementEnd(p.Buf, i, p.std)
		if err == errWithin {
			p.st = atStatement // of no row
			p.startDamage(i, err.Error())
			return nil
		}
		if err != nil {
			return err
		}
		p.Pos, p.st = end, atStatement
	case len(p.Buf)-i < len("ON CONFLICT") && !p.EOF:
		return segment.ErrMore
	default:
		p.startDamage(i, fmt.Sprintf("%q stands between two rows", segment.Clip(p.Buf[i:])))
	}
	return nil
}

// unknownTable makes a table that no CREATE TABLE defined: its columns are text.
func unknownTable(names []string) *dump.Table {
	t := &dump.Table{}
	for _, n := range names {
		t.Columns = append(t.Columns, dump.Column{Name: n, Kind: dump.Text, Declared: "unknown"})
	}
	return t
}
