package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake"
	"github.com/unspoof/unspoof/internal/intake/mapping"
)

func mapCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "map --case DIR",
		Short: "Map source tables to the case model",
		Long: `Map source tables to the case model. A source that no mapping was applied to gets the
shipped mapping that fits; --apply gives it another. Only case tables whose sources or
mapping have changed are computed.`,
		Args: cobra.NoArgs,
	}
	dir := caseFlag(cmd)
	f := cmd.Flags()
	show := f.Bool("show", false, "show what became of every source column, and change nothing")
	apply := f.String("apply", "", "apply this mapping file")
	source := f.String("source", "", "to this source (a prefix of its hash); needed when the case has several that the file could be for")
	asJSON := f.Bool("json", false, "print events, or with --show the mapping, as JSON lines")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		w, err := openCase(ctx, *dir, !*show)
		if err != nil {
			return err
		}
		defer w.Close()
		if *show {
			return showMapping(w, cmd.OutOrStdout(), *asJSON)
		}
		r := newReporter(*asJSON)
		defer r.end()
		if *apply != "" {
			if err := applyMapping(ctx, w, r, *apply, *source); err != nil {
				return err
			}
		}
		return mapAll(ctx, w, r)
	}
	return cmd
}

// mapAll recognises sources and computes the stale case tables.
func mapAll(ctx context.Context, w *workspace, r *reporter) error {
	in := &intake.Intake{Case: w.Case, Hand: w.hand}
	list, err := in.Recognise(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return &coded{exitNotBuilt, fmt.Errorf("the case has no sources: run `unspoof add --case %s FILE...`", w.Dir)}
	}
	unknown := 0
	for _, s := range list {
		switch {
		case s.Mapping == nil:
			unknown++
			r.line("%s: no shipped mapping fits: its tables stay source tables (apply one with --apply)", s.Source.Name)
		case s.New:
			r.line("%s: mapping %s", s.Source.Name, s.Mapping.Title)
		}
	}
	e, err := w.engine(ctx)
	if err != nil {
		return err
	}
	if err := in.Map(ctx, e, func(m intake.Mapped) {
		r.event("mapped", map[string]any{"table": m.Table, "rows": m.Rows, "fresh": m.Fresh, "seconds": m.Took.Seconds()})
		switch {
		case m.Fresh:
			r.line("%-20s %12s rows  unchanged", m.Table, humanize.Comma(m.Rows))
		case m.Rows > 0:
			r.line("%-20s %12s rows  %s", m.Table, humanize.Comma(m.Rows), took(m.Took))
		}
	}); err != nil {
		return err
	}
	return w.sign(ctx)
}

func applyMapping(ctx context.Context, w *workspace, r *reporter, path, prefix string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	m, err := mapping.Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	sources, err := w.Sources()
	if err != nil {
		return err
	}
	var id casefile.SourceID
	if prefix != "" {
		s, err := w.Source(casefile.SourceID(prefix))
		if err != nil {
			return &coded{exitUsage, err}
		}
		id = s.ID
	} else {
		for _, s := range sources {
			if s.List != m.List {
				continue
			}
			if id != "" {
				return &coded{exitUsage, errors.New("the mapping could be for several sources: say which with --source")}
			}
			id = s.ID
		}
		if id == "" {
			return &coded{exitUsage, errors.New("the case has no source that this mapping is for")}
		}
	}
	in := &intake.Intake{Case: w.Case, Hand: w.hand}
	if err := in.Apply(ctx, id, m); err != nil {
		return err
	}
	r.line("source %s: mapping %s version %d", id.Short(), m.Name, m.Version)
	return nil
}

func showMapping(w *workspace, out io.Writer, asJSON bool) error {
	sources, err := w.Sources()
	if err != nil {
		return err
	}
	for _, s := range sources {
		m, err := mapping.Applied(w.Case, s.ID)
		if err != nil {
			return err
		}
		if m == nil {
			if !asJSON {
				fmt.Fprintf(out, "%s (source %s): no mapping\n", s.Name, s.ID.Short())
			}
			continue
		}
		tables, err := mapping.SourceTables(w.Case, s.ID)
		if err != nil {
			return err
		}
		count := map[string]int{}
		if !asJSON {
			fmt.Fprintf(out, "%s (source %s): %s\n", s.Name, s.ID.Short(), m.Title)
		}
		for _, c := range m.Cover(tables) {
			count[c.Fate]++
			if asJSON {
				if err := printJSON(out, struct {
					Source string `json:"source"`
					mapping.Coverage
				}{string(s.ID), c}); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(out, "  %-8s %s.%s", c.Fate, c.Table, c.Column)
			for _, to := range c.To {
				fmt.Fprintf(out, " -> %s", to)
			}
			if c.Reason != "" {
				fmt.Fprintf(out, "  (%s)", c.Reason)
			}
			fmt.Fprintln(out)
		}
		if !asJSON {
			fmt.Fprintf(out, "  columns: %d mapped, %d secret, %d set aside, %d unknown\n", count["mapped"], count["secret"], count["aside"], count["unknown"])
		}
	}
	return nil
}
