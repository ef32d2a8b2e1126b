package duckdb

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/unspoof/unspoof/internal/store"
)

// Places count through the files of a table, and lead to its rows.
func TestPlaces(t *testing.T) {
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
	m := store.Manifest{Table: "n", Kind: store.KindFinding, Step: "test"}
	for i, query := range []string{"SELECT i FROM range(3) t(i)", "SELECT i FROM range(0) t(i)", "SELECT i + 3 AS i FROM range(200000) t(i)", "SELECT 200003 AS i"} {
		name := fmt.Sprintf("part-%d.parquet", i)
		rows, cols, err := e.Write(t.Context(), query, filepath.Join(stage.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		m.Columns, m.Files = cols, append(m.Files, store.File{Name: name, Rows: rows})
	}
	if m, err = stage.Publish(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	placed, err := e.Placed(m)
	if err != nil {
		t.Fatal(err)
	}
	var n, wrong int64
	if err := e.DB.QueryRow("SELECT count(*), count(*) FILTER (WHERE i <> place) FROM ("+placed+")").Scan(&n, &wrong); err != nil || n != 200004 || wrong != 0 {
		t.Errorf("%d rows, %d in the wrong place, %v", n, wrong, err)
	}
	want := []int64{0, 2, 3, 150000, 200002, 200003}
	at, err := e.At(m, []string{"i"}, want)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := e.DB.Query("SELECT place, i FROM (" + at.SQL + ") ORDER BY place")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []int64
	for rows.Next() {
		var place, i int64
		if err := rows.Scan(&place, &i); err != nil || place != i {
			t.Errorf("at %d is %d, %v", place, i, err)
		}
		got = append(got, place)
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows at %d, want %d", got, want)
	}
	if sql, err := e.At(m, []string{"i"}, []int64{-1, 200004}); err == nil {
		t.Errorf("rows that are not there are looked for: %s", sql.SQL)
	}
}
