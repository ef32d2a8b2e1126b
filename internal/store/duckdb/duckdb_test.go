package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/store"
)

func newCase(t testing.TB) *store.Case {
	t.Helper()
	c, err := store.Create(filepath.Join(t.TempDir(), "case"), store.Config{ID: "t", Name: "t", TimeZone: "Europe/London", Created: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func publish(t *testing.T, c *store.Case, e *Engine, table, query, stepVersion string, record store.Recorder) store.Manifest {
	t.Helper()
	ctx := context.Background()
	s, err := c.Stage()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Discard()
	rows, cols, err := e.Write(ctx, query, filepath.Join(s.Dir, "part-00000.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Publish(ctx, store.Manifest{Table: table, Kind: store.KindFinding, Step: "test", StepVersion: stepVersion, Columns: cols,
		Files: []store.File{{Name: "part-00000.parquet", Rows: rows}}}, record)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPublishedVersionIsWhatReadersSee(t *testing.T) {
	ctx := context.Background()
	c := newCase(t)
	e, err := Open(ctx, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ledger := map[string]string{}
	record := func(_ context.Context, m store.Manifest, sum string) error { ledger[m.Table] = sum; return nil }

	publish(t, c, e, `odd "name'`, "SELECT i AS n FROM range(5) t(i)", "1", record)
	if err := e.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	sum := func() (n int) {
		t.Helper()
		if err := e.DB.QueryRow(`SELECT sum(n)::INTEGER FROM "odd ""name'"`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := sum(); got != 10 {
		t.Fatalf("sum = %d, want 10", got)
	}
	m2 := publish(t, c, e, `odd "name'`, "SELECT i AS n FROM range(6) t(i)", "2", record)
	if got := sum(); got != 10 {
		t.Fatalf("before refresh: sum = %d, want the old version's 10", got)
	}
	if err := e.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if got := sum(); got != 15 {
		t.Fatalf("after refresh: sum = %d, want 15", got)
	}

	// A crash after the entry and before the rename: the old manifest is still served.
	old, err := c.Versions(`odd "name'`)
	if err != nil || len(old) != 2 {
		t.Fatalf("versions: %d, %v", len(old), err)
	}
	served := filepath.Join(c.Dir, "tables", `odd "name'`, "manifest.json")
	for _, v := range old {
		if v.Version != m2.Version {
			text, _ := os.ReadFile(filepath.Join(c.Dir, "tables", v.Table, v.Version, "manifest.json"))
			if err := store.WriteFile(served, text, 0o440); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := c.Stage(); err != nil { // and a stage left behind
		t.Fatal(err)
	}
	did, err := c.Recover(func(table string) store.Recorded {
		return store.Recorded{Manifest: ledger[table], Versions: map[string]bool{m2.Version: true, old[0].Version: true, old[1].Version: true}}
	})
	if err != nil || len(did) != 2 {
		t.Fatalf("recover did %q, %v", did, err)
	}
	if got, err := c.Table(`odd "name'`); err != nil || got.Version != m2.Version {
		t.Fatalf("recovered version %.8s, %v; want %.8s", got.Version, err, m2.Version)
	}
}

// A table that is held in memory is replaced with its versions, and held no longer when it
// grows too large or is withdrawn.
func TestKeptTables(t *testing.T) {
	ctx := t.Context()
	c := newCase(t)
	e, err := Open(ctx, c, Options{KeepRows: 6})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const table = `odd "name'`
	record := func(context.Context, store.Manifest, string) error { return nil }
	count := func(query string) (n int) {
		t.Helper()
		if err := e.DB.QueryRow(query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, step := range []struct{ rows, kept int }{{5, 1}, {6, 1}, {7, 0}, {4, 1}} { // of the next version; tables in memory then
		publish(t, c, e, table, fmt.Sprintf("SELECT i AS n FROM range(%d) t(i)", step.rows), fmt.Sprint(step.rows), record)
		if err := e.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		if n := count("SELECT count(*) FROM " + Ident(table)); n != step.rows {
			t.Errorf("%d rows, want %d", n, step.rows)
		}
		if n := count("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'kept'"); n != step.kept {
			t.Errorf("of %d rows: %d tables in memory, want %d", step.rows, n, step.kept)
		}
	}
	if err := c.Withdraw(ctx, table, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := e.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if n := count("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'kept'") + count("SELECT count(*) FROM duckdb_views() WHERE view_name = "+Literal(table)); n != 0 {
		t.Errorf("a withdrawn table is still there")
	}
}

func TestNothingIsServedWithoutItsEntry(t *testing.T) {
	ctx := context.Background()
	c := newCase(t)
	e, err := Open(ctx, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s, err := c.Stage()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Discard()
	rows, cols, err := e.Write(ctx, "SELECT 1 AS n", filepath.Join(s.Dir, "p.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	_, err = s.Publish(ctx, store.Manifest{Table: "x", Columns: cols, Files: []store.File{{Name: "p.parquet", Rows: rows}}},
		func(context.Context, store.Manifest, string) error { return full })
	if !errors.Is(err, full) {
		t.Fatalf("publish: %v, want the recorder's error", err)
	}
	if _, err := c.Table("x"); !errors.Is(err, store.ErrNoTable) {
		t.Fatalf("table: %v, want ErrNoTable", err)
	}
}

func TestEngineStaysInsideTheCase(t *testing.T) {
	ctx := context.Background()
	c := newCase(t)
	e, err := Open(ctx, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	outside := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(outside, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := e.DB.QueryRow("SELECT count(*) FROM read_csv(" + Literal(outside) + ")").Scan(&n); err == nil {
		t.Fatal("the engine read a file outside the case")
	}
}

// Statements that run at once have a connection each, and all are set alike.
func TestConnectionsAreAlike(t *testing.T) {
	e, err := Open(t.Context(), newCase(t), Options{KeepRows: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var first string
	for i := range 3 {
		conn, err := e.DB.Conn(t.Context()) // held until the test ends
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var zone, all string
		if err := conn.QueryRowContext(t.Context(), "SELECT current_setting('TimeZone'), string_agg(name || '=' || value, '; ' ORDER BY name) FROM duckdb_settings()").Scan(&zone, &all); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = all
		}
		if zone != "UTC" || all != first {
			t.Errorf("connection %d has the zone %s and\n%s\nthe first\n%s", i, zone, all, first)
		}
	}
}
