package desk

import (
	"context"
	"database/sql"
	"errors"
)

// InstitutionUse is how an institution was impersonated.
type InstitutionUse struct {
	ID, Name, Sector, Country                            string
	Calls, CallsUK, LongCallsUK, Accounts, CalledNumbers int64
	AStar, A, B, C, D                                    int64 // calls by grade; D is in no other count
}

const (
	institutionUseSQL = `
SELECT institution_id, COALESCE(name, ''), COALESCE(sector, ''), COALESCE(country, ''), CAST(calls AS BIGINT), CAST(calls_uk AS BIGINT),
       CAST(long_calls_uk AS BIGINT), CAST(accounts AS BIGINT), CAST(called_numbers AS BIGINT),
       CAST(a_star AS BIGINT), CAST(a AS BIGINT), CAST(b AS BIGINT), CAST(c AS BIGINT), CAST(d AS BIGINT)
FROM institution_use`
	institutionOrder = " ORDER BY calls DESC, institution_id"
)

func scanInstitutionUse(r *sql.Rows, v *InstitutionUse) error {
	return r.Scan(&v.ID, &v.Name, &v.Sector, &v.Country, &v.Calls, &v.CallsUK, &v.LongCallsUK, &v.Accounts, &v.CalledNumbers,
		&v.AStar, &v.A, &v.B, &v.C, &v.D)
}

// InstitutionList is one page of the impersonated institutions.
type InstitutionList struct {
	Page Page
	List []InstitutionUse
}

// Institutions lists them, the most impersonated first.
func (d *Desk) Institutions(ctx context.Context, p Person, number int) (InstitutionList, error) {
	l := InstitutionList{Page: page(number)}
	a := Asked{Action: SeeFigures, Object: "page:institutions", Details: map[string]any{"page": number}, Needs: []string{"institution_use"}}
	return look(ctx, d, p, a, func(ctx context.Context) (_ InstitutionList, err error) {
		l.List, err = paged(ctx, d, &l.Page, institutionUseSQL+institutionOrder, scanInstitutionUse)
		return l, err
	})
}

// InstitutionChart is the most impersonated institutions by grade, for a chart.
func (d *Desk) InstitutionChart(ctx context.Context, p Person) ([]InstitutionUse, error) {
	a := Asked{Action: SeeFigures, Object: "data:institutions", Needs: []string{"institution_use"}}
	return look(ctx, d, p, a, func(ctx context.Context) ([]InstitutionUse, error) {
		pg := Page{Number: 1, Size: shownInstitutions}
		return paged(ctx, d, &pg, institutionUseSQL+institutionOrder, scanInstitutionUse)
	})
}

// InstitutionNumber is a number or range the institution publishes.
type InstitutionNumber struct {
	From, To           int64
	InboundOnly        bool
	ValidFrom, ValidTo string
	SourceURL, SeenOn  string
}

// InstitutionAccount is one account's use of an institution's name.
type InstitutionAccount struct {
	AccountID, Username       string
	Calls, LongCalls, Numbers int64
	AStar, A, B, C, D         int64
}

// Institution is one institution: its numbers, its use, and who used it.
type Institution struct {
	Use      InstitutionUse
	Aliases  string
	Numbers  []InstitutionNumber
	Page     Page
	Accounts []InstitutionAccount
}

const institutionNumbersSQL = `
SELECT COALESCE(number_from, 0), COALESCE(number_to, 0), COALESCE(inbound_only, false),
       COALESCE(CAST(valid_from AS VARCHAR), ''), COALESCE(CAST(valid_to AS VARCHAR), ''),
       COALESCE(source_url, ''), COALESCE(CAST(seen_on AS VARCHAR), '')
FROM institution_number WHERE institution_id = ? ORDER BY number_from, number_to, valid_from`

const institutionAccountsSQL = `
SELECT COALESCE(account_id, ''), answered_calls, answered_long_calls, answered_numbers, answered_a_star, answered_a, answered_b, answered_c, answered_d
FROM account_institution WHERE institution_id = ? AND answered_calls + answered_d > 0
ORDER BY answered_calls DESC, answered_d DESC, account_id`

// Institution is one institution by its id.
func (d *Desk) Institution(ctx context.Context, p Person, key string, number int) (Institution, error) {
	a := Asked{Action: SeePeople, Object: id("institution", key), Details: map[string]any{"page": number},
		Needs: []string{"institution", "institution_number", "account_institution", "account"}}
	return look(ctx, d, p, a, func(ctx context.Context) (Institution, error) {
		i := Institution{Page: page(number)}
		err := d.engine.DB.QueryRowContext(ctx, "SELECT COALESCE(name, ''), COALESCE(sector, ''), COALESCE(country, ''), COALESCE(aliases, '') FROM institution WHERE institution_id = ?", key).
			Scan(&i.Use.Name, &i.Use.Sector, &i.Use.Country, &i.Aliases)
		if errors.Is(err, sql.ErrNoRows) {
			return i, ErrNotFound
		}
		i.Use.ID = key
		if err == nil && d.has("institution_use") {
			var use []InstitutionUse
			use, err = collect(ctx, d, institutionUseSQL+" WHERE institution_id = ?", scanInstitutionUse, key)
			if len(use) == 1 {
				i.Use = use[0]
			}
		}
		var err1, err2 error
		i.Numbers, err1 = collect(ctx, d, institutionNumbersSQL, func(r *sql.Rows, v *InstitutionNumber) error {
			return r.Scan(&v.From, &v.To, &v.InboundOnly, &v.ValidFrom, &v.ValidTo, &v.SourceURL, &v.SeenOn)
		}, key)
		i.Accounts, err2 = paged(ctx, d, &i.Page, institutionAccountsSQL, func(r *sql.Rows, v *InstitutionAccount) error {
			return r.Scan(&v.AccountID, &v.Calls, &v.LongCalls, &v.Numbers, &v.AStar, &v.A, &v.B, &v.C, &v.D)
		}, key)
		err3 := named(ctx, d, i.Accounts, func(v *InstitutionAccount) (id string, name *string) { return v.AccountID, &v.Username })
		return i, errors.Join(err, err1, err2, err3)
	})
}
