package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// One flipped bit in any file of the evidence is found by verify, which names the file or the
// table it belongs to.
func TestTamper(t *testing.T) {
	dir := copyTree(t, builtCase(t, seizure(t, 0.0005, 1)))
	var files []string
	for _, root := range []string{"sources", "tables"} {
		err := filepath.WalkDir(filepath.Join(dir, root), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files = append(files, path)
				err = os.Chmod(path, 0o640)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if v := unspoof(t, "verify", "--case", dir); v.code != exitDone {
		t.Fatalf("before anything is changed: %s", v)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	t.Logf("%d of %d files", min(len(files), trials(40)), len(files))
	for _, path := range files[:min(len(files), trials(40))] {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(whole) == 0 {
			t.Fatalf("%s is empty", path)
		}
		changed := append([]byte(nil), whole...)
		at, bit := rng.IntN(len(changed)), byte(1)<<rng.IntN(8)
		changed[at] ^= bit
		if err := os.WriteFile(path, changed, 0o640); err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(dir, path)
		v := unspoof(t, "verify", "--case", dir, "--sample", "50")
		if parts := strings.Split(name, "/"); v.code != exitVerify || !strings.Contains(v.out, filepath.Base(name)) && !strings.Contains(v.out, parts[1]) {
			t.Errorf("byte %d (bit %#02x) of %s was flipped, want exit %d and its name:\n%s", at, bit, name, exitVerify, v)
		}
		if err := os.WriteFile(path, whole, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if v := unspoof(t, "verify", "--case", dir); v.code != exitDone {
		t.Fatalf("after everything was put back: %s", v)
	}
}

// An entry of the ledger that is changed, removed, added or moved is found, and named by its
// number.
func TestTamperLedger(t *testing.T) {
	original := builtCase(t, seizure(t, 0.0005, 1))
	for _, c := range []struct {
		name, sql string
		want      []string
	}{
		{"changed", `UPDATE ledger_entry SET body = CAST(replace(CAST(body AS TEXT), '"action":"publish"', '"action":"Publish"') AS BLOB) WHERE id = 5`, []string{"entry 5"}},
		{"changed in its details", `UPDATE ledger_entry SET body = CAST(replace(CAST(body AS TEXT), '"rows":', '"rows":1') AS BLOB) WHERE id = 5`, []string{"entry 5"}},
		{"another actor", `UPDATE ledger_entry SET body = CAST(replace(CAST(body AS TEXT), '"actor":"', '"actor":"not ') AS BLOB) WHERE id = 0`, []string{"entry 0"}},
		{"removed", `DELETE FROM ledger_entry WHERE id = 7`, []string{"entry 7"}},
		{"removed with the gap closed", `DELETE FROM ledger_entry WHERE id = 7; UPDATE ledger_entry SET id = id - 1 WHERE id > 7`, []string{"entry 7"}},
		{"removed at the end", `DELETE FROM ledger_entry WHERE id = (SELECT max(id) FROM ledger_entry)`, []string{"entry"}},
		{"added at the end", `INSERT INTO ledger_entry SELECT max(id) + 1, (SELECT body FROM ledger_entry WHERE id = 3) FROM ledger_entry`, []string{"entry"}},
		{"added in between", `UPDATE ledger_entry SET id = -id - 1 WHERE id >= 9; UPDATE ledger_entry SET id = -id WHERE id < 0; INSERT INTO ledger_entry SELECT 9, body FROM ledger_entry WHERE id = 3`, []string{"entry 9"}},
		{"two exchanged", `UPDATE ledger_entry SET id = -1 WHERE id = 4; UPDATE ledger_entry SET id = 4 WHERE id = 6; UPDATE ledger_entry SET id = 6 WHERE id = -1`, []string{"entry 4", "entry 6"}},
		{"a hash changed", `UPDATE ledger_hash SET h = zeroblob(32) WHERE id = 3`, []string{"hash"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyTree(t, original)
			tamper(t, dir, c.sql)
			v := unspoof(t, "verify", "--case", dir, "--sample", "50")
			if v.code != exitVerify {
				t.Errorf("want exit %d:\n%s", exitVerify, v)
			}
			for _, w := range c.want {
				if !strings.Contains(v.out, w) {
					t.Errorf("%q is not named:\n%s", w, v)
				}
			}
		})
	}
}

// tamper changes the ledger's tables as someone with the file can: the guards that keep the
// program from it are dropped first.
func tamper(t *testing.T, dir, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "case.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	rows, err := db.Query(`SELECT name FROM sqlite_schema WHERE type = 'trigger'`)
	if err != nil {
		t.Fatal(err)
	}
	var drop string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		drop += fmt.Sprintf("DROP TRIGGER %q; ", name)
	}
	rows.Close()
	if drop == "" {
		t.Fatal("the ledger has no guards against changes")
	}
	if _, err := db.Exec(statements); err == nil && !strings.HasPrefix(statements, "INSERT") {
		t.Error("the ledger's tables let themselves be changed with their guards on")
	}
	if _, err := db.Exec(drop + statements); err != nil {
		t.Fatal(err)
	}
}

// Whoever takes the signatures away cannot be told from a crash before the first one: that is
// not a failure, but verify says so.
func TestNoCheckpoint(t *testing.T) {
	dir := newCase(t)
	tamper(t, dir, `DELETE FROM ledger_checkpoint`)
	v := unspoof(t, "verify", "--case", dir)
	if v.code != exitDone || !strings.Contains(v.out, "no checkpoint has been signed") {
		t.Error(v)
	}
}

// A table that is exchanged together with its manifest, hashes and all, does not pass: the
// ledger knows the manifest.
func TestTamperTableAndManifest(t *testing.T) {
	dir := copyTree(t, builtCase(t, seizure(t, 0.0005, 1)))
	path := filepath.Join(dir, "tables", "figure", "manifest.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	m["rows"] = m["rows"].(float64) - 1
	if text, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Join(dir, "tables", "figure", m["version"].(string), "manifest.json")} {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, text, 0o440); err != nil {
			t.Fatal(err)
		}
	}
	v := unspoof(t, "verify", "--case", dir, "--sample", "50")
	if v.code != exitVerify || !strings.Contains(v.out, "figure") {
		t.Error(v)
	}
}
