package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/desk"
	"github.com/unspoof/unspoof/internal/desk/auth"
	"github.com/unspoof/unspoof/internal/store"
)

var benchBuild = flag.Float64("bench.build", 0, "scale of the seizure that TestBenchBuild measures; 0: it does not run")

// Findings at scale: the build step by step, what the pages look up, and the build again after
// a second snapshot of the platform in which one row of a hundred is gone. `make bench-build`
// runs it; it asserts nothing about time.
func TestBenchBuild(t *testing.T) {
	if *benchBuild == 0 {
		t.Skip("run by make bench-build")
	}
	dir := benchFolder(t)
	m := newMeter(t)
	seizure, caseDir := m.seizure(dir, *benchBuild), filepath.Join(dir, "case-build")
	if err := os.RemoveAll(caseDir); err != nil {
		t.Fatal(err)
	}
	dump := filepath.Join(seizure, "mbilling.sql")
	m.run("init", "init", "--case", caseDir, "--name", "bench", "--reference", "bench")
	rows := m.run("add", "add", "--json", "--case", caseDir, dump).stored()
	m.addLists(caseDir, seizure)
	mapped := m.run("map", "map", "--json", "--case", caseDir)
	built := m.run("build", "build", "--json", "--case", caseDir)
	looked := lookUps(t, caseDir)

	var b strings.Builder
	fmt.Fprintf(&b, "Scale %v: %.0f rows.\n\n| what | s | CPU s | peak MiB |\n|---|---|---|---|\n", *benchBuild, rows)
	line := func(name string, p phase) {
		fmt.Fprintf(&b, "| %s | %.1f | %.1f | %d |\n", name, p.took.Seconds(), p.cpu.Seconds(), p.memory>>20)
	}
	line("map", mapped)
	line("build", built)
	line("build with nothing to do", m.run("build again", "build", "--json", "--case", caseDir))

	later := filepath.Join(dir, "later.sql")
	gone := oneInHundredGone(t, dump, later)
	sealed, err := store.Open(caseDir)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := sealed.Sources()
	if err != nil {
		t.Fatal(err)
	}
	first := sources[slices.IndexFunc(sources, func(s store.Source) bool { return s.Name == "mbilling.sql" })]
	line(fmt.Sprintf("add a snapshot without %d of the rows", gone), m.run("add snapshot", "add", "--json", "--case", caseDir, "--snapshot-of", string(first.ID), later))
	if err := os.Remove(later); err != nil {
		t.Fatal(err)
	}
	remapped := m.run("map snapshots", "map", "--json", "--case", caseDir)
	rebuilt := m.run("build snapshots", "build", "--json", "--case", caseDir)
	line("map it", remapped)
	line("build it", rebuilt)

	fmt.Fprintf(&b, "\n| look-up, engine warm | keys | median ms | worst ms |\n|---|---|---|---|\n%s", looked)
	fmt.Fprintf(&b, "\n| step | s | rows | s after the snapshot |\n|---|---|---|---|\n")
	again := map[any]any{}
	for _, e := range append(remapped.events, rebuilt.events...) {
		if e["fresh"] != true {
			again[e["table"]] = e["seconds"]
		}
	}
	for _, e := range append(mapped.events, built.events...) {
		if (e["event"] == "mapped" || e["event"] == "built") && e["fresh"] != true {
			second := "unchanged"
			if s, ok := again[e["table"]].(float64); ok {
				second = fmt.Sprintf("%.2f", s)
			}
			fmt.Fprintf(&b, "| %v | %.2f | %.0f | %s |\n", e["table"], e["seconds"], e["rows"], second)
		}
	}
	t.Log("\n" + b.String())
	if *benchOut != "" {
		if err := os.WriteFile(*benchOut, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// lookUps measures what pages look up through the desk, the ledger entry of each look included:
// 20 keys of each kind, spread over all of that kind by rank, each looked up once
// before.
func lookUps(t *testing.T, caseDir string) string {
	ctx := t.Context()
	w, err := openCase(ctx, caseDir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	e, err := w.keeping(ctx, keptRows)
	if err != nil {
		t.Fatal(err)
	}
	d, err := desk.Open(ctx, desk.Config{Case: w.Case, Engine: e, Log: w.log, DB: w.db})
	if err != nil {
		t.Fatal(err)
	}
	person := desk.Person{Name: "supervisor", Role: auth.Supervisor}
	var b strings.Builder
	for _, l := range []struct {
		name, keys string
		look       func(ctx context.Context, key string) error
	}{
		{"account page", "SELECT account_id AS key, count(*) AS n FROM account_call GROUP BY ALL", func(ctx context.Context, key string) error {
			_, err := d.Account(ctx, person, key, 1, 1)
			return err
		}},
		{"number page", "SELECT CAST(called_e164 AS VARCHAR) AS key, calls AS n FROM victim", func(ctx context.Context, key string) error {
			n, _ := desk.ParseNumber("+" + key)
			_, err := d.Number(ctx, person, casefile.E164(n), 1)
			return err
		}},
		{"institution page", "SELECT institution_id AS key, calls AS n FROM institution_use", func(ctx context.Context, key string) error {
			_, err := d.Institution(ctx, person, key, 1)
			return err
		}},
		{"call page", "SELECT ref_row || ' ' || call_id AS key, hash(call_id) AS n FROM call_verdict USING SAMPLE 2000", func(ctx context.Context, key string) error {
			row, key, _ := strings.Cut(key, " ")
			n, err := strconv.ParseInt(row, 10, 64)
			if err != nil {
				return err
			}
			_, err = d.Call(ctx, person, key, n)
			return err
		}},
		{"overview page", "SELECT '' AS key, 1 AS n FROM range(20)", func(ctx context.Context, _ string) error {
			_, err := d.Overview(ctx, person)
			return err
		}},
		{"one day of calls_by_day", "SELECT CAST(day AS VARCHAR) AS key, calls AS n FROM calls_by_day", func(ctx context.Context, key string) error {
			var n int64
			return e.DB.QueryRowContext(ctx, "SELECT calls FROM calls_by_day WHERE day = CAST(? AS DATE)", key).Scan(&n)
		}},
		{"one day in call_verdict, counted", "SELECT CAST(day AS VARCHAR) AS key, calls AS n FROM calls_by_day", func(ctx context.Context, key string) error {
			var n int64
			day, err := time.Parse(time.DateOnly, key)
			if err != nil {
				return err
			}
			return e.DB.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM call_verdict WHERE started_at >= make_timestamptz(%d) AND started_at < make_timestamptz(%d)", day.UnixMicro(), day.AddDate(0, 0, 1).UnixMicro())).Scan(&n)
		}},
	} {
		var keys []string
		rows, err := e.DB.QueryContext(ctx, "WITH k AS (SELECT key, row_number() OVER (ORDER BY n DESC, key) - 1 AS i, count(*) OVER () AS total FROM ("+l.keys+")) SELECT key FROM k WHERE i % greatest(total // 20, 1) = 0 ORDER BY i LIMIT 20")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var key string
			if err := rows.Scan(&key); err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		var took []time.Duration
		for round := range 2 {
			for _, key := range keys {
				begun := time.Now()
				if err := l.look(ctx, key); err != nil {
					t.Fatalf("%s, %q: %v", l.name, key, err)
				}
				if round > 0 {
					took = append(took, time.Since(begun))
				}
			}
		}
		slices.Sort(took)
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		fmt.Fprintf(&b, "| %s | %d | %.1f | %.1f |\n", l.name, len(took), ms(took[len(took)/2]), ms(took[len(took)-1]))
	}
	return b.String()
}

// oneInHundredGone writes a dump without every hundredth of its rows, which lie a line each in
// the synthetic dump, and says how many it left out.
func oneInHundredGone(t *testing.T, from, to string) (gone int) {
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	r, w, n := bufio.NewReaderSize(in, 1<<20), bufio.NewWriterSize(out, 1<<20), 0
	for {
		line, err := r.ReadSlice('\n')
		if len(line) > 0 {
			if n++; n%100 == 0 && line[0] == '(' && strings.HasSuffix(string(line[max(0, len(line)-3):]), "),\n") {
				gone++
			} else if _, err := w.Write(line); err != nil {
				t.Fatal(err)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return gone
}
