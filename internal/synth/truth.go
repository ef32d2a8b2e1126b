package synth

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// truth gathers what the generator decided, in the order in which rows are written.
type truth struct {
	w       *world
	dir     string
	calls   *parquetFile
	logins  *parquetFile
	scripts *parquetFile
	people  []tally
	scratch []byte

	world, uk, long int64            // calls of the published year
	peopleLong      bitset           // people in long British calls of that year
	peopleToWarn    bitset           // mobiles among them, called by accounts that pass met-2022
	peopleLongWorld bitset           // people in long calls of that year, anywhere
	minutes         []uint32         // calls of user accounts by minute from the opening
	regions         map[string]int64 // calls of that year by country of the called number
	institutions    map[int8]int64   // calls of that year by institution named
	reporters       bitset           // people whose calls are kept for the reports
	reporterCalls   []reporterCall   // answered calls of user accounts to them
}

// tally sums the calls of user accounts to one person.
type tally struct{ calls, answered, long, talk uint32 }

// reporterCall is an answered call to somebody who may report a loss.
type reporterCall struct {
	fact
	id int64 // pkg_cdr.id
}

type bitset []uint64

func newBitset(n int64) bitset    { return make(bitset, (n+63)/64) }
func (b bitset) set(i int64)      { b[i>>6] |= 1 << (i & 63) }
func (b bitset) has(i int64) bool { return b[i>>6]>>(i&63)&1 == 1 }

// newTruth opens the truth files that are written beside the dump.
func newTruth(w *world, dir string) (*truth, error) {
	n := w.people.total
	t := &truth{w: w, dir: dir, people: make([]tally, n), peopleLong: newBitset(n), peopleToWarn: newBitset(n),
		peopleLongWorld: newBitset(n), minutes: make([]uint32, serviceDay*1440), regions: map[string]int64{}, institutions: map[int8]int64{}, reporters: newBitset(n)}
	t.chooseReporters()
	var err error
	if t.calls, err = newParquetFile(t.path("calls.parquet"),
		textColumn("call_id", false), textColumn("grade", true), textColumn("institution_id", true), boolColumn("own_number")); err != nil {
		return nil, err
	}
	t.logins, err = newParquetFile(t.path("sessions.parquet"),
		textColumn("session_ref", false), timeColumn("at"), boolColumn("ambiguous"))
	if err != nil {
		return nil, err
	}
	t.scripts, err = newParquetFile(t.path("scripts.parquet"), textColumn("script_id", false), intColumn("family"))
	return t, err
}

func (t *truth) path(name string) string { return filepath.Join(t.dir, "truth", name) }

// seeCalls books one block of a call table.
func (t *truth) seeCalls(b *block, answered bool) error {
	prefix := "failed:"
	if answered {
		prefix = "cdr:"
	}
	for k := range b.facts {
		f := &b.facts[k]
		id := b.lo + int64(k) + 1
		t.scratch = strconv.AppendInt(append(t.scratch[:0], prefix...), id, 10)
		t.calls.bytes(0, t.scratch)
		t.calls.text(1, gradeNames[f.grade])
		if f.inst < 0 {
			t.calls.null(2)
		} else {
			t.calls.text(2, institutions[f.inst].id)
		}
		t.calls.bool(3, f.own)
		if err := t.calls.row(); err != nil {
			return err
		}
		t.count(f, id, answered)
	}
	return nil
}

func (t *truth) count(f *fact, id int64, answered bool) {
	a := &t.w.accounts[f.account]
	a.calls++
	a.lastCall = max(a.lastCall, f.at)
	if a.role == roleAdmin {
		return
	}
	published := answered && f.at >= callsFrom && f.at < callsTo
	if answered {
		t.minutes[(f.at-opening)/60]++
	}
	if published {
		t.world++
		country := "unknown"
		if f.person >= 0 {
			country = regionNames[t.w.people.poolOf(f.person).region]
			if f.talk > 60 {
				t.peopleLongWorld.set(f.person)
			}
		}
		t.regions[country]++
		if f.grade <= gradeC {
			t.institutions[f.inst]++
		}
	}
	if f.person < 0 {
		return
	}
	p := &t.people[f.person]
	p.calls++
	if !answered {
		return
	}
	long := f.talk > 60
	p.answered++
	p.talk += uint32(f.talk)
	if long {
		p.long++
	}
	if !f.uk {
		return
	}
	if long {
		a.longUK++
	}
	if published {
		t.uk++
		if long {
			t.long++
			t.peopleLong.set(f.person)
			if a.met && f.person < t.w.people.ukMobile.n {
				t.peopleToWarn.set(f.person)
			}
		}
	}
	if t.reporters.has(f.person) {
		t.reporterCalls = append(t.reporterCalls, reporterCall{*f, id})
	}
}

func (b bitset) count() (n int64) {
	for _, w := range b {
		for ; w != 0; w &= w - 1 {
			n++
		}
	}
	return n
}

// seeLogins books one block of panel_login.
func (t *truth) seeLogins(b *block) error {
	for _, l := range b.logins {
		t.logins.text(0, strconv.FormatInt(l.id, 10))
		t.logins.time(1, l.at)
		t.logins.bool(2, l.ambiguous)
		if err := t.logins.row(); err != nil {
			return err
		}
	}
	return nil
}

// scriptFact is the truth of one row of pkg_campaign that holds a text.
type scriptFact struct {
	id     int64
	family int
	told   int8 // the institution it names, or -1
}

// seeScripts books one block of pkg_campaign.
func (t *truth) seeScripts(b *block) error {
	for _, s := range b.scripts {
		t.scripts.text(0, strconv.FormatInt(s.id, 10))
		t.scripts.int(1, int64(s.family))
		if err := t.scripts.row(); err != nil {
			return err
		}
	}
	return nil
}

// writePlan writes the truth of what was planted: the campaign of each planted call, whether
// it asked for a passcode and got one, and the accounts that worked one list.
func (t *truth) writePlan() error {
	f, err := newParquetFile(t.path("campaigns.parquet"), textColumn("call_id", false), textColumn("campaign_id", true), boolColumn("passcode"))
	if err != nil {
		return err
	}
	first := t.w.answered.curve.total() + 1
	for k := range t.w.plan.calls {
		c := &t.w.plan.calls[k]
		f.text(0, "cdr:"+strconv.FormatInt(first+int64(k), 10))
		if c.campaign == 0 {
			f.null(1)
		} else {
			f.text(1, strconv.Itoa(int(c.campaign)))
		}
		f.bool(2, c.passcode)
		if err := f.row(); err != nil {
			return err
		}
	}
	if err := f.close(); err != nil {
		return err
	}
	g, err := newParquetFile(t.path("lockstep.parquet"), intColumn("list"), textColumn("account_id", false))
	if err != nil {
		return err
	}
	for k, group := range t.w.plan.lockstep {
		for _, a := range group {
			g.int(0, int64(k+1))
			g.text(1, accountID(int(a)))
			if err := g.row(); err != nil {
				return err
			}
		}
	}
	return g.close()
}

// finish writes the truth that is known only when the dump is complete, and returns the
// figures.
func (t *truth) finish(sourceRows int64, reports []report) (map[string]float64, []string, error) {
	if err := t.calls.close(); err != nil {
		return nil, nil, err
	}
	if err := t.logins.close(); err != nil {
		return nil, nil, err
	}
	if err := t.scripts.close(); err != nil {
		return nil, nil, err
	}
	if err := t.writePlan(); err != nil {
		return nil, nil, err
	}
	if err := t.writeAccounts(); err != nil {
		return nil, nil, err
	}
	if err := t.writeVictims(); err != nil {
		return nil, nil, err
	}
	if err := t.writeReports(reports); err != nil {
		return nil, nil, err
	}
	suspects := t.suspects()
	figures := t.figures(sourceRows, reports, len(suspects))
	doc, err := json.MarshalIndent(struct {
		Scale    float64            `json:"scale"`
		Seed     uint64             `json:"seed"`
		Figures  map[string]float64 `json:"figures"`
		Suspects []string           `json:"suspects_met_2022"`
	}{t.w.scale, t.w.seed, figures, suspects}, "", "  ")
	if err != nil {
		return nil, nil, err
	}
	return figures, suspects, os.WriteFile(t.path("truth.json"), append(doc, '\n'), 0o666)
}

// suspects ranks the accounts that pass the policy met-2022.
func (t *truth) suspects() []string {
	var passed []int
	for i := range t.w.accounts {
		if t.w.accounts[i].met {
			passed = append(passed, i)
		}
	}
	slices.SortFunc(passed, func(i, j int) int {
		x, y := &t.w.accounts[i], &t.w.accounts[j]
		switch {
		case x.spend != y.spend:
			return int(y.spend - x.spend)
		case x.longUK != y.longUK:
			return int(y.longUK - x.longUK)
		}
		return strings.Compare(accountID(i), accountID(j))
	})
	ids := make([]string, len(passed))
	for k, i := range passed {
		ids[k] = accountID(i)
	}
	return ids
}

// regionNames are the countries of the regions.
var regionNames = [...]string{regionUK: "GB", regionUS: "US", regionFR: "FR", regionAU: "AU", regionDE: "DE"}

// busiest is the largest sum of the calls of the published year that fall into one span.
func (t *truth) busiest(span func(at int64) int64) float64 {
	sums := map[int64]int64{}
	most := int64(0)
	for k, n := range t.minutes {
		if at := opening + int64(k)*60; n > 0 && at >= callsFrom && at < callsTo {
			s := span(at)
			sums[s] += int64(n)
			most = max(most, sums[s])
		}
	}
	return float64(most)
}

// callsBetween counts the calls of a window.
func (t *truth) callsBetween(from, to int64) (sum int64) {
	for k, n := range t.minutes {
		if at := opening + int64(k)*60; at >= from && at < to {
			sum += int64(n)
		}
	}
	return sum
}

// groups gives the figures of one kind by key. Groups of fewer than five are put together, and
// the next larger ones with them until they are five.
func groups(out map[string]float64, name string, counts map[string]int64) {
	keys := slices.Collect(maps.Keys(counts))
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[a], counts[b]), strings.Compare(a, b))
	})
	sum := int64(0)
	for _, k := range keys {
		n := counts[k]
		if n < 5 || sum > 0 && sum < 5 {
			k = "other"
		}
		sum += n
		out[name+"."+k] += float64(n)
	}
}

// percent is a share with two decimals.
func percent(part, whole float64) float64 { return math.Round(100*part/whole*100) / 100 }

// figures computes every figure of docs/figures.md; money is in pounds or euros.
func (t *truth) figures(sourceRows int64, reports []report, suspects int) map[string]float64 {
	var gbp, eur, gbp16, eur20, lost, lostReports, linked, all int64
	week, ukUsers := 0, 0
	countries := map[string]int64{}
	for k := admins; k < len(t.w.accounts); k++ {
		a := &t.w.accounts[k]
		if a.registered >= utc(2022, 11, 1, 0) && a.registered < utc(2022, 11, 8, 0) {
			week++
		}
		if a.country == "GB" {
			ukUsers++
		}
		countries[cmp.Or(a.country, "unknown")]++
	}
	paying := map[int32]bool{}
	for k := range t.w.payments {
		p := &t.w.payments[k]
		if !p.completedBitcoin() {
			continue
		}
		if p.at >= revenue20From && p.at < revenue20To {
			gbp += worth(p.amount, t.w.rates.gbpOn(p.at))
			eur20 += worth(p.amount, t.w.rates.eurOn(p.at))
		}
		if p.at >= revenue16From && p.at < revenue16To {
			eur += worth(p.amount, t.w.rates.eurOn(p.at))
			gbp16 += worth(p.amount, t.w.rates.gbpOn(p.at))
		}
		paying[p.account] = true
	}
	for k := range reports {
		if r := &reports[k]; r.currency == "GBP" {
			lost += r.pence
			all += r.pence
			lostReports++
			if r.strict {
				linked += r.pence
			}
		} else {
			all += (r.pence*t.w.rates.euro[(r.from-firstRateDay)/daySeconds] + 5_000) / 10_000
		}
	}
	named := map[string]int64{}
	for k, n := range t.institutions {
		named[institutions[k].id] = n
	}
	months := map[string]int64{}
	for k, n := range t.minutes {
		if at := opening + int64(k)*60; n > 0 && at >= callsFrom && at < callsTo {
			months[time.Unix(london(at), 0).UTC().Format("2006-01")] += int64(n)
		}
	}
	longByCountry := map[string]int64{}
	for _, q := range t.w.people.pools {
		for v := range q.n {
			if t.peopleLongWorld.has(q.first + v) {
				longByCountry[regionNames[q.region]]++
			}
		}
	}
	users := float64(len(t.w.accounts) - admins)
	people := float64(t.peopleLong.count())
	known := len(t.regions)
	if t.regions["unknown"] > 0 {
		known--
	}
	figures := map[string]float64{
		"calls_world_june":         float64(t.callsBetween(utc(2021, 5, 31, 23), utc(2022, 6, 30, 23))),
		"calls_share_uk":           percent(float64(t.uk), float64(t.world)),
		"calls_share_us":           percent(float64(t.regions["US"]), float64(t.world)),
		"long_share_uk":            percent(float64(t.long), float64(t.uk)),
		"long_calls_per_number_uk": math.Round(float64(t.long)/people*100) / 100,
		"calls_per_minute_peak":    t.busiest(func(at int64) int64 { return at / 60 }),
		"calls_busiest_hour":       t.busiest(func(at int64) int64 { return at / 3600 }),
		"calls_busiest_day":        t.busiest(func(at int64) int64 { return london(at) / daySeconds }),
		"numbers_long_world":       float64(t.peopleLongWorld.count()),
		"countries_called":         float64(known),
		"accounts_uk":              float64(ukUsers),
		"accounts_new_week":        float64(week),
		"accounts_paying":          float64(len(paying)),
		"rows_per_account":         math.Round(float64(sourceRows)/users*100) / 100,
		"revenue_gbp_16_months":    float64(gbp16) / 100,
		"revenue_eur_20_months":    float64(eur20) / 100,
		"mean_loss_gbp":            math.Round(float64(lost)/float64(lostReports)) / 100,
		"reported_loss_all_gbp":    float64(all) / 100,
		"reports_per_100_numbers":  percent(float64(len(reports)), people),

		"accounts":                  float64(len(t.w.accounts) - admins),
		"source_rows":               float64(sourceRows),
		"calls_world":               float64(t.world),
		"calls_uk":                  float64(t.uk),
		"long_calls_uk":             float64(t.long),
		"people_long_calls_uk":      float64(t.peopleLong.count()),
		"calls_per_minute_mean":     math.Round(float64(t.world)/callsPeriodMinutes*10_000) / 10_000,
		"institutions_impersonated": float64(len(t.institutions)),
		"revenue_gbp_20_months":     float64(gbp) / 100,
		"revenue_eur_16_months":     float64(eur) / 100,
		"reports":                   float64(len(reports)),
		"reported_loss_gbp":         float64(lost) / 100,
		"reported_loss_linked_gbp":  float64(linked) / 100,
		"suspects_met_2022":         float64(suspects),
		"numbers_to_warn_uk":        float64(t.peopleToWarn.count()),
	}
	groups(figures, "calls_by_country", t.regions)
	groups(figures, "calls_by_institution", named)
	groups(figures, "numbers_long_by_country", longByCountry)
	groups(figures, "accounts_by_country", countries)
	groups(figures, "calls_by_month", months)
	return figures
}

func (t *truth) writeAccounts() error {
	f, err := newParquetFile(t.path("accounts.parquet"), textColumn("account_id", false), textColumn("role", true),
		textColumn("person_id", false), textColumn("country", true), intColumn("spend_gbp_minor"), boolColumn("met_2022"))
	if err != nil {
		return err
	}
	for i := range t.w.accounts {
		a := &t.w.accounts[i]
		f.text(0, accountID(i))
		f.text(1, a.role.String())
		f.text(2, a.personID())
		f.textOrNull(3, a.country)
		f.int(4, a.spend)
		f.bool(5, a.met)
		if err := f.row(); err != nil {
			return err
		}
	}
	return f.close()
}

func (t *truth) writeVictims() error {
	f, err := newParquetFile(t.path("victims.parquet"), intColumn("called_e164"), intColumn("calls"), intColumn("answered"),
		intColumn("long_calls"), intColumn("talk_s"))
	if err != nil {
		return err
	}
	for _, q := range t.w.people.pools {
		for v := range q.n {
			p := &t.people[q.first+v]
			if p.answered == 0 {
				continue
			}
			f.int(0, q.number(v))
			f.int(1, int64(p.calls))
			f.int(2, int64(p.answered))
			f.int(3, int64(p.long))
			f.int(4, int64(p.talk))
			if err := f.row(); err != nil {
				return err
			}
		}
	}
	return f.close()
}

func (t *truth) writeReports(reports []report) error {
	f, err := newParquetFile(t.path("reports.parquet"), textColumn("report_id", false),
		textColumn("call_id", false), boolColumn("strict"), boolColumn("loose"))
	if err != nil {
		return err
	}
	for k := range reports {
		r := &reports[k]
		f.text(0, r.id())
		if r.call == 0 {
			f.null(1)
		} else {
			f.text(1, "cdr:"+strconv.FormatInt(r.call, 10))
		}
		f.bool(2, r.strict)
		f.bool(3, r.call != 0)
		if err := f.row(); err != nil {
			return err
		}
	}
	return f.close()
}
