package profile

// cardNumber reports whether the digits of s, with spaces or hyphens between them, can be a
// payment card's: 13 to 19, a first digit that banks' cards have, and Luhn's check digit.
func cardNumber(s string) bool {
	var digits [19]byte
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			if n == len(digits) {
				return false
			}
			digits[n] = c - '0'
			n++
		case c == ' ' || c == '-':
		default:
			return false
		}
	}
	if n < 13 || digits[0] < 2 || digits[0] > 6 {
		return false
	}
	sum := 0
	for i := range n {
		d := int(digits[n-1-i])
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
