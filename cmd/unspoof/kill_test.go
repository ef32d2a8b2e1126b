package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
)

// Whenever a command is killed, the same commands run again come to the same case as if
// nothing had happened, leave nothing behind, and the case verifies.
//
// Half of the rounds kill at a random time of the job. The others kill when the n-th table
// appears, because what can go wrong lies between its files, its ledger entry and its being
// served, and that is a small part of the time. Some rounds kill a second time, so that the
// repair of the first kill's damage is interrupted too.
func TestKill9(t *testing.T) {
	if testing.Short() {
		t.Skip("many runs of the whole job")
	}
	s := seizure(t, 0.002, 1)
	killRounds(t, trials(12), func(dir string) [][]string { return job(dir, s, lists) })
}

// The same over a folder of everything: containers in containers, databases' files, exchanges'
// records, a cut dump, a file that nobody can read.
func TestKill9Folder(t *testing.T) {
	if testing.Short() {
		t.Skip("many readings of a folder")
	}
	folder := mixedFolder(t)
	killRounds(t, trials(6), func(dir string) [][]string {
		return [][]string{{"add", "--case", dir, folder}, {"map", "--case", dir}}
	})
}

// killRounds kills the commands of a job at random moments and runs them again.
func killRounds(t *testing.T, rounds int, job func(dir string) [][]string) {
	clean := newCase(t)
	var took []time.Duration
	var whole time.Duration
	for _, args := range job(clean) {
		began := time.Now()
		ran(t, args...)
		took = append(took, time.Since(began))
		whole += time.Since(began)
	}
	want := tablesOf(t, clean)
	noLeftovers(t, clean)
	t.Logf("undisturbed: %v, %d tables", whole.Round(time.Millisecond), len(want))

	hit, otherFiles := map[string]int{}, map[string]int{}
	for i := range rounds {
		t.Run(fmt.Sprint("round ", i), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(9, uint64(i)))
			dir := newCase(t)
			for range 1 + i%3/2 {
				var killed string
				if i%2 == 0 {
					killed = killAtTime(t, job(dir), took, time.Duration(rng.Int64N(int64(whole))))
				} else {
					killed = killAtTable(t, dir, job(dir), 1+rng.IntN(len(want)-1), time.Duration(rng.IntN(8))*time.Millisecond)
				}
				hit[killed]++
				t.Log("killed: ", killed)
			}
			for _, args := range job(dir) {
				ran(t, args...)
			}
			for _, table := range sameTables(t, tablesOf(t, dir), want) {
				otherFiles[table]++
			}
			noLeftovers(t, dir)
			if v := unspoof(t, "verify", "--case", dir, "--sample", "200"); v.code != exitDone {
				t.Error(v)
			}
		})
	}
	t.Logf("commands that were killed: %v; tables with the same rows in other files: %v", hit, otherFiles)
}

// ran runs a command that ends well, with damage or without.
func ran(t *testing.T, args ...string) {
	t.Helper()
	if e := unspoof(t, args...); e.code != exitDone && e.code != exitDamage {
		t.Fatal(e)
	}
}

// mixedFolder makes a folder with a little of everything a seizure leaves behind.
func mixedFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	dump, err := os.ReadFile(filepath.Join(seizure(t, 0.0005, 1), "mbilling.sql"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, content, 0o640)); err != nil {
			t.Fatal(err)
		}
	}
	zipped := func(files map[string][]byte) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			w, err := z.Create(name)
			if err == nil {
				_, err = w.Write(files[name])
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(dump); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var master, lines strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&master, `"acc%d","+443457404404","447700900%03d","out","""HSBC"" <+443457404404>","SIP/1","SIP/t","Dial","SIP/t","2022-03-01 10:00:%02d","2022-03-01 10:01:00","2022-03-01 10:02:00",90,60,"ANSWERED","DOCUMENTATION","1646128800.%d",""`+"\n", i%7, i%1000, i%60, i)
		fmt.Fprintf(&lines, `{"_id":{"$oid":"%024x"},"from":"+443457404404","to":"447700900%03d"}`+"\n", i, i%1000)
	}
	write("backup/mbilling.sql.gz", packed.Bytes())
	write("backup/cut.sql", dump[:len(dump)/3])
	write("backup/old.zip", zipped(map[string][]byte{"var/log/asterisk/Master.csv": []byte(master.String()), "inner.zip": zipped(map[string][]byte{"calls.jsonl": []byte(lines.String())})}))
	write("mongo/calls.json", []byte(lines.String()))
	write("www/logo.png", append([]byte("\x89PNG\r\n\x1a\n"), dump[:5000]...))
	write("www/empty.sql", nil)
	for _, fixture := range []string{"pg_custom.dump", "pg_copy.sql"} {
		if content, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "telecom", "dump-fixtures", fixture)); err == nil {
			write("pg/"+fixture, content)
		}
	}
	lite, err := sql.Open("sqlite", filepath.Join(dir, "panel.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lite.Exec("CREATE TABLE login (id INTEGER PRIMARY KEY, who TEXT, at TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO login SELECT i, 'u' || i, '2022-01-01' FROM n"); err != nil {
		t.Fatal(err)
	}
	if err := lite.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// killAtTime kills the command that is running, by the clock of the undisturbed job, at the
// given time of it. It says which one that was.
func killAtTime(t *testing.T, commands [][]string, took []time.Duration, at time.Duration) string {
	t.Helper()
	for i, args := range commands {
		if at >= took[i] {
			at -= took[i]
			ran(t, args...)
			continue
		}
		if killed := kill(t, args, func() bool { time.Sleep(at); return true }); killed != "nothing" {
			return killed
		}
		at = took[min(i+1, len(took)-1)] / 3 // it was faster than it had been: the next one then
	}
	return "nothing"
}

// killAtTable kills the command that makes the n-th table's folder, a moment later.
func killAtTable(t *testing.T, dir string, commands [][]string, n int, later time.Duration) string {
	t.Helper()
	appeared := func() bool {
		list, err := filepath.Glob(filepath.Join(dir, "tables", "[!.]*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list) >= n
	}
	for _, args := range commands {
		if killed := kill(t, args, func() bool {
			if !appeared() {
				return false
			}
			time.Sleep(later)
			return true
		}); killed != "nothing" {
			return killed
		}
	}
	return "nothing"
}

// kill runs a command and kills it once due is true; "nothing" when it ended before that.
func kill(t *testing.T, args []string, due func() bool) string {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command("unspoof", args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		if due() {
			cmd.Process.Kill() // it may have ended just now: then nothing is killed
		}
		select {
		case err := <-ended:
			switch state := cmd.ProcessState; {
			case err == nil, state.ExitCode() == exitDamage:
				return "nothing"
			case state.ExitCode() != -1:
				t.Fatalf("%v failed before it was killed: %v\n%s", args, err, said.String())
			}
			name := args[0]
			if args[0] == "add" {
				name += " " + filepath.Base(args[len(args)-1])
			}
			return name
		case <-time.After(500 * time.Microsecond):
		}
	}
}

// While some of a source's tables are there and others are not, nothing is computed from them.
func TestUnfinishedSourceIsNotMapped(t *testing.T) {
	dir := newCase(t)
	dump := filepath.Join(seizure(t, 0.0005, 1), "mbilling.sql")
	text, err := os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	inTheWay := filepath.Join(dir, "tables", store.SourceTableName(casefile.SourceID(hex.EncodeToString(sum[:])), "pkg_user"))
	if err := os.WriteFile(inTheWay, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if e := unspoof(t, "add", "--case", dir, dump); e.code != exitFailed {
		t.Fatalf("want exit %d: %s", exitFailed, e)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	if list, _ := filepath.Glob(filepath.Join(dir, "tables", "source.*", "manifest.json")); len(list) < 5 {
		t.Fatalf("only %d tables were published before the failure", len(list))
	}
	for _, command := range []string{"map", "build"} {
		if e := unspoof(t, command, "--case", dir); e.code != exitNotBuilt || !strings.Contains(e.errOut, "mbilling.sql") {
			t.Errorf("want exit %d and the source's name: %s", exitNotBuilt, e)
		}
	}
	done(t, "add", "--case", dir, dump)
	done(t, "map", "--case", dir)
	noLeftovers(t, dir)
}

// A finished version of a table that never came to its ledger entry is nobody's, and so is a
// file that was never whole: the next command that writes removes both; a version that was published and has been replaced stays, because
// exhibits name it.
func TestUnrecordedVersionIsRemoved(t *testing.T) {
	s := seizure(t, 0.0005, 1)
	dir := newCase(t)
	done(t, "add", "--case", dir, "--list", "rates", filepath.Join(s, "lists", "rates.csv"))
	done(t, "map", "--case", dir)
	published, err := filepath.Glob(filepath.Join(dir, "tables", "rate", "*", "manifest.json"))
	if err != nil || len(published) != 1 {
		t.Fatal(published, err)
	}
	orphan := filepath.Join(dir, "tables", "rate", "00"+filepath.Base(filepath.Dir(published[0]))[2:])
	if err := os.CopyFS(orphan, os.DirFS(filepath.Dir(published[0]))); err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(orphan, "manifest.json")
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, bytes.Replace(text, []byte(filepath.Base(filepath.Dir(published[0]))), []byte(filepath.Base(orphan)), 1), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"", "mappings", "policies", "tables/rate"} {
		if err := os.WriteFile(filepath.Join(dir, folder, ".write-123"), []byte("half a fi"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	done(t, "map", "--case", dir)
	noLeftovers(t, dir)
}
