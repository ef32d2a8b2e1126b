package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// buildFsck builds Tessera's checker, at the version pinned in testdata/fsck/go.mod.
func buildFsck(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds Tessera")
	}
	bin := filepath.Join(t.TempDir(), "fsck")
	cmd := exec.Command("go", "build", "-mod=readonly", "-o", bin, ".")
	cmd.Dir = filepath.Join("testdata", "fsck")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build Tessera's fsck (needs the module cache or a module proxy; -short skips it): %v\n%s", err, out)
	}
	return bin
}

// fsck runs the checker. It may deadlock on a corrupt tile (tessera#1098), so running out of time is a failure.
func fsck(bin, dir, key string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, dir, key)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return fmt.Errorf("timed out: %w", ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	if strings.TrimSpace(string(out)) != "accepted" {
		return fmt.Errorf("unclear answer: %s", out)
	}
	return nil
}

func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	m := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		m[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTesseraAcceptsExport(t *testing.T) {
	bin := buildFsck(t)
	ctx := context.Background()
	w := newWorld(t)
	pub := filepath.Join(w.dir, "checkpoints", PublicKeyFile)
	dir := filepath.Join(t.TempDir(), "tiles")
	size := 0
	for _, n := range []int{1, 2, 255, 256, 257, 600, 1024, 3000} { // one folder, exported to again as the log grows
		w.fill(t, n-size)
		size = n
		c, err := w.log.Export(ctx, dir)
		if err != nil || c.Size != int64(n) {
			t.Fatalf("%d: %v", n, err)
		}
		if err := fsck(bin, dir, pub, 30*time.Second); err != nil {
			t.Fatalf("%d entries: %v", n, err)
		}
	}
	// No bit may be flipped anywhere in what the checkpoint covers.
	fresh := filepath.Join(t.TempDir(), "tiles")
	if _, err := w.log.Export(ctx, fresh); err != nil {
		t.Fatal(err)
	}
	all := files(t, fresh)
	var names []string
	for name := range all {
		names = append(names, name)
	}
	hung := 0
	for range 12 {
		name := names[rand.IntN(len(names))]
		data := bytes.Clone(all[name])
		bit := rand.IntN(len(data) * 8)
		data[bit/8] ^= 1 << (bit % 8)
		path := filepath.Join(fresh, filepath.FromSlash(name))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		err := fsck(bin, fresh, pub, time.Second)
		if err == nil {
			t.Errorf("%s with bit %d flipped is accepted", name, bit)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			hung++
		}
		if err := os.WriteFile(path, all[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("12 flips: %d refused, %d timed out", 12-hung, hung)
	for _, name := range []string{"checkpoint", "tile/0/000", "tile/entries/000"} {
		path := filepath.Join(fresh, filepath.FromSlash(name))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if fsck(bin, fresh, pub, time.Second) == nil {
			t.Errorf("accepted without %s", name)
		}
		if err := os.WriteFile(path, all[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Another log's key does not open it.
	other, err := LoadOrCreateKey(t.TempDir(), testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	strange := filepath.Join(t.TempDir(), "pub")
	if err := os.WriteFile(strange, []byte(other.Public), 0o600); err != nil {
		t.Fatal(err)
	}
	if fsck(bin, fresh, strange, 10*time.Second) == nil {
		t.Error("accepted under another key")
	}
	if err := fsck(bin, fresh, pub, 30*time.Second); err != nil {
		t.Fatalf("the repaired export: %v", err)
	}
}

func TestExportLayoutAndRepair(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.fill(t, 600)
	dir := filepath.Join(t.TempDir(), "new", "tiles")
	c, err := w.log.Export(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	first := files(t, dir)
	want := []string{
		"checkpoint", "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2",
		"tile/entries/000", "tile/entries/001", "tile/entries/002.p/88",
	}
	if len(first) != len(want) {
		t.Fatalf("%d files", len(first))
	}
	for _, name := range want {
		if _, ok := first[name]; !ok {
			t.Fatalf("%s is missing", name)
		}
	}
	if !bytes.Equal(first["checkpoint"], c.Note) {
		t.Fatal("another checkpoint")
	}
	// Tiles are those that tlog itself would cut from the stored hashes.
	for _, tile := range tlog.NewTiles(8, 0, 600) {
		data, err := tlog.ReadTileData(tile, storedHashes(ctx, w.db))
		if err != nil || !bytes.Equal(data, first[tilePath(tile)]) {
			t.Fatalf("%s differs: %v", tilePath(tile), err)
		}
	}
	e, err := w.log.Entry(ctx, 256)
	if err != nil {
		t.Fatal(err)
	}
	if b := first["tile/entries/001"]; int(b[0])<<8|int(b[1]) != len(e.Body) || !bytes.HasPrefix(b[2:], e.Body) {
		t.Fatal("the bundle does not begin with its first entry")
	}
	// A crashed or damaged export is mended by exporting again.
	os.Remove(filepath.Join(dir, "checkpoint"))
	os.Remove(filepath.Join(dir, "tile", "0", "001"))
	os.WriteFile(filepath.Join(dir, "tile", "entries", "000"), []byte("x"), 0o600)
	if _, err := w.log.Export(ctx, dir); err != nil {
		t.Fatal(err)
	}
	for name, data := range files(t, dir) {
		if !bytes.Equal(data, first[name]) {
			t.Fatalf("%s was not mended", name)
		}
	}
	if p := tilePath(tlog.Tile{H: 8, L: -1, N: 1234067, W: 256}); p != "tile/entries/x001/x234/067" {
		t.Fatal(p)
	}
	// A folder that shows another or a longer log is left as it is.
	v := newWorld(t)
	v.fill(t, 700)
	if _, err := v.log.Export(ctx, dir); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("exported over another log: %v", err)
	}
	short := newWorld(t)
	short.fill(t, 5)
	if _, err := short.log.Export(ctx, dir); !errors.Is(err, ErrInvalid) {
		t.Fatalf("exported over a longer log: %v", err)
	}
	for name, data := range files(t, dir) {
		if !bytes.Equal(data, first[name]) {
			t.Fatalf("%s was changed", name)
		}
	}
	empty := newWorld(t)
	dir = t.TempDir()
	if c, err := empty.log.Export(ctx, dir); err != nil || c.Size != 0 || len(files(t, dir)) != 1 {
		t.Fatal(c, err)
	}
}

// TestProof reads the C2SP tlog-proof as its specification says, with nothing of ours.
func TestProof(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.fill(t, 333)
	if _, err := w.log.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		seq := rand.Int64N(333)
		proof, err := w.log.Proof(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		head, signed, ok := strings.Cut(string(proof), "\n\n")
		lines := strings.Split(head, "\n")
		if !ok || lines[0] != "c2sp.org/tlog-proof@v1" || lines[1] != fmt.Sprint("index ", seq) {
			t.Fatalf("%s", proof)
		}
		var path tlog.RecordProof
		for _, line := range lines[2:] {
			h, err := tlog.ParseHash(line)
			if err != nil {
				t.Fatal(err)
			}
			path = append(path, h)
		}
		c, err := OpenCheckpoint([]byte(signed), w.known())
		if err != nil {
			t.Fatal(err)
		}
		e, err := w.log.Entry(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(path, c.Size, c.Hash, seq, e.Hash()); err != nil {
			t.Fatal(err)
		}
	}
	w.fill(t, 1)
	if _, err := w.log.Proof(ctx, 333); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
}
