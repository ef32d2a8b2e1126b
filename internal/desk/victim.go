package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Victim is one called number with what happened to it.
type Victim struct {
	Number                            casefile.E164
	Country                           string
	Calls, Answered, LongCalls, TalkS int64
	FirstAt, LastAt                   sql.Null[time.Time]
	Accounts                          int64
	Institutions                      string
	BestGrade                         casefile.Grade
	Repeat                            string // how the number was called again; empty: it was not
	LinkedReports                     int64
	LinkedLoss                        sql.Null[int64]
	Points                            float64
	Reasons                           string
	TalkBand, Line, Area, Force       string // of the talk of the longest call; of the number plan; empty: not known
	PasscodeCalls, Priority           int64
	Batch, Excluded                   string // the contact batch, or why it is in none
}

const victimSQL = `
SELECT called_e164, COALESCE(country, ''), CAST(calls AS BIGINT), CAST(answered AS BIGINT), CAST(long_calls AS BIGINT), CAST(talk_s AS BIGINT),
       first_at, last_at, COALESCE(CAST(accounts AS BIGINT), 0), COALESCE(CAST(institutions AS VARCHAR), ''), COALESCE(best_grade, ''),
       CASE COALESCE(CAST("repeat" AS VARCHAR), 'false') WHEN 'false' THEN '' WHEN 'true' THEN 'yes' ELSE CAST("repeat" AS VARCHAR) END,
       COALESCE(CAST(linked_reports AS BIGINT), 0), CAST(linked_loss_minor AS BIGINT), COALESCE(CAST(points AS DOUBLE), 0), COALESCE(CAST(reasons AS VARCHAR), ''),
       COALESCE(talk_band, ''), COALESCE(line, ''), COALESCE(area, ''), COALESCE(force_area, ''), CAST(passcode_calls AS BIGINT), CAST(priority AS BIGINT),
       COALESCE(batch_id, ''), COALESCE(excluded_reason, '')
FROM %s v`

const victimOrder = " ORDER BY points DESC NULLS LAST, talk_s DESC, called_e164"

func scanVictim(r *sql.Rows, v *Victim) error {
	return r.Scan(&v.Number, &v.Country, &v.Calls, &v.Answered, &v.LongCalls, &v.TalkS, &v.FirstAt, &v.LastAt, &v.Accounts,
		&v.Institutions, &v.BestGrade, &v.Repeat, &v.LinkedReports, &v.LinkedLoss, &v.Points, &v.Reasons,
		&v.TalkBand, &v.Line, &v.Area, &v.Force, &v.PasscodeCalls, &v.Priority, &v.Batch, &v.Excluded)
}

// VictimList is one page of called numbers.
type VictimList struct {
	Page  Page
	Batch string // the batch asked for; empty: all numbers
	List  []Victim
}

// Victims lists the called numbers, of one contact batch or all, by their points, highest first.
func (d *Desk) Victims(ctx context.Context, p Person, number int, batch string) (VictimList, error) {
	a := Asked{Action: SeePeople, Object: "page:victims", Details: map[string]any{"page": number, "batch": quoted(batch)}, Needs: []string{"victim"}}
	return look(ctx, d, p, a, func(ctx context.Context) (_ VictimList, err error) {
		l := VictimList{Page: page(number), Batch: batch}
		where, args := "called_e164 IS NOT NULL", []any(nil)
		if batch != "" {
			where, args = where+" AND batch_id = ?", []any{batch}
		}
		placed, err := d.engine.Placed(d.tables["victim"])
		if err != nil {
			return l, err
		}
		// The places first, from the few columns that say which rows they are.
		places, err := paged(ctx, d, &l.Page, "SELECT place FROM ("+placed+") WHERE "+where+victimOrder, func(r *sql.Rows, place *int64) error { return r.Scan(place) }, args...)
		if err != nil || len(places) == 0 {
			return l, err
		}
		at, err := d.engine.At(d.tables["victim"], d.tables["victim"].ColumnNames(), places)
		if err != nil {
			return l, err
		}
		defer at.Close()
		l.List, err = collect(ctx, d, fmt.Sprintf(victimSQL, "("+at.SQL+")")+victimOrder, scanVictim)
		return l, err
	})
}

// Batch is one lot of called numbers to warn, or those left out for one kind of reason.
type Batch struct {
	ID, Country, Line, Force, Excluded           string
	Priority                                     sql.Null[int64]
	Numbers, LongCalls, WithPasscode, WithReport int64
	FirstAt, LastAt                              sql.Null[time.Time]
}

const batchSQL = `
SELECT batch_id, COALESCE(country, ''), COALESCE(line, ''), COALESCE(force_area, ''), COALESCE(excluded, ''), CAST(priority AS BIGINT),
       CAST(numbers AS BIGINT), COALESCE(CAST(long_calls AS BIGINT), 0), CAST(numbers_passcode AS BIGINT), CAST(numbers_reported AS BIGINT), first_at, last_at
FROM contact_batch ORDER BY priority NULLS LAST, numbers DESC, batch_id, excluded`

// BatchList is one page of contact batches.
type BatchList struct {
	Page Page
	List []Batch
}

// Batches lists the contact batches, the most urgent first, and behind them what is excluded.
func (d *Desk) Batches(ctx context.Context, p Person, number int) (BatchList, error) {
	a := Asked{Action: SeePeople, Object: "page:batches", Details: map[string]any{"page": number}, Needs: []string{"contact_batch"}}
	return look(ctx, d, p, a, func(ctx context.Context) (_ BatchList, err error) {
		l := BatchList{Page: page(number)}
		l.List, err = paged(ctx, d, &l.Page, batchSQL, func(r *sql.Rows, v *Batch) error {
			return r.Scan(&v.ID, &v.Country, &v.Line, &v.Force, &v.Excluded, &v.Priority, &v.Numbers, &v.LongCalls, &v.WithPasscode, &v.WithReport, &v.FirstAt, &v.LastAt)
		})
		return l, err
	})
}

// Report is one loss report about a number.
type Report struct {
	ID, List                      string
	ReportedAt, From, To          sql.Null[time.Time]
	Institution, Narrative, Force string
	Amount                        sql.Null[int64]
	Currency                      string
	Ref                           casefile.RowRef
}

const reportSQL = `
SELECT report_id, COALESCE(list, ''), reported_at, incident_from, incident_to, COALESCE(institution, ''), COALESCE(narrative, ''),
       COALESCE(force_area, ''), CAST(amount_minor AS BIGINT), COALESCE(currency, ''), ` + refColumns + `
FROM loss_report WHERE victim_phone_e164 = ? ORDER BY reported_at, report_id`

// CallerOf is one account's calls to a number.
type CallerOf struct {
	AccountID, Username     string
	Calls, LongCalls, TalkS int64
	FirstAt, LastAt         sql.Null[time.Time]
}

const callersOfSQL = `
SELECT COALESCE(account_id, ''), count(*), count(*) FILTER (WHERE outcome = 'answered' AND talk_s > 60), CAST(sum(talk_s) AS BIGINT) AS talk_s, min(started_at), max(started_at)
FROM (%s) GROUP BY account_id
ORDER BY talk_s DESC NULLS LAST, account_id`

// Number is everything known of one telephone number as a called party.
type Number struct {
	Number  casefile.E164
	Victim  *Victim // nil: called, but never answered, or not judged a victim
	Callers []CallerOf
	Reports []Report
	Links   []ReportLink
	Page    Page
	Calls   []Call
}

// Number is one called number.
func (d *Desk) Number(ctx context.Context, p Person, n casefile.E164, number int) (Number, error) {
	a := Asked{Action: SeePeople, Object: "number:" + d.digest(n.String()), Details: map[string]any{"page": number},
		Needs: []string{"call_verdict", "account"}}
	return look(ctx, d, p, a, func(ctx context.Context) (Number, error) {
		v := Number{Number: n, Page: page(number)}
		key := duckdb.Where{Column: "called_e164", Value: int64(n)}
		callers := "call_verdict"
		if d.places("number_call") {
			callers = "number_call" // the same rows, in the order of numbers
		}
		err := together(
			func() error {
				if !d.has("victim") {
					return nil
				}
				list, err := found(ctx, d, victimSQL, "victim", scanVictim, key)
				if len(list) > 0 {
					v.Victim = &list[0]
				}
				return err
			},
			func() error {
				of, err := d.engine.Rows(d.tables[callers], []string{"called_e164", "account_id", "outcome", "talk_s", "started_at"}, key)
				if err != nil {
					return err
				}
				defer of.Close()
				v.Callers, err = collect(ctx, d, fmt.Sprintf(callersOfSQL, of.SQL), func(r *sql.Rows, c *CallerOf) error {
					return r.Scan(&c.AccountID, &c.Calls, &c.LongCalls, &c.TalkS, &c.FirstAt, &c.LastAt)
				})
				return errors.Join(err, named(ctx, d, v.Callers, func(c *CallerOf) (id string, name *string) { return c.AccountID, &c.Username }))
			},
			func() (err error) {
				if d.has("loss_report") {
					v.Reports, err = collect(ctx, d, reportSQL, func(r *sql.Rows, c *Report) error {
						into := []any{&c.ID, &c.List, &c.ReportedAt, &c.From, &c.To, &c.Institution, &c.Narrative, &c.Force, &c.Amount, &c.Currency}
						return r.Scan(append(into, refInto(&c.Ref)...)...)
					}, int64(n))
				}
				return err
			},
			func() (err error) {
				if d.has("report_link") {
					v.Links, err = collect(ctx, d, reportLinkSQL+" WHERE l.called_e164 = ? ORDER BY l.report_id, l.rank", scanReportLink, int64(n))
				}
				return err
			},
			func() (err error) {
				v.Calls, err = d.callsOf(ctx, &v.Page, "number_call", key, "")
				return err
			},
		)
		if err == nil && v.Victim == nil && v.Page.Total == 0 && len(v.Reports) == 0 {
			err = ErrNotFound
		}
		return v, err
	})
}
