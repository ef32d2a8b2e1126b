package main

import (
	"errors"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/exhibit"
)

func exportCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:       "export --case DIR suspects|victims --out DIR",
		Short:     "Write an exhibit: CSV with a manifest of what it rests on",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"suspects", "victims"},
	}
	dir := caseFlag(cmd)
	out := cmd.Flags().String("out", "", "the folder to make")
	batch := cmd.Flags().String("batch", "", "only the victims of this contact batch, with the wording of the warning (see `victims --batches`)")
	asJSON := cmd.Flags().Bool("json", false, "print the manifest")
	if err := cmd.MarkFlagRequired("out"); err != nil {
		panic(err) // the flag was defined above
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		if *batch != "" && args[0] != "victims" {
			return &coded{exitUsage, errors.New("--batch belongs to victims")}
		}
		w, err := openCase(ctx, *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		e, err := w.engine(ctx)
		if err != nil {
			return err
		}
		m, err := exhibit.Export(ctx, w.Case, e, w.hand, w.key.Public, "unspoof "+version(), args[0], *batch, *out)
		if errors.Is(err, exhibit.ErrNoBatch) {
			err = &coded{exitUsage, err}
		}
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), m)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "exhibit %s: %s rows in %s\n", m.Exhibit, humanize.Comma(m.Rows), *out)
		for _, f := range m.Files {
			fmt.Fprintf(cmd.OutOrStdout(), "  %s  %s\n", f.SHA256, f.Name)
		}
		return w.sign(ctx)
	}
	return cmd
}
