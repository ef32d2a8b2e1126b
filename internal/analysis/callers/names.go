package callers

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// NormalName gives the form in which display names are compared: lower case, diacritics and
// look-alike letters replaced, digits and signs read as letters inside words that hold a
// letter (0 1 3 4 5 7 @ $ as o i e a s t a s), l read as i, everything else a space, and runs
// of single letters joined ("H S B C").
func NormalName(s string) string {
	var folded strings.Builder
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(s, " ")) {
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r) {
			continue
		}
		r = unicode.ToLower(r)
		if l, ok := lookAlike[r]; ok {
			r = l
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '@' || r == '$' {
			folded.WriteRune(r)
		} else {
			folded.WriteByte(' ')
		}
	}
	words := strings.Fields(folded.String())
	var out []string
	single := false // the last word is a run of single letters
	for _, w := range words {
		if strings.ContainsFunc(w, unicode.IsLetter) {
			w = strings.Map(func(r rune) rune {
				if l, ok := leet[r]; ok {
					return l
				}
				return r
			}, w)
		} else {
			w = strings.NewReplacer("@", "", "$", "").Replace(w)
		}
		if w == "" {
			continue
		}
		if one := len([]rune(w)) == 1; one && single {
			out[len(out)-1] += w
		} else {
			out = append(out, w)
			single = one
		}
	}
	return strings.Join(out, " ")
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
}

// Matcher finds the institution a name names.
type Matcher struct{ byWord map[string][]alias } // by the alias's first word

// NewMatcher makes a matcher from institution id -> names.
func NewMatcher(names map[string][]string) *Matcher {
	m := &Matcher{byWord: map[string][]alias{}}
	for id, list := range names {
		for _, text := range list {
			normal := NormalName(text)
			if normal == "" {
				continue
			}
			first, _, _ := strings.Cut(normal, " ")
			m.byWord[first] = append(m.byWord[first], alias{id, text, normal})
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

// matchNames fills the temporary table name_found with every distinct presented name and
// institution text that names an institution.
func matchNames(ctx context.Context, _ *store.Case, e *duckdb.Engine) error {
	names := map[string][]string{}
	err := each(ctx, e.DB, "SELECT institution_id, name || ';' || coalesce(aliases, '') FROM institution", func(id, list string) {
		names[id] = append(names[id], strings.Split(list, ";")...)
	})
	if err != nil {
		return err
	}
	m := NewMatcher(names)
	var values []string
	err = each(ctx, e.DB, `SELECT DISTINCT name, '' FROM (SELECT presented_name AS name FROM call UNION ALL SELECT institution FROM loss_report) WHERE name IS NOT NULL ORDER BY name`,
		func(name, _ string) {
			if id, text, ok := m.Match(name); ok {
				values = append(values, fmt.Sprintf("(%s,%s,%s,%s)", duckdb.Literal(name), duckdb.Literal(NormalName(name)), duckdb.Literal(id), duckdb.Literal(text)))
			}
		})
	if err != nil {
		return err
	}
	if _, err := e.DB.ExecContext(ctx, "CREATE OR REPLACE TABLE name_found (presented_name VARCHAR, name_norm VARCHAR, institution_id VARCHAR, alias VARCHAR)"); err != nil {
		return err
	}
	const group = 5000
	for len(values) > 0 {
		n := min(group, len(values))
		if _, err := e.DB.ExecContext(ctx, "INSERT INTO name_found VALUES "+strings.Join(values[:n], ",")); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

func each(ctx context.Context, db *sql.DB, query string, do func(a, b string)) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a, b sql.NullString
		if err := rows.Scan(&a, &b); err != nil {
			return err
		}
		do(a.String, b.String)
	}
	return rows.Err()
}
