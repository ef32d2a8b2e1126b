package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

const testOrigin = "unspoof/case/test"

// TestMain lets the test binary be its own child: a process that appends until it is told or killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LEDGER_TEST_CHILD"); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// world is a case folder with its log and a table of the "desk" beside it.
type world struct {
	dir string
	db  *sql.DB
	key Key
	log *Log
}

func (w *world) known() note.Verifiers { return note.VerifierList(w.key.Verifier) }
func (w *world) path() string          { return filepath.Join(w.dir, "case.db") }

func openWorld(dir string, options ...Option) (*world, error) {
	w := &world{dir: dir}
	var err error
	if w.key, err = LoadOrCreateKey(filepath.Join(dir, "checkpoints"), testOrigin); err != nil {
		return nil, err
	}
	if w.db, err = OpenDB(w.path()); err != nil {
		return nil, err
	}
	if _, err = w.db.Exec(`CREATE TABLE IF NOT EXISTS mark (entry INTEGER PRIMARY KEY, what TEXT UNIQUE) STRICT`); err != nil {
		w.db.Close()
		return nil, err
	}
	if w.log, err = Open(context.Background(), w.db, testOrigin, w.key.Signer, options...); err != nil {
		w.db.Close()
		return nil, err
	}
	return w, nil
}

func (w *world) close() error {
	if err := w.log.Close(); err != nil {
		return err
	}
	return w.db.Close()
}

func newWorld(t testing.TB, options ...Option) *world {
	t.Helper()
	w, err := openWorld(t.TempDir(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.close() })
	return w
}

// mark is an act's own change: one row that names its entry.
func mark(what string) func(*Tx) error {
	return func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO mark (entry, what) VALUES (?, ?)`, tx.Seq(), what)
		return err
	}
}

func act(object string) Act {
	return Act{Actor: "user:7", Role: "analyst", Action: "judge", Object: object, Outcome: Done}
}

func (w *world) fill(t testing.TB, n int) {
	t.Helper()
	errs := make(chan error, 32)
	for c := range cap(errs) {
		go func() {
			for i := c; i < n; i += cap(errs) {
				a := act(fmt.Sprint("o", i))
				a.Details = map[string]any{"i": i}
				if _, err := w.log.Append(context.Background(), a, nil); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) count(t testing.TB, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := w.db.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// sound checks the whole log and that marks and entries agree.
func (w *world) sound(t testing.TB, held ...[]byte) Report {
	t.Helper()
	rep, err := w.log.Check(context.Background(), w.known(), held...)
	if err != nil {
		t.Fatal(err)
	}
	if n := w.count(t, `SELECT count(*) FROM mark LEFT JOIN ledger_entry ON id = entry WHERE id IS NULL`); n != 0 {
		t.Fatalf("%d marks have no entry", n)
	}
	return rep
}
