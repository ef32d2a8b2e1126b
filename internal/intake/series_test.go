package intake

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/mapping"
	"github.com/unspoof/unspoof/internal/intake/snapshot"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
	"github.com/unspoof/unspoof/internal/synth/mariadbtest"
)

// What a real server's rows became is what is told of two of its dumps, also of tables with
// every awkward type and with columns called like this program's own.
func TestSnapshotsOfServer(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	ctx := context.Background()
	server := mariadbtest.Start(t)
	server.Load("../../cmd/unspoof/testdata/awkward.sql")
	server.Exec(`CREATE TABLE hostile (a int, b varchar(20), ref_state int, ref_state_ int, k0 int, h int, r int, o int, s int, gone int, PRIMARY KEY (b, a));
		INSERT INTO hostile VALUES (1,'x',1,1,1,1,1,1,1,1), (2,'x',2,2,2,2,2,2,2,2), (1,'y',3,3,3,3,3,3,3,3);
		CREATE TABLE big (id bigint PRIMARY KEY, amount decimal(10,2), note varchar(40), at datetime);
		INSERT INTO big SELECT seq, seq / 3, IF(seq % 5 = 0, NULL, concat('note ', seq)), '2021-01-01' + INTERVAL seq SECOND FROM seq_1_to_20000;
		CREATE TABLE nokey AS SELECT id % 100 AS a, note FROM big;
		CREATE TABLE seen (id int, what varchar(20));
		INSERT INTO seen VALUES (1,'a'), (1,'b'), (2,'c'), (NULL,'d')`)
	in := newIntake(t)
	add := func(name string, opt AddOptions) store.Source {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, server.Dump("--routines"), 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := in.Add(ctx, path, opt)
		if err != nil {
			t.Fatal(err)
		}
		if a.Totals.Damages > 0 {
			t.Fatalf("damage: %+v", a.Damages[0])
		}
		return a.Source
	}
	first := add("first.sql", AddOptions{})

	// Each statement changes what its own WHERE says, and the columns named below. The key of
	// big gets another type as well.
	server.Exec(`SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES';
		DELETE FROM big WHERE id % 7 = 0;
		UPDATE big SET note = IF(note IS NULL, '', NULL) WHERE id % 11 = 0;
		UPDATE big SET amount = amount + 0.01, at = at + INTERVAL 1 DAY WHERE id % 11 = 1;
		INSERT INTO big VALUES (20001, 0, 'new', NULL), (-5, 0, 'new', NULL);
		ALTER TABLE big MODIFY amount decimal(12,4);
		DELETE FROM nokey WHERE a = 3;
		INSERT INTO nokey VALUES (200, NULL), (200, NULL);
		UPDATE hostile SET r = 9 WHERE b = 'x' AND a = 2; DELETE FROM hostile WHERE b = 'y';
		UPDATE seen SET what = 'z' WHERE what IN ('b', 'd');
		UPDATE awk_num SET d3 = d3 + 1 WHERE id = 4; UPDATE awk_time SET dt = '2024-02-30 11:11:11' WHERE id = 1;
		UPDATE awk_text SET t = concat(t, '.') WHERE id = 5; UPDATE awk_blob SET lb = UNHEX('00') WHERE id = 4;
		DELETE FROM awk_latin WHERE id = 3`)
	second := add("second.sql", AddOptions{SnapshotOf: first.ID, Taken: time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)})

	m, err := mapping.Parse([]byte("mapping: m\nversion: 1\ntables:\n  payment:\n    - from: big\n      columns:\n        payment_id: {from: id}\n        amount_minor: {from: amount, as: money}\n" +
		"  session:\n    - from: hostile\n      columns:\n        account_id: {from: b}\n        event: {from: ref_state}\n  call:\n    - from: seen\n      columns:\n        call_id: {from: id}\n        presented_name: {from: what}\n" +
		"  message:\n    - from: nokey\n      columns:\n        text: {from: note}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Apply(ctx, second.ID, m); err == nil {
		t.Fatal("a mapping was applied to a snapshot")
	}
	if err := in.Apply(ctx, first.ID, m); err != nil {
		t.Fatal(err)
	}
	e, err := duckdb.Open(ctx, in.Case, duckdb.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	rows := map[string]int64{}
	fresh := map[string]bool{}
	mapAgain := func() {
		t.Helper()
		if err := in.Map(ctx, e, func(m Mapped) { rows[m.Table], fresh[m.Table] = m.Rows, m.Fresh }); err != nil {
			t.Fatal(err)
		}
	}
	mapAgain()
	for table, want := range map[string]int64{"payment": 20002, "session": 3, "call": 5, "message": 20002} {
		if rows[table] != want {
			t.Errorf("%s has %d rows, want each once: %d", table, rows[table], want)
		}
	}
	// A row has the reference of the state since which it has its values. big has a column of another type.
	for table, want := range map[string]int64{"session": 1, "call": 2, "message": 2} {
		var n int64
		if err := e.DB.QueryRow("SELECT count(*) FROM "+table+" WHERE ref_source = ?", string(second.ID)).Scan(&n); err != nil || n != want {
			t.Errorf("%d rows of %s are of the second dump, want the %d that are new in it (%v)", n, table, want, err)
		}
	}
	var latest, vanished int64
	if err := e.DB.QueryRow("SELECT count(*) FILTER (WHERE ref_source = ?), count(*) FILTER (WHERE ref_source = ? AND CAST(payment_id AS BIGINT) % 7 = 0) FROM payment", string(second.ID), string(first.ID)).Scan(&latest, &vanished); err != nil {
		t.Fatal(err)
	}
	if latest != 20002-2857 || vanished != 2857 {
		t.Errorf("payment has %d rows of the second dump and %d that vanished, want %d and 2857", latest, vanished, 20002-2857)
	}

	var got = map[string]string{}
	list, err := snapshot.Summaries(ctx, in.Case, e)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Changed+s.Appeared+s.Vanished+int64(len(s.Notes)) > 0 {
			got[s.Table] = fmt.Sprint(s.Same, " same, ", s.Appeared, " appeared, ", s.Changed, " changed, ", s.Vanished, " vanished ", s.Notes)
		}
	}
	changed := int64(0) // of the numbers to 20,000 those that are 0 or 1 modulo 11 and not 0 modulo 7
	for id := 1; id <= 20000; id++ {
		if id%7 != 0 && id%11 < 2 {
			changed++
		}
	}
	want := map[string]string{
		"big":       fmt.Sprintf("%d same, 2 appeared, %d changed, 2857 vanished []", 20000-2857-changed, changed),
		"nokey":     "19800 same, 2 appeared, 0 changed, 200 vanished []",
		"hostile":   "1 same, 0 appeared, 1 changed, 1 vanished []",
		"seen":      "2 same, 1 appeared, 1 changed, 1 vanished []", // the one without identity is known by its values
		"awk_num":   "5 same, 0 appeared, 1 changed, 0 vanished []",
		"awk_time":  "7 same, 0 appeared, 1 changed, 0 vanished []",
		"awk_text":  "9 same, 0 appeared, 1 changed, 0 vanished []",
		"awk_blob":  "3 same, 0 appeared, 1 changed, 0 vanished []",
		"awk_latin": "3 same, 0 appeared, 0 changed, 1 vanished []",
	}
	for table := range want {
		if got[table] != want[table] {
			t.Errorf("%s: %s\nwant %s", table, got[table], want[table])
		}
		delete(got, table)
	}
	for table, said := range got {
		t.Errorf("%s, which nothing was done to: %s", table, said)
	}
	columns := map[string]string{}
	for _, table := range []string{"hostile", "awk_num", "awk_time", "awk_text", "awk_blob"} {
		var c string
		if err := e.DB.QueryRow("SELECT columns FROM snapshot_change WHERE source_table = ? AND change = 'changed'", table).Scan(&c); err != nil {
			t.Fatal(err)
		}
		columns[table] = c
	}
	if want := (map[string]string{"hostile": `["r"]`, "awk_num": `["d3"]`, "awk_time": `["dt"]`, "awk_text": `["t"]`, "awk_blob": `["lb"]`}); fmt.Sprint(columns) != fmt.Sprint(want) {
		t.Errorf("columns that changed: %v, want %v", columns, want)
	}
	var both int64
	if err := e.DB.QueryRow(`SELECT count(*) FROM snapshot_change WHERE source_table = 'big' AND change = 'changed' AND columns IN ('["note"]', '["amount","at"]')`).Scan(&both); err != nil || both != changed {
		t.Errorf("%d changes of big name the columns that were changed, want %d (%v)", both, changed, err)
	}
	// The references lead to the rows before and after.
	var before, after casefile.RowRef
	if err := e.DB.QueryRow(`SELECT before_ref_source, before_ref_table, before_ref_row, before_ref_offset, after_ref_source, after_ref_table, after_ref_row, after_ref_offset
		FROM snapshot_change WHERE source_table = 'hostile' AND change = 'changed' AND key = 'b=x, a=2'`).Scan(&before.Source, &before.Table, &before.Row, &before.Offset, &after.Source, &after.Table, &after.Row, &after.Offset); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[casefile.RowRef]string{before: "2", after: "9"} {
		o, err := ReadRow(ctx, in.Case, ref)
		if err != nil {
			t.Fatal(err)
		}
		if o.Cells[6].Column != "r" || o.Cells[6].Value != want {
			t.Errorf("%v leads to %v, want r %s", ref, o.Cells[6], want)
		}
	}

	mapAgain()
	for table, is := range fresh {
		if !is {
			t.Errorf("%s was computed again for nothing", table)
		}
	}
	// A third dump of one table only makes stale what is made of that table.
	path := filepath.Join(t.TempDir(), "third.sql")
	server.Exec("DELETE FROM hostile WHERE a = 1")
	if err := os.WriteFile(path, server.DumpTables("hostile"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Add(ctx, path, AddOptions{SnapshotOf: second.ID}); err != nil {
		t.Fatal(err)
	}
	mapAgain()
	for table, want := range map[string]bool{"payment": true, "call": true, "session": false, "snapshot_change": false} {
		if fresh[table] != want {
			t.Errorf("after a snapshot of another table %s is unchanged: %v", table, fresh[table])
		}
	}
	if rows["session"] != 3 {
		t.Errorf("session has %d rows, want 3", rows["session"])
	}
}

// The order of a series is that in which its states were taken, whatever the order of adding.
func TestSeriesOrder(t *testing.T) {
	day := func(n int) *time.Time { d := time.Date(2022, 1, n, 0, 0, 0, 0, time.UTC); return &d }
	sealed := func(n int) time.Time { return time.Date(2023, 1, n, 0, 0, 0, 0, time.UTC) }
	list := store.Series([]store.Source{
		{ID: "late", SnapshotOf: "first", Taken: day(20), SealedAt: sealed(1)},
		{ID: "undated", SnapshotOf: "first", SealedAt: sealed(2)},
		{ID: "first", SealedAt: sealed(5)},
		{ID: "chained", SnapshotOf: "early", Taken: day(15), SealedAt: sealed(3)},
		{ID: "early", SnapshotOf: "first", Taken: day(10), SealedAt: sealed(4)},
		{ID: "alone", SealedAt: sealed(1)},
	})
	var got []string
	for _, series := range list {
		for _, s := range series {
			got = append(got, string(s.ID))
		}
	}
	if want := "[first early chained late undated]"; fmt.Sprint(got) != want {
		t.Errorf("the series is %v, want %s", got, want)
	}
}
