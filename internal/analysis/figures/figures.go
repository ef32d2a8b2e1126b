// Package figures computes the numbers that are published about a case. A figure is never a
// bare number: it carries its definition, its period and the table versions it was computed
// from, and where two definitions exist both stand side by side. The definitions are
// docs/figures.md; [Figures] lists them as data (list.go), in English and French.
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

var (
	//go:embed calls_by_minute.sql
	callsByMinuteSQL string
	//go:embed calls_of_year.sql
	callsOfYearSQL string
	//go:embed long_call_of_year.sql
	longCallOfYearSQL string
)

// Steps lists the steps: what many figures count, and the figures.
func Steps() []step.Step {
	return []step.Step{
		{Table: "calls_by_minute", About: "one minute in which calls of user accounts were answered",
			Inputs: []string{"call_verdict"}, SQL: callsByMinuteSQL,
			Grow: &step.Grow{Of: []string{"call_verdict"}, Was: "minute BIGINT, calls BIGINT, uk BIGINT, long_uk BIGINT"}},
		{Table: "calls_of_year", About: "one country and institution of answered calls of the published year",
			Inputs: []string{"call_verdict"}, SQL: callsOfYearSQL, Params: step.Zone,
			Grow: &step.Grow{Of: []string{"call_verdict"}, Was: "country VARCHAR, institution_id VARCHAR, calls BIGINT"}},
		{Table: "long_call_of_year", About: "one called number and account with a long call in the published year",
			Inputs: []string{"call_verdict"}, SQL: longCallOfYearSQL, Params: step.Zone,
			Grow: &step.Grow{Of: []string{"call_verdict"}, Was: "called_e164 BIGINT, country VARCHAR, account_id VARCHAR"}},
		{Table: "figure", About: "one published number with its definition and period",
			Inputs:  []string{"account", "calls_by_minute", "calls_of_year", "long_call_of_year", "payment_value", "loss_report", "report_link", "loss_total", "suspect", "policy_result"},
			Version: "figures-2", InputsOf: platformTables, SQL: figureSQL(), Params: step.Zone, Prepare: countSources},
	}
}

// smallGroup is the size below which a group is never published by itself.
const smallGroup = 5

// figureSQL puts the figures one under the other.
func figureSQL() string {
	var parts []string
	for i, f := range Figures() {
		from, to, period := "NULL::DATE", "NULL::DATE", "SELECT NULL::TIMESTAMPTZ AS from_at, NULL::TIMESTAMPTZ AS to_at"
		if f.From != "" {
			from, to = "DATE '"+f.From+"'", "DATE '"+f.To+"'"
			period = fmt.Sprintf("SELECT timezone($zone, TIMESTAMP '%s') AS from_at, timezone($zone, TIMESTAMP '%s') AS to_at", f.From, f.To)
		}
		value := func(sql string) string {
			switch sql {
			case "":
				return "NULL::DOUBLE"
			case "linked":
				sql = linkedLoss
			}
			return "CAST((WITH period AS (" + period + ") " + sql + ") AS DOUBLE)"
		}
		published := "NULL::DOUBLE"
		if f.Published != 0 {
			published = strconv.FormatFloat(f.Published, 'f', -1, 64)
		}
		key, rows, is := "''", "", value(f.SQL)
		if f.By {
			key, is = "key", "CAST(value AS DOUBLE)"
			rows = " FROM (" + folded("WITH period AS ("+period+") "+f.SQL) + ")"
		}
		named := func(text, between string) string {
			return duckdb.Literal(text) + " || CASE WHEN " + key + " <> '' THEN " + duckdb.Literal(between) + " || " + key + " ELSE '' END"
		}
		parts = append(parts, fmt.Sprintf("SELECT %d AS place, %s AS name, %s AS title, %s AS title_fr, %s AS definition, %s AS definition_fr, %s AS period_from, %s AS period_to, %s AS value, %s AS low, %s AS high, %s AS unit, 'figure' AS step, CAST(%s AS DOUBLE) AS published, %s AS published_by, %s AS tables, %s AS key%s",
			i+1, named(f.Name, "."), named(f.Title, ": "), named(f.TitleFR, " : "), duckdb.Literal(f.Definition), duckdb.Literal(f.DefinitionFR), from, to, is, value(f.Low), value(f.High),
			duckdb.Literal(f.Unit), published, duckdb.Literal(f.PublishedBy), duckdb.Literal(strings.Join(f.Tables, " ")), key, rows))
	}
	return "SELECT * EXCLUDE (place) FROM (" + strings.Join(parts, "\nUNION ALL\n") + ") ORDER BY place, CASE WHEN name LIKE 'calls_by_month%' THEN key END, key = 'other', value DESC, key"
}

// folded puts the small groups of rows (key, value) into one, other; and the next larger ones
// too, until other is no small group itself.
func folded(rows string) string {
	return fmt.Sprintf(`SELECT CASE WHEN value < %[1]d OR smaller BETWEEN 1 AND %[1]d - 1 THEN 'other' ELSE key END AS key, sum(value) AS value
FROM (SELECT key, value, coalesce(sum(value) OVER (ORDER BY value, key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS smaller FROM (%[2]s)) GROUP BY 1`, smallGroup, rows)
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
