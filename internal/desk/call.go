package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Call is a call as lists show it: its verdict and its row.
type Call struct {
	ID, AccountID          string
	StartedAt              sql.Null[time.Time]
	Called                 casefile.E164
	Country, Outcome       string
	TalkS                  int64
	Staff                  bool
	Grade                  casefile.Grade
	InstitutionID          string
	Rule, Reasons, Version string
	Presented              casefile.E164
	PresentedName          string
	Ref                    casefile.RowRef
}

const callSQL = `
SELECT call_id, COALESCE(account_id, ''), started_at, COALESCE(called_e164, 0), COALESCE(called_country, ''), COALESCE(outcome, ''),
       COALESCE(CAST(talk_s AS BIGINT), 0), COALESCE(staff, false), COALESCE(grade, ''), COALESCE(institution_id, ''),
       COALESCE(rule, ''), COALESCE(CAST(reasons AS VARCHAR), ''), COALESCE(CAST(rule_version AS VARCHAR), ''),
       COALESCE(presented_e164, 0), COALESCE(presented_name, ''), ` + refColumns + `
FROM call_verdict`

func callInto(v *Call) []any {
	into := []any{&v.ID, &v.AccountID, &v.StartedAt, &v.Called, &v.Country, &v.Outcome, &v.TalkS, &v.Staff, &v.Grade, &v.InstitutionID,
		&v.Rule, &v.Reasons, &v.Version, &v.Presented, &v.PresentedName}
	return append(into, refInto(&v.Ref)...)
}

func scanCall(r *sql.Rows, v *Call) error { return r.Scan(callInto(v)...) }

// callsOf gives one page of the calls that have a key in a table of places, and for which a condition on its columns
// holds ("": any), oldest first: from that table what it has of them, from call_verdict the rest.
func (d *Desk) callsOf(ctx context.Context, pg *Page, table string, key duckdb.Where, where string, args ...any) ([]Call, error) {
	if where == "" {
		where = "true"
	}
	if !d.places(table) {
		return paged(ctx, d, pg, callSQL+" WHERE "+duckdb.Ident(key.Column)+" = ? AND "+where+" ORDER BY started_at, call_id", scanCall, append([]any{key.Value}, args...)...)
	}
	here, there := singleColumns, noSingle
	single := slices.ContainsFunc(d.tables[table].Columns, func(c store.Column) bool { return c.Name == "call_id" })
	if !single {
		here, there = there, here
	}
	columns := []string{"place", "account_id", "started_at", "called_e164"}
	if single {
		columns = append(columns, "call_id", "presented_e164", "ref_row", "ref_offset")
	}
	of, err := d.engine.Rows(d.tables[table], columns, key)
	if err != nil {
		return nil, err
	}
	defer of.Close()
	var places []int64
	calls, err := paged(ctx, d, pg, fmt.Sprintf(placeSQL, here, of.SQL, where), func(r *sql.Rows, v *Call) error {
		places = append(places, 0)
		return r.Scan(&places[len(places)-1], &v.AccountID, &v.StartedAt, &v.Called, &v.ID, &v.Presented, &v.Ref.Row, &v.Ref.Offset)
	}, args...)
	if err != nil || len(calls) == 0 {
		return nil, err
	}
	columns = []string{"called_country", "outcome", "talk_s", "staff", "grade", "institution_id", "rule", "reasons", "rule_version", "presented_name", "ref_source", "ref_table"}
	if !single {
		columns = append(columns, "call_id", "presented_e164", "ref_row", "ref_offset")
	}
	at, err := d.engine.At(d.tables["call_verdict"], columns, places)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	_, err = collect(ctx, d, fmt.Sprintf(placedSQL, there, at.SQL), func(r *sql.Rows, place *int64) error {
		var c Call
		if err := r.Scan(place, &c.ID, &c.Presented, &c.Ref.Row, &c.Ref.Offset, &c.Country, &c.Outcome, &c.TalkS, &c.Staff, &c.Grade, &c.InstitutionID, &c.Rule, &c.Reasons, &c.Version, &c.PresentedName, &c.Ref.Source, &c.Ref.Table); err != nil {
			return err
		}
		v := &calls[slices.Index(places, *place)]
		c.AccountID, c.StartedAt, c.Called = v.AccountID, v.StartedAt, v.Called
		if single {
			c.ID, c.Presented, c.Ref.Row, c.Ref.Offset = v.ID, v.Presented, v.Ref.Row, v.Ref.Offset
		}
		*v = c
		return nil
	})
	return calls, err
}

const (
	singleColumns = "call_id, COALESCE(presented_e164, 0), COALESCE(ref_row, 0), COALESCE(ref_offset, 0)" // each call has its own
	noSingle      = "'', 0, 0, 0"
	placeSQL      = `
SELECT place, COALESCE(account_id, ''), started_at, COALESCE(called_e164, 0), %s
FROM (%s) WHERE %s ORDER BY started_at, place`
	placedSQL = `
SELECT place, %s, COALESCE(called_country, ''), COALESCE(outcome, ''), COALESCE(CAST(talk_s AS BIGINT), 0), COALESCE(staff, false), COALESCE(grade, ''), COALESCE(institution_id, ''),
       COALESCE(rule, ''), COALESCE(CAST(reasons AS VARCHAR), ''), COALESCE(CAST(rule_version AS VARCHAR), ''), COALESCE(presented_name, ''),
       COALESCE(ref_source, ''), COALESCE(ref_table, '')
FROM (%s)`
)

// judged is all that call_verdict has of one call.
type judged struct {
	Call
	Beside
	would, might, then string // rules of block_rule
}

var judgedSQL = strings.Replace(callSQL, "\nFROM call_verdict", `,
       COALESCE(contradictions, ''), COALESCE(resembles, ''), COALESCE(role_hint, ''), COALESCE(would_block, ''), COALESCE(might_block, ''), COALESCE(rules_then, '')
FROM %s v`, 1)

func scanJudged(r *sql.Rows, v *judged) error {
	return r.Scan(append(callInto(&v.Call), &v.Contradictions, &v.Resembles, &v.RoleHint, &v.would, &v.might, &v.then)...)
}

// oneCall finds a call in a table by its id, at first among rows of that number only (0: not known):
// the tables of calls lie nearly in the order of rows, but not of ids. Elsewhere the row may have
// another number: a table that is not built yet from what was mapped has that of an earlier snapshot.
func oneCall[T any](ctx context.Context, d *Desk, query, table string, scan func(*sql.Rows, *T) error, key string, row int64) (v T, err error) {
	id := duckdb.Where{Column: "call_id", Value: key}
	var list []T
	if row > 0 {
		list, err = found(ctx, d, query, table, scan, duckdb.Where{Column: "ref_row", Value: row}, id)
	}
	if err == nil && len(list) == 0 {
		list, err = found(ctx, d, query, table, scan, id)
	}
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return v, err
	}
	return list[0], nil
}

// places reports whether a table has the places of the rows of call_verdict as it is published
// now; while a case is being built it may still have those of an earlier version. The caller holds d.reading.
func (d *Desk) places(table string) bool {
	return slices.Contains(d.tables[table].Inputs, store.TableVersion{Name: "call_verdict", Version: d.tables["call_verdict"].Version})
}

// CallDetail is what the source says of a call beside its verdict. Raw text is null where
// the source had none, which is not the same as an empty one.
type CallDetail struct {
	AnsweredAt, EndedAt                              sql.Null[time.Time]
	PresentedRaw, ReceivedCLIRaw, CalledRaw          sql.Null[string]
	RingS, CostMinor                                 sql.Null[int64]
	Currency, Trunk, ScriptID, Recording, UpstreamIP string
	Keypresses                                       sql.Null[int64]
}

const callDetailSQL = `
SELECT answered_at, ended_at, presented_raw, received_cli_raw, called_raw, CAST(ring_s AS BIGINT), CAST(cost_minor AS BIGINT),
       COALESCE(currency, ''), COALESCE(trunk, ''), COALESCE(CAST(script_id AS VARCHAR), ''), COALESCE(recording, ''), COALESCE(CAST(upstream_ip AS VARCHAR), ''),
       CAST(keypress_count AS BIGINT)
FROM %s c`

// Beside is what stands beside a call's verdict and does not decide it.
type Beside struct {
	Contradictions, Resembles, RoleHint string
	Rules                               []BlockRule // by which networks block calls
	Campaign, Passcode                  string      // the campaign it belongs to; how it fits the passcode pattern
}

// BlockRule is one rule by which a network would block such a call today.
type BlockRule struct {
	ID, From, Text, SourceURL string
	Certain                   bool // by the number alone; else under a condition that the records do not tell
	Then                      bool // it was in force when the call was made
}

const blockRuleSQL = `SELECT rule_id, CAST(from_day AS VARCHAR), text, COALESCE(source_url, '') FROM block_rule ORDER BY from_day, rule_id`

// beside reads what stands beside a verdict and is in other tables.
func (d *Desk) beside(ctx context.Context, v judged) (Beside, error) {
	b := v.Beside
	names := func(list, id string) bool { return slices.Contains(strings.Split(list, ", "), id) }
	var err1, err2, err3 error
	if d.has("block_rule") && v.would+v.might != "" {
		var rules []BlockRule
		rules, err1 = collect(ctx, d, blockRuleSQL, func(r *sql.Rows, v *BlockRule) error { return r.Scan(&v.ID, &v.From, &v.Text, &v.SourceURL) })
		for _, r := range rules {
			if r.Certain, r.Then = names(v.would, r.ID), names(v.then, r.ID); r.Certain || names(v.might, r.ID) {
				b.Rules = append(b.Rules, r)
			}
		}
	}
	if d.has("campaign_call") {
		b.Campaign, err2 = d.text(ctx, "SELECT campaign_id FROM campaign_call WHERE call_id = ?", v.ID)
	}
	if d.has("passcode_call") {
		b.Passcode, err3 = d.text(ctx, "SELECT COALESCE(reasons, '') FROM passcode_call WHERE call_id = ?", v.ID)
	}
	return b, errors.Join(err1, err2, err3)
}

// CallPage is one call with everything known of it.
type CallPage struct {
	Call        Call
	Detail      CallDetail
	Beside      Beside
	Username    string
	Institution string // the name of the institution that the verdict names
	Links       []ReportLink
}

// Call is one call by its id. It is found sooner with the number of its row; 0: not known.
func (d *Desk) Call(ctx context.Context, p Person, key string, row int64) (CallPage, error) {
	a := Asked{Action: SeePeople, Object: id("call", key), Needs: []string{"call", "call_verdict", "account"}}
	return look(ctx, d, p, a, func(ctx context.Context) (CallPage, error) {
		var c CallPage
		v, err := oneCall(ctx, d, judgedSQL, "call_verdict", scanJudged, key, row)
		if err != nil {
			return c, err
		}
		c.Call = v.Call
		return c, together(
			func() (err error) {
				c.Detail, err = oneCall(ctx, d, callDetailSQL, "call", func(r *sql.Rows, v *CallDetail) error {
					return r.Scan(&v.AnsweredAt, &v.EndedAt, &v.PresentedRaw, &v.ReceivedCLIRaw, &v.CalledRaw, &v.RingS, &v.CostMinor,
						&v.Currency, &v.Trunk, &v.ScriptID, &v.Recording, &v.UpstreamIP, &v.Keypresses)
				}, key, c.Call.Ref.Row)
				return err
			},
			func() (err error) {
				c.Beside, err = d.beside(ctx, v)
				return err
			},
			func() (err error) {
				c.Username, err = d.text(ctx, "SELECT COALESCE(username, '') FROM account WHERE account_id = ?", c.Call.AccountID)
				return err
			},
			func() (err error) {
				if d.has("institution") {
					c.Institution, err = d.text(ctx, "SELECT COALESCE(name, '') FROM institution WHERE institution_id = ?", c.Call.InstitutionID)
				}
				return err
			},
			func() (err error) {
				if d.has("report_link") {
					c.Links, err = collect(ctx, d, reportLinkSQL+" WHERE l.call_id = ? ORDER BY l.rank, l.report_id", scanReportLink, key)
				}
				return err
			},
		)
	})
}

// text runs a query for one text; no row gives the empty text.
func (d *Desk) text(ctx context.Context, query string, args ...any) (s string, err error) {
	err = d.engine.DB.QueryRowContext(ctx, query, args...).Scan(&s)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return s, err
}

// ReportLink is one candidate call for one loss report.
type ReportLink struct {
	ReportID, CallID, AccountID string
	Called                      casefile.E164
	InstitutionID               string
	Strict                      bool
	Rank                        int64
	Amount                      sql.Null[int64]
	Currency, Reasons           string
	CallRef, ReportRef          casefile.RowRef
}

const reportLinkSQL = `
SELECT l.report_id, l.call_id, COALESCE(l.account_id, ''), COALESCE(l.called_e164, 0), COALESCE(l.institution_id, ''), COALESCE(l.strict, false),
       COALESCE(CAST(l.rank AS BIGINT), 0), CAST(l.amount_minor AS BIGINT), COALESCE(l.currency, ''), COALESCE(CAST(l.reasons AS VARCHAR), ''),
       COALESCE(l.ref_source, ''), COALESCE(l.ref_table, ''), COALESCE(l.ref_row, 0), COALESCE(l.ref_offset, 0),
       COALESCE(l.report_ref_source, ''), COALESCE(l.report_ref_table, ''), COALESCE(l.report_ref_row, 0), COALESCE(l.report_ref_offset, 0)
FROM report_link l`

func scanReportLink(r *sql.Rows, v *ReportLink) error {
	into := []any{&v.ReportID, &v.CallID, &v.AccountID, &v.Called, &v.InstitutionID, &v.Strict, &v.Rank, &v.Amount, &v.Currency, &v.Reasons}
	return r.Scan(append(append(into, refInto(&v.CallRef)...), refInto(&v.ReportRef)...)...)
}
