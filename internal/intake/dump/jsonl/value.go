package jsonl

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/build"
)

// members gives the members of a valid object: each key as written, quotes and all, and its
// value.
func members(obj []byte, yield func(key, value []byte) error) error {
	i := skipSpace(obj, 1)
	for obj[i] == '"' {
		end := skipString(obj, i)
		key := obj[i:end]
		i = skipSpace(obj, skipSpace(obj, end)+1)
		end = skipValue(obj, i)
		if err := yield(key, obj[i:end]); err != nil {
			return err
		}
		if i = skipSpace(obj, end); obj[i] == ',' {
			i = skipSpace(obj, i+1)
		}
	}
	return nil
}

// Members gives the members of a valid object, keys decoded, values as written.
func Members(obj []byte, yield func(key string, value []byte) error) error {
	var v values
	return members(obj, func(key, value []byte) error { return yield(string(v.key(key)), value) })
}

// Text gives a JSON string decoded; false for any other value, and for a string whose escapes
// stand for no character.
func Text(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	b := raw[1 : len(raw)-1]
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b), true
	}
	out, ok := unescape(nil, b)
	return string(out), ok
}

func firstKey(obj []byte) string {
	i := skipSpace(obj, 1)
	if obj[i] != '"' {
		return ""
	}
	return string(obj[i:skipString(obj, i)])
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// skipString gives the index behind the string at b[i].
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return i
}

// skipValue gives the index behind the value at b[i] of a valid object.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		var e extent
		end, _ := e.scan(b, i)
		return end
	}
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	return i
}

// values turns JSON values into cells. A value it gave is good until the next one.
type values struct{ scratch, keys []byte }

// key decodes a key.
func (v *values) key(raw []byte) []byte {
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	out, ok := unescape(v.keys[:0], raw)
	if v.keys = out; !ok {
		return raw
	}
	return out
}

// of gives the cell of a value as written.
func (v *values) of(raw []byte) build.Value {
	switch raw[0] {
	case '"':
		return v.text(raw)
	case 'n':
		return build.Value{}
	case 't', 'f':
		return build.Value{Form: dump.Bare, Kind: dump.Text, Text: raw, Declared: "boolean"}
	case '[':
		return build.Value{Form: dump.Quoted, Kind: dump.Text, Text: raw, Declared: "array"}
	case '{':
		if val, ok := v.extended(raw); ok {
			return val
		}
		return build.Value{Form: dump.Quoted, Kind: dump.Text, Text: raw, Declared: "object"}
	}
	return number(raw)
}

func (v *values) text(raw []byte) build.Value {
	b := raw[1 : len(raw)-1]
	val := build.Value{Form: dump.Quoted, Kind: dump.Text, Text: b, Declared: "string"}
	if bytes.IndexByte(b, '\\') >= 0 {
		out, ok := unescape(v.scratch[:0], b)
		v.scratch = out
		if val.Text = out; !ok { // half a surrogate pair: no text, so kept as written
			val.Form, val.Text = dump.Expr, raw
		}
	}
	return val
}

// number is exact: an integer, a decimal, or a double where it has an exponent.
func number(raw []byte) build.Value {
	val := build.Value{Form: dump.Bare, Kind: dump.Int, Text: raw, Declared: "number"}
	switch {
	case bytes.ContainsAny(raw, "eE"):
		val.Kind = dump.Float
		if f, err := strconv.ParseFloat(string(raw), 64); err != nil || len(raw) > 24 || f == 0 {
			val.Kind = dump.Text
		}
	case bytes.IndexByte(raw, '.') >= 0:
		val.Kind = dump.Decimal
	default:
		if _, ok := dump.ParseInt(raw); !ok {
			val.Kind = dump.Text
		}
	}
	return val
}

// extended unwraps what Extended JSON writes for a value JSON has no type for.
func (v *values) extended(raw []byte) (build.Value, bool) {
	i := skipSpace(raw, 1)
	if i+1 >= len(raw) || raw[i] != '"' || raw[i+1] != '$' {
		return build.Value{}, false
	}
	var name, second string
	var arg, arg2 []byte
	n := 0
	_ = members(raw, func(key, value []byte) error { // the callback gives no error
		switch n++; n {
		case 1:
			name, arg = string(key), value
		case 2:
			second, arg2 = string(key), value
		}
		return nil
	})
	text := func() (string, bool) { return Text(arg) }
	switch {
	case n == 1 && (name == `"$oid"` || name == `"$uuid"`):
		if _, ok := text(); ok {
			val := v.text(arg)
			val.Declared = name[2 : len(name)-1]
			return val, true
		}
	case n == 1 && (name == `"$numberInt"` || name == `"$numberLong"` || name == `"$numberDecimal"` || name == `"$numberDouble"`):
		s, ok := text()
		if !ok && name != `"$numberLong"` {
			return build.Value{}, false
		} else if !ok { // v1 wrote it without quotes
			s = string(arg)
		}
		val := build.Value{Form: dump.Bare, Kind: dump.Text, Text: []byte(s), Declared: name[2 : len(name)-1]}
		if plain(s) {
			val.Kind = number(val.Text).Kind
			if name == `"$numberDouble"` {
				val.Kind = dump.Float
			}
		}
		return val, true
	case n == 1 && name == `"$date"`:
		if at, ok := v.date(arg); ok {
			return build.Value{Form: dump.Quoted, Kind: dump.DateTime, Text: at, Declared: "date (UTC)"}, true
		}
	case n == 1 && name == `"$binary"` && arg[0] == '{':
		var data string
		ok := false
		_ = members(arg, func(key, value []byte) error { // the callback gives no error
			if string(key) == `"base64"` {
				data, ok = Text(value)
			}
			return nil
		})
		return v.binary(data, ok)
	case n == 2 && name == `"$binary"` && second == `"$type"` && len(arg2) > 0:
		data, ok := text()
		return v.binary(data, ok)
	}
	return build.Value{}, false
}

func (v *values) binary(data string, ok bool) (build.Value, bool) {
	b, err := base64.StdEncoding.DecodeString(data)
	if !ok || err != nil {
		return build.Value{}, false
	}
	v.scratch = append(v.scratch[:0], b...)
	return build.Value{Form: dump.Quoted, Kind: dump.Binary, Text: v.scratch, Declared: "binary"}, true
}

// plain reports whether s is a number of digits and at most one point.
func plain(s string) bool {
	if len(s) > 0 && s[0] == '-' {
		s = s[1:]
	}
	points, digits := 0, 0
	for _, c := range []byte(s) {
		switch {
		case c == '.':
			points++
		case c >= '0' && c <= '9':
			digits++
		default:
			return false
		}
	}
	return digits > 0 && points < 2 && s[0] != '.'
}

// date reads the argument of $date: text of ISO 8601, or milliseconds since 1970 as a number
// or as a $numberLong.
func (v *values) date(arg []byte) ([]byte, bool) {
	var ms int64
	if s, ok := Text(arg); ok {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
			if t, err := time.Parse(layout, s); err == nil {
				return Time(t)
			}
		}
		return nil, false
	}
	if arg[0] == '{' {
		n := 0
		_ = members(arg, func(key, value []byte) error { // the callback gives no error
			if s, ok := Text(value); ok && string(key) == `"$numberLong"` {
				arg = []byte(s)
			}
			n++
			return nil
		})
		if n != 1 {
			return nil, false
		}
	}
	ms, ok := dump.ParseInt(arg)
	if !ok {
		return nil, false
	}
	return Time(time.UnixMilli(ms))
}

// Time writes an instant in UTC as the text of a DateTime cell; false for one outside the
// years 1 to 9999.
func Time(t time.Time) ([]byte, bool) {
	t = t.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return nil, false
	}
	if t.Nanosecond() == 0 {
		return t.AppendFormat(nil, "2006-01-02 15:04:05"), true
	}
	return t.AppendFormat(nil, "2006-01-02 15:04:05.000000"), true
}

// unescape appends b to dst with JSON's escapes undone; false when half a surrogate pair
// stands for nothing.
func unescape(dst, b []byte) ([]byte, bool) {
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c != '\\' || i+1 == len(b) {
			dst = append(dst, c)
			continue
		}
		i++
		switch c = b[i]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, ok := unit(b[i+1:])
			if !ok {
				return dst, false
			}
			i += 4
			if utf16.IsSurrogate(r) {
				if len(b) < i+7 || b[i+1] != '\\' || b[i+2] != 'u' {
					return dst, false
				}
				low, ok := unit(b[i+3:])
				if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
					return dst, false
				}
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
	return dst, true
}

// unit reads four hexadecimal digits.
func unit(b []byte) (rune, bool) {
	var out [2]byte
	if len(b) < 4 {
		return 0, false
	}
	if _, err := hex.Decode(out[:], b[:4]); err != nil {
		return 0, false
	}
	return rune(out[0])<<8 | rune(out[1]), true
}
