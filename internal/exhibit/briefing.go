package exhibit

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/ledger"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Briefing is what a case says in public, in one language: figures and nothing else, each
// number a link to its definition.
type Briefing struct {
	Lang, Case, Made string
	Sections         []Section
	Figures          []Statement // all that the sections show, for the definitions
	Text             map[string]string
}

// Section is one part of a briefing.
type Section struct {
	ID, Title string
	Lines     []Statement
	Charts    []Chart
}

// Statement is one figure as it is written.
type Statement struct {
	Name, Title, Definition, Period string
	Value, Exact                    string // as written; as the table has it
	number                          float64
	key                             string
}

// Chart is the figures of one kind, longest bar first.
type Chart struct {
	Title string
	Bars  []Bar
}

// Bar is one figure of a chart; Width is a share of 1000.
type Bar struct {
	Statement
	Label string
	Y     int
	Width int
}

// Height is the chart's height in its own units.
func (c Chart) Height() int { return 24 * len(c.Bars) }

// shown is a figure's value, or null where it is a small group: a count of fewer than five
// accounts, numbers, reports or calls is not published.
const shown = "CASE WHEN value > 0 AND value < 5 AND unit IN ('accounts', 'numbers', 'reports', 'calls') THEN NULL ELSE value END"

//go:embed briefing
var briefingFiles embed.FS

// briefingText has the words around the figures; the sections list figures by name, and those
// by key by the part before the point.
var briefingText = map[string]map[string]string{
	"en": {"title": "Briefing", "how": "How these numbers were made", "definitions": "Definitions", "period": "Period", "whole": "whole case", "few": "fewer than 5",
		"calls": "The calls", "people": "The people called", "accounts": "The accounts", "money": "The money", "losses": "The losses reported", "other": "others", "unknown": "unknown", "colon": ": ",
		"method": "Every number here is a figure of the case: it is computed from the seized data by a written rule, with a definition and a period, and follows from its link. Periods include their first day and exclude their last. A number called is not always one person, and a call is not a crime by itself: the rules say which name a call showed, not what was said. Reports are known to be incomplete. Groups of fewer than five are not shown."},
	"fr": {"title": "Note de synthèse", "how": "Comment ces nombres ont été établis", "definitions": "Définitions", "period": "Période", "whole": "tout le dossier", "few": "moins de 5",
		"calls": "Les appels", "people": "Les personnes appelées", "accounts": "Les comptes", "money": "L’argent", "losses": "Les pertes signalées", "other": "autres", "unknown": "inconnu", "colon": "\u00a0: ",
		"method": "Chaque nombre est un chiffre du dossier : il est calculé sur les données saisies selon une règle écrite, avec une définition et une période, et son lien y mène. Les périodes comprennent leur premier jour et excluent le dernier. Un numéro appelé n’est pas toujours une personne, et un appel n’est pas en soi une infraction : les règles disent quel nom l’appel affichait, non ce qui a été dit. On sait que les signalements sont incomplets. Les groupes de moins de cinq ne sont pas montrés."},
}

var briefingSections = []struct {
	id     string
	names  []string
	charts []string
}{
	{"calls", []string{"calls_world", "calls_world_june", "calls_uk", "calls_share_uk", "calls_share_us", "long_calls_uk", "long_share_uk", "calls_per_minute_mean", "calls_per_minute_peak", "calls_busiest_hour", "calls_busiest_day", "countries_called", "institutions_impersonated"},
		[]string{"calls_by_month", "calls_by_country", "calls_by_institution"}},
	{"people", []string{"people_long_calls_uk", "long_calls_per_number_uk", "numbers_long_world", "numbers_to_warn_uk"}, []string{"numbers_long_by_country"}},
	{"accounts", []string{"accounts", "accounts_uk", "accounts_new_week", "accounts_paying", "suspects_met_2022", "source_rows", "rows_per_account"}, []string{"accounts_by_country"}},
	{"money", []string{"revenue_gbp_20_months", "revenue_eur_20_months", "revenue_gbp_16_months", "revenue_eur_16_months"}, nil},
	{"losses", []string{"reports", "reported_loss_gbp", "reported_loss_all_gbp", "reported_loss_linked_gbp", "mean_loss_gbp", "reports_per_100_numbers"}, nil},
}

// WriteBriefing writes briefing.LANG.html and .md, and the figures in them as CSV, into the folder
// out, which must not exist. The ledger entry is written before the folder appears.
func WriteBriefing(ctx context.Context, c *store.Case, e *duckdb.Engine, hand ledger.Hand, publicKey, program, lang, out string) (Manifest, error) {
	if briefingText[lang] == nil {
		return Manifest{}, fmt.Errorf("a briefing is in en or fr, not %q", lang)
	}
	m := Manifest{Kind: "briefing", Lang: lang, Program: program, VerifierKey: publicKey}
	err := m.write(ctx, c, hand, []string{"figure"}, out, func(dir string) error {
		b, err := readBriefing(ctx, c, e, lang)
		if err != nil {
			return err
		}
		var page, plain strings.Builder
		t, err := template.ParseFS(briefingFiles, "briefing/briefing.html")
		if err != nil {
			return err
		}
		if err := t.Execute(&page, b); err != nil {
			return err
		}
		b.markdown(&plain)
		if m.Rows, m.Files, err = writeCSV(ctx, e, b.figuresSQL(), dir, "figures"); err != nil {
			return err
		}
		for _, f := range []struct{ kind, note, text string }{{"html", "the briefing", page.String()}, {"md", "the briefing", plain.String()}} {
			name := "briefing." + lang + "." + f.kind
			if err := store.WriteFile(filepath.Join(dir, name), []byte(f.text), 0o640); err != nil {
				return err
			}
			sum := sha256.Sum256([]byte(f.text))
			m.Files = append(m.Files, File{name, int64(len(f.text)), hex.EncodeToString(sum[:]), f.note})
		}
		return nil
	})
	return m, err
}

// figuresSQL gives the briefing's figures, in its order, with what it says of each.
func (b *Briefing) figuresSQL() string {
	names := make([]string, len(b.Figures))
	for i, f := range b.Figures {
		names[i] = duckdb.Literal(f.Name)
	}
	return fmt.Sprintf(`SELECT name, title%[1]s AS title, CAST(period_from AS VARCHAR) AS period_from, CAST(period_to AS VARCHAR) AS period_to, %[2]s AS value, unit, definition%[1]s AS definition
FROM figure JOIN (SELECT unnest([%[3]s]::VARCHAR[]) AS name, generate_subscripts([%[3]s]::VARCHAR[], 1) AS place) USING (name) ORDER BY place`, suffix[b.Lang], shown, strings.Join(names, ", "))
}

// suffix is what the columns of figure that are in a language end in.
var suffix = map[string]string{"en": "", "fr": "_fr"}

// readBriefing arranges the case's figures.
func readBriefing(ctx context.Context, c *store.Case, e *duckdb.Engine, lang string) (*Briefing, error) {
	b := &Briefing{Lang: lang, Case: c.Config.Name, Text: briefingText[lang], Made: day(time.Now().UTC().Format(time.DateOnly), lang)}
	rows, err := e.DB.QueryContext(ctx, fmt.Sprintf("SELECT name, title%[1]s, definition%[1]s, CAST(period_from AS VARCHAR), CAST(period_to AS VARCHAR), value, unit, key, %[2]s IS NULL FROM figure", suffix[lang], shown))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string][]Statement{}
	for rows.Next() {
		var s Statement
		var from, to sql.NullString
		var unit string
		var few bool
		if err := rows.Scan(&s.Name, &s.Title, &s.Definition, &from, &to, &s.number, &unit, &s.key, &few); err != nil {
			return nil, err
		}
		s.Exact, s.Value, s.Period = strconv.FormatFloat(s.number, 'f', -1, 64), written(s.number, unit, lang), b.Text["whole"]
		if from.Valid && to.Valid {
			s.Period = day(from.String, lang) + " – " + day(to.String, lang)
		}
		if few {
			s.Value, s.Exact = b.Text["few"], ""
		}
		kind, _, _ := strings.Cut(s.Name, ".")
		all[kind] = append(all[kind], s)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, want := range briefingSections {
		s := Section{ID: want.id, Title: b.Text[want.id]}
		for _, name := range want.names {
			s.Lines = append(s.Lines, all[name]...)
			b.Figures = append(b.Figures, all[name]...)
		}
		for _, kind := range want.charts {
			if list := all[kind]; len(list) > 0 {
				s.Charts = append(s.Charts, b.chart(list))
				b.Figures = append(b.Figures, list...)
			}
		}
		b.Sections = append(b.Sections, s)
	}
	return b, nil
}

func (b *Briefing) chart(list []Statement) Chart {
	var c Chart
	most := 1.0
	for _, s := range list {
		most = math.Max(most, s.number)
	}
	for i, s := range list {
		label := s.key
		if word := b.Text[label]; (label == "other" || label == "unknown") && word != "" {
			label = word
		}
		c.Title = strings.TrimRight(strings.TrimSuffix(s.Title, s.key), " :")
		bar := Bar{Statement: s, Label: label, Y: 24 * i}
		if s.Exact != "" {
			bar.Width = int(400 * s.number / most)
		}
		c.Bars = append(c.Bars, bar)
	}
	return c
}

// written is a value as the language writes numbers.
func written(v float64, unit, lang string) string {
	places := 0
	switch unit {
	case "GBP", "EUR", "%", "calls/number", "rows/account", "GBP/report", "calls/min":
		places = 2
	}
	text := strconv.FormatFloat(math.Abs(v), 'f', places, 64)
	whole, frac, _ := strings.Cut(text, ".")
	thousands, point := ",", "."
	if lang == "fr" {
		thousands, point = "\u202f", "," // narrow no-break space
	}
	var s strings.Builder
	if v < 0 {
		s.WriteByte('-')
	}
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			s.WriteString(thousands)
		}
		s.WriteRune(r)
	}
	if frac != "" {
		s.WriteString(point + frac)
	}
	switch money := map[string]string{"GBP": "£", "EUR": "€", "GBP/report": "£"}[unit]; {
	case money != "" && lang == "fr":
		return s.String() + "\u00a0" + money
	case money != "":
		return money + s.String()
	case unit == "%" && lang == "fr":
		return s.String() + "\u00a0%"
	case unit == "%":
		return s.String() + "%"
	}
	return s.String()
}

var months = map[string][]string{
	"en": {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
	"fr": {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
}

// day is a date (YYYY-MM-DD) in words.
func day(date, lang string) string {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	first := strconv.Itoa(t.Day())
	if lang == "fr" && t.Day() == 1 {
		first = "1er"
	}
	return first + " " + months[lang][t.Month()-1] + " " + strconv.Itoa(t.Year())
}

// markdown writes the briefing as Markdown. Text from the case cannot become markup.
func (b *Briefing) markdown(w *strings.Builder) {
	safe := strings.NewReplacer("\\", "\\\\", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "<", "&lt;", ">", "&gt;", "`", "\\`", "#", "\\#", "|", "\\|", "&", "&amp;", "\n", " ", "\r", " ").Replace
	link := func(s Statement) string { return "[" + safe(s.Value) + "](#figure-" + anchor(s.Name) + ")" }
	fmt.Fprintf(w, "# %s%s%s\n\n%s\n\n", b.Text["title"], b.Text["colon"], safe(b.Case), b.Made)
	for _, s := range b.Sections {
		fmt.Fprintf(w, "## %s\n\n", s.Title)
		for _, l := range s.Lines {
			fmt.Fprintf(w, "* %s%s%s\n", safe(l.Title), b.Text["colon"], link(l))
		}
		for _, c := range s.Charts {
			fmt.Fprintf(w, "\n### %s\n\n", safe(c.Title))
			for _, bar := range c.Bars {
				fmt.Fprintf(w, "* %s%s%s\n", safe(bar.Label), b.Text["colon"], link(bar.Statement))
			}
		}
		w.WriteString("\n")
	}
	fmt.Fprintf(w, "## %s\n\n> %s\n\n## %s\n\n", b.Text["how"], b.Text["method"], b.Text["definitions"])
	for _, f := range b.Figures {
		fmt.Fprintf(w, "* <a id=\"figure-%s\"></a>**%s** (%s)%s%s. %s%s%s. %s\n", anchor(f.Name), safe(f.Title), safe(f.Name), b.Text["colon"], safe(f.Definition), b.Text["period"], b.Text["colon"], f.Period, safe(f.Value))
	}
}

// Anchor is the figure's place among the definitions.
func (s Statement) Anchor() string { return anchor(s.Name) }

// anchor keeps of a name what an anchor may hold.
func anchor(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, name)
}
