package main

import (
	"context"
	"slices"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/analysis/callers"
	"github.com/unspoof/unspoof/internal/analysis/campaigns"
	"github.com/unspoof/unspoof/internal/analysis/figures"
	"github.com/unspoof/unspoof/internal/analysis/step"
	"github.com/unspoof/unspoof/internal/analysis/suspects"
	"github.com/unspoof/unspoof/internal/analysis/victims"
)

// steps lists every step, inputs first.
func steps() []step.Step {
	return slices.Concat(callers.Steps(), campaigns.Steps(), victims.Steps(), suspects.Steps(), figures.Steps())
}

func buildCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "build --case DIR [STEP...]",
		Short: "Compute findings: verdicts, victims, suspects, figures",
		Long:  "Compute the findings that are stale, and say why. With step names, only those and what they stand on.\n\nSteps:\n" + stepHelp(),
	}
	dir := caseFlag(cmd)
	memory := memoryFlag(cmd, ampleMemory())
	asJSON := cmd.Flags().Bool("json", false, "print events as JSON lines")
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		w, err := openCase(cmd.Context(), *dir, true)
		if err != nil {
			return err
		}
		defer w.Close()
		if err := w.bound(memory); err != nil {
			return err
		}
		r := newReporter(*asJSON)
		defer r.end()
		return build(cmd.Context(), w, r, names)
	}
	return cmd
}

func stepHelp() string {
	var s string
	for _, st := range steps() {
		s += "  " + st.Table + ": " + st.About + "\n"
	}
	return s
}

// build runs the stale steps.
func build(ctx context.Context, w *workspace, r *reporter, names []string) error {
	for _, n := range names {
		if !slices.ContainsFunc(steps(), func(s step.Step) bool { return s.Table == n }) {
			return &coded{exitUsage, step.ErrUnknown(n, steps())}
		}
	}
	if err := w.wholeSources(ctx); err != nil {
		return err
	}
	e, err := w.engine(ctx)
	if err != nil {
		return err
	}
	err = step.Build(ctx, w.Case, e, w.hand, steps(), names,
		func(table, why string) {
			r.event("step", map[string]any{"table": table, "why": why})
		},
		func(s step.Ran) {
			r.event("built", map[string]any{"table": s.Table, "rows": s.Rows, "kept": s.Kept, "fresh": s.Fresh, "why": s.Why, "seconds": s.Took.Seconds()})
			switch {
			case s.Fresh:
				r.line("%-20s %12s rows  unchanged", s.Table, humanize.Comma(s.Rows))
			case s.Kept > 0:
				r.line("%-20s %12s rows  %s  (%s; %s rows kept)", s.Table, humanize.Comma(s.Rows), took(s.Took), s.Why, humanize.Comma(s.Kept))
			default:
				r.line("%-20s %12s rows  %s  (%s)", s.Table, humanize.Comma(s.Rows), took(s.Took), s.Why)
			}
		})
	if err != nil {
		return err
	}
	return w.sign(ctx)
}
