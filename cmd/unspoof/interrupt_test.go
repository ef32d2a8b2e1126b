package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Ctrl-C ends a command with its own exit code; nothing is half there, and the same commands
// come to the same case as if nothing had happened.
func TestInterrupt(t *testing.T) {
	if testing.Short() {
		t.Skip("several runs of the whole job")
	}
	s := seizure(t, 0.004, 1)
	clean := newCase(t)
	var took []time.Duration
	commands := job(clean, s, lists)
	for _, args := range commands {
		began := time.Now()
		ran(t, args...)
		took = append(took, time.Since(began))
	}
	want := tablesOf(t, clean)
	for i, name := range map[int]string{0: "add", len(commands) - 2: "map", len(commands) - 1: "build"} {
		t.Run(name, func(t *testing.T) {
			dir := newCase(t)
			interrupted := 0
			for k, args := range job(dir, s, lists) {
				for share := 2; k == i && share <= 4; share++ { // at a quarter, a third and a half of its time
					interrupted += interrupt(t, args, took[i]/time.Duration(6-share))
				}
				ran(t, args...)
			}
			if interrupted == 0 {
				t.Error("it was never interrupted")
			}
			sameTables(t, tablesOf(t, dir), want)
			noLeftovers(t, dir)
			if v := unspoof(t, "verify", "--case", dir, "--sample", "100"); v.code != exitDone {
				t.Error(v)
			}
		})
	}
}

// interrupt sends a command SIGINT after a while, and gives 1 when that found it at work.
func interrupt(t *testing.T, args []string, after time.Duration) int {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command("unspoof", args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	must(t, cmd.Start())
	time.AfterFunc(after, func() { cmd.Process.Signal(os.Interrupt) })
	err := cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGINT {
		return 0 // before it had begun to listen
	}
	switch cmd.ProcessState.ExitCode() {
	case exitDone, exitDamage:
		return 0
	case exitInterrupted:
		if !strings.Contains(said.String(), "the same command continues") || strings.Contains(said.String(), "context canceled") {
			t.Errorf("says %s", said.String())
		}
		return 1
	}
	t.Errorf("unspoof %v: %v\n%s", args, err, said.String())
	return 0
}

// Of commands that add to a case at once one works, and the others end with a code of their
// own; the case is as if they had come one after the other.
func TestTwoAddAtOnce(t *testing.T) {
	s := seizure(t, 0.002, 1)
	dir := newCase(t)
	paths := []string{filepath.Join(s, "mbilling.sql"), filepath.Join(s, "lists"), filepath.Join(s, "mbilling.sql"), filepath.Join(s, "lists", "rates.csv")}
	for left := len(paths); left > 0; {
		codes := make([]int, len(paths))
		var all sync.WaitGroup
		for i, path := range paths {
			if path != "" {
				all.Go(func() { codes[i] = unspoof(t, "add", "--case", dir, path).code })
			}
		}
		all.Wait()
		before := left
		for i := range paths {
			switch {
			case paths[i] == "":
			case codes[i] == exitDone:
				paths[i] = ""
				left--
			case codes[i] != exitBusy:
				t.Fatalf("add of %s ended with %d", paths[i], codes[i])
			}
		}
		if left == before {
			t.Fatal("every one of them was told that another is writing")
		}
	}
	other := newCase(t)
	done(t, "add", "--case", other, filepath.Join(s, "mbilling.sql"))
	done(t, "add", "--case", other, filepath.Join(s, "lists"))
	sameTables(t, tablesOf(t, dir), tablesOf(t, other))
	noLeftovers(t, dir)
	done(t, "verify", "--case", dir, "--all")
}
