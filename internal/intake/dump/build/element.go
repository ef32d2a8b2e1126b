package build

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// Element is one element of an XML file, or a damaged stretch that begins as one.
type Element struct {
	Text   []byte // from its opening to its closing tag; valid until the next one is asked for
	Offset int64
	Damage string // why it cannot be read; then also:
	Length int64
}

// Elements gives each element of r that has the local name, whatever its namespace. It looks
// for tags only and does not parse what lies between, so that one that is not well-formed
// costs no other. An element with the same name inside one is not looked for: an opening tag
// before the closing one means that the closing one was lost. segment and longest are as
// readers' options are; 0 is 1 MiB and MaxRow.
func Elements(ctx context.Context, r io.Reader, local string, segment, longest int, yield func(Element) error) error {
	if segment <= 0 {
		segment = 1 << 20
	}
	if longest <= 0 {
		longest = MaxRow
	}
	e := &elements{ctx: ctx, r: r, local: []byte(local), segment: segment, longest: longest, yield: yield}
	return e.run()
}

type elements struct {
	ctx     context.Context
	r       io.Reader
	local   []byte
	segment int
	longest int
	yield   func(Element) error
	buf     []byte
	base    int64 // source offset of buf[0]
	pos     int   // everything before it in buf is dealt with
	eof     bool
}

func (e *elements) more() error {
	if err := e.ctx.Err(); err != nil {
		return err
	}
	left := e.buf[e.pos:]
	buf := make([]byte, len(left), len(left)+max(e.segment, len(left)))
	copy(buf, left)
	e.base += int64(e.pos)
	e.pos = 0
	n, err := io.ReadFull(e.r, buf[len(left):cap(buf)])
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		e.eof, err = true, nil
	}
	e.buf = buf[:len(left)+n]
	return err
}

// tag looks from buf[i] for a tag of the element: its place, its name with prefix, and the
// place behind the name. at is -1 when there is none; then everything before next is done.
func (e *elements) tag(i int) (at int, name []byte, closing bool, next int) {
	for {
		j := bytes.IndexByte(e.buf[i:], '<')
		if j < 0 {
			return -1, nil, false, len(e.buf)
		}
		at = i + j
		k := at + 1
		closing = k < len(e.buf) && e.buf[k] == '/'
		if closing {
			k++
		}
		start := k
		for k < len(e.buf) && k-start <= 256 && e.buf[k] != '>' && e.buf[k] != '/' && e.buf[k] > ' ' && e.buf[k] != '<' {
			k++
		}
		if k == len(e.buf) && !e.eof {
			return -1, nil, false, at
		}
		name = e.buf[start:k]
		if l := name[bytes.IndexByte(name, ':')+1:]; bytes.Equal(l, e.local) && k < len(e.buf) && e.buf[k] != '<' {
			return at, name, closing, k
		}
		i = at + 1
	}
}

func (e *elements) run() error {
	for {
		at, name, closing, next := e.tag(e.pos)
		if at < 0 {
			e.pos = next
			if e.eof {
				return nil
			}
			if err := e.more(); err != nil {
				return err
			}
			continue
		}
		if closing {
			e.pos = next
			continue
		}
		e.pos = at
		if err := e.element(string(name), next-at); err != nil {
			return err
		}
	}
}

// element reads the element that begins at pos and whose name ends so many bytes behind that.
func (e *elements) element(name string, i int) error {
	// The opening tag's end; a ">" inside an attribute's quotes does not end it.
	quote := byte(0)
	for opened := false; ; {
		if !opened {
			for e.pos+i < len(e.buf) {
				c := e.buf[e.pos+i]
				i++
				if quote != 0 {
					if c == quote {
						quote = 0
					}
				} else if c == '"' || c == '\'' {
					quote = c
				} else if c == '>' {
					opened = true
					if e.buf[e.pos+i-2] == '/' {
						return e.give(i)
					}
					break
				} else if c == '<' {
					return e.damage(i-1, "a tag does not close")
				}
			}
		}
		if opened {
			at, found, closing, next := e.tag(e.pos + i)
			switch {
			case at >= 0 && !closing:
				return e.damage(at-e.pos, "the element does not close before the next one begins")
			case at >= 0 && string(found) != name:
				i = next - e.pos
				continue
			case at >= 0:
				if j := bytes.IndexByte(e.buf[next:], '>'); j >= 0 {
					return e.give(next + j + 1 - e.pos)
				}
				i = at - e.pos
			default:
				i = next - e.pos
			}
		}
		switch {
		case len(e.buf)-e.pos > e.longest:
			return e.skip(i)
		case e.eof:
			return e.damage(len(e.buf)-e.pos, "the file ends inside the element")
		}
		if err := e.more(); err != nil {
			return err
		}
	}
}

// skip goes on behind an element that is too long, or before the next one.
func (e *elements) skip(i int) error {
	start := e.base + int64(e.pos)
	e.pos += i
	for {
		at, _, closing, next := e.tag(e.pos)
		if at >= 0 || e.eof {
			if e.pos = next; at >= 0 && !closing {
				e.pos = at
			}
			return e.yield(Element{Offset: start, Length: e.base + int64(e.pos) - start, Damage: fmt.Sprintf("the element is longer than %d bytes", e.longest)})
		}
		e.pos = next
		if err := e.more(); err != nil {
			return err
		}
	}
}

func (e *elements) give(length int) error {
	el := Element{Text: e.buf[e.pos : e.pos+length], Offset: e.base + int64(e.pos)}
	if length > e.longest {
		el.Damage, el.Length = fmt.Sprintf("the element is longer than %d bytes", e.longest), int64(length)
	}
	e.pos += length
	return e.yield(el)
}

func (e *elements) damage(length int, why string) error {
	el := Element{Offset: e.base + int64(e.pos), Length: int64(length), Damage: why}
	e.pos += length
	return e.yield(el)
}
