package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/intake"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/synth"
)

func demoCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Make a synthetic seizure, run the whole job on it, and serve the case",
		Args:  cobra.NoArgs,
	}
	f := cmd.Flags()
	dir := f.String("dir", "demo", "the folder to make; a case that is there already is served")
	scale := f.Float64("scale", 0.01, "share of the reference case")
	seed := f.Uint64("seed", 1, "seed of the seizure")
	noServe := f.Bool("no-serve", false, "stop when the figures are printed")
	listen := f.String("listen", "127.0.0.1:8080", "address to listen on")
	asJSON := f.Bool("json", false, "print events as JSON lines")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		r := newReporter(*asJSON)
		defer r.end()
		say := func(format string, args ...any) { r.line(format, args...) }
		begun := time.Now()
		seizure := filepath.Join(*dir, "seizure")
		if _, err := os.Stat(filepath.Join(seizure, "truth", "truth.json")); errors.Is(err, os.ErrNotExist) {
			if err := os.RemoveAll(seizure); err != nil { // what an interrupted demo left
				return err
			}
			s, err := synth.Write(ctx, synth.Config{Out: seizure, Scale: *scale, Seed: *seed,
				Progress: func(done, total int64) { r.rows("synthetic seizure", done, total) }})
			if err != nil {
				return err
			}
			say("synthetic seizure: %s rows, %s in %s", humanize.Comma(s.Rows), humanize.IBytes(uint64(s.Bytes)), took(time.Since(begun)))
		} else if err != nil {
			return err
		}
		w, err := demoCase(ctx, filepath.Join(*dir, "case"))
		if err != nil {
			return err
		}
		defer w.Close()
		if err := demoJob(ctx, w, r, seizure); err != nil {
			return err
		}
		list, err := readFigures(ctx, w)
		if err != nil {
			return err
		}
		r.event("figures", map[string]any{"figures": list})
		r.end()
		if !*asJSON {
			fmt.Fprintf(cmd.OutOrStdout(), "\nFigures of this synthetic case, beside those published for the reference case times %v:\n", *scale)
			printFigures(cmd.OutOrStdout(), list, *scale)
			fmt.Fprintf(cmd.OutOrStdout(), "\nThe whole job took %s.\n", took(time.Since(begun)))
		}
		if *noServe {
			return nil
		}
		return serve(ctx, w, *listen, true, func(format string, args ...any) { fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...) })
	}
	return cmd
}

// demoCase opens the demo's case, or makes it.
func demoCase(ctx context.Context, dir string) (*workspace, error) {
	if _, err := store.Open(dir); errors.Is(err, store.ErrNotCase) {
		return createCase(ctx, dir, store.Config{Name: "Synthetic seizure", Reference: "DEMO/1", TimeZone: "Europe/London", LegalBasis: "none needed: invented data"})
	}
	return openCase(ctx, dir, true)
}

// demoJob adds, maps and builds; a demo that was interrupted goes on.
func demoJob(ctx context.Context, w *workspace, r *reporter, seizure string) error {
	for _, step := range []struct {
		file string
		opt  intake.AddOptions
	}{
		{"mbilling.sql", intake.AddOptions{Exhibit: "DEMO/1"}},
		{"lists/loss_reports.csv", intake.AddOptions{List: "loss_reports"}},
		{"lists/registry.csv", intake.AddOptions{List: "registry"}},
		{"lists/rates.csv", intake.AddOptions{List: "rates"}},
		{"lists/numbering.csv", intake.AddOptions{List: "numbering"}},
	} {
		if err := add(ctx, w, r, []string{filepath.Join(seizure, step.file)}, step.opt); err != nil && !errors.Is(err, errDamage) {
			return err
		}
	}
	if err := mapAll(ctx, w, r); err != nil {
		return err
	}
	return build(ctx, w, r, nil)
}
