package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
	"github.com/unspoof/unspoof/internal/synth"
)

var (
	accuracyScale = flag.Float64("accuracy.scale", 0.01, "scale of the seizures that TestAccuracy measures")
	accuracySeeds = flag.Int("accuracy.seeds", 1, "how many seeds TestAccuracy measures")
	accuracyOut   = flag.String("accuracy.out", "", "file to write the table of measured error rates to")
)

// score counts of one verdict or list against the truth.
type score struct {
	name               string
	right, wrong, lost int64 // found and true, found and not true, true and not found
	needP, needR       float64
	needF              float64     // of the harmonic mean of both
	cubed              *[2]float64 // precision and recall of a grouping, averaged over its members (B-cubed)
}

func (s score) precision() float64 {
	if s.cubed != nil {
		return s.cubed[0]
	}
	return share(s.right, s.right+s.wrong)
}

func (s score) recall() float64 {
	if s.cubed != nil {
		return s.cubed[1]
	}
	return share(s.right, s.right+s.lost)
}

func (s score) f1() float64 { return 2 * s.precision() * s.recall() / (s.precision() + s.recall()) }

func share(n, of int64) float64 {
	if of == 0 {
		return 1
	}
	return float64(n) / float64(of)
}

// Everything a case says, against what the synthetic world knows to be true: every figure,
// every verdict, the suspects in their order, every report's link, every victim's counts.
func TestAccuracy(t *testing.T) {
	var table strings.Builder
	for seed := 1; seed <= *accuracySeeds; seed++ {
		scores, figures := measure(t, *accuracyScale, uint64(seed))
		for _, s := range scores {
			fmt.Fprintf(&table, "| %d | %s | %d | %.4f | %.4f |\n", seed, s.name, s.right+s.lost, s.precision(), s.recall())
			t.Logf("seed %d: %-28s true %8d  precision %.4f  recall %.4f", seed, s.name, s.right+s.lost, s.precision(), s.recall())
			if s.precision() < s.needP || s.recall() < s.needR {
				t.Errorf("seed %d: %s: precision %.4f (needs %.3f), recall %.4f (needs %.3f)", seed, s.name, s.precision(), s.needP, s.recall(), s.needR)
			}
			if s.f1() < s.needF {
				t.Errorf("seed %d: %s: F1 %.4f (needs %.3f)", seed, s.name, s.f1(), s.needF)
			}
		}
		fmt.Fprintf(&table, "| %d | figures exact | %d | %s | |\n", seed, figures, "1.0000")
	}
	if *accuracyOut == "" {
		return
	}
	text := fmt.Sprintf(`# Measured error rates

Written by `+"`make accuracy`"+`. Each row compares what the tool says of a synthetic seizure (scale %v) with what the generator
knows to be true. The truth comes from the generator's intent, not from the rules. The thresholds of campaigns, passcode calls and
shared lists were chosen on seed 1 at scale 0.01, and what they missed in seed 2 was looked at; seed 3 was not. What grades D and E
mean, the generator takes from their definitions: their rates say that the program follows them. No seized data with known truth is
public: these rates hold for planted data only.

| seed | what | true | precision | recall |
|---|---|---|---|---|
%s`, *accuracyScale, table.String())
	if err := os.WriteFile(*accuracyOut, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// buildSeizure makes a seizure and runs the whole job on it.
func buildSeizure(t *testing.T, scale float64, seed uint64) (seizure, caseDir string) {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	seizure, caseDir = filepath.Join(dir, "seizure"), filepath.Join(dir, "case")
	if _, err := synth.Write(ctx, synth.Config{Out: seizure, Scale: scale, Seed: seed}); err != nil {
		t.Fatal(err)
	}
	w, err := demoCase(ctx, caseDir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := demoJob(ctx, w, &reporter{silent: true, out: os.Stderr}, seizure); err != nil {
		t.Fatal(err)
	}
	return seizure, caseDir
}

func measure(t *testing.T, scale float64, seed uint64) ([]score, int) {
	t.Helper()
	ctx := context.Background()
	seizure, caseDir := buildSeizure(t, scale, seed)
	c, err := store.Open(caseDir)
	if err != nil {
		t.Fatal(err)
	}
	truth := filepath.Join(seizure, "truth")
	e, err := duckdb.Open(ctx, c, duckdb.Options{ReadDirs: []string{truth}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, name := range []string{"accounts", "calls", "victims", "reports", "sessions", "campaigns", "scripts", "lockstep"} {
		if _, err := e.DB.Exec(fmt.Sprintf("CREATE VIEW truth_%s AS SELECT * FROM read_parquet(%s)", name, duckdb.Literal(filepath.Join(truth, name+".parquet")))); err != nil {
			t.Fatal(err)
		}
	}
	var known struct {
		Figures  map[string]float64 `json:"figures"`
		Suspects []string           `json:"suspects_met_2022"`
	}
	text, err := os.ReadFile(filepath.Join(truth, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}

	// Figures: every one exact.
	found := map[string]float64{}
	if err := queryRows(ctx, e.DB, "SELECT name, value FROM figure", func(r map[string]any) error {
		found[r["name"].(string)] = r["value"].(float64)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for name, want := range known.Figures {
		if got, ok := found[name]; !ok || math.Abs(got-want) > 1e-6 {
			t.Errorf("seed %d: figure %s = %v, the truth is %v", seed, name, got, want)
		}
	}
	for name := range found {
		if _, ok := known.Figures[name]; !ok {
			t.Errorf("seed %d: figure %s has no truth", seed, name)
		}
	}
	// The suspects, in their order.
	var suspects []string
	if err := queryRows(ctx, e.DB, "SELECT account_id FROM policy_result WHERE policy = 'met-2022' AND latest AND passed ORDER BY rank", func(r map[string]any) error {
		suspects = append(suspects, r["account_id"].(string))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if strings.Join(suspects, " ") != strings.Join(known.Suspects, " ") {
		t.Errorf("seed %d: suspects %v, the truth is %v", seed, suspects, known.Suspects)
	}

	count := func(name string, needP, needR float64, query string) score {
		t.Helper()
		s := score{name: name, needP: needP, needR: needR}
		if err := e.DB.QueryRow(query).Scan(&s.right, &s.wrong, &s.lost); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return s
	}
	var scores []score
	for _, g := range []struct {
		grade string
		p, r  float64
	}{{"A*", 1, 1}, {"A", 1, 1}, {"B", .99, .99}, {"C", .98, .90}, {"D", 0, 0}, {"X", 1, 1}, {"E", 0, 0}, {"W", 1, 1}, {"U", .98, .98}} {
		scores = append(scores, count("grade "+g.grade, g.p, g.r, fmt.Sprintf(`
			SELECT count(*) FILTER (WHERE v.grade = %[1]s AND k.grade = %[1]s AND v.institution_id IS NOT DISTINCT FROM k.institution_id),
				count(*) FILTER (WHERE v.grade = %[1]s AND NOT (k.grade = %[1]s AND v.institution_id IS NOT DISTINCT FROM k.institution_id)),
				count(*) FILTER (WHERE k.grade = %[1]s AND NOT (v.grade = %[1]s AND v.institution_id IS NOT DISTINCT FROM k.institution_id))
			FROM call_verdict v FULL JOIN truth_calls k USING (call_id)`, duckdb.Literal(g.grade))))
	}
	scores = append(scores,
		count("own number shown", .98, .98, `SELECT count(*) FILTER (WHERE v.rule = 'own number' AND k.own_number), count(*) FILTER (WHERE v.rule = 'own number' AND NOT k.own_number), count(*) FILTER (WHERE k.own_number AND v.rule <> 'own number')
			FROM call_verdict v JOIN truth_calls k USING (call_id)`),
		count("reports strictly linked", .98, .95, `SELECT count(*) FILTER (WHERE l.strict AND k.strict), count(*) FILTER (WHERE l.strict AND NOT k.strict), count(*) FILTER (WHERE k.strict AND l.strict IS NOT TRUE)
			FROM truth_reports k LEFT JOIN (SELECT report_id, bool_or(strict) AS strict FROM report_link GROUP BY report_id) l USING (report_id)`),
		count("reports loosely linked", .98, .95, `SELECT count(*) FILTER (WHERE l.report_id IS NOT NULL AND k.loose), count(*) FILTER (WHERE l.report_id IS NOT NULL AND NOT k.loose), count(*) FILTER (WHERE k.loose AND l.report_id IS NULL)
			FROM truth_reports k LEFT JOIN (SELECT DISTINCT report_id FROM report_link) l USING (report_id)`),
		count("the linked call", .95, .95, `SELECT count(*) FILTER (WHERE l.call_id = k.call_id), count(*) FILTER (WHERE l.call_id <> k.call_id), count(*) FILTER (WHERE k.call_id IS NOT NULL AND l.call_id IS DISTINCT FROM k.call_id)
			FROM truth_reports k LEFT JOIN (SELECT report_id, call_id FROM report_link WHERE rank = 1) l USING (report_id)`),
		count("victims and their counts", 1, 1, `SELECT count(*) FILTER (WHERE v.calls = k.calls AND v.answered = k.answered AND v.long_calls = k.long_calls AND v.talk_s = k.talk_s),
				count(*) FILTER (WHERE v.called_e164 IS NOT NULL AND NOT coalesce(v.calls = k.calls AND v.answered = k.answered AND v.long_calls = k.long_calls AND v.talk_s = k.talk_s, false)),
				count(*) FILTER (WHERE k.called_e164 IS NOT NULL AND NOT coalesce(v.calls = k.calls AND v.answered = k.answered AND v.long_calls = k.long_calls AND v.talk_s = k.talk_s, false))
			FROM victim v FULL JOIN truth_victims k USING (called_e164)`),
		count("spend of accounts, to the penny", 1, 1, `SELECT count(*) FILTER (WHERE s.spend_btc_gbp_minor = k.spend_gbp_minor), count(*) FILTER (WHERE s.spend_btc_gbp_minor <> k.spend_gbp_minor), count(*) FILTER (WHERE s.account_id IS NULL)
			FROM truth_accounts k LEFT JOIN suspect s USING (account_id) WHERE k.role IN ('user', 'reseller')`),
		count("wall-clock times of log-ins", 1, 1, `SELECT count(*) FILTER (WHERE CASE WHEN k.ambiguous THEN s.at IS NULL ELSE s.at = timezone('UTC', k.at) END),
				count(*) FILTER (WHERE NOT CASE WHEN k.ambiguous THEN s.at IS NULL ELSE coalesce(s.at = timezone('UTC', k.at), false) END), count(*) FILTER (WHERE s.ref_row IS NULL)
			FROM truth_sessions k LEFT JOIN (SELECT s.*, p.id FROM session s JOIN "`+panelLogin(t, c)+`" p ON s.ref_table = 'panel_login' AND p.ref_row = s.ref_row) s ON CAST(s.id AS VARCHAR) = CAST(k.session_ref AS VARCHAR)`),
	)
	// Groupings: the share of each member's found group that is of its true group, and the
	// other way round (Bagga and Baldwin 1998).
	cubed := func(name string, needF float64, members string) score {
		t.Helper()
		s := score{name: name, needF: needF, cubed: new([2]float64)}
		if err := e.DB.QueryRow(`WITH n AS (SELECT t, f, count(*) AS n FROM (`+members+`) GROUP BY ALL)
			SELECT sum(n), sum(n * n / nf) / sum(n), sum(n * n / nt) / sum(n)
			FROM (SELECT *, sum(n) OVER (PARTITION BY f) AS nf, sum(n) OVER (PARTITION BY t) AS nt FROM n)`).Scan(&s.right, &s.cubed[0], &s.cubed[1]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return s
	}
	passcode := count("passcode calls", 0, 0, `SELECT count(*) FILTER (WHERE p.call_id IS NOT NULL AND k.passcode), count(*) FILTER (WHERE p.call_id IS NOT NULL AND k.passcode IS NOT TRUE), count(*) FILTER (WHERE k.passcode AND p.call_id IS NULL)
		FROM passcode_call p FULL JOIN truth_campaigns k USING (call_id)`)
	passcode.needF = .95
	scores = append(scores, passcode,
		// A call that only one side puts into a campaign is alone on the other.
		cubed("campaigns (B-cubed)", .95, `SELECT coalesce(k.campaign_id, 'alone ' || call_id) AS t, coalesce(x.campaign_id, 'alone ' || call_id) AS f
			FROM (SELECT * FROM truth_campaigns WHERE campaign_id IS NOT NULL) k FULL JOIN campaign_call x USING (call_id)`),
		cubed("script families (B-cubed)", .95, `SELECT k.family AS t, coalesce(s.family_id, 'alone ' || script_id) AS f FROM truth_scripts k LEFT JOIN script_family s USING (script_id)`),
		count("pairs of accounts with one list", .90, .50, `SELECT count(*) FILTER (WHERE x IS NOT NULL AND account_a IS NOT NULL), count(*) FILTER (WHERE x IS NULL), count(*) FILTER (WHERE account_a IS NULL)
			FROM (SELECT DISTINCT a.account_id AS x, b.account_id AS y FROM truth_lockstep a JOIN truth_lockstep b ON a.list = b.list AND a.account_id < b.account_id) k
			FULL JOIN lockstep ON account_a = x AND account_b = y`),
	)
	return scores, len(known.Figures)
}

func panelLogin(t *testing.T, c *store.Case) string {
	t.Helper()
	tables, err := c.Tables()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range tables {
		if m.SourceTable == "panel_login" {
			return m.Table
		}
	}
	t.Fatal("no panel_login")
	return ""
}
