package main

import (
	"context"
	"encoding/json"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/intake"
)

func addCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add --case DIR FILE...",
		Short: "Seal files and read them into source tables",
		Long: `Seal files: copy each into the case under its SHA-256 while reading its rows into source
tables. A file that is in the case already is recognised. What cannot be read is listed as
damage, with its place; every row is either stored or damaged.

Files that are not the platform's own are lists: --list loss_reports, registry, rates or
numbering (formats: docs/formats/seizure.md).`,
		Args: cobra.MinimumNArgs(1),
	}
	dir := caseFlag(cmd)
	var opt intake.AddOptions
	f := cmd.Flags()
	f.StringVar(&opt.Exhibit, "exhibit", "", "exhibit reference")
	f.StringVar(&opt.LegalBasis, "legal-basis", "", "authority under which these files are held")
	f.StringVar(&opt.List, "list", "", "the list these CSV files are")
	f.BoolVar(&opt.Link, "link", false, "hard-link into the case instead of copying")
	asJSON := f.Bool("json", false, "print events as JSON lines")
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		w, err := openCase(cmd.Context(), *dir, true)
		if err != nil {
			return err
		}
		defer w.Close()
		r := newReporter(*asJSON)
		defer r.end()
		return add(cmd.Context(), w, r, files, opt)
	}
	return cmd
}

// add adds files one after the other. Damage does not stop it; an error does.
func add(ctx context.Context, w *workspace, r *reporter, files []string, opt intake.AddOptions) error {
	in := &intake.Intake{Case: w.Case, Hand: w.hand, Progress: r.bytes}
	damaged := false
	for _, file := range files {
		a, err := in.Add(ctx, file, opt)
		if err != nil {
			return err
		}
		fields := map[string]any{}
		if text, err := json.Marshal(a); err == nil {
			if err := json.Unmarshal(text, &fields); err != nil {
				return err
			}
		}
		r.event("added", fields)
		t := a.Totals
		if a.Known {
			r.line("%s: already in the case as source %s (%s rows)", a.Source.Name, a.Source.ID.Short(), humanize.Comma(t.Stored))
		} else {
			r.line("%s: source %s, %s, %d tables, rows in %s = stored %s + damaged %s, %s rows/s, %s",
				a.Source.Name, a.Source.ID.Short(), humanize.IBytes(uint64(a.Source.Size)), t.Tables,
				humanize.Comma(t.In()), humanize.Comma(t.Stored), humanize.Comma(t.Damaged), rate(t.In(), a.Took), took(a.Took))
		}
		for _, d := range a.Damages {
			r.line("  damage: %s: %s (length %s, rows %d)", d.Where(a.Source.Name), d.Reason, humanize.Comma(d.Length), d.Rows)
		}
		if more := t.Damages - len(a.Damages); more > 0 && !a.Known {
			r.line("  and %d more damaged stretches", more)
		}
		damaged = damaged || t.Damages > 0
	}
	if err := w.sign(ctx); err != nil {
		return err
	}
	if damaged {
		return errDamage
	}
	return nil
}
