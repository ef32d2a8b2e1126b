package web

import (
	"database/sql"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/desk"
)

// none is shown for a value that is not known.
const none = "–"

// functions are what templates may call. None of them makes trusted markup.
func functions(zone *time.Location) template.FuncMap {
	return template.FuncMap{
		"t":         visible,
		"raw":       rawText,
		"bytes":     func(b []byte) string { return visible(string(b)) },
		"num":       num,
		"money":     money,
		"gbp":       func(v sql.Null[int64]) string { return money(v, "GBP") },
		"eur":       func(v sql.Null[int64]) string { return money(v, "EUR") },
		"btc":       btc,
		"value":     figureValue,
		"published": published,
		"spread":    figureRange,
		"talk":      talk,
		"share":     share,
		"meter":     func(f float64) string { return strconv.FormatFloat(math.Min(math.Max(f, 0), 1), 'f', 4, 64) },
		"at": func(v sql.Null[time.Time]) string {
			if !v.Valid {
				return none
			}
			return when(v.V, zone)
		},
		"when":    func(v time.Time) string { return when(v, zone) },
		"grade":   func(g any) gradeInfo { return grades[casefile.Grade(fmt.Sprint(g))] },
		"reasons": reasons,
		"rate":    rateOf,
		"counted": func() []casefile.Grade {
			return slices.DeleteFunc(casefile.Grades(), func(g casefile.Grade) bool { return !g.Impersonates() })
		},
		"accountURL": func(id string) string { return "/account?id=" + url.QueryEscape(id) },
		"callURL": func(id string, row int64) string {
			return "/call?id=" + url.QueryEscape(id) + "&row=" + strconv.FormatInt(row, 10)
		},
		"numberURL":    func(n casefile.E164) string { return "/number?n=" + strconv.FormatInt(int64(n), 10) },
		"instURL":      func(id string) string { return "/institution?id=" + url.QueryEscape(id) },
		"rowURL":       func(r casefile.RowRef) string { return "/row?ref=" + url.QueryEscape(r.String()) },
		"tableURL":     func(name string) string { return "/table?name=" + url.QueryEscape(name) },
		"figureURL":    func(name string) string { return "/figure?name=" + url.QueryEscape(name) },
		"searchURL":    func(term string) string { return "/search?q=" + url.QueryEscape(term) },
		"policyURL":    func(name string) string { return "/suspects?policy=" + url.QueryEscape(name) },
		"batchURL":     batchURL,
		"campaignURL":  func(id string) string { return "/campaign?id=" + url.QueryEscape(id) },
		"campaignsURL": campaignsURL,
		"snapshotsURL": snapshotsURL,
		"hitURL":       hitURL,
		"pager":        func(p desk.Page, base, param string) pager { return pager{p, base, param} },
		"e164":         func(n int64) string { return casefile.E164(n).String() },
		"short":        func(s string) string { return s[:min(12, len(s))] },
	}
}

// visible is how text from a source is shown: characters that would not be seen, or that would
// change how their surroundings are read (controls, direction marks, zero-width and other
// format characters, bytes that are not UTF-8), stand as ⟨U+202E⟩ or ⟨0xFF⟩. The opening mark
// itself is written so too, so that different texts never look the same.
func visible(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, "⟨0x%02X⟩", s[i])
		case r == '⟨' || !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r) ||
			(unicode.Is(unicode.Zs, r) && r != ' '):
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// rawText shows text that may be missing in the source, which is not the same as empty.
func rawText(v sql.Null[string]) string {
	switch {
	case !v.Valid:
		return "(no value)"
	case v.V == "":
		return "(empty)"
	default:
		return visible(v.V)
	}
}

// group puts thousands separators into digits.
func group(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

func num(v any) (string, error) {
	switch n := v.(type) {
	case int:
		return group(strconv.Itoa(n)), nil
	case int64:
		return group(strconv.FormatInt(n, 10)), nil
	case sql.Null[int64]:
		if !n.Valid {
			return none, nil
		}
		return group(strconv.FormatInt(n.V, 10)), nil
	case float64:
		return decimals(n, -1), nil
	default:
		return "", fmt.Errorf("num of %T", v)
	}
}

// decimals writes a number with thousands separators and so many decimals (-1: as many as it has, at most four).
func decimals(f float64, places int) string {
	text := strconv.FormatFloat(f, 'f', max(places, 4), 64)
	if places >= 0 {
		text = strconv.FormatFloat(f, 'f', places, 64)
	}
	whole, rest, _ := strings.Cut(text, ".")
	if places < 0 {
		rest = strings.TrimRight(rest, "0")
	}
	if rest == "" {
		return group(whole)
	}
	return group(whole) + "." + rest
}

var symbols = map[string]string{"GBP": "£", "EUR": "€", "USD": "$"}

func money(v sql.Null[int64], currency string) string {
	if !v.Valid {
		return none
	}
	whole, cents, _ := strings.Cut(casefile.Minor(v.V).String(), ".")
	amount := group(whole) + "." + cents
	switch symbol := symbols[currency]; {
	case symbol == "":
		return amount + " " + visible(currency)
	case strings.HasPrefix(amount, "-"):
		return "-" + symbol + amount[1:]
	default:
		return symbol + amount
	}
}

func btc(v sql.Null[int64]) string {
	if !v.Valid {
		return none
	}
	whole, rest, _ := strings.Cut(casefile.Sats(v.V).String(), ".")
	return group(whole) + "." + rest + " BTC"
}

func withUnit(f float64, unit string) string {
	if symbol := symbols[unit]; symbol != "" {
		if f < 0 {
			return "-" + symbol + decimals(-f, 2)
		}
		return symbol + decimals(f, 2)
	}
	return decimals(f, -1)
}

func figureValue(f desk.Figure) string { return withUnit(f.Value, f.Unit) }

func figureRange(f desk.Figure) string {
	if !f.Low.Valid || !f.High.Valid || f.Low.V == f.High.V {
		return none
	}
	return withUnit(f.Low.V, f.Unit) + " to " + withUnit(f.High.V, f.Unit)
}

// published writes what others published: a number like the figure's own, or their words.
func published(f desk.Figure) string {
	if n, err := strconv.ParseFloat(f.Published, 64); err == nil {
		return withUnit(n, f.Unit)
	}
	return visible(f.Published)
}

// talk writes seconds as a person says them.
func talk(s int64) string {
	if h := s / 3600; h > 0 {
		return fmt.Sprintf("%s h %02d min", group(strconv.FormatInt(h, 10)), s%3600/60)
	}
	if s >= 60 {
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	}
	return fmt.Sprintf("%d s", s)
}

func share(f float64) string {
	if f == 0 {
		return none
	}
	return strconv.FormatFloat(f*100, 'f', 1, 64) + " %"
}

// when writes a time in the case's zone, and says which zone.
func when(v time.Time, zone *time.Location) string {
	return v.In(zone).Format("2006-01-02 15:04:05 MST")
}

// reasons splits a finding's reasons, which are written one after another.
func reasons(s string) (list []string) {
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == '\n' }) {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func hitURL(h desk.Hit) string {
	switch h.Kind {
	case "account":
		return "/account?id=" + url.QueryEscape(h.ID)
	case "number":
		return "/number?n=" + url.QueryEscape(h.ID)
	case "call":
		return "/call?id=" + url.QueryEscape(h.ID)
	case "institution":
		return "/institution?id=" + url.QueryEscape(h.ID)
	default:
		return "/row?ref=" + url.QueryEscape(h.ID)
	}
}

// gradeInfo is how a grade is shown.
type gradeInfo struct{ Label, Class, Title string }

var grades = map[casefile.Grade]gradeInfo{
	casefile.GradeAStar: {"A*", "astar", "A*: the presented number is exactly a registered number that its institution uses for incoming calls only"},
	casefile.GradeA:     {"A", "a", "A: the presented number is exactly a registered number, valid on the day of the call"},
	casefile.GradeB:     {"B", "b", "B: the presented number is inside a registered range, valid on the day of the call"},
	casefile.GradeC:     {"C", "c", "C: the presented name names the institution"},
	casefile.GradeD:     {"D", "d", "D: the text of the call's recorded message names the institution; not counted in figures"},
	casefile.GradeX:     {"X", "x", "X: the presented number is impossible; no institution is named"},
	casefile.GradeE:     {"E", "e", "E: the presented number or name only resembles an institution's: a hint, never counted"},
	casefile.GradeW:     {"W", "w", "W: the number was withheld"},
	casefile.GradeU:     {"U", "u", "U: own or unknown number, or a call of the platform's staff"},
}

// pager is a list's page with the address of its neighbours.
type pager struct {
	desk.Page
	base, param string
}

// At is the address of another page of the list.
func (p pager) At(number int) string {
	sep := "?"
	if strings.Contains(p.base, "?") {
		sep = "&"
	}
	return p.base + sep + p.param + "=" + strconv.Itoa(number)
}

func (p pager) Previous() string { return p.At(p.Number - 1) }
func (p pager) Next() string     { return p.At(p.Number + 1) }
func (p pager) End() string      { return p.At(p.Last()) }
func (p pager) Start() string    { return p.At(1) }
