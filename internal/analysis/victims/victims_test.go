package victims

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// engine is an engine with empty tables of everything that the steps read.
func engine(t *testing.T) *duckdb.Engine {
	t.Helper()
	c, err := store.Create(filepath.Join(t.TempDir(), "case"), store.Config{ID: "t", Name: "t", TimeZone: "Europe/London", Created: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	e, err := duckdb.Open(t.Context(), c, duckdb.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	for _, m := range casefile.Model() {
		var cols []string
		for _, col := range append(m.Columns, casefile.RefColumns()...) {
			cols = append(cols, duckdb.Ident(col.Name)+" "+col.Type)
		}
		run(t, e, "CREATE TABLE "+m.Name+" ("+strings.Join(cols, ", ")+")")
	}
	run(t, e, `CREATE TABLE name_match (presented_name VARCHAR, name_norm VARCHAR, institution_id VARCHAR, alias VARCHAR);
		CREATE TABLE call_verdict (call_id VARCHAR, account_id VARCHAR, started_at TIMESTAMPTZ, called_e164 BIGINT, called_country VARCHAR, outcome VARCHAR,
			talk_s BIGINT, staff BOOLEAN, grade VARCHAR, institution_id VARCHAR, ref_source VARCHAR, ref_table VARCHAR, ref_row BIGINT, ref_offset BIGINT);
		CREATE VIEW number_call AS SELECT * FROM call_verdict WHERE called_e164 IS NOT NULL;
		CREATE TABLE passcode_call (call_id VARCHAR, called_e164 BIGINT, keys BIGINT, recorded BOOLEAN, asks BOOLEAN, named BOOLEAN, repeated BOOLEAN, message_before BOOLEAN)`)
	if err := preparePolice(t.Context(), nil, e); err != nil {
		t.Fatal(err)
	}
	return e
}

func run(t *testing.T, e *duckdb.Engine, query string) {
	t.Helper()
	if _, err := e.DB.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// build makes a table by its step's SQL.
func (b builder) build(table string) {
	b.t.Helper()
	for _, s := range Steps() {
		if s.Table == table {
			if err := s.Anew(b.t.Context(), b.e); err != nil {
				b.t.Fatal(err)
			}
			run(b.t, b.e, "CREATE OR REPLACE TABLE "+table+" AS "+s.SQL)
			return
		}
	}
	b.t.Fatal("no step " + table)
}

type builder struct {
	t *testing.T
	e *duckdb.Engine
}

func (b builder) all() {
	for _, s := range Steps() {
		b.build(s.Table)
	}
}

// Adding calls, passcode calls and reports never lowers a number's points.
func TestPointsNeverFall(t *testing.T) {
	for seed := range uint64(2) {
		b := builder{t, engine(t)}
		r := rand.New(rand.NewPCG(seed, 1))
		grades := []string{"A*", "A", "B", "C", "X", "W", "U"}
		before := map[int64]int64{}
		for round := range 12 {
			var calls, keyed []string
			for k := range 1 + r.IntN(60) {
				id := fmt.Sprintf("'%d.%d'", round, k)
				number := 447700900000 + r.IntN(12)
				institution := "NULL"
				if r.IntN(2) == 0 {
					institution = []string{"'bank'", "'tax'"}[r.IntN(2)]
				}
				talk := []int{0, 1, 15, 16, 60, 61, 180, 181, r.IntN(400)}[r.IntN(9)]
				calls = append(calls, fmt.Sprintf("(%s, 'a%d', TIMESTAMPTZ '2022-01-01 00:00:00Z' + to_minutes(%d), %d, 'GB', '%s', %d, %v, '%s', %s, 's', 't', %d, 0)",
					id, r.IntN(3), r.IntN(5000), number, []string{"answered", "busy", "answered"}[r.IntN(3)], talk, r.IntN(8) == 0, grades[r.IntN(7)], institution, k))
				if r.IntN(6) == 0 {
					keyed = append(keyed, fmt.Sprintf("(%s, %d, %d, %v, true, %v, %v, %v)", id, number, 4+r.IntN(5), r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0))
				}
			}
			run(t, b.e, "INSERT INTO call_verdict VALUES "+strings.Join(calls, ", "))
			if len(keyed) > 0 {
				run(t, b.e, "INSERT INTO passcode_call VALUES "+strings.Join(keyed, ", "))
			}
			if r.IntN(3) == 0 {
				run(t, b.e, fmt.Sprintf(`INSERT INTO loss_report (report_id, victim_phone_e164, institution, incident_from, incident_to, amount_minor, currency)
					VALUES ('%d', %d, 'Bank', '2022-01-01 00:00:00Z', '2022-01-0%d 00:00:00Z', 100, 'GBP')`, round, 447700900000+r.IntN(12), 2+r.IntN(3)))
				run(t, b.e, "INSERT INTO name_match SELECT 'Bank', 'BANK', 'bank', 'Bank' WHERE NOT EXISTS (SELECT 1 FROM name_match)")
			}
			b.build("report_link")
			b.build("victim")
			rows, err := b.e.DB.Query("SELECT called_e164, points FROM victim")
			if err != nil {
				t.Fatal(err)
			}
			after := map[int64]int64{}
			for rows.Next() {
				var n, p int64
				if err := rows.Scan(&n, &p); err != nil {
					t.Fatal(err)
				}
				after[n] = p
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			for n, p := range before {
				if after[n] < p {
					t.Fatalf("seed %d, round %d: %d fell from %d to %d points", seed, round, n, p, after[n])
				}
			}
			before = after
		}
	}
}

// Every reason to leave a number out of the warning, the area and batch of the others, and that
// batches and exclusions add up to all numbers.
func TestExclusionsAndBatches(t *testing.T) {
	b := builder{t, engine(t)}
	run(t, b.e, `INSERT INTO institution (institution_id, name) VALUES ('bank', 'Bank');
		INSERT INTO institution_number (institution_id, number_from, number_to) VALUES ('bank', 442079460000, 442079460099);
		INSERT INTO account (account_id, role, phone_e164) VALUES ('1', 'admin', 447700900001), ('2', 'user', 447700900002), ('3', 'user', NULL)`)
	for _, c := range []struct {
		number  int64
		country string
		account string
		talk    int
		times   int
	}{
		{442079460001, "GB", "3", 200, 1}, // of an institution
		{448081570123, "GB", "3", 100, 1}, // freephone
		{18005550100, "US", "3", 100, 1},  // toll-free
		{447700900001, "GB", "3", 100, 1}, // of a member of staff
		{447700900002, "GB", "2", 100, 1}, // the caller's own
		{447700900003, "GB", "3", 9, 3},   // a voicemail
		{447700900004, "GB", "3", 9, 2},   // two calls say nothing
		{447700900005, "GB", "3", 100, 2}, // called by staff too, but once
		{447700900006, "GB", "3", 100, 1}, // called by staff three times
		{441134960123, "GB", "3", 100, 1}, // Leeds
		{442079460123, "GB", "3", 200, 1}, // London
		{12025550123, "US", "3", 200, 1},
	} {
		for k := range c.times {
			run(t, b.e, fmt.Sprintf(`INSERT INTO call_verdict VALUES ('%d.%d', '%s', '2022-01-01 10:00:00Z', %d, '%s', 'answered', %d, false, 'U', NULL, 's', 't', 1, 0)`, c.number, k, c.account, c.number, c.country, c.talk))
		}
	}
	run(t, b.e, `INSERT INTO call_verdict SELECT 's' || n, '1', '2022-01-01 11:00:00Z', n, 'GB', 'answered', 5, true, 'U', NULL, 's', 't', 1, 0 FROM (SELECT unnest([447700900005, 447700900006, 447700900006, 447700900006]) AS n)`)
	b.all()
	for number, want := range map[int64]string{
		442079460001: "institution", 448081570123: "service number", 18005550100: "service number", 447700900001: "staff", 447700900002: "own number",
		447700900003: "voicemail", 447700900004: "gb.mobile.4", 447700900005: "gb.mobile.3", 447700900006: "staff",
		441134960123: "gb.west-yorkshire-police.3", 442079460123: "gb.metropolitan-police-service.3", 12025550123: "us.none.3",
	} {
		var got string
		if err := b.e.DB.QueryRow("SELECT coalesce(batch_id, split_part(excluded_reason, ':', 1)) FROM victim WHERE called_e164 = ?", number).Scan(&got); err != nil || got != want {
			t.Errorf("%d: %q (%v), want %q", number, got, err, want)
		}
	}
	var all, lots, published sql.NullInt64
	if err := b.e.DB.QueryRow("SELECT (SELECT count(*) FROM victim), sum(numbers), sum(published) FROM contact_batch").Scan(&all, &lots, &published); err != nil {
		t.Fatal(err)
	}
	if all.Int64 != 12 || lots.Int64 != 12 || published.Valid {
		t.Errorf("%d numbers, %d in batches, %v published; want 12, 12, none", all.Int64, lots.Int64, published)
	}
	// every area of the table of forces is one of the number plan's
	var stranger sql.NullString
	if err := b.e.DB.QueryRow("SELECT string_agg(area, ', ') FROM police_area WHERE area NOT IN (SELECT area FROM uk_block)").Scan(&stranger); err != nil || stranger.Valid {
		t.Errorf("areas that the number plan does not have: %v (%v)", stranger.String, err)
	}
}

// The rank, weight and runner-up of candidates; what a threshold takes in; sums of losses.
func TestReportsAndTotals(t *testing.T) {
	b := builder{t, engine(t)}
	run(t, b.e, `INSERT INTO name_match VALUES ('Bank', 'BANK', 'bank', 'Bank');
		INSERT INTO call_verdict VALUES
			('1', 'a', '2022-03-01 10:00:00Z', 447700900001, 'GB', 'answered', 200, false, 'U', NULL, 's', 't', 1, 0),
			('2', 'a', '2022-03-01 11:00:00Z', 447700900001, 'GB', 'answered', 50, false, 'A', 'bank', 's', 't', 2, 0),
			('3', 'a', '2022-03-01 11:00:00Z', 447700900002, 'GB', 'answered', 90, false, 'U', NULL, 's', 't', 3, 0);
		INSERT INTO rate (asset, currency, "at", price_e8) VALUES ('EUR', 'GBP', '2022-03-01', 83335000), ('BTC', 'GBP', '2022-03-01', 3000000000000);
		INSERT INTO loss_report (report_id, victim_name, victim_phone_e164, institution, incident_from, incident_to, amount_minor, currency) VALUES
			('R1', 'A Person', 447700900001, 'Bank', '2022-03-01 00:00:00Z', '2022-03-02 00:00:00Z', 10000, 'GBP'),
			('R2', 'B Person', 447700900002, 'Bank', '2022-03-01 00:00:00Z', '2022-03-02 00:00:00Z', 1001, 'EUR'),
			('R3', 'C Person', 447700900003, 'Bank', '2022-03-02 00:00:00Z', '2022-03-02 01:00:00Z', 500, 'EUR'),
			('R4', 'D Person', NULL, 'Bank', '2022-03-01 00:00:00Z', '2022-03-02 00:00:00Z', NULL, 'GBP')`)
	b.all()
	lines := func(query string) string {
		t.Helper()
		var s sql.NullString
		if err := b.e.DB.QueryRow("SELECT string_agg(line, '\n') FROM (" + query + ")").Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s.String
	}
	if got, want := lines("SELECT concat_ws(' ', report_id, call_id, rank, strict, weight, runner_up, runner_up_weight) AS line FROM report_link ORDER BY report_id, rank"),
		"R1 2 1 true 0.7273 1 0.2727\nR1 1 2 false 0.2727\nR2 3 1 false 1.0"; got != want {
		t.Errorf("report_link:\n%s\nwant:\n%s", got, want)
	}
	if got, want := lines("SELECT concat_ws(' ', definition, currency, basis = 'as reported', reports, amount_minor, without_amount, without_rate) AS line FROM loss_total"),
		strings.Join([]string{
			"reported EUR false 4 13501 1 0", // 10000 / 0.83335 = 11999.52; 1001 and 500 are in euros already
			"reported GBP false 4 10834 1 1",
			"reported EUR true 2 1501 0 0", "reported GBP true 2 10000 1 0",
			"linked strictly EUR false 1 12000 0 0", "linked strictly GBP false 1 10000 0 0", "linked strictly GBP true 1 10000 0 0",
			"linked loosely EUR false 2 13001 0 0", "linked loosely GBP false 2 10834 0 0",
			"linked loosely EUR true 1 1001 0 0", "linked loosely GBP true 1 10000 0 0"}, "\n"); got != want {
		t.Errorf("loss_total:\n%s\nwant:\n%s", got, want)
	}
	if got, want := lines("SELECT concat_ws(' ', scope, threshold_s, numbers, calls, reports, reports_linked, reports_share, people_reporting) AS line FROM victim_yield WHERE threshold_s IN (45, 60, 180) AND scope = 'GB'"),
		"GB 45 2 3 1 1 1.0 1\nGB 60 2 2 0 1 0.0 0\nGB 180 1 1 0 1 0.0 0"; got != want {
		t.Errorf("victim_yield:\n%s\nwant:\n%s", got, want)
	}
}
