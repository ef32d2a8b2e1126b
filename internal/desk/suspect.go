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
	Rank                                                       sql.Null[int64] // under the policy asked for
}

const suspectColumns = `
s.account_id, COALESCE(s.username, ''), COALESCE(s.role, ''), COALESCE(s.country, ''), COALESCE(s.country_basis, ''),
CAST(s.spend_btc_sat AS BIGINT), CAST(s.spend_btc_gbp_minor AS BIGINT), CAST(s.spend_btc_eur_minor AS BIGINT),
CAST(s.payments AS BIGINT), CAST(s.calls AS BIGINT), CAST(s.answered AS BIGINT), CAST(s.long_calls AS BIGINT),
CAST(s.calls_uk AS BIGINT), CAST(s.long_calls_uk AS BIGINT), CAST(s.victims AS BIGINT), CAST(s.victims_uk AS BIGINT),
COALESCE(CAST(s.institutions AS VARCHAR), ''), COALESCE(CAST(s.linked_reports AS BIGINT), 0), COALESCE(CAST(s.active_days AS BIGINT), 0),
CAST(s.linked_loss_minor AS BIGINT), s.first_at, s.last_at,
COALESCE(s.ref_source, ''), COALESCE(s.ref_table, ''), COALESCE(s.ref_row, 0), COALESCE(s.ref_offset, 0)`

func scanSuspect(r *sql.Rows, v *Suspect) error {
	into := []any{&v.AccountID, &v.Username, &v.Role, &v.Country, &v.CountryBasis, &v.SpendSat, &v.SpendGBP, &v.SpendEUR,
		&v.Payments, &v.Calls, &v.Answered, &v.LongCalls, &v.CallsUK, &v.LongCallsUK, &v.Victims, &v.VictimsUK,
		&v.Institutions, &v.LinkedReports, &v.ActiveDays, &v.LinkedLoss, &v.FirstAt, &v.LastAt}
	return r.Scan(append(append(into, refInto(&v.Ref)...), &v.Rank)...)
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
}

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
		l.List, err = paged(ctx, d, &l.Page, suspectsByPolicySQL, scanSuspect, policy)
		return l, err
	})
}
