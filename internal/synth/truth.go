package synth

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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

	world, uk, long int64          // calls of the published year
	peopleLong      bitset         // people in long British calls of that year
	peopleToWarn    bitset         // mobiles among them, called by accounts that pass met-2022
	institutions    map[int8]int64 // calls of that year by institution named
	reporters       bitset         // people whose calls are kept for the reports
	reporterCalls   []reporterCall // answered calls of user accounts to them
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
		institutions: map[int8]int64{}, reporters: newBitset(n)}
	t.chooseReporters()
	var err error
	if t.calls, err = newParquetFile(t.path("calls.parquet"),
		textColumn("call_id", false), textColumn("grade", true), textColumn("institution_id", true)); err != nil {
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
	if published {
		t.world++
		if f.inst >= 0 {
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

// figures computes every figure of docs/figures.md; money is in pounds or euros.
func (t *truth) figures(sourceRows int64, reports []report, suspects int) map[string]float64 {
	var gbp, eur, lost, linked int64
	for k := range t.w.payments {
		p := &t.w.payments[k]
		if !p.completedBitcoin() {
			continue
		}
		if p.at >= revenue20From && p.at < revenue20To {
			gbp += worth(p.amount, t.w.rates.gbpOn(p.at))
		}
		if p.at >= revenue16From && p.at < revenue16To {
			eur += worth(p.amount, t.w.rates.eurOn(p.at))
		}
	}
	for k := range reports {
		if r := &reports[k]; r.currency == "GBP" {
			lost += r.pence
			if r.strict {
				linked += r.pence
			}
		}
	}
	return map[string]float64{
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
