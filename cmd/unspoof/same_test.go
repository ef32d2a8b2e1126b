package main

import (
	"path/filepath"
	"testing"
)

// Two people who read the same seizure have the same case, table for table and row for row,
// also when they add the lists in another order and map and build in between.
func TestDeterminism(t *testing.T) {
	s := seizure(t, 0.002, 1)
	want := tablesOf(t, builtCase(t, s))
	t.Run("again", func(t *testing.T) {
		if other := sameTables(t, tablesOf(t, builtCase(t, s)), want); len(other) > 0 {
			t.Logf("the same rows in other files: %v", other)
		}
	})
	t.Run("lists in another order", func(t *testing.T) {
		dir := newCase(t)
		for _, l := range []string{"numbering", "rates"} {
			done(t, "add", "--case", dir, "--list", l, filepath.Join(s, "lists", l+".csv"))
		}
		done(t, "map", "--case", dir)
		for _, args := range job(dir, s, []string{"registry", "loss_reports"}) {
			done(t, args...)
		}
		sameTables(t, tablesOf(t, dir), want)
		if v := unspoof(t, "verify", "--case", dir); v.code != exitDone {
			t.Error(v)
		}
	})
	t.Run("nothing to do the second time", func(t *testing.T) {
		dir := builtCase(t, s)
		before := tablesOf(t, dir)
		for _, args := range job(dir, s, lists) {
			done(t, args...)
		}
		sameTables(t, tablesOf(t, dir), before)
		noLeftovers(t, dir)
	})
}
