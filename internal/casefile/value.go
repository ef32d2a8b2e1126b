package casefile

import (
	"fmt"
	"strconv"
)

// E164 is an international telephone number in the digits of ITU-T Recommendation E.164,
// without the plus sign: at most 15 digits. Zero means unknown.
type E164 int64

// String is the number with its plus sign, or the empty string when unknown.
func (n E164) String() string {
	if n <= 0 {
		return ""
	}
	return "+" + strconv.FormatInt(int64(n), 10)
}

// Sats is an amount of bitcoin in satoshis (10^-8 BTC).
type Sats int64

// String is the amount in BTC with eight decimals.
func (s Sats) String() string {
	sign, v := "", int64(s)
	if v < 0 {
		sign, v = "-", -v
	}
	return fmt.Sprintf("%s%d.%08d", sign, v/1e8, v%1e8)
}

// Minor is an amount of money in the currency's minor unit (pence, cents); the ISO 4217
// code stands beside it.
type Minor int64

// String is the amount in major units with two decimals.
func (m Minor) String() string {
	sign, v := "", int64(m)
	if v < 0 {
		sign, v = "-", -v
	}
	return fmt.Sprintf("%s%d.%02d", sign, v/100, v%100)
}
