package profile

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Clock is what a column of times says about the clock that wrote it, tested against a zone.
// In spring the clock of the zone jumps over an hour: local time has nothing there, UTC has as
// much as around it. In autumn an hour runs twice: local time has twice as much there.
type Clock struct {
	Gap      int64   `json:"gap"`                 // values in hours that the zone's clock never showed
	Expected float64 `json:"expected"`            // how many there would be if the hours counted like those beside them
	Twice    int64   `json:"twice"`               // values in hours that it showed twice
	Beside   float64 `json:"beside"`              // how many an hour like those beside them has
	Shifts   string  `json:"shifts_to,omitempty"` // a column of the same rows that it runs ahead of in summer only
	Verdict  string  `json:"verdict"`             // local, utc, or unknown
	From     string  `json:"from,omitempty"`      // the days of the first and the last value
	To       string  `json:"to,omitempty"`
}

// change is one change of a zone's clock: at, in wall clock of before (spring) or after
// (autumn), the hour that was left out or ran twice begins.
type change struct {
	from   time.Time
	spring bool
}

// changes lists the changes of a zone's clock between two days, as wall-clock hours in UTC.
func changes(zone *time.Location, from, to time.Time) (list []change) {
	_, before := from.In(zone).Zone()
	for t := from; t.Before(to); t = t.Add(time.Hour) {
		_, after := t.In(zone).Zone()
		if after == before {
			continue
		}
		// The wall clock of a change: in spring before the jump, in autumn after it.
		wall := t.Add(time.Duration(min(before, after)) * time.Second)
		list = append(list, change{from: wall, spring: after > before})
		before = after
	}
	return list
}

// clocks tests the time columns of all tables that have no zone of their own.
func (m *measurer) clocks(ctx context.Context, p *Profile) error {
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		return fmt.Errorf("zone %q: %w", p.Zone, err)
	}
	for i := range p.Tables {
		t := &p.Tables[i]
		var times []*Column
		for k := range t.Columns {
			if c := &t.Columns[k]; c.Filled() && (c.Type == "TIMESTAMP" || c.Has(DateTime) > 0.9) {
				times = append(times, c)
			}
		}
		for _, c := range times {
			if err := m.clock(ctx, t, c, zone); err != nil {
				return fmt.Errorf("clock of %s.%s: %w", t.Name, c.Name, err)
			}
		}
		if err := m.shifts(ctx, t, times, zone); err != nil {
			return fmt.Errorf("clocks of table %s: %w", t.Name, err)
		}
	}
	return nil
}

// clock counts one column's values in the hours of the clock's changes and beside them.
func (m *measurer) clock(ctx context.Context, t *Table, c *Column, zone *time.Location) error {
	x := timeSQL(c, "")
	if x == "" {
		return nil
	}
	var first, last string
	if err := m.query(ctx, fmt.Sprintf("SELECT strftime(min(%[1]s), '%%Y-%%m-%%d'), strftime(max(%[1]s), '%%Y-%%m-%%d') FROM %[2]s", x, t.whole()), func(cells []sql.NullString) error {
		first, last = cells[0].String, cells[1].String
		return nil
	}); err != nil {
		return err
	}
	from, err1 := time.Parse(time.DateOnly, first)
	to, err2 := time.Parse(time.DateOnly, last)
	if err1 != nil || err2 != nil {
		return nil // no value is a time
	}
	k := &Clock{Verdict: "unknown", From: first, To: last}
	c.Clock = k
	if earliest := to.AddDate(-30, 0, 0); from.Before(earliest) {
		from = earliest
	}
	list := changes(zone, from, to.AddDate(0, 0, 1))
	if len(list) == 0 {
		return nil
	}
	var gap, twice, beside, beside2 []string
	for _, ch := range list {
		hour := func(shift int) string {
			a := ch.from.Add(time.Duration(shift) * time.Hour)
			return fmt.Sprintf("%s >= TIMESTAMP %s AND %s < TIMESTAMP %s", x, duckdb.Literal(a.Format(time.DateTime)), x, duckdb.Literal(a.Add(time.Hour).Format(time.DateTime)))
		}
		if ch.spring {
			gap, beside = append(gap, hour(0)), append(beside, hour(-1), hour(1))
		} else {
			twice, beside2 = append(twice, hour(0)), append(beside2, hour(-1), hour(1))
		}
	}
	counted := func(list []string) string {
		if len(list) == 0 {
			return "0"
		}
		return "count(*) FILTER (WHERE (" + strings.Join(list, ") OR (") + "))"
	}
	n, err := m.numbers(ctx, "SELECT "+counted(gap)+", "+counted(beside)+", "+counted(twice)+", "+counted(beside2)+" FROM "+t.whole())
	if err != nil {
		return err
	}
	k.Gap, k.Expected, k.Twice, k.Beside = n[0], float64(n[1])/2, n[2], float64(n[3])/2
	switch {
	case k.Expected >= 8 && k.Gap == 0: // by chance: e^-8
		k.Verdict = "local"
	case k.Gap >= 3 && float64(k.Gap) > 0.2*k.Expected:
		k.Verdict = "utc"
	}
	return nil
}

// whole is where every row of the table is read.
func (t *Table) whole() string {
	if t.Sampled == t.Rows {
		return t.sample
	}
	return t.view
}

// shifts compares time columns of the same rows: one that runs ahead of another by the zone's
// distance from UTC in summer, and by nothing in winter, is local where the other is UTC.
func (m *measurer) shifts(ctx context.Context, t *Table, times []*Column, zone *time.Location) error {
	if len(times) < 2 || len(times) > 8 || t.Sampled < 40 {
		return nil
	}
	var parts []string
	type pair struct{ local, utc *Column }
	var pairs []pair
	for _, a := range times {
		for _, b := range times {
			if a == b || timeSQL(a, "") == "" || timeSQL(b, "") == "" {
				continue
			}
			pairs = append(pairs, pair{a, b})
			away := fmt.Sprintf("epoch(timezone(%s, timezone('UTC', %s)) - %s)", duckdb.Literal(zone.String()), timeSQL(b, ""), timeSQL(b, ""))
			ahead := fmt.Sprintf("epoch(%s - %s)", timeSQL(a, ""), timeSQL(b, ""))
			parts = append(parts,
				fmt.Sprintf("count(*) FILTER (WHERE %[1]s <> 0 AND abs(%[2]s - %[1]s) <= 5)", away, ahead),
				fmt.Sprintf("count(*) FILTER (WHERE %[1]s <> 0)", away),
				fmt.Sprintf("count(*) FILTER (WHERE %[1]s = 0 AND abs(%[2]s) <= 5)", away, ahead),
				fmt.Sprintf("count(*) FILTER (WHERE %[1]s = 0)", away))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	n, err := m.numbers(ctx, "SELECT "+strings.Join(parts, ", ")+" FROM "+t.sample)
	if err != nil {
		return err
	}
	for i, p := range pairs {
		summer, summers, winter, winters := n[4*i], n[4*i+1], n[4*i+2], n[4*i+3]
		if summers >= 10 && share(summer, summers) > 0.9 && (winters == 0 || share(winter, winters) > 0.9) && p.local.Clock != nil && p.utc.Clock != nil {
			p.local.Clock.Verdict, p.local.Clock.Shifts = "local", p.utc.Name
			if p.utc.Clock.Verdict == "unknown" {
				p.utc.Clock.Verdict = "utc"
			}
		}
	}
	return nil
}
