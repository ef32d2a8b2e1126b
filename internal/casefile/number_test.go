package casefile

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// regions are the countries whose numbers are compared with libphonenumber's reading: by far
// most of what a British platform calls, and countries with rules of their own (Italy
// keeps a leading 0, Argentina and Mexico have a 9 or 1 for mobiles, five share +1).
var regions = strings.Fields(`GB GB GB GB GB GB US CA JM DO FR DE AU NZ NL BE LU IE ES PT IT SM CH AT SE NO DK FI PL CZ RO BG GR CY TR RU KZ UA
	IN PK BD CN HK SG JP KR TH VN ID MY PH NG GH KE ZA EG MA AE SA IL BR AR MX CO CL PE GG JE IM GI MT`)

// spelling writes a number in one of the ways people write it. british: in its national form
// too.
func spelling(n *phonenumbers.PhoneNumber, british bool, rnd *rand.Rand) string {
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	spaced := phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
	cc, rest, _ := strings.Cut(spaced, " ")
	switch k := rnd.IntN(12); {
	case k == 0:
		return e164
	case k == 1:
		return "00" + e164[1:]
	case k == 2:
		return spaced
	case k == 3:
		return "00" + spaced[1:]
	case k == 4:
		return strings.ReplaceAll(spaced, " ", "-")
	case k == 5:
		return strings.ReplaceAll(spaced, " ", ".")
	case k == 6:
		return cc + " (" + strings.Replace(rest, " ", ") ", 1) + strings.Repeat(")", max(0, 1-strings.Count(rest, " ")))
	case k == 7:
		return "(" + cc + ") " + rest
	case !british:
		return " " + spaced + " "
	case k == 8:
		return phonenumbers.Format(n, phonenumbers.NATIONAL)
	case k == 9:
		return strings.ReplaceAll(phonenumbers.Format(n, phonenumbers.NATIONAL), " ", "")
	case k == 10:
		return "+44 (0)" + rest
	default:
		area, local, _ := strings.Cut(phonenumbers.Format(n, phonenumbers.NATIONAL), " ")
		return "(" + area + ") " + strings.ReplaceAll(local, " ", "-")
	}
}

// Well-formed numbers read as libphonenumber reads them: a million with CI set, else a tenth.
func TestReadAgainstLibphonenumber(t *testing.T) {
	want := 100_000
	if os.Getenv("CI") != "" {
		want = 1_000_000
	}
	var kinds []*phonenumbers.PhoneNumber
	var names []string
	for _, region := range regions {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.MOBILE, phonenumbers.FIXED_LINE, phonenumbers.TOLL_FREE, phonenumbers.SHARED_COST, phonenumbers.UAN, phonenumbers.VOIP} {
			if n := phonenumbers.GetExampleNumberForType(region, kind); n != nil && (kind <= phonenumbers.MOBILE || region == "GB") {
				kinds, names = append(kinds, n), append(names, region)
			}
		}
	}
	workers := runtime.GOMAXPROCS(0)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 99))
			for range want / workers {
				k := rnd.IntN(len(kinds))
				n := &phonenumbers.PhoneNumber{CountryCode: kinds[k].CountryCode, ItalianLeadingZero: kinds[k].ItalianLeadingZero}
				for { // one that is valid, near an example
					size := []uint64{1e3, 1e4, 1e5, 1e6}[rnd.IntN(4)]
					national := *kinds[k].NationalNumber/size*size + rnd.Uint64N(size)
					n.NationalNumber = &national
					if phonenumbers.IsValidNumber(n) {
						break
					}
				}
				raw := spelling(n, names[k] == "GB", rnd)
				theirs, err := phonenumbers.Parse(raw, "GB")
				if err != nil {
					t.Errorf("libphonenumber does not read %q: %v", raw, err)
					return
				}
				if got, want := ReadE164(raw).String(), phonenumbers.Format(theirs, phonenumbers.E164); got != want {
					t.Errorf("%q (%s) is %s, libphonenumber says %s", raw, names[k], got, want)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d numbers of %d kinds", want/workers*workers, len(kinds))
}

func ExampleReadE164() {
	for _, raw := range []string{"+44 (0)20 7946 0123", "07700 900123", "1234#00442079460123", "2079460123", "anonymous"} {
		fmt.Printf("%q\n", ReadE164(raw))
	}
	// Output:
	// "+442079460123"
	// "+447700900123"
	// "+442079460123"
	// ""
	// ""
}
