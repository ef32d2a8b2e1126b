// Package docs carries the project's pages for people in the program, so that what a page of
// the product says about a rule is the very text that a lawyer reads in this folder.
package docs

import (
	"embed"
	"strconv"
	"strings"
)

//go:embed *.md
var files embed.FS

// Page is one page, by the name of its file without the ending.
type Page struct{ Name, Title string }

// Pages lists the pages about rules and their error rates, in reading order.
func Pages() []Page {
	return []Page{
		{"verdicts", "Verdicts: which institution a call pretended to come from"},
		{"numbers", "Numbers: how they are read, and the British number plan"},
		{"victims", "Called numbers and points"},
		{"campaigns", "Campaigns, passcodes and scripts"},
		{"policies", "Policies: which accounts come first"},
		{"figures", "Figures"},
		{"accuracy", "Measured error rates"},
	}
}

// Text is a page's Markdown; nil when there is no such page.
func Text(name string) []byte {
	for _, p := range Pages() {
		if p.Name == name {
			text, err := files.ReadFile(name + ".md")
			if err != nil {
				panic(err) // embedded: TestPages
			}
			return text
		}
	}
	return nil
}

// Rate is how often a rule was right, as `make accuracy` measured it: the lowest of its seeds.
type Rate struct {
	Precision, Recall string // as written; empty where the measure has none
	Seeds             int
}

// Rates reads the table of accuracy.md: what was measured, and how it came out.
func Rates() map[string]Rate {
	rates := map[string]Rate{}
	for line := range strings.Lines(string(Text("accuracy"))) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 7 {
			continue
		}
		if _, err := strconv.Atoi(strings.TrimSpace(cells[1])); err != nil {
			continue // the table's head
		}
		what := strings.TrimSpace(cells[2])
		r := rates[what]
		r.Precision, r.Recall = lower(r.Precision, cells[4]), lower(r.Recall, cells[5])
		r.Seeds++
		rates[what] = r
	}
	return rates
}

// lower is the lower of two written rates, of which either may be missing.
func lower(a, b string) string {
	b = strings.TrimSpace(b)
	x, errA := strconv.ParseFloat(a, 64)
	y, errB := strconv.ParseFloat(b, 64)
	if errA != nil || errB == nil && y < x {
		return b
	}
	return a
}
