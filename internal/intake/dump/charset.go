package dump

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Charset is the character set of a source's text, by MySQL's name in lower case. The empty
// charset is utf8mb4.
type Charset string

// ParseCharset accepts the character sets this program decodes.
func ParseCharset(name string) (Charset, error) {
	switch c := Charset(strings.ToLower(name)); c {
	case "utf8mb4", "utf8", "utf8mb3", "ascii", "":
		return "utf8mb4", nil
	case "latin1", "cp1251", "gbk", "binary":
		return c, nil
	default:
		return "", fmt.Errorf("character set %q is not one this program decodes", name)
	}
}

// Decode gives the text in UTF-8, and false when the bytes are not valid in the charset.
// MySQL's latin1 is Windows-1252 with its five gaps read as the C1 controls.
func (c Charset) Decode(b []byte) ([]byte, bool) {
	if isASCII(b) {
		return b, true
	}
	switch c {
	case "latin1":
		out := make([]byte, 0, len(b)+len(b)/2)
		for _, x := range b {
			r := charmap.Windows1252.DecodeByte(x)
			if r == utf8.RuneError {
				r = rune(x)
			}
			out = utf8.AppendRune(out, r)
		}
		return out, true
	case "cp1251":
		out := make([]byte, 0, 2*len(b))
		for _, x := range b {
			r := charmap.Windows1251.DecodeByte(x)
			if r == utf8.RuneError {
				return nil, false
			}
			out = utf8.AppendRune(out, r)
		}
		return out, true
	case "gbk":
		out, err := simplifiedchinese.GBK.NewDecoder().Bytes(b)
		if err != nil || strings.ContainsRune(string(out), utf8.RuneError) {
			return nil, false
		}
		return out, true
	default:
		return b, utf8.Valid(b)
	}
}

func isASCII(b []byte) bool {
	const highs = 0x8080808080808080
	if len(b) < 8 {
		for _, c := range b {
			if c >= 0x80 {
				return false
			}
		}
		return true
	}
	for last := b[len(b)-8:]; ; b = b[8:] {
		if len(b) <= 8 {
			return binary.LittleEndian.Uint64(last)&highs == 0
		}
		if binary.LittleEndian.Uint64(b)&highs != 0 {
			return false
		}
	}
}
