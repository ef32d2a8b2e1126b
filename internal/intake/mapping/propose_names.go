package mapping

import (
	"slices"
	"strings"
	"unicode"
)

// same gives the word that stands for others of the same meaning in a column's name.
var same = func() map[string]string {
	m := map[string]string{}
	for word, others := range map[string]string{
		"number": "num nr nbr no numero", "phone": "tel telephone mobile cell msisdn gsm handy", "callerid": "clid cli cid clip cnum cgpn",
		"destination": "dst dest destinations dnis", "called": "callee dialled dialed cld cdpn bnumber", "source": "src orig origin originator",
		"time": "ts stamp timestamp dt datetime at on", "start": "begin began started starting", "end": "stop ended finish finished",
		"answer": "answered", "user": "usr users", "customer": "cust customers client clients subscriber subscribers member members",
		"account": "acct accounts acc", "duration": "dur length", "seconds": "sec secs second", "ms": "msec millis milliseconds", "amount": "amt",
		"email": "mail emails", "created": "creation create creationdate registered registration register signup joined", "bill": "billed billing billable",
		"password": "passwd pass pwd passwort uipass passw", "message": "msg messages", "payment": "payments pay paid", "status": "state",
		"ip": "ipaddr ipaddress ipv4 ipv6", "agent": "agents reseller", "recording": "record rec recorded", "last": "latest", "name": "names",
		"hangup": "disconnect release disposition", "presented": "shown displayed spoofed spoof fake", "username": "login", "card": "cards", "call": "calls cdr cdrs",
	} {
		for _, o := range strings.Fields(others) {
			m[o] = word
		}
	}
	return m
}()

// words that names are run together from.
var dictionary = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`account code user name id caller called station number real session time start stop end date call bill sec seconds
unique terminate cause hangup creation last use ip address agent first email mail card customer client phone mobile channel app data
buy cost trunk duration answer destination source dst src context record recording file path pin pass word key login log status
amount crypto currency payment method txn transaction balance credit country owner expires display from to sms text result
tts audio campaign network addr remote media local direction talk setup connect epoch stamp invoice reference order total
created updated modified registered peer link sequence amaflags field type group plan tariff did book list`) {
		m[w] = true
	}
	for w := range same {
		if len(w) > 2 {
			m[w] = true
		}
	}
	return m
}()

// words cuts a name into words of one spelling: calledstation, CalledStation and
// called_station are called, station; cid_number is callerid, number.
func words(name string) []string {
	var parts []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			parts = append(parts, strings.ToLower(b.String()))
			b.Reset()
		}
	}
	var last rune
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
		case unicode.IsUpper(r) && unicode.IsLower(last):
			flush()
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
		last = r
	}
	flush()
	var list []string
	for _, p := range parts {
		if dictionary[p] || same[p] != "" {
			list = append(list, p)
		} else if cut := segment(p); cut != nil {
			list = append(list, cut...)
		} else {
			list = append(list, p)
		}
	}
	var out []string
	for i := 0; i < len(list); i++ {
		w := list[i]
		if i+1 < len(list) && (w == "caller" || w == "call" && list[i+1] == "erid") && list[i+1] == "id" {
			out, i = append(out, "callerid"), i+1
			continue
		}
		if i+1 < len(list) && w == "user" && list[i+1] == "name" {
			out, i = append(out, "username"), i+1
			continue
		}
		if s := same[w]; s != "" {
			w = s
		}
		out = append(out, w)
	}
	return out
}

// segment cuts a run-together word into words of the dictionary, the longest first; nil where
// letters are left over.
func segment(p string) []string {
	if p == "" {
		return []string{}
	}
	for n := min(len(p), 14); n >= 2; n-- {
		if head := p[:n]; dictionary[head] || n > 2 && same[head] != "" {
			if rest := segment(p[n:]); rest != nil {
				return append([]string{head}, rest...)
			}
		}
	}
	return nil
}

// noise are words that say nothing about a column's meaning.
var noise = []string{"the", "of", "raw", "value", "val", "field", "cc", "pkg", "v", "tbl", "is", "cdr", "call"}

// pattern is a set of words that a name must have, and how well it then fits.
type pattern struct {
	words  []string
	weight float64
}

// patterns reads "callerid number=1; source=.72".
func patterns(text string) (list []pattern) {
	for _, p := range strings.Split(text, ";") {
		name, weight, ok := strings.Cut(strings.TrimSpace(p), "=")
		if !ok {
			panic("pattern without a weight: " + p) // the patterns are constants of this package
		}
		w := 0.0
		for i, c := range strings.TrimPrefix(weight, "0") {
			if c >= '0' && c <= '9' {
				w += float64(c-'0') / []float64{1, 10, 100, 1000}[i]
			}
		}
		list = append(list, pattern{strings.Fields(name), w})
	}
	return list
}

// fit tells how well a name fits the best of the patterns: each word beyond the pattern's
// costs.
func fit(name []string, list []pattern) (best float64, by string) {
	for _, p := range list {
		rest := slices.Clone(name)
		all := true
		for _, w := range p.words {
			i := slices.Index(rest, w)
			if i < 0 {
				all = false
				break
			}
			rest = slices.Delete(rest, i, i+1)
		}
		if !all {
			continue
		}
		f := p.weight
		for _, w := range rest {
			if !slices.Contains(noise, w) {
				f -= 0.15
			}
		}
		if f > best {
			best, by = f, strings.Join(p.words, " ")
		}
	}
	return best, by
}

// hasAny tells whether a name has any of the words.
func hasAny(name []string, list string) bool {
	for _, w := range strings.Fields(list) {
		if slices.Contains(name, w) {
			return true
		}
	}
	return false
}
