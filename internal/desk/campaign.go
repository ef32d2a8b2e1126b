package desk

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Campaign is calls of one account that belong together.
type Campaign struct {
	ID, AccountID, Basis, Mark, Family, Institutions string
	Calls, Answered, TalkS                           int64
	CalledNumbers, PresentedNumbers                  int64
	PasscodeCalls, Bursts                            int64
	FirstAt, LastAt                                  sql.Null[time.Time]
	PeakRate, OrdinaryRate                           float64 // calls an hour
	Reasons                                          string
	Ref                                              casefile.RowRef
}

const campaignSQL = `
SELECT campaign_id, account_id, basis, COALESCE(mark, ''), COALESCE(family_id, ''), COALESCE(institutions, ''), CAST(calls AS BIGINT), CAST(answered AS BIGINT), CAST(talk_s AS BIGINT),
       CAST(called_numbers AS BIGINT), CAST(presented_numbers AS BIGINT), CAST(passcode_calls AS BIGINT), CAST(bursts AS BIGINT), first_at, last_at,
       COALESCE(CAST(peak_rate AS DOUBLE), 0), COALESCE(CAST(ordinary_rate AS DOUBLE), 0), COALESCE(reasons, ''), ` + refColumns + `
FROM campaign`

func scanCampaign(r *sql.Rows, v *Campaign) error {
	into := []any{&v.ID, &v.AccountID, &v.Basis, &v.Mark, &v.Family, &v.Institutions, &v.Calls, &v.Answered, &v.TalkS,
		&v.CalledNumbers, &v.PresentedNumbers, &v.PasscodeCalls, &v.Bursts, &v.FirstAt, &v.LastAt, &v.PeakRate, &v.OrdinaryRate, &v.Reasons}
	return r.Scan(append(into, refInto(&v.Ref)...)...)
}

// Pair is two accounts that worked the same list of numbers.
type Pair struct {
	A, B                     string
	Shared, CalledA, CalledB int64
	Days, Apart              int64   // days; minutes between their calls to one number, on average
	Lift                     float64 // times what chance gives
	FirstAt, LastAt          sql.Null[time.Time]
	Reasons                  string
	Ref                      casefile.RowRef
}

const pairSQL = `
SELECT account_a, account_b, CAST(shared AS BIGINT), CAST(called_a AS BIGINT), CAST(called_b AS BIGINT), CAST(days AS BIGINT), COALESCE(CAST(apart_minutes AS BIGINT), 0),
       COALESCE(CAST(lift AS DOUBLE), 0), first_at, last_at, COALESCE(reasons, ''), ` + refColumns + `
FROM lockstep`

func scanPair(r *sql.Rows, v *Pair) error {
	into := []any{&v.A, &v.B, &v.Shared, &v.CalledA, &v.CalledB, &v.Days, &v.Apart, &v.Lift, &v.FirstAt, &v.LastAt, &v.Reasons}
	return r.Scan(append(into, refInto(&v.Ref)...)...)
}

// CampaignList is one page of campaigns and one of pairs of accounts.
type CampaignList struct {
	Account        string // the account asked for; empty: all
	Page, PairPage Page
	List           []Campaign
	Pairs          []Pair
}

// Campaigns lists the campaigns of one account or of all, those with most calls first, and the
// accounts that worked one list.
func (d *Desk) Campaigns(ctx context.Context, p Person, account string, number, pairs int) (CampaignList, error) {
	a := Asked{Action: SeePeople, Object: "page:campaigns", Details: map[string]any{"account": quoted(account), "page": number, "pairs": pairs}, Needs: []string{"campaign", "lockstep"}}
	return look(ctx, d, p, a, func(ctx context.Context) (CampaignList, error) {
		l := CampaignList{Account: account, Page: page(number), PairPage: page(pairs)}
		var of, with string
		var args []any
		if account != "" {
			of, with, args = " WHERE account_id = $1", " WHERE account_a = $1 OR account_b = $1", []any{account}
		}
		var err1, err2 error
		l.List, err1 = paged(ctx, d, &l.Page, campaignSQL+of+" ORDER BY calls DESC, campaign_id", scanCampaign, args...)
		l.Pairs, err2 = paged(ctx, d, &l.PairPage, pairSQL+with+" ORDER BY shared DESC, account_a, account_b", scanPair, args...)
		return l, errors.Join(err1, err2)
	})
}

// Script is one recorded or synthesised message with its family.
type Script struct {
	ID, AccountID, Kind, RecordingID, Text, File, Reasons string
	Ref                                                   casefile.RowRef
}

const familySQL = `
SELECT f.script_id, COALESCE(f.account_id, ''), COALESCE(f.kind, ''), f.recording_id, COALESCE(s.text, ''), COALESCE(s.file, ''), COALESCE(f.reasons, ''),
       COALESCE(f.ref_source, ''), COALESCE(f.ref_table, ''), COALESCE(f.ref_row, 0), COALESCE(f.ref_offset, 0)
FROM script_family f LEFT JOIN script s USING (script_id)
WHERE f.family_id IN (
	SELECT family_id FROM script_family WHERE family_id = ?
	UNION SELECT o.family_id FROM campaign_call m JOIN call c USING (call_id) JOIN script_family o USING (script_id) WHERE m.campaign_id = ?)
ORDER BY f.recording_id, f.script_id`

// PasscodeSigns is how many of a campaign's calls fit the passcode pattern, and by which signs.
type PasscodeSigns struct {
	Calls, Numbers                                 int64
	Least, Most                                    sql.Null[int64] // keys pressed
	Recorded, Asks, Named, Repeated, MessageBefore int64
}

const passcodeSignsSQL = `
SELECT count(*), count(DISTINCT called_e164), CAST(min(keys) AS BIGINT), CAST(max(keys) AS BIGINT), count(*) FILTER (WHERE recorded), count(*) FILTER (WHERE asks),
       count(*) FILTER (WHERE named), count(*) FILTER (WHERE repeated), count(*) FILTER (WHERE message_before)
FROM passcode_call SEMI JOIN (SELECT call_id FROM campaign_call WHERE campaign_id = ?) USING (call_id)`

// CampaignPage is one campaign: its calls, its scripts and the signs of passcodes.
type CampaignPage struct {
	Campaign   Campaign
	Passcode   PasscodeSigns
	ScriptPage Page
	Scripts    []Script
	Pairs      int64 // how many accounts worked one list with its account
	Page       Page
	Calls      []Call
}

// Campaign is one campaign by its id; the page numbers are of its calls and its scripts.
func (d *Desk) Campaign(ctx context.Context, p Person, key string, calls, scripts int) (CampaignPage, error) {
	a := Asked{Action: SeePeople, Object: id("campaign", key), Details: map[string]any{"calls": calls, "scripts": scripts},
		Needs: []string{"campaign", "campaign_call", "call", "call_verdict", "script", "script_family", "passcode_call", "lockstep"}}
	return look(ctx, d, p, a, func(ctx context.Context) (CampaignPage, error) {
		c := CampaignPage{Page: page(calls), ScriptPage: page(scripts)}
		var err error
		if c.Campaign, err = first(ctx, d, campaignSQL+" WHERE campaign_id = ?", scanCampaign, key); err != nil {
			return c, err
		}
		var errs [4]error
		c.Scripts, errs[0] = paged(ctx, d, &c.ScriptPage, familySQL, func(r *sql.Rows, v *Script) error {
			return r.Scan(append([]any{&v.ID, &v.AccountID, &v.Kind, &v.RecordingID, &v.Text, &v.File, &v.Reasons}, refInto(&v.Ref)...)...)
		}, c.Campaign.Family, key)
		c.Passcode, errs[1] = first(ctx, d, passcodeSignsSQL, func(r *sql.Rows, v *PasscodeSigns) error {
			return r.Scan(&v.Calls, &v.Numbers, &v.Least, &v.Most, &v.Recorded, &v.Asks, &v.Named, &v.Repeated, &v.MessageBefore)
		}, key)
		c.Pairs, errs[2] = d.number(ctx, "SELECT count(*) FROM lockstep WHERE account_a = $1 OR account_b = $1", c.Campaign.AccountID)
		c.Calls, errs[3] = d.callsOf(ctx, &c.Page, "account_call", duckdb.Where{Column: "account_id", Value: c.Campaign.AccountID}, "call_id IN (SELECT call_id FROM campaign_call WHERE campaign_id = ?)", key)
		return c, errors.Join(errs[:]...)
	})
}
