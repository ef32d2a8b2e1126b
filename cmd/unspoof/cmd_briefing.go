package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/exhibit"
)

func briefingCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "briefing --case DIR --out DIR",
		Short: "Write the public briefing: figures only, in English or French",
		Long: `A briefing as HTML and Markdown, with headings, charts and a method box. Every number in it is
a figure and leads to its definition; groups of fewer than five are not shown (docs/briefing.md).`,
		Args: cobra.NoArgs,
	}
	dir := caseFlag(cmd)
	lang := cmd.Flags().String("lang", "en", "the language: en or fr")
	out := cmd.Flags().String("out", "", "the folder to make")
	if err := cmd.MarkFlagRequired("out"); err != nil {
		panic(err) // the flag was defined above
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		if *lang != "en" && *lang != "fr" {
			return &coded{exitUsage, fmt.Errorf("--lang %q is neither en nor fr", *lang)}
		}
		w, err := openCase(ctx, *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		if _, err := w.built("figure"); err != nil {
			return err
		}
		e, err := w.engine(ctx)
		if err != nil {
			return err
		}
		m, err := exhibit.WriteBriefing(ctx, w.Case, e, w.hand, w.key.Public, "unspoof "+version(), *lang, *out)
		if err != nil {
			return err
		}
		for _, f := range m.Files {
			fmt.Fprintf(cmd.OutOrStdout(), "%s  %s\n", f.SHA256, f.Name)
		}
		return w.sign(ctx)
	}
	return cmd
}
