package casefile

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// SourceID is the SHA-256 of a sealed source, as 64 lower-case hexadecimal digits.
type SourceID string

// ParseSourceID accepts exactly 64 lower-case hexadecimal digits.
func ParseSourceID(s string) (SourceID, error) {
	if len(s) != 64 || s != strings.ToLower(s) {
		return "", fmt.Errorf("source id %q: want 64 lower-case hexadecimal digits", s)
	}
	if _, err := hex.DecodeString(s); err != nil {
		return "", fmt.Errorf("source id %q: %w", s, err)
	}
	return SourceID(s), nil
}

// Short is the first twelve digits: enough to tell the sources of one case apart when
// read by a person, never used as an identity.
func (id SourceID) Short() string {
	if len(id) < 12 {
		return string(id)
	}
	return string(id[:12])
}

// RowRef is the address of one original row.
type RowRef struct {
	Source SourceID // the sealed file
	Table  string   // source table, as the source names it
	Row    int64    // ordinal of the row in that table of that source, from 1
	Offset int64    // of the row's first byte in the source's content; in some formats another address (docs/formats/case-folder.md, Offsets)
}

// String is the form people copy and `unspoof show` takes: source:table:row@offset.
// A colon, at sign, percent sign or control byte in the table name is percent-encoded.
func (r RowRef) String() string {
	return string(r.Source) + ":" + escapeTable(r.Table) + ":" +
		strconv.FormatInt(r.Row, 10) + "@" + strconv.FormatInt(r.Offset, 10)
}

// ParseRowRef reads what [RowRef.String] writes. The source may be shortened to a prefix of
// at least eight digits; the caller resolves it against the case's sources.
func ParseRowRef(s string) (RowRef, error) {
	bad := func(why string) (RowRef, error) {
		return RowRef{}, fmt.Errorf("row reference %q: %s (want source:table:row@offset)", s, why)
	}
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return bad("needs two colons")
	}
	src := parts[0]
	if len(src) < 8 || len(src) > 64 || strings.Trim(src, "0123456789abcdef") != "" {
		return bad("the source is 8 to 64 lower-case hexadecimal digits")
	}
	table, err := unescapeTable(parts[1])
	if err != nil || table == "" {
		return bad("the table name is not readable")
	}
	row, off, ok := strings.Cut(parts[2], "@")
	if !ok {
		return bad("needs an at sign before the offset")
	}
	n, err := strconv.ParseInt(row, 10, 64)
	if err != nil || n < 1 {
		return bad("the row is a number from 1")
	}
	o, err := strconv.ParseInt(off, 10, 64)
	if err != nil {
		return bad("the offset is a number")
	}
	return RowRef{Source: SourceID(src), Table: table, Row: n, Offset: o}, nil
}

func escapeTable(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < 0x20 || c == 0x7f || c == ':' || c == '@' || c == '%' || c == '/' || c == '\\':
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unescapeTable(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("cut escape in %q", s)
		}
		v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", err
		}
		b.WriteByte(byte(v))
		i += 2
	}
	return b.String(), nil
}
