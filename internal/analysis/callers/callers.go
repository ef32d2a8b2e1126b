// Package callers says which institution each call pretended to come from, and how we know:
// the evidence ladder of docs/verdicts.md.
//
// Steps: registry_remark (lines of the registry that count for nothing, or that a person should
// look at), name_match and name_hint (presented names that name an institution, or nearly;
// names.go), script_name (recorded texts that name one; texts.go), block_rule (rules by which
// networks block calls), call_verdict (one grade a call; call_verdict.sql), registry_proposal
// (numbers shown often that are in no registry), institution_use, account_institution and
// calls_by_day (what the verdicts add up to), account_call and number_call (the calls in the
// order of accounts and of called numbers: call_verdict lies in the order of its source, so that
// a day and a call id are found by the statistics of its file). [Starter] is a registry to begin
// with.
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
	//go:embed starter.csv
	starter []byte
	//go:embed registry_remark.sql
	registryRemarkSQL string
	//go:embed name_match.sql
	nameMatchSQL string
	//go:embed name_hint.sql
	nameHintSQL string
	//go:embed script_name.sql
	scriptNameSQL string
	//go:embed block_rule.sql
	blockRuleSQL string
	//go:embed call_verdict.sql
	callVerdictSQL string
	//go:embed presented_number.sql
	presentedNumberSQL string
	//go:embed number_name.sql
	numberNameSQL string
	//go:embed registry_proposal.sql
	registryProposalSQL string
	//go:embed institution_use.sql
	institutionUseSQL string
	//go:embed calls_by_day.sql
	callsByDaySQL string
	//go:embed account_call.sql
	accountCallSQL string
	//go:embed number_call.sql
	numberCallSQL string
	//go:embed account_institution.sql
	accountInstitutionSQL string
	//go:embed account_session.sql
	accountSessionSQL string
)

// LadderVersion names the evidence ladder; a verdict's rule_version is it and the version of
// the registry.
const LadderVersion = "ladder-3"

// Starter is a registry to begin with, as the CSV of list registry: institutions' own published
// numbers, with a public source for each line. Sources were read in stored copies, which may be
// older than the day given.
func Starter() []byte { return starter }

// Steps lists the steps in order.
func Steps() []step.Step {
	return []step.Step{
		{Table: "registry_remark", About: "one thing to be said of a line of the registry",
			Inputs: []string{"institution", "institution_number"}, SQL: registryRemarkSQL},
		{Table: "name_match", About: "a presented name, or an institution named in a report, that names an institution",
			Inputs: []string{"call", "loss_report", "institution"}, Version: "names-2", SQL: nameMatchSQL, Prepare: matchNames},
		{Table: "name_hint", About: "a presented name that names no institution, but resembles one or gives a role",
			Inputs: []string{"call", "institution", "name_match"}, Version: "hints-1", SQL: nameHintSQL, Prepare: hintNames},
		{Table: "script_name", About: "a recorded or synthesised message whose text names an institution",
			Inputs: []string{"script", "institution"}, Version: "texts-1", SQL: scriptNameSQL, Prepare: matchScripts},
		{Table: "block_rule", About: "one rule by which networks block calls, from its day", SQL: blockRuleSQL},
		{Table: "call_verdict", About: "one call: the institution it pretended to come from, with grade and reasons",
			Inputs: []string{"call", "account", "identifier", "institution", "institution_number", "number_block", "name_match", "name_hint", "script_name", "block_rule"},
			SQL:    callVerdictSQL, Params: verdictParams, PerFile: "call", Rests: verdictRests, Sought: true,
			Prepare: step.Both(step.Words("call", "called_country", "outcome", "ref_source", "ref_table"), step.Words("institution", "institution_id"))},
		{Table: "presented_number", About: "one presented number that no verdict explains by the registry or the number plan",
			Inputs: []string{"call_verdict"}, SQL: presentedNumberSQL, Grow: &step.Grow{Of: []string{"call_verdict"},
				Was: "presented_e164 BIGINT, calls BIGINT, answered BIGINT, accounts BIGINT, called_numbers BIGINT, first_at TIMESTAMPTZ, last_at TIMESTAMPTZ, own_calls BIGINT, resembles VARCHAR, " +
					"call_id VARCHAR, ref_source VARCHAR, ref_table VARCHAR, ref_row BIGINT, ref_offset BIGINT"}},
		{Table: "number_name", About: "one presented number and one name shown with it",
			Inputs: []string{"call_verdict"}, SQL: numberNameSQL, Grow: &step.Grow{Of: []string{"call_verdict"},
				Was: "presented_e164 BIGINT, presented_name VARCHAR, institution_id VARCHAR, calls BIGINT"}},
		{Table: "registry_proposal", About: "a presented number that is in no registry and was shown in many calls",
			Inputs: []string{"presented_number", "number_name", "institution", "institution_number"}, SQL: registryProposalSQL},
		{Table: "account_session", About: "one account and how many log-ins and requests of it are recorded",
			Inputs: []string{"session"}, SQL: accountSessionSQL, Grow: &step.Grow{Of: []string{"session"},
				Was: "account_id VARCHAR, sessions BIGINT, first_at TIMESTAMPTZ, last_at TIMESTAMPTZ, ips BIGINT"}},
		{Table: "account_call", About: "one call, in the order of accounts: its place in call_verdict",
			Inputs: []string{"call_verdict"}, SQL: accountCallSQL, PerFile: "call_verdict", Prepare: step.Words("call_verdict", "account_id")},
		{Table: "number_call", About: "one call, in the order of called numbers: its place in call_verdict",
			Inputs: []string{"call_verdict"}, SQL: numberCallSQL, PerFile: "call_verdict", Prepare: step.Words("call_verdict", "account_id", "called_country", "outcome", "grade", "institution_id")},
		{Table: "account_institution", About: "one account and one institution whose name it used, or one grade of calls that name none",
			Inputs: []string{"call_verdict", "number_call"}, SQL: accountInstitutionSQL, Grow: &step.Grow{Of: []string{"call_verdict", "number_call"},
				Was: "account_id VARCHAR, institution_id VARCHAR, other VARCHAR, calls BIGINT, long_calls BIGINT, numbers BIGINT, a_star BIGINT, a BIGINT, b BIGINT, c BIGINT, d BIGINT, " +
					"answered_calls BIGINT, answered_long_calls BIGINT, answered_numbers BIGINT, answered_a_star BIGINT, answered_a BIGINT, answered_b BIGINT, answered_c BIGINT, answered_d BIGINT"}},
		{Table: "institution_use", About: "one institution and how it was impersonated",
			Inputs: []string{"call_verdict", "number_call", "account_institution", "institution"}, SQL: institutionUseSQL, Grow: &step.Grow{Of: []string{"call_verdict", "number_call"}, By: []string{"account_institution"},
				Was: "institution_id VARCHAR, calls_uk BIGINT, long_calls_uk BIGINT, called_numbers BIGINT"}},
		{Table: "calls_by_day", About: "one day, in the case's time zone",
			Inputs: []string{"call_verdict"}, SQL: callsByDaySQL, Params: step.Zone, Grow: &step.Grow{Of: []string{"call_verdict"},
				Was: "day DATE, calls BIGINT, answered BIGINT, calls_uk BIGINT, long_calls_uk BIGINT"}},
	}
}

// verdictRests is what the verdicts of a file of call rest on in tables that every snapshot
// changes: what is said there of the accounts, names and texts of these calls.
var verdictRests = map[string]step.Rest{
	"account":     {Columns: "account_id, role IN ('admin', 'staff') AS staff, phone_e164", Used: "call USING (account_id)"},
	"identifier":  {Columns: "account_id, CASE WHEN kind = 'phone' THEN value_norm END AS phone", Used: "call USING (account_id)"},
	"name_match":  {Columns: "presented_name, institution_id, alias", Used: "call USING (presented_name)"},
	"name_hint":   {Columns: "*", Used: "call USING (presented_name)"},
	"script_name": {Columns: "script_id, institution_id, alias, named", Used: "call USING (script_id)"},
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
