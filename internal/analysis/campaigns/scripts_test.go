package campaigns

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	tax = "This is the tax office. We have opened a case against you for unpaid duties of £3,400. An arrest warrant will be issued today unless you press 1 to speak with an officer."
	net = "Your broadband will be disconnected within a day because your router was used by criminals. To speak with a technician press 1 to speak with an officer of the network."
)

func family(t *testing.T, texts ...string) []Group {
	t.Helper()
	return GroupTexts(texts, []string{"Lloyds Bank", "Halifax"})
}

func TestOneScript(t *testing.T) {
	for name, pair := range map[string][2]string{
		"another amount":       {tax, strings.Replace(tax, "£3,400", "nine hundred pounds and 50 pence", 1)},
		"another key, spelled": {tax, strings.Replace(tax, "press 1", "PRESS ONE", 1)},
		"another institution":  {"Hello, this is Lloyds Bank about a payment to a new payee.", "Hello, this is Halifax about a payment to a new payee."},
		"begun late":           {tax, tax[70:]},
		"ended early":          {tax, tax[:80]},
		"said twice":           {tax, tax[70:] + " " + tax[:90]},
		"misheard":             {tax, strings.Replace(tax, "duties", "duty is", 1)},
		"accents and quotes":   {"Café owners: don't wait, claim now", "cafe owners dont wait claim NOW!"},
	} {
		if g := family(t, pair[0], pair[1]); g[0].Family != g[1].Family || g[0].Recording != g[1].Recording {
			t.Errorf("%s: groups %+v", name, g)
		}
	}
}

func TestOtherScripts(t *testing.T) {
	for name, pair := range map[string][2]string{
		"the same ending": {tax, net},
		"no words":        {"...", "!!"},
		"empty":           {"", ""},
	} {
		if g := family(t, pair[0], pair[1]); g[0].Family == g[1].Family {
			t.Errorf("%s: groups %+v", name, g)
		}
	}
}

// Half of a text in another words' company is the same family, not the same recording.
func TestTwoLevels(t *testing.T) {
	changed := tax[:120] + " You may settle the matter by telephone with our colleagues until noon."
	g := family(t, tax, changed)
	if g[0].Family != g[1].Family || g[0].Recording == g[1].Recording {
		t.Errorf("groups %+v", g)
	}
	if k := slices.IndexFunc(g, func(g Group) bool { return g.Like >= 0 }); k < 0 || g[k].Containment < sameScript || g[k].Containment >= sameRecording {
		t.Errorf("no reason in %+v", g)
	}
}

// Groups do not depend on anything but the texts and their order.
func TestSameAgain(t *testing.T) {
	var texts []string
	for i := range 300 {
		texts = append(texts, fmt.Sprint("number ", i, " ", []string{tax, net, tax[30:], net[:90]}[i%4], strings.Repeat(" and so on", i%7)))
	}
	a := family(t, texts...)
	for range 5 {
		if b := family(t, texts...); !slices.Equal(a, b) {
			t.Fatal("two runs differ")
		}
	}
}

// BenchmarkGroup groups 100,000 different texts of 1,000 scripts.
func BenchmarkGroup(b *testing.B) {
	texts := make([]string, 100_000)
	for i := range texts {
		var s strings.Builder
		for k := range 60 {
			w := (i%1000)*7919 + k*104729
			if (i/1000+k)%29 == 0 {
				w += i // an error of the recogniser
			}
			fmt.Fprintf(&s, "w%s ", strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(w%20011)))
		}
		texts[i] = s.String()
	}
	for b.Loop() {
		GroupTexts(texts, nil)
	}
}
