package mapping

import (
	"strings"

	"github.com/unspoof/unspoof/internal/intake/profile"
)

// secrets marks the columns of a table that hold passwords, PINs, passcodes, card data, keys
// and dialled digits: by their names, by their values, or by a name that is only suspicious
// with values that bear it out.
func (x *proposer) secrets(t *profile.Table) {
	marked := map[string]bool{}
	for i := range t.Columns {
		c := &t.Columns[i]
		if secretName(c.Name) || secretWords(c) || secretValues(c) {
			marked[c.Name] = true
		}
	}
	x.secret[t.Name] = marked
}

// secretWords judges a column by the words of its name.
func secretWords(c *profile.Column) bool {
	name := words(c.Name)
	plain := strings.ToLower(c.Name)
	switch {
	case hasAny(name, "password passphrase secret pin cvv cvv2 cvc cvc2 csc otp totp passcode salt loginkey apikey token cookie resposta dtmf keypress ha1 ha1b"):
		return true
	case hasAny(name, "digits") && hasAny(name, "dialed called dtmf pressed entered"), strings.Contains(plain, "digits_dialed"), strings.Contains(plain, "keypress"):
		return true
	case hasAny(name, "key") && hasAny(name, "api private secret login auth authenticator access encryption session"):
		return true
	case (strings.HasPrefix(plain, "cc_") || hasAny(name, "card")) && hasAny(name, "number expires expiry exp expire owner holder code cvv pan"):
		return true
	case plain == "pan" || plain == "iban" || plain == "card" && c.Has(profile.Card) > 0:
		return true
	case hasAny(name, "code") && hasAny(name, "verification security activation sms auth access pass confirm secret login"):
		return true
	case hasAny(name, "memorable") || hasAny(name, "mother") && hasAny(name, "maiden"):
		return true
	}
	return false
}

// secretValues judges a column by its values: card numbers with their check digit are a tenth
// of any numbers of that length, so half or more are no accident.
func secretValues(c *profile.Column) bool {
	if c.Has(profile.Card) >= 0.5 || c.Has(profile.Crypt) > 0.3 {
		return true
	}
	name := words(c.Name)
	return hasAny(name, "code security verification") && !hasAny(name, "account country currency area response status cause error sip language postal zip trunk") && c.Has(profile.ShortCode) > 0.9 && c.Codes == nil && c.MinLen >= 3 && c.MaxLen <= 8
}
