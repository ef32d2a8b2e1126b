package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// A case that is mapped and built after each snapshot has the same tables as one that is mapped
// and built once, though it computes only what is new.
func TestGrown(t *testing.T) {
	s := seizure(t, 0.005, 3)
	last := filepath.Join(s, "mbilling.sql")
	files := t.TempDir()
	first, second := filepath.Join(files, "first.sql"), filepath.Join(files, "second.sql")
	earlierState(t, last, second, lastPercent(t, last)) // as time went on
	earlierState(t, second, first, lastOf(1))           // campaigns of all times came late
	add := func(dir, path string, more ...string) {
		t.Helper()
		done(t, append([]string{"add", "--case", dir, path}, more...)...)
	}
	at, once := newCase(t), newCase(t)
	add(once, first)
	add(once, second, "--snapshot-of", "first.sql")
	add(once, last, "--snapshot-of", "second.sql")
	for _, args := range job(once, s, lists)[1:] {
		done(t, args...)
	}
	want := tablesOf(t, once)

	add(at, first)
	for _, args := range job(at, s, lists)[1:] {
		done(t, args...)
	}
	for _, snapshot := range [][2]string{{second, "first.sql"}, {last, "second.sql"}} {
		add(at, snapshot[0], "--snapshot-of", snapshot[1])
		done(t, "map", "--case", at)
		kept := map[string]float64{}
		for line := range strings.Lines(done(t, "build", "--json", "--case", at).out) {
			var e struct {
				Event, Table string
				Kept         float64
			}
			must(t, json.Unmarshal([]byte(line), &e))
			if e.Event == "built" {
				kept[e.Table] = e.Kept
			}
		}
		for _, s := range steps() {
			if (s.PerFile != "" || s.Grow != nil && snapshot[0] == last) && kept[s.Table] == 0 {
				t.Errorf("after %s %s was made anew", filepath.Base(snapshot[0]), s.Table)
			}
		}
	}
	sameTables(t, tablesOf(t, at), want)
}
