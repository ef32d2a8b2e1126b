package main

import (
	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/analysis/callers"
)

func registryCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "registry",
		Short: "Write a registry of institutions to begin with, for review",
		Long: `Write, as CSV, a small registry of institutions that are often impersonated: British banks and
the numbers they publish, each line with its public source and the day on which it was read. The
copies read may have been older than that day, and numbers change: check each line, complete the
list, and add it to a case like any other:

  unspoof registry > registry.csv
  unspoof add --case DIR --list registry registry.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(callers.Starter())
			return err
		},
	}
	cmd.AddCommand(listCmd(list{
		name: "proposals", short: "Numbers that calls showed often and no registry has, most calls first",
		view: view{tables: []string{"registry_proposal"},
			query: "SELECT * EXCLUDE (" + parts + "), " + reference + " FROM registry_proposal",
			order: "calls DESC, presented_e164", columns: "presented_e164 calls accounts names reasons"},
	}), listCmd(list{
		name: "remarks", short: "Lines of the registry that count for nothing, or that a person should look at",
		view: view{tables: []string{"registry_remark"},
			query: "SELECT * EXCLUDE (" + parts + "), " + reference + " FROM registry_remark",
			order: "used, institution_id, number_from, remark", columns: "institution_id number_raw list used remark"},
	}))
	return cmd
}
