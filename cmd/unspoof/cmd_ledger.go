package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func ledgerCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "The log of every act: list, sign, export",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	cmd.AddCommand(ledgerListCmd(), ledgerCheckpointCmd(), ledgerExportCmd())
	return cmd
}

func ledgerListCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "list --case DIR", Short: "Print every entry, oldest first, as JSON lines", Args: cobra.NoArgs}
	dir := caseFlag(cmd)
	from := cmd.Flags().Int64("from", 0, "the first entry's number")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		w, err := openCase(cmd.Context(), *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		if err := w.hand.Record(cmd.Context(), "view", "ledger", nil); err != nil {
			return err
		}
		for e, err := range w.log.Entries(cmd.Context(), *from, -1) {
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", e.Body)
		}
		return nil
	}
	return cmd
}

func ledgerCheckpointCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "checkpoint --case DIR",
		Short: "Sign the ledger as it is and print the checkpoint",
		Long:  "Sign the ledger as it is and print the checkpoint (C2SP signed note). Keep it elsewhere: `unspoof verify --checkpoint` shows with it whether the case was set back.",
		Args:  cobra.NoArgs,
	}
	dir := caseFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		w, err := openCase(cmd.Context(), *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		c, err := w.log.Checkpoint(cmd.Context())
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s", c.Note)
		return nil
	}
	return cmd
}

func ledgerExportCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export --case DIR --out DIR",
		Short: "Write the ledger as C2SP tlog-tiles, which other programs can check",
		Args:  cobra.NoArgs,
	}
	dir := caseFlag(cmd)
	out := cmd.Flags().String("out", "", "the folder to make")
	if err := cmd.MarkFlagRequired("out"); err != nil {
		panic(err) // the flag was defined above
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		w, err := openCase(ctx, *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		if err := w.hand.Record(ctx, "export", "ledger", nil); err != nil {
			return err
		}
		c, err := w.log.Export(ctx, *out)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d entries in %s\nverifier key: %s\n", c.Size, *out, w.key.Public)
		return nil
	}
	return cmd
}
