package synth

import (
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
	"unicode"
)

// What a call was meant to present and what the evidence ladder of docs/figures.md makes of
// the text it presents must be the same. The ladder here is written from the document, and
// reads the written lists.
func TestIntentAgreesWithLadder(t *testing.T) {
	for _, scale := range []float64{0.001, 0.011} {
		w := newWorld(3, scale)
		l := newLadder(w)
		seen := [grades]int{}
		for _, tr := range []*traffic{&w.answered, &w.failed} {
			for i := range min(tr.curve.total(), 15_000) {
				c := w.call(tr, i)
				if tr == &w.answered {
					c.talk(&c.own)
				}
				told := int8(i%7 - 3) // -3 to 3: mostly none
				text, got, inst := w.present(nil, &c, told)
				wantGrade, wantInst := "U", ""
				if w.accounts[c.account].role != roleAdmin {
					wantGrade, wantInst = l.verdict(string(text), c.at, w.accounts[c.account].phone+w.accounts[c.account].mobile, told)
				}
				named := ""
				if inst >= 0 {
					named = institutions[inst].id
				}
				if gradeNames[got] != wantGrade || named != wantInst {
					t.Fatalf("scale %v call %d presents %q at %d: meant %s %q, the ladder says %s %q",
						scale, i, text, c.at, gradeNames[got], named, wantGrade, wantInst)
				}
				if n := len([]rune(string(text))); n > 40 {
					t.Fatalf("%q has %d characters, the column holds 40", text, n)
				}
				seen[got]++
			}
		}
		for g, n := range seen {
			if n < 50 {
				t.Errorf("scale %v: only %d calls of grade %s", scale, n, gradeNames[g])
			}
		}
	}
}

type ladder struct {
	registry [][]string
	blocks   map[string]string
	aliases  map[string]string // normalised alias to institution
}

func newLadder(w *world) *ladder {
	l := &ladder{registry: registryRecords(), blocks: map[string]string{}, aliases: map[string]string{}}
	for _, b := range w.people.blocks() {
		l.blocks[b[0]] = b[1]
	}
	for _, r := range l.registry {
		for a := range strings.SplitSeq(r[4], ";") {
			l.aliases[normalName(a)] = r[0]
		}
	}
	return l
}

func (l *ladder) verdict(text string, at int64, phone string, told int8) (string, string) {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err)
	}
	day := time.Unix(at, 0).In(zone).Format(time.DateOnly)
	name, raw := splitPresented(text)
	n := readNumber(raw)
	best, inst := "U", ""
	for _, r := range l.registry {
		from, _ := strconv.ParseInt(strings.TrimPrefix(r[5], "+"), 10, 64)
		to, _ := strconv.ParseInt(strings.TrimPrefix(r[6], "+"), 10, 64)
		if n == 0 || n < from || n > to || r[8] != "" && day < r[8] || r[9] != "" && day > r[9] {
			continue
		}
		g := "B"
		if from == to {
			g = "A"
			if r[7] == "true" {
				g = "A*"
			}
		}
		rank := map[string]int{"A*": 0, "A": 1, "B": 2, "U": 9}
		if rank[g] < rank[best] || rank[g] == rank[best] && r[0] < inst {
			best, inst = g, r[0]
		}
	}
	if best == "A*" {
		return best, inst
	}
	if n != 0 && n == readNumber(phone) && !l.impossible(raw, n) {
		return "U", ""
	}
	if best != "U" {
		return best, inst
	}
	padded := " " + normalName(name) + " "
	length, tie := 0, false
	for a, id := range l.aliases {
		if !strings.Contains(padded, " "+a+" ") {
			continue
		}
		switch {
		case len(a) > length:
			length, inst, tie = len(a), id, false
		case len(a) == length && id != inst:
			tie = true
		}
	}
	if inst != "" && !tie {
		return "C", inst
	}
	if told >= 0 {
		return "D", institutions[told].id
	}
	if l.impossible(raw, n) {
		return "X", ""
	}
	if name == "Nation Wide" || l.resembles(n) {
		return "E", ""
	}
	switch strings.ToLower(text) {
	case "", "anonymous", "private", "restricted", "unknown", "unavailable", "withheld", "blocked":
		return "W", ""
	}
	return "U", ""
}

// resembles asks the document's three questions of each exact number of the registry.
func (l *ladder) resembles(n int64) bool {
	for _, r := range l.registry {
		from, _ := strconv.ParseInt(strings.TrimPrefix(r[5], "+"), 10, 64)
		if n == 0 || r[5] == "" || r[5] != r[6] {
			continue
		}
		if n/100 == from/100 {
			return true
		}
		for p := int64(1); p <= 1_000_000_000; p *= 10 {
			if n/p/10 == from/p/10 && n%p == from%p {
				return true
			}
			x, y := from/p%10, from/p/10%10
			if p < 1_000_000_000 && n == from+(x-y)*10*p+(y-x)*p {
				return true
			}
		}
	}
	return false
}

func (l *ladder) impossible(raw string, n int64) bool {
	digits := strconv.FormatInt(n, 10)
	if national, uk := strings.CutPrefix(digits, "44"); uk && n > 0 {
		if len(national) < 9 || len(national) > 10 || national[0] == '9' {
			return true
		}
	}
	status := ""
	for k := range digits {
		if s, ok := l.blocks[digits[:k+1]]; ok {
			status = s
		}
	}
	return raw == "159" || n > 0 && (status == "drama" || status == "unallocated")
}

func splitPresented(s string) (name, number string) {
	if head, tail, ok := strings.Cut(s, "<"); ok {
		return strings.Trim(strings.TrimSpace(head), `"`), strings.TrimSuffix(tail, ">")
	}
	if strings.Trim(s, "+ 0123456789") == "" {
		return "", s
	}
	return s, ""
}

func readNumber(s string) int64 {
	s = strings.NewReplacer(" ", "", "-", "").Replace(s)
	switch {
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	case strings.HasPrefix(s, "00"):
		s = s[2:]
	case strings.HasPrefix(s, "0"):
		s = "44" + s[1:]
	case len(s) >= 11 && len(s) <= 15 || strings.HasPrefix(s, "44"):
	default:
		return 0
	}
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

var plainLetter = strings.NewReplacer("á", "a", "â", "a", "à", "a", "ã", "a", "è", "e", "é", "e", "ê", "e", "ï", "i",
	"í", "i", "ô", "o", "ó", "o", "š", "s", "ť", "t", "ž", "z")

func normalName(s string) string {
	s = plainLetter.Replace(strings.ToLower(s))
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '@' || r == '$' }
	var out []string
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return !inWord(r) }) {
		if strings.ContainsFunc(word, unicode.IsLetter) {
			word = strings.NewReplacer("0", "o", "1", "i", "l", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s").Replace(word)
		}
		out = append(out, strings.Trim(word, "@$"))
	}
	return strings.Join(out, " ")
}

// No alias may be found inside another institution's alias as whole words.
func TestAliasesAreApart(t *testing.T) {
	for _, x := range institutions {
		for _, y := range institutions {
			for _, a := range x.aliases {
				for _, b := range y.aliases {
					if x.id != y.id && strings.Contains(" "+normalName(b)+" ", " "+normalName(a)+" ") {
						t.Errorf("%s's alias %q is inside %s's alias %q", x.id, a, y.id, b)
					}
				}
			}
		}
	}
}

func TestLondonClock(t *testing.T) {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for at := opening; at < closing; at += 900 {
		_, offset := time.Unix(at, 0).In(zone).Zone()
		if got := london(at) - at; got != int64(offset) {
			t.Fatalf("at %s London is %d s ahead, want %d", time.Unix(at, 0).UTC(), got, offset)
		}
		wall := time.Unix(london(at), 0).UTC().Format(time.DateTime)
		before := time.Unix(at-3600, 0).In(zone).Format(time.DateTime)
		after := time.Unix(at+3600, 0).In(zone).Format(time.DateTime)
		if got := ambiguous(at); got != (wall == before || wall == after) {
			t.Fatalf("at %s ambiguous = %v", time.Unix(at, 0).UTC(), got)
		}
	}
}
