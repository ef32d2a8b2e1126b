package verify

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// readObject gives the text of the JSON object that begins here, by its braces and strings
// (RFC 8259), and passes over it. The text is valid until the next read.
func readObject(in *input) ([]byte, error) {
	if in.at(0) != '{' {
		return nil, fmt.Errorf("%w: no opening brace", errRow)
	}
	depth, quoted := 0, false
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
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				in.skip(i + 1)
				return w[:i+1], nil
			}
		}
	}
}

// splitObject takes an object's text apart into its keys and values. A key that comes again is
// called key#2, and so on.
func splitObject(text []byte) (names []string, cells []cell, err error) {
	times := map[string]int{}
	rest := bytes.TrimSpace(text[1 : len(text)-1])
	for len(rest) > 0 {
		end := jsonEnd(rest)
		if end == 0 {
			return nil, nil, fmt.Errorf("%w: a key that does not end", errRow)
		}
		key, value, colon := bytes.Cut(rest[end:], []byte{':'})
		if rest[0] != '"' || !colon || len(bytes.TrimSpace(key)) > 0 {
			return nil, nil, fmt.Errorf("%w: a key without a value", errRow)
		}
		name, ok := unescape(rest[1 : end-1])
		if !ok {
			name = rest[1 : end-1]
		}
		if times[string(name)]++; times[string(name)] > 1 {
			name = fmt.Appendf(nil, "%s#%d", name, times[string(name)])
		}
		value = bytes.TrimSpace(value)
		if end = jsonEnd(value); end == 0 {
			return nil, nil, fmt.Errorf("%w: a key without a value", errRow)
		}
		names, cells = append(names, string(name)), append(cells, jsonCell(value[:end]))
		if rest = bytes.TrimSpace(value[end:]); len(rest) > 0 {
			if rest[0] != ',' {
				return nil, nil, fmt.Errorf("%w: no comma behind a value", errRow)
			}
			rest = bytes.TrimSpace(rest[1:])
		}
	}
	return names, cells, nil
}

// jsonEnd finds the end of the value at the beginning of s, 0 when there is none.
func jsonEnd(s []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			if quoted = !quoted; !quoted && depth == 0 {
				return i + 1
			}
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth <= 0 {
				return (i + 1) * (depth + 1) // 0 when it was never opened
			}
		case depth == 0 && (c == ',' || isSpace(c)):
			return i
		}
	}
	if depth > 0 || quoted {
		return 0
	}
	return len(s)
}

// jsonCell gives a value as a cell. Objects and arrays are their own text. Of MongoDB's
// Extended JSON an identifier and a whole number are unwrapped; its other types are not
// compared.
func jsonCell(raw []byte) cell {
	c := cell{form: formBare, value: raw, text: raw}
	switch raw[0] {
	case 'n':
		return cell{text: raw}
	case '"':
		c.form = formQuoted
		text, ok := unescape(raw[1 : len(raw)-1])
		if c.value = text; !ok {
			c.form = formExpr
		}
	case '[':
		c.form = formQuoted
	case '{':
		c.form = formQuoted
		inner := bytes.TrimSpace(raw[1 : len(raw)-1])
		if !bytes.HasPrefix(inner, []byte(`"$`)) {
			break
		}
		c.form = formSkip
		if len(raw) > 1<<10 { // no such value is that long, and hostile ones can be nested deep
			break
		}
		if names, cells, err := splitObject(raw); err == nil && len(names) == 1 && cells[0].form == formQuoted {
			switch names[0] {
			case "$oid":
				c.form, c.value = formQuoted, cells[0].value
			case "$numberInt", "$numberLong":
				c.form, c.value = formBare, cells[0].value
			}
		}
	}
	return c
}

// unescape undoes the escapes of a JSON string; ok is false when one stands for no character:
// half of a surrogate pair.
func unescape(s []byte) (text []byte, ok bool) {
	if bytes.IndexByte(s, '\\') < 0 {
		return s, true
	}
	for len(s) > 0 {
		if s[0] != '\\' || len(s) == 1 {
			text, s = append(text, s[0]), s[1:]
			continue
		}
		if at := strings.IndexByte("bfnrt", s[1]); at >= 0 {
			text, s = append(text, "\b\f\n\r\t"[at]), s[2:]
			continue
		}
		if s[1] != 'u' {
			text, s = append(text, s[1]), s[2:]
			continue
		}
		r, ok := codeUnit(s)
		if !ok {
			return nil, false
		}
		s = s[6:]
		if utf16.IsSurrogate(r) {
			low, ok := codeUnit(s)
			if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
				return nil, false
			}
			s = s[6:]
		}
		text = utf8.AppendRune(text, r)
	}
	return text, true
}

// codeUnit reads \uXXXX at the beginning of s.
func codeUnit(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	return rune(n), err == nil
}

// alike reports whether a table has columns whose names differ only by what isColumn takes for
// the same: then a key does not say which column is its own.
func (s *sourceTable) alike() bool {
	seen := map[string]bool{}
	for _, c := range s.columns {
		name := strings.TrimRight(strings.ToLower(c.name), "_")
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}
