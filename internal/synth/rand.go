package synth

import (
	"math"
	"math/bits"
)

// rng is SplitMix64: two multiplications a draw, no allocation, and any number of
// independent streams, because a stream is named by what it is for (see key).
type rng struct{ s uint64 }

// stream names what a sequence of draws decides, so that no two decisions share a sequence.
type stream uint64

const (
	streamCallRoot stream = iota + 1
	streamCallOwn
	streamFailedRoot
	streamFailedOwn
	streamTime
	streamAccount
	streamPerson
	streamSpend
	streamPayment
	streamRate
	streamReporter
	streamReport
	streamUserRow
	streamSIP
	streamCampaign
	streamCallerID
	streamLog
	streamLogin
	streamSMS
	streamPoll
	streamPhonebook
	streamPhoneNumber
	streamPool
	streamRefill
	streamTrunk
	streamPlan
	streamPlanCall
	streamPlanScript
	streamOwnNumber
)

func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// key starts the stream of draws that belongs to (seed, purpose, id). Equal arguments give
// equal draws whatever was drawn before, so rows can be made in any order and by any worker.
func key(seed uint64, s stream, id int64) rng {
	return rng{mix(seed+uint64(s)*0xd1342543de82ef95) ^ mix(uint64(id)+0x9e3779b97f4a7c15)}
}

func (r *rng) next() uint64 {
	r.s += 0x9e3779b97f4a7c15
	return mix(r.s)
}

// n is a number in [0, k).
func (r *rng) n(k int) int {
	hi, _ := bits.Mul64(r.next(), uint64(k))
	return int(hi)
}

func (r *rng) n64(k int64) int64 {
	hi, _ := bits.Mul64(r.next(), uint64(k))
	return int64(hi)
}

// in is a number in [lo, hi].
func (r *rng) in(lo, hi int) int { return lo + r.n(hi-lo+1) }

// chance is true in perMille of 1000 draws.
func (r *rng) chance(perMille int) bool { return r.n(1000) < perMille }

// float is in the open interval (0, 1).
func (r *rng) float() float64 { return (float64(r.next()>>11) + 0.5) / (1 << 53) }

// pick is one element of list.
func pick[T any](r *rng, list []T) T { return list[r.n(len(list))] }

// normal is a draw from the standard normal distribution.
func (r *rng) normal() float64 { return normalQuantile(r.float()) }

func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// shuffle gives a permutation of 0..n-1.
func (r *rng) shuffle(n int) []int {
	p := make([]int, n)
	for i := range p {
		j := r.n(i + 1)
		p[i] = p[j]
		p[j] = i
	}
	return p
}

// alias is Walker's table: a weighted draw with one look-up.
type alias []aliasCell

type aliasCell struct {
	keep     uint32 // chance of own, of 2^32
	own, alt int32
}

// newAlias makes the table for ids with the given weights; nil when all weights are zero.
func newAlias(ids []int32, weights []float64) alias {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	if total <= 0 {
		return nil
	}
	n := len(ids)
	cells := make(alias, n)
	scaled := make([]float64, n)
	var small, large []int
	for i, w := range weights {
		scaled[i] = w / total * float64(n)
		cells[i] = aliasCell{keep: math.MaxUint32, own: ids[i], alt: ids[i]}
		if scaled[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		cells[s].keep = uint32(scaled[s] * math.MaxUint32)
		cells[s].alt = ids[l]
		scaled[l] -= 1 - scaled[s]
		if scaled[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return cells
}

func (a alias) pick(r *rng) int32 {
	x := r.next()
	c := &a[(x>>32)*uint64(len(a))>>32]
	if uint32(x) <= c.keep {
		return c.own
	}
	return c.alt
}
