package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
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
)

var benchBuild = flag.Float64("bench.build", 0, "scale of the seizure that TestBenchBuild measures; 0: it does not run")

// Findings at scale: the build step by step of a platform without its last percent, what the pages look up, the
// build again after the snapshot that has all of it, and the findings of that made anew.
// `make bench-build` runs it; it asserts nothing about time.
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
	dump, earlier := filepath.Join(seizure, "mbilling.sql"), filepath.Join(dir, "earlier.sql")
	added := earlierState(t, dump, earlier, lastPercent(t, dump))
	m.run("init", "init", "--case", caseDir, "--name", "bench", "--reference", "bench")
	rows := m.run("add", "add", "--json", "--case", caseDir, earlier).stored()
	if err := os.Remove(earlier); err != nil {
		t.Fatal(err)
	}
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

	line(fmt.Sprintf("add a snapshot with %d rows more", added), m.run("add snapshot", "add", "--json", "--case", caseDir, "--snapshot-of", "earlier.sql", dump))
	remapped := m.run("map snapshots", "map", "--json", "--case", caseDir)
	rebuilt := m.run("build snapshots", "build", "--json", "--case", caseDir)
	line("map it", remapped)
	line("build it", rebuilt)
	withdrawFindings(t, caseDir)
	anew := m.run("build anew", "build", "--json", "--case", caseDir)
	line("build all of it anew", anew)

	fmt.Fprintf(&b, "\n| look-up, engine warm | keys | median ms | worst ms |\n|---|---|---|---|\n%s", looked)
	fmt.Fprintf(&b, "\n| step | s | rows | s after the snapshot | rows kept | s anew |\n|---|---|---|---|---|---|\n")
	again, whole := map[any]map[string]any{}, map[any]map[string]any{}
	for _, e := range slices.Concat(remapped.events, rebuilt.events) {
		if e["fresh"] != true {
			again[e["table"]] = e
		}
	}
	for _, e := range anew.events {
		whole[e["table"]] = e
	}
	for _, e := range append(mapped.events, built.events...) {
		if (e["event"] == "mapped" || e["event"] == "built") && e["fresh"] != true {
			second, kept, third := "unchanged", "", ""
			if a := again[e["table"]]; a != nil {
				second = fmt.Sprintf("%.2f", a["seconds"])
				if n, ok := a["kept"].(float64); ok {
					kept = fmt.Sprintf("%.0f", n)
				}
			}
			if a := whole[e["table"]]; a != nil {
				third = fmt.Sprintf("%.2f", a["seconds"])
			}
			fmt.Fprintf(&b, "| %v | %.2f | %.0f | %s | %s | %s |\n", e["table"], e["seconds"], e["rows"], second, kept, third)
		}
	}
	t.Log("\n" + b.String())
	if *benchOut != "" {
		if err := os.WriteFile(*benchOut, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// withdrawFindings takes the findings of a case away.
func withdrawFindings(t *testing.T, dir string) {
	w, err := openCase(t.Context(), dir, true)
	must(t, err)
	defer w.Close()
	for _, s := range steps() {
		must(t, w.Withdraw(t.Context(), s.Table, func(ctx context.Context) error { return w.hand.Record(ctx, "withdraw", "table:"+s.Table, nil) }))
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

// grows are the tables of the synthetic platform to which rows come as time goes on, in its order.
var grows = []string{"pkg_cdr", "pkg_cdr_failed", "panel_login", "pkg_log", "pkg_sms", "pkg_campaign_poll_info", "pkg_cryptocurrency", "pkg_refill", "pkg_phonenumber"}

// earlierState writes a dump of the synthetic platform as it was earlier: without some rows of the
// tables that grow, and with another balance of every tenth user. later says which rows are left out: by
// the table's number of rows, the row's number from 1, and the row. It says how many it left out.
func earlierState(t testing.TB, from, to string, later func(rows, n int, line []byte) bool) (gone int) {
	t.Helper()
	rows := map[string]int{}
	eachLine(t, from, func(table string, n int, _ []byte) { rows[table] = n })
	out, err := os.Create(to)
	must(t, err)
	w := bufio.NewWriterSize(out, 1<<20)
	write := func(b []byte) {
		_, err := w.Write(b)
		must(t, err)
	}
	var insert, row []byte // what begins the statement, until it has a row; its last row, until another follows
	end := func() {
		if row != nil {
			write(append(row, ";\n"...))
		}
		insert, row = nil, nil
	}
	eachLine(t, from, func(table string, n int, line []byte) {
		switch {
		case bytes.HasPrefix(line, []byte("INSERT INTO ")):
			end()
			insert = slices.Clone(line)
			return
		case line[0] != '(':
			end()
			write(line)
			return
		case slices.Contains(grows, table) && later(rows[table], n, line):
			gone++
			return
		case table == "pkg_user" && n%10 == 0: // ... credit, plan, 'creationdate' ...
			if i := bytes.Index(line, []byte(",'20")); i > 3 && line[i-2] == ',' && line[i-3] >= '0' && line[i-3] <= '9' {
				line[i-3] = '0' + (line[i-3]-'0'+1)%10
			}
		}
		if insert != nil {
			write(insert)
			insert = nil
		} else {
			write(append(row, ",\n"...))
		}
		row = append(row[:0], bytes.TrimRight(line, ",;\n")...)
	})
	end()
	must(t, w.Flush())
	must(t, out.Close())
	return gone
}

// lastOf says of the last percent rows of a hundred of a table that they are later.
func lastOf(percent int) func(rows, n int, line []byte) bool {
	return func(rows, n int, _ []byte) bool { return n > rows-rows*percent/100 }
}

// lastPercent says of rows since the day that has the last hundredth of all rows with a time behind it that they are later.
func lastPercent(t testing.TB, dump string) func(rows, n int, line []byte) bool {
	t.Helper()
	days, all := map[string]int{}, 0
	eachLine(t, dump, func(table string, _ int, line []byte) {
		if line[0] == '(' && slices.Contains(grows, table) {
			days[dayOf(line)]++
			all++
		}
	})
	sorted := slices.Sorted(maps.Keys(days))
	day := sorted[len(sorted)-1]
	for i, n := len(sorted)-1, 0; i >= 0 && n+days[sorted[i]] <= all/100; i-- {
		n, day = n+days[sorted[i]], sorted[i]
	}
	return func(_, _ int, line []byte) bool { return dayOf(line) >= day }
}

// dayOf is the day of the first time in a row; empty when it has none.
func dayOf(line []byte) string {
	for rest := line; ; {
		i := bytes.Index(rest, []byte("'20"))
		if i < 0 || len(rest) < i+20 {
			return ""
		}
		if at := rest[i+1 : i+20]; at[4] == '-' && at[7] == '-' && at[10] == ' ' && at[13] == ':' {
			return string(at[:10])
		}
		rest = rest[i+3:]
	}
}

// eachLine gives each line of a synthetic dump, in which a row is a line: the table it is in, and
// how many rows of that there were, it included.
func eachLine(t testing.TB, path string, do func(table string, n int, line []byte)) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	table, n := "", 0
	for lines.Scan() {
		line := append(lines.Bytes(), '\n')
		if rest, ok := bytes.CutPrefix(line, []byte("CREATE TABLE `")); ok {
			table, n = string(rest[:bytes.IndexByte(rest, '`')]), 0
		}
		if line[0] == '(' {
			n++
		}
		do(table, n, line)
	}
	must(t, lines.Err())
}
