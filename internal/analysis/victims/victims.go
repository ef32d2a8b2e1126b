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
	"strings"

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

	// policeAreas says which police force an area of the number plan belongs to: the force of the
	// town or district that names it. Written from general knowledge and not compared with an
	// official list of forces and places: a unit checks it before it relies on it. London is the Metropolitan Police's, the City's
	// own force is not told apart. Areas that lie in two forces (Lea Valley) are left out.
	//
	//go:embed police_area.csv
	policeAreas []byte
)

// Steps lists the steps in order.
func Steps() []step.Step {
	sum := sha256.Sum256(policeAreas)
	return []step.Step{
		{Table: "report_link", About: "one call that a loss report may be about", Inputs: []string{"loss_report", "call_verdict", "name_match"}, SQL: reportLinkSQL},
		{Table: "victim", About: "one called number", Inputs: []string{"call_verdict", "passcode_call", "report_link", "institution", "institution_number", "account"},
			Version: "police areas " + hex.EncodeToString(sum[:]), SQL: victimSQL, Prepare: preparePolice},
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
	values := make([]string, len(records)-1)
	for i, r := range records[1:] {
		values[i] = "(" + duckdb.Literal(r[0]) + ", " + duckdb.Literal(r[1]) + ")"
	}
	_, err = e.DB.ExecContext(ctx, "CREATE OR REPLACE TABLE police_area AS SELECT * FROM (VALUES "+strings.Join(values, ", ")+") t(area, force)")
	return err
}
