package verify

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// column is one column of a source table and what its values must be.
type column struct {
	name             string
	kind             string // BIGINT, UBIGINT, DECIMAL, DOUBLE, DATE, TIMESTAMP, VARCHAR or BLOB
	precision, scale int
}

// newColumn reads a column's SQL type; source tables have no others.
func newColumn(name, sqlType string) (column, error) {
	c := column{name: name, kind: sqlType}
	switch sqlType {
	case "BIGINT", "UBIGINT", "DOUBLE", "DATE", "TIMESTAMP", "VARCHAR", "BLOB":
		return c, nil
	}
	if n, err := fmt.Sscanf(sqlType, "DECIMAL(%d,%d)", &c.precision, &c.scale); n == 2 && err == nil &&
		c.precision <= 38 && c.scale >= 0 && c.scale <= c.precision {
		c.kind = "DECIMAL"
		return c, nil
	}
	return c, fmt.Errorf("column %q has type %q, which no source table has", name, sqlType)
}

// sql is the expression that brings the column's value over in a form same understands.
func (c column) sql() string {
	switch c.kind {
	case "DECIMAL", "DATE":
		return "CAST(" + ident(c.name) + " AS VARCHAR)"
	case "TIMESTAMP":
		return "epoch_us(" + ident(c.name) + ")"
	}
	return ident(c.name)
}

// errMisfit says that a source value is none of the column's type, so that the column must
// be null and the original text must stand in ref_misfit.
var errMisfit = errors.New("does not fit")

// same reports whether the table's value is what the source's cell means in this column.
// bit says that the column is declared BIT, whose quoted values are bytes and not digits;
// when that is unknown either reading will do.
func (c column) same(cell cell, got any, charset string, bit, bitKnown bool) (bool, error) {
	if cell.form == formNull {
		return got == nil, nil
	}
	if cell.form == formExpr {
		return false, errMisfit
	}
	v := cell.value
	switch c.kind {
	case "VARCHAR":
		text, ok := decodeText(v, charset)
		if !ok {
			return false, errMisfit
		}
		s, isText := got.(string)
		return isText && s == string(text), nil
	case "BLOB":
		b, isBytes := got.([]byte)
		return isBytes && bytes.Equal(b, v), nil
	case "BIGINT", "UBIGINT":
		return c.sameInteger(cell, got, bit, bitKnown)
	case "DECIMAL":
		want, ok := c.decimal(string(v))
		if !ok || cell.form == formLiteral {
			return false, errMisfit
		}
		s, isText := got.(string)
		if !isText {
			return false, nil
		}
		have, ok := c.decimal(s)
		return ok && have.Cmp(want) == 0, nil
	case "DOUBLE":
		want, err := strconv.ParseFloat(string(v), 64)
		if err != nil || cell.form == formLiteral || !number.Match(v) {
			return false, errMisfit
		}
		f, isFloat := got.(float64)
		return isFloat && f == want, nil
	case "DATE":
		day, err := time.Parse("2006-01-02", string(v))
		if err != nil || day.Year() == 0 || cell.form == formLiteral {
			return false, errMisfit
		}
		s, isText := got.(string)
		return isText && s == string(v), nil
	case "TIMESTAMP":
		at, ok := parseTimestamp(string(v))
		if !ok || cell.form == formLiteral {
			return false, errMisfit
		}
		n, isInt := got.(int64)
		return isInt && n == at.UnixMicro(), nil
	}
	return false, fmt.Errorf("type %q", c.kind)
}

func (c column) sameInteger(cell cell, got any, bit, bitKnown bool) (bool, error) {
	have := new(big.Int)
	switch n := got.(type) {
	case int64:
		have.SetInt64(n)
	case uint64:
		have.SetUint64(n)
	default:
		have = nil
	}
	low, high := big.NewInt(-1<<63), big.NewInt(1<<62)
	high.Lsh(high, 1) // 2^63
	if c.kind == "UBIGINT" {
		low.SetInt64(0)
		high.Lsh(high, 1)
	}
	asBytes := cell.form == formLiteral || cell.form == formQuoted && (bit || !bitKnown)
	asText := cell.form == formBare || cell.form == formQuoted && !bit
	fits, matches := false, false
	try := func(want *big.Int) {
		if want.Cmp(low) >= 0 && want.Cmp(high) < 0 {
			fits = true
			matches = matches || have != nil && have.Cmp(want) == 0
		}
	}
	digits := strings.TrimLeft(string(cell.value), "+-")
	if asText && digits != "" && len(digits) <= 64 && strings.Trim(digits, "0123456789") == "" && len(cell.value)-len(digits) <= 1 {
		want, _ := new(big.Int).SetString(string(cell.value), 10) // digits with one sign at most
		try(want)
	}
	if asBytes && len(cell.value) <= 8 && (cell.form == formLiteral || bitKnown || !fits || !matches) {
		// Where it is unknown whether the column is BIT, a value that is no number as text and
		// stands in ref_misfit is no misfit of a BIT column either way: the caller sees null.
		if !(cell.form == formQuoted && !bitKnown && have == nil) {
			try(new(big.Int).SetBytes(cell.value))
		}
	}
	if !fits {
		return false, errMisfit
	}
	return matches, nil
}

// decimal reads a number as units of the column's last digit.
func (c column) decimal(s string) (*big.Int, bool) {
	sign, body := "", s
	if body != "" && (body[0] == '-' || body[0] == '+') {
		sign, body = body[:1], body[1:]
	}
	whole, frac, _ := strings.Cut(body, ".")
	if whole+frac == "" || strings.Trim(whole+frac, "0123456789") != "" || len(frac) > c.scale || len(whole) > 100 {
		return nil, false
	}
	units := whole + frac + strings.Repeat("0", c.scale-len(frac))
	if len(strings.TrimLeft(units, "0")) > c.precision {
		return nil, false
	}
	return new(big.Int).SetString(sign+units, 10)
}

// parseTimestamp reads YYYY-MM-DD[ HH:MM:SS[.ffffff]].
func parseTimestamp(s string) (time.Time, bool) {
	if len(s) > 26 || strings.HasSuffix(s, ".") || strings.Contains(s, ",") {
		return time.Time{}, false
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02", "2006-01-02T15:04:05"} {
		// A fraction behind the seconds is accepted by Parse without being in the layout.
		if at, err := time.Parse(layout, s); err == nil && at.Year() > 0 && len(s) >= len(layout) {
			return at, true
		}
	}
	return time.Time{}, false
}

// knownCharset gives the checker's name of a MySQL character set, and whether it decodes it.
func knownCharset(name string) (string, bool) {
	switch name = strings.ToLower(name); name {
	case "", "utf8", "utf8mb3", "utf8mb4", "ascii", "binary":
		return "utf8mb4", true
	case "latin1", "cp1251", "gbk":
		return name, true
	}
	return "utf8mb4", false
}

// cp1252 is what MySQL's latin1 has at 0x80-0x9F: Windows-1252, with the C1 controls in its gaps.
var cp1252 = []rune("\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f" +
	"\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178")

// decodeText gives the text in UTF-8; ok is false when the bytes are none in the charset.
func decodeText(b []byte, charset string) (text []byte, ok bool) {
	switch charset {
	case "latin1":
		out := make([]byte, 0, len(b)+8)
		for _, c := range b {
			if c >= 0x80 && c < 0xA0 {
				out = utf8.AppendRune(out, cp1252[c-0x80])
			} else {
				out = utf8.AppendRune(out, rune(c))
			}
		}
		return out, true
	case "cp1251":
		out, err := charmap.Windows1251.NewDecoder().Bytes(b)
		return out, err == nil && !bytes.ContainsRune(out, utf8.RuneError)
	case "gbk":
		out, err := simplifiedchinese.GBK.NewDecoder().Bytes(b)
		return out, err == nil && !bytes.ContainsRune(out, utf8.RuneError)
	}
	return b, utf8.Valid(b)
}

// isOriginal reports whether a value of ref_misfit is the cell's original text.
func isOriginal(kept json.RawMessage, cell cell, charset string) bool {
	var s string
	if json.Unmarshal(kept, &s) == nil {
		text, ok := decodeText(cell.value, charset)
		return ok && cell.form != formExpr && s == string(text) || s == string(cell.text)
	}
	var raw struct{ Hex *string }
	if json.Unmarshal(kept, &raw) != nil || raw.Hex == nil {
		return false
	}
	b, err := hex.DecodeString(*raw.Hex)
	return err == nil && (bytes.Equal(b, cell.value) || cell.form == formExpr && bytes.Equal(b, cell.text))
}
