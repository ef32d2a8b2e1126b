package pgdump

import (
	"encoding/hex"
	"unicode/utf8"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// form says how a cell is written.
type form uint8

const (
	null    form = iota
	bare         // a number or word
	plain        // text that stands for itself
	copied       // text with COPY's escapes
	doubled      // text in which a doubled quote is one
	escaped      // E'..': backslash escapes and doubled quotes
	expr         // not a literal
)

// raw is where a cell stands.
type raw struct {
	start, end int
	form       form
}

// field makes a cell's field, and undoes its escapes in place: what a cell stands for is
// never longer than what is written.
func (c raw) field(b []byte, binary bool) dump.Field {
	switch c.form {
	case null:
		return dump.Field{}
	case bare:
		return dump.NewField(c.start, c.end-c.start, dump.Bare)
	case expr:
		return dump.NewField(c.start, c.end-c.start, dump.Expr)
	}
	if binary {
		if f, ok := c.hex(b); ok {
			return f
		}
	}
	end := c.end
	if c.form != plain {
		end = c.start + len(c.decode(b[c.start:c.start], b[c.start:c.end]))
	}
	if !binary {
		return dump.NewField(c.start, end-c.start, dump.Quoted)
	}
	if f, ok := (raw{c.start, end, plain}).hex(b); ok {
		return f
	}
	if v, ok := unescapeBytea(b[c.start:c.start], b[c.start:end]); ok {
		end = c.start + len(v)
	}
	return dump.NewField(c.start, end-c.start, dump.Quoted)
}

// kept makes a cell's field without changing the row's bytes: what cannot be said of them as
// they stand is appended to text.
func (c raw) kept(text []byte, binary bool) ([]byte, dump.Field) {
	switch {
	case c.form == null || c.form == bare || c.form == expr:
		return text, c.field(text, false)
	case binary:
		if f, ok := c.hex(text); ok {
			return text, f
		}
	case c.form == plain:
		return text, c.field(text, false)
	case c.known(text[c.start:c.end]):
		return text, dump.NewField(c.start, c.end-c.start, dump.Escaped)
	}
	n := len(text)
	text = append(text, text[c.start:c.end]...)
	return text, raw{n, len(text), c.form}.field(text, binary)
}

// known reports whether package dump's Escaped form undoes the escapes of v.
func (c raw) known(v []byte) bool {
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '\'':
			if c.form != copied {
				i++ // the other one of a pair
			} else if i+1 < len(v) && v[i+1] == '\'' {
				return false
			}
		case '\\':
			if c.form == doubled || i+1 == len(v) {
				return false
			}
			i++
			switch v[i] {
			case '\\', 'b', 'n', 'r', 't':
			default:
				return false
			}
		}
	}
	return true
}

// hex gives the digits of a bytea in hexadecimal form.
func (c raw) hex(b []byte) (dump.Field, bool) {
	v := b[c.start:c.end]
	n := 2 // \x
	if (c.form == copied || c.form == escaped) && len(v) > 2 && v[0] == '\\' && v[1] == '\\' {
		v, n = v[1:], 3 // \\x
	} else if c.form == copied || c.form == escaped {
		return dump.Field{}, false
	}
	if len(v) < 2 || v[0] != '\\' || v[1] != 'x' || len(v)%2 != 0 {
		return dump.Field{}, false
	}
	for _, x := range v[2:] {
		if !isHex(x) {
			return dump.Field{}, false
		}
	}
	return dump.NewField(c.start+n, len(v)-2, dump.Hex), true
}

// decode appends what v stands for to dst, which may lie in front of v in the same array.
func (c raw) decode(dst, v []byte) []byte {
	for i := 0; i < len(v); i++ {
		x := v[i]
		if x == '\'' && c.form != copied && i+1 < len(v) && v[i+1] == '\'' {
			i++
		} else if x == '\\' && c.form != doubled && i+1 < len(v) {
			i++
			switch x = v[i]; {
			case x == 'b':
				x = '\b'
			case x == 'f':
				x = '\f'
			case x == 'n':
				x = '\n'
			case x == 'r':
				x = '\r'
			case x == 't':
				x = '\t'
			case x == 'v' && c.form == copied:
				x = '\v'
			case x >= '0' && x <= '7':
				n := x - '0'
				for k := 0; k < 2 && i+1 < len(v) && v[i+1] >= '0' && v[i+1] <= '7'; k++ {
					i++
					n = n<<3 | (v[i] - '0')
				}
				x = n
			case x == 'x' && i+1 < len(v) && isHex(v[i+1]):
				n := byte(0)
				for k := 0; k < 2 && i+1 < len(v) && isHex(v[i+1]); k++ {
					i++
					n = n<<4 | nibble(v[i])
				}
				x = n
			case (x == 'u' || x == 'U') && c.form == escaped:
				digits := 4
				if x == 'U' {
					digits = 8
				}
				if i+digits < len(v) {
					if r, ok := codePoint(v[i+1 : i+1+digits]); ok {
						i += digits
						dst = utf8.AppendRune(dst, r)
						continue
					}
				}
			}
		}
		dst = append(dst, x)
	}
	return dst
}

// unescapeBytea undoes bytea's escape form: \\ and \ooo.
func unescapeBytea(dst, v []byte) ([]byte, bool) {
	for i := 0; i < len(v); i++ { // checked first: dst may lie in v
		if v[i] != '\\' {
			continue
		}
		switch {
		case i+1 < len(v) && v[i+1] == '\\':
			i++
		case i+3 < len(v) && v[i+1] >= '0' && v[i+1] <= '3' && v[i+2] >= '0' && v[i+2] <= '7' && v[i+3] >= '0' && v[i+3] <= '7':
			i += 3
		default:
			return nil, false
		}
	}
	for i := 0; i < len(v); i++ {
		x := v[i]
		if x == '\\' {
			if i++; v[i] != '\\' {
				x = (v[i]-'0')<<6 | (v[i+1]-'0')<<3 | (v[i+2] - '0')
				i += 2
			}
		}
		dst = append(dst, x)
	}
	return dst, true
}

func codePoint(digits []byte) (rune, bool) {
	n := rune(0)
	for _, d := range digits {
		if !isHex(d) || n > 0x10ffff {
			return 0, false
		}
		n = n<<4 | rune(nibble(d))
	}
	return n, utf8.ValidRune(n) && n != 0
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func nibble(c byte) byte {
	var b [1]byte
	if _, err := hex.Decode(b[:], []byte{'0', c}); err != nil {
		return 0 // isHex was asked
	}
	return b[0]
}
