// Package campaigns says which calls belong together, and how we know: docs/campaigns.md.
//
// Steps: script_family (texts of prompts that are one script; scripts.go compares them),
// passcode_call (calls that fit the pattern of a passcode being asked for), campaign_call and
// campaign (bursts of calls of one account under one mark, and what they add up to), lockstep
// (accounts that worked the same list of numbers).
//
// Limits: a campaign that is slower than its account's ordinary rate does not show; without
// scripts one is held together only by what it presents. Who pressed which keys is not known
// here: of keys only the count is carried.
package campaigns

import (
	_ "embed"

	"github.com/unspoof/unspoof/internal/analysis/step"
	"github.com/unspoof/unspoof/internal/store"
)

var (
	//go:embed script_family.sql
	scriptFamilySQL string
	//go:embed passcode_call.sql
	passcodeCallSQL string
	//go:embed campaign_call.sql
	campaignCallSQL string
	//go:embed campaign.sql
	campaignSQL string
	//go:embed lockstep_day.sql
	lockstepDaySQL string
	//go:embed lockstep.sql
	lockstepSQL string
)

// Versions of the rules: another rule, another version.
const (
	ScriptsVersion   = "scripts-1"
	PasscodeVersion  = "passcode-1"
	CampaignsVersion = "campaigns-1"
	LockstepVersion  = "lockstep-1"
)

// What the steps look at of the calls.
const (
	fitting = `SELECT account_id, started_at, called_e164, talk_s, institution_id, script_id, place, ref_source::ref_source_word AS ref_source, ref_table::ref_table_word AS ref_table, ref_row
		FROM (FROM call_verdict_at WHERE outcome = 'answered' AND NOT staff AND talk_s <= 120 AND started_at IS NOT NULL AND called_e164 IS NOT NULL)`
	marked = "SELECT v.account_id, v.started_at, staff, script_id, institution_id, presented_e164, presented_name, presented_text, place FROM call_verdict_at v"
	listed = "SELECT called_e164, started_at, account_id, staff, place FROM number_call"
)

// Steps lists the steps in order.
func Steps() []step.Step {
	return []step.Step{
		{Table: "script_family", About: "one script: its family and its recording",
			Inputs: []string{"script", "institution"}, Version: ScriptsVersion, SQL: scriptFamilySQL, Prepare: groupScripts, Params: rule(ScriptsVersion)},
		{Table: "passcode_call", About: "one call that fits the pattern of a passcode being asked for",
			Inputs: []string{"call", "call_verdict", "number_call", "keypress", "message"}, SQL: passcodeCallSQL, Params: rule(PasscodeVersion), Prepare: step.Both(step.Placed("call_verdict"), step.Words("call", "ref_source", "ref_table")),
			Grow: &step.Grow{
				Of: []string{"call", "call_verdict", "number_call", "keypress", "message"},
				Was: "call_id VARCHAR, account_id VARCHAR, started_at TIMESTAMPTZ, called_e164 BIGINT, talk_s BIGINT, institution_id VARCHAR, grade VARCHAR, script_id VARCHAR, keys BIGINT, " +
					"recorded BOOLEAN, asks BOOLEAN, named BOOLEAN, repeated BOOLEAN, message_before BOOLEAN, reasons VARCHAR, rule_version VARCHAR, " +
					"ref_source VARCHAR, ref_table VARCHAR, ref_row BIGINT, ref_offset BIGINT",
				New: `SELECT called_e164, min("at") - INTERVAL 1 HOUR AS since
					FROM (SELECT called_e164, started_at AS "at" FROM number_call_added UNION ALL SELECT number_e164, "at" FROM keypress_added UNION ALL SELECT recipient_e164, "at" FROM message_added)
					WHERE called_e164 IS NOT NULL GROUP BY called_e164`,
				Touched: "WITH near AS MATERIALIZED (" + fitting + " JOIN new USING (called_e164) WHERE started_at >= since) FROM near UNION " + fitting + " SEMI JOIN (SELECT DISTINCT script_id FROM near) s USING (script_id)",
				Kept:    "ANTI JOIN touched USING (ref_source, ref_table, ref_row)",
				Again: []step.Again{
					{View: "fitting_call", Of: "call_verdict", Select: fitting, Grown: "FROM touched"},
					{View: "same_number", Of: "number_call", Select: "SELECT called_e164, account_id, started_at, place FROM number_call",
						Grown: `SELECT called_e164, account_id, started_at, place FROM number_call SEMI JOIN (SELECT DISTINCT called_e164 FROM touched) n USING (called_e164)
							SEMI JOIN touched USING (called_e164, account_id)`},
				},
			}},
		{Table: "campaign_call", About: "one call that belongs to a campaign",
			Inputs: []string{"call_verdict", "script_family"}, SQL: campaignCallSQL, Version: CampaignsVersion, Prepare: step.Placed("call_verdict"),
			Rests: map[string]step.Rest{"script_family": {Columns: "script_id, family_id", Used: "call_verdict_before USING (script_id)"}},
			Grow: &step.Grow{
				Of: []string{"call_verdict"},
				Was: "campaign_id VARCHAR, call_id VARCHAR, account_id VARCHAR, started_at TIMESTAMPTZ, basis VARCHAR, mark VARCHAR, in_burst BOOLEAN, run_from TIMESTAMPTZ, run_rate DOUBLE, " +
					"ordinary_rate DOUBLE, surprise DOUBLE, called_e164 BIGINT, outcome VARCHAR, talk_s BIGINT, institution_id VARCHAR, presented_e164 BIGINT, " +
					"ref_source VARCHAR, ref_table VARCHAR, ref_row BIGINT, ref_offset BIGINT",
				Touched: `SELECT n.account_id, since, least(min(from_at), since - INTERVAL 10 DAY) - INTERVAL 22 DAY AS reads_from
					FROM (SELECT account_id, min(started_at) - INTERVAL 28 DAY AS since FROM call_verdict_added WHERE NOT staff AND account_id IS NOT NULL GROUP BY account_id HAVING since IS NOT NULL) n
					LEFT JOIN (SELECT account_id, min(run_from) AS from_at, max(started_at) AS to_at FROM was GROUP BY campaign_id, account_id) w ON w.account_id = n.account_id AND w.to_at >= since
					GROUP BY n.account_id, since`,
				Kept: "WHERE campaign_id NOT IN (SELECT campaign_id FROM was_whole JOIN touched USING (account_id) GROUP BY campaign_id, since HAVING max(started_at) >= since)",
				Again: []step.Again{{View: "marked_call", Of: "call_verdict",
					Select: marked, Grown: marked + " JOIN touched t ON t.account_id = v.account_id AND v.started_at >= t.reads_from"}},
			}},
		{Table: "campaign", About: "one campaign: calls of an account that belong together",
			Inputs: []string{"campaign_call", "passcode_call"}, SQL: campaignSQL, Params: rule(CampaignsVersion)},
		{Table: "lockstep_day", About: "two accounts that called the same numbers on a day of each",
			Inputs: []string{"call_verdict", "number_call"}, SQL: lockstepDaySQL, Version: LockstepVersion, Prepare: step.Placed("call_verdict"), Grow: &step.Grow{
				Of: []string{"call_verdict", "number_call"},
				Was: "account_a VARCHAR, account_b VARCHAR, day_a DATE, day_b DATE, shared BIGINT, called_a BIGINT, called_b BIGINT, lift DOUBLE, first_at TIMESTAMPTZ, last_at TIMESTAMPTZ, " +
					"apart_minutes BIGINT, called_e164 BIGINT, started_at TIMESTAMPTZ, ref_source VARCHAR, ref_table VARCHAR, ref_row BIGINT, ref_offset BIGINT",
				Touched: "SELECT DISTINCT epoch_us(started_at) // 86400000000 // 7 + unnest([-1, 0, 1]) AS week FROM number_call_added WHERE started_at IS NOT NULL",
				Kept:    "WHERE (day_a - DATE '1970-01-01') // 7 NOT IN (SELECT week FROM touched)",
				Again: []step.Again{{View: "listed_call", Of: "number_call", Select: listed,
					Grown: listed + " WHERE epoch_us(started_at) // 86400000000 // 7 IN (SELECT week + unnest([-1, 0, 1]) FROM touched)", Order: "called_e164, started_at, place"}},
			}},
		{Table: "lockstep", About: "two accounts that worked the same list of called numbers",
			Inputs: []string{"lockstep_day"}, SQL: lockstepSQL, Params: rule(LockstepVersion)},
	}
}

// rule gives a step the version of its rule as $rule_version.
func rule(version string) func(*store.Case) (map[string]string, error) {
	return func(*store.Case) (map[string]string, error) { return map[string]string{"rule_version": version}, nil }
}
