package campaigns

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/analysis/step"
	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// rules is an engine with empty inputs of the steps, and what is to be put into them.
type rules struct {
	t *testing.T
	e *duckdb.Engine
	n int
	// rows of call and call_verdict that are not inserted yet
	calls, verdicts []string
}

func newRules(t *testing.T) *rules {
	t.Helper()
	c, err := store.Create(filepath.Join(t.TempDir(), "case"), store.Config{ID: "t", Name: "t", Reference: "t", LegalBasis: "t", TimeZone: "Europe/London"})
	if err != nil {
		t.Fatal(err)
	}
	e, err := duckdb.Open(t.Context(), c, duckdb.Options{Threads: 2, MemoryMB: 512})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	x := &rules{t: t, e: e}
	for _, m := range casefile.Model() {
		if !slices.Contains([]string{"call", "keypress", "message"}, m.Name) {
			continue
		}
		var cols []string
		for _, c := range slices.Concat(m.Columns, casefile.RefColumns()) {
			cols = append(cols, duckdb.Ident(c.Name)+" "+c.Type)
		}
		x.exec("CREATE TABLE " + m.Name + " (" + strings.Join(cols, ", ") + ")")
	}
	x.exec(`CREATE TABLE call_verdict (call_id VARCHAR, account_id VARCHAR, started_at TIMESTAMPTZ, called_e164 BIGINT, outcome VARCHAR, talk_s BIGINT, staff BOOLEAN,
		grade VARCHAR, institution_id VARCHAR, presented_e164 BIGINT, presented_name VARCHAR, presented_text VARCHAR, script_id VARCHAR, ref_source VARCHAR, ref_table VARCHAR, ref_row BIGINT, ref_offset BIGINT)`)
	x.exec(`CREATE VIEW call_verdict_at AS SELECT *, rowid AS place FROM call_verdict;
		CREATE VIEW account_call AS SELECT account_id, started_at, place FROM call_verdict_at WHERE account_id IS NOT NULL ORDER BY ALL;
		CREATE VIEW number_call AS SELECT called_e164, started_at, account_id, staff, place FROM call_verdict_at WHERE called_e164 IS NOT NULL ORDER BY called_e164, started_at, place`)
	x.exec("CREATE TABLE script_family (script_id VARCHAR, family_id VARCHAR)")
	return x
}

func (x *rules) exec(query string) {
	x.t.Helper()
	if _, err := x.e.DB.ExecContext(x.t.Context(), query); err != nil {
		x.t.Fatalf("%v\n%s", err, query)
	}
}

// oneCall is a call; seconds count from a Monday morning.
type oneCall struct {
	account           string
	at, talk          int
	called, presented int64
	institution       string
	script            string
	keys              int // counted by the exchange; -1: not counted
	unanswered, staff bool
}

func (x *rules) call(c oneCall) string {
	x.n++
	id := fmt.Sprint("c", x.n)
	orNull := func(s string) string {
		if s == "" {
			return "NULL"
		}
		return duckdb.Literal(s)
	}
	keys, outcome := "NULL", "answered"
	if c.keys >= 0 {
		keys = fmt.Sprint(c.keys)
	}
	if c.unanswered {
		outcome = "busy"
	}
	at := fmt.Sprintf("TIMESTAMPTZ '2022-03-07 09:00:00+00' + to_seconds(%d)", c.at)
	x.calls = append(x.calls, fmt.Sprintf("('%s', '%s', %s, %d, '%d', %s, %s, 's', 't', %d)", id, c.account, at, c.called, c.presented, orNull(c.script), keys, x.n))
	x.verdicts = append(x.verdicts, fmt.Sprintf("('%s', '%s', %s, %d, '%s', %d, %v, 'U', %s, nullif(%d, 0), NULL, NULL, %s, 's', 't', %d, 0)",
		id, c.account, at, c.called, outcome, c.talk, c.staff, orNull(c.institution), c.presented, orNull(c.script), x.n))
	return id
}

// rows runs the step of a table and gives one text a row: the named columns.
func (x *rules) rows(table string, columns string) []string {
	x.t.Helper()
	if x.calls != nil {
		x.exec("INSERT INTO call (call_id, account_id, started_at, called_e164, presented_raw, script_id, keypress_count, ref_source, ref_table, ref_row) VALUES " + strings.Join(x.calls, ", "))
		x.exec("INSERT INTO call_verdict VALUES " + strings.Join(x.verdicts, ", "))
		x.calls, x.verdicts = nil, nil
	}
	for _, s := range Steps() {
		if s.Table != table {
			continue
		}
		if err := errors.Join(step.Words("call", "ref_source", "ref_table")(x.t.Context(), nil, x.e), s.Anew(x.t.Context(), x.e)); err != nil {
			x.t.Fatal(err)
		}
		x.exec("CREATE OR REPLACE TABLE " + table + " AS " + step.Expand(s.SQL, map[string]string{"rule_version": "v"}))
	}
	rows, err := x.e.DB.QueryContext(x.t.Context(), "SELECT concat_ws(' ', "+columns+") FROM "+table+" ORDER BY ALL")
	if err != nil {
		x.t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			x.t.Fatal(err)
		}
		list = append(list, s)
	}
	if err := rows.Err(); err != nil {
		x.t.Fatal(err)
	}
	return list
}

const victim = 447700900123 // Ofcom's drama range

func TestPasscodePattern(t *testing.T) {
	x := newRules(t)
	fits := map[string]string{}
	at := 0
	call := func(name string, yes bool, change func(c *oneCall)) {
		at += 86400
		c := oneCall{account: "a", at: at, talk: 40, called: victim, presented: 442079460000, institution: "bank", script: "otp", keys: 6}
		change(&c)
		id := x.call(c)
		if yes {
			fits[id] = name
		}
	}
	message := func(before int) {
		x.exec(fmt.Sprintf(`INSERT INTO message (account_id, "at", recipient_e164) VALUES ('a', TIMESTAMPTZ '2022-03-07 09:00:00+00' + to_seconds(%d), %d)`, at-before, int64(victim)))
	}
	call("as it should be", true, func(c *oneCall) {})
	call("four keys", true, func(c *oneCall) { c.keys = 4 })
	call("eight keys", true, func(c *oneCall) { c.keys = 8 })
	call("three keys", false, func(c *oneCall) { c.keys = 3 })
	call("nine keys", false, func(c *oneCall) { c.keys = 9 })
	call("two minutes", true, func(c *oneCall) { c.talk = 120 })
	call("longer", false, func(c *oneCall) { c.talk = 121 })
	call("not answered", false, func(c *oneCall) { c.unanswered = true })
	call("staff", false, func(c *oneCall) { c.staff = true })
	call("a survey with a long answer", false, func(c *oneCall) { c.script, c.institution, c.keys = "survey", "", 5 })
	for range 3 {
		call("a survey", false, func(c *oneCall) { c.script, c.institution, c.keys = "survey", "", 1 })
	}
	call("only keys", false, func(c *oneCall) { c.script, c.institution = "", "" })
	call("keys and a name", false, func(c *oneCall) { c.script = "" })
	call("keys, a name, a message", true, func(c *oneCall) { c.script = "" })
	message(15 * 60)
	call("keys, a name, a message too early", false, func(c *oneCall) { c.script = "" })
	message(15*60 + 1)
	call("called before", false, func(c *oneCall) { c.script, c.institution, c.keys = "", "", 0 })
	at += 600 - 86400
	call("keys, a name, called 10 minutes before", true, func(c *oneCall) { c.script = "" })
	// keys that were not counted with the call but read from the number during it
	call("keys read", true, func(c *oneCall) { c.keys = -1 })
	for _, s := range []int{10, 12, 14, 16, 45} {
		x.exec(fmt.Sprintf(`INSERT INTO keypress (number_e164, "at", keys) VALUES (%d, TIMESTAMPTZ '2022-03-07 09:00:00+00' + to_seconds(%d), 1)`, int64(victim), at+s))
	}
	call("keys read after it", false, func(c *oneCall) { c.keys = -1 })
	x.exec(fmt.Sprintf(`INSERT INTO keypress (number_e164, "at", keys) VALUES (%d, TIMESTAMPTZ '2022-03-07 09:00:00+00' + to_seconds(%d), 6)`, int64(victim), at+46))
	// a prompt of which no keys were ever counted
	call("no keys counted, called again, message, name", true, func(c *oneCall) { c.keys, c.script = -1, "blind" })
	message(60)
	at += 60 - 86400
	call("called again", false, func(c *oneCall) { c.keys, c.script, c.institution = -1, "blind", "" })

	got := x.rows("passcode_call", "call_id")
	for _, id := range got {
		if fits[id] == "" {
			t.Errorf("call %s fits and should not", id)
		}
		delete(fits, id)
	}
	for id, name := range fits {
		t.Errorf("call %s does not fit: %s", id, name)
	}
}

func TestCampaigns(t *testing.T) {
	x := newRules(t)
	x.exec("INSERT INTO script_family VALUES ('s1', 'F'), ('s2', 'F'), ('s3', 'G')")
	burst := func(account string, day, calls, apart int, each func(i int, c *oneCall)) {
		for i := range calls {
			c := oneCall{account: account, at: day*86400 + i*apart, talk: 10, called: victim + int64(i), presented: 442079460500, keys: -1}
			if each != nil {
				each(i, &c)
			}
			x.call(c)
		}
	}
	burst("one", 0, 20, 60, nil)
	burst("few", 0, 14, 60, nil)
	burst("slow", 0, 40, 1000, nil)
	burst("two days", 0, 20, 60, nil)
	burst("two days", 2, 20, 60, nil)
	burst("two weeks", 0, 20, 60, nil)
	burst("two weeks", 14, 25, 60, nil)
	burst("script", 0, 20, 60, func(i int, c *oneCall) {
		c.presented, c.script = c.presented+int64(i), []string{"s1", "s2"}[i%2]
	})
	burst("two scripts", 0, 40, 30, func(i int, c *oneCall) { c.script = []string{"s1", "s3"}[i%2] })
	burst("bank", 0, 20, 60, func(i int, c *oneCall) { c.presented, c.institution = c.presented+int64(i), "bank" })
	burst("unanswered too", 0, 24, 60, func(i int, c *oneCall) { c.unanswered = i%3 == 0 })
	// a source that does not say of unanswered calls which script they were to play
	burst("silent", 0, 30, 60, func(i int, c *oneCall) {
		if c.unanswered = i%3 == 0; !c.unanswered {
			c.script = "s1"
		}
	})
	burst("staff", 0, 20, 60, func(i int, c *oneCall) { c.staff = true })
	for day := range 20 { // what it does every day
		burst("steady", day, 60, 300, nil)
	}
	want := []string{"bank institution bank 20 1", "one number 442079460500 20 1", "script script F 20 1", "silent script F 20 1", "two days number 442079460500 40 2",
		"two scripts script F 20 1", "two scripts script G 20 1", "two weeks number 442079460500 20 1", "two weeks number 442079460500 25 1", "unanswered too number 442079460500 24 1"}
	x.rows("passcode_call", "call_id")
	calls := x.rows("campaign_call", "call_id")
	if got := x.rows("campaign", "account_id, basis, mark, calls, bursts"); !slices.Equal(got, want) {
		t.Errorf("campaigns:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(slices.Compact(calls)) != 229 {
		t.Errorf("%d calls in campaigns, want 229, each once", len(slices.Compact(calls)))
	}
}

func TestLockstep(t *testing.T) {
	x := newRules(t)
	list := func(account string, at, first, numbers int) {
		for i := range numbers {
			x.call(oneCall{account: account, at: at + i*60, talk: 10, called: victim + int64(first+i), keys: -1})
		}
	}
	list("a", 0, 0, 20)
	list("b", 2*86400, 0, 20)       // the same list two days later
	list("c", 6*86400, 0, 20)       // much later
	list("d", 0, 9, 11)             // too few in common with a
	const wrong = -60 * 365 * 86400 // a clock that stands before 1970
	list("e", wrong, 3000, 20)
	list("f", wrong+60, 3000, 20)
	list("world", wrong, 4000, 400)
	for i := range 10 { // the platform's test numbers
		list(fmt.Sprint("test", i), 0, 1000, 20)
	}
	list("world", 0, 2000, 400)
	x.rows("lockstep_day", "account_a")
	if got, want := x.rows("lockstep", "account_a, account_b, shared, days, apart_minutes"), []string{"a b 20 1 2880", "e f 20 1 1"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
