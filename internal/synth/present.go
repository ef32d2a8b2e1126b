package synth

import "strconv"

// grade is the rung of the evidence ladder a call stands on by what its caller intended.
type grade uint8

const (
	gradeStar grade = iota
	gradeA
	gradeB
	gradeC
	gradeX
	gradeW
	gradeU
	gradeD // of what is shown none is meant: they follow from the text played, and by chance
	gradeE
	grades
)

var gradeNames = [grades]string{"A*", "A", "B", "C", "X", "W", "U", "D", "E"}

// showing is what a call shows, and what that is worth by itself.
type showing struct {
	grade  grade
	inst   int8  // the institution named, or -1
	number int64 // shown; 0 when there is none or it is impossible
	like   bool  // the name is nearly an institution's
}

// mixes are cumulative percentages of the intents star, A, B, C, X, W; the rest is U.
var (
	mixTalkers   = [6]int{14, 44, 58, 85, 89, 93}
	mixBrief     = [6]int{10, 32, 42, 62, 70, 82}
	mixElsewhere = [6]int{5, 20, 25, 45, 55, 70}
)

var withheldWords = []string{"", "", "", "anonymous", "Anonymous", "PRIVATE", "private", "Restricted", "unknown", "Unavailable", "withheld", "blocked"}

// present decides what a call shows to the called person and appends it as the user typed
// it. told is the institution that the text of its campaign names, or -1. It returns the
// grade the evidence ladder gives and the institution named, or -1. Some who mean to show no
// institution's number show their own telephone, alone or beside an institution's name.
func (w *world) present(buf []byte, c *call, told int8) ([]byte, grade, int8) {
	s, own := c.shown, &c.own
	a := &w.accounts[c.account]
	mix := &mixElsewhere
	if c.region == regionUK {
		mix = &mixBrief
		if c.talker {
			mix = &mixTalkers
		}
	}
	x, want := s.n(100), grade(0)
	for want < gradeU && x >= mix[min(want, 5)] {
		want++
	}
	inst := pick(&s, byRegion[c.region])
	if c.region == regionUK {
		inst = a.fav[s.n(len(a.fav))]
	}
	buf, shows := presentAs(buf, want, inst, c.at, &s, own)
	if mine := key(w.seed, streamOwnNumber, int64(c.shown.s)); want == gradeU && a.ownNumber != 0 && mine.chance(60) {
		buf, shows = buf[:0], showing{gradeU, -1, a.ownNumber, false}
		if mine.chance(500) {
			buf = appendQuoted(buf, pick(&mine, institutions[inst].brief), a.ownNumber, &mine)
		} else {
			buf = appendPresented(buf, a.ownNumber, &mine)
		}
	}
	c.ownNumber = a.showsOwn(shows)
	got, named := a.worth(shows, told)
	return buf, got, named
}

// showsOwn reports whether a call of the account that shows this is graded by its showing the
// account's own telephone.
func (a *account) showsOwn(s showing) bool {
	return a.role != roleAdmin && s.grade != gradeStar && s.number != 0 && s.number == a.ownNumber
}

// worth is the grade a call of the account has that shows this and plays a text that names
// told.
func (a *account) worth(s showing, told int8) (grade, int8) {
	switch {
	case a.role == roleAdmin:
		return gradeU, -1 // the operators test their own service
	case s.grade == gradeStar:
		return s.grade, s.inst
	case a.showsOwn(s):
		return gradeU, -1
	case s.grade <= gradeC:
		return s.grade, s.inst
	case told >= 0:
		return gradeD, told
	case s.grade == gradeU && (s.like || resemblesRegistered(s.number)):
		return gradeE, -1
	}
	return s.grade, -1
}

// resemblesRegistered reports whether a number looks like an exact registered one: but for
// one digit, two neighbouring ones changed over, or the last two.
func resemblesRegistered(n int64) bool {
	shown := strconv.FormatInt(n, 10)
	for r := range exactNumbers {
		real := strconv.FormatInt(r, 10)
		if n == 0 || len(real) != len(shown) {
			continue
		}
		var differ []int
		for k := range shown {
			if shown[k] != real[k] {
				differ = append(differ, k)
			}
		}
		switch last := len(shown) - 1; len(differ) {
		case 0:
			return true
		case 1:
			if differ[0] > last-10 {
				return true
			}
		case 2:
			x, y := differ[0], differ[1]
			if x == last-1 || y == x+1 && x > last-10 && shown[x] == real[y] && shown[y] == real[x] {
				return true
			}
		}
	}
	return false
}

// presentAs appends something that deserves the wanted grade for an institution, or the
// nearest the institution's numbers allow.
func presentAs(buf []byte, want grade, inst int8, at int64, s, own *rng) ([]byte, showing) {
	in := &institutions[inst]
	if want == gradeStar && len(in.star) == 0 {
		want = gradeA
	}
	if want == gradeB && len(in.ranged) == 0 {
		want = gradeA
	}
	if want == gradeA && len(in.exact) == 0 {
		if want = gradeC; len(in.star) > 0 {
			want = gradeStar
		}
	}
	switch want {
	case gradeStar:
		n := pick(s, in.star)
		return appendNamed(buf, n.from, own), showing{gradeStar, n.inst, n.from, false}
	case gradeA:
		if len(in.dated) > 0 && s.chance(250) {
			return presentDated(buf, in, at, s, own)
		}
		n := pick(s, in.exact)
		return appendNamed(buf, n.from, own), showing{gradeA, n.inst, n.from, false}
	case gradeB:
		r := pick(s, in.ranged)
		n := r.from + s.n64(r.to-r.from+1)
		for exactNumbers[n] {
			n++
		}
		return appendNamed(buf, n, own), showing{gradeB, r.inst, n, false}
	case gradeC:
		buf, n := appendNaming(buf, in, s, own)
		return buf, showing{gradeC, inst, n, false}
	case gradeX:
		return appendImpossible(buf, s, own), showing{gradeX, -1, 0, false}
	case gradeW:
		return append(buf, pick(own, withheldWords)...), showing{gradeW, -1, 0, false}
	}
	return appendOrdinary(buf, s, own)
}

// presentDated shows a number that is its institution's only between two days.
func presentDated(buf []byte, in *institution, at int64, s, own *rng) ([]byte, showing) {
	n := pick(s, in.dated)
	if n.validOn(at) {
		return appendNamed(buf, n.from, own), showing{gradeA, n.inst, n.from, false}
	}
	if s.chance(300) {
		return appendQuoted(buf, pick(s, in.brief), n.from, own), showing{gradeC, n.inst, n.from, false}
	}
	return appendPresented(buf, n.from, own), showing{gradeU, -1, n.from, false}
}

// appendNamed writes a number that decides the verdict by itself: mostly bare, sometimes
// beside a name, be it a nameless one or another institution's.
func appendNamed(buf []byte, n int64, own *rng) []byte {
	switch x := own.n(100); {
	case x < 80:
		return appendPresented(buf, n, own)
	case x < 90:
		return appendQuoted(buf, pick(own, institutions[own.n(len(institutions))].brief), n, own)
	}
	return appendQuoted(buf, pick(own, namelessBrief), n, own)
}

// appendNaming writes a name of the institution, alone or beside a number that is nobody's,
// impossible or withheld. It gives the number, when there is one that could exist.
func appendNaming(buf []byte, in *institution, s, own *rng) ([]byte, int64) {
	if s.chance(350) {
		return append(buf, pick(s, in.shown)...), 0
	}
	name := pick(s, in.brief)
	switch own.n(10) {
	case 0:
		return append(append(append(buf, '"'), name...), `" <159>`...), 0
	case 1:
		return appendQuoted(buf, name, impossibleNumber(s), own), 0
	}
	n := ordinaryNumber(s)
	return appendQuoted(buf, name, n, own), n
}

// appendQuoted writes "Name" <number>, with or without the quotes.
func appendQuoted(buf []byte, name string, n int64, own *rng) []byte {
	quote := own.chance(700)
	if quote {
		buf = append(buf, '"')
	}
	buf = append(buf, name...)
	if quote {
		buf = append(buf, '"')
	}
	buf = append(buf, " <"...)
	buf = appendPresented(buf, n, own)
	return append(buf, '>')
}

var (
	offices    = rangeOf(officeBlock, 12)
	unassigned = rangeOf(unallocatedBlock, 12)
	drama      = rangeOf(dramaBlock, 12)
	island     = rangeOf(islandBlock, 12)
	ukMobiles  = rangeOf(dramaMobiles[0], 12)
	usNumbers  = rangesOf(11, usFiction()...)
)

// ordinaryNumber is a number of no institution that could exist.
func ordinaryNumber(s *rng) int64 {
	switch x := s.n(20); {
	case x < 9:
		return offices.first + 500 + s.n64(500)
	case x < 14:
		return ukMobiles.first + s.n64(ukMobiles.size)
	case x < 15:
		return island.first + s.n64(island.size)
	}
	u := pick(s, usNumbers)
	return u.first + s.n64(u.size)
}

// impossibleNumber is well formed, but in a block the plan does not give out.
func impossibleNumber(s *rng) int64 {
	if s.chance(500) {
		return drama.first + s.n64(drama.size)
	}
	return unassigned.first + s.n64(900) // the last hundred are the island
}

func appendImpossible(buf []byte, s, own *rng) []byte {
	switch x := s.n(10); {
	case x < 5:
		return appendPresented(buf, impossibleNumber(s), own)
	case x < 6:
		return append(buf, "159"...)
	case x < 8: // 09: premium rate
		n := 9098790000 + s.n64(1000)
		return strconv.AppendInt(append(buf, pick(own, []string{"+44", "0044", "44", "0"})...), n, 10)
	case x < 9: // too short for the plan
		return strconv.AppendInt(append(buf, pick(own, []string{"+44", "0044", "44", "0"})...), 2079+s.n64(20_000_000), 10)
	}
	return strconv.AppendInt(append(buf, pick(own, []string{"+44", "0044", "0"})...), 20794600000+s.n64(9999), 10)
}

// appendOrdinary writes a number or a name that tells nothing.
func appendOrdinary(buf []byte, s, own *rng) ([]byte, showing) {
	shows := showing{grade: gradeU, inst: -1}
	name := ""
	switch x := s.n(10); {
	case x < 1:
		name = pick(own, namelessNames)
		buf = append(buf, name...)
	case x < 3:
		name = pick(own, namelessBrief)
		shows.number = ordinaryNumber(s)
		buf = appendQuoted(buf, name, shows.number, own)
	default:
		shows.number = ordinaryNumber(s)
		buf = appendPresented(buf, shows.number, own)
	}
	shows.like = name == nearlyNationwide
	return buf, shows
}
