package synth

import (
	"math"
	"sort"
	"time"
)

// The service opened on 1 December 2020 and its server was seized in the morning of
// 8 November 2022. Days are UTC days counted from the opening.
const (
	daySeconds = 86400
	serviceDay = 708 // days from opening to seizure, the last one cut at six in the morning
	weeks      = (serviceDay + 6) / 7
)

var (
	opening = utc(2020, 12, 1, 0)
	closing = utc(2022, 11, 8, 6)

	// The periods of the published figures, in Europe/London (docs/figures.md).
	callsFrom, callsTo     = utc(2021, 7, 31, 23), utc(2022, 7, 31, 23)
	revenue20From          = utc(2020, 12, 1, 0)
	revenue20To            = utc(2022, 7, 31, 23)
	revenue16From          = utc(2021, 6, 30, 23)
	revenue16To            = utc(2022, 11, 1, 0)
	autumnChanges          = []int64{utc(2021, 10, 31, 1), utc(2022, 10, 30, 1)}
	londonSummers          = [][2]int64{{utc(2021, 3, 28, 1), autumnChanges[0]}, {utc(2022, 3, 27, 1), autumnChanges[1]}}
	callsPeriodMinutes     = float64(callsTo-callsFrom) / 60
	firstRateDay, rateDays = utc(2020, 11, 1, 0), int64(760)
)

func utc(y int, m time.Month, d, h int) int64 { return time.Date(y, m, d, h, 0, 0, 0, time.UTC).Unix() }

// london is the wall clock of Europe/London at an instant of the service's time, as if it
// were UTC seconds.
func london(at int64) int64 {
	for _, s := range londonSummers {
		if at >= s[0] && at < s[1] {
			return at + 3600
		}
	}
	return at
}

// ambiguous reports whether the London wall clock at this instant was shown twice that day.
func ambiguous(at int64) bool {
	for _, c := range autumnChanges {
		if at >= c-3600 && at < c+3600 {
			return true
		}
	}
	return false
}

// Answered calls of user accounts in each month of the service, in thousands at scale 1:
// ten million from August 2021 to July 2022.
var monthlyCalls = []float64{
	40, 90, 140, 200, 270, 350, 450, 560, // December 2020 to July 2021
	640, 700, 760, 820, 860, 880, 860, 900, 910, 900, 890, 880, // the published year
	860, 850, 840, 200, // August 2022 to the seizure
}

// New accounts a month, relative: about 700 a week when the server was seized.
var monthlySignups = []float64{
	5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 26, 27, 28, 28, 29, 29, 30, 30, 30, 30, 30, 30, 8,
}

// dayWeights spreads monthly totals over days: quiet weekends, equal weeks.
func dayWeights(monthly []float64) []float64 {
	w := make([]float64, serviceDay)
	month := func(d int) int {
		t := time.Unix(opening+int64(d)*daySeconds, 0).UTC()
		return (t.Year()-2020)*12 + int(t.Month()) - 12
	}
	sums := make([]float64, len(monthly))
	for d := range w {
		switch time.Unix(opening+int64(d)*daySeconds, 0).UTC().Weekday() {
		case time.Saturday:
			w[d] = 0.6
		case time.Sunday:
			w[d] = 0.4
		default:
			w[d] = 1
		}
		if d == serviceDay-1 {
			w[d] = 0.2
		}
		sums[month(d)] += w[d]
	}
	for d := range w {
		w[d] *= monthly[month(d)] / sums[month(d)]
	}
	return w
}

// curve places the rows of one table in time: row i happens at a moment that never
// decreases with i, so identifiers grow with time as on a real server.
type curve struct {
	seed uint64
	cum  []int64 // rows before day d
	salt int64
}

func newCurve(seed uint64, salt int64, weights []float64, total int64) *curve {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	c := &curve{seed: seed, salt: salt << 40, cum: make([]int64, len(weights)+1)}
	run := 0.0
	for d, w := range weights {
		run += w
		c.cum[d+1] = int64(math.Round(run / sum * float64(total)))
	}
	return c
}

func (c *curve) total() int64 { return c.cum[len(c.cum)-1] }

// day is the day of row i.
func (c *curve) day(i int64) int {
	return sort.Search(len(c.cum)-1, func(d int) bool { return c.cum[d+1] > i })
}

// weekStart is the first row of the week that holds day d.
func (c *curve) weekStart(d int) int64 { return c.cum[d/7*7] }

// at is the instant of row i, which lies on day d.
func (c *curve) at(i int64, d int) int64 {
	r := key(c.seed, streamTime, c.salt+i)
	n := c.cum[d+1] - c.cum[d]
	pos := ((i-c.cum[d])<<20 + r.n64(1<<20)) / n // 20-bit fraction of the day's rows
	j, frac := pos>>10, pos&1023
	sec := dayShape[j] + (dayShape[j+1]-dayShape[j])*frac>>10
	if d == serviceDay-1 {
		sec /= 4
	}
	return opening + int64(d)*daySeconds + sec
}

// dayShape is the time of day, in seconds, by which j/1024 of a day's rows have happened:
// British office hours and early evening, a trickle at night.
var dayShape = func() (q [1025]int64) {
	hours := [24]float64{2, 1, 1, 1, 1, 2, 3, 6, 10, 14, 16, 16, 14, 15, 16, 16, 15, 14, 12, 10, 8, 6, 4, 3}
	total := 0.0
	for _, h := range hours {
		total += h
	}
	h, before := 0, 0.0
	for j := range q {
		want := float64(j) / 1024 * total
		for h < 23 && before+hours[h] < want {
			before += hours[h]
			h++
		}
		q[j] = min(daySeconds-1, int64(3600*(float64(h)+(want-before)/hours[h])))
	}
	return q
}()
