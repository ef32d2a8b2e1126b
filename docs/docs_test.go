package docs

import (
	"strings"
	"testing"
)

func TestPages(t *testing.T) {
	for _, p := range Pages() {
		if text := string(Text(p.Name)); !strings.HasPrefix(text, "# ") {
			t.Errorf("%s has no heading: %.40q", p.Name, text)
		}
	}
	if Text("../README") != nil || Text("overview.png") != nil {
		t.Error("a page outside the list")
	}
}

func TestRates(t *testing.T) {
	rates := Rates()
	for _, what := range []string{"grade A*", "grade C", "reports strictly linked", "victims and their counts"} {
		if r := rates[what]; r.Seeds == 0 || r.Precision == "" || r.Recall == "" {
			t.Errorf("%s: %+v", what, r)
		}
	}
	if got := lower("1.0000", " 0.9871 "); got != "0.9871" {
		t.Errorf("the lower of 1.0000 and 0.9871 is %s", got)
	}
	if got := lower("", " 0.9 "); got != "0.9" {
		t.Errorf("the only one is %s", got)
	}
}
