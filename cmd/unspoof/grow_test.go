package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// A case that is built, and built again after a snapshot, has the same tables as one that is built
// once, though it computes only what is new.
func TestGrown(t *testing.T) {
	s := seizure(t, 0.005, 3)
	last := filepath.Join(s, "mbilling.sql")
	first := filepath.Join(t.TempDir(), "first.sql")
	late, afterwards := lastOf(1), lastPercent(t, last)
	earlierState(t, last, first, func(rows, n int, line []byte) bool {
		return late(rows, n, line) && n%3 == 0 || afterwards(rows, n, line) // campaigns of all times, which the dump ends with, came late in part
	})
	at, once := newCase(t), newCase(t)
	for _, dir := range []string{at, once} {
		done(t, "add", "--case", dir, first)
	}
	for _, args := range job(at, s, lists)[1:] {
		done(t, args...)
	}
	for _, dir := range []string{at, once} {
		done(t, "add", "--case", dir, "--snapshot-of", "first.sql", last)
	}
	for _, args := range job(once, s, lists)[1:] {
		done(t, args...)
	}
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
		if (s.PerFile != "" || s.Grow != nil) && kept[s.Table] == 0 {
			t.Errorf("%s was made anew", s.Table)
		}
	}
	sameTables(t, tablesOf(t, at), tablesOf(t, once))
}
