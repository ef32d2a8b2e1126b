package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake"
	"github.com/unspoof/unspoof/internal/intake/mapping"
	"github.com/unspoof/unspoof/internal/intake/profile"
	"github.com/unspoof/unspoof/internal/store"
)

func mapCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "map --case DIR",
		Short: "Map source tables to the case model",
		Long: `Map source tables to the case model. A source that no mapping was applied to gets the
shipped mapping that fits; --apply gives it another. Only case tables whose sources or
mapping have changed are computed.

--propose looks at what a source's columns hold and are called and writes a mapping to review,
with a confidence and a reason for every column. It is applied with --apply once it has been
read. --review and --show tell what a mapping leaves out.`,
		Args: cobra.NoArgs,
	}
	dir := caseFlag(cmd)
	memory := memoryFlag(cmd, 4<<30)
	f := cmd.Flags()
	show := f.Bool("show", false, "show what became of every source column, and change nothing")
	review := f.Bool("review", false, "count what became of each source table's columns, and change nothing")
	proposal := f.Bool("propose", false, "propose a mapping for a source that none fits, and change nothing")
	outFile := f.String("out", "", "with --propose, write the proposal to this file instead of standard output")
	apply := f.String("apply", "", "apply this mapping file")
	source := f.String("source", "", "to this source (a prefix of its hash); needed when the case has several that the file could be for")
	asJSON := f.Bool("json", false, "print events, or with --show the mapping, as JSON lines")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		if *outFile != "" && !*proposal {
			return &coded{exitUsage, errors.New("--out belongs to --propose")}
		}
		w, err := openCase(ctx, *dir, !*show && !*review && !*proposal)
		if err != nil {
			return err
		}
		defer w.Close()
		if err := w.bound(memory); err != nil {
			return err
		}
		switch {
		case *proposal:
			return proposeMapping(ctx, w, cmd.OutOrStdout(), cmd.ErrOrStderr(), *source, *outFile)
		case *review:
			return reviewMapping(w, cmd.OutOrStdout(), *source, *asJSON)
		case *show:
			return showMapping(w, cmd.OutOrStdout(), *source, *asJSON)
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
	if err := w.wholeSources(ctx); err != nil {
		return err
	}
	in := &intake.Intake{Case: w.Case, Hand: w.hand}
	list, err := in.Recognise(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return &coded{exitNotBuilt, fmt.Errorf("the case has no sources: run `unspoof add --case %s FILE...`", w.Dir)}
	}
	for _, s := range list {
		switch {
		case s.Source.HasNoTables():
		case s.Mapping == nil:
			r.line("%s: no shipped mapping fits: its tables stay source tables (apply one with --apply)", visible(s.Source.Name))
		case s.New:
			r.line("%s: mapping %s", visible(s.Source.Name), visible(s.Mapping.Title))
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
			if s.List != m.List || s.HasNoTables() || s.SnapshotOf != "" {
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

// mapped is what a command that shows mappings shows of one source.
type mapped struct {
	source  store.Source
	mapping *mapping.Mapping // nil: none was applied
	tables  map[string]store.Manifest
}

// mappings gives the sources' mappings: of all sources, or of one.
func mappings(w *workspace, prefix string) (list []mapped, err error) {
	sources, err := w.Sources()
	if err != nil {
		return nil, err
	}
	if prefix != "" {
		s, err := w.Source(casefile.SourceID(prefix))
		if err != nil {
			return nil, &coded{exitUsage, err}
		}
		sources = []store.Source{s}
	}
	for _, s := range sources {
		m, err := mapping.Applied(w.Case, s.ID)
		if err != nil {
			return nil, err
		}
		tables, err := mapping.SourceTables(w.Case, s.ID)
		if err != nil {
			return nil, err
		}
		list = append(list, mapped{s, m, tables})
	}
	return list, nil
}

// showMapping prints what became of every source column.
func showMapping(w *workspace, out io.Writer, prefix string, asJSON bool) error {
	list, err := mappings(w, prefix)
	if err != nil {
		return err
	}
	for _, x := range list {
		if x.mapping == nil {
			if !asJSON {
				fmt.Fprintf(out, "%s (source %s): no mapping\n", visible(x.source.Name), x.source.ID.Short())
			}
			continue
		}
		if asJSON {
			for _, l := range x.mapping.Lines(x.tables) {
				if err := printJSON(out, struct {
					Source string `json:"source"`
					mapping.Line
				}{string(x.source.ID), l}); err != nil {
					return err
				}
			}
			continue
		}
		fmt.Fprintf(out, "%s (source %s): %s\n", visible(x.source.Name), x.source.ID.Short(), visible(x.mapping.Title))
		count := map[string]int{}
		for _, c := range x.mapping.Cover(x.tables) {
			count[c.Fate]++
			fmt.Fprintf(out, "  %-8s %s.%s", c.Fate, visible(c.Table), visible(c.Column))
			for _, to := range c.To {
				fmt.Fprintf(out, " -> %s", to)
			}
			if c.Reason != "" {
				fmt.Fprintf(out, "  (%s)", visible(c.Reason))
			}
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "  columns: %d mapped, %d secret, %d set aside, %d unknown\n", count["mapped"], count["secret"], count["aside"], count["unknown"])
	}
	return nil
}

// reviewMapping prints, table by table, how much is mapped, set aside, secret and unknown.
func reviewMapping(w *workspace, out io.Writer, prefix string, asJSON bool) error {
	list, err := mappings(w, prefix)
	if err != nil {
		return err
	}
	for _, x := range list {
		m := x.mapping
		if m == nil {
			m = &mapping.Mapping{Title: "no mapping"}
		}
		if !asJSON {
			fmt.Fprintf(out, "%s (source %s): %s\n", visible(x.source.Name), x.source.ID.Short(), visible(m.Title))
			fmt.Fprintf(out, "  %-32s %12s %7s %6s %7s %8s  %s\n", "table", "rows", "mapped", "aside", "secret", "unknown", "case tables")
		}
		var all mapping.TableCover
		for _, t := range m.Review(x.tables) {
			all.Mapped, all.Aside, all.Secret, all.Unknown, all.Low = all.Mapped+t.Mapped, all.Aside+t.Aside, all.Secret+t.Secret, all.Unknown+t.Unknown, all.Low+t.Low
			if asJSON {
				if err := printJSON(out, struct {
					Source string `json:"source"`
					mapping.TableCover
				}{string(x.source.ID), t}); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(out, "  %-32s %12s %7d %6d %7d %8d  %s\n", visible(t.Table), humanize.Comma(t.Rows), t.Mapped, t.Aside, t.Secret, t.Unknown, strings.Join(t.Cases, ", "))
			for _, why := range t.Reasons {
				fmt.Fprintf(out, "      set aside: %s\n", visible(why))
			}
			if t.Mapped > 0 && len(t.Left) > 0 {
				fmt.Fprintf(out, "      unknown: %s\n", visible(strings.Join(t.Left, ", ")))
			}
			if t.Low > 0 {
				fmt.Fprintf(out, "      %d mapped with a confidence under 0.7: see map --show --json\n", t.Low)
			}
		}
		if !asJSON {
			fmt.Fprintf(out, "  columns: %d mapped, %d secret, %d set aside, %d unknown\n", all.Mapped, all.Secret, all.Aside, all.Unknown)
		}
	}
	return nil
}

// proposeMapping writes a proposal for one source: the one named, or the only one without a
// mapping.
func proposeMapping(ctx context.Context, w *workspace, out, errOut io.Writer, prefix, path string) error {
	list, err := mappings(w, prefix)
	if err != nil {
		return err
	}
	if prefix == "" {
		list = slices.DeleteFunc(list, func(x mapped) bool {
			return x.mapping != nil || x.source.List != "" || x.source.SnapshotOf != "" || len(x.tables) == 0
		})
	}
	switch {
	case len(list) == 0:
		return &coded{exitUsage, errors.New("every source has a mapping: name one with --source to have another proposed")}
	case len(list) > 1:
		return &coded{exitUsage, errors.New("several sources have no mapping: say which with --source")}
	}
	x := list[0]
	e, err := w.engine(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	p, err := profile.Source(ctx, e, x.source.ID, x.tables, profile.Options{Zone: w.Config.TimeZone, Beside: slices.Sorted(maps.Values(x.source.Siblings))})
	if err != nil {
		return err
	}
	proposal, err := mapping.Propose(p, "proposed-"+x.source.ID.Short())
	if err != nil {
		return err
	}
	if path == "" {
		_, err := out.Write(proposal.Text())
		return err
	}
	if err := store.WriteFile(path, proposal.Text(), 0o640); err != nil {
		return err
	}
	fill := map[string]int{}
	for _, r := range proposal.Tables {
		if r.Case != "" {
			fill[r.Case]++
		}
	}
	fmt.Fprintf(errOut, "%s: looked at %d tables in %s; %d hold calls; the proposal is in %s\nread it, then: unspoof map --case %s --apply %s --source %s\n",
		x.source.Name, len(p.Tables), took(time.Since(start)), fill["call"], path, w.Dir, path, x.source.ID.Short())
	return nil
}
