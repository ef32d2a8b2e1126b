package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
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
	clean := newCase(t)
	var took []time.Duration
	var whole time.Duration
	for _, args := range job(clean, s, lists) {
		began := time.Now()
		done(t, args...)
		took = append(took, time.Since(began))
		whole += time.Since(began)
	}
	want := tablesOf(t, clean)
	noLeftovers(t, clean)
	t.Logf("undisturbed: %v, %d tables", whole.Round(time.Millisecond), len(want))

	hit, otherFiles := map[string]int{}, map[string]int{}
	for i := range trials(12) {
		t.Run(fmt.Sprint("round ", i), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(9, uint64(i)))
			dir := newCase(t)
			for range 1 + i%3/2 {
				var killed string
				if i%2 == 0 {
					killed = killAtTime(t, job(dir, s, lists), took, time.Duration(rng.Int64N(int64(whole))))
				} else {
					killed = killAtTable(t, dir, job(dir, s, lists), 1+rng.IntN(len(want)-1), time.Duration(rng.IntN(8))*time.Millisecond)
				}
				hit[killed]++
				t.Log("killed: ", killed)
			}
			for _, args := range job(dir, s, lists) {
				done(t, args...)
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

// killAtTime kills the command that is running, by the clock of the undisturbed job, at the
// given time of it. It says which one that was.
func killAtTime(t *testing.T, commands [][]string, took []time.Duration, at time.Duration) string {
	t.Helper()
	for i, args := range commands {
		if at >= took[i] {
			at -= took[i]
			done(t, args...)
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
			case err == nil:
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

// A finished version of a table that never came to its ledger entry is nobody's, and the next
// command that writes removes it; one that was published and has been replaced stays, because
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
	done(t, "map", "--case", dir)
	noLeftovers(t, dir)
}
