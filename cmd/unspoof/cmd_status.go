package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
)

func statusCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status --case DIR",
		Short: "What is in the case: sources, tables, ledger",
		Args:  cobra.NoArgs,
	}
	dir := caseFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		w, err := openCase(ctx, *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		sources, err := w.Sources()
		if err != nil {
			return err
		}
		tables, err := w.Tables()
		if err != nil {
			return err
		}
		if err := w.hand.Record(ctx, "view", "status", nil); err != nil {
			return err
		}
		entries, err := w.log.Size(ctx)
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		if *asJSON {
			return printJSON(out, map[string]any{"case": w.Config, "sources": sources, "tables": tables, "ledger_entries": entries})
		}
		fmt.Fprintf(out, "%s (%s), times in %s\n", visible(w.Config.Name), visible(w.Config.Reference), w.Config.TimeZone)
		t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		for _, s := range sources {
			what := s.List
			if what == "" && s.HasNoTables() {
				what = s.Format
			} else if what == "" {
				what = "platform"
			}
			if s.SnapshotOf != "" {
				what += ", snapshot of " + s.SnapshotOf.Short()
			}
			if s.Taken != nil {
				what += ", taken " + s.Taken.Format(time.RFC3339)
			}
			fmt.Fprintf(t, "source\t%s\t%s\t%s\t%s\t%s\n", s.ID.Short(), visible(s.Name), humanize.IBytes(uint64(s.Size)), what, visible(s.Exhibit))
		}
		for _, m := range tables {
			fmt.Fprintf(t, "%s\t%.12s\t%s\t%s rows\t%s\t\n", m.Kind, m.Version, visible(m.Table), humanize.Comma(m.Rows), m.Step)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(out, "ledger: %s entries, key %s\n", humanize.Comma(entries), w.key.Public)
		return nil
	}
	return cmd
}
