package xlsx

import (
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"
)

// value gives a cell's text from what is stored and what is shown.
func value(stored, shown string, since1904 bool) string {
	if stored == shown {
		return shown
	}
	n, err := strconv.ParseFloat(stored, 64)
	if err != nil || strings.ContainsAny(stored, "xXpP_") {
		return shown
	}
	if isNumber(shown) {
		return plainNumber(stored)
	}
	if t, ok := date(n, shown, since1904); ok {
		return t
	}
	return shown
}

// isNumber reports whether a number is shown as one: digits, signs, separators, an exponent.
func isNumber(shown string) bool {
	digits := false
	for i, c := range shown {
		switch {
		case c >= '0' && c <= '9':
			digits = true
		case c == '.' || c == ',' || c == '+' || c == ' ' || c == '(' || c == ')':
		case c == '-':
			if i > 0 && shown[i-1] != 'E' && shown[i-1] != 'e' {
				return false // 01-07-22
			}
		case (c == 'E' || c == 'e') && digits:
		default:
			return false
		}
	}
	return digits
}

// plainNumber writes out the exponent that Excel stores large whole numbers with.
func plainNumber(stored string) string {
	if !strings.ContainsAny(stored, "eE") {
		return stored
	}
	f, err := strconv.ParseFloat(stored, 64)
	if err != nil || f != float64(int64(f)) || f >= 1<<53 || f <= -1<<53 {
		return stored
	}
	return strconv.FormatInt(int64(f), 10)
}

// date gives the time a number of days stands for, if what is shown is that time: every
// number shown is its year, month, day, hour, minute or second, and one of them tells a date.
func date(days float64, shown string, since1904 bool) (string, bool) {
	if days < 1 || days >= 2958466 {
		return "", false
	}
	t, err := excelize.ExcelDateToTime(days, since1904)
	if err != nil {
		return "", false
	}
	t = t.Round(time.Millisecond)
	if near := t.Round(time.Second); near.Sub(t).Abs() <= 2*time.Millisecond {
		t = near // days are stored as doubles
	}
	hour12 := (t.Hour()+11)%12 + 1
	parts := map[int]bool{t.Year(): true, t.Year() % 100: true, int(t.Month()): true, t.Day(): true, t.Hour(): true, hour12: true, t.Minute(): true, t.Second(): true}
	month := strings.Contains(strings.ToLower(shown), strings.ToLower(t.Month().String()[:3]))
	if strings.ContainsAny(shown, "£$€¥%") || !month && !strings.ContainsAny(shown, "/-年") && strings.Count(shown, ".") < 2 {
		return "", false
	}
	numbers, clock := 0, strings.Count(shown, ":")
	for i := 0; i < len(shown); {
		c := shown[i]
		if c < '0' || c > '9' {
			i++
			continue
		}
		j := i
		for j < len(shown) && shown[j] >= '0' && shown[j] <= '9' {
			j++
		}
		n, err := strconv.Atoi(shown[i:j])
		fraction := i > 0 && shown[i-1] == '.' && clock > 0 // of a second
		if err != nil || !parts[n] && !fraction {
			return "", false
		}
		numbers++
		i = j
	}
	if calendar := numbers - min(numbers, clock+b2i(clock > 0)); calendar < 2 && !(month && calendar >= 1) {
		return "", false
	}
	if t.Nanosecond() != 0 {
		return t.Format("2006-01-02 15:04:05.000"), true
	}
	return t.Format("2006-01-02 15:04:05"), true
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
