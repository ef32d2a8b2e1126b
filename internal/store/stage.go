package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
)

// Recorder writes the ledger entry of a publication. It is called when the version's files
// are safe on disk and before readers see them; when it fails nothing is published.
type Recorder func(ctx context.Context, m Manifest, manifestSHA256 string) error

// Stage is a table version being written: a folder that no reader looks into. Give it its
// files, then call [Stage.Publish], or [Stage.Discard] it.
type Stage struct {
	Dir string
	c   *Case
}

// Stage begins a new version of a table. Its name may still be unknown: a source table is
// named by its source's hash, which is known once the whole source has been read.
func (c *Case) Stage() (*Stage, error) {
	dir, err := os.MkdirTemp(filepath.Join(c.Dir, "tables"), ".stage-*")
	if err != nil {
		return nil, err
	}
	return &Stage{Dir: dir, c: c}, nil
}

// Discard removes the stage. It is safe to call after Publish.
func (s *Stage) Discard() { os.RemoveAll(s.Dir) }

// Link gives the stage a file of an earlier version of the table: the same file under another
// name. It is an error if that is not there with the size it had.
func (s *Stage) Link(was Manifest, old File, name string) (File, error) {
	from, to := filepath.Join(s.c.tableDir(was.Table), was.Version, old.Name), filepath.Join(s.Dir, name)
	if err := os.Link(from, to); err != nil {
		return File{}, err
	}
	info, err := os.Stat(to)
	if err == nil && info.Size() != old.Size {
		err = fmt.Errorf("%s has not the %d bytes that were written", from, old.Size)
	}
	if err != nil {
		return File{}, errors.Join(err, os.Remove(to))
	}
	old.Name = name
	return old, nil
}

// Publish makes the stage's files safe and hashes those that come without a hash (m.Files names
// them in order with their row counts), completes the manifest, records it and makes it the
// published version of table m.Table.
func (s *Stage) Publish(ctx context.Context, m Manifest, record Recorder) (Manifest, error) {
	if strings.ContainsAny(m.Table, "/\\\x00") || strings.HasPrefix(m.Table, ".") || m.Table == "" || len(m.Table) > 255 {
		return Manifest{}, fmt.Errorf("table name %q cannot be a folder name", m.Table)
	}
	m.Format = 1
	m.Version = m.VersionOf()
	m.Files = append([]File(nil), m.Files...)
	m.Rows = 0
	if err := s.finish(m.Files); err != nil {
		return Manifest{}, err
	}
	for _, f := range m.Files {
		m.Rows += f.Rows
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return Manifest{}, err
	}
	if err := WriteFile(filepath.Join(s.Dir, "manifest.json"), append(text, '\n'), 0o440); err != nil {
		return Manifest{}, err
	}
	home := filepath.Join(s.c.tableDir(m.Table), m.Version)
	if err := os.MkdirAll(filepath.Dir(home), 0o750); err != nil {
		return Manifest{}, err
	}
	// The same version computed again (a table built anew after its files were lost or
	// damaged) takes the place of the old folder.
	if err := os.RemoveAll(home); err != nil {
		return Manifest{}, err
	}
	if err := errors.Join(os.Chmod(s.Dir, 0o750), os.Rename(s.Dir, home)); err != nil {
		return Manifest{}, err
	}
	if err := SyncDir(filepath.Dir(home)); err != nil {
		return Manifest{}, err
	}
	if err := s.c.serve(ctx, m.Table, m.Version, record); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// serve records a finished version and makes it the published one.
func (c *Case) serve(ctx context.Context, table, version string, record Recorder) error {
	path := filepath.Join(c.tableDir(table), version, "manifest.json")
	m, sum, err := readManifest(path)
	if err != nil {
		return err
	}
	if record != nil {
		if err := record(ctx, m, sum); err != nil {
			return fmt.Errorf("table %q is not published, its ledger entry could not be written: %w", table, err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(c.tableDir(table), "manifest.json"), text, 0o440)
}

// Withdraw stops serving a table, after its record is written.
func (c *Case) Withdraw(ctx context.Context, table string, record func(context.Context) error) error {
	if err := record(ctx); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(c.tableDir(table), "manifest.json")); err != nil {
		return err
	}
	return SyncDir(c.tableDir(table))
}

// Recorded is what the ledger says of one table.
type Recorded struct {
	Manifest string          // SHA-256 of the manifest it published last; empty when it was never published or was withdrawn
	Versions map[string]bool // every version it ever published
}

// Recover puts the case's folder in order after a crash; call it with the case locked. A
// version that was recorded but not yet served is served; stages, finished versions that were
// never recorded, and what WriteFile had not finished, are removed. It says what it did.
func (c *Case) Recover(recorded func(table string) Recorded) (did []string, err error) {
	for _, pattern := range []string{unfinished, "*/" + unfinished, "tables/*/" + unfinished} {
		names, err := fs.Glob(os.DirFS(c.Dir), pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if err := os.Remove(filepath.Join(c.Dir, name)); err != nil {
				return nil, err
			}
		}
	}
	tables, err := os.ReadDir(filepath.Join(c.Dir, "tables"))
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if strings.HasPrefix(t.Name(), ".stage-") {
			if err := os.RemoveAll(filepath.Join(c.Dir, "tables", t.Name())); err != nil {
				return did, err
			}
			did = append(did, "removed an unfinished table version")
			continue
		}
		if !t.IsDir() {
			continue
		}
		said, err := c.recoverTable(t.Name(), recorded(t.Name()))
		if err != nil {
			return did, err
		}
		did = append(did, said...)
	}
	return did, nil
}

func (c *Case) recoverTable(table string, recorded Recorded) (did []string, err error) {
	dir := c.tableDir(table)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	_, served, err := readManifest(filepath.Join(dir, "manifest.json"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		served = "" // unreadable: the recorded version takes its place below, if it is there
	}
	want := recorded.Manifest
	if want == "" && served != "" {
		if err := os.Remove(filepath.Join(dir, "manifest.json")); err != nil {
			return nil, err
		}
		did = append(did, fmt.Sprintf("table %s: withdrawn, as the ledger says", table))
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir() && !recorded.Versions[e.Name()]:
			if err := os.RemoveAll(path); err != nil {
				return did, err
			}
			did = append(did, fmt.Sprintf("table %s: removed version %.12s, which was never published", table, e.Name()))
		case e.IsDir() && want != "" && served != want:
			if _, sum, err := readManifest(filepath.Join(path, "manifest.json")); err == nil && sum == want {
				if err := c.serve(context.Background(), table, e.Name(), nil); err != nil {
					return did, err
				}
				did = append(did, fmt.Sprintf("table %s: finished publishing version %.12s", table, e.Name()))
			}
		}
	}
	return did, nil
}

// Versions lists the finished versions of a table that are on disk, published or not.
func (c *Case) Versions(table string) ([]Manifest, error) {
	paths, err := filepath.Glob(filepath.Join(c.tableDir(table), "*", "manifest.json"))
	if err != nil {
		return nil, err
	}
	var list []Manifest
	for _, p := range paths {
		m, _, err := readManifest(p)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// finish makes files safe on disk, several at a time: most of it is waiting.
func (s *Stage) finish(files []File) error {
	var next atomic.Int64
	var some sync.WaitGroup
	errs := make([]error, len(files))
	for range min(len(files), 8) {
		some.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(files); i = int(next.Add(1)) - 1 {
				errs[i] = files[i].finish(s.Dir)
			}
		})
	}
	some.Wait()
	return errors.Join(errs...)
}

// finish makes a file safe on disk, and hashes it if whoever wrote it did not.
func (f *File) finish(dir string) error {
	file, err := os.Open(filepath.Join(dir, f.Name)) // one that was linked may not be written to
	if err != nil {
		return err
	}
	defer file.Close()
	synced := make(chan error, 1)
	go func() { synced <- file.Sync() }()
	if f.SHA256 == "" {
		h := sha256.New()
		f.Size, err = io.Copy(h, file)
		f.SHA256 = hex.EncodeToString(h.Sum(nil))
	} else if info, serr := file.Stat(); serr != nil || info.Size() != f.Size {
		err = errors.Join(serr, fmt.Errorf("%s has not the %d bytes that were written", f.Name, f.Size))
	}
	if err := errors.Join(err, <-synced); err != nil {
		return err
	}
	return file.Chmod(0o440)
}
