package callers

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/unspoof/unspoof/internal/analysis/step"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// word is one word of a name or text.
type word struct {
	text   string // as written, without diacritics
	normal string // as compared
	opens  bool   // it opens a sentence
}

// wordsOf cuts a name or text into words. Their normal form is lower case, diacritics and
// look-alike letters replaced, digits and signs read as letters inside words that hold a
// letter (0 1 3 4 5 7 @ $ as o i e a s t a s), l read as i. Everything that is neither letter
// nor digit parts words; runs of single letters are one word ("H S B C").
func wordsOf(s string) []word {
	var out []word
	var written, folded strings.Builder
	opens, single := true, false // single: the last word is a run of single letters
	flush := func() {
		w := word{written.String(), folded.String(), opens}
		written.Reset()
		folded.Reset()
		if strings.ContainsFunc(w.normal, unicode.IsLetter) {
			w.normal = strings.Map(func(r rune) rune {
				if l, ok := leet[r]; ok {
					return l
				}
				return r
			}, w.normal)
		} else {
			w.normal = strings.NewReplacer("@", "", "$", "").Replace(w.normal)
		}
		if w.normal == "" {
			return
		}
		opens = false
		if one := utf8.RuneCountInString(w.normal) == 1; one && single {
			last := &out[len(out)-1]
			last.text += w.text
			last.normal += w.normal
		} else {
			out = append(out, w)
			single = one
		}
	}
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(s, " ")) {
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r) {
			continue
		}
		l := unicode.ToLower(r)
		if seen, ok := lookAlike[l]; ok {
			l = seen
		}
		if unicode.IsLetter(l) || unicode.IsDigit(l) || l == '@' || l == '$' {
			written.WriteRune(r)
			folded.WriteRune(l)
			continue
		}
		flush()
		opens = opens || strings.ContainsRune(".!?:\n", r)
	}
	flush()
	return out
}

// NormalName gives the form in which names are compared: the normal words, spaces between.
func NormalName(s string) string {
	var b strings.Builder
	for i, w := range wordsOf(s) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.normal)
	}
	return b.String()
}

var leet = map[rune]rune{'0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '@': 'a', '$': 's', 'l': 'i'}

// lookAlike are letters of other scripts that look like Latin ones (Unicode Technical
// Standard 39, confusables, the single-letter part that names are written with), and letters
// that no decomposition reduces.
var lookAlike = map[rune]rune{
	'а': 'a', 'в': 'b', 'с': 'c', 'ԁ': 'd', 'е': 'e', 'ѕ': 's', 'һ': 'h', 'і': 'i', 'ј': 'j', 'к': 'k', 'ӏ': 'l', 'м': 'm', 'н': 'h', 'о': 'o', 'р': 'p', 'т': 't', 'у': 'y', 'х': 'x', 'ԛ': 'q', 'ԝ': 'w', 'ь': 'b',
	'α': 'a', 'β': 'b', 'ε': 'e', 'ι': 'i', 'κ': 'k', 'ν': 'v', 'ο': 'o', 'ρ': 'p', 'τ': 't', 'υ': 'u', 'χ': 'x', 'η': 'n', 'ω': 'w',
	'ı': 'i', 'ł': 'l', 'ø': 'o', 'đ': 'd', 'ð': 'd', 'ß': 's', 'æ': 'a', 'œ': 'o',
}

// alias is one name of an institution, normalised.
type alias struct {
	institution, text, normal string
	words                     []string
}

// Matcher finds the institution a name or text names.
type Matcher struct {
	byWord map[string][]alias // by the alias's first word
	near   map[string][]alias // by the alias without spaces, and each form of it with one letter left out
}

// NewMatcher makes a matcher from institution id -> names.
func NewMatcher(names map[string][]string) *Matcher {
	m := &Matcher{map[string][]alias{}, map[string][]alias{}}
	for id, list := range names {
		for _, text := range list {
			normal := NormalName(text)
			if normal == "" {
				continue
			}
			a := alias{id, text, normal, strings.Fields(normal)}
			m.byWord[a.words[0]] = append(m.byWord[a.words[0]], a)
			if joined := strings.Join(a.words, ""); len(joined) >= nearLetters {
				for _, form := range leftOut(joined) {
					m.near[form] = append(m.near[form], a)
				}
			}
		}
	}
	return m
}

// Match gives the institution whose longest alias stands in the name as whole words; ok is
// false when none does, or when two institutions' aliases of that length do.
func (m *Matcher) Match(name string) (institution, matched string, ok bool) {
	normal := " " + NormalName(name) + " "
	best, tie := alias{}, false
	for _, word := range strings.Fields(normal) {
		for _, a := range m.byWord[word] {
			if !strings.Contains(normal, " "+a.normal+" ") {
				continue
			}
			switch {
			case len(a.normal) > len(best.normal):
				best, tie = a, false
			case len(a.normal) == len(best.normal) && a.institution != best.institution:
				tie = true
			case len(a.normal) == len(best.normal) && a.text < best.text:
				best = a
			}
		}
	}
	return best.institution, best.text, best.institution != "" && !tie
}

// nearLetters is how long an alias must be for a name to resemble it; of shorter ones too
// many words are one letter away.
const nearLetters = 6

// Near gives an institution that a name resembles without naming it: some of its words,
// written together, are an alias of six letters or more but for its spaces, one letter too
// many, too few or another, or two neighbours changed over. The nearest of several is that of
// the longest alias, then of the lowest institution id.
func (m *Matcher) Near(name string) (institution, alias string, ok bool) {
	words := strings.Fields(NormalName(name))
	length := 0
	for i := range words {
		for n := 1; n <= 5 && i+n <= len(words); n++ {
			seen := strings.Join(words[i:i+n], "")
			for _, form := range leftOut(seen) {
				for _, a := range m.near[form] {
					joined := strings.Join(a.words, "")
					if !oneAway(joined, seen) {
						continue
					}
					if k := len(joined); k > length || k == length && (a.institution < institution || a.institution == institution && a.text < alias) {
						institution, alias, length = a.institution, a.text, k
					}
				}
			}
		}
	}
	return institution, alias, length > 0
}

// leftOut lists a word and its forms with one letter left out: words one letter apart have
// one of them in common (Garbe 2012, symmetric deletion).
func leftOut(s string) []string {
	runes := []rune(s)
	out := []string{s}
	for i := range runes {
		if i == 0 || runes[i] != runes[i-1] {
			out = append(out, string(runes[:i])+string(runes[i+1:]))
		}
	}
	return out
}

// oneAway reports whether two words are the same but for one letter more, less or another,
// or two neighbours changed over.
func oneAway(x, y string) bool {
	a, b := []rune(x), []rune(y)
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 1 && len(b) <= 1 || len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
}

// registered makes a matcher of the case's registry.
func registered(ctx context.Context, e *duckdb.Engine) (*Matcher, error) {
	names := map[string][]string{}
	err := step.Each(ctx, e, "SELECT institution_id, name || ';' || coalesce(aliases, '') FROM institution", func(id, list string) {
		names[id] = append(names[id], strings.Split(list, ";")...)
	})
	return NewMatcher(names), err
}

// matchNames fills the temporary table name_found with every distinct presented name and
// institution text that names an institution.
func matchNames(ctx context.Context, _ *store.Case, e *duckdb.Engine) error {
	m, err := registered(ctx, e)
	if err != nil {
		return err
	}
	var rows [][]string
	err = step.Each(ctx, e, `SELECT DISTINCT name, '' FROM (SELECT presented_name AS name FROM call UNION ALL SELECT institution FROM loss_report) WHERE name IS NOT NULL ORDER BY name`,
		func(name, _ string) {
			if id, text, ok := m.Match(name); ok {
				rows = append(rows, []string{name, NormalName(name), id, text})
			}
		})
	if err != nil {
		return err
	}
	return step.Fill(ctx, e, "name_found", []string{"presented_name", "name_norm", "institution_id", "alias"}, rows)
}

// hintNames fills the temporary table hint_found with every distinct presented name that
// names no institution, and resembles one or gives a role.
func hintNames(ctx context.Context, _ *store.Case, e *duckdb.Engine) error {
	m, err := registered(ctx, e)
	if err != nil {
		return err
	}
	var rows [][]string
	err = step.Each(ctx, e, `SELECT DISTINCT presented_name, '' FROM call ANTI JOIN name_match USING (presented_name) WHERE presented_name IS NOT NULL ORDER BY presented_name`,
		func(name, _ string) {
			id, text, near := m.Near(name)
			if role := Role(name); near || role != "" {
				rows = append(rows, []string{name, role, id, text})
			}
		})
	if err != nil {
		return err
	}
	return step.Fill(ctx, e, "hint_found", []string{"presented_name", "role", "institution_id", "alias"}, rows)
}
