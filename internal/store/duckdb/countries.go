package duckdb

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// dialCountries gives the country (ISO 3166-1 alpha-2) of every four-digit beginning of an
// E.164 number that has one, from libphonenumber's metadata: country codes of one to three
// digits, and in the North American plan the area codes. Countries that share a code are
// told apart no further; british_country does it for Britain.
var dialCountries = sync.OnceValue(func() map[int]string {
	countries := map[int]string{}
	for code := range phonenumbers.GetSupportedCallingCodes() {
		text := strconv.Itoa(code)
		region := phonenumbers.GetRegionCodeForCountryCode(code)
		if len(region) != 2 || region == "ZZ" {
			continue
		}
		from, _ := strconv.Atoi(text + strings.Repeat("0", 4-len(text)))
		to, _ := strconv.Atoi(text + strings.Repeat("9", 4-len(text)))
		for p := from; p <= to; p++ {
			countries[p] = region
		}
	}
	for area := 200; area <= 999; area++ {
		n := &phonenumbers.PhoneNumber{}
		cc, national := int32(1), uint64(area)*10_000_000+2_345_678
		n.CountryCode, n.NationalNumber = &cc, &national
		if region := phonenumbers.GetRegionCodeForNumber(n); len(region) == 2 && region != "ZZ" {
			countries[1000+area] = region
		}
	}
	for _, p := range []int{7600, 7700} { // +7 6 and +7 7 are Kazakhstan's
		for i := range 100 {
			countries[p+i] = "KZ"
		}
	}
	return countries
})

// countryNames gives the country of every way people write one in a form: English name, ISO
// 3166-1 code of two or three letters, calling code with or without a plus; upper case.
var countryNames = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	english := display.English.Regions()
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			region, err := language.ParseRegion(code)
			if err != nil || !region.IsCountry() || region.Canonicalize().String() != code {
				continue
			}
			names[code] = code
			if name := english.Name(region); name != "" {
				names[strings.ToUpper(name)] = code
			}
			if iso3 := region.ISO3(); len(iso3) == 3 && iso3 != "ZZZ" {
				names[iso3] = code
			}
		}
	}
	for code := range phonenumbers.GetSupportedCallingCodes() {
		if region := phonenumbers.GetRegionCodeForCountryCode(code); len(region) == 2 && region != "ZZ" {
			names[strconv.Itoa(code)], names["+"+strconv.Itoa(code)] = region, region
		}
	}
	for name, code := range map[string]string{
		"UK": "GB", "U.K.": "GB", "GREAT BRITAIN": "GB", "BRITAIN": "GB", "ENGLAND": "GB", "SCOTLAND": "GB", "WALES": "GB", "NORTHERN IRELAND": "GB",
		"UNITED KINGDOM OF GREAT BRITAIN AND NORTHERN IRELAND": "GB", "THE UNITED KINGDOM": "GB",
		"U.S.": "US", "U.S.A.": "US", "UNITED STATES OF AMERICA": "US", "AMERICA": "US", "HOLLAND": "NL", "THE NETHERLANDS": "NL",
		"CZECH REPUBLIC": "CZ", "TURKEY": "TR", "IVORY COAST": "CI", "UAE": "AE", "REPUBLIC OF IRELAND": "IE", "EIRE": "IE",
	} {
		names[name] = code
	}
	return names
})

// countryNameTable is the SQL that makes the lookup table country_name.
func countryNameTable() string {
	keys := make([]string, 0, len(countryNames()))
	for k, c := range countryNames() {
		keys = append(keys, "("+Literal(k)+","+Literal(c)+")")
	}
	sort.Strings(keys)
	return "CREATE OR REPLACE TABLE country_name AS SELECT * FROM (VALUES " + strings.Join(keys, ",") + ") t(name, country)"
}

// dialTable is the SQL that makes the lookup table dial_country.
func dialTable() string {
	var b strings.Builder
	b.WriteString("CREATE OR REPLACE TABLE dial_country AS SELECT * FROM (VALUES ")
	first := true
	for p := 1000; p <= 9999; p++ {
		if c := dialCountries()[p]; c != "" {
			if !first {
				b.WriteByte(',')
			}
			first = false
			fmt.Fprintf(&b, "(%d,'%s')", p, c)
		}
	}
	b.WriteString(") t(prefix, country)")
	return b.String()
}
