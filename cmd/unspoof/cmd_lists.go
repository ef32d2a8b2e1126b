package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// list is one of the answers that is a list of rows.
type list struct {
	name, short string
	tables      []string
	query       string   // all columns, in order
	columns     []string // shown to a person
}

func suspectsCmd() *cobra.Command {
	return listCmd(list{
		name: "suspects", short: "Accounts that pass the ranking policies, by rank, with reasons", tables: []string{"policy_result", "suspect"},
		query: `SELECT p.policy, p.policy_version, p.rank, s.*, p.reasons,
			s.ref_source || ':' || s.ref_table || ':' || s.ref_row || '@' || s.ref_offset AS row_reference
			FROM policy_result p JOIN suspect s USING (account_id) WHERE p.passed ORDER BY p.policy, p.rank`,
		columns: []string{"rank", "account_id", "username", "country", "spend_btc_gbp_minor", "long_calls_uk", "victims_uk", "linked_reports", "reasons"},
	})
}

func victimsCmd() *cobra.Command {
	return listCmd(list{
		name: "victims", short: "Called numbers, most points first, with reasons", tables: []string{"victim"},
		query:   "SELECT * FROM victim ORDER BY points DESC, talk_s DESC, called_e164",
		columns: []string{"called_e164", "country", "points", "calls", "long_calls", "talk_s", "best_grade", "institutions", "reasons"},
	})
}

func institutionsCmd() *cobra.Command {
	return listCmd(list{
		name: "institutions", short: "Impersonated institutions, most calls first", tables: []string{"institution_use"},
		query:   "SELECT * FROM institution_use WHERE calls > 0 ORDER BY calls DESC, institution_id",
		columns: []string{"institution_id", "name", "calls", "calls_uk", "long_calls_uk", "accounts", "called_numbers", "a_star", "a", "b", "c"},
	})
}

func listCmd(l list) *cobra.Command {
	cmd := &cobra.Command{Use: l.name + " --case DIR", Short: l.short, Args: cobra.NoArgs}
	dir := caseFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print every column, one JSON object a line")
	limit := cmd.Flags().Int("limit", 0, "print at most this many (0: all)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		w, err := openCase(ctx, *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		if _, err := w.built(l.tables...); err != nil {
			return err
		}
		e, err := w.engine(ctx)
		if err != nil {
			return err
		}
		if err := w.hand.Record(ctx, "view", l.name, map[string]any{"limit": *limit}); err != nil {
			return err
		}
		query := l.query
		if *limit > 0 {
			query = fmt.Sprintf("SELECT * FROM (%s) LIMIT %d", query, *limit)
		}
		out := cmd.OutOrStdout()
		if *asJSON {
			return queryRows(ctx, e.DB, query, func(row map[string]any) error { return printJSON(out, row) })
		}
		t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, strings.Join(l.columns, "\t"))
		if err := queryRows(ctx, e.DB, query, func(row map[string]any) error {
			return printRow(t, l.columns, row)
		}); err != nil {
			return err
		}
		return t.Flush()
	}
	return cmd
}

func printRow(t io.Writer, columns []string, row map[string]any) error {
	cells := make([]string, len(columns))
	for i, c := range columns {
		if v := row[c]; v != nil {
			cells[i] = visible(fmt.Sprint(v))
		}
	}
	_, err := fmt.Fprintln(t, strings.Join(cells, "\t"))
	return err
}
