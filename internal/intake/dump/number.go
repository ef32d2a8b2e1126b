package dump

import (
	"encoding/binary"
	"strconv"
	"unsafe"
)

// Int reads the cell as [ParseInt] does its text.
func (f Field) Int(text []byte) (int64, bool) {
	if v, ok := digits(text, int(f.start), int(f.size&MaxSegment)); ok {
		return int64(v), true
	}
	return ParseInt(f.In(text))
}

// Decimal reads the cell as [ParseDecimal] does its text.
func (f Field) Decimal(text []byte, precision, scale int) (int64, bool) {
	start, size := int(f.start), int(f.size&MaxSegment)
	if point := size - scale - 1; point > 0 && scale > 0 && scale <= 8 && text[start+point] == '.' {
		whole, ok := digits(text, start, point)
		part, too := digits(text, start+point+1, scale)
		if v := whole*powers[scale] + part; ok && too && (precision > 16 || v < powers[precision]) {
			return int64(v), true
		}
	}
	return ParseDecimal(f.In(text), precision, scale)
}

var powers = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16}

// digits is the number that text[at:at+n] has if it is one to eight digits, and the text does
// not end near behind it. The digits are read as one word and put together in pairs: D. Lemire,
// "Quickly parsing eight digits", 2018.
func digits(text []byte, at, n int) (uint64, bool) {
	const ones, zeros = 0x0101010101010101, '0' * 0x0101010101010101
	if uint(n-1) >= 8 || at+8 > len(text) {
		return 0, false
	}
	word := binary.LittleEndian.Uint64(text[at:])<<(64-8*n) | zeros>>(8*n)
	// A byte below '0' or above '9' has its highest bit in one of these; sure for the first.
	if ((word+ones*(0x80-'9'-1))|(word-zeros))&(0x80*ones) != 0 {
		return 0, false
	}
	word = (word - zeros) * (1 + 10<<8) >> 8
	word = (word & 0x00ff00ff00ff00ff) * (1 + 100<<16) >> 16
	return (word & 0x0000ffff0000ffff) * (1 + 10000<<32) >> 32, true
}

// ParseFloat reads a decimal number, with or without an exponent, as the nearest float64. Words,
// hexadecimal digits and underscores are refused, and what is too large.
func ParseFloat(b []byte) (float64, bool) {
	var v uint64
	point, n := -1, len(b)
	for i, c := range b {
		switch {
		case c-'0' <= 9:
			v = v*10 + uint64(c-'0')
		case c == '.' && point < 0:
			point = i
		default:
			n = 0 // not that simple
		}
	}
	if point < 0 {
		point = n - 1
	}
	if n > 0 && n <= 16 && (n > 1 || b[0] != '.') && v < 1<<53 { // both are exact, so their quotient is the nearest
		return float64(v) / float64(powers[n-1-point]), true
	}
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c|0x20 != 'e' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64) // it keeps no reference
	return f, err == nil
}
