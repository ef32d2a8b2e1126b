package profile

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// The kinds of value a column can hold. A value can be of several.
const (
	E164         = "e164"     // a number with its country's code
	National     = "national" // a number with a trunk 0
	CallerID     = "clid"     // "name" <number>
	SIP          = "sip"      // a SIP address
	Channel      = "channel"  // SIP/alice-00000a, sofia/external/...
	Email        = "email"
	IP           = "ip"
	UserAgent    = "user_agent"
	BTCAddress   = "btc_address" // its checksum holds
	Hex64        = "txid"        // 64 hex digits: a transaction id, or a SHA-256
	EpochS       = "epoch_s"
	EpochMS      = "epoch_ms"
	EpochUS      = "epoch_us"
	Date         = "date"
	DateTime     = "datetime"
	DateTimeZone = "datetime_zone" // with its distance from UTC
	Integer      = "integer"
	Seconds      = "seconds" // an integer that a call can last
	Money        = "money"   // a decimal fraction
	Country      = "country" // name or code
	Currency     = "currency"
	MD5          = "md5"
	SHA1         = "sha1"
	Crypt        = "password_hash" // bcrypt, crypt, phpass, argon2
	URL          = "url"
	UUID         = "uuid"
	Unique       = "unique_id" // Asterisk: epoch.counter
	JSON         = "json"
	Script       = "script_text" // what is said to the called
	Text         = "text"        // free text of four words or more
	Words        = "words"       // letters, one to three words
	Audio        = "audio_file"
	Card         = "card"       // Luhn and a card's first digit
	ShortCode    = "short_code" // three to eight digits
	Enum         = "enum"       // few values, often repeated
)

var (
	digitsOnly = regexp.MustCompile(`^[0-9]+$`)
	intOnly    = regexp.MustCompile(`^-?[0-9]{1,18}$`)
	decimal    = regexp.MustCompile(`^-?[0-9]{1,15}\.[0-9]{1,8}$`)
	emailForm  = regexp.MustCompile(`^[^@\s<>"]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
	agentForm  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 ._+-]*/ ?[vVrR]?[0-9]|(?i)^(zoiper|x-lite|bria|linphone|microsip|grandstream|yealink|cisco|csipsimple|eyebeam|sipdroid|groundwire|acrobits|polycom|snom|fpbx|asterisk pbx)`)
	clidForm   = regexp.MustCompile(`^\s*("[^"]*"|[^<"]*)\s*<[^<>]*>\s*$`)
	sipForm    = regexp.MustCompile(`^<?sips?:[^\s@]+@`)
	chanForm   = regexp.MustCompile(`^(?i)(SIP|PJSIP|IAX2|Local|DAHDI|Zap|H323|SCCP|sofia|verto|loopback)/`)
	dateForm   = regexp.MustCompile(`^(\d{4}[-/]\d{2}[-/]\d{2}|\d{2}[-/.]\d{2}[-/.]\d{4})$`)
	timeForm   = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s?(Z|[+-]\d{2}(:?\d{2})?)?$`)
	hexForm    = regexp.MustCompile(`^[0-9a-fA-F]+$`)
	cryptForm  = regexp.MustCompile(`^(\$2[abxy]?\$|\$argon2|\$[PH]\$|\$[156]\$|\{SSHA|pbkdf2|\*[0-9A-F]{40}$)`)
	urlForm    = regexp.MustCompile(`^(?i)(https?|ftp)://`)
	uuidForm   = regexp.MustCompile(`^(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	uniqueForm = regexp.MustCompile(`^([\w.-]+-)?1[0-9]{9}\.[0-9]+$`)
	audioForm  = regexp.MustCompile(`^(?i)[^\s<>]*\.(wav|mp3|gsm|ulaw|alaw|ogg|sln|g729)$`)
	spoken     = regexp.MustCompile(`(?i)\b(press (one|two|1|2)|this is (a |an )?\S+|your (account|bank|card|payment)|calling from|fraud|security (team|department)|enter (your|the)|please hold|suspicious)\b`)
	around     = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "", "\t", "", "\u00a0", "")
	techPrefix = regexp.MustCompile(`^\s*[0-9]+#`)
)

var currencies = strings.Fields("GBP EUR USD BTC XBT ETH LTC USDT BRL AUD CAD CHF SEK NOK DKK PLN RUB UAH TRY INR CNY JPY NGN ZAR XMR DOGE BCH")

var callingCodes = sync.OnceValue(func() map[string]bool {
	codes := map[string]bool{}
	for code := range phonenumbers.GetSupportedCallingCodes() {
		codes[strconv.Itoa(code)] = true
	}
	return codes
})

// phoneKind tells whether a value is a number as people and machines write one.
func phoneKind(v string) string {
	v = around.Replace(techPrefix.ReplaceAllString(v, ""))
	plus := strings.HasPrefix(v, "+")
	d := strings.TrimPrefix(v, "+")
	if len(d) < 7 || len(d) > 17 || !digitsOnly.MatchString(d) {
		return ""
	}
	if !plus && strings.HasPrefix(d, "00") {
		plus, d = true, d[2:]
	}
	if d[0] == '0' {
		if !plus && len(d) >= 10 && len(d) <= 11 {
			return National
		}
		return ""
	}
	if len(d) > 15 || len(d) < 7 {
		return ""
	}
	if plus {
		return E164
	}
	known := callingCodes()
	switch {
	case d[0] == '1':
		if len(d) == 11 && d[1] >= '2' {
			return E164
		}
	case d[0] == '7':
		if len(d) == 11 {
			return E164
		}
	case len(d) >= 10 && len(d) <= 14 && (known[d[:2]] || known[d[:3]]):
		return E164
	}
	return ""
}

// kindsOf judges one value that is not empty.
func (m *measurer) kindsOf(v string) (kinds []string) {
	add := func(k string) { kinds = append(kinds, k) }
	s := strings.TrimSpace(v)
	if s == "" {
		return nil
	}
	if len(s) <= 40 {
		if k := phoneKind(s); k != "" {
			add(k)
		}
		if cardNumber(s) && len(s) >= 13 {
			add(Card)
		}
	}
	if intOnly.MatchString(s) {
		add(Integer)
		n, _ := strconv.ParseInt(s, 10, 64) // the pattern allows 18 digits at most
		switch {
		case n >= 0 && n <= 86_400:
			add(Seconds)
		case n >= 1e9 && n < 2.2e9:
			add(EpochS)
		case n >= 1e12 && n < 2.2e12:
			add(EpochMS)
		case n >= 1e15 && n < 2.2e15:
			add(EpochUS)
		}
		if len(s) >= 3 && len(s) <= 8 && digitsOnly.MatchString(s) {
			add(ShortCode)
		}
		return kinds
	}
	switch {
	case decimal.MatchString(s):
		if uniqueForm.MatchString(s) {
			add(Unique)
			if dot := strings.IndexByte(s, '.'); len(s)-dot-1 == 6 {
				add(EpochS)
			}
		}
		add(Money)
	case uniqueForm.MatchString(s):
		add(Unique)
	case dateForm.MatchString(s):
		add(Date)
	case timeForm.MatchString(s):
		if p := timeForm.FindStringSubmatch(s); p[4] != "" {
			add(DateTimeZone)
		} else {
			add(DateTime)
		}
	case sipForm.MatchString(s):
		add(SIP)
	case emailForm.MatchString(s) && len(s) < 200:
		add(Email)
	case chanForm.MatchString(s):
		add(Channel)
	case urlForm.MatchString(s):
		add(URL)
	case uuidForm.MatchString(s):
		add(UUID)
	case cryptForm.MatchString(s):
		add(Crypt)
	case audioForm.MatchString(s):
		add(Audio)
	case isIP(s):
		add(IP)
	case bitcoinAddress(s):
		add(BTCAddress)
	case hexForm.MatchString(s) && len(s) == 32:
		add(MD5)
	case hexForm.MatchString(s) && len(s) == 40:
		add(SHA1)
	case hexForm.MatchString(s) && len(s) == 64:
		add(Hex64)
	case (s[0] == '{' || s[0] == '[') && json.Valid([]byte(s)):
		add(JSON)
	case clidForm.MatchString(s) && len(s) <= 120:
		add(CallerID)
	case agentForm.MatchString(s) && len(s) < 400:
		add(UserAgent)
	default:
		words := len(strings.Fields(s))
		letters := 0
		for _, r := range s {
			if unicode.IsLetter(r) {
				letters++
			}
		}
		switch {
		case words >= 4:
			add(Text)
			if len(s) >= 30 && spoken.MatchString(s) {
				add(Script)
			}
		case letters*2 > len([]rune(s)):
			add(Words)
		}
	}
	if len(s) <= 60 && m.countries[strings.ToUpper(s)] {
		add(Country)
	}
	if len(s) <= 4 {
		for _, c := range currencies {
			if strings.EqualFold(s, c) {
				add(Currency)
			}
		}
	}
	return kinds
}

// isIP reports whether a value is an IP address, with or without a port.
func isIP(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	_, err := netip.ParseAddrPort(s)
	return err == nil
}

// shapeOf writes a value's form without its content.
func shapeOf(v string) string {
	if len(v) > 60 {
		return "text of " + strconv.Itoa(len(v)/50*50) + " or more"
	}
	var b strings.Builder
	var last rune
	run := 0
	end := func() {
		if run > 1 {
			b.WriteString("{" + strconv.Itoa(run) + "}")
		}
	}
	for _, r := range v {
		switch {
		case r >= '0' && r <= '9':
			r = '9'
		case unicode.IsUpper(r):
			r = 'A'
		case unicode.IsLetter(r):
			r = 'a'
		}
		if r == last {
			run++
			continue
		}
		end()
		b.WriteRune(r)
		last, run = r, 1
	}
	end()
	return b.String()
}
