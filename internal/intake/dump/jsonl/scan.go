package jsonl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// Object is one object of a file, or a damaged stretch of it.
type Object struct {
	Text   []byte // valid until the next one is asked for
	Offset int64
	Damage string // why it cannot be read; then also:
	Length int64
	Rows   int64
}

// Scan gives each object of r, and each stretch that should have been one.
func Scan(ctx context.Context, r io.Reader, opt Options, yield func(Object) error) error {
	if opt.Segment <= 0 {
		opt.Segment = 1 << 20
	}
	if opt.MaxRow <= 0 {
		opt.MaxRow = 64 << 20
	}
	s := &scanner{ctx: ctx, r: r, opt: opt, yield: yield}
	for len(s.buf) < headSize && !s.eof {
		if err := s.more(); err != nil {
			return err
		}
	}
	if bytes.HasPrefix(s.buf, []byte("\xef\xbb\xbf")) {
		s.pos = 3
	}
	if inLines(s.buf[s.pos:min(len(s.buf), headSize)], s.eof) {
		return s.lines()
	}
	return s.sequence()
}

const headSize = 64 << 10

// inLines tells from a file's beginning whether it holds an object a line: one of the lines is
// a whole object that begins at the line's first column, and the file is no array. (A pretty-printed file has its outer
// braces on lines of their own.)
func inLines(head []byte, eof bool) bool {
	if b := bytes.TrimLeft(head, " \t\r\n"); len(b) == 0 || b[0] == '[' {
		return false
	}
	for len(head) > 0 {
		line, rest, ended := bytes.Cut(head, []byte{'\n'})
		if (ended || eof) && len(line) > 2 && line[0] == '{' && json.Valid(line) {
			return ended
		}
		head = rest
	}
	return false
}

type scanner struct {
	ctx   context.Context
	r     io.Reader
	opt   Options
	yield func(Object) error
	buf   []byte
	base  int64 // source offset of buf[0]
	pos   int   // everything before it in buf is dealt with
	eof   bool

	lead   lead
	known  bool   // how the first object stands:
	indent string // its line's beginning
	inLine bool   // it stands at a line's beginning
	key    string // its first key, as written
}

// more reads on, and forgets what is dealt with.
func (s *scanner) more() error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	left := s.buf[s.pos:]
	buf := make([]byte, len(left), len(left)+max(s.opt.Segment, len(left)))
	copy(buf, left)
	s.base += int64(s.pos)
	s.pos = 0
	n, err := io.ReadFull(s.r, buf[len(left):cap(buf)])
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		s.eof, err = true, nil
	}
	s.buf = buf[:len(left)+n]
	return err
}

// lines reads an object a line.
func (s *scanner) lines() error {
	searched := 0
	for {
		j := bytes.IndexByte(s.buf[s.pos+searched:], '\n')
		length := len(s.buf) - s.pos
		if j >= 0 {
			length = searched + j
		}
		if length > s.opt.MaxRow {
			if err := s.skipLine(); err != nil {
				return err
			}
			searched = 0
			continue
		}
		if j < 0 && !s.eof {
			searched = length
			if err := s.more(); err != nil {
				return err
			}
			continue
		}
		end := len(s.buf)
		if j >= 0 {
			end = s.pos + searched + j + 1
		}
		searched = 0
		if err := s.line(s.buf[s.pos:end], s.base+int64(s.pos), j < 0); err != nil {
			return err
		}
		if s.pos = end; j < 0 {
			return nil
		}
	}
}

func (s *scanner) line(line []byte, offset int64, last bool) error {
	text := bytes.TrimLeft(line, " \t\r\n")
	offset += int64(len(line) - len(text))
	text = bytes.TrimRight(text, " \t\r\n")
	if len(text) == 0 {
		return nil
	}
	if text[0] == '{' && json.Valid(text) {
		return s.yield(Object{Text: text, Offset: offset})
	}
	// Several objects on a line, or a comma behind one.
	var at []int
	i := 0
	for i < len(text) {
		if c := text[i]; c == ' ' || c == '\t' || c == ',' {
			i++
			continue
		}
		end := 0
		if text[i] == '{' {
			var e extent
			end, _ = e.scan(text, i)
		}
		if end == 0 || !json.Valid(text[i:end]) {
			break
		}
		at = append(at, i, end)
		i = end
	}
	if i < len(text) || len(at) == 0 {
		why := "the line is not a JSON object"
		if last {
			why = "the file ends inside an object"
		}
		return s.yield(Object{Offset: offset, Length: int64(len(text)), Rows: 1, Damage: why})
	}
	for k := 0; k < len(at); k += 2 {
		if err := s.yield(Object{Text: text[at[k]:at[k+1]], Offset: offset + int64(at[k])}); err != nil {
			return err
		}
	}
	return nil
}

// skipLine goes on behind a line that is too long.
func (s *scanner) skipLine() error {
	start := s.base + int64(s.pos)
	for {
		j := bytes.IndexByte(s.buf[s.pos:], '\n')
		if j >= 0 {
			s.pos += j + 1
		} else {
			s.pos = len(s.buf)
		}
		if j >= 0 || s.eof {
			return s.yield(Object{Offset: start, Length: s.base + int64(s.pos) - start, Rows: 1,
				Damage: fmt.Sprintf("the line is longer than %d bytes", s.opt.MaxRow)})
		}
		if err := s.more(); err != nil {
			return err
		}
	}
}

// sequence reads objects in an array or behind one another.
func (s *scanner) sequence() error {
	s.lead.line = true
	array, closed := false, false
	for {
		if s.pos == len(s.buf) {
			if s.eof {
				break
			}
			if err := s.more(); err != nil {
				return err
			}
			continue
		}
		c := s.buf[s.pos]
		why := ""
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',':
			s.lead.step(c)
			s.pos++
			continue
		case c == '[' && (!array || closed):
			array, closed = true, false
			s.lead.step(c)
			s.pos++
			continue
		case c == ']' && array && !closed:
			closed = true
			s.lead.step(c)
			s.pos++
			continue
		case c == '{':
			end, reason, err := s.object(s.opt.MaxRow)
			if err != nil {
				return err
			}
			if reason == "" {
				text := s.buf[s.pos : s.pos+end]
				if !s.known {
					s.known, s.inLine, s.indent, s.key = true, s.lead.line, string(s.lead.indent), firstKey(text)
				}
				if err := s.yield(Object{Text: text, Offset: s.base + int64(s.pos)}); err != nil {
					return err
				}
				s.pos += end
				s.lead.step('}')
				continue
			}
			why = reason
		default:
			why = fmt.Sprintf("%q stands where an object should begin", c)
		}
		if err := s.resync(why); err != nil {
			return err
		}
	}
	if array && !closed {
		return s.yield(Object{Offset: s.base + int64(len(s.buf)), Damage: "the array lacks its closing bracket: the file may be cut"})
	}
	return nil
}

// object finds the end of the object at pos, relative to it.
func (s *scanner) object(limit int) (end int, why string, err error) {
	var e extent
	for {
		end, why = e.scan(s.buf[s.pos:], 0)
		switch {
		case why != "":
			return 0, why, nil
		case end > limit || end == 0 && len(s.buf)-s.pos > limit:
			return 0, fmt.Sprintf("the object is longer than %d bytes", limit), nil
		case end > 0 && !json.Valid(s.buf[s.pos:s.pos+end]):
			return 0, "the object is not valid JSON", nil
		case end > 0:
			return end, "", nil
		case s.eof:
			return 0, "the file ends inside an object", nil
		}
		if err := s.more(); err != nil {
			return 0, "", err
		}
	}
}

// resync reports as damage what lies before the next object that stands as the first did.
func (s *scanner) resync(why string) error {
	start := s.base + int64(s.pos)
	limit, failed := min(s.opt.MaxRow, 1<<20), 0
	for first := true; ; first = false {
		if s.pos == len(s.buf) {
			if s.eof {
				break
			}
			if err := s.more(); err != nil {
				return err
			}
			continue
		}
		c := s.buf[s.pos]
		if c == '{' && !first && (s.lead.line || s.lead.comma) {
			end, reason, err := s.object(limit)
			if err != nil {
				return err
			}
			if reason == "" && s.fits(s.buf[s.pos:s.pos+end]) {
				break
			}
			if failed++; failed > 64 { // keep a hostile file from costing its length squared
				limit = min(limit, 4<<10)
			}
		}
		s.lead.step(c)
		s.pos++
	}
	return s.yield(Object{Offset: start, Length: s.base + int64(s.pos) - start, Rows: 1, Damage: why})
}

// fits reports whether an object stands where rows stand in this file.
func (s *scanner) fits(obj []byte) bool {
	switch {
	case !s.known:
		return true
	case s.lead.line && s.inLine:
		return string(s.lead.indent) == s.indent
	default:
		return firstKey(obj) == s.key
	}
}

// lead is what stands before the current byte.
type lead struct {
	line   bool   // only white space since the line's beginning:
	indent []byte // this
	comma  bool   // a comma behind a closing brace, and white space
	prev   byte
}

func (l *lead) step(c byte) {
	switch c {
	case '\n':
		l.line, l.indent = true, l.indent[:0]
	case ' ', '\t', '\r':
		if l.line && len(l.indent) < 256 {
			l.indent = append(l.indent, c)
		}
	default:
		l.comma = c == ',' && l.prev == '}'
		l.line, l.prev = false, c
	}
}

// extent finds where an object ends; it may be asked again when more bytes are there.
type extent struct {
	i, depth int
	str      bool
}

// scan gives the index behind the object that begins at b[start]; 0 when b ends before it. A
// raw line end inside a string cannot be, so it is the reason why there is no end.
func (e *extent) scan(b []byte, start int) (end int, why string) {
	i := start + e.i
	for ; i < len(b); i++ {
		c := b[i]
		if e.str {
			switch c {
			case '"':
				e.str = false
			case '\\':
				if i+1 == len(b) {
					e.i = i - start
					return 0, ""
				}
				i++
			case '\n':
				return 0, "a string does not close before its line ends"
			}
			continue
		}
		switch c {
		case '"':
			e.str = true
		case '{', '[':
			e.depth++
		case '}', ']':
			if e.depth--; e.depth == 0 {
				return i + 1, ""
			}
		}
	}
	e.i = i - start
	return 0, ""
}
