package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// list is one of the answers that is a list of rows.
type list struct {
	name, short string
	view                // without a flag
	views       []view  // each with its flag
	filters     []match // flags that choose rows
}

// view is one way to look at a list.
type view struct {
	flag, help string
	tables     []string
	query      string // every column
	order      string
	columns    string // shown to a person, separated by spaces
}

// match is a flag that keeps the rows whose column has the value given.
type match struct{ flag, column, help string }

// reference is the column row_reference of a table, and its parts to leave out.
const (
	reference = "ref_source || ':' || ref_table || ':' || ref_row || '@' || ref_offset AS row_reference"
	parts     = "ref_source, ref_table, ref_row, ref_offset"
)

func suspectsCmd() *cobra.Command {
	return listCmd(list{
		name: "suspects", short: "Accounts that pass the ranking policies, by rank, with reasons",
		view: view{tables: []string{"policy_result", "suspect"},
			query: `SELECT p.policy, p.policy_version, p.latest, p.rank, s.* EXCLUDE (` + parts + `), p.reasons, p.ranked_by, ` + reference + `
				FROM policy_result p JOIN suspect s USING (account_id) WHERE p.passed`,
			order:   "policy, policy_version, rank",
			columns: "rank account_id username country spend_btc_gbp_minor long_calls_uk victims_uk linked_reports reasons"},
		views: []view{
			{flag: "near", help: "who fell just below a requirement, and by how much", tables: []string{"near_miss"},
				query: "SELECT * EXCLUDE (" + parts + "), " + reference + " FROM near_miss", order: "policy, policy_version, field, place",
				columns: "policy policy_version rule place account_id value short_by"},
			{flag: "removed", help: "how many accounts each requirement removed", tables: []string{"policy_step"},
				query: "SELECT * FROM policy_step", order: "policy, policy_version, place",
				columns: "policy policy_version place rule before removed left why approved_by approved_on"},
			{flag: "countries", help: "which country the accounts concern, by what, and how many pass", tables: []string{"allocation", "policy_result"},
				query: `SELECT p.policy, p.policy_version, a.country, count(*) AS accounts, count(*) FILTER (WHERE p.passed) AS passed,
					count(*) FILTER (WHERE a.basis = 'claimed') AS claimed, count(*) FILTER (WHERE a.basis = 'phone') AS phone,
					count(*) FILTER (WHERE a.basis = 'targets') AS targets, count(*) FILTER (WHERE a.basis = 'none') AS "none"
					FROM allocation a JOIN policy_result p USING (account_id) WHERE a.decides GROUP BY ALL`,
				order: "policy, policy_version, accounts DESC, country", columns: "policy policy_version country accounts passed claimed phone targets none"},
			{flag: "allocation", help: "each country an account may concern, and why", tables: []string{"allocation"},
				query: "SELECT * EXCLUDE (" + parts + "), " + reference + " FROM allocation", order: "account_id, decides DESC, basis",
				columns: "account_id country basis decides reasons"},
		},
		filters: []match{{"policy", "policy", "only of this policy"}},
	})
}

func victimsCmd() *cobra.Command {
	return listCmd(list{
		name: "victims", short: "Called numbers, most points first, with reasons",
		view: view{tables: []string{"victim"},
			query:   "SELECT * EXCLUDE (" + parts + "), " + reference + " FROM victim",
			order:   "points DESC, talk_s DESC, called_e164",
			columns: "called_e164 country points calls long_calls talk_s best_grade institutions reasons"},
		views: []view{
			{flag: "batches", help: "the batches in which to warn them, and what is excluded", tables: []string{"contact_batch"},
				query: "SELECT * FROM contact_batch", order: "priority NULLS LAST, numbers DESC, batch_id",
				columns: "batch_id country line force_area priority numbers published numbers_passcode numbers_reported"},
			{flag: "yield", help: "what each threshold of talk takes in", tables: []string{"victim_yield"},
				query: "SELECT * FROM victim_yield", order: "scope DESC, threshold_s",
				columns: "scope threshold_s numbers numbers_excluded calls reports reports_linked reports_share people_reporting"},
		},
		filters: []match{{"batch", "batch_id", "only of this batch"}},
	})
}

func institutionsCmd() *cobra.Command {
	return listCmd(list{
		name: "institutions", short: "Impersonated institutions, most calls first",
		view: view{tables: []string{"institution_use"},
			query:   "SELECT * FROM institution_use WHERE calls > 0",
			order:   "calls DESC, institution_id",
			columns: "institution_id name calls calls_uk long_calls_uk accounts called_numbers a_star a b c d"},
	})
}

func reportsCmd() *cobra.Command {
	return listCmd(list{
		name: "reports", short: "Loss reports and the calls they may be about, best candidate first",
		view: view{tables: []string{"loss_report", "report_link"},
			query: `SELECT r.report_id, r.reported_at, r.incident_from, r.incident_to, r.victim_phone_e164, r.institution, r.amount_minor, r.currency, r.force_area,
				l.rank, l.call_id, l.account_id, l.strict, l.institution_id AS call_institution_id, l.talk_s, l.weight, l.runner_up, l.runner_up_weight, l.reasons,
				r.ref_source || ':' || r.ref_table || ':' || r.ref_row || '@' || r.ref_offset AS row_reference,
				l.ref_source || ':' || l.ref_table || ':' || l.ref_row || '@' || l.ref_offset AS call_row_reference
				FROM loss_report r LEFT JOIN report_link l USING (report_id)`,
			order:   "report_id, rank",
			columns: "report_id reported_at institution amount_minor currency rank call_id account_id strict weight reasons"},
		views: []view{{flag: "totals", help: "what was lost, by definition and currency", tables: []string{"loss_total"},
			query: "SELECT * FROM loss_total", order: "definition = 'reported' DESC, definition DESC, basis, currency",
			columns: "definition currency basis reports amount_minor without_amount without_rate"}},
	})
}

// listCmd makes the command of a list: as a table, as JSON lines or as CSV, all rows unless
// limited.
func listCmd(l list) *cobra.Command {
	cmd := &cobra.Command{Use: l.name + " --case DIR", Short: l.short, Args: cobra.NoArgs}
	dir := caseFlag(cmd)
	f := cmd.Flags()
	asJSON, asCSV := f.Bool("json", false, "print every column, one JSON object a line"), f.Bool("csv", false, "print every column as CSV, safe to open in a spreadsheet")
	limit := f.Int("limit", 0, "print at most this many (0: all)")
	chosen := make([]*bool, len(l.views))
	for i, v := range l.views {
		chosen[i] = f.Bool(v.flag, false, v.help)
	}
	values := make([]*string, len(l.filters))
	for i, m := range l.filters {
		values[i] = f.String(m.flag, "", m.help)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		v := l.view
		for i := range l.views {
			switch {
			case *chosen[i] && v.flag != "":
				return &coded{exitUsage, fmt.Errorf("--%s and --%s are two lists: choose one", v.flag, l.views[i].flag)}
			case *chosen[i]:
				v = l.views[i]
			}
		}
		w, err := openCase(ctx, *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		if _, err := w.built(v.tables...); err != nil {
			return err
		}
		e, err := w.engine(ctx)
		if err != nil {
			return err
		}
		known, err := e.Columns(ctx, v.query)
		if err != nil {
			return err
		}
		all := make([]string, len(known))
		has := map[string]bool{}
		for i, c := range known {
			all[i], has[c.Name] = c.Name, true
		}
		query := "SELECT * FROM (" + v.query + ")"
		for i, m := range l.filters {
			if *values[i] == "" {
				continue
			}
			if !has[m.column] {
				return &coded{exitUsage, fmt.Errorf("--%s and --%s do not go together", v.flag, m.flag)}
			}
			query += " WHERE " + duckdb.Ident(m.column) + " = " + duckdb.Literal(*values[i])
		}
		query += " ORDER BY " + v.order
		if *limit > 0 {
			query += fmt.Sprintf(" LIMIT %d", *limit)
		}
		if err := w.hand.Record(ctx, "view", l.name, map[string]any{"limit": *limit, "query_sha256": digest(query)}); err != nil {
			return err
		}
		return printRows(ctx, cmd.OutOrStdout(), e, query, all, strings.Fields(v.columns), *asJSON, *asCSV)
	}
	return cmd
}

func printRow(t io.Writer, columns []string, row map[string]any) error {
	cells := make([]string, len(columns))
	for i, c := range columns {
		if v := row[c]; v != nil {
			cells[i] = visible(fmt.Sprint(v))
		}
	}
	_, err := fmt.Fprintln(t, strings.Join(cells, "\t"))
	return err
}
