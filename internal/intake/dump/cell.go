package dump

import (
	"bytes"
	"encoding/hex"
	"strconv"
)

// Value gives the bytes a cell stands for: unescaped, hexadecimal decoded. The result shares
// memory with text where it can; otherwise it is appended to scratch, whose grown slice is
// returned for reuse. ok is false for a cell whose digits do not decode.
func (f Field) Value(text, scratch []byte) (value, grown []byte, ok bool) {
	b := f.In(text)
	switch f.Form() {
	case Null:
		return nil, scratch, true
	case Escaped:
		n := len(scratch)
		scratch = Unescape(scratch, b)
		return scratch[n:len(scratch):len(scratch)], scratch, true
	case Doubled:
		n := len(scratch)
		scratch = append(scratch, bytes.ReplaceAll(b, []byte(`""`), []byte(`"`))...)
		return scratch[n:len(scratch):len(scratch)], scratch, true
	case Hex:
		n := len(scratch)
		if len(b)%2 == 1 { // MySQL pads an odd literal on the left
			scratch = append(scratch, 0)
			if _, err := hex.Decode(scratch[n:], []byte{'0', b[0]}); err != nil {
				return nil, scratch[:n], false
			}
			b = b[1:]
		}
		m := len(scratch)
		scratch = append(scratch, make([]byte, len(b)/2)...)
		if _, err := hex.Decode(scratch[m:], b); err != nil {
			return nil, scratch[:n], false
		}
		return scratch[n:len(scratch):len(scratch)], scratch, true
	case Bits:
		v, err := strconv.ParseUint(string(b), 2, 64)
		if err != nil {
			return nil, scratch, false
		}
		n := len(scratch)
		for shift := (len(b) + 7) / 8 * 8; shift > 0; shift -= 8 {
			scratch = append(scratch, byte(v>>(shift-8)))
		}
		return scratch[n:len(scratch):len(scratch)], scratch, true
	default:
		return b, scratch, true
	}
}

// Unescape appends b to dst with MySQL's string escapes undone: \0 \b \t \n \r \Z, \% and
// \_ keep their backslash, one before any other byte is dropped, and a doubled quote is one
// (MySQL reference manual, "String Literals").
func Unescape(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '\'' && i+1 < len(b) && b[i+1] == '\'' {
			i++
		} else if c == '\\' && i+1 < len(b) {
			i++
			switch c = b[i]; c {
			case '0':
				c = 0
			case 'b':
				c = '\b'
			case 't':
				c = '\t'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 'Z':
				c = 26
			case '%', '_': // stand for themselves only in patterns
				dst = append(dst, '\\')
			}
		}
		dst = append(dst, c)
	}
	return dst
}

// ParseInt reads a decimal integer of at most 19 digits that fits int64.
func ParseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	neg := b[0] == '-'
	if neg || b[0] == '+' {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	var v uint64
	for _, c := range b {
		c -= '0'
		if c > 9 {
			return 0, false
		}
		v = v*10 + uint64(c)
	}
	if neg {
		if v > 1<<63 {
			return 0, false
		}
		return -int64(v), true
	}
	return int64(v), v < 1<<63
}

// ParseDecimal reads a decimal number with at most scale digits after the point as an
// integer of units of 10^-scale, when it has at most precision digits in all.
func ParseDecimal(b []byte, precision, scale int) (int64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	neg := b[0] == '-'
	if neg || b[0] == '+' {
		b = b[1:]
	}
	var v int64
	digits, frac, point := 0, 0, false
	for _, c := range b {
		if c == '.' && !point {
			point = true
			continue
		}
		c -= '0'
		if c > 9 || digits >= 18 {
			return 0, false
		}
		if point {
			if frac == scale {
				return 0, false
			}
			frac++
		}
		v = v*10 + int64(c)
		if v != 0 {
			digits++
		}
	}
	if len(b) == 0 || (point && len(b) == 1) {
		return 0, false
	}
	for ; frac < scale; frac++ {
		if v != 0 {
			if digits++; digits > 18 {
				return 0, false
			}
		}
		v *= 10
	}
	if digits > precision {
		return 0, false
	}
	if neg {
		v = -v
	}
	return v, true
}

// ParseDateTime reads YYYY-MM-DD[ HH:MM:SS[.ffffff]] as microseconds since
// 1970-01-01 00:00:00 of the same, unstated, zone. Zero and impossible dates are refused.
func ParseDateTime(b []byte) (micros int64, ok bool) {
	days, ok := ParseDate(b[:min(len(b), 10)])
	if !ok {
		return 0, false
	}
	micros = int64(days) * 86400e6
	if len(b) == 10 {
		return micros, true
	}
	if len(b) < 19 || (b[10] != ' ' && b[10] != 'T') || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	h, ok1 := two(b[11:])
	m, ok2 := two(b[14:])
	s, ok3 := two(b[17:])
	if !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || s > 59 {
		return 0, false
	}
	micros += int64(h*3600+m*60+s) * 1e6
	if len(b) == 19 {
		return micros, true
	}
	if b[19] != '.' || len(b) == 20 || len(b) > 26 {
		return 0, false
	}
	unit := int64(100000)
	for _, c := range b[20:] {
		c -= '0'
		if c > 9 {
			return 0, false
		}
		micros += int64(c) * unit
		unit /= 10
	}
	return micros, true
}

// ParseDate reads YYYY-MM-DD as days since 1970-01-01.
func ParseDate(b []byte) (days int32, ok bool) {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return 0, false
	}
	hi, ok1 := two(b)
	lo, ok2 := two(b[2:])
	m, ok3 := two(b[5:])
	d, ok4 := two(b[8:])
	y := hi*100 + lo
	if !ok1 || !ok2 || !ok3 || !ok4 || y == 0 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return 0, false
	}
	// Days from civil date: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
	if m <= 2 {
		y--
	}
	era := y / 400
	yoe := y - era*400
	mp := (m + 9) % 12
	doy := (153*mp+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int32(era*146097 + doe - 719468), true
}

func daysIn(y, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func two(b []byte) (int, bool) {
	hi, lo := b[0]-'0', b[1]-'0'
	return int(hi)*10 + int(lo), hi <= 9 && lo <= 9
}
