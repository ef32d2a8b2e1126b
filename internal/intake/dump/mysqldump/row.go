package mysqldump

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
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
		if fields, i = plainCells(b, i, fields); b[i-1] == ')' {
			return fields, i, nil
		}
		f, end, err := scanCell(b, i)
		if err != nil {
			return fields[:was], end, err
		}
		end = segment.SkipSpace(b, end)
		if end >= len(b) {
			return fields[:was], end, segment.ErrMore
		}
		fields = append(fields, f)
		i = end + 1
		switch b[end] {
		case ',':
		case ')':
			return fields, i, nil
		default:
			return fields[:was], end, fmt.Errorf("%q stands behind a cell", segment.Clip(b[end:]))
		}
	}
}

// Eight bytes at a time: each constant is one byte in all eight places.
const (
	ones        = 0x0101010101010101
	highs       = 0x80 * ones
	zeros       = '0' * ones
	apostrophes = '\'' * ones
	backslashes = '\\' * ones
)

// plainCells reads cells from b[i] on as long as each is a number without an exponent, text
// without escapes, or NULL, a comma or parenthesis follows, and the segment's end is not near.
// next is behind that comma or parenthesis.
func plainCells(b []byte, i int, fields []dump.Field) (_ []dump.Field, next int) {
next:
	for i+8 <= len(b) {
		word := binary.LittleEndian.Uint64(b[i:])
		end := i
		switch c := byte(word); {
		case c-'0' <= 9 || c == '-':
			if c == '-' {
				end++
			}
			for ; end+8 <= len(b); end += 8 {
				word := binary.LittleEndian.Uint64(b[end:]) ^ zeros
				// The highest bit of each byte that is no digit; sure up to the first that is not ASCII.
				for others := (word + ones*(0x80-10) | word) & highs; others != 0; others &= others - 1 {
					at := end + bits.TrailingZeros64(others)/8
					switch b[at] {
					case '.':
						continue
					case ',':
						fields = append(fields, dump.NewField(i, at-i, dump.Bare))
						i = at + 1
						continue next
					case ')':
						return append(fields, dump.NewField(i, at-i, dump.Bare)), at + 1
					}
					return fields, i
				}
			}
			return fields, i
		case c == '\'':
			for end++; end+8 <= len(b); end += 8 {
				word := binary.LittleEndian.Uint64(b[end:])
				quote, slash := word^apostrophes, word^backslashes
				// The highest bit of each byte that is zero; sure up to the first.
				found := ((quote-ones)&^quote | (slash-ones)&^slash) & highs
				if found == 0 {
					continue
				}
				end += bits.TrailingZeros64(found) / 8
				if b[end] == '\\' || end+1 == len(b) {
					return fields, i
				}
				f := dump.NewField(i+1, end-i-1, dump.Quoted)
				switch b[end+1] {
				case ',':
					fields = append(fields, f)
					i = end + 2
					continue next
				case ')':
					return append(fields, f), end + 2
				}
				return fields, i
			}
			return fields, i
		case uint32(word) == 'N'|'U'<<8|'L'<<16|'L'<<24 && b[i+4] == ',':
			fields = append(fields, dump.Field{})
			i += 5
		default:
			return fields, i
		}
	}
	return fields, i
}

// scanCell reads any cell; end is behind it.
func scanCell(b []byte, i int) (f dump.Field, end int, err error) {
	i = segment.SkipSpace(b, i) // phpMyAdmin writes a space behind each comma, Adminer a tab
	if i == len(b) {
		return f, i, segment.ErrMore
	}
	switch c := b[i]; {
	case c == '\'':
		start, end, escaped, err := scanString(b, i)
		if err != nil {
			return f, i, err
		}
		form := dump.Quoted
		if escaped {
			form = dump.Escaped
		}
		return dump.NewField(start, end-start, form), end + 1, nil
	case c >= '0' && c <= '9' || c == '-':
		start := i
		for i++; i < len(b) && b[i] != ',' && b[i] != ')'; i++ {
			if c := b[i]; !(c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-') {
				if c == 'x' && i == start+1 && b[start] == '0' || segment.IsSpace(c) {
					break
				}
				return f, i, fmt.Errorf("%q is not a number", segment.Clip(b[start:]))
			}
		}
		if i == len(b) || b[i] != 'x' {
			return dump.NewField(start, i-start, dump.Bare), i, nil
		}
		start = i + 1
		for i++; i < len(b) && isHex(b[i]); i++ {
		}
		return dump.NewField(start, i-start, dump.Hex), i, nil
	}
	return scanWord(b, i)
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
