// Package victims finds who was probably harmed: report_link joins loss reports to the calls
// they may be about, and victim has one row per called number with points that only rise
// with more evidence. The points rule is in victim.sql and docs/victims.md; points order the
// work of warning people and are not a probability.
package victims

import (
	_ "embed"

	"github.com/unspoof/unspoof/internal/analysis/step"
)

var (
	//go:embed report_link.sql
	reportLinkSQL string
	//go:embed victim.sql
	victimSQL string
)

// Steps lists the steps in order.
func Steps() []step.Step {
	return []step.Step{
		{Table: "report_link", About: "one call that a loss report may be about", Inputs: []string{"loss_report", "call_verdict", "name_match"}, SQL: reportLinkSQL},
		{Table: "victim", About: "one called number", Inputs: []string{"call_verdict", "report_link", "institution"}, SQL: victimSQL},
	}
}
