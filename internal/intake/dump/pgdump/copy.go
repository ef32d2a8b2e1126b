package pgdump

import (
	"bytes"
	"fmt"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/segment"
)

// copyLine finds the end of the line of COPY data at b[i]: of its content, and where the next
// one begins. A newline behind a backslash belongs to the data.
func copyLine(b []byte, i int) (end, next int, err error) {
	for from := i; ; {
		j := bytes.IndexByte(b[from:], '\n')
		if j < 0 {
			return 0, 0, segment.ErrMore
		}
		j += from
		if oddBackslashes(b, i, j) {
			from = j + 1
			continue
		}
		end = j
		if end > i && b[end-1] == '\r' && !oddBackslashes(b, i, end-1) {
			end-- // a dump made on Windows; data has \r escaped
		}
		return end, j + 1, nil
	}
}

// oddBackslashes reports whether b[i] is escaped by the backslash before it.
func oddBackslashes(b []byte, from, i int) bool {
	n := 0
	for i > from && b[i-1] == '\\' {
		n++
		i--
	}
	return n%2 == 1
}

// splitCopy appends the cells of the line b[s:e].
func splitCopy(b []byte, s, e int, cells []raw) []raw {
	escapes := bytes.IndexByte(b[s:e], '\\') >= 0
	for start := s; ; {
		end, last := e, true
		if j := bytes.IndexByte(b[s:e], '\t'); j >= 0 {
			end, last = s+j, false
		}
		if escapes && !last && oddBackslashes(b, start, end) {
			s = end + 1
			continue
		}
		c := raw{start, end, plain}
		if escapes {
			if v := b[start:end]; len(v) == 2 && v[0] == '\\' && v[1] == 'N' {
				c.form = null
			} else if bytes.IndexByte(v, '\\') >= 0 {
				c.form = copied
			}
		}
		cells = append(cells, c)
		if last {
			return cells
		}
		s, start = end+1, end+1
	}
}

// copyRows reads lines of COPY data as far as they go.
func (p *reader) copyRows() error {
	for p.Pos < len(p.Buf) {
		start := p.Pos
		end, next, err := copyLine(p.Buf, start)
		if err != nil {
			if p.EOF { // its newline is missing, so the rest of the row may be
				p.tmp = p.tmp[:0]
				return p.badLine(start, len(p.Buf), len(p.Buf), "the file ends inside a row")
			}
			return err
		}
		line := p.Buf[start:end]
		if len(line) == 2 && line[0] == '\\' && line[1] == '.' {
			p.Pos, p.st = next, atStatement
			return nil
		}
		if p.order == nil && bytes.IndexByte(line, '\\') < 0 {
			// The common case: nothing escaped, no NULL.
			b := p.Open(p.cur.Table, p.cur.next, 80)
			n := len(b.Fields)
			for s := start; ; {
				j := bytes.IndexByte(p.Buf[s:end], '\t')
				if j < 0 {
					b.Fields = append(b.Fields, dump.NewField(s, end-s, dump.Quoted))
					break
				}
				b.Fields = append(b.Fields, dump.NewField(s, j, dump.Quoted))
				s += j + 1
			}
			if len(b.Fields)-n == p.cells {
				b.Rows = append(b.Rows, dump.Row{Offset: p.Base + int64(start)})
				p.cur.next++
			} else {
				got := len(b.Fields) - n
				b.Fields = b.Fields[:n]
				if err := p.badCount(start, end, next, got); err != nil || p.st != atCopy {
					return err
				}
			}
		} else {
			p.tmp = splitCopy(p.Buf, start, end, p.tmp[:0])
			if len(p.tmp) == p.cells {
				p.add(start)
			} else if err := p.badCount(start, end, next, len(p.tmp)); err != nil || p.st != atCopy {
				return err
			}
		}
		p.Pos = next
		if p.Batch != nil && len(p.Batch.Fields) > segment.MaxFields {
			if err := p.Flush(); err != nil {
				return err
			}
			if err := p.Ctx.Err(); err != nil {
				return err
			}
		}
	}
	return segment.ErrMore
}

// badCount deals with a line that has not as many cells as it should.
func (p *reader) badCount(start, end, next, got int) error {
	line := p.Buf[start:end]
	switch {
	case len(line) == 0: // no row of several columns is blank; the closing mark is likely lost
		if err := p.Flush(); err != nil {
			return err
		}
		return p.Sink.Damage(dump.Damage{Table: p.cur.Name, Row: p.cur.next, Offset: p.Base + int64(start), Length: int64(next - start), Reason: "a blank line among the rows of a COPY"})
	case got == 1 && beginsStatement(p.Buf[start:min(next+1, len(p.Buf))]):
		if err := p.Flush(); err != nil {
			return err
		}
		p.st = atStatement
		return p.Sink.Damage(dump.Damage{Table: p.cur.Name, Row: p.cur.next, Offset: p.Base + int64(start), Reason: "the end of the rows of a COPY is not marked"})
	}
	return p.badLine(start, end, next, fmt.Sprintf("the row has %d cells where %d belong", got, p.cells))
}

// badLine reports one line as a damaged row.
func (p *reader) badLine(start, end, next int, reason string) error {
	if err := p.Flush(); err != nil {
		return err
	}
	d := dump.Damage{Table: p.cur.Name, Row: p.cur.next, Offset: p.Base + int64(start), Length: int64(next - start), Rows: 1, Reason: reason}
	p.cur.next++
	p.Pos = next
	return p.Sink.Damage(d)
}
