package desk

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Profile is an account as the platform had it.
type Profile struct {
	ID, Username, Email, DisplayName, Role, Status string
	PhoneRaw                                       sql.Null[string]
	Phone                                          casefile.E164
	CountryClaimed                                 string
	CountryClaimedRaw                              sql.Null[string]
	RegisteredAt, LastSeenAt                       sql.Null[time.Time]
	Balance                                        sql.Null[int64]
	Currency, ParentID                             string
	Ref                                            casefile.RowRef
}

const profileSQL = `
SELECT account_id, COALESCE(username, ''), COALESCE(email, ''), COALESCE(display_name, ''), COALESCE(role, ''), COALESCE(CAST(status AS VARCHAR), ''),
       phone_raw, COALESCE(phone_e164, 0), COALESCE(country_claimed, ''), country_claimed_raw, registered_at, last_seen_at,
       CAST(balance_minor AS BIGINT), COALESCE(currency, ''), COALESCE(CAST(parent_account_id AS VARCHAR), ''), ` + refColumns + `
FROM account WHERE account_id = ?`

func scanProfile(r *sql.Rows, v *Profile) error {
	into := []any{&v.ID, &v.Username, &v.Email, &v.DisplayName, &v.Role, &v.Status, &v.PhoneRaw, &v.Phone, &v.CountryClaimed,
		&v.CountryClaimedRaw, &v.RegisteredAt, &v.LastSeenAt, &v.Balance, &v.Currency, &v.ParentID}
	return r.Scan(append(into, refInto(&v.Ref)...)...)
}

// Identifier is a value that may say who holds an account, and how many other accounts
// share it.
type Identifier struct {
	Kind, Value, Norm string
	FirstAt, LastAt   sql.Null[time.Time]
	Times             sql.Null[int64]
	Others            int64
	Ref               casefile.RowRef
}

const identifiersSQL = `
SELECT kind, COALESCE(value, ''), COALESCE(value_norm, ''), first_seen_at, last_seen_at, CAST(times AS BIGINT), ` + refColumns + `
FROM identifier WHERE account_id = ? ORDER BY kind, value, ref_row`

// identifiers reads an account's. Who shares them is asked for by their values alone, which have an index.
func (d *Desk) identifiers(ctx context.Context, account string) ([]Identifier, error) {
	list, err := collect(ctx, d, identifiersSQL, func(r *sql.Rows, c *Identifier) error {
		return r.Scan(append([]any{&c.Kind, &c.Value, &c.Norm, &c.FirstAt, &c.LastAt, &c.Times}, refInto(&c.Ref)...)...)
	}, account)
	if err != nil {
		return nil, err
	}
	var values []string
	for _, c := range list {
		if c.Norm != "" {
			values = append(values, duckdb.Literal(c.Norm)) // of a parameter in a list the index is not used
		}
	}
	if values == nil {
		return list, nil
	}
	type holder struct{ Kind, Norm, Account string }
	holders, err := collect(ctx, d, "SELECT kind, value_norm, COALESCE(account_id, '') FROM identifier WHERE value_norm IN ("+strings.Join(values, ", ")+")",
		func(r *sql.Rows, v *holder) error { return r.Scan(&v.Kind, &v.Norm, &v.Account) })
	others := map[holder]bool{}
	for _, h := range holders {
		if h.Account != "" && h.Account != account && !others[h] {
			others[h] = true
			for i := range list {
				if list[i].Kind == h.Kind && list[i].Norm == h.Norm {
					list[i].Others++
				}
			}
		}
	}
	return list, err
}

// named puts the user names of the accounts into a list, by an index: a join would read all accounts.
func named[T any](ctx context.Context, d *Desk, list []T, of func(*T) (account string, name *string)) error {
	ids := map[string]bool{}
	for i := range list {
		id, _ := of(&list[i])
		ids[duckdb.Literal(id)] = true
	}
	if len(ids) == 0 {
		return nil
	}
	names := map[string]string{}
	_, err := collect(ctx, d, "SELECT account_id, COALESCE(username, '') FROM account WHERE account_id IN ("+strings.Join(slices.Collect(maps.Keys(ids)), ", ")+")", func(r *sql.Rows, v *[2]string) error {
		err := r.Scan(&v[0], &v[1])
		names[v[0]] = v[1]
		return err
	})
	for i := range list {
		id, name := of(&list[i])
		*name = names[id]
	}
	return err
}

// Payment is one payment with its worth on its day.
type Payment struct {
	ID                               string
	At                               sql.Null[time.Time]
	Direction, Method, Asset, Status string
	Sats, GBP, EUR, Amount           sql.Null[int64]
	Currency, RateDay, Address, TxID string
	Ref                              casefile.RowRef
}

const paymentsSQL = `
SELECT p.payment_id, p."at", COALESCE(p.direction, ''), COALESCE(p.method, ''), COALESCE(p.asset, ''), COALESCE(p.status, ''),
       CAST(p.amount_sat AS BIGINT), CAST(v.gbp_minor AS BIGINT), CAST(v.eur_minor AS BIGINT), CAST(p.amount_minor AS BIGINT),
       COALESCE(p.currency, ''), COALESCE(CAST(v.rate_day AS VARCHAR), ''), COALESCE(p.address, ''), COALESCE(p.txid, ''),
       COALESCE(p.ref_source, ''), COALESCE(p.ref_table, ''), COALESCE(p.ref_row, 0), COALESCE(p.ref_offset, 0)
FROM (SELECT * FROM payment WHERE account_id = $1) p LEFT JOIN (SELECT * FROM payment_value WHERE account_id = $1) v USING (payment_id)
ORDER BY p."at", p.payment_id`

// PolicyResult is what one policy says of an account.
type PolicyResult struct {
	Policy, Version     string
	Passed              bool
	Rank                sql.Null[int64]
	Reasons, FailedRule string
}

const policyResultsSQL = `
SELECT policy, COALESCE(CAST(policy_version AS VARCHAR), ''), COALESCE(passed, false), CAST(rank AS BIGINT), COALESCE(CAST(reasons AS VARCHAR), ''), COALESCE(failed_rule, '')
FROM policy_result WHERE account_id = ? ORDER BY policy, policy_version`

// AccountInstitution is an account's calls in one institution's name or, without an
// institution, those of one grade.
type AccountInstitution struct {
	ID, Name                  string
	Grade                     casefile.Grade // only where no institution is named
	Calls, LongCalls, Numbers int64
	AStar, A, B, C, D         int64
}

const accountInstitutionsSQL = `
SELECT COALESCE(v.institution_id, ''), COALESCE(u.name, ''), COALESCE(v.other, ''), v.calls, v.long_calls, v.numbers, v.a_star, v.a, v.b, v.c, v.d
FROM account_institution v LEFT JOIN institution u ON u.institution_id = v.institution_id
WHERE v.account_id = ?
ORDER BY v.institution_id IS NULL, v.calls DESC, v.institution_id, v.other`

// Account is everything known of one account.
type Account struct {
	Profile      Profile
	Suspect      *Suspect // nil: an account of the platform's staff, or not built
	Policies     []PolicyResult
	Near         []NearMiss
	Allocations  []Allocation
	Identifiers  []Identifier
	Payments     []Payment
	PaymentPage  Page
	Sessions     int64
	Institutions []AccountInstitution
	Page         Page // of the calls
	Calls        []Call
	Links        []ReportLink
}

// Account is one account by its id; the page numbers are of its calls and its payments.
func (d *Desk) Account(ctx context.Context, p Person, key string, callPage, paymentPage int) (Account, error) {
	a := Asked{Action: SeePeople, Object: id("account", key), Details: map[string]any{"calls": callPage, "payments": paymentPage},
		Needs: []string{"account"}}
	return look(ctx, d, p, a, func(ctx context.Context) (Account, error) {
		v := Account{Page: page(callPage), PaymentPage: page(paymentPage)}
		var err error
		if v.Profile, err = first(ctx, d, profileSQL, scanProfile, key); err != nil {
			return v, err
		}
		parts := []struct {
			needs []string
			read  func() error
		}{
			{[]string{"suspect"}, func() error {
				found, err := collect(ctx, d, "SELECT "+suspectColumns+", NULL::BIGINT FROM suspect s WHERE s.account_id = ?", scanSuspect, key)
				if len(found) > 0 {
					v.Suspect = &found[0]
				}
				return err
			}},
			{[]string{"policy_result"}, func() (err error) {
				v.Policies, err = collect(ctx, d, policyResultsSQL, func(r *sql.Rows, c *PolicyResult) error {
					return r.Scan(&c.Policy, &c.Version, &c.Passed, &c.Rank, &c.Reasons, &c.FailedRule)
				}, key)
				return err
			}},
			{[]string{"near_miss"}, func() (err error) {
				v.Near, err = collect(ctx, d, nearMissSQL+"account_id = ? ORDER BY policy, rule", scanNearMiss, key)
				return err
			}},
			{[]string{"allocation"}, func() (err error) {
				v.Allocations, err = collect(ctx, d, allocationSQL, func(r *sql.Rows, c *Allocation) error {
					return r.Scan(&c.Country, &c.Basis, &c.Decides, &c.Reasons)
				}, key)
				return err
			}},
			{[]string{"identifier"}, func() (err error) {
				v.Identifiers, err = d.identifiers(ctx, key)
				return err
			}},
			{[]string{"account_session"}, func() (err error) {
				v.Sessions, err = d.number(ctx, "SELECT COALESCE(sum(sessions), 0)::BIGINT FROM account_session WHERE account_id = ?", key)
				return err
			}},
			{[]string{"payment", "payment_value"}, func() (err error) {
				v.Payments, err = paged(ctx, d, &v.PaymentPage, paymentsSQL, func(r *sql.Rows, c *Payment) error {
					into := []any{&c.ID, &c.At, &c.Direction, &c.Method, &c.Asset, &c.Status, &c.Sats, &c.GBP, &c.EUR, &c.Amount,
						&c.Currency, &c.RateDay, &c.Address, &c.TxID}
					return r.Scan(append(into, refInto(&c.Ref)...)...)
				}, key)
				return err
			}},
			{[]string{"account_institution", "institution"}, func() (err error) {
				v.Institutions, err = collect(ctx, d, accountInstitutionsSQL, func(r *sql.Rows, c *AccountInstitution) error {
					return r.Scan(&c.ID, &c.Name, &c.Grade, &c.Calls, &c.LongCalls, &c.Numbers, &c.AStar, &c.A, &c.B, &c.C, &c.D)
				}, key)
				return err
			}},
			{[]string{"call_verdict"}, func() (err error) {
				v.Calls, err = d.callsOf(ctx, &v.Page, "account_call", duckdb.Where{Column: "account_id", Value: key}, "")
				return err
			}},
			{[]string{"report_link"}, func() (err error) {
				v.Links, err = collect(ctx, d, reportLinkSQL+" WHERE l.account_id = ? ORDER BY l.strict DESC, l.report_id, l.rank", scanReportLink, key)
				return err
			}},
		}
		var reads []func() error
		for _, part := range parts {
			if len(d.missing(part.needs)) == 0 {
				reads = append(reads, part.read)
			}
		}
		return v, together(reads...)
	})
}
