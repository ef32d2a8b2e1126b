package verify

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// form says how a source wrote a value.
type form uint8

const (
	formNull    form = iota // NULL, or a field that is missing
	formBare                // a number
	formQuoted              // text
	formLiteral             // 0xHEX, X'HEX', b'101': bytes
	formExpr                // anything else: no value, only text
	formSkip                // a value this checker does not read: not compared
)

// cell is one value of a row.
type cell struct {
	form  form
	value []byte // unescaped, decoded from its digits
	text  []byte // as the source wrote it
}

var errRow = errors.New("does not read as a row")

// readTuple gives the text of the parenthesised row that begins here, and passes over it.
// The text is valid until the next read.
func readTuple(in *input) ([]byte, error) {
	if in.at(0) != '(' {
		return nil, fmt.Errorf("%w: no opening parenthesis", errRow)
	}
	depth, quote := 0, byte(0)
	for i, w := 0, in.buf[in.pos:]; ; i++ {
		for i >= len(w) {
			if !in.more() {
				if err := in.failed(); err != nil {
					return nil, err
				}
				return nil, fmt.Errorf("%w: it is cut by the end of the file", errRow)
			}
			w = in.buf[in.pos:]
		}
		switch c := w[i]; {
		case quote != 0:
			if c == '\\' && quote != '`' {
				i++
			} else if c == quote {
				quote = 0 // a doubled quote closes and opens again
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				in.skip(i + 1)
				return w[:i+1], nil
			}
		}
	}
}

// splitTuple takes a row's text apart. cells is reused.
func splitTuple(text []byte, cells []cell) ([]cell, error) {
	cells = cells[:0]
	if len(text) < 2 || text[0] != '(' || text[len(text)-1] != ')' {
		return cells, fmt.Errorf("%w: no parentheses", errRow)
	}
	for i := 1; ; {
		for isSpace(text[i]) {
			i++
		}
		end := itemEnd(text, i)
		if end < 0 || text[end] == ')' && end != len(text)-1 {
			return cells, fmt.Errorf("%w: its quotes or parentheses do not match", errRow)
		}
		word := bytes.TrimRight(text[i:end], " \t\r\n")
		if len(word) == 0 {
			return cells, fmt.Errorf("%w: value %d is empty", errRow, len(cells)+1)
		}
		cells = append(cells, readValue(word))
		if end == len(text)-1 {
			return cells, nil
		}
		i = end + 1
	}
}

// itemEnd finds the comma or the closing parenthesis behind the item at i, -1 if there is none.
func itemEnd(s []byte, i int) int {
	depth, quote := 0, byte(0)
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == '\\' && quote != '`' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '(':
			depth++
		case (c == ')' || c == ',') && depth == 0:
			return i
		case c == ')':
			depth--
		}
	}
	return -1
}

var number = regexp.MustCompile(`^[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?$`)

// readValue reads one value without space around it.
func readValue(word []byte) cell {
	c := cell{text: word, form: formExpr}
	if bytes.EqualFold(word, []byte("NULL")) {
		c.form = formNull
		return c
	}
	body := word
	if body[0] == '_' { // an introducer: _binary '...', _utf8mb4'...'
		n := 1
		for n < len(body) && isWord(body[n]) {
			n++
		}
		if rest := bytes.TrimLeft(body[n:], " \t\r\n"); len(rest) > 0 {
			body = rest
		}
	}
	switch first := body[0]; {
	case first == '\'' || first == '"':
		if v, ok := unquote(body); ok {
			c.form, c.value = formQuoted, v
		}
	case len(body) > 2 && first == '0' && (body[1] == 'x' || body[1] == 'b') && isDigits(body[2:], body[1]):
		c.form, c.value = formLiteral, digits(body[2:], body[1])
	case len(body) > 2 && body[1] == '\'' && body[len(body)-1] == '\'' && (first|0x20 == 'x' || first|0x20 == 'b'):
		if in := body[2 : len(body)-1]; isDigits(in, first|0x20) {
			c.form, c.value = formLiteral, digits(in, first|0x20)
		}
	case number.Match(word):
		c.form, c.value = formBare, word
	default: // what Adminer writes for binary values and for bits
		if m := calls.FindSubmatch(word); m != nil {
			base := byte('x')
			if m[1] == nil {
				base = 'b'
			}
			c.form, c.value = formLiteral, digits(append(m[1], m[2]...), base)
		}
	}
	return c
}

var calls = regexp.MustCompile(`^(?i)(?:UNHEX\('((?:[0-9a-f]{2})*)'\)|CONV\('([01]{1,64})', 2, 10\) \+ 0)$`)

// unquote undoes one quoted string by the rules of the MySQL manual ("String Literals"); ok is
// false when anything follows it.
func unquote(s []byte) (value []byte, ok bool) {
	quote, in := s[0], s[1:]
	if n := len(in) - 1; n >= 0 && in[n] == quote && bytes.IndexByte(in[:n], '\\') < 0 && bytes.IndexByte(in[:n], quote) < 0 {
		return in[:n], true
	}
	value = make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		b := in[i]
		switch {
		case b == quote && i == len(in)-1:
			return value, true
		case b == quote && in[i+1] == quote:
			i++
		case b == quote:
			return nil, false
		case b == '\\' && i+1 < len(in):
			i++
			b = in[i]
			if at := strings.IndexByte("0btnrZ", b); at >= 0 {
				b = "\x00\b\t\n\r\x1a"[at]
			} else if b == '%' || b == '_' { // only a pattern would take the backslash away
				value = append(value, '\\')
			}
		}
		value = append(value, b)
	}
	return nil, false
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

func isWord(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '$' || b >= 0x80
}

// isDigits tells whether all are hexadecimal (base 'x') or binary (base 'b') digits.
func isDigits(s []byte, base byte) bool {
	for _, b := range s {
		low := b | 0x20
		if base == 'b' && b != '0' && b != '1' || base == 'x' && !(b >= '0' && b <= '9' || low >= 'a' && low <= 'f') {
			return false
		}
	}
	return true
}

// digits decodes hexadecimal or binary digits; what is short of a byte is padded on the left.
func digits(s []byte, base byte) []byte {
	text := string(s)
	if base == 'b' {
		text = strings.Repeat("0", (8-len(text)%8)%8) + text
		out := make([]byte, 0, len(text)/8)
		for ; len(text) > 0; text = text[8:] {
			v, _ := strconv.ParseUint(text[:8], 2, 8) // isDigits has passed
			out = append(out, byte(v))
		}
		return out
	}
	if len(text)%2 == 1 {
		text = "0" + text
	}
	out, _ := hex.DecodeString(text) // isDigits has passed
	return out
}
