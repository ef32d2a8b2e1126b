package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
	"github.com/unspoof/unspoof/internal/synth/mariadbtest"
)

// Seven ways in which a source writes a moment, over four changes of London's clocks: a MariaDB
// server's TIMESTAMP (which its dump writes in UTC), DATETIME (wall clock), Unix time in seconds,
// milliseconds and microseconds; a CSV file with times in GMT and one in local time. Every moment
// is right, to the microsecond where the source has it; a wall clock that was shown twice is null,
// always and only then.
func TestClockChanges(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	var moments []time.Time
	for _, change := range []string{"2020-10-25", "2021-03-28", "2021-10-31", "2022-03-27"} {
		day, err := time.Parse(time.DateOnly, change)
		if err != nil {
			t.Fatal(err)
		}
		// the clocks change at 01:00 UTC
		for at := day.Add(-2 * time.Hour); at.Before(day.Add(4 * time.Hour)); at = at.Add(97*time.Second + 123456*time.Microsecond) {
			moments = append(moments, at)
		}
	}
	twice := func(at time.Time) bool {
		wall := at.In(london).Format(time.DateTime)
		return at.Add(time.Hour).In(london).Format(time.DateTime) == wall || at.Add(-time.Hour).In(london).Format(time.DateTime) == wall
	}

	server := mariadbtest.Start(t)
	server.Exec("CREATE TABLE moment (id int PRIMARY KEY, ts timestamp(6) NULL, dt datetime(6), s decimal(20,6), ms bigint, us bigint)")
	dir := t.TempDir()
	var insert, gmt, local strings.Builder
	insert.WriteString("SET time_zone = '+00:00'; INSERT INTO moment VALUES ")
	gmt.WriteString("id,at\n")
	local.WriteString("id,at\n")
	for i, at := range moments {
		if i > 0 {
			insert.WriteString(",")
		}
		const micro = "2006-01-02 15:04:05.000000"
		fmt.Fprintf(&insert, "(%d,'%s','%s',%d.%06d,%d,%d)", i, at.Format(micro), at.In(london).Format(micro), at.Unix(), at.Nanosecond()/1000, at.UnixMilli(), at.UnixMicro())
		fmt.Fprintf(&gmt, "%d,%s\n", i, at.Format(time.DateTime))
		fmt.Fprintf(&local, "%d,%s\n", i, at.In(london).Format(time.DateTime))
	}
	server.Exec(insert.String())
	files := map[string]string{"moments.sql": string(server.Dump()), "gmt.csv": gmt.String(), "local.csv": local.String()}
	files["moments.yaml"] = `{mapping: moments, version: 1, title: Moments, tables: {session: [
		{from: moment, columns: {account_id: {from: id}, event: {const: timestamp}, at: {from: ts, as: utc}}},
		{from: moment, columns: {account_id: {from: id}, event: {const: datetime}, at: {from: dt, as: wall}}},
		{from: moment, columns: {account_id: {from: id}, event: {const: seconds}, at: {from: s, as: epoch_s}}},
		{from: moment, columns: {account_id: {from: id}, event: {const: milliseconds}, at: {from: ms, as: epoch_ms}}},
		{from: moment, columns: {account_id: {from: id}, event: {const: microseconds}, at: {from: us, as: epoch_us}}}]}}`
	files["gmt.yaml"] = `{mapping: gmt, version: 1, title: GMT, tables: {session: [{from: gmt, columns: {account_id: {from: id}, event: {const: gmt}, at: {from: at, as: utc}}}]}}`
	files["local.yaml"] = `{mapping: local, version: 1, title: Local, tables: {session: [{from: local, columns: {account_id: {from: id}, event: {const: local}, at: {from: at, as: wall}}}]}}`
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	caseDir := newCase(t)
	for _, name := range []string{"moments.sql", "gmt.csv", "local.csv"} {
		done(t, "add", "--case", caseDir, filepath.Join(dir, name))
		done(t, "map", "--case", caseDir, "--source", namedSource(t, caseDir, name), "--apply", filepath.Join(dir, strings.Split(name, ".")[0]+".yaml"))
	}

	c, err := store.Open(caseDir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := duckdb.Open(t.Context(), c, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	rows, err := e.DB.QueryContext(t.Context(), "SELECT event, CAST(account_id AS BIGINT), epoch_us(\"at\") FROM session")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	right, unsure := map[string]int{}, map[string]int{}
	for rows.Next() {
		var event string
		var i int
		var got *int64
		if err := rows.Scan(&event, &i, &got); err != nil {
			t.Fatal(err)
		}
		at, wall := moments[i], event == "datetime" || event == "local"
		want := at.UnixMicro()
		switch event {
		case "gmt", "local":
			want = at.Truncate(time.Second).UnixMicro()
		case "milliseconds":
			want = at.UnixMilli() * 1000
		}
		switch {
		case wall && twice(at):
			if unsure[event]++; got != nil {
				t.Fatalf("%s: %v was shown twice and is taken for %v", event, at.In(london), time.UnixMicro(*got).UTC())
			}
		case got == nil:
			t.Fatalf("%s: %v is null", event, at)
		case *got != want:
			t.Fatalf("%s: %v is %v", event, at, time.UnixMicro(*got).UTC())
		default:
			right[event]++
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"timestamp", "datetime", "seconds", "milliseconds", "microseconds", "gmt", "local"} {
		if right[event]+unsure[event] != len(moments) {
			t.Errorf("%s: %d of %d moments", event, right[event]+unsure[event], len(moments))
		}
	}
	t.Logf("right: %v; shown twice: %v", right, unsure)
}

// namedSource is the hash of the case's source of that name.
func namedSource(t *testing.T, caseDir, name string) string {
	t.Helper()
	c, err := store.Open(caseDir)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := c.Sources()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources {
		if s.Name == name {
			return string(s.ID)
		}
	}
	t.Fatalf("no source %s", name)
	return ""
}
