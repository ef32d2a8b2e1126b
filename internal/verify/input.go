package verify

import (
	"errors"
	"io"
)

// input is a window over a stream: the bytes from pos on, as far as they have been asked for.
// It grows to the longest piece that must be seen whole, which maxRow bounds.
type input struct {
	r    io.Reader
	buf  []byte
	pos  int   // of the next byte in buf
	base int64 // offset in the stream of buf[0]
	err  error // of the stream; io.EOF at its end
}

// maxRow is the longest source row that is read.
const maxRow = 1 << 29

var errRowTooLong = errors.New("a row longer than 512 MiB")

func newInput(r io.Reader, offset int64) *input {
	return &input{r: r, base: offset, buf: make([]byte, 0, 256<<10)}
}

// offset is the place in the stream of the next byte.
func (in *input) offset() int64 { return in.base + int64(in.pos) }

// more makes the window longer; it is false at the end of the stream or on an error.
func (in *input) more() bool {
	if in.err != nil {
		return false
	}
	if in.pos > 0 && in.pos >= len(in.buf)/2 {
		n := copy(in.buf, in.buf[in.pos:])
		in.base += int64(in.pos)
		in.buf, in.pos = in.buf[:n], 0
	}
	if len(in.buf) == cap(in.buf) {
		if len(in.buf)-in.pos >= maxRow {
			in.err = errRowTooLong
			return false
		}
		bigger := make([]byte, len(in.buf), 2*cap(in.buf))
		copy(bigger, in.buf)
		in.buf = bigger
	}
	for range 100 {
		n, err := in.r.Read(in.buf[len(in.buf):cap(in.buf)])
		in.buf = in.buf[:len(in.buf)+n]
		if err != nil {
			in.err = err
		}
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	in.err = io.ErrNoProgress
	return false
}

// at gives byte i from here, 0 past the end. A NUL of the stream is told apart by has.
func (in *input) at(i int) byte {
	if !in.has(i) {
		return 0
	}
	return in.buf[in.pos+i]
}

// has reports whether there is a byte i from here.
func (in *input) has(i int) bool {
	for in.pos+i >= len(in.buf) {
		if !in.more() {
			return false
		}
	}
	return true
}

// skip passes over n bytes that has seen.
func (in *input) skip(n int) { in.pos += n }

// skipTo passes over bytes up to an offset of the stream; it is false when that is past the end.
func (in *input) skipTo(offset int64) bool {
	for offset > in.base+int64(len(in.buf)) {
		in.pos = len(in.buf)
		if !in.more() {
			return false
		}
	}
	if n := offset - in.base; n > int64(in.pos) {
		in.pos = int(n)
	}
	return true
}

// failed is the stream's error, nil at its plain end.
func (in *input) failed() error {
	if errors.Is(in.err, io.EOF) {
		return nil
	}
	return in.err
}
