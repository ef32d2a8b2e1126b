package mysqldump

import (
	"bytes"
	"fmt"
	"regexp"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/segment"
)

// scanRow reads the row whose opening parenthesis is b[i] and appends its cells to fields.
// next is behind the closing parenthesis. On any error fields is returned as it came.
func scanRow(b []byte, i int, fields []dump.Field) (_ []dump.Field, next int, err error) {
	was := len(fields)
	if b[i] != '(' {
		return fields, i, fmt.Errorf("%q stands where a row should begin", segment.Clip(b[i:]))
	}
	i++
	for {
		if i >= len(b) {
			return fields[:was], i, segment.ErrMore
		}
		// One cell.
		switch c := b[i]; {
		case c == '\'':
			form := dump.Quoted
			i++
			start := i
			for {
				if i >= len(b) {
					return fields[:was], i, segment.ErrMore
				}
				if c := b[i]; c == '\\' {
					form = dump.Escaped
					i += 2
					continue
				} else if c != '\'' {
					i++
					continue
				}
				if i+1 >= len(b) {
					return fields[:was], i, segment.ErrMore
				}
				if b[i+1] != '\'' {
					break
				}
				form = dump.Escaped
				i += 2
			}
			fields = append(fields, dump.NewField(start, i-start, form))
			i++
		case c >= '0' && c <= '9' || c == '-':
			start := i
			for i++; i < len(b) && b[i] != ',' && b[i] != ')'; i++ {
				if c := b[i]; !(c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-') {
					if c == 'x' && i == start+1 && b[start] == '0' || segment.IsSpace(c) {
						break
					}
					return fields[:was], i, fmt.Errorf("%q is not a number", segment.Clip(b[start:]))
				}
			}
			if i < len(b) && b[i] == 'x' {
				start = i + 1
				for i++; i < len(b) && isHex(b[i]); i++ {
				}
				fields = append(fields, dump.NewField(start, i-start, dump.Hex))
			} else {
				fields = append(fields, dump.NewField(start, i-start, dump.Bare))
			}
		case c == 'N' && i+4 < len(b) && b[i+1] == 'U' && b[i+2] == 'L' && b[i+3] == 'L':
			i += 4
			fields = append(fields, dump.Field{})
		case segment.IsSpace(c): // phpMyAdmin writes a space behind each comma, Adminer a tab
			i++
			continue
		default:
			f, end, err := scanWord(b, i)
			if err != nil {
				return fields[:was], i, err
			}
			fields = append(fields, f)
			i = end
		}
		// What follows a cell.
		if i < len(b) && b[i] <= ' ' {
			i = segment.SkipSpace(b, i)
		}
		if i >= len(b) {
			return fields[:was], i, segment.ErrMore
		}
		switch b[i] {
		case ',':
			i++
		case ')':
			return fields, i + 1, nil
		default:
			return fields[:was], i, fmt.Errorf("%q stands behind a cell", segment.Clip(b[i:]))
		}
	}
}

// scanWord reads the rarer cells: words (NULL, TRUE), literals with a prefix (_binary '..',
// b'01', x'4D'), and expressions such as CAST(...).
func scanWord(b []byte, i int) (f dump.Field, next int, err error) {
	start := i
	for i < len(b) && (isLetter(b[i]) || b[i] == '_' || b[i] >= '0' && b[i] <= '9') {
		i++
	}
	word := b[start:i]
	if i >= len(b) {
		return f, i, segment.ErrMore
	}
	if len(word) == 0 {
		return f, i, fmt.Errorf("%q is not a cell", segment.Clip(b[start:]))
	}
	quoteAt := i
	if word[0] == '_' {
		quoteAt = segment.SkipSpace(b, i)
		if quoteAt == len(b) {
			return f, i, segment.ErrMore
		}
	}
	switch {
	case b[quoteAt] == '\'':
		s, e, escaped, err := scanString(b, quoteAt)
		if err != nil {
			return f, i, err
		}
		form := dump.Quoted
		if escaped {
			form = dump.Escaped
		}
		switch {
		case len(word) == 1 && (word[0] == 'b' || word[0] == 'B'):
			form = dump.Bits
		case len(word) == 1 && (word[0] == 'x' || word[0] == 'X'):
			form = dump.Hex
		case len(word) == 1 && (word[0] == 'n' || word[0] == 'N'), word[0] == '_':
		default:
			return f, i, fmt.Errorf("%q is not a cell", segment.Clip(b[start:]))
		}
		return dump.NewField(s, e-s, form), e + 1, nil
	case word[0] == '_' && b[quoteAt] == '0' && quoteAt+1 < len(b) && b[quoteAt+1] == 'x':
		s := quoteAt + 2
		for i = s; i < len(b) && isHex(b[i]); i++ {
		}
		return dump.NewField(s, i-s, dump.Hex), i, nil
	case b[i] == '(':
		end, err := closing(b, i)
		if err != nil {
			return f, i, err
		}
		return scanCall(b, start, end)
	case bytes.EqualFold(word, []byte("NULL")):
		return f, i, nil
	case bytes.EqualFold(word, []byte("TRUE")), bytes.EqualFold(word, []byte("FALSE")),
		bytes.EqualFold(word, []byte("DEFAULT")), bytes.EqualFold(word, []byte("CURRENT_TIMESTAMP")):
		return dump.NewField(start, i-start, dump.Expr), i, nil
	}
	return f, i, fmt.Errorf("%q is not a cell", segment.Clip(b[start:]))
}

// scanCall reads the cell that begins with a function's name at b[start], whose arguments
// end at b[end]. Adminer writes binary values as UNHEX('hex') and bits as CONV('bits', 2, 10) + 0;
// any other is kept as an expression.
func scanCall(b []byte, start, end int) (f dump.Field, next int, err error) {
	next = end
	for next < len(b) && b[next] != ',' && b[next] != ')' {
		switch c := b[next]; {
		case c == '\n' || c == ';' || c == '\'':
			return f, next, fmt.Errorf("%q stands behind a cell", segment.Clip(b[next:]))
		case c == '(':
			if next, err = closing(b, next); err != nil {
				return f, next, err
			}
		default:
			next++
		}
	}
	if next == len(b) {
		return f, next, segment.ErrMore
	}
	if m := literalCall.FindSubmatchIndex(b[start:next]); m != nil && m[2] >= 0 {
		return dump.NewField(start+m[2], m[3]-m[2], dump.Hex), next, nil
	} else if m != nil {
		return dump.NewField(start+m[4], m[5]-m[4], dump.Bits), next, nil
	}
	return dump.NewField(start, len(bytes.TrimRight(b[start:next], " \t\r")), dump.Expr), next, nil
}

var literalCall = regexp.MustCompile(`^(?i:UNHEX)\('((?:[0-9A-Fa-f]{2})*)'\)\s*$|^(?i:CONV)\('([01]{1,64})', 2, 10\) \+ 0\s*$`)

// scanString reads the quoted string at b[i]; its content is b[start:end].
func scanString(b []byte, i int) (start, end int, escaped bool, err error) {
	start = i + 1
	for i = start; i < len(b); i++ {
		switch b[i] {
		case '\\':
			escaped = true
			i++
		case '\'':
			if i+1 >= len(b) {
				return 0, 0, false, segment.ErrMore
			}
			if b[i+1] != '\'' {
				return start, i, escaped, nil
			}
			escaped = true
			i++
		}
	}
	return 0, 0, false, segment.ErrMore
}

// maxNesting bounds the parentheses of an expression, so that what looks like the beginning of
// a row again and again is not each time read to the end of the file.
const maxNesting = 16

// closing finds the end of the parenthesis that opens at b[i], minding strings.
func closing(b []byte, i int) (end int, err error) {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '(':
			if depth++; depth > maxNesting {
				return 0, fmt.Errorf("an expression nests deeper than %d", maxNesting)
			}
		case ')':
			if depth--; depth == 0 {
				return i + 1, nil
			}
		case '\'':
			_, e, _, err := scanString(b, i)
			if err != nil {
				return 0, err
			}
			i = e
		case '\n', ';':
			return 0, fmt.Errorf("an expression does not end on its line")
		}
	}
	return 0, segment.ErrMore
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
