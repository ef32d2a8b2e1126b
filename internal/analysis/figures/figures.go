// Package figures computes the numbers that are published about a case. A figure is never a
// bare number: it carries its definition, its period and the table versions it was computed
// from, and where two definitions exist both stand side by side. The definitions are
// docs/figures.md; [Figures] lists them as data.
package figures

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/unspoof/unspoof/internal/analysis/step"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Figure is one published number's definition.
type Figure struct {
	Name, Title, Definition, Unit string
	From, To                      string  // period, in the case's time zone, To excluded; empty: the whole case
	SQL                           string  // its value; from_at and to_at bound the period
	Low, High                     string  // SQL of a range, where the definition has one
	Published                     float64 // what was said of the reference case; 0: nothing
	PublishedBy                   string
	Tables                        []string // it rests on
}

// The periods of the reference case.
const (
	yearFrom, yearTo       = "2021-08-01", "2022-08-01"
	twentyFrom, twentyTo   = "2020-12-01", "2022-08-01"
	sixteenFrom, sixteenTo = "2021-07-01", "2022-11-01"
)

const (
	answered = "NOT staff AND outcome = 'answered' AND started_at >= from_at AND started_at < to_at"
	uk       = answered + " AND called_country = 'GB'"
	long     = uk + " AND talk_s > 60"
	paid     = "direction = 'in' AND asset = 'BTC' AND status = 'completed' AND \"at\" >= from_at AND \"at\" < to_at"
)

// Figures lists every figure, in the order they are shown.
func Figures() []Figure {
	return []Figure{
		{Name: "accounts", Title: "Accounts", Definition: "accounts of users and resellers; staff and administrators do not count", Unit: "accounts",
			SQL: "SELECT count(*) FROM account WHERE role IN ('user', 'reseller')", Published: 59000, PublishedBy: "Met, Europol", Tables: []string{"account"}},
		{Name: "source_rows", Title: "Rows on the server", Definition: "rows of the platform's own sources, stored and damaged; lists added beside it do not count", Unit: "rows",
			SQL: "SELECT coalesce(sum(rows), 0) FROM source_count", Published: 70e6, PublishedBy: "Met"},
		{Name: "calls_world", Title: "Calls, world", Definition: "answered calls of user accounts", Unit: "calls", From: yearFrom, To: yearTo,
			SQL: "SELECT count(*) FROM call_verdict, period WHERE " + answered, Published: 10e6, PublishedBy: "Met, Europol", Tables: []string{"call_verdict"}},
		{Name: "calls_uk", Title: "Calls, UK", Definition: "answered calls of user accounts to numbers of Great Britain and Northern Ireland", Unit: "calls", From: yearFrom, To: yearTo,
			SQL: "SELECT count(*) FROM call_verdict, period WHERE " + uk, Published: 3.5e6, PublishedBy: "Met", Tables: []string{"call_verdict"}},
		{Name: "long_calls_uk", Title: "Long calls, UK", Definition: "of the UK calls, those with more than 60 seconds of measured talk", Unit: "calls", From: yearFrom, To: yearTo,
			SQL: "SELECT count(*) FROM call_verdict, period WHERE " + long, Published: 350000, PublishedBy: "Met", Tables: []string{"call_verdict"}},
		{Name: "people_long_calls_uk", Title: "People in long calls, UK", Definition: "distinct numbers called in the long UK calls; a number is not always one person", Unit: "numbers", From: yearFrom, To: yearTo,
			SQL: "SELECT count(DISTINCT called_e164) FROM call_verdict, period WHERE " + long, Published: 200000, PublishedBy: "Met", Tables: []string{"call_verdict"}},
		{Name: "calls_per_minute_mean", Title: "Calls a minute, mean", Definition: "calls, world, divided by the minutes of the period", Unit: "calls/min", From: yearFrom, To: yearTo,
			SQL: "SELECT round(count(*) / any_value(date_diff('minute', from_at, to_at)), 4) FROM call_verdict, period WHERE " + answered, Published: 20, PublishedBy: "Met", Tables: []string{"call_verdict"}},
		{Name: "institutions_impersonated", Title: "Institutions impersonated", Definition: "distinct institutions named by verdicts of grade A*, A, B or C among the calls, world", Unit: "institutions", From: yearFrom, To: yearTo,
			SQL: "SELECT count(DISTINCT institution_id) FROM call_verdict, period WHERE " + answered + " AND grade IN ('A*', 'A', 'B', 'C')", Tables: []string{"call_verdict"}},
		{Name: "revenue_gbp_20_months", Title: "Service revenue, 20 months", Definition: "completed Bitcoin payments to the service, each at the rate of its UTC day, rounded half up to the penny", Unit: "GBP", From: twentyFrom, To: twentyTo,
			SQL: "SELECT coalesce(sum(gbp_minor), 0) / 100.0 FROM payment_value, period WHERE " + paid, Published: 3.2e6, PublishedBy: "Met", Tables: []string{"payment_value"}},
		{Name: "revenue_eur_16_months", Title: "Service revenue, 16 months", Definition: "completed Bitcoin payments to the service, each at the rate of its UTC day, rounded half up to the cent", Unit: "EUR", From: sixteenFrom, To: sixteenTo,
			SQL: "SELECT coalesce(sum(eur_minor), 0) / 100.0 FROM payment_value, period WHERE " + paid, Published: 3.7e6, PublishedBy: "Europol", Tables: []string{"payment_value"}},
		{Name: "reports", Title: "Loss reports", Definition: "reports in the loss report list", Unit: "reports",
			SQL: "SELECT count(*) FROM loss_report", Published: 4785, PublishedBy: "press on the Met's statement", Tables: []string{"loss_report"}},
		{Name: "reported_loss_gbp", Title: "Reported losses, all reports", Definition: "sum of the amounts of all loss reports in pounds; known to be under-reported", Unit: "GBP",
			SQL: "SELECT coalesce(sum(amount_minor), 0) / 100.0 FROM loss_report WHERE currency = 'GBP'", Low: "linked", Published: 48e6, PublishedBy: "Met", Tables: []string{"loss_report", "report_link"}},
		{Name: "reported_loss_linked_gbp", Title: "Reported losses, linked to calls", Definition: "sum of the amounts of loss reports with at least one strictly linked call: to the reported number, within the reported time, pretending to come from the institution reported", Unit: "GBP",
			SQL: linkedLoss, High: "SELECT coalesce(sum(amount_minor), 0) / 100.0 FROM (SELECT DISTINCT report_id, amount_minor FROM report_link WHERE currency = 'GBP')", Published: 43e6, PublishedBy: "Europol", Tables: []string{"report_link"}},
		{Name: "suspects_met_2022", Title: "Suspects under met-2022", Definition: "accounts that pass policy met-2022: UK users who spent at least GBP 100 of Bitcoin", Unit: "accounts",
			SQL: "SELECT count(*) FROM policy_result WHERE policy = 'met-2022' AND latest AND passed", Tables: []string{"policy_result"}},
		{Name: "numbers_to_warn_uk", Title: "Numbers to warn, UK", Definition: "distinct UK mobile numbers in long UK calls of accounts that pass met-2022", Unit: "numbers", From: yearFrom, To: yearTo,
			SQL:       "SELECT count(DISTINCT called_e164) FROM call_verdict, period WHERE " + long + " AND called_e164 BETWEEN 447000000000 AND 447999999999 AND account_id IN (SELECT account_id FROM policy_result WHERE policy = 'met-2022' AND latest AND passed)",
			Published: 70000, PublishedBy: "Met", Tables: []string{"call_verdict", "policy_result"}},
	}
}

const linkedLoss = "SELECT coalesce(sum(amount_minor), 0) / 100.0 FROM (SELECT DISTINCT report_id, amount_minor FROM report_link WHERE strict AND currency = 'GBP')"

// Steps lists the one step.
func Steps() []step.Step {
	return []step.Step{{
		Table: "figure", About: "one published number with its definition and period",
		Inputs:   []string{"account", "call_verdict", "payment_value", "loss_report", "report_link", "policy_result"},
		InputsOf: platformTables,
		SQL:      figureSQL(),
		Params: func(c *store.Case) (map[string]string, error) {
			return map[string]string{"zone": c.Config.TimeZone}, nil
		},
		Prepare: countSources,
	}}
}

// figureSQL puts the figures one under the other.
func figureSQL() string {
	var parts []string
	for i, f := range Figures() {
		from, to := "NULL::DATE", "NULL::DATE"
		period := ""
		if f.From != "" {
			from, to = "DATE '"+f.From+"'", "DATE '"+f.To+"'"
			period = fmt.Sprintf("WITH period AS (SELECT timezone($zone, TIMESTAMP '%s') AS from_at, timezone($zone, TIMESTAMP '%s') AS to_at) ", f.From, f.To)
		}
		value := func(sql string) string {
			switch sql {
			case "":
				return "NULL::DOUBLE"
			case "linked":
				sql = linkedLoss
			}
			return "CAST((" + period + sql + ") AS DOUBLE)"
		}
		published := "NULL::DOUBLE"
		if f.Published != 0 {
			published = strconv.FormatFloat(f.Published, 'f', -1, 64)
		}
		parts = append(parts, fmt.Sprintf("SELECT %d AS place, %s AS name, %s AS title, %s AS definition, %s AS period_from, %s AS period_to, %s AS value, %s AS low, %s AS high, %s AS unit, 'figure' AS step, CAST(%s AS DOUBLE) AS published, %s AS published_by, %s AS tables",
			i+1, duckdb.Literal(f.Name), duckdb.Literal(f.Title), duckdb.Literal(f.Definition), from, to, value(f.SQL), value(f.Low), value(f.High), duckdb.Literal(f.Unit), published, duckdb.Literal(f.PublishedBy), duckdb.Literal(strings.Join(f.Tables, " "))))
	}
	return "SELECT * EXCLUDE (place) FROM (" + strings.Join(parts, "\nUNION ALL\n") + ") ORDER BY place"
}

// platform lists the manifests of the platform's own source tables and of its damage.
func platform(c *store.Case) ([]store.Manifest, error) {
	sources, err := c.Sources()
	if err != nil {
		return nil, err
	}
	lists := map[string]bool{}
	for _, s := range sources {
		lists[string(s.ID)] = s.List != ""
	}
	all, err := c.Tables()
	if err != nil {
		return nil, err
	}
	var own []store.Manifest
	for _, t := range all {
		if t.Kind == store.KindSource && !lists[string(t.Source)] && (t.SourceTable != "" || t.Table == store.DamageTableName(t.Source)) {
			own = append(own, t)
		}
	}
	return own, nil
}

func platformTables(c *store.Case) ([]string, error) {
	own, err := platform(c)
	names := make([]string, len(own))
	for i, t := range own {
		names[i] = t.Table
	}
	return names, err
}

// countSources fills the temporary table source_count: rows stored by source table, and rows
// damaged by source.
func countSources(ctx context.Context, c *store.Case, e *duckdb.Engine) error {
	own, err := platform(c)
	if err != nil {
		return err
	}
	if _, err := e.DB.ExecContext(ctx, "CREATE OR REPLACE TABLE source_count (name VARCHAR, rows BIGINT)"); err != nil {
		return err
	}
	for _, t := range own {
		count := "count(*)"
		if t.SourceTable == "" {
			count = "coalesce(sum(rows), 0)"
		}
		if _, err := e.DB.ExecContext(ctx, fmt.Sprintf("INSERT INTO source_count SELECT %s, %s FROM %s", duckdb.Literal(t.Table), count, duckdb.Ident(t.Table))); err != nil {
			return err
		}
	}
	return nil
}
