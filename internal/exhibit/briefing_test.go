package exhibit

import (
	"html/template"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Every number of a briefing is a figure's, leads to its definition, and is written as the
// language writes it; hostile text stays text; nothing is loaded from elsewhere.
func TestBriefing(t *testing.T) {
	const hostile = `<script>alert(1)</script><img src=http://evil.example/x>`
	c, err := store.Create(filepath.Join(t.TempDir(), "case"), store.Config{ID: "t", Name: hostile, TimeZone: "Europe/London", Created: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	e, err := duckdb.Open(t.Context(), c, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.DB.Exec(`CREATE TABLE figure AS SELECT name, title, title AS title_fr, title AS definition, title AS definition_fr, DATE '2021-08-01' AS period_from, DATE '2022-08-01' AS period_to, value::DOUBLE AS value, unit, key
		FROM (VALUES ('calls_world', 'Calls', 1234567, 'calls', ''), ('suspects_met_2022', 'Suspects', 4, 'accounts', ''), ('revenue_gbp_20_months', 'Revenue', 1234.5, 'GBP', ''),
			('calls_share_uk', 'Share', 34.86, '%', ''), ('calls_by_institution.' || ?, 'By: ' || ?, 50, 'calls', ?), ('secret', 'Not listed', 987654, 'calls', '')) v(name, title, value, unit, key)`, hostile, hostile, hostile); err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string]map[string]string{
		"en": {"calls_world": "1,234,567", "suspects_met_2022": "fewer than 5", "revenue_gbp_20_months": "£1,234.50", "calls_share_uk": "34.86%"},
		"fr": {"calls_world": "1\u202f234\u202f567", "suspects_met_2022": "moins de 5", "revenue_gbp_20_months": "1\u202f234,50\u00a0£", "calls_share_uk": "34,86\u00a0%"},
	} {
		b, err := readBriefing(t.Context(), c, e, lang)
		if err != nil {
			t.Fatal(err)
		}
		want["calls_by_institution."+hostile] = "50"
		var page, plain strings.Builder
		if err := template.Must(template.ParseFS(briefingFiles, "briefing/briefing.html")).Execute(&page, b); err != nil {
			t.Fatal(err)
		}
		root, err := html.Parse(strings.NewReader(page.String()))
		if err != nil {
			t.Fatal(err)
		}
		ids, links, found := map[string]bool{}, map[string]bool{}, map[string]string{}
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			switch n.Data {
			case "script", "img", "link", "iframe", "object":
				t.Errorf("%s: an element %s", lang, n.Data)
			}
			var figure string
			for _, a := range n.Attr {
				switch a.Key {
				case "id":
					ids["#"+a.Val] = true
				case "href", "src":
					links[a.Val] = true
				case "data-figure":
					figure = a.Val
				}
			}
			if figure != "" {
				for d := range n.Descendants() {
					if d.Type == html.TextNode {
						found[figure] += d.Data
					}
				}
			}
		}
		for l := range links {
			if !ids[l] {
				t.Errorf("%s: the link %s leads nowhere in the document", lang, l)
			}
		}
		if len(found) != len(want) {
			t.Errorf("%s: figures %v", lang, found)
		}
		for name, value := range want {
			if found[name] != value {
				t.Errorf("%s: %s is %q, want %q", lang, name, found[name], value)
			}
		}
		b.markdown(&plain)
		if strings.Contains(plain.String(), "<script") || strings.Contains(plain.String(), "<img") || !strings.Contains(plain.String(), "["+want["calls_world"]+"](#figure-calls_world)") {
			t.Errorf("%s: Markdown:\n%s", lang, plain.String())
		}
		if strings.Contains(plain.String()+page.String(), "987") || strings.Contains(plain.String()+page.String(), " 4</") {
			t.Errorf("%s: what is not to be shown is", lang)
		}
	}
	if got := day("2021-08-01", "fr") + ", " + day("2021-08-02", "en"); got != "1er août 2021, 2 August 2021" {
		t.Error(got)
	}
}
