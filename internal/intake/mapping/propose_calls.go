package mapping

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/profile"
)

// calls finds the tables that hold calls. A call has a called number, a time, what it came to
// or how long it lasted, and whose it was or which number it showed.
func (x *proposer) calls() {
	type table struct {
		t    *profile.Table
		got  map[string]found
		conf float64
	}
	var list []table
	for i := range x.p.Tables {
		t := &x.p.Tables[i]
		if _, done := x.roles[t.Name]; done {
			continue
		}
		name := tableName(t)
		if hasAny(name, "summary spool callback queue online rate ratecard tariff config configuration prefix did plan day month status live active event cel phonenumber phonebook campaign broadcast sms message") {
			continue
		}
		if hasPassword(t) {
			continue // people who sign in
		}
		got := assign(t, callSlots, x.taken(t))
		if f, ok := got["received"]; ok && got["presented"].column == nil { // the only caller number there is
			f.conf = math.Max(threshold, 0.8*f.conf)
			f.why += "; the only caller number of the table: was it shown, or received?"
			got["presented"] = f
			delete(got, "received")
		}
		who := max(got["presented"].conf, got["account"].conf)
		what := max(got["talk"].conf, got["outcome"].conf, got["total"].conf)
		if got["started"].column == nil { // some templates keep the answer and the end alone
			for _, other := range []string{"answered", "ended"} {
				if f, ok := got[other]; ok && got["started"].column == nil {
					f.conf = 0.5
					f.why += "; NOT the start: the table has no time of the start"
					got["started"] = f
				}
			}
		}
		if got["called"].column == nil || got["started"].column == nil || who == 0 || what == 0 {
			continue
		}
		conf := (got["called"].conf + got["started"].conf + who + what) / 4
		if !hasAny(name, "call calls acc cdr record missed") {
			conf *= 0.85
		}
		if conf < 0.55 {
			continue
		}
		list = append(list, table{t, got, conf})
	}
	x.findAccounts(func(yield func(*profile.Table, found)) {
		for _, c := range list {
			if f, ok := c.got["account"]; ok {
				yield(c.t, f)
			}
		}
	})
	for _, c := range list {
		x.call(c.t, c.got, c.conf)
	}
}

// findAccounts finds the table of accounts: the one that calls' account columns point into.
func (x *proposer) findAccounts(each func(yield func(*profile.Table, found))) {
	points := map[string]float64{}
	each(func(t *profile.Table, f found) {
		for _, j := range t.Joins {
			if j.Column == f.column.Name {
				if to := x.p.Table(j.Table); to != nil && accountTable(to) {
					w := j.Share
					if j.Named {
						w++
					}
					if hasAny(tableName(to), "archive history sip iax buddie friend") {
						w /= 4
					}
					points[j.Table] += w
				}
			}
		}
	})
	best := 0.0
	for i := range x.p.Tables { // in the order of names, so that a tie has one answer
		t := &x.p.Tables[i]
		score := points[t.Name]
		if score == 0 && accountTable(t) && hasAny(tableName(t), "user card customer account") && len(tableName(t)) <= 3 && t.Key != "" && !hasAny(tableName(t), "archive history group agent type log") {
			score = 0.1
		}
		if score > best {
			best, x.accounts, x.key = score, t.Name, t.Key
			if id := t.Column("id"); id != nil && id.Unique {
				x.key = id.Name
			}
		}
	}
}

// accountTable tells whether a table can be one of accounts: it has log-in names or e-mail
// addresses, and something that identifies a row.
func accountTable(t *profile.Table) bool {
	if t.Key == "" {
		return false
	}
	got := assign(t, accountSlots, nil)
	n := 0
	for _, s := range []string{"username", "email", "phone", "registered", "balance", "last_seen"} {
		if got[s].column != nil {
			n++
		}
	}
	return n >= 2 && (got["username"].column != nil || got["email"].column != nil)
}

// call fills the case's calls from one table.
func (x *proposer) call(t *profile.Table, got map[string]found, conf float64) {
	name := tableName(t)
	s := Source{From: t.Name, Columns: map[string]Column{}}
	cols := s.Columns
	failed := hasAny(name, "failed missed unanswered rejected fail")
	why := fmt.Sprintf("calls: called number %s, time %s", got["called"].column.Name, got["started"].column.Name)
	if failed {
		why = "failed " + why
	}
	prefix := strings.Join(name, "_") + ":"
	if f, ok := got["call_id"]; ok {
		if id := t.Column("id"); id != nil && id.Unique {
			f.column = id
		}
		c := from(f, "")
		c.Prefix = prefix
		c.Why += "; all its values are different"
		cols["call_id"] = c
	} else {
		cols["call_id"] = Column{From: "ref_row", Prefix: prefix, Confidence: 0.6, Why: "no column has one value a row: the row's ordinal in the source"}
	}
	if f, ok := got["account"]; ok {
		cols["account_id"] = x.accountID(t, f, &s)
	}
	cols["started_at"] = x.when(got["started"])
	if f, ok := got["answered"]; ok {
		cols["answered_at"] = x.when(f)
	}
	if f, ok := got["ended"]; ok {
		cols["ended_at"] = x.when(f)
	}
	if f, ok := got["presented"]; ok {
		cols["presented_raw"] = from(f, "")
		as := "e164"
		if f.column.Has(profile.CallerID, profile.Words) > 0.02 {
			as = "clid_e164"
		}
		cols["presented_e164"] = from(f, as)
		if n, ok := got["presented_name"]; ok {
			cols["presented_name"] = from(n, "trimmed")
		} else if as == "clid_e164" {
			cols["presented_name"] = from(f, "clid_name")
		} else if n := namedCaller(t, x.taken(t)); n != nil {
			cols["presented_name"] = from(found{n, 0.7, "its values are \"name\" <number>"}, "clid_name")
		}
	}
	if f, ok := got["received"]; ok {
		cols["received_cli_raw"] = from(f, "")
	}
	cols["called_raw"] = from(got["called"], "")
	cols["called_e164"] = from(got["called"], "e164")
	cols["called_country"] = Column{CountryOf: "called_e164", Confidence: got["called"].conf, Why: "from the number's first digits"}
	x.lasted(t, got, cols, failed)
	x.outcome(got, cols, failed)
	if f, ok := got["cost"]; ok {
		cols["cost_minor"] = from(f, "money")
		put(cols, "currency", got, "currency", "upper")
	}
	put(cols, "trunk", got, "trunk", "")
	put(cols, "script_id", got, "script_id", "")
	put(cols, "recording", got, "recording", "trimmed")
	put(cols, "upstream_ip", got, "upstream_ip", "")
	if f, ok := got["total"]; ok && f.column != nil && cols["talk_s"].From == f.column.Name {
		delete(got, "total")
	}
	x.fill("call", t, s, conf, why)
}

// lasted settles how long people talked: the time between answer and end, or the shorter of
// two durations; the longer one has the ringing in it, or is rounded up for the bill.
func (x *proposer) lasted(t *profile.Table, got map[string]found, cols map[string]Column, failed bool) {
	talk, ok := got["talk"]
	total, both := got["total"]
	if !ok && both { // one duration alone
		talk, ok, both = total, true, false
		talk.conf *= 0.8
		talk.why += "; the only duration, ringing may be in it"
	}
	if ok && both {
		for _, w := range t.Within { // what is never less cannot be the talk
			if w.Less == total.column.Name && w.More == talk.column.Name && !within(t, talk.column.Name, total.column.Name) {
				if strings.Contains(strings.Join(words(total.column.Name), " "), "session") {
					talk, total = total, talk
				}
			}
		}
		if within(t, talk.column.Name, total.column.Name) {
			talk.why += fmt.Sprintf("; never more than %s", total.column.Name)
			talk.conf = min(1, talk.conf+0.02)
		}
	}
	if ok {
		for _, sp := range t.Spans {
			if a, has := got["answered"]; has && sp.From == a.column.Name && sp.Column == talk.column.Name {
				talk.why += fmt.Sprintf("; it is the seconds from %s to %s in %.0f %% of rows", sp.From, sp.To, 100*sp.Share)
				talk.conf = max(talk.conf, 0.95)
			}
		}
	}
	switch {
	case ok:
		as := "seconds"
		if hasAny(words(talk.column.Name), "ms") {
			as = "millis"
		}
		cols["talk_s"] = from(talk, as)
	case failed:
		cols["talk_s"] = Column{SQL: "0", Confidence: 0.9, Why: "calls that were not answered"}
	}
	if ok && both {
		name := total.column.Name
		if hasAny(words(name), "session bill") {
			x.m.Aside[t.Name+"."+name] = "billed time: talk time is " + talk.column.Name
		} else {
			cols["ring_s"] = Column{SQL: fmt.Sprintf("TRY_CAST(t.%[1]s AS BIGINT) - TRY_CAST(t.%[2]s AS BIGINT)", quote(name), quote(talk.column.Name)), Confidence: total.conf,
				Why: "the whole duration without the talk"}
		}
	}
}

func within(t *profile.Table, less, more string) bool {
	for _, w := range t.Within {
		if w.Less == less && w.More == more {
			return true
		}
	}
	return false
}

// Words and numbers of outcomes. Cause numbers are those that MagnusBilling and A2Billing
// share; a column of other numbers is left alone.
var (
	outcomeWords = map[string]string{"ANSWERED": "answered", "ANSWER": "answered", "COMPLETED": "answered", "NO ANSWER": "no_answer", "NOANSWER": "no_answer", "NO_ANSWER": "no_answer", "MISSED": "no_answer", "VOICEMAIL": "answered",
		"BUSY": "busy", "FAILED": "failed", "FAIL": "failed", "ERROR": "failed", "CONGESTION": "failed", "CHANUNAVAIL": "failed", "CANCEL": "cancelled", "CANCELLED": "cancelled", "CANCELED": "cancelled"}
	causeNumbers = map[string]string{"1": "answered", "2": "busy", "3": "no_answer", "4": "cancelled", "5": "failed", "6": "failed"}
	hangupCauses = map[string]string{"USER_BUSY": "busy", "ORIGINATOR_CANCEL": "cancelled", "NO_ANSWER": "no_answer", "NO_USER_RESPONSE": "no_answer", "ALLOTTED_TIMEOUT": "no_answer", "PICKED_OFF": "cancelled", "LOSE_RACE": "cancelled"}
)

// outcome says what a call came to. A hang-up cause tells how it ended; only the talk tells
// whether it was answered.
func (x *proposer) outcome(got map[string]found, cols map[string]Column, failed bool) {
	f, ok := got["outcome"]
	talked := ""
	if c, has := cols["talk_s"]; has && c.From != "" {
		talked = "TRY_CAST(t." + quote(c.From) + " AS BIGINT) > 0"
	}
	if !ok {
		if talked != "" {
			cols["outcome"] = Column{SQL: "CASE WHEN " + talked + " THEN 'answered' ELSE 'unknown' END", Confidence: cols["talk_s"].Confidence * 0.9, Why: "no column of outcomes: answered where somebody talked"}
		}
		return
	}
	name := words(f.column.Name)
	numbers, upper := len(f.column.Codes) > 0, map[string]float64{}
	cause := false
	for code, share := range f.column.Codes {
		upper[strings.ToUpper(code)] += share
		numbers = numbers && len(code) == 1
		cause = cause || strings.Contains(code, "_") && outcomeWords[strings.ToUpper(code)] == ""
	}
	values := map[string]string{}
	switch {
	case numbers && hasAny(name, "terminate"):
		values = causeNumbers
	case !numbers && !cause:
		for code := range f.column.Codes {
			if v := outcomeWords[strings.ToUpper(code)]; v != "" {
				values[code] = v
			}
		}
	case cause && talked != "":
		var b strings.Builder
		fmt.Fprintf(&b, "CASE WHEN %s THEN 'answered'", talked)
		for _, code := range sortedKeys(hangupCauses) {
			fmt.Fprintf(&b, " WHEN t.%s = '%s' THEN '%s'", quote(f.column.Name), code, hangupCauses[code])
		}
		b.WriteString(" WHEN t." + quote(f.column.Name) + " = 'NORMAL_CLEARING' THEN 'no_answer' ELSE 'failed' END")
		cols["outcome"] = Column{SQL: b.String(), Confidence: f.conf, Why: f.why + "; hang-up causes, answered only where somebody talked"}
		return
	}
	if len(values) == 0 {
		if talked != "" {
			cols["outcome"] = Column{SQL: "CASE WHEN " + talked + " THEN 'answered' ELSE 'unknown' END", Confidence: 0.6, Why: "codes of " + f.column.Name + " are not known: answered where somebody talked"}
		}
		return
	}
	c := from(f, "")
	c.As, c.Values, c.Else = "", values, "unknown"
	c.Why += "; its codes are known"
	cols["outcome"] = c
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// hasPassword tells whether a table has a column of passwords.
func hasPassword(t *profile.Table) bool {
	return slices.ContainsFunc(t.Columns, func(c profile.Column) bool { return hasAny(words(c.Name), "password pwd") })
}

// namedCaller finds a column of caller ids with names, where the number has a column of its own.
func namedCaller(t *profile.Table, taken map[string]bool) *profile.Column {
	for i := range t.Columns {
		c := &t.Columns[i]
		if !taken[c.Name] && c.Has(profile.CallerID) > 0.02 && hasAny(words(c.Name), "callerid caller from") {
			return c
		}
	}
	return nil
}
