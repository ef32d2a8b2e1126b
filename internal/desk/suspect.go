package desk

import (
	"context"
	"database/sql"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
)

// Suspect is one account of a user or reseller, with what it did.
type Suspect struct {
	AccountID, Username, Role, Country, CountryBasis           string
	SpendSat, SpendGBP, SpendEUR                               sql.Null[int64] // completed incoming Bitcoin; minor units
	Payments, Calls, Answered, LongCalls, CallsUK, LongCallsUK int64
	Victims, VictimsUK, LinkedReports, ActiveDays              int64
	Institutions                                               string
	LinkedLoss                                                 sql.Null[int64]
	FirstAt, LastAt                                            sql.Null[time.Time]
	Ref                                                        casefile.RowRef
	CountryClaimed, CountryPhone, CountryTarget                string
	TargetShare                                                float64 // of its answered calls, to CountryTarget
	PasscodeCalls, Campaigns, CountriesCalled, IPs             int64
	ScriptLanguages                                            string
	Rank                                                       sql.Null[int64] // under the policy asked for
}

const suspectColumns = `
s.account_id, COALESCE(s.username, ''), COALESCE(s.role, ''), COALESCE(s.country, ''), COALESCE(s.country_basis, ''),
CAST(s.spend_btc_sat AS BIGINT), CAST(s.spend_btc_gbp_minor AS BIGINT), CAST(s.spend_btc_eur_minor AS BIGINT),
CAST(s.payments AS BIGINT), CAST(s.calls AS BIGINT), CAST(s.answered AS BIGINT), CAST(s.long_calls AS BIGINT),
CAST(s.calls_uk AS BIGINT), CAST(s.long_calls_uk AS BIGINT), CAST(s.victims AS BIGINT), CAST(s.victims_uk AS BIGINT),
COALESCE(CAST(s.institutions AS VARCHAR), ''), COALESCE(CAST(s.linked_reports AS BIGINT), 0), COALESCE(CAST(s.active_days AS BIGINT), 0),
CAST(s.linked_loss_minor AS BIGINT), s.first_at, s.last_at,
COALESCE(s.ref_source, ''), COALESCE(s.ref_table, ''), COALESCE(s.ref_row, 0), COALESCE(s.ref_offset, 0),
COALESCE(s.country_claimed, ''), COALESCE(s.country_phone, ''), COALESCE(s.country_target, ''), COALESCE(CAST(s.target_share AS DOUBLE), 0),
CAST(s.passcode_calls AS BIGINT), CAST(s.campaigns AS BIGINT), CAST(s.countries_called AS BIGINT), CAST(s.ips AS BIGINT), COALESCE(s.script_languages, '')`

func scanSuspect(r *sql.Rows, v *Suspect) error {
	into := []any{&v.AccountID, &v.Username, &v.Role, &v.Country, &v.CountryBasis, &v.SpendSat, &v.SpendGBP, &v.SpendEUR,
		&v.Payments, &v.Calls, &v.Answered, &v.LongCalls, &v.CallsUK, &v.LongCallsUK, &v.Victims, &v.VictimsUK,
		&v.Institutions, &v.LinkedReports, &v.ActiveDays, &v.LinkedLoss, &v.FirstAt, &v.LastAt}
	return r.Scan(append(append(into, refInto(&v.Ref)...), &v.CountryClaimed, &v.CountryPhone, &v.CountryTarget, &v.TargetShare,
		&v.PasscodeCalls, &v.Campaigns, &v.CountriesCalled, &v.IPs, &v.ScriptLanguages, &v.Rank)...)
}

// Policy is a ranking policy and how many accounts pass it.
type Policy struct {
	Name, Version  string
	Passed, Judged int64
}

const policiesSQL = `
SELECT policy, COALESCE(max(CAST(policy_version AS VARCHAR)), ''), count(*) FILTER (WHERE passed), count(*)
FROM policy_result WHERE latest GROUP BY policy ORDER BY policy`

// SuspectList is one page of suspects.
type SuspectList struct {
	Page     Page
	Policy   string // the policy asked for; empty: all accounts
	Policies []Policy
	List     []Suspect
	Steps    []PolicyStep // what the policy's latest version removed, requirement by requirement
	Near     []NearMiss   // who is just below one of them
}

// PolicyStep is one requirement of a policy and how many accounts it removed.
type PolicyStep struct {
	Place                  int64
	Rule, Why              string
	Before, Removed, Left  int64
	ApprovedBy, ApprovedOn string
}

const policyStepsSQL = `
SELECT CAST(place AS BIGINT), rule, COALESCE(why, ''), CAST(before AS BIGINT), CAST(removed AS BIGINT), CAST("left" AS BIGINT), COALESCE(approved_by, ''), COALESCE(approved_on, '')
FROM policy_step WHERE policy = ? AND latest ORDER BY place`

// NearMiss is one account that meets all of a policy's requirements but one, which it misses by
// little.
type NearMiss struct {
	Policy, Rule, AccountID string
	Place                   int64 // among those that miss it, from 1
	Value, ShortBy          float64
	Ref                     casefile.RowRef
}

const nearMissSQL = `
SELECT policy, rule, account_id, CAST(place AS BIGINT), CAST(value AS DOUBLE), CAST(short_by AS DOUBLE), ` + refColumns + `
FROM near_miss WHERE latest AND `

func scanNearMiss(r *sql.Rows, v *NearMiss) error {
	return r.Scan(append([]any{&v.Policy, &v.Rule, &v.AccountID, &v.Place, &v.Value, &v.ShortBy}, refInto(&v.Ref)...)...)
}

// Allocation is one country that an account may concern.
type Allocation struct {
	Country, Basis string
	Decides        bool
	Reasons        string
}

const allocationSQL = `
SELECT COALESCE(country, ''), basis, decides, COALESCE(reasons, '') FROM allocation WHERE account_id = ? ORDER BY decides DESC, basis`

const (
	suspectsSQL = "SELECT " + suspectColumns + `, NULL::BIGINT
FROM suspect s ORDER BY s.spend_btc_gbp_minor DESC NULLS LAST, s.long_calls_uk DESC, s.account_id`
	suspectsByPolicySQL = "SELECT " + suspectColumns + `, CAST(r.rank AS BIGINT)
FROM policy_result r JOIN suspect s ON s.account_id = r.account_id
WHERE r.policy = ? AND r.latest AND r.passed ORDER BY r.rank, s.account_id`
)

// Suspects lists the accounts that pass a policy by its rank, or, without a policy, all of
// them by what they spent.
func (d *Desk) Suspects(ctx context.Context, p Person, number int, policy string) (SuspectList, error) {
	a := Asked{Action: SeePeople, Object: "page:suspects", Details: map[string]any{"page": number, "policy": quoted(policy)}, Needs: []string{"suspect"}}
	return look(ctx, d, p, a, func(ctx context.Context) (_ SuspectList, err error) {
		l := SuspectList{Page: page(number), Policy: policy}
		if d.has("policy_result") {
			l.Policies, err = collect(ctx, d, policiesSQL, func(r *sql.Rows, v *Policy) error {
				return r.Scan(&v.Name, &v.Version, &v.Passed, &v.Judged)
			})
			if err != nil {
				return l, err
			}
		}
		if policy == "" {
			l.List, err = paged(ctx, d, &l.Page, suspectsSQL, scanSuspect)
			return l, err
		}
		if missing := d.missing([]string{"policy_result"}); len(missing) > 0 {
			return l, &NotBuilt{missing}
		}
		known := false
		for _, have := range l.Policies {
			known = known || have.Name == policy
		}
		if !known {
			return l, ErrNotFound
		}
		if l.List, err = paged(ctx, d, &l.Page, suspectsByPolicySQL, scanSuspect, policy); err != nil {
			return l, err
		}
		if d.has("policy_step") {
			l.Steps, err = collect(ctx, d, policyStepsSQL, func(r *sql.Rows, v *PolicyStep) error {
				return r.Scan(&v.Place, &v.Rule, &v.Why, &v.Before, &v.Removed, &v.Left, &v.ApprovedBy, &v.ApprovedOn)
			}, policy)
		}
		if err == nil && d.has("near_miss") {
			l.Near, err = collect(ctx, d, nearMissSQL+"policy = ? ORDER BY rule, place", scanNearMiss, policy)
		}
		return l, err
	})
}
