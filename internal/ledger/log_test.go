package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

var errNo = errors.New("no")

func TestActAndEntryAreOne(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	e, err := w.log.Append(ctx, act("first"), mark("first"))
	if err != nil || e.Seq != 0 {
		t.Fatalf("%d, %v", e.Seq, err)
	}
	// An act that fails after it has written keeps neither row nor entry, and its own error comes back.
	_, err = w.log.Append(ctx, act("second"), func(tx *Tx) error {
		if err := mark("second")(tx); err != nil {
			t.Error(err)
		}
		return errNo
	})
	if err != errNo {
		t.Fatal(err)
	}
	// So does one whose statement fails, and the transaction of the others survives it.
	if _, err = w.log.Append(ctx, act("third"), mark("first")); err == nil || errors.Is(err, ErrUnwritable) {
		t.Fatal(err)
	}
	if _, err = w.log.Append(ctx, Act{Actor: "user:7", Action: "judge", Object: "second", Outcome: Refused}, nil); err != nil {
		t.Fatal(err)
	}
	if rows, entries := w.count(t, `SELECT count(*) FROM mark`), w.count(t, `SELECT count(*) FROM ledger_entry`); rows != 1 || entries != 2 {
		t.Fatalf("%d rows and %d entries", rows, entries)
	}
	last, err := w.log.Last(ctx, Filter{Object: "second", Outcome: Refused})
	if err != nil || last.Seq != 1 {
		t.Fatalf("%d, %v", last.Seq, err)
	}
	if w.log.Err() != nil {
		t.Fatal(w.log.Err())
	}
	w.sound(t)
}

// TestMixedGroup sends acts that succeed, fail and panic all at once.
func TestMixedGroup(t *testing.T) {
	w := newWorld(t, WithCheckpointEvery(10))
	const n = 600
	var wg sync.WaitGroup
	var mu sync.Mutex
	kept := map[string]int64{}
	for i := range n {
		wg.Go(func() {
			what := fmt.Sprint("o", i)
			do := mark(what)
			switch i % 3 {
			case 1:
				do = func(tx *Tx) error { mark(what)(tx); return errNo }
			case 2:
				do = func(tx *Tx) error { mark(what)(tx); panic(what) }
				defer func() {
					if p := recover(); p != what {
						t.Errorf("act %d: its panic came back as %v", i, p)
					}
				}()
			}
			e, err := w.log.Append(context.Background(), act(what), do)
			if (err == nil) != (i%3 == 0) {
				t.Errorf("act %d: %v", i, err)
			}
			if err == nil {
				mu.Lock()
				kept[what] = e.Seq
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if rows, entries := w.count(t, `SELECT count(*) FROM mark`), w.count(t, `SELECT count(*) FROM ledger_entry`); rows != n/3 || entries != n/3 {
		t.Fatalf("%d rows and %d entries", rows, entries)
	}
	for what, seq := range kept {
		if w.count(t, `SELECT count(*) FROM mark JOIN ledger_entry ON id = entry WHERE id = ? AND what = ? AND
			json_extract(CAST(body AS TEXT), '$.object') = what`, seq, what) != 1 {
			t.Fatalf("%s: no row and entry %d", what, seq)
		}
	}
	w.sound(t)
}

func TestWhatAnActMayNotDo(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	for _, query := range []string{
		"COMMIT", "END", "ROLLBACK", "SELECT 1; COMMIT", "BEGIN", "SAVEPOINT x", "RELEASE act", "ROLLBACK TO act",
		"PRAGMA synchronous=OFF", "ATTACH ':memory:' AS x", "INSERT INTO ledger_entry VALUES (1, x'00')",
		"UPDATE ledger_entry SET body = x'00'", "DELETE FROM ledger_hash", "DROP TABLE Ledger_Checkpoint",
		"DROP TRIGGER ledger_entry_delete", "ALTER TABLE ledger_entry RENAME TO gone",
		"CREATE TRIGGER t AFTER INSERT ON ledger_entry BEGIN SELECT 1; END",
	} {
		var inner error
		_, err := w.log.Append(ctx, act(query), func(tx *Tx) error {
			if err := mark(query)(tx); err != nil {
				t.Error(err)
			}
			_, inner = tx.Exec(query)
			return nil // the act ignores the refusal, and is still whole
		})
		if inner == nil || err != nil {
			t.Errorf("%s: refused with %v, act ended with %v", query, inner, err)
		}
	}
	var kept *Tx
	if _, err := w.log.Append(ctx, act("reads"), func(tx *Tx) error {
		kept = tx
		rows, err := tx.Query(`SELECT id FROM ledger_entry`) // left open on purpose
		if err == nil && !rows.Next() {
			err = errNo
		}
		var n int
		return errors.Join(err, tx.QueryRow(`SELECT count(*) FROM mark`).Scan(&n))
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Exec(`DELETE FROM mark`); err == nil {
		t.Error("a Tx works after its act")
	}
	if _, err := kept.Query(`SELECT 1`); err == nil {
		t.Error("a Tx works after its act")
	}
	var n int
	if kept.QueryRow(`SELECT 1`).Scan(&n) == nil {
		t.Error("a Tx works after its act")
	}
	w.sound(t)
}

// TestTransactionLostWithinAct: ON CONFLICT ROLLBACK makes SQLite end the transaction under the act, as a full disk
// or a failed read may. What the act does after that must not be committed by itself.
func TestTransactionLostWithinAct(t *testing.T) {
	ctx := context.Background()
	for name, ignore := range map[string]func(tx *Tx){
		"exec": func(tx *Tx) { tx.Exec(`INSERT OR ROLLBACK INTO mark VALUES (1000, 'first')`) },
		"query": func(tx *Tx) {
			var x int
			tx.QueryRow(`INSERT OR ROLLBACK INTO mark VALUES (1000, 'first') RETURNING entry`).Scan(&x)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if _, err := w.log.Append(ctx, act("first"), mark("first")); err != nil {
				t.Fatal(err)
			}
			_, err := w.log.Append(ctx, act("second"), func(tx *Tx) error {
				ignore(tx)
				if _, err := tx.Exec(`INSERT INTO mark VALUES (2000, 'stray')`); err == nil {
					t.Error("a statement ran outside the transaction")
				}
				return nil
			})
			if !errors.Is(err, ErrUnwritable) || !errors.Is(w.log.Err(), ErrUnwritable) {
				t.Fatal(err, w.log.Err())
			}
			if n := w.count(t, `SELECT count(*) FROM mark`); n != 1 {
				t.Fatalf("%d rows", n)
			}
			if _, err := w.log.Append(ctx, act("third"), mark("third")); err != nil || w.log.Err() != nil {
				t.Fatal(err, w.log.Err())
			}
			w.sound(t)
		})
	}
}

func TestWithdrawnWhileWaiting(t *testing.T) {
	w := newWorld(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan error)
	go func() { // already begun when its context ends: it is finished
		_, err := w.log.Append(ctx, act("slow"), func(tx *Tx) error { close(begun); <-goOn; return mark("slow")(tx) })
		first <- err
	}()
	<-begun
	second := make(chan error)
	go func() {
		_, err := w.log.Append(ctx, act("waiting"), mark("waiting"))
		second <- err
	}()
	for len(w.log.queue) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(goOn)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	w.fill(t, 1)
	if n := w.count(t, `SELECT count(*) FROM ledger_entry`); n != 2 {
		t.Fatalf("%d entries", n)
	}
	w.sound(t)
}

func TestClose(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 3)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for {
				if _, err := w.log.Append(context.Background(), act("o"), nil); err != nil {
					if !errors.Is(err, ErrUnwritable) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	w.log.Close()
	w.log.Close()
	wg.Wait()
	w.sound(t)
}

// TestActThatEndsItsGoroutine: runtime.Goexit (t.FailNow in an act) takes the writer away; nobody may hang or be
// told that something was kept.
func TestActThatEndsItsGoroutine(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 3)
	for range 2 {
		if _, err := w.log.Append(context.Background(), act("o"), func(tx *Tx) error { mark("x")(tx); runtime.Goexit(); return nil }); !errors.Is(err, ErrUnwritable) {
			t.Fatal(err)
		}
	}
	if n := w.count(t, `SELECT count(*) FROM mark`); n != 0 {
		t.Fatalf("%d rows", n)
	}
	w.sound(t)
}

func TestCheckpoints(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, WithCheckpointEvery(0))
	empty, err := w.log.Checkpoint(ctx)
	if err != nil || empty.Size != 0 {
		t.Fatal(empty, err)
	}
	w.fill(t, 70)
	a, err := w.log.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.log.Checkpoint(ctx)
	if err != nil || string(a.Note) != string(b.Note) {
		t.Fatalf("the same tree was signed twice: %v", err)
	}
	c, err := OpenCheckpoint(a.Note, w.known())
	if err != nil || c.Size != 70 || c.Origin != testOrigin || c.Hash != a.Hash {
		t.Fatal(c, err)
	}
	want := fmt.Sprintf("%s\n70\n%s\n\n— %s ", testOrigin, a.Hash, testOrigin)
	if !strings.HasPrefix(string(a.Note), want) {
		t.Fatalf("%q", a.Note)
	}
	other, err := LoadOrCreateKey(t.TempDir(), testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	// Another key of the same name neither verifies nor passes for the log's own.
	l2, err := Open(ctx, w.db, testOrigin, other.Signer)
	if err != nil {
		t.Fatal(err)
	}
	defer l2.Close()
	if _, err := l2.Checkpoint(ctx); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	if rep := w.sound(t, empty.Note, a.Note); rep.Checkpoints != 2 || rep.Last.Size != 70 {
		t.Fatalf("%+v", rep)
	}
	if _, err := Open(ctx, w.db, "unspoof/case/other", w.key.Signer); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	strange, err := LoadOrCreateKey(t.TempDir(), "unspoof/case/other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, w.db, "unspoof/case/other", strange.Signer); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("another case's log was opened: %v", err)
	}
}

func TestUnfinished(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	var intents []int64
	for i := range 4 {
		e, err := w.log.Append(ctx, Act{Actor: "system", Action: "seal", Object: fmt.Sprint("source:", i), Outcome: Intent}, nil)
		if err != nil {
			t.Fatal(err)
		}
		intents = append(intents, e.Seq)
	}
	for i, o := range map[int]Outcome{0: Done, 2: Failed} {
		if _, err := w.log.Append(ctx, Act{Actor: "system", Action: "seal", Outcome: o, Answers: &intents[i]}, nil); err != nil {
			t.Fatal(err)
		}
	}
	open, err := w.log.Unfinished(ctx)
	if err != nil || len(open) != 2 || open[0].Seq != intents[1] || open[1].Seq != intents[3] {
		t.Fatalf("%+v, %v", open, err)
	}
}

func TestReading(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.fill(t, 600)
	ro, err := OpenDBReadOnly(w.path())
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	r, err := OpenReader(ctx, ro, testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ro.Exec(`CREATE TABLE x (y)`); err == nil {
		t.Error("a read-only database was written")
	}
	next := int64(250)
	for e, err := range r.Entries(ctx, 250, 520) {
		if err != nil || e.Seq != next {
			t.Fatal(e.Seq, err)
		}
		if _, err := e.Act(); err != nil {
			t.Fatal(err)
		}
		if next++; next == 515 {
			break
		}
	}
	for _, err := range r.Entries(ctx, 0, 601) {
		if !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
	}
	if _, err := r.Entry(ctx, 600); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := r.Last(ctx, Filter{Actor: "nobody"}); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := r.LastCheckpoint(ctx); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := r.Proof(ctx, 3); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if e, err := r.Last(ctx, Filter{Actor: "user:7", Action: "judge"}); err != nil || e.Seq != 599 {
		t.Fatal(e.Seq, err)
	}
}

// TestStrangePath opens a database whose path is full of what URIs and SQLite treat specially.
func TestStrangePath(t *testing.T) {
	dir := t.TempDir() + "/a b?c=d&e#f%20+'\"é"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Skip(err)
	}
	w, err := openWorld(dir)
	if err != nil {
		t.Fatal(err)
	}
	w.fill(t, 3)
	w.sound(t)
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(w.path())
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
}

func TestImportsNothingOfOurs(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "unspoof") {
		t.Fatalf("%s", out)
	}
}
