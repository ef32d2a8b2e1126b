package step

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// empty is a case without a table, and its engine.
func empty(t *testing.T) (*store.Case, *duckdb.Engine) {
	c, err := store.Create(filepath.Join(t.TempDir(), "case"), store.Config{ID: "t", Name: "t", TimeZone: "Europe/London", Created: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	e, err := duckdb.Open(t.Context(), c, duckdb.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return c, e
}

// What is filled in is read back, whatever the texts hold.
func TestFill(t *testing.T) {
	_, e := empty(t)
	rows := [][]string{{"a", "1.5"}, {"nul\x00 in it", "2"}, {"'); DROP TABLE filled; --", "3"}, {"\u202e\"\\", ""}, {"", "5"}}
	for len(rows) < 5003 {
		rows = append(rows, []string{"more", "6"})
	}
	if err := Fill(t.Context(), e, "filled", []string{"name", "value DOUBLE"}, rows); err != nil {
		t.Fatal(err)
	}
	var got [][]string
	if err := Each(t.Context(), e, "SELECT name, rtrim(rtrim(CAST(value AS VARCHAR), '0'), '.') FROM filled ORDER BY rowid", func(a, b string) { got = append(got, []string{a, b}) }); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, rows) {
		t.Errorf("read back %d rows, want %d: %q", len(got), len(rows), got[:min(6, len(got))])
	}
	if err := Fill(t.Context(), e, "filled", []string{"name"}, nil); err != nil {
		t.Fatal(err)
	}
}
