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

// Steps lists the steps in order.
func Steps() []step.Step {
	return []step.Step{
		{Table: "script_family", About: "one script: its family and its recording",
			Inputs: []string{"script", "institution"}, Version: ScriptsVersion, SQL: scriptFamilySQL, Prepare: groupScripts, Params: rule(ScriptsVersion)},
		{Table: "passcode_call", About: "one call that fits the pattern of a passcode being asked for",
			Inputs: []string{"call", "call_verdict", "keypress", "message"}, SQL: passcodeCallSQL, Params: rule(PasscodeVersion)},
		{Table: "campaign_call", About: "one call that belongs to a campaign",
			Inputs: []string{"call_verdict", "account_call", "script_family"}, SQL: campaignCallSQL, Prepare: step.Placed("call_verdict")},
		{Table: "campaign", About: "one campaign: calls of an account that belong together",
			Inputs: []string{"call_verdict", "campaign_call", "passcode_call"}, SQL: campaignSQL, Params: rule(CampaignsVersion)},
		{Table: "lockstep", About: "two accounts that worked the same list of called numbers",
			Inputs: []string{"call_verdict", "account_call", "number_call"}, SQL: lockstepSQL, Params: rule(LockstepVersion), Prepare: step.Placed("call_verdict")},
	}
}

// rule gives a step the version of its rule as $rule_version.
func rule(version string) func(*store.Case) (map[string]string, error) {
	return func(*store.Case) (map[string]string, error) { return map[string]string{"rule_version": version}, nil }
}
