package verify

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestFlippedByte flips single random bytes in every file of a case; each must be found, and
// named with the file.
func TestFlippedByte(t *testing.T) {
	f := standard(t)
	rng := rand.New(rand.NewPCG(1, 2))
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(f.dir, path)
		whole, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		trials := 2 // many more were run by hand: UNSPOOF_TRIALS
		if n, err := strconv.Atoi(os.Getenv("UNSPOOF_TRIALS")); err == nil {
			trials = n
		}
		for range trials {
			b := bytes.Clone(whole)
			at, bit := rng.IntN(len(b)), byte(1)<<rng.IntN(8)
			b[at] ^= bit
			if name == "case.yaml" && bytes.Contains(b, []byte("id: "+caseID+"\nname: Test\nreference: R/1\n")) {
				continue // the time zone and the format are not in the ledger
			}
			f.ok(os.WriteFile(path, b, 0o640))
			r := f.run(Options{Sample: 20})
			if name == "case.db" {
				// A byte of the database may lie in unused space or in another's table: what must
				// not happen is that the ledger reads otherwise and nobody says so.
				if r.OK() && r.LedgerRoot == "" {
					t.Errorf("byte %d of %s: the ledger was not read", at, name)
				}
				continue
			}
			if r.OK() {
				t.Errorf("byte %d (bit %#x) of %s was flipped, nothing is reported", at, bit, name)
			} else if !named(r, name) {
				t.Errorf("byte %d of %s was flipped, the file is not named:\n%s", at, name, r)
			}
		}
		return os.WriteFile(path, whole, 0o640)
	})
	f.ok(err)
	if r := f.run(Options{}); !r.OK() {
		t.Fatalf("the trials did not put everything back:\n%s", r)
	}
}

// TestDatabaseFlips flips bytes inside the ledger's own content.
func TestDatabaseFlips(t *testing.T) {
	f := standard(t)
	whole, err := os.ReadFile(f.path("case.db"))
	f.ok(err)
	var places []int
	for i := 0; ; {
		j := bytes.Index(whole[i:], []byte(`{"action":`))
		if j < 0 {
			break
		}
		i += j + 1
		places = append(places, i-1)
	}
	if len(places) < len(f.acts) {
		t.Fatalf("%d bodies found in the database, want %d", len(places), len(f.acts))
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 12 {
		b := bytes.Clone(whole)
		at := places[rng.IntN(len(places))] + rng.IntN(60)
		b[at] ^= 1 << rng.IntN(8)
		f.ok(os.WriteFile(f.path("case.db"), b, 0o640))
		if r := f.run(Options{Sample: 1}); r.OK() || !named(r, "entry ") {
			t.Errorf("byte %d of an entry was flipped:\n%s", at, r)
		}
	}
}

func TestLedgerTampering(t *testing.T) {
	f := standard(t)
	n := len(f.acts)
	bodies := func() [][]byte {
		list := make([][]byte, n)
		for i, a := range f.acts {
			list[i] = f.body(i, a)
		}
		return list
	}
	whole, err := os.ReadFile(f.path("case.db"))
	f.ok(err)
	forged := func(seq int) []byte {
		return f.body(seq, Act{Action: "view", Object: "page"})
	}
	hexOf := func(b []byte) string { return "x'" + hex.EncodeToString(b) + "'" }
	checkpointAt := func(size int) string { return fmt.Sprintf("checkpoint of size %d", size) }
	for _, c := range []struct {
		name   string
		tamper func()
		words  []string
	}{
		{"changed", func() { f.exec(fmt.Sprintf("UPDATE ledger_entry SET body = %s WHERE id = 4", hexOf(forged(4)))) }, []string{"entry 4", "hash was stored"}},
		{"changed with its hash", func() {
			h := leafHash(forged(4))
			f.exec(fmt.Sprintf("UPDATE ledger_entry SET body = %s WHERE id = 4", hexOf(forged(4))),
				fmt.Sprintf("UPDATE ledger_hash SET h = %s WHERE id = %d", hexOf(h[:]), storedHashes(4)))
		}, []string{"ledger_hash", "stored hash"}},
		{"changed with all hashes and no checkpoint made anew", func() {
			b := bodies()
			b[4] = forged(4)
			notes := f.notes()
			f.ledger(b, f.skey)
			f.restore(notes)
		}, []string{checkpointAt(6), "from entry 3 to 5"}},
		{"removed", func() { f.exec("DELETE FROM ledger_entry WHERE id = 3") }, []string{"entry 3", "was removed"}},
		{"removed and renumbered", func() {
			f.exec("DELETE FROM ledger_entry WHERE id = 3", "UPDATE ledger_entry SET id = id - 1 WHERE id > 3")
		}, []string{"entry 3", "an entry before it was removed"}},
		{"removed, all numbers and hashes anew", func() {
			notes := f.notes()
			acts := append(append([]Act(nil), f.acts[:3]...), f.acts[4:]...)
			var b [][]byte
			for i, a := range acts {
				b = append(b, f.body(i, a))
			}
			f.ledger(b, f.skey)
			f.restore(notes)
		}, []string{checkpointAt(6), "from entry 3 to 5"}},
		{"added", func() {
			notes := f.notes()
			b := bodies()
			b = append(b[:5], append([][]byte{forged(5)}, b[5:]...)...)
			f.ledger(b, f.skey)
			f.restore(notes)
		}, []string{"entry 6", "body is that of entry 5"}},
		{"moved", func() {
			f.exec("UPDATE ledger_entry SET id = 1000 WHERE id = 2", "UPDATE ledger_entry SET id = 2 WHERE id = 5", "UPDATE ledger_entry SET id = 5 WHERE id = 1000")
		}, []string{"entry 2", "body is that of entry 5"}},
		{"tail cut", func() {
			f.exec(fmt.Sprintf("DELETE FROM ledger_entry WHERE id >= %d", n-2), fmt.Sprintf("DELETE FROM ledger_hash WHERE id >= %d", storedHashes(int64(n-2))))
		}, []string{checkpointAt(n), "cut off"}},
		{"last entry changed", func() {
			f.exec(fmt.Sprintf("UPDATE ledger_entry SET body = %s WHERE id = %d", hexOf(forged(n-1)), n-1))
		}, []string{fmt.Sprintf("entry %d", n-1)}},
		{"hash removed", func() { f.exec("DELETE FROM ledger_hash WHERE id = 7") }, []string{"ledger_hash"}},
		{"hash changed", func() { f.exec("UPDATE ledger_hash SET h = zeroblob(32) WHERE id = 2") }, []string{"stored hash 2"}},
		{"signed by another key", func() {
			_, other := newKey(f.origin)
			f.ledger(bodies(), other)
		}, []string{"not signed by the key"}},
		{"checkpoints swapped", func() {
			f.exec("UPDATE ledger_checkpoint SET size = -1 WHERE size = 3", "UPDATE ledger_checkpoint SET size = 3 WHERE size = 6", "UPDATE ledger_checkpoint SET size = 6 WHERE size = -1")
		}, []string{checkpointAt(3), "says size 6"}},
		{"checkpoint altered", func() {
			f.exec("UPDATE ledger_checkpoint SET note = CAST(replace(CAST(note AS TEXT), char(10) || '3' || char(10), char(10) || '4' || char(10)) AS BLOB) WHERE size = 3")
		}, []string{checkpointAt(3), "altered"}},
		{"no ledger table", func() { f.exec("ALTER TABLE ledger_entry RENAME TO x", "CREATE VIEW ledger_entry AS SELECT * FROM x") }, []string{"not an ordinary table"}},
		{"garbage", func() { f.write("case.db", bytes.Repeat([]byte("garbage"), 1000)) }, []string{"case.db"}},
		{"not JSON", func() { f.exec("UPDATE ledger_entry SET body = x'FFFE' WHERE id = 1") }, []string{"entry 1", "JSON"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.write("case.db", whole)
			c.tamper()
			r := f.run(Options{Sample: 1})
			if r.OK() || !named(r, c.words...) {
				t.Errorf("want a problem with %q:\n%s", c.words, r)
			}
		})
	}
}

func (f *fixture) notes() map[int64][]byte {
	db := f.open()
	defer db.Close()
	rows, err := db.Query("SELECT size, note FROM ledger_checkpoint")
	f.ok(err)
	defer rows.Close()
	out := map[int64][]byte{}
	for rows.Next() {
		var size int64
		var note []byte
		f.ok(rows.Scan(&size, &note))
		out[size] = note
	}
	return out
}

func (f *fixture) restore(notes map[int64][]byte) {
	db := f.open()
	defer db.Close()
	_, err := db.Exec("DELETE FROM ledger_checkpoint")
	f.ok(err)
	for size, note := range notes {
		_, err := db.Exec("INSERT INTO ledger_checkpoint VALUES (?, ?)", size, note)
		f.ok(err)
	}
}

// TestTrustedCheckpoint is about what only a checkpoint held elsewhere shows.
func TestTrustedCheckpoint(t *testing.T) {
	f := standard(t)
	all := f.acts
	size := int64(len(all))
	held := f.notes()[size]
	if r := f.run(Options{TrustedCheckpoint: held}); !r.OK() {
		t.Fatalf("a whole case is not what its own checkpoint says:\n%s", r)
	}
	// The whole case is set back to an earlier state, consistently: only the held one knows.
	f.act("view", "page", nil)
	f.act("view", "page 2", nil)
	f.finish()
	later := f.notes()[size+2]
	f.acts = all
	f.finish()
	if r := f.run(Options{}); !r.OK() {
		t.Fatalf("without a held checkpoint this cannot show:\n%s", r)
	}
	if r := f.run(Options{TrustedCheckpoint: later}); r.OK() || !named(r, "trusted checkpoint", "set back") {
		t.Errorf("a rollback is not found:\n%s", r)
	}
	// Another history, signed with the same key.
	f.acts = append([]Act(nil), all...)
	f.acts[0].Details = nil
	f.finish()
	if r := f.run(Options{}); !r.OK() {
		t.Fatalf("without a held checkpoint this cannot show:\n%s", r)
	}
	if r := f.run(Options{TrustedCheckpoint: held}); r.OK() || !named(r, "trusted checkpoint", "not the ones it signed") {
		t.Errorf("a fork is not found:\n%s", r)
	}
	// The same history signed with a new key that took the old one's place.
	f.acts = all
	f.vkey, f.skey = newKey(f.origin)
	f.finish()
	if r := f.run(Options{TrustedCheckpoint: held}); r.OK() || !named(r, "trusted checkpoint", "exchanged") {
		t.Errorf("an exchanged key is not found:\n%s", r)
	}
	if r := f.run(Options{TrustedCheckpoint: []byte("nonsense")}); r.OK() || !named(r, "trusted checkpoint") {
		t.Errorf("nonsense passes as a trusted checkpoint:\n%s", r)
	}
}

func TestUnsignedTail(t *testing.T) {
	f := standard(t)
	f.exec(fmt.Sprintf("DELETE FROM ledger_checkpoint WHERE size > %d", len(f.acts)-2))
	r := f.run(Options{})
	if !r.OK() || r.Unsigned == 0 || len(r.Checks[0].Warnings) != 1 {
		t.Errorf("unsigned %d:\n%s", r.Unsigned, r)
	}
}

// TestWriteAheadLog is a case whose database is open in a server: nothing is written into the
// folder, and what is only in the log counts.
func TestWriteAheadLog(t *testing.T) {
	f := standard(t)
	db := f.open()
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range []string{"PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", "UPDATE ledger_entry SET body = x'7B7D' WHERE id = 2"} {
		_, err := db.Exec(s)
		f.ok(err)
	}
	before, err := os.ReadDir(f.dir)
	f.ok(err)
	if r := f.run(Options{}); r.OK() || !named(r, "entry 2") {
		t.Errorf("a change that is only in the write-ahead log is not seen:\n%s", r)
	}
	after, err := os.ReadDir(f.dir)
	f.ok(err)
	if len(after) != len(before) {
		t.Errorf("files in the case before and after: %v, %v", before, after)
	}
}
