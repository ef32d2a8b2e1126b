package callers

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/analysis/step"
	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// bench is an engine with the tables of the case model, on which the steps run.
type bench struct {
	t *testing.T
	c *store.Case
	e *duckdb.Engine
}

func newBench(t *testing.T) bench {
	t.Helper()
	c, err := store.Create(filepath.Join(t.TempDir(), "case"), store.Config{ID: "t", Name: "t", TimeZone: "Europe/London", Created: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	e, err := duckdb.Open(t.Context(), c, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	w := bench{t, c, e}
	for _, m := range casefile.Model() {
		var cols []string
		for _, col := range append(m.Columns, casefile.RefColumns()...) {
			cols = append(cols, duckdb.Ident(col.Name)+" "+col.Type)
		}
		w.exec("CREATE TABLE " + m.Name + " (" + strings.Join(cols, ", ") + ")")
	}
	return w
}

func (w bench) exec(query string) {
	w.t.Helper()
	if _, err := w.e.DB.ExecContext(w.t.Context(), query); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

// build runs the steps as a case's build does, into tables of the engine.
func (w bench) build() {
	w.t.Helper()
	for _, s := range Steps() {
		var params map[string]string
		var err error
		if s.Params != nil {
			if params, err = s.Params(w.c); err != nil {
				w.t.Fatal(err)
			}
		}
		if s.Table == "account_call" || s.Table == "number_call" { // places in the engine's table stand for those in a published file
			w.exec("CREATE OR REPLACE VIEW call_verdict_at AS SELECT *, rowid AS place FROM call_verdict")
			if err := step.Words("call_verdict", "account_id", "called_country", "outcome", "grade", "institution_id")(w.t.Context(), w.c, w.e); err != nil {
				w.t.Fatal(err)
			}
		} else if s.Prepare != nil {
			if err := s.Prepare(w.t.Context(), w.c, w.e); err != nil {
				w.t.Fatal(err)
			}
		}
		if err := s.Anew(w.t.Context(), w.e); err != nil {
			w.t.Fatal(err)
		}
		w.exec("CREATE OR REPLACE TABLE " + s.Table + " AS " + step.Expand(s.SQL, params))
	}
}

// rows gives a query's rows, their values in one text.
func (w bench) rows(query string) []string {
	w.t.Helper()
	rows, err := w.e.DB.QueryContext(w.t.Context(), query)
	if err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	cols, _ := rows.Columns()
	var out []string
	for rows.Next() {
		values, into := make([]any, len(cols)), make([]any, len(cols))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			w.t.Fatal(err)
		}
		parts := make([]string, len(cols))
		for i, v := range values {
			if v != nil {
				parts[i] = fmt.Sprint(v)
			}
		}
		out = append(out, strings.Join(parts, "|"))
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w bench) registry() {
	w.exec(`INSERT INTO institution (institution_id, name, aliases) VALUES ('alder', 'Alder Bank', 'Alder;Alder Bank'), ('birch', 'Birchwood Society', 'Birchwood;BWS'), ('tax', 'Office of Taxes', 'Office of Taxes;OOT'), ('dno', 'dno', NULL)`)
	w.exec(`INSERT INTO institution_number (institution_id, number_from, number_to, inbound_only, valid_from, valid_to, source_url, list) VALUES
		('alder', 442079460001, 442079460001, false, NULL, NULL, 'https://example.org/a', 'registry'),
		('alder', 443069990101, 443069990101, true, NULL, NULL, 'https://example.org/a', 'registry'),
		('birch', 443069990210, 443069990219, false, NULL, NULL, 'https://example.org/b', 'registry'),
		('birch', 448081570301, 448081570301, false, DATE '2021-01-01', DATE '2021-06-30', 'https://example.org/b', 'registry'),
		('birch', 442079460777, 442079460777, false, NULL, NULL, NULL, 'registry'),
		('dno', 443069990900, 443069990900, true, NULL, NULL, 'Do-Not-Originate list', 'do_not_originate')`)
	w.exec(`INSERT INTO number_block (prefix, status) VALUES ('44', 'allocated'), ('441632960', 'drama')`)
}

// Every rung, the order of the rungs, and what stands beside a verdict.
func TestLadder(t *testing.T) {
	w := newBench(t)
	w.registry()
	w.exec(`INSERT INTO account (account_id, role, phone_e164) VALUES ('u', 'user', 447700900001), ('s', 'staff', NULL), ('star', 'user', 443069990101), ('x', 'user', 441632960001), ('a', 'user', 442079460001)`)
	w.exec(`INSERT INTO identifier (account_id, kind, value_norm) VALUES ('u', 'phone', '447700900002'), ('u', 'ip', '447700900003')`)
	w.exec(`INSERT INTO script (script_id, text, ref_source, ref_table, ref_row) VALUES ('1', 'This is Alder Bank. Press 1.', 's', 't', 1), ('2', 'Alder or Birchwood calls', 's', 't', 2), ('3', 'no name', 's', 't', 3)`)
	for _, c := range []struct {
		account, number, name, script, day string
		want                               string // grade|institution|rule|contradictions|resembles
	}{
		{"u", "443069990101", "", "", "2021-09-01", "A*|alder|registered number||"},
		{"u", "442079460001", "", "", "2021-09-01", "A|alder|registered number||"},
		{"u", "442079460001", "BWS", "", "2021-09-01", "A|alder|registered number|but the presented name says BWS (Birchwood Society)|"},
		{"u", "442079460001", "", "1", "2021-09-01", "A|alder|registered number||"},
		{"u", "443069990215", "", "1", "2021-09-01", "B|birch|registered range|but the recorded text says Alder Bank (Alder Bank)|"},
		{"u", "448081570301", "", "", "2021-06-30", "A|birch|registered number||"},
		{"u", "448081570301", "", "", "2021-07-01", "E||resemblance||Birchwood Society (registered on other days: 448081570301)"},
		{"u", "442079460777", "", "", "2021-09-01", "U||own or unknown number||"}, // its line gives no source
		{"u", "447700900500", "Alder", "", "2021-09-01", "C|alder|presented name||"},
		{"u", "442079460002", "BWS", "", "2021-09-01", "C|birch|presented name|but the number resembles Alder Bank (one digit from 442079460001)|Alder Bank (one digit from 442079460001)"},
		{"u", "447700900500", "", "1", "2021-09-01", "D|alder|recorded text||"},
		{"u", "441632960500", "", "1", "2021-09-01", "D|alder|recorded text||"},
		{"u", "447700900500", "", "2", "2021-09-01", "U||own or unknown number|but the recorded text names several institutions (alder, birch)|"},
		{"u", "447700900500", "", "3", "2021-09-01", "U||own or unknown number||"},
		{"u", "441632960500", "", "", "2021-09-01", "X||impossible number||"},
		{"u", "442079460010", "", "", "2021-09-01", "E||resemblance||Alder Bank (two digits changed over from 442079460001)"},
		{"u", "442079460099", "", "", "2021-09-01", "E||resemblance||Alder Bank (in the same hundred as 442079460001)"},
		{"u", "442079460101", "", "", "2021-09-01", "E||resemblance||Alder Bank (one digit from 442079460001)"},
		{"u", "442079460199", "", "", "2021-09-01", "U||own or unknown number||"},
		{"u", "447700900500", "Birch wood", "", "2021-09-01", "E||resemblance||Birchwood Society (the name is nearly Birchwood)"},
		{"u", "", "", "", "2021-09-01", "W||withheld||"},
		{"u", "447700900001", "Alder", "1", "2021-09-01", "U||own number||"},
		{"u", "447700900002", "Alder", "", "2021-09-01", "U||own number||"},
		{"u", "447700900003", "Alder", "", "2021-09-01", "C|alder|presented name||"},
		{"a", "442079460001", "", "", "2021-09-01", "U||own number||"},
		{"star", "443069990101", "", "", "2021-09-01", "A*|alder|registered number|the account gives this number as its own telephone, which it cannot be|"},
		{"x", "441632960001", "", "", "2021-09-01", "X||impossible number||"},
		{"s", "443069990101", "Alder", "1", "2021-09-01", "U||staff||"},
	} {
		w.exec("DELETE FROM call")
		null := func(s string) string {
			if s == "" {
				return "NULL"
			}
			return duckdb.Literal(s)
		}
		w.exec(fmt.Sprintf(`INSERT INTO call (call_id, account_id, started_at, presented_e164, presented_name, script_id, called_country) VALUES ('1', '%s', TIMESTAMPTZ '%s 12:00:00+00', %s, %s, %s, 'GB')`,
			c.account, c.day, null(c.number), null(c.name), null(c.script)))
		w.build()
		got := w.rows("SELECT grade, institution_id, rule, contradictions, resembles FROM call_verdict")
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%v: %q, want %q", c, got, c.want)
		}
	}
}

// What a network would do today stands apart from what one would have done then.
func TestBlockRules(t *testing.T) {
	w := newBench(t)
	w.registry()
	for _, c := range []struct{ number, called, day, want string }{
		{"443069990900", "GB", "2021-09-01", "uk-dno-2019, uk-cli-2023|uk-abroad-2025|uk-dno-2019"},
		{"443069990900", "GB", "2026-03-25", "uk-dno-2019, uk-cli-2023|uk-abroad-2025|uk-dno-2019, uk-cli-2023, uk-abroad-2025"},
		{"443069990900", "US", "2025-12-14", "us-dno-2025||"},
		{"443069990900", "US", "2025-12-15", "us-dno-2025||us-dno-2025"},
		{"443069990101", "GB", "2021-09-01", "|uk-abroad-2025|"}, // inbound-only, and on no list
		{"441632960500", "GB", "2023-05-14", "uk-cli-2023|uk-abroad-2025|"},
		{"441632960500", "GB", "2023-05-15", "uk-cli-2023|uk-abroad-2025|uk-cli-2023"},
		{"442079460001", "GB", "2025-01-29", "|uk-abroad-2025|uk-abroad-2025"},
		{"447700900500", "GB", "2026-01-29", "||"},
		{"33612345678", "FR", "2025-12-31", "|fr-man-2024, fr-mobile-2026|fr-man-2024"},
		{"33199001234", "FR", "2021-01-01", "|fr-man-2024|"},
		{"12025550123", "US", "2021-06-30", "|us-shaken-2021|us-shaken-2021"},
		{"12025550123", "GB", "2026-06-30", "||"},
	} {
		w.exec("DELETE FROM call")
		w.exec(fmt.Sprintf(`INSERT INTO call (call_id, started_at, presented_e164, called_country) VALUES ('1', TIMESTAMPTZ '%s 12:00:00+00', %s, '%s')`, c.day, c.number, c.called))
		w.build()
		if got := w.rows("SELECT would_block, might_block, rules_then FROM call_verdict"); got[0] != c.want {
			t.Errorf("%v: %q", c, got[0])
		}
	}
	for _, id := range w.rows("SELECT rule_id FROM block_rule WHERE source_url NOT LIKE 'https://%' OR length(text) < 40") {
		t.Errorf("rule %s has no source or text", id)
	}
	for _, id := range w.rows("SELECT rule_id FROM block_rule") {
		if strings.Count(callVerdictSQL, "'"+id) < 2 && strings.Count(callVerdictSQL, id) < 2 {
			t.Errorf("rule %s decides nothing", id)
		}
	}
}

// A verdict depends on the call and the registry, not on the order in which rows came.
func TestOrderOfRows(t *testing.T) {
	w := newBench(t)
	w.registry()
	w.exec(`INSERT INTO institution_number (institution_id, number_from, number_to, source_url, list) VALUES ('birch', 442079460001, 442079460001, 'https://example.org/b', 'registry')`)
	w.exec(`INSERT INTO script (script_id, text, ref_source, ref_table, ref_row) SELECT CAST(i AS VARCHAR), CASE WHEN i % 3 = 0 THEN 'Alder Bank here' WHEN i % 3 = 1 THEN 'we are Birchwood' ELSE 'hello' END, 's', 't', i FROM range(30) t(i)`)
	w.exec(`INSERT INTO account (account_id, role, phone_e164) SELECT CAST(i AS VARCHAR), 'user', 442079460000 + i FROM range(20) t(i)`)
	w.exec(`INSERT INTO call (call_id, account_id, started_at, presented_e164, presented_name, script_id, called_country, ref_source, ref_table, ref_row, ref_offset)
		SELECT CAST(i AS VARCHAR), CAST(i % 23 AS VARCHAR), TIMESTAMPTZ '2021-06-01 00:00:00+00' + to_minutes(i * 7), CASE i % 4 WHEN 0 THEN 442079460000 + i // 4 % 120 WHEN 1 THEN 443069990205 + i % 20 WHEN 2 THEN 441632960000 + i % 50 ELSE 447700900000 + i % 70 END,
			['Alder', 'Birch wood', 'Fraud Team', 'BW5', NULL, 'aIder', 'nobody'][1 + i % 7], CAST(i % 41 AS VARCHAR), 'GB', 's', 't', i, i FROM range(5000) t(i)`)
	all := "SELECT * FROM call_verdict ORDER BY call_id"
	proposals := "SELECT * FROM registry_proposal"
	w.build()
	want, proposed := w.rows(all), w.rows(proposals)
	grades := w.rows("SELECT DISTINCT grade FROM call_verdict")
	if len(grades) < 7 || len(proposed) == 0 {
		t.Fatalf("grades %v, %d proposals: the calls are too much alike", grades, len(proposed))
	}
	for seed := range 3 {
		for _, table := range []string{"call", "institution", "institution_number", "script", "account", "number_block"} {
			w.exec(fmt.Sprintf("CREATE OR REPLACE TABLE %[1]s AS SELECT * FROM %[1]s ORDER BY hash(rowid + %[2]d)", table, 1000*seed+7))
		}
		w.build()
		if !reflect.DeepEqual(w.rows(all), want) || !reflect.DeepEqual(w.rows(proposals), proposed) {
			t.Errorf("order %d of rows gives other verdicts", seed)
		}
	}
}

func TestRegistryRemarks(t *testing.T) {
	w := newBench(t)
	w.exec(`INSERT INTO institution (institution_id, name) VALUES ('a', 'A'), ('b', 'B')`)
	w.exec(`INSERT INTO institution_number (institution_id, number_raw, number_from, number_to, valid_from, valid_to, source_url, seen_on, list) VALUES
		('a', 'fine', 442079460001, 442079460001, NULL, NULL, 'u', DATE '2026-01-01', 'registry'),
		('a', 'x', NULL, NULL, NULL, NULL, 'u', DATE '2026-01-01', 'registry'),
		('a', 'no source', 442079460002, 442079460002, NULL, NULL, NULL, DATE '2026-01-01', 'registry'),
		('a', 'backwards', 442079460009, 442079460003, NULL, NULL, 'u', DATE '2026-01-01', 'registry'),
		('b', 'never valid', 442079460010, 442079460010, DATE '2021-02-01', DATE '2021-01-01', 'u', DATE '2026-01-01', 'registry'),
		('c', 'nobody', 442079460011, 442079460011, NULL, NULL, 'u', DATE '2026-01-01', 'registry'),
		('b', 'wide', 442070000000, 442079999999, NULL, NULL, 'u', DATE '2026-01-01', 'registry'),
		('b', 'unseen', 442079460012, 442079460012, NULL, NULL, 'u', NULL, 'registry'),
		('b', 'fine', 442079460001, 442079460001, NULL, NULL, 'u', DATE '2026-01-01', 'registry')`)
	w.build()
	got := w.rows("SELECT institution_id, number_raw, used, remark FROM registry_remark ORDER BY ALL")
	want := []string{
		"a|backwards|false|the range ends before it begins", "a|fine|true|another institution has the number too: b", "a|no source|false|the line gives no source",
		"a|x|false|the number cannot be read", "b|fine|true|another institution has the number too: a", "b|never valid|false|its validity ends before it begins",
		"b|unseen|true|the line does not say when its source was seen", "b|wide|true|the range holds more than a million numbers", "c|nobody|false|no institution has this id"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestProposals(t *testing.T) {
	w := newBench(t)
	w.registry()
	w.exec(`INSERT INTO call (call_id, account_id, started_at, presented_e164, presented_name, outcome) SELECT CAST(i AS VARCHAR), CAST(i % 3 AS VARCHAR), TIMESTAMPTZ '2021-06-01 00:00:00+00' + to_minutes(i),
		CASE WHEN i < 20 THEN 442079460555 WHEN i < 39 THEN 442079460556 ELSE 442079460001 END, CASE WHEN i < 12 THEN 'Alder' END, 'answered' FROM range(80) t(i)`)
	w.build()
	got := w.rows("SELECT presented_e164, calls, accounts, names, institutions, neighbour FROM registry_proposal")
	want := []string{"442079460555|20|3|Alder|alder|Alder Bank (442079460001)"} // 19 calls are too few, the third is registered
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
