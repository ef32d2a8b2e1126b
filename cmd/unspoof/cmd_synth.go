package main

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/synth"
)

func synthCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "synth --out DIR",
		Short: "Write a synthetic seizure whose truth is known",
		Args:  cobra.NoArgs,
	}
	var cfg synth.Config
	f := cmd.Flags()
	f.StringVar(&cfg.Out, "out", "", "the folder to write")
	f.Float64Var(&cfg.Scale, "scale", 0.01, "share of the reference case (1: 59,000 accounts, 70 million rows)")
	f.Uint64Var(&cfg.Seed, "seed", 1, "seed; the same seed and scale give the same bytes")
	if err := cmd.MarkFlagRequired("out"); err != nil {
		panic(err) // the flag was defined above
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		r := newReporter(false)
		cfg.Progress = func(done, total int64) { r.rows("writing the seizure", done, total) }
		begun := time.Now()
		s, err := synth.Write(cmd.Context(), cfg)
		r.end()
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s rows, %s, %s\n", s.Dump, humanize.Comma(s.Rows), humanize.IBytes(uint64(s.Bytes)), took(time.Since(begun)))
		return nil
	}
	return cmd
}
