package synth

import "math"

// rates holds the price of one bitcoin in pence and in euro cents, and of one euro in
// hundredths of a penny, for every UTC day from firstRateDay. The prices are invented: a smooth
// line with noise.
type rates struct{ gbp, eur, euro []int64 }

func newRates(seed uint64) *rates {
	// Thousands of pounds on the first of each month from November 2020.
	anchors := []float64{11, 15, 21, 26, 34, 42, 40, 26, 24, 30, 34, 33, 45, 43, 34, 29, 32, 34, 30, 25, 16, 19, 17.5, 17.2, 17.8, 15, 15}
	q := &rates{gbp: make([]int64, rateDays), eur: make([]int64, rateDays), euro: make([]int64, rateDays)}
	noise, cross := 0.0, 0.0
	for d := range q.gbp {
		r := key(seed, streamRate, int64(d))
		noise = 0.85*noise + 0.02*r.normal()
		cross = 0.97*cross + 0.0012*r.normal()
		x := float64(d) / 30.44
		k := min(int(x), len(anchors)-2)
		price := (anchors[k] + (anchors[k+1]-anchors[k])*(x-float64(k))) * 1000 * math.Exp(noise)
		q.gbp[d] = int64(price * 100)
		q.eur[d] = int64(price * 100 * (1.17 + cross))
		q.euro[d] = int64(10_000 / (1.17 + cross))
	}
	return q
}

// worth is the value in minor units of sats bitcoin at a price, rounded half up.
func worth(sats, price int64) int64 { return (sats*price + 50_000_000) / 100_000_000 }

func (q *rates) gbpOn(at int64) int64 { return q.gbp[(at-firstRateDay)/daySeconds] }
func (q *rates) eurOn(at int64) int64 { return q.eur[(at-firstRateDay)/daySeconds] }

// satsWorth is the smallest amount of bitcoin worth at least pence at a price.
func satsWorth(pence, price int64) int64 { return (pence*100_000_000 - 50_000_000 + price - 1) / price }
