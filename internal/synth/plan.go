package synth

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// plan is what is planted beside the ordinary traffic, so that the truth of campaigns,
// passcode calls, script families and shared lists is known: its rows stand behind the
// ordinary ones of pkg_cdr, pkg_campaign, pkg_campaign_poll, pkg_campaign_poll_info and
// pkg_sms. Its calls lie outside the published year and reach nobody who reports a loss, so
// no figure of docs/figures.md depends on it, nor any ordinary row but how many numbers the
// target lists hold.
type plan struct {
	calls    []planCall // in order of time
	scripts  []planScript
	presses  []press
	texts    []planText
	lockstep [][]int32 // accounts that worked one list
	campaign int32     // the last campaign's number
}

// planCall is one planted call to a British landline.
type planCall struct {
	at, person    int64
	account, talk int32
	campaign      int32 // 0: none
	script        int32 // index of plan.scripts, -1: none
	shown         rng   // decides the number or name shown; equal ones show equal things
	want          grade
	inst          int8
	passcode      bool
}

// planScript is one recorded prompt.
type planScript struct {
	account int32
	family  int
	created int64
	text    string
	told    int8 // the institution it names, or -1
}

// press is one reading of keys by the prompt of a poll.
type press struct {
	at, person int64
	poll       int32 // index of plan.scripts
}

// planText is one text message.
type planText struct {
	at, person int64
	account    int32
	inst       int8
}

// At scale 1.
const (
	plannedCampaigns = 2_000
	plannedAgents    = 4_000 // long calls of people with keys pressed
	plannedSteady    = 20    // accounts that call evenly, week after week
)

// days on which a planted campaign may begin: before the published year and after it.
var plannedDays = [2][2]int{
	{60, int((callsFrom-opening)/daySeconds) - 10},
	{int((callsTo-opening)/daySeconds) + 2, serviceDay - 12},
}

// listing is a campaign's list of called people, shared in lockstep.
type listing struct {
	people []int64
	day    int
}

func newPlan(w *world) *plan {
	p := &plan{}
	n := max(6, int(plannedCampaigns*w.scale))
	for k := 0; k < n; k++ {
		r := key(w.seed, streamPlan, int64(k))
		l := w.listing(&r)
		if k%5 != 4 {
			p.run(w, &r, w.caller(&r, l.day), l, 1000)
			continue
		}
		// The same list, worked by several accounts within a day and a half.
		var group []int32
		for range r.in(2, 4) {
			a := w.caller(&r, l.day)
			if slices.Contains(group, a) {
				continue
			}
			group = append(group, a)
			p.run(w, &r, a, l, r.in(750, 950))
		}
		if len(group) > 1 {
			p.lockstep = append(p.lockstep, group)
		}
	}
	p.agents(w)
	p.steady(w)
	slices.SortStableFunc(p.calls, func(x, y planCall) int { return int(x.at - y.at) })
	slices.SortStableFunc(p.presses, func(x, y press) int { return int(x.at - y.at) })
	slices.SortStableFunc(p.texts, func(x, y planText) int { return int(x.at - y.at) })
	return p
}

// landline draws one of the people who are in short calls only: nobody of them reports.
func (w *world) landline(r *rng) int64 {
	q := w.people.ukLand
	return q.first + w.people.talkLand + r.n64(q.n-w.people.talkLand)
}

func (w *world) listing(r *rng) listing {
	days := plannedDays[r.n(2)]
	l := listing{day: r.in(days[0], days[1])}
	for range r.in(15, 120) {
		l.people = append(l.people, w.landline(r))
	}
	return l
}

// caller draws an account that calls around that day, but for the payers at the policy's cut-
// off: their equal ranks are ordered by long calls.
func (w *world) caller(r *rng, day int) int32 {
	for range 20 {
		k := w.answered.uk[day/7].pick(r)
		if a := &w.accounts[k]; a.from <= day && day+5 <= a.to && a.role != roleAdmin && a.edge == edgeNone {
			return k
		}
	}
	return admins
}

// run plants one campaign of an account, perMille of the list called, and sometimes the same
// again weeks later, which is a campaign of its own.
func (p *plan) run(w *world, r *rng, account int32, l listing, perMille int) {
	var scripts []int32
	family := r.n(len(families))
	how := r.n(10) // 0-3: one number; 4-7: an institution's numbers; 8, 9: a new number each call
	if how >= 8 || r.chance(600) {
		for range r.in(1, 3) {
			scripts = append(scripts, p.script(w, r, account, family, opening+int64(l.day)*daySeconds))
		}
	}
	inst := w.accounts[account].fav[r.n(3)]
	shown, want := *r, gradeU
	switch {
	case how < 4:
		want = []grade{gradeStar, gradeA, gradeB, gradeC, gradeX, gradeU}[r.n(6)]
	case how < 8:
		want = gradeA
	}
	for again := range 2 {
		p.campaign++
		at := opening + int64(l.day)*daySeconds + int64(r.in(9*3600, 14*3600))
		if perMille < 1000 {
			at += r.n64(86400) / 3600 * 3600 * int64(r.n(2)) // some begin the next day
		}
		pause := float64(r.in(15, 120)) // seconds between calls, on average
		parts := 1 + r.n(min(4, 1+len(l.people)/15))
		size := (len(l.people) + parts - 1) / parts
		for k, person := range l.people {
			if k > 0 && k%size == 0 {
				at += int64(daySeconds*(1+r.n(2))) - at%daySeconds + int64(r.in(9*3600, 14*3600))
			}
			if !r.chance(perMille) {
				continue
			}
			c := planCall{at: at, person: person, account: account, campaign: p.campaign, script: -1, shown: shown, want: want, inst: inst}
			if how >= 4 {
				c.shown = *r
				r.next()
				if how < 8 {
					c.want = []grade{gradeStar, gradeA, gradeB, gradeC}[r.n(4)]
				}
			}
			if len(scripts) > 0 {
				c.script = pick(r, scripts)
			}
			c.talk = int32(briefShape[r.n(len(briefShape))])
			at = p.answer(r, c, family) + 2 + int64(-pause*math.Log(r.float()))
		}
		l.day += r.in(12, 40)
		if again > 0 || !r.chance(150) || perMille < 1000 || !outsideYear(l.day) {
			return
		}
	}
}

func outsideYear(day int) bool {
	for _, d := range plannedDays {
		if day >= d[0] && day <= d[1] {
			return true
		}
	}
	return false
}

// answer plants a call and what belongs to it: keys pressed at its prompt, a call to the same
// person just before, a message just before. It gives the time of its end.
func (p *plan) answer(r *rng, c planCall, family int) int64 {
	f := &families[family]
	if c.script >= 0 && f.keys[1] > 0 && r.chance(450) {
		keys := r.in(f.keys[0], f.keys[1])
		if !f.passcode && r.chance(20) {
			keys = r.in(4, 5) // a long survey
		}
		c.passcode = f.passcode
		c.talk = int32(r.in(22, 110))
		if c.passcode && r.chance(500) {
			first := c
			first.talk, first.passcode = int32(r.in(5, 60)), false
			p.calls = append(p.calls, first)
			c.at += int64(first.talk) + r.n64(240) + 20
		}
		if c.passcode && r.chance(300) {
			p.texts = append(p.texts, planText{c.at - int64(r.in(60, 600)), c.person, c.account, c.inst})
		}
		p.press(r, &c, keys)
	}
	p.calls = append(p.calls, c)
	return c.at + int64(c.talk)
}

// press plants keys pressed during a call, one second or two apart.
func (p *plan) press(r *rng, c *planCall, keys int) {
	at := c.at + int64(c.talk)/3
	for range keys {
		at = min(at+int64(r.n(2)+1), c.at+int64(c.talk))
		p.presses = append(p.presses, press{at, c.person, c.script})
	}
}

// agents plants long calls of people, with keys pressed for reference numbers: no prompt, no
// campaign, no passcode pattern.
func (p *plan) agents(w *world) {
	if len(p.scripts) == 0 {
		return
	}
	for k := range int(max(8, plannedAgents*w.scale)) {
		r := key(w.seed, streamPlan, -1-int64(k))
		days := plannedDays[r.n(2)]
		day := r.in(days[0], days[1])
		c := planCall{at: opening + int64(day)*daySeconds + int64(r.in(9*3600, 18*3600)), person: w.landline(&r), account: w.caller(&r, day),
			talk: int32(r.in(200, 1500)), script: int32(r.n(len(p.scripts))), want: gradeA, shown: r}
		c.inst = w.accounts[c.account].fav[0]
		p.press(&r, &c, r.in(4, 8))
		c.script = -1
		p.calls = append(p.calls, c)
	}
}

// steady plants accounts that show one number evenly, five or six times an hour on every
// working day of a month: their ordinary rate, not a burst.
func (p *plan) steady(w *world) {
	for k := range int(max(1, plannedSteady*w.scale)) {
		r := key(w.seed, streamPlan, math.MinInt32-int64(k))
		days := plannedDays[r.n(2)]
		day := r.in(days[0], days[1]-30)
		account, shown := w.caller(&r, day), r
		for d := day; d < day+28; d++ {
			if d%7 > 4 {
				continue
			}
			at := opening + int64(d)*daySeconds + int64(r.in(9*3600, 10*3600))
			for range r.in(28, 36) {
				at += int64(r.in(480, 780))
				p.calls = append(p.calls, planCall{at: at, person: w.landline(&r), account: account, talk: int32(r.in(3, 55)),
					script: -1, shown: shown, want: gradeA, inst: w.accounts[account].fav[0]})
			}
		}
	}
}

// script makes a text of the family: names, amounts and references of its own; some are cut
// short or cut at the beginning, some hold the errors of a speech recogniser.
func (p *plan) script(w *world, r *rng, account int32, family int, created int64) int32 {
	f := &families[family]
	told := w.accounts[account].fav[r.n(3)]
	in := &institutions[told]
	text := strings.NewReplacer("%s", in.aliases[0], "%n", pick(r, firstNames), "%a", strconv.Itoa(r.in(40, 4999)), "%d", strconv.Itoa(r.in(1, 28)),
		"%p", strconv.FormatInt(442079460500+r.n64(500), 10)).Replace(f.text)
	words := strings.Fields(text)
	switch r.n(8) {
	case 0:
		words = words[len(words)*r.in(10, 35)/100:]
	case 1:
		words = words[:len(words)*r.in(65, 90)/100]
	case 2:
		for range 2 {
			words[r.n(len(words))] = pick(r, []string{"uh", "the", "there", "your", "and", "is"})
		}
	}
	text = strings.Join(words, " ")
	if len(text) > 200 { // the column's length
		text = strings.ToValidUTF8(text[:200], "")
	}
	if plain := strings.NewReplacer(".", "", ",", "", ":", "", "?", ""); !strings.Contains(f.text, "%s") || !strings.Contains(" "+plain.Replace(text)+" ", " "+in.aliases[0]+" ") {
		told = -1 // it never named one, or the name was cut off
	}
	p.scripts = append(p.scripts, planScript{account, family, created, text, told})
	return int32(len(p.scripts) - 1)
}

// family is one script, as its author wrote it: %s an institution, %n a name, %a an amount,
// %d a day, %p a telephone number. keys is how many keys it asks for, at least and at most.
type family struct {
	text     string
	keys     [2]int
	passcode bool
}

// families are the planted scripts. Several speak of the same thing in other words, or end in
// the same words: they are different scripts. The ordinary ones of names.go come after them.
var families = []family{
	{"Hello %n, this is %s calling about a payment of £%a to a new payee on your account. If you did not make it, enter the passcode from your text message followed by the hash key.", [2]int{6, 6}, true},
	{"This is the automated security line of %s. We have blocked a transaction of %a pounds. To cancel it, key in the six digit code we have just sent you.", [2]int{6, 8}, true},
	{"Important message from %s. Someone tried to log in to your online banking on the %dth. Please type your security number now to keep the account open.", [2]int{4, 6}, true},
	{"Welcome to %s card services. To verify that it is you, please enter the digits shown by your card reader, then wait while we check them.", [2]int{8, 8}, true},
	{"%s fraud prevention: %a pounds is leaving your account in Manchester. Press the numbers of your one time password after the tone to stop this.", [2]int{4, 8}, true},
	{"Hello, we are asking people in your area about their energy supplier. How satisfied are you from one to five? Please press a key now. It takes %d minutes.", [2]int{1, 3}, false},
	{"This is a short survey on behalf of %s. On a scale of one to nine, how likely are you to recommend us to a friend? Choose after the beep.", [2]int{1, 2}, false},
	{"The tax office has opened a case against %n for unpaid duties of £%a. An arrest warrant will be issued unless you press 1 to speak with an officer.", [2]int{1, 1}, false},
	{"Your broadband will be disconnected on the %dth because your router was used by criminals. Press 1 to speak with a technician, press 2 to lodge a complaint.", [2]int{1, 1}, false},
	{"We could not deliver your parcel because a customs charge of £%a is due. Press 1 to speak with an adviser or call us back on %p.", [2]int{1, 1}, false},
	{"Hello %n, I am calling from the accident claims helpline about your recent accident that was not your fault. You may be owed up to %a pounds.", [2]int{0, 0}, false},
	{"Your subscription will renew today and £%a will be taken from your bank card. To cancel and have the money returned, press 1 to speak with an adviser.", [2]int{1, 1}, false},
	{"This is a reminder from the surgery that %n has an appointment on the %dth. Please ring %p if you are not able to come.", [2]int{0, 0}, false},
	{"A grant of %a pounds for new windows and loft insulation is waiting for households in your street. Stay on the line to hear whether you qualify.", [2]int{0, 0}, false},
}

// plannedRow writes planted call c as row i of pkg_cdr.
func (w *world) plannedRow(b *block, i int64, c *planCall) {
	call := call{account: c.account, at: c.at, region: regionUK, person: c.person, own: key(w.seed, streamPlanCall, i)}
	w.answeredHead(b, i, &call)
	told := int8(-1)
	if c.script < 0 {
		b.null()
	} else {
		told = w.plan.scripts[c.script].told
		b.int(w.plan.campaignID(w, c.script))
	}
	shown := c.shown
	text, shows := presentAs(b.scratch[:0], c.want, c.inst, c.at, &shown, &call.own)
	call.ownNumber = w.accounts[c.account].showsOwn(shows)
	g, inst := w.accounts[c.account].worth(shows, told)
	b.scratch = text
	b.bytes(text)
	w.answeredTail(b, i, &call, int64(c.talk), g, inst)
}

// campaignID is the pkg_campaign.id of a planted script.
func (p *plan) campaignID(w *world, script int32) int64 {
	return int64(len(w.campaignOwner)) + int64(script) + 1
}

// plannedScriptRow writes script k as row i of pkg_campaign.
func (w *world) plannedScriptRow(b *block, i int64, k int) {
	s := &w.plan.scripts[k]
	b.begin()
	b.int(i + 1)
	b.int(int64(s.account) + 1)
	b.lit("1")
	b.str("run " + strconv.Itoa(k+1))
	b.plain("")
	b.time(s.created)
	b.time(s.created + 600)
	b.lit(zeroTime)
	b.str("")
	b.lit("0,0,1,30,0")
	b.buf = append(b.buf, "'sip|"...)
	b.buf = appendLine(b.buf, s.account)
	b.buf = append(b.buf, "','09:00:00','18:30:00',1,1,1,1,1,0,0,'','',1,0,0,1,"...)
	b.str(s.text)
	b.scripts = append(b.scripts, scriptFact{i + 1, s.family, s.told})
	b.lit("'','','',0,'',0")
	b.end()
}

// plannedPollRow writes the poll of script k as row i of pkg_campaign_poll: what its prompt
// does with the keys.
func (w *world) plannedPollRow(b *block, i int64, k int) {
	b.begin()
	b.int(i + 1)
	b.int(int64(w.plan.scripts[k].account) + 1)
	b.int(w.plan.campaignID(w, int32(k)))
	b.lit("'keys','','prompt.gsm',1,'Repeat','Agent','','','','','','','','',1,1,0")
	b.end()
}

// plannedPressRow writes key press k as row i of pkg_campaign_poll_info, one digit a row.
func (w *world) plannedPressRow(b *block, i int64, k int, polls int64) {
	x := &w.plan.presses[k]
	r := key(w.seed, streamPlanScript, int64(k))
	b.begin()
	b.int(i + 1)
	b.int(polls + int64(x.poll) + 1)
	b.int(r.n64(10))
	b.buf = append(b.buf, '\'')
	b.buf = strconv.AppendInt(b.buf, w.people.number(x.person), 10)
	b.buf = append(b.buf, '\'', ',')
	b.time(x.at)
	b.lit("NULL,''")
	b.end()
}

// plannedTextRow writes message k as row i of pkg_sms.
func (w *world) plannedTextRow(b *block, i int64, k int) {
	x := &w.plan.texts[k]
	b.begin()
	b.int(i + 1)
	b.int(int64(x.account) + 1)
	b.lit("44")
	b.time(x.at)
	b.buf = append(b.buf, '\'')
	b.buf = strconv.AppendInt(b.buf, w.people.number(x.person), 10)
	b.buf = append(b.buf, '\'', ',')
	b.str(strings.Replace(smsTexts[1], "%s", institutions[x.inst].aliases[0], 1))
	b.lit("1,0.04000")
	b.str(institutions[x.inst].aliases[0])
	b.lit("'OK'")
	b.end()
}

// followed gives a table's rows those of the plan behind its own.
func followed(t table, planned int, row func(b *block, i int64, k int)) table {
	own, first := t.row, t.rows
	t.rows += int64(planned)
	t.row = func(b *block, i int64) {
		if i < first {
			own(b, i)
		} else {
			row(b, i, int(i-first))
		}
	}
	return t
}
