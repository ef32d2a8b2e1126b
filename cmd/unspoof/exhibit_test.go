package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What left a case can be computed again from the versions it names after the registry and the
// policies have changed and everything was built anew; what leaves then is another thing; and
// whatever is changed in an exhibit, or in an old version it rests on, is found and named.
func TestExhibitsRecompute(t *testing.T) {
	dir, out := builtCase(t, seizure(t, 0.0005, 1)), t.TempDir()
	leave := func(to string) {
		done(t, "export", "--case", dir, "suspects", "--out", filepath.Join(out, to, "suspects"))
		done(t, "export", "--case", dir, "victims", "--out", filepath.Join(out, to, "victims"))
		done(t, "export", "--case", dir, "victims", "--batch", "gb.mobile.2", "--out", filepath.Join(out, to, "batch"))
		for _, lang := range []string{"en", "fr"} {
			done(t, "briefing", "--case", dir, "--lang", lang, "--out", filepath.Join(out, to, lang))
		}
	}
	all := []string{"suspects", "victims", "batch", "en", "fr"}
	holds := func(from string) {
		t.Helper()
		for _, x := range all {
			if v := unspoof(t, "verify", "--case", dir, "--sample", "5", "--exhibit", filepath.Join(out, from, x)); v.code != exitDone || !strings.Contains(v.out, "ok       exhibit") {
				t.Errorf("%s/%s: %s", from, x, v)
			}
		}
	}
	leave("old")
	holds("old")

	files := t.TempDir()
	registry, policy := filepath.Join(files, "registry.csv"), filepath.Join(dir, "policies", "all.yaml")
	must(t, os.WriteFile(registry, []byte("institution_id,institution,sector,country,aliases,number_from,number_to,inbound_only,valid_from,valid_to,source_url,seen_on\n"+
		"drama,Drama Bank,bank,GB,,+442079460500,+442079460999,false,2000-01-01,,https://drama.example/numbers,2022-01-01\n"), 0o640))
	must(t, os.WriteFile(policy, []byte("policy: all\nversion: 1\ntitle: everybody who called\nsource: test\napproved_by: A. Lead\napproved_on: \"2023-01-01\"\nrequire:\n  - {field: calls, is: \">=\", value: \"1\", why: called}\norder: [calls desc, account_id]\n"), 0o640))
	done(t, "add", "--case", dir, "--list", "registry", registry)
	done(t, "map", "--case", dir)
	done(t, "build", "--case", dir)
	holds("old")
	leave("new")
	holds("new")
	for x, file := range map[string]string{"suspects": "suspects.exact.csv", "victims": "victims.exact.csv", "en": "figures.exact.csv"} {
		was, err := os.ReadFile(filepath.Join(out, "old", x, file))
		must(t, err)
		is, err := os.ReadFile(filepath.Join(out, "new", x, file))
		must(t, err)
		if bytes.Equal(was, is) {
			t.Errorf("%s says the same under another registry and another policy", file)
		}
	}

	// change replaces text in a file that holds it.
	change := func(path, from, to string) {
		t.Helper()
		text, err := os.ReadFile(path)
		must(t, err)
		changed := bytes.Replace(text, []byte(from), []byte(to), 1)
		if bytes.Equal(changed, text) {
			t.Fatalf("%s does not hold %q", path, from)
		}
		must(t, os.Chmod(path, 0o640))
		must(t, os.WriteFile(path, changed, 0o640))
	}
	for _, c := range []struct {
		name, exhibit string
		tamper        func(dir string)
		want          []string
	}{
		{"a value", "suspects", func(x string) { change(filepath.Join(x, "suspects.exact.csv"), ",GB,claimed,", ",FR,claimed,") },
			[]string{"suspects.exact.csv: was altered", "suspects.exact.csv: record 1, column country:"}},
		{"the viewing copy", "victims", func(x string) { change(filepath.Join(x, "victims.csv"), ",geographic,", ",mobile,") },
			[]string{"victims.csv: was altered", "column line:"}},
		{"a row less", "victims", func(x string) {
			text, err := os.ReadFile(filepath.Join(x, "victims.exact.csv"))
			must(t, err)
			text = text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1]
			must(t, os.WriteFile(filepath.Join(x, "victims.exact.csv"), text, 0o640))
		}, []string{"victims.exact.csv: ends before record"}},
		{"a row more", "suspects", func(x string) {
			f, err := os.OpenFile(filepath.Join(x, "suspects.exact.csv"), os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteString("met-2022,1\r\n")
			must(t, err)
			must(t, f.Close())
		}, []string{"suspects.exact.csv: goes on after record 2"}},
		{"a number of the page", "fr", func(x string) {
			change(filepath.Join(x, "briefing.fr.html"), `data-figure="calls_world">`, `data-figure="calls_world">1`)
		},
			[]string{"briefing.fr.html: was altered", "figure calls_world"}},
		{"a number of the Markdown", "en", func(x string) {
			change(filepath.Join(x, "briefing.en.md"), "](#figure-calls_uk)", "0](#figure-calls_uk)")
		},
			[]string{"briefing.en.md: was altered", "figure calls_uk"}},
		{"the manifest", "batch", func(x string) { change(filepath.Join(x, "manifest.json"), "gb.mobile.2", "gb.mobile.3") },
			[]string{"manifest.json: was altered", "victims.exact.csv: "}},
		{"a file beside it", "batch", func(x string) { must(t, os.WriteFile(filepath.Join(x, "more.csv"), nil, 0o640)) }, []string{"more.csv: is not listed"}},
		{"a file missing", "batch", func(x string) { must(t, os.Remove(filepath.Join(x, "warning.fr.md"))) }, []string{"warning.fr.md: "}},
		{"a link", "batch", func(x string) {
			must(t, os.Remove(filepath.Join(x, "victims.csv")))
			must(t, os.Symlink(filepath.Join(out, "old", "batch", "victims.csv"), filepath.Join(x, "victims.csv")))
		}, []string{"victims.csv: is a link"}},
		{"no exhibit at all", "batch", func(x string) { must(t, os.Remove(filepath.Join(x, "manifest.json"))) }, []string{"manifest.json: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := copyTree(t, filepath.Join(out, "old", c.exhibit))
			c.tamper(x)
			fails(t, dir, x, c.want...)
		})
	}
	t.Run("an old version", func(t *testing.T) {
		spoilt := copyTree(t, dir)
		versions, err := filepath.Glob(filepath.Join(spoilt, "tables", "victim", "*", "part-*.parquet"))
		must(t, err)
		if len(versions) != 2 {
			t.Fatal(versions)
		}
		manifest, err := os.ReadFile(filepath.Join(spoilt, "tables", "victim", "manifest.json"))
		must(t, err)
		for _, part := range versions {
			if !bytes.Contains(manifest, []byte(filepath.Base(filepath.Dir(part)))) { // not the published one
				text, err := os.ReadFile(part)
				must(t, err)
				text[len(text)/2] ^= 1
				must(t, os.Chmod(part, 0o640))
				must(t, os.WriteFile(part, text, 0o640))
				fails(t, spoilt, filepath.Join(out, "old", "victims"), filepath.Base(filepath.Dir(part)))
			}
		}
	})
	t.Run("another case", func(t *testing.T) {
		fails(t, newCase(t), filepath.Join(out, "old", "victims"), "is of case", "no entry of the ledger exported")
	})
}

// fails wants a check of the exhibit to fail and to name each of want.
func fails(t *testing.T, dir, exhibit string, want ...string) {
	t.Helper()
	v := unspoof(t, "verify", "--case", dir, "--sample", "5", "--exhibit", exhibit)
	if v.code != exitVerify {
		t.Errorf("want exit %d:\n%s", exitVerify, v)
	}
	for _, w := range want {
		if !strings.Contains(v.out, w) {
			t.Errorf("%q is not named:\n%s", w, v)
		}
	}
}
