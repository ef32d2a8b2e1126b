package verify

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// commas are what can separate fields.
const commas = ",;\t|"

// readRecord gives the text of the CSV record that begins here, without its line end, and
// passes over it; io.EOF when nothing is left. A quoted field may hold line ends (RFC 4180).
// Without a comma (0), as long as it is not known, a field begins behind any that can be one.
// The text is valid until the next read.
func readRecord(in *input, comma byte) ([]byte, error) {
	if !in.has(0) {
		if err := in.failed(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	quoted, start := false, true
	for i, w := 0, in.buf[in.pos:]; ; i++ {
		for i >= len(w) {
			if !in.more() {
				if err := in.failed(); err != nil {
					return nil, err
				}
				w = in.buf[in.pos:]
				in.skip(len(w))
				if quoted {
					return nil, fmt.Errorf("%w: the file ends inside a quoted field", errRow)
				}
				return bytes.TrimSuffix(w, []byte("\r")), nil
			}
			w = in.buf[in.pos:]
		}
		switch c := w[i]; {
		case quoted:
			quoted = c != '"' // a doubled quote closes and opens again
			start = !quoted   // so that the second of two opens
		case c == '"' && start:
			quoted = true
		case c == '\n':
			in.skip(i + 1)
			return bytes.TrimSuffix(w[:i], []byte("\r")), nil
		default:
			start = c == comma || comma == 0 && strings.IndexByte(commas, c) >= 0
		}
	}
}

// splitRecord takes a record's text apart. cells is reused.
func splitRecord(text []byte, comma byte, cells []cell) []cell {
	cells = cells[:0]
	for {
		var field []byte
		end := -1
		if len(text) > 0 && text[0] == '"' {
			field, end = quotedField(text, comma)
		} else {
			if end = bytes.IndexByte(text, comma); end < 0 {
				end = len(text)
			}
			field = text[:end]
		}
		cells = append(cells, cell{form: formQuoted, value: field, text: text[:end]})
		if end == len(text) {
			return cells
		}
		text = text[end+1:]
	}
}

// quotedField reads a field that begins with a quote, and gives where it ends.
func quotedField(text []byte, comma byte) (field []byte, end int) {
	if i := bytes.IndexByte(text[1:], '"'); i >= 0 && (i+2 == len(text) || text[i+2] == comma) {
		return text[1 : i+1], i + 2
	}
	field = make([]byte, 0, len(text))
	inside := true
	i := 1
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case inside && c == '"' && i+1 < len(text) && text[i+1] == '"':
			i++
		case inside && c == '"':
			inside = false
			continue
		case !inside && c == comma:
			return field, i
		}
		field = append(field, c)
	}
	return field, i
}

// findComma tells which byte separates the fields of a header line: the one that occurs most
// outside quotes.
func findComma(header []byte) byte {
	best, most := byte(','), 0
	for _, comma := range []byte(commas) {
		if n := len(splitRecord(header, comma, nil)); n > most {
			best, most = comma, n
		}
	}
	return best
}
