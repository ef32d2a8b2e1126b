package main

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
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

// What is found does not depend on how the rows came: in another order, or the calls in two dumps
// and those in another order. Only where a row lies is another thing then.
func TestFindingsDoNotDependOnTheFiles(t *testing.T) {
	s := seizure(t, 0.0005, 2)
	text, err := os.ReadFile(filepath.Join(s, "mbilling.sql"))
	must(t, err)
	want := findingsOf(t, builtCase(t, s))
	whole := readDump(t, string(text))
	for name, dumps := range map[string][]string{
		"shuffled":              {whole.with(func(string) bool { return true }, func(i, n int) bool { return true }, 3)},
		"calls in two dumps":    {whole.with(func(string) bool { return true }, func(i, n int) bool { return i < n/3 }, 0), whole.with(isCalls, func(i, n int) bool { return i >= n/3 }, 0)},
		"every other call away": {whole.with(isCalls, func(i, n int) bool { return i%2 == 0 }, 4), whole.with(func(string) bool { return true }, func(i, n int) bool { return i%2 == 1 }, 5)},
	} {
		t.Run(name, func(t *testing.T) {
			dir, files := newCase(t), t.TempDir()
			for i, d := range dumps {
				path := filepath.Join(files, fmt.Sprintf("part%d.sql", i))
				must(t, os.WriteFile(path, []byte(d), 0o640))
				done(t, "add", "--case", dir, path)
			}
			for _, args := range job(dir, s, lists)[1:] {
				done(t, args...)
			}
			got := findingsOf(t, dir)
			for table, rows := range want {
				if got[table] != rows {
					t.Errorf("%s has other rows: %s, want %s", table, got[table], rows)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d findings, want %d", len(got), len(want))
			}
		})
	}
}

func isCalls(table string) bool { return table == "pkg_cdr" || table == "pkg_cdr_failed" }

// dumped is a dump in pieces: text that is no row, and the rows of a table, a line each.
type dumped []struct {
	text, table string
	rows        []string
}

// readDump takes a dump of package synth apart, which writes a row a line.
func readDump(t *testing.T, text string) (d dumped) {
	t.Helper()
	const insert = "INSERT INTO `"
	for {
		head, rest, found := strings.Cut(text, insert)
		table, rest, _ := strings.Cut(rest, "` VALUES\n")
		var rows []string
		for found {
			line, after, ok := strings.Cut(rest, "\n")
			if !ok || !strings.HasPrefix(line, "(") {
				t.Fatalf("not a row of %s: %.80s", table, line)
			}
			rows, rest = append(rows, line[:len(line)-1]), after
			if strings.HasSuffix(line, ";") {
				break
			}
		}
		d = append(d, struct {
			text, table string
			rows        []string
		}{head, table, rows})
		if text = rest; !found {
			return d
		}
	}
}

// with is a dump of some tables: of those with calls only the rows that are kept, by place and
// number; with a seed, in another order.
func (d dumped) with(table func(string) bool, keep func(i, n int) bool, seed uint64) string {
	var b strings.Builder
	total := map[string]int{}
	for _, p := range d {
		total[p.table] += len(p.rows)
	}
	r := rand.New(rand.NewPCG(seed, 7))
	at, left := map[string]int{}, map[string][]string{}
	for _, p := range d {
		for _, row := range p.rows {
			if table(p.table) && (!isCalls(p.table) || keep(at[p.table], total[p.table])) {
				left[p.table] = append(left[p.table], row)
			}
			at[p.table]++
		}
	}
	for _, p := range d {
		b.WriteString(p.text)
		rows := left[p.table]
		delete(left, p.table)
		if seed != 0 {
			r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		}
		if len(rows) > 0 {
			b.WriteString("INSERT INTO `" + p.table + "` VALUES\n" + strings.Join(rows, ",\n") + ";\n")
		}
	}
	return b.String()
}

// findingsOf gives for every finding a hash of its rows without where they lie.
func findingsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	c, err := store.Open(dir)
	must(t, err)
	tables, err := c.Tables()
	must(t, err)
	e, err := duckdb.Open(t.Context(), c, duckdb.Options{})
	must(t, err)
	defer e.Close()
	found := map[string]string{}
	for _, m := range tables {
		if m.Kind != store.KindFinding {
			continue
		}
		from := placesNamed(t, c, e, m)
		var columns []string
		for _, col := range m.Columns {
			switch {
			case strings.Contains(col.Name, "ref_"):
			case col.Name == "place" && from != m.Table:
				columns = append(columns, "call_id")
			default:
				columns = append(columns, duckdb.Ident(col.Name))
			}
		}
		must(t, execute(e.DB, "CREATE OR REPLACE TEMP VIEW bare AS SELECT "+strings.Join(columns, ", ")+" FROM "+duckdb.Ident(from)))
		found[m.Table] = rowsHash(t, e.DB, "bare")
	}
	return found
}

func execute(db *sql.DB, query string) error {
	_, err := db.Exec(query)
	return err
}
