package mapping

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/profile"
)

// slot is one meaning that a column of a table can have.
type slot struct {
	name   string
	fits   []pattern
	not    string                              // words a name must not have
	values func(c *profile.Column) float64     // how well the values fit, 0 to 1; nil: any
	needs  float64                             // values that fit less than this rule the column out; 0: 0.2
	prefer func(c *profile.Column) (x float64) // added where a choice is left
}

// found is a column taken for a slot.
type found struct {
	column *profile.Column
	conf   float64
	why    string
}

// threshold is the confidence below which a proposal says nothing.
const threshold = 0.5

func phones(c *profile.Column) float64 { return c.Has(profile.E164, profile.National, profile.SIP) }
func instants(c *profile.Column) float64 {
	if c.IsTime() {
		return 1
	}
	return c.Has(profile.DateTime, profile.DateTimeZone, profile.EpochS, profile.EpochMS, profile.EpochUS, profile.Date)
}
func exact(c *profile.Column) float64 { // epochs and times with a zone leave no question of the clock
	if c.Type == "TIMESTAMP WITH TIME ZONE" || c.Has(profile.EpochS, profile.EpochMS, profile.EpochUS, profile.DateTimeZone) > 0.9 {
		return 0.05
	}
	return 0
}
func lasting(c *profile.Column) float64 {
	if !c.IsNumber() {
		return 0
	}
	return c.Has(profile.Seconds)
}
func codes(c *profile.Column) float64 {
	switch {
	case c.Codes != nil:
		return 1
	case c.Distinct <= 64:
		return 0.6
	}
	return 0.1
}
func amounts(c *profile.Column) float64 {
	switch {
	case strings.HasPrefix(c.Type, "DECIMAL"), c.Type == "DOUBLE", c.Type == "FLOAT":
		return 1
	}
	return c.Has(profile.Money) + 0.7*c.Has(profile.Integer)
}
func namesOf(c *profile.Column) float64 { return c.Has(profile.Words, profile.Text) }

var presentedValues = func(c *profile.Column) float64 { // bare names and "anonymous" are presented too
	return min(1, c.Has(profile.E164, profile.National, profile.CallerID, profile.SIP)+0.5*c.Has(profile.Words))
}

var callSlots = []slot{
	{name: "called", values: phones, not: "channel context country provider rate sub ip domain name id type group cost trunk region prefix port caller",
		fits: patterns("called station=1; called number=1; called=.97; destination number=.98; destination=.88; to number=.85; b number=.92; target number=.85; target=.65; to user=.85; to uri=.85; to=.6; ruri user=.7; dnid=.55")},
	{name: "presented", values: presentedValues, not: "name ip channel id context type domain port group country restrict presentation",
		fits: patterns("callerid=1; callerid number=1; presented number=1; presented callerid=1; presented=.95; caller number=.92; calling number=.93; calling party=.9; calling party number=.95; from number=.8; source=.74; source number=.72; a number=.9; anumber=.9; ani=.62; from user=.65; from uri=.65; from=.55; caller=.75; signal bond=.3; sender number=.7")},
	{name: "presented_name", values: namesOf, needs: 0.1, not: "ip channel domain user host", fits: patterns("callerid name=1; source callerid name=.95; caller name=.92; presented name=1; display name=.8; from name=.8; calling name=.9")},
	{name: "received", values: phones, needs: 0.5, not: "name ip channel context type domain port", fits: patterns("source=.72; source number=.9; ani=.85; received callerid=1; network callerid=.9; number source=.9; incoming number=.7; callerid ani=.85")},
	{name: "account", not: "plan group prefix trunk server campaign peer tariff did level type status number domain parent",
		fits: patterns("user id=.97; card id=.95; account id=.97; account code=.96; account=.9; customer id=.95; username=.75; customer=.8; user=.75; sip user=.6; auth user=.7; billing account=.8; user uuid=.9; account uuid=.9"), values: func(c *profile.Column) float64 {
			if c.Has(profile.E164, profile.CallerID, profile.Text, profile.IP) > 0.5 || c.IsTime() {
				return 0
			}
			return 1
		}},
	{name: "started", values: instants, needs: 0.8, prefer: exact, not: "end answer last update modified expire birth progress",
		fits: patterns("start time=.97; start=.95; start epoch=.98; start epoch time=.98; call date=.93; start date=.92; setup time=.85; invite time=.8; time start=.97; date=.62; time=.72; call time=.9; event time=.7; created=.55; created time=.6; created date=.6; date time=.72; start uepoch=.7")},
	{name: "answered", values: instants, needs: 0.8, prefer: exact, not: "last update wait total", fits: patterns("answer time=.97; answer=.95; answer epoch=.98; connect time=.85; connected time=.85; answer date=.92")},
	{name: "ended", values: instants, needs: 0.8, prefer: exact, not: "last update", fits: patterns("end time=.97; end=.95; end epoch=.98; hangup time=.92; end date=.92")},
	{name: "talk", values: lasting, needs: 0.8, not: "rate cost buy block wait hold queue ring progress",
		fits: patterns("bill seconds=.97; bill sec=.97; talk time=.98; talk seconds=.98; talk=.9; real session time=.99; answer seconds=.85; conversation time=.9; session time=.78; duration=.72; duration seconds=.74; call duration=.74; seconds=.6; bill duration=.8; connected seconds=.8")},
	{name: "total", values: lasting, needs: 0.8, not: "rate cost buy block wait hold queue ms real", fits: patterns("duration=.9; duration seconds=.92; total seconds=.8; total duration=.92; elapsed=.7; session time=.5")},
	{name: "outcome", values: codes, not: "last update sip to from rtp user", fits: patterns("hangup=.95; hangup cause=.94; terminate cause=.95; terminate cause id=.95; outcome=1; call status=.85; status=.65; result=.6; cause=.7; cause code=.75; answer status=.8; dial status=.9; sip code=.8; response code=.7; call result=.8")},
	{name: "cost", values: amounts, not: "buy agent real provider rate", fits: patterns("session bill=.95; cost=.85; price=.75; charge=.8; bill amount=.85; sell cost=.85; amount=.6; call cost=.95; bill=.6")},
	{name: "currency", values: func(c *profile.Column) float64 { return c.Has(profile.Currency) }, needs: 0.5, fits: patterns("currency=1; currency code=1")},
	{name: "trunk", not: "group rate callerid", fits: patterns("trunk id=.95; trunk=.9; gateway=.8; gateway name=.8; gateway id=.8; carrier=.75; carrier id=.8; provider id=.6")},
	{name: "call_id", fits: patterns("unique id=.95; uuid=.95; xml uuid=.9; id=.9; call id=.95; session id=.6; uid=.8"), not: "user account card bleg customer core link domain trunk leg", values: func(c *profile.Column) float64 {
		if c.Unique {
			return 1
		}
		return 0
	}, needs: 0.9},
	{name: "script_id", fits: patterns("campaign id=.9; broadcast uuid=.9; broadcast id=.9"), not: "group config"},
	{name: "recording", fits: patterns("recording file=.95; recording path=.9; recording=.8; recording name=.85; monitor file=.8"), values: func(c *profile.Column) float64 {
		return c.Has(profile.Audio, profile.Words, profile.URL, profile.Text)
	}},
	{name: "upstream_ip", values: func(c *profile.Column) float64 { return c.Has(profile.IP) }, needs: 0.5, not: "nas local server",
		fits: patterns("network ip=.9; network addr=.9; network address=.9; remote media ip=.8; source ip=.9; ip=.7; from ip=.8; remote ip=.9; user ip=.9; customer ip=.9; peer ip=.8; sip ip=.8")},
}

// assign gives each slot the column that fits it best, best fits first; a column has one
// meaning. Columns in taken are left out.
func assign(t *profile.Table, slots []slot, taken map[string]bool) map[string]found {
	type candidate struct {
		slot  string
		rank  float64
		order int
		found
	}
	var list []candidate
	for i := range t.Columns {
		c := &t.Columns[i]
		if taken[c.Name] {
			continue
		}
		name := words(c.Name)
		for n, s := range slots {
			f, by := fit(name, s.fits)
			if f <= 0 || s.not != "" && hasAny(name, s.not) {
				continue
			}
			value, said := 0.6, "no value to test"
			if c.Filled() {
				value, said = 1, "values not tested"
				if s.values != nil {
					value = s.values(c)
					said = fmt.Sprintf("%.0f %% of its values fit", 100*value)
				}
				needs := s.needs
				if needs == 0 {
					needs = 0.2
				}
				if s.values != nil && value < needs {
					continue
				}
			}
			conf := f * (0.55 + 0.45*value)
			if conf < threshold {
				continue
			}
			rank := conf
			if s.prefer != nil {
				rank += s.prefer(c)
			}
			list = append(list, candidate{s.name, rank, n, found{c, math.Round(conf*100) / 100, fmt.Sprintf("its name says %q; %s", by, said)}})
		}
	}
	sort.SliceStable(list, func(i, j int) bool {
		if list[i].rank != list[j].rank {
			return list[i].rank > list[j].rank
		}
		return list[i].order < list[j].order
	})
	got, used := map[string]found{}, map[string]bool{}
	for _, c := range list {
		if _, ok := got[c.slot]; ok || used[c.column.Name] {
			continue
		}
		got[c.slot], used[c.column.Name] = c.found, true
	}
	return got
}
