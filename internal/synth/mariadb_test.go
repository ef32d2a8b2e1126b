package synth

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/synth/mariadbtest"
)

// A real server takes the dump, holds the rows the truth speaks of, and dumps the same bytes
// again: mariadb-dump itself would have written this file.
func TestRealServer(t *testing.T) {
	out, s := seizure(t, 0.001, 5)
	server := mariadbtest.Start(t)
	server.Load(s.Dump)
	for _, table := range s.Tables {
		if got := server.Query("SELECT COUNT(*) FROM " + table.Table)[0][0]; got != strconv.FormatInt(table.Rows, 10) {
			t.Errorf("%s: %s rows in the server, want %d", table.Table, got, table.Rows)
		}
	}
	t.Run("dumps the same", func(t *testing.T) {
		want, err := os.ReadFile(s.Dump)
		if err != nil {
			t.Fatal(err)
		}
		sameDump(t, server.Dump(), want)
	})
	t.Run("spends the same", func(t *testing.T) { sameSpending(t, server, out) })
}

// sameSpending compares what the truth says each account spent, and who passes the policy
// met-2022 by it, with what the server computes from the payments and the list of rates.
func sameSpending(t *testing.T, server *mariadbtest.Server, out string) {
	server.Exec("CREATE TABLE rate_gbp (day date PRIMARY KEY, pence bigint)")
	var load strings.Builder
	f, err := os.Open(filepath.Join(out, "lists", "rates.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list[1:] {
		if r[0] == "BTC" && r[1] == "GBP" {
			fmt.Fprintf(&load, "INSERT INTO rate_gbp VALUES ('%s', %s);", r[2], strings.Replace(r[3], ".", "", 1))
		}
	}
	server.Exec(load.String())
	got := map[string]string{}
	for _, r := range server.Query(`SET time_zone = '+00:00'; SELECT u.id, COALESCE(SUM(
		(CAST(c.amountCrypto * 100000000 AS SIGNED) * r.pence + 50000000) DIV 100000000), 0)
		FROM pkg_user u LEFT JOIN pkg_cryptocurrency c ON c.id_user = u.id AND c.currency = 'BTC' AND c.status = 1
		LEFT JOIN rate_gbp r ON r.day = DATE(c.date) GROUP BY u.id`) {
		got[r[0]] = r[1]
	}
	truth := readParquet(t, filepath.Join(out, "truth", "accounts.parquet"))
	if len(truth) != len(got) {
		t.Errorf("%d accounts in the truth, %d in the server", len(truth), len(got))
	}
	for _, r := range truth {
		if got[r[0]] != r[4] {
			t.Errorf("account %s spent %s, the server says %s", r[0], r[4], got[r[0]])
		}
		spend, _ := strconv.Atoi(r[4])
		if met := strconv.FormatBool(r[1] != "admin" && r[3] == "GB" && spend >= 10_000); met != r[5] {
			t.Errorf("account %s (%s, %s, spent %s) passes: %s", r[0], r[1], r[3], r[4], r[5])
		}
	}
}

// sameDump compares two dumps, apart from the lines that name the server's build and the day.
func sameDump(t *testing.T, got, want []byte) {
	t.Helper()
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) {
			t.Fatalf("line %d: the server's dump has %d lines, ours %d", i+1, len(g), len(w))
		}
		if bytes.Equal(g[i], w[i]) {
			continue
		}
		if bytes.HasPrefix(w[i], []byte("-- MariaDB dump ")) || bytes.HasPrefix(w[i], []byte("-- Server version")) ||
			bytes.HasPrefix(w[i], []byte("-- Dump completed on ")) || bytes.HasPrefix(w[i], []byte("/*M!999999")) {
			continue
		}
		t.Fatalf("line %d:\nserver %.600q\nours   %.600q", i+1, g[i], w[i])
	}
}

// seizure writes a seizure into a folder of the test.
func seizure(t testing.TB, scale float64, seed uint64) (string, Summary) {
	t.Helper()
	out := t.TempDir()
	s, err := Write(t.Context(), Config{Out: out, Scale: scale, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return out, s
}
