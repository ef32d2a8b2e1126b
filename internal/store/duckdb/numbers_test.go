package duckdb

import (
	"context"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
)

//go:embed testdata/e164.sql
var ruleSQL string

// Texts that look like numbers, or nearly: what people and exchanges put together.
func numberTexts(rnd *rand.Rand, n int) []string {
	heads := []string{"", "+", "00", "0", "44", "+44", "+440", "+44 (0)", "0044", "00440", " ", "1010#", " 12#", "#", "*67", "++", "+1", "4", "9,", "000", "é#", "\t", "\u00a0", "12#34#"}
	marks := []string{" ", "-", ".", "(", ")", "\t", "\u00a0", "+", "#", "x", "\u00a1", "é", "\n", "_", "e", "٣"}
	texts := make([]string, n)
	for i := range texts {
		var b strings.Builder
		b.WriteString(heads[rnd.IntN(len(heads))])
		many := rnd.IntN(13)
		if rnd.IntN(3) > 0 {
			many = 6 + rnd.IntN(12)
		}
		dirt := rnd.IntN(4) // of four texts one is clean
		for range many {
			b.WriteByte('0' + byte(rnd.IntN(10)))
			if dirt > 0 && rnd.IntN(6) == 0 {
				b.WriteString(marks[rnd.IntN([]int{1, 7, 7, len(marks)}[dirt])])
			}
		}
		switch rnd.IntN(12) { // a caller id
		case 0:
			texts[i] = "\"A Name\" <" + b.String() + ">"
		case 1:
			texts[i] = b.String() + "<" + b.String() + []string{"", ">", "<", ">>", "> "}[rnd.IntN(5)]
		default:
			texts[i] = b.String()
		}
	}
	return texts
}

// The function reads every text as the rule in SQL does.
func TestNumbersByRule(t *testing.T) {
	e := engine(t)
	ctx := context.Background()
	if _, err := e.DB.ExecContext(ctx, ruleSQL); err != nil {
		t.Fatal(err)
	}
	total, read, callers := 0, 0, 0
	for seed := range uint64(10) {
		texts := numberTexts(rand.New(rand.NewPCG(seed, 7)), 20_000)
		for i, s := range texts {
			texts[i] = "(" + Literal(s) + ")"
		}
		rows, err := e.DB.QueryContext(ctx, "SELECT raw, coalesce(e164(raw), 0), coalesce(rule_e164(raw), 0), coalesce(clid_e164(raw), 0), coalesce(rule_e164(clid_number(raw)), 0) FROM (VALUES "+strings.Join(texts, ",")+") t(raw)")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var raw string
			var got, want, caller, callerWant int64
			if err := rows.Scan(&raw, &got, &want, &caller, &callerWant); err != nil {
				t.Fatal(err)
			}
			total++
			if want != 0 {
				read++
			}
			if got != want {
				t.Errorf("e164(%q) = %d, the rule says %d", raw, got, want)
			}
			if callerWant != 0 {
				callers++
			}
			if caller != callerWant {
				t.Errorf("clid_e164(%q) = %d, the rule says %d", raw, caller, callerWant)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	if total != 200_000 || read < 20_000 || callers < 20_000 {
		t.Fatalf("%d texts, %d of them numbers, %d caller ids with one", total, read, callers)
	}
}

// Every connection has the functions, at the same time, and a null is a null.
func TestNumbersOnAllConnections(t *testing.T) {
	e := engine(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			conn, err := e.DB.Conn(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			var sum, nulls int64
			err = conn.QueryRowContext(context.Background(), `SELECT sum(e164(x)), count(*) FILTER (WHERE e164(x) IS NULL)
				FROM (SELECT CASE WHEN i % 3 = 0 THEN NULL WHEN i % 3 = 1 THEN 'none' ELSE '+442079460123' END AS x FROM range(90000) t(i))`).Scan(&sum, &nulls)
			if err != nil || sum != 30000*442079460123 || nulls != 60000 {
				t.Errorf("sum %d, nulls %d, %v", sum, nulls, err)
			}
		})
	}
	all.Wait()
}

func TestDialled(t *testing.T) {
	e := engine(t)
	for _, c := range []struct {
		raw, prefixes string
		want          int64
	}{
		{"9,00442079460123", "9,", 442079460123},
		{"9,00442079460123", "", 0},
		{"*67 020 7946 0123", "*67", 442079460123},
		{"*67020 7946 0123", "#31#\n*67", 442079460123},
		{"14107700900123", "141", 447700900123},
		{"9,*67 +12025550123", "9,\n9,*67", 12025550123},
		{"00#442079460123", "", 442079460123},            // a tech prefix needs no rule
		{"1010442079460123", "1010", 442079460123},       // the whole is no number
		{"90012025550123", "9", 12025550123},             // what is left says its country
		{"919812345678", "9", 0},                         // India, or 9 and America: not read
		{"919812345678", "", 919812345678},               //
		{"9", "9", 0},                                    //
		{"*67anonymous", "*67", 0},                       //
		{"+442079460123", "*67\n9,\n1010", 442079460123}, // the rule does not fit
	} {
		var got int64
		if err := e.DB.QueryRow("SELECT coalesce(dialled_e164(?, ?), 0)", c.raw, c.prefixes).Scan(&got); err != nil || got != c.want {
			t.Errorf("dialled_e164(%q, %q) = %d, %v, want %d", c.raw, c.prefixes, got, err, c.want)
		}
	}
}

// The numbers of a call table, one core: 70 in 100 clean, the rest with 00, spaces, or as
// national numbers.
func BenchmarkNumbers(b *testing.B) {
	e, err := Open(b.Context(), newCase(b), Options{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	const rows = 2_000_000
	// A thousand of each block: 07700 900, +33 6 39 98, +1 202 555 01.
	if _, err := e.DB.Exec(fmt.Sprintf(`CREATE TABLE written AS SELECT CASE
		WHEN k < 25 THEN '+447700900' || d WHEN k < 45 THEN '447700900' || d WHEN k < 60 THEN '+336399800' || d[2:] WHEN k < 70 THEN '1202555' || lpad(d, 4, '0')
		WHEN k < 80 THEN '07700900' || d WHEN k < 90 THEN '07700 900' || d WHEN k < 95 THEN '00447700900' || d ELSE '+44 7700 900' || d END AS raw
		FROM (SELECT hash(i) %% 100 AS k, lpad(CAST(hash(i + 1) %% 1000 AS VARCHAR), 3, '0') AS d FROM range(%d) t(i))`, rows)); err != nil {
		b.Fatal(err)
	}
	if _, err := e.DB.Exec(ruleSQL); err != nil {
		b.Fatal(err)
	}
	if _, err := e.DB.Exec(`CREATE TABLE shown AS SELECT CASE WHEN hash(raw) % 3 = 0 THEN '"A Bank" <' || raw || '>' ELSE raw END AS raw FROM written`); err != nil {
		b.Fatal(err)
	}
	for _, f := range []struct{ name, sql string }{{"function", "SELECT count(e164(raw)) FROM written"}, {"sql-rule", "SELECT count(rule_e164(raw)) FROM written"},
		{"caller-id", "SELECT count(clid_e164(raw)) FROM shown"}, {"caller-id-sql-rule", "SELECT count(rule_e164(clid_number(raw))) FROM shown"}} {
		b.Run(f.name, func(b *testing.B) {
			begin := cpuSeconds(b)
			for b.Loop() {
				var n int64
				if err := e.DB.QueryRow(f.sql).Scan(&n); err != nil || n != rows {
					b.Fatalf("%d numbers, %v", n, err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mnumbers/s")
			b.ReportMetric(float64(rows)*float64(b.N)/(cpuSeconds(b)-begin)/1e6, "Mnumbers/cpu-s") // says more on a busy machine
		})
	}
}

// cpuSeconds is the processor time that this process has used.
func cpuSeconds(b *testing.B) float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}
