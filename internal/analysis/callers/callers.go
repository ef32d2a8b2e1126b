// Package callers says which institution each call pretended to come from, and how we know:
// the evidence ladder of docs/verdicts.md.
//
// Steps: name_match (presented names that name an institution; names.go), call_verdict (one
// grade a call; call_verdict.sql), institution_use and calls_by_day (what they add up to).
package callers

import (
	_ "embed"
	"errors"
	"fmt"

	"github.com/unspoof/unspoof/internal/analysis/step"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

var (
	//go:embed name_match.sql
	nameMatchSQL string
	//go:embed call_verdict.sql
	callVerdictSQL string
	//go:embed institution_use.sql
	institutionUseSQL string
	//go:embed calls_by_day.sql
	callsByDaySQL string
)

// LadderVersion names the evidence ladder; a verdict's rule_version is it and the version of
// the registry.
const LadderVersion = "ladder-2"

// Steps lists the steps in order.
func Steps() []step.Step {
	return []step.Step{
		{Table: "name_match", About: "a presented name, or an institution named in a report, that names an institution",
			Inputs: []string{"call", "loss_report", "institution"}, Version: "names-1", SQL: nameMatchSQL, Prepare: matchNames},
		{Table: "call_verdict", About: "one call: the institution it pretended to come from, with grade and reasons",
			Inputs: []string{"call", "account", "institution", "institution_number", "number_block", "name_match"}, SQL: callVerdictSQL, Params: verdictParams},
		{Table: "institution_use", About: "one institution and how it was impersonated",
			Inputs: []string{"call_verdict", "institution"}, SQL: institutionUseSQL},
		{Table: "calls_by_day", About: "one day, in the case's time zone",
			Inputs: []string{"call_verdict"}, SQL: callsByDaySQL, Params: ZoneParam},
	}
}

// ZoneParam gives a step the case's time zone as $zone.
func ZoneParam(c *store.Case) (map[string]string, error) {
	return map[string]string{"zone": c.Config.TimeZone}, nil
}

func verdictParams(c *store.Case) (map[string]string, error) {
	registry := "none"
	t, err := c.Table("institution_number")
	if err == nil {
		registry = fmt.Sprintf("%.12s", t.Version)
	} else if !errors.Is(err, store.ErrNoTable) {
		return nil, err
	}
	return map[string]string{"zone": c.Config.TimeZone, "plan_state": duckdb.PlanState, "rule_version": LadderVersion + " registry " + registry}, nil
}
