// Package desktest makes small cases for the tests of the desk and of the pages: every table
// of docs/formats/tables.md with a few rows, published through the real store, engine and ledger.
// One of them is hostile: all its text holds what a seized database may hold to harm a reader.
package desktest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/desk"
	"github.com/unspoof/unspoof/internal/desk/auth"
	"github.com/unspoof/unspoof/internal/ledger"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Hostile is appended to every text of a hostile case.
const Hostile = `<script>alert(1)</script>"'>` + "`<img src=x onerror=alert(2)>&lt\u202Egnp.exe\u200B\u2066\u0085\x00\x1b[31m=HYPERLINK(\"http://evil.example\",\"x\")\\{{.}}"

// Password is that of every user of a test case.
const Password = "a long enough password"

// Options shape a case.
type Options struct {
	Hostile bool // all text is hostile
	Empty   bool // no table is published
	Auth    auth.Options
}

// Case is an open case with its desk.
type Case struct {
	Desk   *desk.Desk
	Store  *store.Case
	Log    *ledger.Log
	DB     *sql.DB
	Source casefile.SourceID
	text   func(string) string
}

// Secret is the value of the original row's secret cell.
const Secret = "hunter2'pass"

// Users are the users of a case: one a role, named like it.
var Users = []auth.Role{auth.Analyst, auth.Supervisor, auth.Reader}

// New makes a case in a temporary folder; it is closed when the test ends.
func New(t testing.TB, opt Options) *Case {
	t.Helper()
	c, err := open(t, opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t testing.TB, opt Options) (*Case, error) {
	ctx := context.Background()
	k := &Case{text: func(s string) string { return s }}
	if opt.Hostile {
		k.text = func(s string) string { return s + Hostile }
	}
	var err error
	k.Store, err = store.Create(filepath.Join(t.TempDir(), "case"), store.Config{ID: "t1", Name: k.text("Operation Elaborate"), Reference: k.text("REF/1"),
		LegalBasis: k.text("warrant"), TimeZone: "Europe/London", RetainTo: "2032-01-01", Created: time.Date(2022, 11, 8, 9, 0, 0, 0, time.UTC)})
	if err != nil {
		return nil, err
	}
	engine, err := duckdb.Open(ctx, k.Store, duckdb.Options{Threads: 2, MemoryMB: 512})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { engine.Close() })
	if k.DB, err = ledger.OpenDB(k.Store.ActsPath()); err != nil {
		return nil, err
	}
	t.Cleanup(func() { k.DB.Close() })
	const origin = "unspoof/case/t1"
	key, err := ledger.LoadOrCreateKey(filepath.Join(k.Store.Dir, "checkpoints"), origin)
	if err != nil {
		return nil, err
	}
	if k.Log, err = ledger.Open(ctx, k.DB, origin, key.Signer, ledger.WithApp("test"), ledger.WithCheckpointEvery(10)); err != nil {
		return nil, err
	}
	t.Cleanup(func() { k.Log.Close() })
	content := []byte("(1,'Smith','hunter2\\'pass','\xff" + strings.ReplaceAll(k.text("note"), "'", "\\'") + "')")
	sum := sha256.Sum256(content)
	k.Source = casefile.SourceID(hex.EncodeToString(sum[:]))
	if !opt.Empty {
		if err := k.fill(ctx, engine, content); err != nil {
			return nil, err
		}
	}
	k.Desk, err = desk.Open(ctx, desk.Config{Case: k.Store, Engine: engine, Log: k.Log, DB: k.DB, Auth: opt.Auth,
		ReadRow: func(_ context.Context, ref casefile.RowRef) (desk.OriginalRow, error) {
			return desk.OriginalRow{Ref: ref, Text: content,
				Source: desk.OriginalSource{Name: k.text("mbilling.sql"), Exhibit: k.text("ABC/1"), LegalBasis: k.text("warrant"), SealedBy: k.text("ann"),
					Size: int64(len(content)), SealedAt: time.Date(2022, 11, 8, 10, 0, 0, 0, time.UTC)},
				Cells: []desk.OriginalCell{{Column: "id", Value: "1"}, {Column: "name", Value: "Smith"}, {Column: "password", Value: Secret, Secret: true},
					{Column: k.text("note"), Value: "\xff" + k.text("note")}, {Column: "empty"}, {Column: "null", Null: true}}}, nil
		}})
	if err != nil {
		return nil, err
	}
	for _, role := range Users {
		if err := k.Desk.CreateUser(ctx, "system", string(role), role, Password); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// The ids of the case's things, hostile in a hostile case.

// Account is the account that most of the case is about.
func (k *Case) Account() string { return k.text("a1") }

// Call is one of its calls.
func (k *Case) Call() string { return k.text("cdr:1") }

// Campaign is the campaign of its calls.
func (k *Case) Campaign() string { return k.text("C000001") }

// Institution is the institution it pretended to be.
func (k *Case) Institution() string { return k.text("barclays") }

// Username is the account's user name.
func (k *Case) Username() string { return k.text("mrsmith") }

// Number is a number it called.
func (k *Case) Number() casefile.E164 { return 447700900001 }

// Ref is a row of the case's source.
func (k *Case) Ref() casefile.RowRef {
	return casefile.RowRef{Source: k.Source, Table: k.text("pkg_cdr"), Row: 1, Offset: 0}
}

// Last gives the newest entries of the ledger, oldest first.
func (k *Case) Last(t testing.TB, n int64) (acts []ledger.Act) {
	t.Helper()
	size, err := k.Log.Size(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range k.Log.Entries(context.Background(), max(0, size-n), size) {
		if err != nil {
			t.Fatal(err)
		}
		a, err := e.Act()
		if err != nil {
			t.Fatal(err)
		}
		acts = append(acts, a)
	}
	return acts
}

// fill seals a source and publishes every table.
func (k *Case) fill(ctx context.Context, engine *duckdb.Engine, content []byte) error {
	record, err := json.Marshal(store.Source{ID: k.Source, Name: k.text("mbilling.sql"), Size: int64(len(content)), Exhibit: k.text("ABC/1"),
		LegalBasis: k.text("warrant"), List: k.text("list"), Format: "mysqldump", SealedBy: k.text("ann"), SealedAt: time.Date(2022, 11, 8, 10, 0, 0, 0, time.UTC)})
	if err != nil {
		return err
	}
	if err := os.WriteFile(k.Store.SourcePath(k.Source), content, 0o400); err != nil {
		return err
	}
	if err := os.WriteFile(k.Store.SourceRecordPath(k.Source), record, 0o440); err != nil {
		return err
	}
	var published []store.TableVersion
	for _, table := range k.tables() {
		s, err := k.Store.Stage()
		if err != nil {
			return err
		}
		defer s.Discard()
		rows, cols, err := engine.Write(ctx, table.query, filepath.Join(s.Dir, "part-00000.parquet"))
		if err != nil {
			return err
		}
		m := store.Manifest{Table: table.name, Kind: table.kind, Step: k.text("step." + table.name), StepVersion: k.text("1"), Columns: cols, Inputs: published,
			Params: map[string]string{k.text("timezone"): k.text("Europe/London")},
			Files:  []store.File{{Name: "part-00000.parquet", Rows: rows}}}
		m, err = s.Publish(ctx, m, func(context.Context, store.Manifest, string) error { return nil })
		if err != nil {
			return err
		}
		if err := engine.Show(ctx, m); err != nil {
			return err
		}
		published = append(published, store.TableVersion{Name: m.Table, Version: m.Version})
	}
	return nil
}
