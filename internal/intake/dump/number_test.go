package dump

import (
	"bytes"
	"math"
	"strconv"
	"testing"
)

var numbers = []string{
	"", "0", "7", "-7", "+7", "-", "+", "--1", "00", "007", "12345678", "123456789", "99999999", "9223372036854775807", "9223372036854775808",
	"-9223372036854775808", "-9223372036854775809", "18446744073709551616", "12a", "1 ", " 1", "1/", "1:", "\xb01", "1\xff", "1234567\x00",
	".", "1.", ".5", "-.5", "0.159588", "12345678.12345678", "123456789.123456", "123456789012.123456", "0.000001", "-0.000001", "-0", "-0.0", "0.-12345", "1.2.3", "1..2",
	"999.99", "1000.00", "0999.99", "9007199254740993", "9007199254740992.5", "0.1", "1234567890.12345", "0.123456789012345", "123456789012345.6", "1e5", "1E-5", "1e400", "inf", "nan", "0x10", "1_000",
}

// behind is what may stand behind a cell in its text.
var behind = []string{"", ",", ",'next cell',", "123456789"}

func TestNumbers(t *testing.T) {
	for _, text := range numbers {
		sameNumber(t, []byte(text))
	}
	if f, ok := ParseFloat([]byte("-0")); !ok || !math.Signbit(f) {
		t.Error("minus nought is lost")
	}
}

// FuzzNumbers compares what reads a cell within its text with what reads its text alone, and
// decimal numbers with the standard library.
func FuzzNumbers(f *testing.F) {
	for _, text := range numbers {
		f.Add([]byte(text))
	}
	f.Fuzz(sameNumber)
}

func sameNumber(t *testing.T, number []byte) {
	for _, more := range behind {
		text := append(append([]byte("('',"), number...), more...)
		cell := NewField(4, len(number), Bare)
		want, wantOK := ParseInt(number)
		if v, ok := cell.Int(text); v != want || ok != wantOK {
			t.Fatalf("%q before %q: integer %d, %v; alone %d, %v", number, more, v, ok, want, wantOK)
		}
		for _, d := range [][2]int{{15, 6}, {5, 2}, {18, 0}, {18, 8}, {18, 18}, {3, 3}, {1, 0}, {16, 8}, {17, 8}} {
			want, wantOK := ParseDecimal(number, d[0], d[1])
			if v, ok := cell.Decimal(text, d[0], d[1]); v != want || ok != wantOK {
				t.Fatalf("%q before %q: DECIMAL(%d,%d) %d, %v; alone %d, %v", number, more, d[0], d[1], v, ok, want, wantOK)
			}
		}
	}
	want, err := strconv.ParseFloat(string(number), 64)
	wantOK := err == nil && len(bytes.Trim(number, "0123456789.+-eE")) == 0 && bytes.IndexFunc(number, func(r rune) bool {
		return r != '.' && r != '+' && r != '-' && r|0x20 != 'e' && (r < '0' || r > '9')
	}) < 0
	if v, ok := ParseFloat(number); ok != wantOK || ok && math.Float64bits(v) != math.Float64bits(want) {
		t.Fatalf("%q: float %v, %v; strconv %v, %v", number, v, ok, want, err)
	}
}
