package step

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/unspoof/unspoof/internal/ledger"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// put publishes a case table with a file for each query; version tells versions apart.
func put(t *testing.T, c *store.Case, e *duckdb.Engine, table, version string, queries ...string) {
	t.Helper()
	stage, err := c.Stage()
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Discard()
	m := store.Manifest{Table: table, Kind: store.KindCase, Step: "test", StepVersion: version}
	for i, q := range queries {
		rows, cols, err := e.Write(t.Context(), q, filepath.Join(stage.Dir, partName(i)))
		if err != nil {
			t.Fatal(err)
		}
		m.Columns, m.Files = cols, append(m.Files, store.File{Name: partName(i), Rows: rows})
	}
	if m, err = stage.Publish(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	if err := e.Show(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// What came to the inputs of a step is added to its table, or found again where it touches it, and
// only then; the table is always as if it were made anew.
func TestGrow(t *testing.T) {
	c, e := empty(t)
	db, err := ledger.OpenDB(c.ActsPath())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	key, err := ledger.LoadOrCreateKey(filepath.Join(c.Dir, "checkpoints"), "unspoof/case/test")
	if err != nil {
		t.Fatal(err)
	}
	log, err := ledger.Open(t.Context(), db, "unspoof/case/test", key.Signer)
	if err != nil {
		t.Fatal(err)
	}
	hand := ledger.Hand{Log: log, Actor: "t"}
	steps := []Step{
		{Table: "total", Inputs: []string{"n", "label"}, SQL: "SELECT k, sum(v)::BIGINT AS v FROM (SELECT * FROM was UNION ALL SELECT k, v FROM n_added WHERE k IN (SELECT k FROM label)) GROUP BY k",
			Grow: &Grow{Of: []string{"n"}, Was: "k VARCHAR, v BIGINT"}, Rests: map[string]Rest{"label": {Columns: "k", Used: "n_before USING (k)"}}},
		{Table: "copied", Inputs: []string{"n"}, PerFile: "n", SQL: "SELECT k, v, place FROM n_at"},
		{Table: "most", Inputs: []string{"n", "label"}, SQL: "SELECT * FROM was UNION ALL SELECT k, max(v) AS v, max(name) AS name FROM n_again JOIN label USING (k) GROUP BY k",
			Grow: &Grow{Of: []string{"n"}, By: []string{"label"}, Was: "k VARCHAR, v BIGINT, name VARCHAR", Touched: "SELECT k FROM n_added UNION SELECT k FROM " + Changed("label", "k, name"),
				Kept: "ANTI JOIN touched USING (k)", Again: []Again{{View: "n_again", Of: "n", Select: "SELECT k, v FROM n", Grown: "SELECT k, v FROM n SEMI JOIN touched USING (k)"}}}},
	}
	anew := map[string]string{
		"total":  "SELECT k, sum(v)::BIGINT AS v FROM n WHERE k IN (SELECT k FROM label) GROUP BY k",
		"copied": "SELECT k, v, row_number() OVER () - 1 AS place FROM n",
		"most":   "SELECT k, max(v) AS v, max(name) AS name FROM n JOIN label USING (k) GROUP BY k",
	}
	first, second, third := "SELECT * FROM (VALUES ('a', 1::BIGINT), ('b', 2), ('a', 3), ('a', 0), ('a', 0), ('a', 0), ('b', 0), ('b', 0)) t(k, v)", "SELECT * FROM (VALUES ('b', 10::BIGINT), ('c', 20)) t(k, v)", "SELECT 'a' AS k, 100::BIGINT AS v"
	labels := func(text string) string { return "SELECT * FROM (VALUES " + text + ") t(k, name)" }
	gone := func() {
		m, err := c.Table("total")
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range m.Inputs {
			if in.Name == "n" {
				if err := os.RemoveAll(filepath.Join(c.Dir, "tables", "n", in.Version)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for i, change := range []struct {
		what string
		do   func()
		kept map[string]int64 // of those that ran
	}{
		{"nothing was there", func() {
			put(t, c, e, "n", "1", first)
			put(t, c, e, "label", "1", labels("('a', 'A'), ('b', 'B')"))
		}, map[string]int64{"total": 0, "copied": 0, "most": 0}},
		{"nothing came", func() {}, map[string]int64{}},
		{"a file came", func() { put(t, c, e, "n", "2", first, second) }, map[string]int64{"total": 2, "copied": 8, "most": 1}},
		{"a label that nothing rests on came", func() {
			put(t, c, e, "label", "2", labels("('a', 'A'), ('b', 'B'), ('d', 'D')"))
		}, map[string]int64{"total": 2, "most": 2}},
		{"a name changed", func() {
			put(t, c, e, "label", "3", labels("('a', 'A'), ('b', 'other'), ('d', 'D')"))
		}, map[string]int64{"total": 2, "most": 1}},
		{"a label that rows have came", func() {
			put(t, c, e, "label", "4", labels("('a', 'A'), ('b', 'other'), ('c', 'C')"))
		}, map[string]int64{"total": 0, "most": 2}},
		{"the same under another version", func() { put(t, c, e, "n", "3", first, second) }, map[string]int64{"total": 3, "copied": 10, "most": 3}},
		{"files in another order", func() { put(t, c, e, "n", "4", second, first) }, map[string]int64{"total": 0, "copied": 0, "most": 0}},
		{"a file more", func() { put(t, c, e, "n", "5", second, first, third) }, map[string]int64{"total": 3, "copied": 10, "most": 2}},
		{"a file less", func() { put(t, c, e, "n", "6", second, first) }, map[string]int64{"total": 0, "copied": 10, "most": 0}},
		{"more than a quarter is new", func() { put(t, c, e, "n", "6b", second, first, third, third, second) }, map[string]int64{"total": 3, "copied": 10, "most": 0}},
		{"and less again", func() { put(t, c, e, "n", "6c", second, first) }, map[string]int64{"total": 0, "copied": 10, "most": 0}},
		{"what was read is gone", func() { put(t, c, e, "n", "7", second, first, third); gone() }, map[string]int64{"total": 0, "copied": 0, "most": 0}},
	} {
		change.do()
		ran := map[string]int64{}
		if err := Build(t.Context(), c, e, hand, steps, nil, func(string, string) {}, func(r Ran) {
			if !r.Fresh {
				ran[r.Table] = r.Kept
			}
		}); err != nil {
			t.Fatalf("%d, %s: %v", i, change.what, err)
		}
		if fmt.Sprint(ran) != fmt.Sprint(change.kept) {
			t.Errorf("%d, %s: ran and kept %v, want %v", i, change.what, ran, change.kept)
		}
		for table, sql := range anew {
			if n := differing(t.Context(), e, table, sql); n != "0" {
				t.Errorf("%d, %s: %s has %s rows that it should not have, or not", i, change.what, table, n)
			}
		}
	}
}

// differing counts the rows that only one of a table and a query has.
func differing(ctx context.Context, e *duckdb.Engine, table, query string) (n string) {
	if err := e.DB.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM ((FROM %[1]s EXCEPT ALL (%[2]s)) UNION ALL ((%[2]s) EXCEPT ALL FROM %[1]s))", table, query)).Scan(&n); err != nil {
		return err.Error()
	}
	return n
}
