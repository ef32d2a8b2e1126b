package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var triggers = []string{
	"ledger_entry_order", "ledger_entry_update", "ledger_entry_delete", "ledger_hash_order", "ledger_hash_update",
	"ledger_hash_delete", "ledger_checkpoint_order", "ledger_checkpoint_update", "ledger_checkpoint_delete",
}

func TestTriggersRefuseChange(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 10)
	if _, err := w.log.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		`UPDATE ledger_entry SET body = x'00' WHERE id = 3`, `DELETE FROM ledger_entry WHERE id = 9`, `DELETE FROM ledger_entry`,
		`INSERT OR REPLACE INTO ledger_entry VALUES (3, x'00')`, `INSERT INTO ledger_entry VALUES (11, x'00')`,
		`INSERT INTO ledger_entry VALUES (-1, x'00')`, `INSERT INTO ledger_entry (body) VALUES ('text')`,
		`UPDATE ledger_hash SET h = x'00'`, `DELETE FROM ledger_hash`, `REPLACE INTO ledger_hash VALUES (0, x'00')`,
		`UPDATE ledger_checkpoint SET note = x'00'`, `DELETE FROM ledger_checkpoint`, `REPLACE INTO ledger_checkpoint VALUES (10, x'00')`,
		`INSERT INTO ledger_checkpoint VALUES (5, x'00')`,
	} {
		if _, err := w.db.Exec(query); err == nil {
			t.Errorf("%s: not refused", query)
		}
	}
	w.sound(t)
}

// forge makes the stored hashes match the stored bodies again, as somebody who knows the format but not the key would.
func forge(t *testing.T, db *sql.DB) {
	t.Helper()
	var bodies [][]byte
	rows, err := db.Query(`SELECT body FROM ledger_entry ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, b)
	}
	must(t, db, `DELETE FROM ledger_hash`)
	var f frontier
	id := 0
	for _, b := range bodies {
		for _, h := range f.push(tlog.RecordHash(b)) {
			must(t, db, `INSERT INTO ledger_hash VALUES (?, ?)`, id, h[:])
			id++
		}
	}
}

func must(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// TestTampering alters a closed log through SQLite itself, the triggers dropped, with and without making the hashes
// match again, and expects the check, and where the tree's edge or head is concerned already the opening, to say so.
func TestTampering(t *testing.T) {
	ctx := context.Background()
	const n = 300
	base := t.TempDir()
	w, err := openWorld(base, WithCheckpointEvery(0))
	if err != nil {
		t.Fatal(err)
	}
	w.fill(t, 100)
	early, err := w.log.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, w)
	w.fill(t, n-100)
	held, err := w.log.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	body := func(seq int64) []byte {
		e, err := w.log.Entry(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		return e.Body
	}
	flipped := body(150)
	flipped[len(flipped)/2] ^= 4
	b150, b151 := body(150), body(151)
	inserted := bodyFromHead([]byte(`{"action":"seal","actor":"x","app":"","at":"2026-01-01T00:00:00.000000Z","object":"","outcome":"done"`), 150)
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	known := note.VerifierList(w.key.Verifier)

	shift := func(t *testing.T, db *sql.DB) { // make room for one entry before number 150
		must(t, db, `UPDATE ledger_entry SET id = -id - 1 WHERE id >= 150`)
		must(t, db, `UPDATE ledger_entry SET id = -id WHERE id < 0`)
	}
	for name, tamper := range map[string]func(t *testing.T, db *sql.DB){
		"flip a bit of a body": func(t *testing.T, db *sql.DB) {
			must(t, db, `UPDATE ledger_entry SET body = ? WHERE id = 150`, flipped)
		},
		"delete an entry": func(t *testing.T, db *sql.DB) { must(t, db, `DELETE FROM ledger_entry WHERE id = 150`) },
		"delete an entry and close the gap": func(t *testing.T, db *sql.DB) {
			must(t, db, `DELETE FROM ledger_entry WHERE id = 150`)
			must(t, db, `UPDATE ledger_entry SET id = id - 1 WHERE id > 150`)
		},
		"swap two entries": func(t *testing.T, db *sql.DB) {
			must(t, db, `UPDATE ledger_entry SET body = ? WHERE id = 150`, b151)
			must(t, db, `UPDATE ledger_entry SET body = ? WHERE id = 151`, b150)
		},
		"insert an entry": func(t *testing.T, db *sql.DB) {
			shift(t, db)
			must(t, db, `INSERT INTO ledger_entry VALUES (150, ?)`, inserted)
		},
		"truncate":          func(t *testing.T, db *sql.DB) { must(t, db, `DELETE FROM ledger_entry WHERE id >= 200`) },
		"truncate a little": func(t *testing.T, db *sql.DB) { must(t, db, `DELETE FROM ledger_entry WHERE id >= 299`) },
		"duplicate the last": func(t *testing.T, db *sql.DB) {
			must(t, db, `INSERT INTO ledger_entry SELECT 300, body FROM ledger_entry WHERE id = 299`)
		},
		"add an entry before the first": func(t *testing.T, db *sql.DB) { must(t, db, `INSERT INTO ledger_entry VALUES (-1, x'7b7d')`) },
	} {
		t.Run(name, func(t *testing.T) {
			db := copyTampered(t, base, tamper)
			expectDamage(t, db, known)
		})
		t.Run(name+", hashes forged", func(t *testing.T) {
			db := copyTampered(t, base, func(t *testing.T, db *sql.DB) { tamper(t, db); forge(t, db) })
			expectDamage(t, db, known)
			if name == "add an entry before the first" || name == "duplicate the last" {
				return // not in the signed tree: the check shows it, the edge does not
			}
			if l, err := Open(ctx, db, testOrigin, w.key.Signer); !errors.Is(err, ErrCorrupt) {
				l.Close()
				t.Errorf("opened for writing: %v", err)
			}
			r := &Reader{db: db, origin: testOrigin}
			if _, err := r.Export(ctx, t.TempDir()); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotFound) {
				t.Errorf("exported: %v", err)
			}
		})
	}
	for name, tamper := range map[string]func(t *testing.T, db *sql.DB){
		"flip a leaf's hash": func(t *testing.T, db *sql.DB) {
			must(t, db, `UPDATE ledger_hash SET h = zeroblob(32) WHERE id = ?`, tlog.StoredHashIndex(0, 17))
		},
		"flip an inner hash": func(t *testing.T, db *sql.DB) {
			must(t, db, `UPDATE ledger_hash SET h = zeroblob(32) WHERE id = ?`, tlog.StoredHashIndex(3, 2))
		},
		"delete a hash": func(t *testing.T, db *sql.DB) { must(t, db, `DELETE FROM ledger_hash WHERE id = 20`) },
		"short hash":    func(t *testing.T, db *sql.DB) { must(t, db, `UPDATE ledger_hash SET h = x'00' WHERE id = 20`) },
		"a hash too many": func(t *testing.T, db *sql.DB) {
			must(t, db, `INSERT INTO ledger_hash SELECT max(id) + 1, h FROM ledger_hash`)
		},
		"alter a checkpoint": func(t *testing.T, db *sql.DB) {
			must(t, db, `UPDATE ledger_checkpoint SET note = CAST(replace(CAST(note AS TEXT), char(10) || '100' || char(10), char(10) || '101' || char(10)) AS BLOB) WHERE size = 100`)
		},
		"move a checkpoint": func(t *testing.T, db *sql.DB) { must(t, db, `UPDATE ledger_checkpoint SET size = 99 WHERE size = 100`) },
		"ruin a checkpoint": func(t *testing.T, db *sql.DB) {
			must(t, db, `UPDATE ledger_checkpoint SET note = x'00' WHERE size = 300`)
		},
	} {
		t.Run(name, func(t *testing.T) { expectDamage(t, copyTampered(t, base, tamper), known) })
	}
	t.Run("a later body with its seq moved", func(t *testing.T) {
		db := copyTampered(t, base, func(t *testing.T, db *sql.DB) {
			must(t, db, `INSERT INTO ledger_entry SELECT 300, body FROM ledger_entry WHERE id = 299`)
			forge(t, db)
		})
		expectDamage(t, db, known)
	})

	// Setting the whole database back leaves it consistent in itself: only a checkpoint held elsewhere shows it.
	t.Run("set back", func(t *testing.T) {
		db := openCopy(t, before)
		r := &Reader{db: db, origin: testOrigin}
		if _, err := r.Check(ctx, known); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Check(ctx, known, early.Note); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Check(ctx, known, held.Note); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("not shown: %v", err)
		}
	})
	// So does a fork that the key's holder signs anew.
	t.Run("signed fork", func(t *testing.T) {
		db := openCopy(t, before)
		l, err := Open(ctx, db, testOrigin, w.key.Signer, WithCheckpointEvery(0))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for i := range n - 100 {
			if _, err := l.Append(ctx, act(fmt.Sprint("other", i)), nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := l.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Check(ctx, known, early.Note); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Check(ctx, known, held.Note); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("not shown: %v", err)
		}
	})
	t.Run("untouched", func(t *testing.T) {
		db := copyTampered(t, base, func(*testing.T, *sql.DB) {})
		if _, err := (&Reader{db: db, origin: testOrigin}).Check(ctx, known, early.Note, held.Note); err != nil {
			t.Fatal(err)
		}
	})
}

// TestNoSignatureOverAlteredTree alters the tree under a running log: it must refuse to sign, and to write when a
// checkpoint is due.
func TestNoSignatureOverAlteredTree(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, WithCheckpointEvery(64))
	w.fill(t, 64)
	for _, name := range triggers {
		must(t, w.db, "DROP TRIGGER "+name)
	}
	must(t, w.db, `UPDATE ledger_hash SET h = zeroblob(32) WHERE id = ?`, tlog.StoredHashIndex(6, 0))
	if _, err := w.log.Append(ctx, act("not due"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.log.Checkpoint(ctx); !errors.Is(err, ErrCorrupt) || !errors.Is(err, ErrUnwritable) {
		t.Fatal(err)
	}
}

// snapshot copies an open database as it stands.
func snapshot(t *testing.T, w *world) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "case.db")
	must(t, w.db, `VACUUM INTO ?`, path)
	return path
}

func openCopy(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := OpenDB(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func copyTampered(t *testing.T, base string, tamper func(*testing.T, *sql.DB)) *sql.DB {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(base, "case.db"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "case.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	db := openCopy(t, path)
	for _, name := range triggers {
		must(t, db, "DROP TRIGGER "+name)
	}
	must(t, db, "PRAGMA synchronous=OFF")
	tamper(t, db)
	return db
}

func expectDamage(t *testing.T, db *sql.DB, known note.Verifiers) {
	t.Helper()
	_, err := (&Reader{db: db, origin: testOrigin}).Check(context.Background(), known)
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("not detected: %v", err)
	}
}
