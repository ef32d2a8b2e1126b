package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The stories in testdata show every command, and every way it can end. Beside testscript's
// own commands they use:
//
//	ends N COMMAND...      run it and want exit code N
//	take NAME REGEXP       set $NAME to what the first group matches in the last standard output
//	busy DIR               hold the case's writing lock until the story ends
//	fifo FILE              make a named pipe
//	flip FILE OFFSET       flip the lowest bit of one byte of a file, read-only or not
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("UNSPOOF_ACTOR", "analyst")
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ends": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 2 {
					ts.Fatalf("usage: ends N COMMAND...")
				}
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				code := 0
				var exit *exec.ExitError
				if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
					code = exit.ExitCode()
				} else if err != nil {
					ts.Fatalf("%v", err)
				}
				if code != want {
					ts.Fatalf("exit %d, want %d", code, want)
				}
			},
			"take": func(ts *testscript.TestScript, neg bool, args []string) {
				m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
				if m == nil {
					ts.Fatalf("nothing matches %s", args[1])
				}
				ts.Setenv(args[0], m[1])
			},
			"busy": func(ts *testscript.TestScript, neg bool, args []string) {
				f, err := os.OpenFile(filepath.Join(ts.MkAbs(args[0]), ".lock"), os.O_CREATE|os.O_RDWR, 0o640)
				ts.Check(err)
				ts.Check(syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
				ts.Defer(func() { f.Close() })
			},
			"fifo": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Check(syscall.Mkfifo(ts.MkAbs(args[0]), 0o600))
			},
			"flip": func(ts *testscript.TestScript, neg bool, args []string) {
				path := ts.MkAbs(args[0])
				text, err := os.ReadFile(path)
				ts.Check(err)
				at, err := strconv.Atoi(args[1])
				ts.Check(err)
				text[at] ^= 1
				ts.Check(os.Remove(path))
				ts.Check(os.WriteFile(path, text, 0o440))
			},
		},
	})
}
