package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/exhibit"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// callColumns are the columns of `calls`, documented in docs/formats/calls.md.
const callColumns = `call_id, account_id, started_at, presented_raw, presented_e164, presented_name, called_raw, called_e164, called_country, outcome, talk_s,
	grade, institution_id, rule, reasons, rule_version, contradictions, resembles, would_block, might_block, rules_then, row_reference`

func callsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "calls --case DIR",
		Short: "Every call with its verdict, grade and reasons",
		Long: `Every call that the filters choose, oldest first, complete however many there are: as a table, as
JSON lines (--json) or as CSV (--csv, safe to open in a spreadsheet). Numbers are given in
E.164 with or without the plus sign; times are dates or RFC 3339 times, --to excluded.`,
		Args: cobra.NoArgs,
	}
	dir := caseFlag(cmd)
	f := cmd.Flags()
	account := f.String("account", "", "calls of this account id")
	called := f.String("called", "", "calls to this number")
	presented := f.String("presented", "", "calls that presented this number")
	institution := f.String("institution", "", "calls whose verdict names this institution id")
	grades := f.StringSlice("grade", nil, "calls of these grades")
	outcome := f.String("outcome", "", "calls with this outcome (answered, no_answer, busy, failed, cancelled, unknown)")
	from, to := f.String("from", "", "started at or after"), f.String("to", "", "started before")
	minTalk := f.Int("min-talk", 0, "at least so many seconds of talk")
	limit := f.Int("limit", 0, "print at most this many (0: all)")
	asJSON, asCSV := f.Bool("json", false, "print one JSON object a line"), f.Bool("csv", false, "print CSV")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		w, err := openCase(ctx, *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		if _, err := w.built("call", "call_verdict"); err != nil {
			return err
		}
		where := []string{"true"}
		text := func(column, value string) {
			if value != "" {
				where = append(where, column+" = "+duckdb.Literal(value))
			}
		}
		number := func(column, flag, value string) error {
			if value == "" {
				return nil
			}
			n, err := strconv.ParseInt(strings.TrimPrefix(value, "+"), 10, 64)
			if err != nil || n <= 0 {
				return &coded{exitUsage, fmt.Errorf("--%s %q is not an E.164 number", flag, value)}
			}
			where = append(where, fmt.Sprintf("%s = %d", column, n))
			return nil
		}
		zone, err := w.Location()
		if err != nil {
			return err
		}
		moment := func(op, flag, value string) error {
			if value == "" {
				return nil
			}
			t, err := parseMoment(value, zone)
			if err != nil {
				return &coded{exitUsage, fmt.Errorf("--%s %w", flag, err)}
			}
			where = append(where, fmt.Sprintf("v.started_at %s make_timestamptz(%d)", op, t.UnixMicro()))
			return nil
		}
		text("v.account_id", *account)
		text("v.institution_id", *institution)
		text("v.outcome", *outcome)
		if len(*grades) > 0 {
			list := make([]string, len(*grades))
			for i, g := range *grades {
				list[i] = duckdb.Literal(strings.ToUpper(g))
			}
			where = append(where, "v.grade IN ("+strings.Join(list, ", ")+")")
		}
		if *minTalk > 0 {
			where = append(where, fmt.Sprintf("v.talk_s >= %d", *minTalk))
		}
		for _, err := range []error{number("v.called_e164", "called", *called), number("v.presented_e164", "presented", *presented),
			moment(">=", "from", *from), moment("<", "to", *to)} {
			if err != nil {
				return err
			}
		}
		query := `SELECT ` + callColumns + ` FROM (
			SELECT v.call_id, v.account_id, v.started_at, c.presented_raw, v.presented_e164, v.presented_name, c.called_raw, v.called_e164, v.called_country,
				v.outcome, v.talk_s, v.grade, v.institution_id, v.rule, v.reasons, v.rule_version, v.contradictions, v.resembles, v.would_block, v.might_block, v.rules_then,
				v.ref_source || ':' || v.ref_table || ':' || v.ref_row || '@' || v.ref_offset AS row_reference
			FROM call_verdict v JOIN call c USING (call_id)
			WHERE ` + strings.Join(where, " AND ") + `)
			ORDER BY started_at, call_id`
		if *limit > 0 {
			query += fmt.Sprintf(" LIMIT %d", *limit)
		}
		e, err := w.engine(ctx)
		if err != nil {
			return err
		}
		if err := w.hand.Record(ctx, "view", "calls", map[string]any{"query_sha256": digest(query)}); err != nil {
			return err
		}
		shown := []string{"started_at", "account_id", "presented_raw", "called_e164", "outcome", "talk_s", "grade", "institution_id", "reasons"}
		return printRows(ctx, cmd.OutOrStdout(), e, query, strings.Fields(strings.ReplaceAll(callColumns, ",", " ")), shown, *asJSON, *asCSV)
	}
	return cmd
}

// printRows prints every row of a query: as JSON lines, as CSV with these columns, or as a
// table of those that are shown.
func printRows(ctx context.Context, out io.Writer, e *duckdb.Engine, query string, columns, shown []string, asJSON, asCSV bool) error {
	switch {
	case asJSON:
		return queryRows(ctx, e.DB, query, func(row map[string]any) error { return printJSON(out, row) })
	case asCSV:
		c := csv.NewWriter(out)
		c.UseCRLF = true
		if err := c.Write(columns); err != nil {
			return err
		}
		if err := queryRows(ctx, e.DB, query, func(row map[string]any) error {
			record := make([]string, len(columns))
			for i, name := range columns {
				if v := row[name]; v != nil {
					record[i] = exhibit.Safe(fmt.Sprint(v))
				}
			}
			return c.Write(record)
		}); err != nil {
			return err
		}
		c.Flush()
		return c.Error()
	}
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(shown, "\t"))
	if err := queryRows(ctx, e.DB, query, func(row map[string]any) error { return printRow(t, shown, row) }); err != nil {
		return err
	}
	return t.Flush()
}
