// Package store is the case folder: its configuration, its sealed sources' place, and its
// tables. A table is a set of immutable Parquet files named by a manifest; a new version is
// new files and a new manifest, made visible by one atomic rename, so readers need no locks
// and a crash leaves only folders that nobody serves. The layout is docs/formats/case-folder.md.
//
// Words: a [Case] is an open folder; a [Stage] is a version being written; a [Manifest] says
// what a version consists of and what it was computed from; publishing makes a finished
// version the one that readers see.
//
// The store does not record acts: whoever publishes passes a function that writes the ledger
// entry, and the store calls it at the one right moment (after the files are safe, before
// they are served). No entry, no table.
//
// The SQL engine that reads the tables is in the folder duckdb.
//
// Reading order: store.go (case), manifest.go (what a version is), stage.go (writing,
// publishing, recovery), source.go (sealed sources).
package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/goccy/go-yaml"
)

// Config is case.yaml.
type Config struct {
	Format     int       `yaml:"format" json:"format"`
	ID         string    `yaml:"id" json:"id"` // random, names the case in its ledger
	Name       string    `yaml:"name" json:"name"`
	Reference  string    `yaml:"reference" json:"reference"`
	LegalBasis string    `yaml:"legal_basis,omitempty" json:"legal_basis,omitempty"`
	TimeZone   string    `yaml:"timezone" json:"timezone"` // IANA name
	RetainTo   string    `yaml:"retain_to,omitempty" json:"retain_to,omitempty"`
	Created    time.Time `yaml:"created" json:"created"`
}

const configFormat = 1

// Case is an open case folder.
type Case struct {
	Dir    string
	Config Config
}

// ErrNotCase is wrapped by [Open] when the folder is not a case.
var ErrNotCase = errors.New("not a case folder")

// ErrBusy is wrapped by [Case.Lock] when another process is writing to the case.
var ErrBusy = errors.New("another command is writing to this case")

// Create makes a new case folder. The folder must be missing or empty.
func Create(dir string, cfg Config) (*Case, error) {
	if _, err := time.LoadLocation(cfg.TimeZone); err != nil || cfg.TimeZone == "" || cfg.TimeZone == "Local" {
		return nil, fmt.Errorf("time zone %q is not an IANA zone name such as Europe/London", cfg.TimeZone)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty", dir)
	}
	for _, d := range []string{"sources", "mappings", "policies", "tables", "checkpoints"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o750); err != nil {
			return nil, err
		}
	}
	cfg.Format = configFormat
	text, err := yaml.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	if err := WriteFile(filepath.Join(dir, "case.yaml"), text, 0o640); err != nil {
		return nil, err
	}
	return Open(dir)
}

// Open opens an existing case folder.
func Open(dir string) (*Case, error) {
	text, err := os.ReadFile(filepath.Join(dir, "case.yaml"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: case.yaml is missing (make one with `unspoof init`)", dir, ErrNotCase)
	}
	if err != nil {
		return nil, err
	}
	var cfg Config
	if err := yaml.Unmarshal(text, &cfg); err != nil {
		return nil, fmt.Errorf("%s: case.yaml: %w", dir, err)
	}
	if cfg.Format != configFormat {
		return nil, fmt.Errorf("%s: case.yaml has format %d, this program reads format %d", dir, cfg.Format, configFormat)
	}
	return &Case{Dir: dir, Config: cfg}, nil
}

// Location is the case's time zone.
func (c *Case) Location() (*time.Location, error) { return time.LoadLocation(c.Config.TimeZone) }

// ActsPath is the SQLite database of the ledger and of people's acts.
func (c *Case) ActsPath() string { return filepath.Join(c.Dir, "case.db") }

// Lock takes the case's writing lock without waiting. The returned function gives it back.
func (c *Case) Lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(c.Dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", c.Dir, ErrBusy)
	}
	return func() { f.Close() }, nil
}

// unfinished is the name of a file that WriteFile is writing; Recover removes what a crash left.
const unfinished = ".write-*"

// WriteFile writes a file so that after a crash either the old or the new content is there,
// whole.
func WriteFile(path string, content []byte, mode os.FileMode) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, unfinished)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(content); err != nil {
		f.Close()
		return err
	}
	if err := errors.Join(f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// SyncDir flushes a folder's entries to disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// EscapeName turns a name from a hostile source into one that is safe as part of a file name
// and of a view's name, and different from every other name's even where the case of letters
// does not count: bytes other than small letters, digits, underscore and hyphen become %XX.
// What would be longer than 200 bytes is cut and ends in ~ and the beginning of the name's
// SHA-256.
func EscapeName(s string) string {
	const most, digits = 200, 32
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
		if i+1 < len(s) && b.Len() > most {
			break
		}
	}
	escaped := b.String()
	if len(escaped) <= most {
		return escaped
	}
	cut := escaped[:most-digits-1]
	if i := strings.LastIndexByte(cut, '%'); i > len(cut)-3 {
		cut = cut[:i]
	}
	sum := sha256.Sum256([]byte(s))
	return cut + "~" + hex.EncodeToString(sum[:])[:digits]
}
