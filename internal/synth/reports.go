package synth

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Reports at scale 1: their number, how many of a thousand are linked to a call strictly or
// loosely only, and what the linked ones and the others lost, in pence.
const (
	allReports       = 4_785
	strictPerMille   = 890
	loosePerMille    = 50
	linkedLossPence  = 4_300_000_000
	otherLossPence   = 500_000_000
	eurosOneInN      = 20 // of the unlinked reports, one in this many is in euros
	reportCandidates = 3  // people followed for every report
)

// report is one loss reported to the police.
type report struct {
	serial      int
	person      string
	phone       string
	from, to    int64 // UTC
	reported    int64
	institution string
	pence       int64
	currency    string
	call        int64 // pkg_cdr.id, 0 when unlinked
	strict      bool
	postcode    string
	born        string
	narrative   string
	force       string
}

func (r *report) id() string { return fmt.Sprintf("NFRC%08d", r.serial) }

// reportCount is the number of reports at the world's scale.
func (w *world) reportCount() int { return int(max(1, w.rows(allReports))) }

// chooseReporters picks the people who may report a loss, among those kept in long calls.
func (t *truth) chooseReporters() {
	p := t.w.people
	all := p.talkMobile + p.talkLand
	want := min(all, int64(reportCandidates*t.w.reportCount()+40))
	for v := range all {
		r := key(t.w.seed, streamReporter, v)
		if r.n64(all) >= want {
			continue
		}
		if v >= p.talkMobile {
			v += p.ukLand.first - p.talkMobile
		}
		t.reporters.set(v)
	}
}

// reports makes the reports from what happened: some name the call's institution and hold
// the call in their time, some name another, some fit no call at all.
func (t *truth) reports() []report {
	groups := t.reporterGroups()
	n := t.w.reportCount()
	strict := int(math.Round(float64(n) * strictPerMille / 1000))
	loose := int(math.Round(float64(n) * loosePerMille / 1000))
	var out []report
	add := func(r *rng, rep report) {
		t.dress(r, &rep)
		out = append(out, rep)
	}
	next := 0
	for k := range groups { // as many of each kind as are wanted, while people last
		r := key(t.w.seed, streamReport, int64(k))
		switch calls := groups[k]; {
		case strict > 0:
			if rep, ok := t.strictReport(&r, calls); ok {
				strict--
				add(&r, rep)
			}
		case loose > 0:
			if rep, ok := t.looseReport(&r, calls); ok {
				loose--
				add(&r, rep)
			}
		case len(out) < n:
			if rep, ok := t.unlinkedReport(&r, calls, k%2 == 0); ok {
				add(&r, rep)
			}
		}
		next = k + 1
	}
	for k := next; len(out) < n; k++ { // numbers nobody called
		r := key(t.w.seed, streamReport, int64(k))
		rep, _ := t.unlinkedReport(&r, nil, true)
		add(&r, rep)
	}
	r := key(t.w.seed, streamReport, -1)
	order := r.shuffle(len(out))
	shuffled := make([]report, len(out))
	for to, from := range order {
		shuffled[to] = out[from]
		shuffled[to].serial = to + 1
	}
	t.lose(shuffled)
	return shuffled
}

// reporterGroups sorts the followed calls by person, persons in an order of their own.
func (t *truth) reporterGroups() [][]reporterCall {
	calls := t.reporterCalls
	slices.SortStableFunc(calls, func(x, y reporterCall) int { return int(x.person - y.person) })
	var groups [][]reporterCall
	for len(calls) > 0 {
		n := 1
		for n < len(calls) && calls[n].person == calls[0].person {
			n++
		}
		groups = append(groups, calls[:n])
		calls = calls[n:]
	}
	r := key(t.w.seed, streamReport, -2)
	shuffled := make([][]reporterCall, len(groups))
	for to, from := range r.shuffle(len(groups)) {
		shuffled[to] = groups[from]
	}
	return shuffled
}

// strictReport reports one of the long calls that named an institution.
func (t *truth) strictReport(r *rng, calls []reporterCall) (report, bool) {
	var fit []reporterCall
	for _, c := range calls {
		if c.talk > 60 && c.inst >= 0 {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return report{}, false
	}
	c := pick(r, fit)
	rep := t.reportOf(r, c)
	rep.institution = writtenByVictim(r, c.inst)
	rep.strict = true
	rep.call = best(calls, &rep, func(x *reporterCall) bool { return x.inst == c.inst })
	return rep, true
}

// looseReport reports a call in the name of an institution that none of the calls in its
// time named.
func (t *truth) looseReport(r *rng, calls []reporterCall) (report, bool) {
	c := pick(r, calls)
	rep := t.reportOf(r, c)
	inst := pick(r, favourites)
	for _, x := range calls {
		if x.at >= rep.from && x.at <= rep.to && x.inst == inst {
			return report{}, false
		}
	}
	rep.institution = writtenByVictim(r, inst)
	rep.call = best(calls, &rep, func(*reporterCall) bool { return true })
	return rep, true
}

// unlinkedReport reports a number that was never called, or a time in which it was not.
func (t *truth) unlinkedReport(r *rng, calls []reporterCall, stranger bool) (report, bool) {
	if stranger {
		q := t.w.people.ukLand
		number := q.number(q.n + r.n64(q.capacity-q.n))
		at := callsFrom + r.n64(callsTo-callsFrom)
		rep := report{phone: spelledByVictim(r, number)}
		rep.window(r, at)
		rep.institution = writtenByVictim(r, pick(r, favourites))
		return rep, true
	}
	c := pick(r, calls)
	rep := t.reportOf(r, c)
	shift := int64(r.in(20, 60)) * daySeconds
	if rep.from-shift < opening {
		shift = -shift
	}
	rep.from, rep.to = settled(rep.from-shift, -1), settled(rep.to-shift, 1)
	for _, x := range calls {
		if x.at >= rep.from && x.at <= rep.to {
			return report{}, false
		}
	}
	inst := pick(r, favourites)
	if c.inst >= 0 {
		inst = c.inst
	}
	rep.institution = writtenByVictim(r, inst)
	return rep, true
}

// reportOf starts the report of a call: the telephone and the time.
func (t *truth) reportOf(r *rng, c reporterCall) report {
	rep := report{phone: spelledByVictim(r, t.w.people.number(c.person))}
	rep.window(r, c.at)
	return rep
}

// best is the id of the longest call, the earliest among equals, that lies in the report's
// time and fits.
func best(calls []reporterCall, rep *report, fits func(*reporterCall) bool) int64 {
	var top *reporterCall
	for k := range calls {
		c := &calls[k]
		if c.at >= rep.from && c.at <= rep.to && fits(c) && (top == nil || c.talk > top.talk) {
			top = c
		}
	}
	return top.id
}

// window is what the victim remembers of the time: the quarter of an hour, the day, the week.
func (rep *report) window(r *rng, at int64) {
	from, to := at-int64(r.in(1, 60))*60, at+int64(r.in(2, 60))*60
	switch r.n(10) {
	case 0, 1, 2, 3: // the whole day, as the victim's clock counts
		from = at - london(at)%daySeconds
		to = max(at+60, from+daySeconds-60)
	case 4:
		from, to = from-int64(r.in(1, 3))*daySeconds, to+int64(r.in(1, 3))*daySeconds
	}
	rep.from, rep.to = settled(from/60*60, -1), settled(to/60*60, 1)
	rep.reported = settled(rep.to+int64(r.in(1, 20*24))*3600, 1)
}

// settled moves a time out of the hours the London clock shows twice.
func settled(at int64, direction int64) int64 {
	if ambiguous(at) {
		return at + direction*3*3600
	}
	return at
}

// spelledByVictim is a British number as people write it into a form.
func spelledByVictim(r *rng, number int64) string {
	national := strconv.FormatInt(number%1e10, 10)
	switch r.n(8) {
	case 0:
		return "+" + strconv.FormatInt(number, 10)
	case 1:
		return "+44 " + national[:4] + " " + national[4:]
	case 2:
		return "0044" + national
	case 3, 4:
		return string(appendSpaced(nil, number))
	case 5:
		return "0" + national[:4] + "-" + national[4:]
	}
	return "0" + national
}

// writtenByVictim is the institution's name or one of its aliases, in any case.
func writtenByVictim(r *rng, inst int8) string {
	in := &institutions[inst]
	s := in.name
	if r.chance(600) {
		s = pick(r, in.aliases)
	}
	switch r.n(5) {
	case 0:
		return strings.ToLower(s)
	case 1:
		return strings.ToUpper(s)
	}
	return s
}

// dress invents the victim.
func (t *truth) dress(r *rng, rep *report) {
	rep.person = pick(r, firstNames) + " " + pick(r, lastNames)
	rep.postcode = "ZZ" + strconv.Itoa(r.in(1, 99)) + " " + strconv.Itoa(r.n(10)) + "ZZ"
	rep.born = fmt.Sprintf("%d-%02d-%02d", r.in(1931, 2002), r.in(1, 12), r.in(1, 28))
	rep.force = pick(r, []string{"Northshire", "Southshire", "Eastmoor", "Westvale", "Capital"})
	rep.narrative = pick(r, []string{
		"Caller said my account was at risk and asked me to move the money.",
		"They knew my name, \"very polite\", and had me read out the code.",
		"Was told not to hang up.\nSecond caller took over after ten minutes.",
		"Display showed the bank's number; I checked it on the card, it matched.",
		"",
	})
	rep.currency = "GBP"
	if rep.call == 0 && r.n(eurosOneInN) == 0 {
		rep.currency = "EUR"
	}
}

// lose gives every report its amount: log-normal, scaled to the published sums.
func (t *truth) lose(reports []report) {
	const sigma = 1.25
	for _, strict := range []bool{true, false} {
		var group []*report
		for k := range reports {
			if rep := &reports[k]; rep.strict == strict && rep.currency == "GBP" {
				group = append(group, rep)
			} else if rep.currency != "GBP" {
				rep.pence = 250_000
			}
		}
		want := otherLossPence * t.w.scale
		if strict {
			want = linkedLossPence * t.w.scale
		}
		r := key(t.w.seed, streamReport, -3)
		weights, sum := make([]float64, len(group)), 0.0
		for to, j := range r.shuffle(len(group)) {
			weights[to] = math.Exp(sigma * normalQuantile((float64(j)+0.5)/float64(len(group))))
			sum += weights[to]
		}
		for k, rep := range group {
			rep.pence = max(100, int64(want*weights[k]/sum))
			if k%4 == 0 { // people remember round sums
				rep.pence = max(100, rep.pence/10_000*10_000)
			}
		}
	}
}
