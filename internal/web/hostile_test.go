package web

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"github.com/unspoof/unspoof/internal/desk/auth"
	"github.com/unspoof/unspoof/internal/desk/desktest"
)

// skeleton is a page's elements in order, each with the names of its attributes; of text only
// that it is there.
func skeleton(t *testing.T, page string) []string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	var walk func(*html.Node, int)
	walk = func(n *html.Node, depth int) {
		if n.Type == html.ElementNode {
			line := strings.Repeat(" ", depth) + n.Data
			for _, a := range n.Attr {
				line += " " + a.Key
				if a.Key == "class" || a.Key == "id" || a.Key == "type" {
					line += "=" + a.Val
				}
			}
			list = append(list, line)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, depth+1)
		}
	}
	walk(root, 0)
	return list
}

// TestHostileTextChangesNoPage shows every page of two cases that differ only in their text,
// and compares the pages element by element.
func TestHostileTextChangesNoPage(t *testing.T) {
	benign, hostile := open(t, desktest.Options{}), open(t, desktest.Options{Hostile: true})
	tokens := [2]string{benign.signInAs(t, auth.Supervisor), hostile.signInAs(t, auth.Supervisor)}
	for _, r := range routes() {
		if r.Method != "GET" || r.Path == "/static/{name}" {
			continue
		}
		resp, want := benign.ask(t, "GET", benign.addresses()[r.Path], tokens[0])
		if resp.StatusCode != 200 {
			t.Fatalf("%s: %s", r.Path, resp.Status)
		}
		resp, got := hostile.ask(t, "GET", hostile.addresses()[r.Path], tokens[1])
		if resp.StatusCode != 200 {
			t.Fatalf("%s, hostile: %s\n%s", r.Path, resp.Status, got)
		}
		for _, c := range got {
			if (unicode.IsControl(c) && c != '\n') || unicode.Is(unicode.Cf, c) || c == unicode.ReplacementChar {
				t.Errorf("%s: %U reaches the browser", r.Path, c)
				break
			}
		}
		if strings.HasPrefix(r.Path, "/data/") {
			continue
		}
		if r.Path != "/sign-in" && !strings.Contains(html.UnescapeString(got), "⟨U+202E⟩") {
			t.Errorf("%s: nothing hostile on the page, so nothing was tested", r.Path)
		}
		a, b := skeleton(t, want), skeleton(t, got)
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("%s: element %d is %q, want %q", r.Path, i, b[i], a[i])
			}
		}
		if len(a) != len(b) {
			t.Fatalf("%s: %d elements, want %d", r.Path, len(b), len(a))
		}
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain text, £5 – “ok” é 中 🏦": "plain text, £5 – “ok” é 中 🏦",
		"a\u202Eb":                 "a⟨U+202E⟩b",
		"nul\x00 tab\t nl\n":       "nul⟨U+0000⟩ tab⟨U+0009⟩ nl⟨U+000A⟩",
		"\xff\xfe":                 "⟨0xFF⟩⟨0xFE⟩",
		"\u200b\ufeff\u00ad\u2028": "⟨U+200B⟩⟨U+FEFF⟩⟨U+00AD⟩⟨U+2028⟩",
		"a\u00a0b\u3000":           "a⟨U+00A0⟩b⟨U+3000⟩",
		"⟨U+202E⟩":                 "⟨U+27E8⟩U+202E⟩",
		"\ufffd":                   "\ufffd",
		"\U000E0041":               "⟨U+E0041⟩",
		"":                         "",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("a\u202Eb\x00\xff")
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range visible(s) {
			if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) {
				t.Fatalf("visible(%q) lets %U through", s, c)
			}
		}
	})
}
