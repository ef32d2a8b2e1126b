package profile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// TestBitcoinAddresses takes addresses from BIP 173, BIP 350 and the genesis block, and each
// of them with one character changed.
func TestBitcoinAddresses(t *testing.T) {
	good := []string{
		"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "3P14159f73E4gFr7JterCCQh9QjiTjiZrG",
		"BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3",
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
	}
	for _, a := range good {
		if !bitcoinAddress(a) {
			t.Errorf("%s is an address", a)
		}
		for i := 4; i < len(a); i += 5 {
			c := byte('7')
			if a[i] == c {
				c = '9'
			}
			if bad := a[:i] + string(c) + a[i+1:]; bitcoinAddress(bad) {
				t.Errorf("%s has a wrong checksum", bad)
			}
		}
	}
	for _, a := range []string{"", "1", "bc1", "bc1gmk9yu", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", "bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1111111111111111111114oLvT3", strings.Repeat("1", 34)} {
		if bitcoinAddress(a) {
			t.Errorf("%q is no address", a)
		}
	}
}

func TestKinds(t *testing.T) {
	m := &measurer{countries: map[string]bool{"GERMANY": true, "GB": true}}
	for v, want := range map[string]string{
		"+442079460123": E164, "447700900123": E164, "00447700900123": E164, "07700 900123": National, "1234#447700900123": E164, "12025550123": E164, "1234567890": Integer, "1700000000": EpochS, "1700000000000": EpochMS, "1700000000000000": EpochUS,
		"a.b@example.com": Email, "198.51.100.7": IP, "2001:db8::1": IP, "198.51.100.7:5060": IP, `"Example Bank" <+442079460123>`: CallerID, "sip:100@example.com": SIP, "SIP/100-0000001a": Channel,
		"4111111111111111": Card, "2021-03-28": Date, "2021-03-28 00:30:00": DateTime, "2021-03-28 00:30:00+01": DateTimeZone, "2021-03-28T00:30:00Z": DateTimeZone, "12.50": Money, "90": Seconds,
		"d41d8cd98f00b204e9800998ecf8427e": MD5, "da39a3ee5e6b4b0d3255bfef95601890afd80709": SHA1, "$2y$10$abcdefghijklmnopqrstuv": Crypt, "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b": Hex64,
		"https://example.com/x": URL, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa": BTCAddress, "Zoiper rv2.10.3": UserAgent, "Mozilla/5.0 (X11)": UserAgent, "Germany": Country, "GBP": Currency, `{"a":1}`: JSON,
		"Hello, this is the fraud team of your bank, press one to speak": Script, "1616890000.123": Unique, "/var/a/b.wav": Audio, "one two three four": Text, "Alex Example": Words,
		"7f3c1d50-0000-4000-a000-000000000001": UUID,
	} {
		if got := m.kindsOf(v); !slices.Contains(got, want) {
			t.Errorf("%q is %v, want %s", v, got, want)
		}
	}
	for _, v := range []string{"4111111111111112", "1234", "447700900123"} {
		if slices.Contains(m.kindsOf(v), Card) {
			t.Errorf("%q is no card", v)
		}
	}
	if s := shapeOf("+44 Ab-cde"); s != "+9{2} Aa-a{3}" {
		t.Errorf("shape %q", s)
	}
}

// TestProfile looks at a table of 60,000 rows: sampled, with a key, a join, a span, clocks that
// give themselves away, and no value of the source in the result.
func TestProfile(t *testing.T) {
	ctx := context.Background()
	c, err := store.Create(t.TempDir(), store.Config{ID: "x", Name: "x", Reference: "x", TimeZone: "Europe/London"})
	if err != nil {
		t.Fatal(err)
	}
	e, err := duckdb.Open(ctx, c, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	id := casefile.SourceID(strings.Repeat("ab", 32))
	publish := func(name, query string) {
		t.Helper()
		stage, err := c.Stage()
		if err != nil {
			t.Fatal(err)
		}
		rows, cols, err := e.Write(ctx, query, stage.Dir+"/part-00000.parquet")
		if err != nil {
			t.Fatal(err)
		}
		m := store.Manifest{Table: store.SourceTableName(id, name), Kind: store.KindSource, Step: "test", StepVersion: "1", Source: id, SourceTable: name,
			Inputs: []store.TableVersion{}, Columns: cols, Files: []store.File{{Name: "part-00000.parquet", Rows: rows}}}
		m.Version = m.VersionOf()
		if _, err := stage.Publish(ctx, m, func(context.Context, store.Manifest, string) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	publish("users", "SELECT i AS ref_row, i AS ref_offset, i AS id, 'user' || i AS login, 'u' || i || '@example.com' AS email, NULL::VARCHAR AS ref_misfit FROM range(1, 201) r(i)")
	publish("calls", `SELECT i AS ref_row, i AS ref_offset, i AS id, 1 + i % 200 AS user_id, u AS created, timezone('Europe/London', timezone('UTC', u)) AS logged,
u + to_seconds(i % 300) AS ended, i % 300 AS secs, '+447700900' || lpad((i % 1000)::VARCHAR, 3, '0') AS dst, CASE i % 3 WHEN 0 THEN 'BUSY' ELSE 'ANSWERED' END AS outcome, NULL::VARCHAR AS ref_misfit
FROM (SELECT i, TIMESTAMP '2021-03-01 00:00:00' + to_seconds(i * 97) AS u FROM range(1, 60001) r(i))`)
	tables, err := c.Tables()
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]store.Manifest{}
	for _, m := range tables {
		own[m.SourceTable] = m
	}
	if err := e.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	p, err := Source(ctx, e, id, own, Options{Zone: "Europe/London", Sample: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	calls := p.Table("calls")
	if calls.Sampled < 18_000 || calls.Sampled > 22_000 {
		t.Errorf("%d rows sampled, want about 20,000", calls.Sampled)
	}
	if calls.Key != "id" || !slices.Contains(calls.Joins, Join{Column: "user_id", Table: "users", Key: "id", Share: 1, Named: true}) {
		t.Errorf("key %q, joins %v", calls.Key, calls.Joins)
	}
	if !slices.ContainsFunc(calls.Spans, func(s Span) bool { return s.From == "created" && s.To == "ended" && s.Column == "secs" && s.Share == 1 }) {
		t.Errorf("spans %v", calls.Spans)
	}
	if k := calls.Column("logged").Clock; k == nil || k.Verdict != "local" || k.Shifts != "created" || k.Gap != 0 {
		t.Errorf("clock of logged: %+v", k)
	}
	if k := calls.Column("created").Clock; k == nil || k.Verdict != "utc" || k.Gap < 30 {
		t.Errorf("clock of created: %+v", k)
	}
	if c := calls.Column("outcome"); len(c.Codes) != 2 || c.Codes["BUSY"] < 0.3 {
		t.Errorf("codes %v", c.Codes)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"7700900", "example.com", "user1", "u1@"} {
		if strings.Contains(string(text), value) {
			t.Errorf("the profile shows %q", value)
		}
	}
	again, err := Source(ctx, e, id, own, Options{Zone: "Europe/London", Sample: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	if text2, err := json.Marshal(again); err != nil || string(text2) != string(text) {
		t.Errorf("another profile of the same tables differs (%v)", err)
	}
}

// TestChanges finds the four changes of the clocks of 2021 and 2022.
func TestChanges(t *testing.T) {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes(zone, time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)) {
		got = append(got, fmt.Sprint(c.from.Format("2006-01-02 15:04"), " ", c.spring))
	}
	if want := []string{"2021-03-28 01:00 true", "2021-10-31 01:00 false", "2022-03-27 01:00 true", "2022-10-30 01:00 false"}; !slices.Equal(got, want) {
		t.Errorf("changes %v, want %v", got, want)
	}
}
