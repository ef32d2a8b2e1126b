package mysqldump

import (
	"bytes"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// cells are rests of a row, and whether the first cell is plain.
var cells = map[string]bool{
	"1,'next cell')":                     true,
	"0)         ":                        true,
	"-7,        ":                        true,
	"-,         ":                        true,
	"1234567,   ":                        true,
	"12345678,        more":              true,
	"123456789012345678901234,     more": true,
	"0.159588,         ":                 true,
	"1.2.3,     ":                        true,
	"...,,,,,,":                          false,
	"1e5,       ":                        false,
	"1-2,       ":                        false,
	"+1,        ":                        false,
	"0x4D,      ":                        false,
	"12 ,       ":                        false,
	"12/4,      ":                        false,
	"1:2,       ":                        false,
	"1\xb02,       ":                     false,
	"1\xff2,       ":                     false,
	"12":                                 false,
	"12345678":                           false,
	"1234567890123456":                   false,
	"NULL,      ":                        true,
	"NULL)      ":                        false,
	"NULL ,     ":                        false,
	"NULLABLE,  ":                        false,
	"'',        ":                        true,
	"'a',       ":                        true,
	"'a')       ":                        true,
	"'a' ,      ":                        false,
	"'a''b',    ":                        false,
	"'a\\'b',    ":                       false,
	"'1234567',  ":                       true,
	"'a text longer than a word, with (signs), in it',1": true,
	"'a text longer than a word, with (signs) \\n it',1": false,
	"'no end":          false,
	"'no end of eight": false,
}

func TestPlainCells(t *testing.T) {
	for text, plain := range cells {
		if fields, _ := plainCells([]byte(text), 0, nil); (len(fields) > 0) != plain {
			t.Errorf("%q: %d plain cells", text, len(fields))
		}
		samePlain(t, []byte(text))
	}
}

// FuzzPlainCells compares the short way with the long one.
func FuzzPlainCells(f *testing.F) {
	for text := range cells {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { samePlain(t, text) })
}

// samePlain says that what plainCells gives is what scanCell gives, at every place of a text.
func samePlain(t *testing.T, text []byte) {
	t.Helper()
	for i := range text {
		fields, next := plainCells(text, i, nil)
		at := i
		for _, f := range fields {
			want, end, err := scanCell(text, at)
			if err != nil || f != want || end == len(text) || text[end] != ',' && text[end] != ')' || f.Form() == dump.Escaped {
				t.Fatalf("%q at %d: plain %v; in full %v to %d, %v", text, at, f, want, end, err)
			}
			at = end + 1
		}
		if at != next || len(fields) > 0 && bytes.IndexByte(text[i:next-1], ')') >= 0 && !bytes.ContainsRune(text[i:next-1], '\'') {
			t.Fatalf("%q from %d: %d cells end at %d, want %d", text, i, len(fields), next, at)
		}
	}
}
