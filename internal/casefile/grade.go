package casefile

// Grade is the rung of the evidence ladder on which a call's verdict stands: how we know
// which institution the call pretended to come from.
type Grade string

// The rungs, strongest first. The ladder and its measured error rates are in docs/verdicts.md.
const (
	GradeAStar Grade = "A*" // exact registered number that its institution uses for incoming calls only
	GradeA     Grade = "A"  // exact registered number, valid on the day of the call
	GradeB     Grade = "B"  // inside a registered range, valid on the day of the call
	GradeC     Grade = "C"  // the presented name names the institution
	GradeD     Grade = "D"  // the text of the call's recorded message names the institution
	GradeX     Grade = "X"  // structurally impossible number, no institution named
	GradeE     Grade = "E"  // the number or name only resembles an institution's: a hint, never counted
	GradeW     Grade = "W"  // number withheld
	GradeU     Grade = "U"  // own or unknown number, or a call of the platform's staff
)

// Grades lists every grade in the order of the ladder.
func Grades() []Grade {
	return []Grade{GradeAStar, GradeA, GradeB, GradeC, GradeD, GradeX, GradeE, GradeW, GradeU}
}

// Impersonates reports whether a verdict of this grade counts in figures as impersonation of
// the institution it names. Grade D names one too, and does not count: the text is that of the
// call's campaign when the server was seized, which need not be what the call played.
func (g Grade) Impersonates() bool {
	return g == GradeAStar || g == GradeA || g == GradeB || g == GradeC
}
