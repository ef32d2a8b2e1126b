package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

func engine(t testing.TB) *Engine {
	t.Helper()
	e, err := Open(context.Background(), newCase(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func one[T any](t *testing.T, e *Engine, query string, args ...any) T {
	t.Helper()
	var v T
	if err := e.DB.QueryRow(query, args...).Scan(&v); err != nil {
		t.Fatalf("%s %v: %v", query, args, err)
	}
	return v
}

func TestNumbersAsWritten(t *testing.T) {
	e := engine(t)
	for raw, want := range map[string]int64{
		"+442079460123": 442079460123, "00442079460123": 442079460123, "442079460123": 442079460123, "02079460123": 442079460123,
		"020 7946 0123": 442079460123, "(020) 7946-0123": 442079460123, "+44 (0)20 7946 0123": 442079460123, "1234#07700900123": 447700900123,
		"+12025550123": 12025550123, "12025550123": 12025550123, "+33 1 99 00 12 34": 33199001234, "0044 (0) 7700 900 123": 447700900123,
		"159": 0, "": 0, "anonymous": 0, "+44207946012": 44207946012, "0207": 0, "2079460123": 0, "44e9": 0, "+1_2025550123": 0, "999999999999999999999": 0,
		"07700 900123 ext 4": 0, "+07700900123": 0,
	} {
		if got := one[sql.NullInt64](t, e, "SELECT e164(?)", raw); got.Int64 != want {
			t.Errorf("e164(%q) = %d, want %d", raw, got.Int64, want)
		}
	}
	for raw, want := range map[string][2]string{
		`"HSBC Fraud Team" <+442079460123>`: {"HSBC Fraud Team", "+442079460123"},
		`HSBC Fraud Team <02079460123>`:     {"HSBC Fraud Team", "02079460123"},
		`HSBC Fraud Team`:                   {"HSBC Fraud Team", ""},
		`020 7946 0123`:                     {"", "020 7946 0123"},
		`<02079460123>`:                     {"", "02079460123"},
		`anonymous`:                         {"anonymous", ""},
		``:                                  {"", ""},
		`"unclosed" <0207`:                  {"unclosed", "0207"},
	} {
		name, number := one[sql.NullString](t, e, "SELECT clid_name(?)", raw), one[sql.NullString](t, e, "SELECT clid_number(?)", raw)
		if name.String != want[0] || number.String != want[1] {
			t.Errorf("caller id %q: name %q number %q, want %q", raw, name.String, number.String, want)
		}
	}
}

// The macros agree with libphonenumber on well-formed numbers: E.164 form and country.
func TestNumbersAgainstLibphonenumber(t *testing.T) {
	e := engine(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	forms := map[string]*phonenumbers.PhoneNumber{}
	for _, region := range []string{"GB", "US", "CA", "FR", "DE", "AU", "NL", "IE", "ES", "IT", "JM", "KZ", "RU", "UA", "GG", "JE", "IM", "IN", "NG", "BR"} {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.MOBILE, phonenumbers.FIXED_LINE} {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			for range 200 {
				national := *example.NationalNumber/1000*1000 + uint64(rnd.IntN(1000))
				n := &phonenumbers.PhoneNumber{CountryCode: example.CountryCode, NationalNumber: &national}
				if example.ItalianLeadingZero != nil {
					n.ItalianLeadingZero = example.ItalianLeadingZero
				}
				if !phonenumbers.IsValidNumberForRegion(n, region) {
					continue
				}
				forms[phonenumbers.Format(n, phonenumbers.E164)] = n
				forms[phonenumbers.Format(n, phonenumbers.INTERNATIONAL)] = n
				if region == "GB" {
					forms[phonenumbers.Format(n, phonenumbers.NATIONAL)] = n
				}
			}
		}
	}
	if len(forms) < 5000 {
		t.Fatalf("only %d numbers", len(forms))
	}
	var values []string
	for raw := range forms {
		values = append(values, "("+Literal(raw)+")")
	}
	rows, err := e.DB.Query(`SELECT raw, '+' || v, CASE WHEN d.country = 'GB' THEN british_country(v) ELSE d.country END
		FROM (SELECT raw, e164(raw) AS v FROM (VALUES ` + strings.Join(values, ",") + `) t(raw))
		LEFT JOIN dial_country d ON d.prefix = dial_prefix(v)`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var raw string
		var got, country sql.NullString
		if err := rows.Scan(&raw, &got, &country); err != nil {
			t.Fatal(err)
		}
		seen++
		n := forms[raw]
		if want := phonenumbers.Format(n, phonenumbers.E164); got.String != want {
			t.Errorf("e164(%q) = %s, want %s", raw, got.String, want)
		}
		// Some blocks are valid for Britain and for a Crown dependency alike in
		// libphonenumber; Ofcom's own data decide between them here.
		if !phonenumbers.IsValidNumberForRegion(n, country.String) {
			t.Errorf("country of %s = %s, libphonenumber says %s", raw, country.String, phonenumbers.GetRegionCodeForNumber(n))
		}
	}
	if err := rows.Err(); err != nil || seen != len(forms) {
		t.Fatalf("%d rows for %d numbers, %v", seen, len(forms), err)
	}
}

func TestWallTime(t *testing.T) {
	e := engine(t)
	for wall, want := range map[string]string{
		"2022-07-01 12:00:00": "2022-07-01 11:00:00", "2022-01-01 12:00:00": "2022-01-01 12:00:00",
		"2022-10-30 00:59:59": "2022-10-29 23:59:59", "2022-10-30 01:30:00": "", "2022-10-30 02:00:00": "2022-10-30 02:00:00",
		"2022-03-27 01:30:00": "", "2022-03-27 02:00:00": "2022-03-27 01:00:00", "2021-10-31 01:00:00": "", "2021-03-28 00:59:59": "2021-03-28 00:59:59",
	} {
		got := one[sql.NullString](t, e, "SELECT strftime(timezone('UTC', wall_time(CAST(? AS TIMESTAMP), 'Europe/London')), '%Y-%m-%d %H:%M:%S')", wall)
		if got.String != want {
			t.Errorf("wall time %s = %q, want %q", wall, got.String, want)
		}
	}
}

func TestMoney(t *testing.T) {
	e := engine(t)
	for _, c := range []struct{ sats, price, want int64 }{
		{100_000_000, 3_000_000, 3_000_000}, {333_333, 3_000_000, 10_000}, {1, 4_999_999, 0}, {10, 5_000_000, 1}, {11, 4_545_454, 0}, {2_100_000_000_000_000, 5_000_000, 105_000_000_000_000},
	} {
		if got := one[int64](t, e, fmt.Sprintf("SELECT sats_minor(%d, %d)", c.sats, c.price)); got != c.want {
			t.Errorf("value of %d satoshis at %d = %d, want %d", c.sats, c.price, got, c.want)
		}
	}
	for amount, want := range map[string]int64{"10.005": 1001, "10.00": 1000, "-0.5": -50, "8901.234": 890123} {
		if got := one[int64](t, e, "SELECT minor_units(CAST(? AS DECIMAL(15,5)))", amount); got != want {
			t.Errorf("minor units of %s = %d, want %d", amount, got, want)
		}
	}
}
