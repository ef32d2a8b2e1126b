package synth

import (
	"fmt"
	"math"
	"strconv"
)

type role uint8

const (
	roleUser role = iota
	roleReseller
	roleAdmin
)

func (r role) String() string { return [...]string{"user", "reseller", "admin"}[r] }

// admins is how many accounts at the head of pkg_user belong to the operators.
const admins = 3

// account is one row of pkg_user and what is true of it.
type account struct {
	role   role
	group  int64 // pkg_group_user.id
	parent int64 // pkg_user.id of the reseller or administrator above it
	person int32 // index of the person's first account

	country     string // as the account shows it: by claim, else by telephone; empty when it shows none
	claimed     string // pkg_user.country
	claimedNull bool
	phone       string
	mobile      string
	ownNumber   int64 // the one in phone or mobile, 0 when none
	email       string
	username    string
	first, last string
	ip          int32 // home address, as an offset in the range of documentation addresses

	registered int64 // UTC
	from, to   int   // days of activity, inclusive; from > to when it never called
	weight     float64
	fav        [3]int8 // British institutions it likes to present
	target     int64   // pence of bitcoin it is to spend; 0 for most
	edge       edge
	campaign   int64 // first pkg_campaign.id, 0 when none
	campaigns  int64

	spend    int64 // pence: completed bitcoin payments, each at its day's rate
	met      bool  // passes the policy met-2022
	longUK   int64 // long answered calls to the UK
	lastCall int64
	calls    int64
}

func (a *account) pays() bool { return a.target > 0 || a.edge != edgeNone }

// country describes where users come from and how they write it.
type country struct {
	iso      string
	perMille int      // share of users
	spelled  []string // spellings of docs/formats/seizure.md: name, ISO codes, calling code
	phone    region
	hasPhone bool // numbers reserved for fiction exist
}

var countries = []country{
	{"GB", 380, []string{"United Kingdom", "united kingdom", "UNITED KINGDOM", "GB", "gb", "GBR", "gbr", "44"}, regionUK, true},
	{"US", 220, []string{"United States", "US", "USA", "usa", "1", "united states"}, regionUS, true},
	{"FR", 60, []string{"France", "FR", "FRA", "33"}, regionFR, true},
	{"DE", 55, []string{"Germany", "DE", "deu", "49"}, regionDE, true},
	{"AU", 45, []string{"Australia", "AU", "AUS", "61"}, regionAU, true},
	{"NL", 70, []string{"Netherlands", "NL", "NLD", "31"}, 0, false},
	{"NG", 50, []string{"Nigeria", "NG", "NGA", "234"}, 0, false},
	{"IN", 45, []string{"India", "IN", "IND", "91"}, 0, false},
	{"RO", 35, []string{"Romania", "RO", "ROU", "40"}, 0, false},
	{"IE", 40, []string{"Ireland", "IE", "IRL", "353"}, 0, false},
}

// unreadable claims tell no country.
var unreadableClaims = []string{"NULL", "", "", "Narnia", "n/a", "-"}

// edge is a payer planted at the cut-off of the policy met-2022.
type edge uint8

const (
	edgeNone       edge = iota
	edgeExact           // GBP 100.00 in one payment: passes
	edgePennyShort      // GBP 99.99: fails
	edgeHalves          // two payments worth 49.995 each: rounded one by one they make 100.00
	edgeSplit           // 100.00 in four payments
	edgeOtherCoin       // 99.99 in bitcoin and 50 in litecoin: fails
	edgePending         // 99.99 completed and 100 pending: fails
	edgeFailed          // only a failed payment of 250: fails
	edgeForeign         // 150.00, claims the United States with a British telephone: fails
	edgeByPhone         // 100.01, no readable claim, British telephone: passes
	edgeReseller        // 100.00, a reseller: passes
	edgeMidnight        // 100.00 paid one minute before midnight UTC
	edgeLate            // 100.00 paid at 23:30 UTC, in summer the next day in London
	edgeCount
)

// newAccounts makes the operators and users registered accounts.
func newAccounts(seed uint64, scale float64, users int, p *people) []account {
	list := make([]account, admins+users)
	for i := range admins {
		a := &list[i]
		*a = account{role: roleAdmin, group: 1, parent: 1, person: int32(i), country: "GB", claimed: "United Kingdom",
			username: []string{"root", "support1", "night"}[i], first: "Panel", last: "Operator", registered: opening,
			from: 0, to: serviceDay - 1, ip: int32(i)}
		a.email = a.username + "@panel.example"
		a.ownNumber = p.users.number(int64(i))
		a.phone = "+" + strconv.FormatInt(a.ownNumber, 10)
	}
	signups := newCurve(seed, 1, dayWeights(monthlySignups), int64(users))
	spends := newSpends(seed, scale, users)
	for k := range users {
		i := admins + k
		a := &list[i]
		day := signups.day(int64(k))
		a.registered = signups.at(int64(k), day)
		r := key(seed, streamAccount, int64(i))
		a.describe(&r, i, day)
		a.belong(seed, list, i)
		a.locate(&r, p, int64(i))
		a.target = spends[k]
		if k == 0 {
			// The first customer stays throughout, so that every day has somebody.
			a.target, a.registered, day = max(a.target, 40_000), opening, 0
			a.role, a.group = roleUser, 3
		} else if k%50 == 7 {
			a.plant(edge(1+(k/50)%int(edgeCount-1)), &r, p, int64(i))
		}
		a.live(&r, day)
		if k == 0 {
			a.from, a.to = 0, serviceDay-1
		}
	}
	assignParents(list)
	return list
}

// newSpends decides which of the users pay and how much, in pence: a fifth do, and their
// spending is log-normal. Quantiles are dealt out rather than drawn, so that a small world
// has the same shape as a large one.
func newSpends(seed uint64, scale float64, users int) []int64 {
	spends := make([]int64, users)
	r := key(seed, streamSpend, 0)
	order := r.shuffle(users)
	payers := max(2, users*21/100)
	const sigma, median = 1.35, 11_800.0
	for j, k := range order[:payers] {
		z := normalQuantile((float64(j) + 0.5) / float64(payers))
		spends[k] = max(500, int64(median*math.Exp(sigma*z)))
	}
	return spends
}

// describe invents the person's name, handle and address.
func (a *account) describe(r *rng, i, day int) {
	a.person = int32(i)
	a.group = int64(3 + r.n(2)) // Client or VIP Client
	if r.chance(12) {
		a.role, a.group = roleReseller, 2
	}
	a.first, a.last = pick(r, firstNames), pick(r, lastNames)
	a.username = pick(r, nickNames) + strconv.Itoa(i+1000)
	a.email = a.username + "@" + pick(r, []string{"example.com", "example.org", "example.net", "mail.example"})
	a.ip = int32(r.n(120_000))
	for f := range a.fav {
		a.fav[f] = pick(r, favourites)
	}
}

// belong decides whether the account is another one of an earlier person, and what of that
// person it shows again: e-mail, home address, or (later) telephone.
func (a *account) belong(seed uint64, list []account, i int) {
	r := key(seed, streamPerson, int64(i))
	if i < admins+3 || !r.chance(80) {
		return
	}
	back := int(float64(i-admins) * math.Pow(r.float(), 3))
	other := &list[max(admins, i-1-back)]
	a.person = other.person
	switch r.n(3) {
	case 0:
		a.email = other.email
	case 1:
		a.ip = other.ip
	default:
		a.email, a.ip = other.email, other.ip
	}
	if r.chance(500) {
		a.first, a.last = other.first, other.last
	}
}

// locate decides the country the account shows, and how.
func (a *account) locate(r *rng, p *people, i int64) {
	x, c := r.n(1000), 0
	for x >= countries[c].perMille && c < len(countries)-1 {
		x -= countries[c].perMille
		c++
	}
	from := &countries[c]
	a.country = from.iso
	claims := !from.hasPhone || r.chance(780)
	phones := from.hasPhone && (!claims || r.chance(800))
	if claims {
		a.claimed = pick(r, from.spelled)
	} else {
		a.claimed = pick(r, unreadableClaims)
		a.claimedNull = r.chance(250)
		if r.chance(30) {
			phones, a.country = false, ""
		}
	}
	if phones {
		a.showPhone(r, p, from.phone, int64(a.person))
	}
}

// showPhone writes the person's own telephone of a region into one of the two columns.
func (a *account) showPhone(r *rng, p *people, reg region, person int64) {
	q := p.users
	if reg != regionUK {
		q = p.foreign[reg]
	}
	n := q.number(person * 7919 % q.capacity)
	if k := int64(len(usNumbers)); reg == regionUS {
		n = usNumbers[person%k].first + person/k%100
	}
	a.ownNumber = n
	s := "+" + strconv.FormatInt(n, 10)
	switch x := r.n(10); {
	case reg == regionUK && x < 4:
		s = "0" + strconv.FormatInt(n%1e10, 10)
	case reg == regionUK && x < 5:
		s = string(appendSpaced(nil, n))
	case x < 6:
		s = "00" + s[1:]
	case x < 7:
		s = s[1:]
	}
	if a.phone = s; r.chance(250) {
		a.phone, a.mobile = "", s
	}
}

// plant makes the account a payer at the cut-off.
func (a *account) plant(e edge, r *rng, p *people, i int64) {
	a.edge, a.target, a.role, a.group = e, 0, roleUser, 3
	a.country, a.claimed, a.claimedNull = "GB", "United Kingdom", false
	switch e {
	case edgeForeign:
		a.country, a.claimed = "US", "United States"
		a.showPhone(r, p, regionUK, int64(a.person))
	case edgeByPhone:
		a.claimed = "NULL"
		a.showPhone(r, p, regionUK, int64(a.person))
	case edgeReseller:
		a.role, a.group = roleReseller, 2
	}
}

// live decides when and how much the account calls.
func (a *account) live(r *rng, day int) {
	a.from, a.to = min(serviceDay-1, day+1+r.n(4)), -1
	noise := math.Exp(0.6 * r.normal())
	switch {
	case a.edge != edgeNone:
		a.to, a.weight = a.from+r.in(20, 300), 40*noise
	case a.target > 0:
		a.to = a.from + 10 + int(-150*math.Log(r.float()))
		a.weight = math.Pow(float64(a.target)/100, 0.8) * noise
	case r.chance(300): // tried it on the house
		a.to, a.weight = a.from+r.n(6), 0.8*noise
	}
	a.to = min(a.to, serviceDay-1)
}

func assignParents(list []account) {
	var resellers []int
	for i := range list {
		a := &list[i]
		if a.role == roleUser && len(resellers) > 0 && i%9 == 0 {
			a.parent = int64(resellers[i%len(resellers)] + 1)
			continue
		}
		a.parent = 1
		if a.role == roleReseller {
			resellers = append(resellers, i)
		}
	}
}

// assignCampaigns gives payers their campaigns and returns whose each is.
func assignCampaigns(list []account, seed uint64) (owner []int32) {
	for i := admins; i < len(list); i++ {
		a := &list[i]
		if !a.pays() {
			continue
		}
		r := key(seed, streamCampaign, -int64(i))
		a.campaign, a.campaigns = int64(len(owner)+1), int64(r.in(1, 4))
		for range a.campaigns {
			owner = append(owner, int32(i))
		}
	}
	return owner
}

// accountID is pkg_user.id as text.
func accountID(i int) string { return strconv.Itoa(i + 1) }

func (a *account) personID() string { return fmt.Sprintf("P%06d", a.person+1) }

// britishUser is the first half of the policy met-2022.
func (a *account) britishUser() bool { return a.role != roleAdmin && a.country == "GB" }
