package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8               // C2SP tlog-tiles fixes it
	tileWidth  = 1 << tileHeight // hashes in a full tile, entries in a full bundle
)

// Export writes the log up to its last checkpoint into dir, in the C2SP tlog-tiles layout that any such tool can
// check: checkpoint, tile/<L>/<N>[.p/<W>] and tile/entries/<N>[.p/<W>]. It takes no stored tree hash on trust: the
// entries are hashed anew, and nothing is written unless they give the root that the checkpoint signed.
//
// It is safe to run again at any time, and after a crash: a file is written whole or not at all, one that is
// there and right is left alone, and the checkpoint comes last, so that dir always shows one complete log. A folder
// without the file checkpoint is an export that was not finished. A folder whose log is not a beginning of this
// one is refused.
func (r *Reader) Export(ctx context.Context, dir string) (Checkpoint, error) {
	c, err := r.LastCheckpoint(ctx)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("export: %w", err)
	}
	if err := r.continues(ctx, dir, c); err != nil {
		return Checkpoint{}, fmt.Errorf("export: %w", err)
	}
	var tree frontier
	for e, err := range r.Entries(ctx, 0, c.Size) {
		if err != nil {
			return Checkpoint{}, fmt.Errorf("export: %w", err)
		}
		if len(e.Body) > MaxBody {
			return Checkpoint{}, fmt.Errorf("export: %w: entry %d has %d bytes", ErrCorrupt, e.Seq, len(e.Body))
		}
		tree.push(e.Hash())
	}
	if tree.root() != c.Hash {
		return Checkpoint{}, fmt.Errorf("export: %w: the %d entries do not give the root that the checkpoint signed", ErrCorrupt, c.Size)
	}
	x := &exporter{dir: dir}
	for e, err := range r.Entries(ctx, 0, c.Size) {
		if err == nil {
			err = x.addEntry(e)
		}
		if err != nil {
			return Checkpoint{}, fmt.Errorf("export: %w", err)
		}
	}
	if err := x.finish(c.Note); err != nil {
		return Checkpoint{}, fmt.Errorf("export: %w", err)
	}
	return c, nil
}

// continues refuses a folder that shows a log of which the checkpoint's is not a continuation.
func (r *Reader) continues(ctx context.Context, dir string, c Checkpoint) error {
	old, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	was, _, err := unverified(old)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if was.Origin != c.Origin || was.Size > c.Size {
		return fmt.Errorf("%w: %s holds another or a longer log (%s, %d entries)", ErrInvalid, dir, was.Origin, was.Size)
	}
	if was.Size == 0 {
		return nil
	}
	p, err := r.ConsistencyProof(ctx, was.Size, c.Size)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(p, c.Size, c.Hash, was.Size, was.Hash); err != nil {
		return fmt.Errorf("%w: %s holds a log of %d entries that are not the first of this one", ErrCorrupt, dir, was.Size)
	}
	return nil
}

// exporter writes tiles and entry bundles as they fill.
type exporter struct {
	dir    string
	tree   frontier
	bundle []byte
	levels []levelTile
}

// levelTile is the tile being filled at one level.
type levelTile struct {
	n    int64 // hashes so far at this level
	data []byte
}

func (x *exporter) addEntry(e Entry) error {
	x.bundle = binary.BigEndian.AppendUint16(x.bundle, uint16(len(e.Body)))
	x.bundle = append(x.bundle, e.Body...)
	for level, h := range x.tree.push(e.Hash()) {
		if level%tileHeight == 0 {
			if err := x.addHash(level/tileHeight, h); err != nil {
				return err
			}
		}
	}
	if x.tree.n%tileWidth != 0 {
		return nil
	}
	err := x.put(tilePath(tileAt(-1, x.tree.n)), x.bundle)
	x.bundle = x.bundle[:0]
	return err
}

func (x *exporter) addHash(level int, h tlog.Hash) error {
	if level == len(x.levels) {
		x.levels = append(x.levels, levelTile{})
	}
	t := &x.levels[level]
	t.data = append(t.data, h[:]...)
	t.n++
	if t.n%tileWidth != 0 {
		return nil
	}
	err := x.put(tilePath(tileAt(level, t.n)), t.data)
	t.data = t.data[:0]
	return err
}

// finish writes what is not full, and then the checkpoint.
func (x *exporter) finish(checkpoint []byte) error {
	if len(x.bundle) > 0 {
		if err := x.put(tilePath(tileAt(-1, x.tree.n)), x.bundle); err != nil {
			return err
		}
	}
	for level := range x.levels {
		if t := &x.levels[level]; len(t.data) > 0 {
			if err := x.put(tilePath(tileAt(level, t.n)), t.data); err != nil {
				return err
			}
		}
	}
	return x.put("checkpoint", checkpoint)
}

// tileAt names the tile that ends with the n'th hash (or, at level -1, entry) of a level; n is at least 1.
func tileAt(level int, n int64) tlog.Tile {
	return tlog.Tile{H: tileHeight, L: level, N: (n - 1) / tileWidth, W: int((n-1)%tileWidth) + 1}
}

// tilePath turns tlog's tile/8/<L>/... into C2SP's tile/<L>/..., and its "data" into "entries".
func tilePath(t tlog.Tile) string {
	p := strings.TrimPrefix(t.Path(), "tile/8/")
	if rest, ok := strings.CutPrefix(p, "data/"); ok {
		p = "entries/" + rest
	}
	return "tile/" + p
}

// put makes the file whole and durable, unless it is there with these very bytes.
func (x *exporter) put(name string, data []byte) error {
	path := filepath.Join(x.dir, filepath.FromSlash(name))
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := writeTemp(path, data, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
