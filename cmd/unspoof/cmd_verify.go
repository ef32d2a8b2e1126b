package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/verify"
)

func verifyCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify --case DIR",
		Short: "Check the whole case against its sealed sources and its ledger",
		Long: `Check sources, ledger, tables and rows with code of its own, and name what does not hold. A
sample of rows is read again from the sealed originals; --all compares every row. A
checkpoint that was kept elsewhere (--checkpoint) shows what no check of the folder alone
can: that the whole case was set back or made anew. An exhibit or a briefing (--exhibit) is computed again
from the versions of tables it was made from, also when the case has newer ones by now.`,
		Args: cobra.NoArgs,
	}
	dir := caseFlag(cmd)
	var opt verify.Options
	f := cmd.Flags()
	f.IntVar(&opt.Sample, "sample", 1000, "how many rows to compare with the originals")
	f.BoolVar(&opt.All, "all", false, "compare every row")
	f.Uint64Var(&opt.Seed, "seed", 0, "seed of the sample (0: random, and printed)")
	checkpoint := f.String("checkpoint", "", "file with a checkpoint that was kept elsewhere")
	f.StringVar(&opt.Exhibit, "exhibit", "", "folder of an exhibit or briefing of this case to check as well")
	asJSON := f.Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := store.Open(*dir); errors.Is(err, store.ErrNotCase) {
			return err
		}
		if opt.Exhibit != "" {
			if _, err := os.Stat(opt.Exhibit); err != nil {
				return err
			}
		}
		if *checkpoint != "" {
			text, err := os.ReadFile(*checkpoint)
			if err != nil {
				return err
			}
			opt.TrustedCheckpoint = text
		}
		r := newReporter(false)
		opt.Progress = r.rows
		report, err := verify.Run(cmd.Context(), *dir, opt)
		r.end()
		if err != nil {
			return err
		}
		if *asJSON {
			if err := printJSON(cmd.OutOrStdout(), report); err != nil {
				return err
			}
		} else {
			fmt.Fprint(cmd.OutOrStdout(), report)
		}
		if !report.OK() {
			return &coded{exitVerify, errors.New("verification failed")}
		}
		return nil
	}
	return cmd
}
