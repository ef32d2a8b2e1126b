package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// campaignList is one of the lists of `campaigns`; its columns are documented in
// docs/formats/campaigns.md.
type campaignList struct {
	name, table, order string
	columns            string // all, without the row reference
	shown              string
	accounts           string // what --account filters, over a
}

var campaignLists = []campaignList{
	{"campaigns", "campaign", "campaign_id",
		"campaign_id account_id basis mark family_id institutions calls answered talk_s called_numbers presented_numbers passcode_calls first_at last_at bursts peak_rate ordinary_rate reasons rule_version",
		"campaign_id account_id first_at last_at calls called_numbers passcode_calls institutions reasons", "account_id = a"},
	{"calls", "campaign_call", "campaign_id, started_at, call_id",
		"campaign_id call_id account_id started_at basis mark in_burst run_from run_rate ordinary_rate surprise",
		"campaign_id call_id account_id started_at basis mark in_burst run_rate", "account_id = a"},
	{"passcode", "passcode_call", "started_at, call_id",
		"call_id account_id started_at called_e164 talk_s institution_id grade script_id keys recorded asks named repeated message_before reasons rule_version",
		"started_at call_id account_id called_e164 talk_s keys institution_id reasons", "account_id = a"},
	{"scripts", "script_family", "family_id, recording_id, script_id",
		"script_id account_id kind family_id recording_id compared_with containment reasons rule_version",
		"family_id recording_id script_id account_id kind reasons", "account_id = a"},
	{"lockstep", "lockstep", "shared DESC, account_a, account_b",
		"account_a account_b shared called_a called_b jaccard lift days first_at last_at apart_minutes reasons rule_version",
		"account_a account_b shared called_a called_b lift first_at reasons", "(account_a = a OR account_b = a)"},
}

func campaignsCmd() *cobra.Command {
	names := make([]string, len(campaignLists))
	for i, l := range campaignLists {
		names[i] = l.name
	}
	cmd := &cobra.Command{
		Use:   "campaigns --case DIR [" + strings.Join(names, "|") + "]",
		Short: "Campaigns, their calls, passcode calls, script families and shared lists, with reasons",
		Long: `Every campaign of the case, complete however many there are; or with a word, every call of
the campaigns, every call that fits the passcode pattern, every script with its family, or
every pair of accounts that worked the same list. As a table, as JSON lines (--json) or as CSV
(--csv, safe to open in a spreadsheet). What each is: docs/campaigns.md.`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: names,
	}
	dir := caseFlag(cmd)
	f := cmd.Flags()
	account := f.String("account", "", "only of this account id")
	campaign := f.String("campaign", "", "only of this campaign id (campaigns, calls)")
	limit := f.Int("limit", 0, "print at most this many (0: all)")
	asJSON, asCSV := f.Bool("json", false, "print one JSON object a line"), f.Bool("csv", false, "print CSV")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		l := campaignLists[0]
		if len(args) > 0 {
			l = campaignLists[slices.Index(names, args[0])]
		}
		columns := append(strings.Fields(l.columns), "row_reference")
		where := "true"
		if *account != "" {
			where += " AND " + strings.ReplaceAll(l.accounts, "= a", "= "+duckdb.Literal(*account))
		}
		if *campaign != "" {
			if columns[0] != "campaign_id" {
				return &coded{exitUsage, fmt.Errorf("%s has no --campaign", l.name)}
			}
			where += " AND campaign_id = " + duckdb.Literal(*campaign)
		}
		query := fmt.Sprintf("SELECT %s, ref_source || ':' || ref_table || ':' || ref_row || '@' || ref_offset AS row_reference FROM %s WHERE %s ORDER BY %s",
			strings.Join(strings.Fields(l.columns), ", "), l.table, where, l.order)
		if *limit > 0 {
			query += fmt.Sprintf(" LIMIT %d", *limit)
		}
		w, err := openCase(ctx, *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		if _, err := w.built(l.table); err != nil {
			return err
		}
		e, err := w.engine(ctx)
		if err != nil {
			return err
		}
		if err := w.hand.Record(ctx, "view", "campaigns", map[string]any{"query_sha256": digest(query)}); err != nil {
			return err
		}
		return printRows(ctx, cmd.OutOrStdout(), e, query, columns, strings.Fields(l.shown), *asJSON, *asCSV)
	}
	return cmd
}
