package synth

import "math"

// world is everything that is decided before a row is written. Rows are functions of the
// world and their own ordinal.
type world struct {
	seed     uint64
	scale    float64
	people   *people
	rates    *rates
	accounts []account
	payments []payment
	logins   []alias // by week: who uses the panel

	campaignOwner []int32 // account of campaign id-1
	campaignTold  []int8  // the institution its text names, or -1
	plan          *plan

	answered, failed traffic
	repeatBack       int // a repeated call repeats one of this many calls before it
}

// traffic is the calls of one table.
type traffic struct {
	root, own stream
	curve     *curve
	uk, other []alias // by week: which account makes a call to the UK, or elsewhere
}

// At scale 1.
const (
	allAccounts   = 59_000
	allRows       = 70_000_000
	failedRows    = 24_000_000
	logRows       = 8_000_000
	loginRows     = 3_000_000
	pollRows      = 2_000_000
	smsRows       = 3_500_000
	adminPer10000 = 5 // share of the answered calls that are the operators' tests
)

// Shares of answered calls, in thousandths: to the UK; of those, to people who are kept in
// long calls; of those, the calls that are long; elsewhere, the calls that are long.
const (
	ukPerMille      = 350
	talkersPerMille = 200
	longPerMille    = 500
	longElsewhere   = 100
	repeatPerMille  = 250
)

// metShare is the part of the calls to the UK made by accounts that pass the policy met-2022.
const metShare = 0.57

func newWorld(seed uint64, scale float64) *world {
	w := &world{seed: seed, scale: scale, rates: newRates(seed), people: newPeople(seed, scale)}
	users := int(math.Round(allAccounts * scale))
	w.accounts = newAccounts(seed, scale, users, w.people)
	w.campaignOwner = assignCampaigns(w.accounts, seed)
	w.campaignTold = w.toldByCampaigns()
	w.payments = newPayments(seed, scale, w.accounts, w.rates)
	w.repeatBack = max(2, int(200*scale))

	weights := dayWeights(monthlyCalls)
	answered := 0.0
	for _, m := range monthlyCalls {
		answered += m * 1000 * scale
	}
	answered /= 1 - adminPer10000/10000.0
	uk, other := w.callers()
	w.answered = traffic{streamCallRoot, streamCallOwn, newCurve(seed, 2, weights, int64(math.Round(answered))), uk, other}
	w.failed = traffic{streamFailedRoot, streamFailedOwn, newCurve(seed, 3, weights, w.rows(failedRows)), uk, other}
	w.plan = newPlan(w)
	return w
}

// rows is a table's size at scale 1 brought to the world's scale.
func (w *world) rows(atScale1 float64) int64 { return int64(math.Round(atScale1 * w.scale)) }

// callers makes the weekly tables of who calls, and w.logins beside them.
func (w *world) callers() (uk, other []alias) {
	var ids, everyone []int32
	var ukW, otherW, all []float64
	for week := range weeks {
		ids, everyone = ids[:0], everyone[:0]
		ukW, otherW, all = ukW[:0], otherW[:0], all[:0]
		var met, rest float64
		for i := admins; i < len(w.accounts); i++ {
			a := &w.accounts[i]
			if a.registered < opening+int64(week+1)*7*daySeconds {
				everyone, all = append(everyone, int32(i)), append(all, 0.2+a.weight)
			}
			if a.weight == 0 || a.from > week*7+6 || a.to < week*7 {
				continue
			}
			toUK := 0.25
			switch a.country {
			case "GB":
				toUK = 0.75
			case "US":
				toUK = 0.12
			}
			ids = append(ids, int32(i))
			ukW, otherW = append(ukW, a.weight*toUK), append(otherW, a.weight*(1-toUK))
			if a.met {
				met += a.weight * toUK
			} else {
				rest += a.weight * toUK
			}
		}
		if met > 0 && rest > 0 {
			for k, i := range ids {
				if w.accounts[i].met {
					ukW[k] *= metShare / met
				} else {
					ukW[k] *= (1 - metShare) / rest
				}
			}
		}
		uk, other = append(uk, newAlias(ids, ukW)), append(other, newAlias(ids, otherW))
		w.logins = append(w.logins, newAlias(everyone, all))
	}
	return uk, other
}

// call is what the generator decided about one row of a call table.
type call struct {
	account int32
	at      int64
	region  region
	talker  bool  // the called person belongs to those kept in long calls
	person  int64 // who is called; -1 when what was dialled is no telephone number
	shown   rng   // the draws that decide what is presented
	own     rng   // the draws of this row alone

	ownNumber bool // what is presented is the account's own telephone
}

// call decides row i of the traffic. A quarter of the calls repeat one made minutes before:
// same account, same called person, same thing presented.
func (w *world) call(t *traffic, i int64) call {
	day := t.curve.day(i)
	c := call{at: t.curve.at(i, day), own: key(w.seed, t.own, i)}
	weekStart := t.curve.weekStart(day)
	root := i
	r := key(w.seed, t.root, root)
	for r.chance(repeatPerMille) {
		before := root - int64(1+r.n(w.repeatBack))
		if before < weekStart {
			break
		}
		root = before
		r = key(w.seed, t.root, root)
	}
	if root != i {
		day = t.curve.day(root)
	}
	r = key(w.seed, t.root, ^root)
	w.target(&r, &c)
	table := t.other
	if c.region == regionUK {
		table = t.uk
	}
	c.account = admins // the first customer, where nobody else is found
	for range 8 {
		k := table[day/7].pick(&r)
		if a := &w.accounts[k]; a.from <= day && day <= a.to {
			c.account = k
			break
		}
	}
	if r.n(10000) < adminPer10000 {
		c.account = int32(r.n(2))
	}
	c.shown = r
	return c
}

// target decides who is called.
func (w *world) target(r *rng, c *call) {
	p := w.people
	if r.chance(ukPerMille) {
		c.region = regionUK
		if r.chance(talkersPerMille) {
			c.talker = true
			if r.chance(p.talkMobilePerMille) {
				c.person = r.n64(p.talkMobile)
			} else {
				c.person = p.ukLand.first + r.n64(p.talkLand)
			}
			return
		}
		if q := p.ukMobile; r.n(100) < p.briefMobilePercent {
			if q.n > p.talkMobile {
				c.person = p.talkMobile + r.n64(q.n-p.talkMobile)
			} else {
				c.person = r.n64(q.n)
			}
			return
		}
		c.person = p.ukLand.first + p.talkLand + r.n64(p.ukLand.n-p.talkLand)
	} else {
		c.region = pick(r, otherRegions)
		q := p.foreign[c.region]
		c.person = q.first + r.n64(q.n)
	}
	if r.n(1000) < 2 {
		c.person = -1
	}
}

// otherRegions weighs the regions outside the UK: forty of a hundred calls go to the USA.
var otherRegions = []region{regionUS, regionUS, regionUS, regionUS, regionUS, regionUS, regionUS, regionUS,
	regionFR, regionFR, regionAU, regionAU, regionDE}

// noNumbers is what is dialled when it is no telephone number.
var noNumbers = []string{"*43", "s", "600", "1000", "h", "test", "echo"}

// talk is the measured length of an answered call in seconds: at most 60 unless long, with a
// crowd at the cut-off.
func (c *call) talk(r *rng) int64 {
	long := longElsewhere
	if c.region == regionUK {
		long = 0
		if c.talker {
			long = longPerMille
		}
	}
	isLong := r.chance(long)
	if r.n(100) < 3 {
		if isLong {
			return 61
		}
		return 59 + r.n64(2)
	}
	q := r.n(len(talkShape))
	if isLong {
		return 61 + talkShape[q]
	}
	return briefShape[q]
}

// briefShape holds the quantiles of the calls of a minute or less: many end at once.
var briefShape = func() (q [1024]int64) {
	for i := range q {
		q[i] = 1 + int64(60*math.Pow((float64(i)+0.5)/1024, 1.7))
	}
	return q
}()

// talkShape holds the quantiles of how much longer than a minute long calls are: half of
// them beyond two and a half minutes, a few beyond an hour.
var talkShape = func() (q [1024]int64) {
	for i := range q {
		z := normalQuantile((float64(i) + 0.5) / 1024)
		q[i] = min(7000, int64(110*math.Exp(1.1*z)))
	}
	return q
}()
