package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/snapshot"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

func snapshotsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshots --case DIR",
		Short: "What appeared, changed and vanished between snapshots of a source",
		Long: `For sources that were added with --snapshot-of: how many rows of each source table are the
same, appeared, changed and vanished from one snapshot to the next. --table lists the rows, with
the columns that changed (not their values) and the references before and after, which
` + "`unspoof show`" + ` takes.`,
		Args: cobra.NoArgs,
	}
	dir := caseFlag(cmd)
	table := cmd.Flags().String("table", "", "list the rows of this source table")
	change := cmd.Flags().String("change", "", "with --table, only those that appeared, changed or vanished")
	asJSON := cmd.Flags().Bool("json", false, "print JSON lines")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		switch *change {
		case "", snapshot.Appeared, snapshot.Changed, snapshot.Vanished:
		default:
			return &coded{exitUsage, fmt.Errorf("--change %q is none of appeared, changed, vanished", *change)}
		}
		if *change != "" && *table == "" {
			return &coded{exitUsage, errors.New("--change belongs to --table")}
		}
		w, err := openCase(ctx, *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		plan, ok, err := snapshot.Plan(w.Case)
		if err != nil {
			return err
		}
		if !ok {
			return &coded{exitUsage, errors.New("the case has no snapshots: add a later dump with `unspoof add --snapshot-of SOURCE`")}
		}
		if m, err := w.Table(plan.Table); err != nil && !errors.Is(err, store.ErrNoTable) {
			return err
		} else if err != nil || m.Version != plan.Version {
			return &coded{exitNotBuilt, fmt.Errorf("the snapshots have not been compared as they are now: run `unspoof map --case %s`", w.Dir)}
		}
		e, err := w.engine(ctx)
		if err != nil {
			return err
		}
		if err := w.hand.Record(ctx, "view", "snapshots", map[string]any{"query_sha256": digest(*table + "\x00" + *change)}); err != nil {
			return err
		}
		if *table != "" {
			return listChanges(cmd, w, e, *table, *change, *asJSON)
		}
		list, err := snapshot.Summaries(ctx, w.Case, e)
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		if *asJSON {
			for _, s := range list {
				if err := printJSON(out, s); err != nil {
					return err
				}
			}
			return nil
		}
		t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, "table\tfrom\tto\tsame\tappeared\tchanged\tvanished\t")
		n := humanize.Comma
		for _, s := range list {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", visible(s.Table), s.Before.Short(), s.After.Short(), n(s.Same), n(s.Appeared), n(s.Changed), n(s.Vanished), visible(strings.Join(s.Notes, "; ")))
		}
		return t.Flush()
	}
	return cmd
}

// listChanges prints the changes of one source table.
func listChanges(cmd *cobra.Command, w *workspace, e *duckdb.Engine, table, change string, asJSON bool) error {
	out := cmd.OutOrStdout()
	where := "source_table = " + duckdb.Literal(table)
	if change != "" {
		where += " AND change = " + duckdb.Literal(change)
	}
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(t, "change\tkey\tcolumns\tbefore\tafter")
	}
	found := false
	err := queryRows(cmd.Context(), e.DB, "SELECT * FROM "+snapshot.Table+" WHERE "+where, func(row map[string]any) error {
		found = true
		refs := map[string]string{}
		for _, side := range []string{"before", "after"} {
			if source, ok := row[side+"_ref_source"].(string); ok {
				number, _ := row[side+"_ref_row"].(int64)
				offset, _ := row[side+"_ref_offset"].(int64)
				name, _ := row[side+"_ref_table"].(string)
				refs[side] = casefile.RowRef{Source: casefile.SourceID(source), Table: name, Row: number, Offset: offset}.String()
			}
			for _, part := range []string{"_ref_source", "_ref_table", "_ref_row", "_ref_offset"} {
				delete(row, side+part)
			}
			row[side] = nil
			if refs[side] != "" {
				row[side] = refs[side]
			}
		}
		if asJSON {
			return printJSON(out, row)
		}
		text := func(v any) string {
			if s, ok := v.(string); ok {
				return visible(s)
			}
			return "-"
		}
		_, err := fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", text(row["change"]), text(row["key"]), text(row["columns"]), text(row["before"]), text(row["after"]))
		return err
	})
	if err != nil {
		return err
	}
	if !found && change == "" {
		var known int64
		if err := e.DB.QueryRowContext(cmd.Context(), "SELECT count(*) FROM duckdb_views() WHERE view_name LIKE 'source.%' AND view_name LIKE ?", "%."+store.EscapeName(table)).Scan(&known); err != nil {
			return err
		}
		if known == 0 {
			return &coded{exitUsage, fmt.Errorf("no source of the case has a table %q", table)}
		}
	}
	return t.Flush()
}
