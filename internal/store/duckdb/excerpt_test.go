package duckdb

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/store"
)

// What is read of a few groups of rows, from a copy of them, is what the table has there.
func TestExcerpt(t *testing.T) {
	c := newCase(t)
	e, err := Open(t.Context(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	stage, err := c.Stage()
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Discard()
	const rows = `SELECT i, CASE WHEN i %% 7 > 0 THEN 'call ' || i END AS id, CASE WHEN i %% 3 > 0 THEN ['A', 'B', 'C'][1 + i %% 3] END AS grade, i %% 2 = 0 AS even,
		make_timestamptz(i * 1000000) AS started_at, i / 3 AS third, CASE WHEN i %% 5 = 0 THEN i // 1000 END AS slow, [i] AS list FROM range(%d, %d) t(i)`
	m := store.Manifest{Table: "n", Kind: store.KindFinding, Step: "test"}
	for i, span := range [][2]int{{0, 500_000}, {500_000, 500_000}, {500_000, 900_000}, {900_000, 900_010}} {
		name := fmt.Sprintf("part-%d.parquet", i)
		n, cols, err := e.WriteSought(t.Context(), fmt.Sprintf(rows, span[0], span[1]), filepath.Join(stage.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		m.Columns, m.Files = cols, append(m.Files, store.File{Name: name, Rows: n})
	}
	if m, err = stage.Publish(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	placed, err := e.Placed(m)
	if err != nil {
		t.Fatal(err)
	}
	flat := []string{"id", "grade", "even", "started_at", "third", "slow", "i"}
	all := append([]string{"list"}, flat...) // a list is not copied
	for _, test := range []struct {
		name   string
		read   func() (*Excerpt, error)
		where  string
		copied int
	}{
		{"one place", func() (*Excerpt, error) { return e.At(m, flat, []int64{123_456}) }, "i = 123456", 1},
		{"a few places, in any order", func() (*Excerpt, error) { return e.At(m, flat, []int64{899_999, 0, 40_960, 40_959, 700_000, 0}) }, "i IN (0, 40959, 40960, 700000, 899999)", 2},
		{"a file of one group", func() (*Excerpt, error) { return e.At(m, flat, []int64{900_009}) }, "i = 900009", 0},
		{"a list", func() (*Excerpt, error) { return e.At(m, all, []int64{123_456}) }, "i = 123456", 0},
		{"a number", func() (*Excerpt, error) { return e.Rows(m, flat, Where{"i", int64(654_321)}) }, "i = 654321", 1},
		{"a number that repeats", func() (*Excerpt, error) { return e.Rows(m, flat, Where{"slow", int64(777)}) }, "slow = 777", 1},
		{"a text", func() (*Excerpt, error) { return e.Rows(m, flat, Where{"id", "call 5"}) }, "id = 'call 5'", -1},
		{"two conditions", func() (*Excerpt, error) { return e.Rows(m, flat, Where{"slow", int64(777)}, Where{"grade", "C"}) }, "slow = 777 AND grade = 'C'", 1},
		{"in no group", func() (*Excerpt, error) { return e.Rows(m, flat, Where{"i", int64(-1)}) }, "false", 0},
		{"in no row", func() (*Excerpt, error) { return e.Rows(m, flat, Where{"id", "call 5'; --"}) }, "false", -1},
		{"a NUL", func() (*Excerpt, error) { return e.Rows(m, flat, Where{"id", "call 5\x00; --"}) }, "false", -1},
		{"found", func() (*Excerpt, error) {
			return e.Find(t.Context(), m, Where{"slow", int64(100)}, Where{"even", "true"})
		}, "slow = 100 AND even", 0},
		{"not found", func() (*Excerpt, error) { return e.Find(t.Context(), m, Where{"slow", int64(100)}, Where{"id", "?"}) }, "false", 0},
		{"nowhere found", func() (*Excerpt, error) { return e.Find(t.Context(), m, Where{"i", int64(900_010)}) }, "false", 0},
	} {
		x, err := test.read()
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if test.copied >= 0 && len(x.files) != test.copied {
			t.Errorf("%s: %d files were copied from, want %d", test.name, len(x.files), test.copied)
		}
		columns := strings.Join(flat, ", ")
		one, other := "SELECT "+columns+" FROM ("+x.SQL+")", "SELECT "+columns+" FROM ("+placed+") WHERE "+test.where
		if !strings.Contains(test.name, "found") {
			one, other = strings.Replace(one, " FROM", ", place FROM", 1), strings.Replace(other, " FROM", ", place FROM", 1)
		}
		var got, want, wrong int64
		err = e.DB.QueryRow("SELECT (SELECT count(*) FROM ("+one+")), (SELECT count(*) FROM ("+other+")), (SELECT count(*) FROM ("+one+" EXCEPT ALL "+other+"))").Scan(&got, &want, &wrong)
		if err != nil || got != want || wrong != 0 || test.where != "false" && want == 0 {
			t.Errorf("%s: %d rows, want %d, %d of them others, %v", test.name, got, want, wrong, err)
		}
		x.Close()
		for _, f := range x.files {
			if _, err := os.Stat(f); err == nil {
				t.Errorf("%s: %s was left behind", test.name, f)
			}
		}
	}
	for _, places := range [][]int64{nil, {-1}, {900_010}} {
		if x, err := e.At(m, flat, places); err == nil {
			t.Errorf("rows at %d: %s", places, x.SQL)
		}
	}
}
