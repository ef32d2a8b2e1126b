package casefile

import "strings"

// ReadE164 reads a telephone number as people and exchanges write it: +442079460123,
// 00442079460123, 442079460123, 02079460123, with spaces, points, hyphens and parentheses,
// behind a tech prefix (digits and #). A national number (one leading 0) is British; digits
// with neither 0 nor + in front are international when they begin with 44 or are 11 to 15. It gives 0
// where the text does not say which country's number it is, or is no number of ITU-T E.164:
// 7 to 15 digits, of which British ones have 9 or 10 behind the 44 (docs/numbers.md).
func ReadE164(raw string) E164 {
	if i := strings.IndexByte(raw, '#'); i > 0 && isTechPrefix(raw[:i]) {
		raw = raw[i+1:]
	}
	var digits [17]byte // 00 and 15 more
	n, plus := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c >= '0' && c <= '9':
			if n == len(digits) {
				return 0
			}
			digits[n] = c - '0'
			n++
		case c == '+' && n == 0 && !plus:
			plus = true
		case c == ' ' || c == '-' || c == '.' || c == '(' || c == ')' || c == '\t':
		case c == 0xC2 && i+1 < len(raw) && raw[i+1] == 0xA0: // a no-break space
			i++
		default:
			return 0
		}
	}
	d := digits[:n]
	switch {
	case n < 3: // nothing that could be a number
		return 0
	case plus:
		return international(d)
	case d[0] != 0:
		if d[0] == 4 && d[1] == 4 || n >= 11 && n <= 15 {
			return complete(d)
		}
		return 0
	case d[1] != 0:
		return british(d[1:])
	default:
		return international(d[2:])
	}
}

// isTechPrefix reports whether s is the routing prefix that trunks put in front of a #.
func isTechPrefix(s string) bool {
	s = strings.TrimLeft(s, " ")
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// international reads the digits behind + or 00. The 0 of "+44 (0)20" is not dialled.
func international(d []byte) E164 {
	if len(d) > 3 && d[0] == 4 && d[1] == 4 && d[2] == 0 {
		return british(d[3:])
	}
	return complete(d)
}

// british is the number of the national digits d, without the leading 0.
func british(d []byte) E164 {
	if len(d) != 9 && len(d) != 10 || d[0] == 0 {
		return 0
	}
	return value(44, d)
}

// complete is the number of the digits d, country code and all.
func complete(d []byte) E164 {
	switch {
	case len(d) < 7 || len(d) > 15 || d[0] == 0:
		return 0
	case d[0] == 4 && d[1] == 4:
		return british(d[2:])
	}
	return value(0, d)
}

func value(v E164, d []byte) E164 {
	for _, c := range d {
		v = v*10 + E164(c)
	}
	return v
}

// ReadCallerID reads the number of a caller id as SIP and Asterisk write it: "Name" <number>,
// Name <number>, or a bare number. A bare name has none.
func ReadCallerID(raw string) E164 {
	if _, number, ok := strings.Cut(raw, "<"); ok {
		if end := strings.IndexAny(number, "<>"); end >= 0 {
			number = number[:end]
		}
		return ReadE164(number)
	}
	begun := false
	for i := range len(raw) { // a number, and no name that holds one
		switch c := raw[i]; {
		case c >= '0' && c <= '9' || c == '+' || c == '(':
			begun = true
		case c == ' ':
		case begun && (c == '-' || c == '.' || c == ')' || c == '#'):
		default:
			return 0
		}
	}
	return ReadE164(raw)
}

// ReadDialled reads what was dialled, behind the first of the given prefixes that fits: an
// outside line ("9,"), a service code ("*67", "#31#", "141"), a route ("1010"). Which prefixes
// a platform used, its mapping says; nothing else is taken away, and only where
// what is left is a number. A prefix of digits alone may be the beginning of a number: it
// goes only where what is left says its country by +, 0 or 44; where it does not, and the
// whole could be a number too, the text is not read at all.
func ReadDialled(raw string, prefixes []string) E164 {
	text := strings.TrimLeft(raw, " ")
	longest := ""
	for _, p := range prefixes {
		if len(p) > len(longest) && strings.HasPrefix(text, p) {
			longest = p
		}
	}
	whole := ReadE164(raw)
	if longest == "" {
		return whole
	}
	rest := strings.TrimLeft(text[len(longest):], " ")
	behind := ReadE164(rest)
	switch {
	case behind == 0:
		return whole
	case whole == 0, !allDigits(longest), strings.HasPrefix(rest, "+"), strings.HasPrefix(rest, "0"), strings.HasPrefix(rest, "44"):
		return behind
	default:
		return 0
	}
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }
