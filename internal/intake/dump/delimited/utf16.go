package delimited

import (
	"encoding/binary"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// wideReader turns UTF-16 into UTF-8 of which units gives the number of code units again. A
// code unit that is no character becomes U+FFFD, a byte without its second is dropped.
type wideReader struct {
	src     io.Reader
	order   byte
	raw     []byte // read and not yet decoded
	out     []byte // decoded and not yet given
	err     error
	invalid int64
}

func newWideReader(src io.Reader, order byte) *wideReader { return &wideReader{src: src, order: order} }

func (w *wideReader) Read(p []byte) (int, error) {
	for len(w.out) == 0 {
		if w.err != nil {
			return 0, w.err
		}
		had := len(w.raw)
		buf := make([]byte, had+64<<10)
		copy(buf, w.raw)
		n, err := io.ReadFull(w.src, buf[had:])
		buf = buf[:had+n]
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		w.err = err
		var used int
		w.out, used, n = appendWide(nil, buf, w.order, err != nil)
		w.invalid += int64(n)
		w.raw = buf[used:]
		if err == io.EOF && len(w.raw) > 0 {
			w.invalid++
		}
	}
	n := copy(p, w.out)
	w.out = w.out[n:]
	return n, nil
}

// appendWide decodes b. Unless last, a high surrogate at the end is left for later.
func appendWide(dst, b []byte, order byte, last bool) (_ []byte, used, invalid int) {
	unit := binary.LittleEndian.Uint16
	if order == 'b' {
		unit = binary.BigEndian.Uint16
	}
	for used+1 < len(b) {
		r := rune(unit(b[used:]))
		size := 2
		if utf16.IsSurrogate(r) {
			if r < 0xDC00 && used+3 >= len(b) && !last {
				return dst, used, invalid
			}
			low := rune(0)
			if used+3 < len(b) {
				low = rune(unit(b[used+2:]))
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				invalid++
			} else {
				size = 4
			}
		}
		dst = utf8.AppendRune(dst, r)
		used += size
	}
	return dst, used, invalid
}

func decodeWide(b []byte, order byte) []byte {
	out, _, _ := appendWide(nil, b, order, true)
	return out
}

// units counts the UTF-16 code units of valid UTF-8.
func units(b []byte) (n int64) {
	for _, c := range b {
		if c < 0x80 || c >= 0xC0 { // begins a character
			n++
		}
		if c >= 0xF0 { // of two code units
			n++
		}
	}
	return n
}
