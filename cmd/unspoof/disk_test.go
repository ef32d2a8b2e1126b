package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A disk that becomes full stops add with an error that says so. Nothing is half there for
// readers, and once there is room the same command completes.
func TestFullDisk(t *testing.T) {
	dump := filepath.Join(seizure(t, 0.002, 1), "mbilling.sql")
	info, err := os.Stat(dump)
	if err != nil {
		t.Fatal(err)
	}
	// Full at different points: in the copy of the source, in the Parquet files beside it, and
	// when nearly everything is written.
	for _, share := range []float64{0.5, 1.1, 1.35} {
		t.Run(fmt.Sprintf("%.0f percent of the dump", share*100), func(t *testing.T) {
			mount := filepath.Join(t.TempDir(), "disk")
			if err := os.Mkdir(mount, 0o750); err != nil {
				t.Fatal(err)
			}
			options := func(size int64) string { return fmt.Sprintf("size=%d", size) }
			if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, options(int64(share*float64(info.Size())))); err != nil {
				t.Skip("a file system of a given size cannot be mounted here: ", err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(mount, 0); err != nil {
					t.Error(err)
				}
			})
			dir := filepath.Join(mount, "case")
			done(t, "init", "--case", dir, "--name", "Test", "--reference", "T/1")
			e := unspoof(t, "add", "--case", dir, dump)
			if e.code == exitDone {
				t.Skip("the disk was large enough: ", e.errOut)
			}
			stopped(t, dir, e)
			if err := syscall.Mount("tmpfs", mount, "tmpfs", syscall.MS_REMOUNT, options(16*info.Size())); err != nil {
				t.Fatal(err)
			}
			completes(t, dir, dump)
		})
	}
}

// The same with the largest size a file may have: the second way an operating system says no,
// and one that needs no right to mount.
func TestFileSizeLimit(t *testing.T) {
	dump := filepath.Join(seizure(t, 0.002, 1), "mbilling.sql")
	dir := newCase(t)
	// 4 MiB in blocks of 1024 bytes: less than the dump, more than the ledger.
	cmd := exec.Command("bash", "-c", `ulimit -f 4096; trap '' XFSZ; exec unspoof add --case "$1" "$2"`, "bash", dir, dump)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Skip("no shell: ", err)
	}
	e := ended{cmd.Args, cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
	if e.code != exitFailed || !strings.Contains(e.errOut, "file too large") {
		t.Errorf("want exit %d and the reason: %s", exitFailed, e)
	}
	nothingHalf(t, dir)
	completes(t, dir, dump)
}

// stopped wants the error of a full disk.
func stopped(t *testing.T, dir string, e ended) {
	t.Helper()
	if e.code != exitFailed || !strings.Contains(e.errOut, "no space left on device") && !strings.Contains(e.errOut, "disk is full") {
		t.Errorf("want exit %d and the reason: %s", exitFailed, e)
	}
	t.Logf("%s", e.errOut)
	if lines := strings.Count(e.errOut, "\n"); lines > 3 {
		t.Errorf("%d lines of error: %s", lines, e)
	}
	nothingHalf(t, dir)
}

// nothingHalf wants that no reader sees a table whose files are not all there, and that
// nothing unfinished takes up the room.
func nothingHalf(t *testing.T, dir string) {
	t.Helper()
	for _, pattern := range []string{"sources/.sealing-*", "tables/.stage-*", ".engine-*"} {
		if left, _ := filepath.Glob(filepath.Join(dir, pattern)); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	if v := unspoof(t, "status", "--case", dir); v.code != exitDone {
		t.Errorf("the case cannot be read: %s", v)
	}
}

// completes runs add again, and verifies.
func completes(t *testing.T, dir, dump string) {
	t.Helper()
	e := done(t, "add", "--case", dir, dump)
	if !strings.Contains(e.errOut, "rows in 140,000 = stored 140,000 + damaged 0") {
		t.Errorf("not all rows: %s", e)
	}
	done(t, "map", "--case", dir)
	noLeftovers(t, dir)
	if v := unspoof(t, "verify", "--case", dir); v.code != exitDone {
		t.Error(v)
	}
}
