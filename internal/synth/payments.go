package synth

import (
	"math"
	"slices"
)

// payment is one row of pkg_cryptocurrency.
type payment struct {
	account int32
	at      int64
	coin    string
	status  int64 // 1 completed, 0 pending, 2 and 3 failed
	amount  int64 // of the coin, in units of 10^-8: satoshis for bitcoin
	pence   int64 // what the panel credits
	fixed   bool  // planted: its amount is not adjusted
	round   bool  // a whole number of fives of pounds
}

func (p *payment) completedBitcoin() bool { return p.coin == "BTC" && p.status == 1 }

// Revenue of scale 1 in pence, by the two published periods: GBP 3.2 M from December 2020 to
// July 2022 and EUR 3.7 M from July 2021 to October 2022. The spans between the periods'
// ends carry what makes both true.
var revenueSpans = []struct{ from, to, pence int64 }{
	{0, revenue16From, 45_000_000},
	{revenue16From, revenue20To, 275_000_000},
	{revenue20To, revenue16To, 41_300_000},
	{revenue16To, math.MaxInt64, 3_500_000},
}

// newPayments makes every payment in order of time and books what each account spent.
func newPayments(seed uint64, scale float64, accounts []account, q *rates) []payment {
	var list []payment
	for i := admins; i < len(accounts); i++ {
		a := &accounts[i]
		r := key(seed, streamPayment, int64(i))
		if a.edge != edgeNone {
			list = append(list, plantedPayments(&r, int32(i), a, q)...)
		} else if a.target > 0 {
			list = append(list, paymentsOf(&r, int32(i), a)...)
		}
	}
	slices.SortStableFunc(list, func(x, y payment) int {
		if x.at != y.at {
			return int(x.at - y.at)
		}
		return int(x.account - y.account)
	})
	adjust(list, scale)
	for k := range list {
		p := &list[k]
		if p.coin == "BTC" && !p.fixed {
			p.amount = satsWorth(p.pence, q.gbpOn(p.at))
			if spare := int64(k%7) * 13; k%3 == 0 { // people send round sums of bitcoin too
				p.amount += spare
			}
		}
		if p.completedBitcoin() {
			accounts[p.account].spend += worth(p.amount, q.gbpOn(p.at))
		}
	}
	for i := range accounts {
		a := &accounts[i]
		a.met = a.britishUser() && a.spend >= 10_000
	}
	return list
}

// moment is a time of day on which the account was active.
func (a *account) moment(r *rng) int64 {
	at := opening + int64(r.in(a.from, a.to))*daySeconds + r.n64(daySeconds)
	if r.chance(20) { // around midnight UTC, where the day of the rate changes
		at = at/daySeconds*daySeconds + r.n64(2)*(daySeconds-1)
	}
	return min(max(at, a.registered+60), closing-60)
}

// dayEnd is a midnight UTC near an instant, after the account's registration.
func (a *account) dayEnd(at int64) int64 {
	end := at / daySeconds * daySeconds
	if end-1800 < a.registered && end+daySeconds < closing {
		end += daySeconds
	}
	return end
}

// paymentsOf splits what an account is to spend into deposits, with failures among them.
func paymentsOf(r *rng, i int32, a *account) []payment {
	n := 1
	if a.target > 6000 {
		n += r.n(2 + int(min(40, a.target/12_000)))
	}
	shares := make([]float64, n)
	sum := 0.0
	for k := range shares {
		shares[k] = 0.3 + r.float()
		sum += shares[k]
	}
	var out []payment
	for _, s := range shares {
		p := payment{account: i, at: a.moment(r), coin: "BTC", status: 1, pence: max(100, int64(float64(a.target)*s/sum))}
		p.round = r.chance(400)
		out = append(out, p)
	}
	for r.chance(300) {
		p := payment{account: i, at: a.moment(r), coin: "BTC", status: pick(r, []int64{0, 0, 2, 3}), pence: int64(r.in(1000, 60_000))}
		out = append(out, p)
	}
	if r.chance(180) {
		p := payment{account: i, at: a.moment(r), coin: "LTC", status: 1, pence: int64(r.in(1000, 30_000))}
		p.amount = p.pence * 1_250_000 // a litecoin at GBP 80
		if r.chance(400) {
			p.coin, p.amount = "USDT", p.pence*1_300_000
		}
		out = append(out, p)
	}
	return out
}

// plantedPayments are the payments of an account at the cut-off.
func plantedPayments(r *rng, i int32, a *account, q *rates) []payment {
	var out []payment
	pay := func(at, pence, status int64) {
		price := q.gbpOn(at)
		p := payment{account: i, at: at, coin: "BTC", status: status, pence: pence, fixed: true}
		p.amount = satsWorth(pence, price)
		out = append(out, p)
	}
	at := a.moment(r)
	switch a.edge {
	case edgeExact, edgeReseller:
		pay(at, 10_000, 1)
	case edgePennyShort:
		pay(at, 9_999, 1)
	case edgeHalves:
		pay(at, 5_000, 1) // satsWorth gives the least amount that rounds to 5000: 49.995
		pay(a.moment(r), 5_000, 1)
	case edgeSplit:
		for range 4 {
			pay(a.moment(r), 2_500, 1)
		}
	case edgeOtherCoin:
		pay(at, 9_999, 1)
		out = append(out, payment{account: i, at: at + 60, coin: "LTC", status: 1, amount: 62_500_000, pence: 5_000, fixed: true})
	case edgePending:
		pay(at, 9_999, 1)
		pay(a.moment(r), 10_000, 0)
	case edgeFailed:
		pay(at, 25_000, 3)
	case edgeForeign:
		pay(at, 15_000, 1)
	case edgeByPhone:
		pay(at, 10_001, 1)
	case edgeMidnight:
		pay(a.dayEnd(at)-60, 10_000, 1)
	case edgeLate:
		pay(a.dayEnd(at)-1800, 10_000, 1)
	}
	return out
}

// adjust scales the deposits of each span to the revenue it is to have.
func adjust(list []payment, scale float64) {
	for _, span := range revenueSpans {
		var fixed, free int64
		in := func(p *payment) bool { return p.at >= span.from && p.at < span.to && p.completedBitcoin() }
		for k := range list {
			if p := &list[k]; in(p) && p.fixed {
				fixed += p.pence
			} else if in(p) {
				free += p.pence
			}
		}
		want := max(0, float64(span.pence)*scale-float64(fixed))
		if free == 0 || want == 0 {
			continue
		}
		f := want / float64(free)
		for k := range list {
			if p := &list[k]; in(p) && !p.fixed {
				p.pence = max(100, int64(float64(p.pence)*f))
				if p.round && p.pence > 1000 {
					p.pence = (p.pence + 250) / 500 * 500
				}
			}
		}
	}
}
