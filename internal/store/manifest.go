package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
)

// The kinds of table.
const (
	KindSource  = "source"  // as the source had it, column for column
	KindCase    = "case"    // the common model
	KindFinding = "finding" // derived
)

// TableVersion names one version of one table.
type TableVersion struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Column is one column of a table with its SQL type.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// File is one Parquet file of a table version.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Rows   int64  `json:"rows"`
	Of     string `json:"of,omitempty"` // of a case table: a digest of what the file was computed from
}

// Manifest says what one version of a table consists of and what it was computed from.
type Manifest struct {
	Format      int               `json:"format"`
	Table       string            `json:"table"`
	Version     string            `json:"version"`
	Kind        string            `json:"kind"`
	Step        string            `json:"step"`
	StepVersion string            `json:"step_version"`
	Source      casefile.SourceID `json:"source,omitempty"`
	SourceTable string            `json:"source_table,omitempty"`
	Inputs      []TableVersion    `json:"inputs"`
	Params      map[string]string `json:"params,omitempty"`
	Columns     []Column          `json:"columns"`
	Key         []string          `json:"key,omitempty"` // of a source table: the columns of its declared primary key
	Rows        int64             `json:"rows"`
	Files       []File            `json:"files"`
}

// ColumnNames lists the names of the table's columns.
func (m Manifest) ColumnNames() []string {
	names := make([]string, len(m.Columns))
	for i, c := range m.Columns {
		names[i] = c.Name
	}
	return names
}

// VersionOf computes the version from everything the table's rows depend on: the step, its
// version, its parameters and its inputs' versions. It reads no file, so staleness can be
// told before anything is computed.
func (m Manifest) VersionOf() string {
	if len(m.Params) == 0 {
		m.Params = nil // as a manifest is written
	}
	inputs := append([]TableVersion(nil), m.Inputs...)
	sort.Slice(inputs, func(i, j int) bool { return inputs[i].Name < inputs[j].Name })
	text, err := json.Marshal(struct {
		Format            int
		Table, Kind       string
		Step, StepVersion string
		Source            casefile.SourceID
		SourceTable       string
		Inputs            []TableVersion
		Params            map[string]string // encoded in key order
	}{1, m.Table, m.Kind, m.Step, m.StepVersion, m.Source, m.SourceTable, inputs, m.Params})
	if err != nil {
		panic(err) // strings and maps of strings always encode
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Paths are the version's files in the case, in order.
func (c *Case) Paths(m Manifest) []string {
	paths := make([]string, len(m.Files))
	for i, f := range m.Files {
		paths[i] = filepath.Join(c.tableDir(m.Table), m.Version, f.Name)
	}
	return paths
}

// ErrNoTable is wrapped when a table has not been published.
var ErrNoTable = errors.New("no such table in the case")

// Table is the published manifest of a table.
func (c *Case) Table(name string) (Manifest, error) {
	m, _, err := readManifest(filepath.Join(c.tableDir(name), "manifest.json"))
	if errors.Is(err, os.ErrNotExist) {
		return Manifest{}, fmt.Errorf("table %q: %w", name, ErrNoTable)
	}
	return m, err
}

// TableAt is the manifest of one version of a table, published now or earlier.
func (c *Case) TableAt(v TableVersion) (Manifest, error) {
	m, _, err := readManifest(filepath.Join(c.tableDir(v.Name), v.Version, "manifest.json"))
	if errors.Is(err, os.ErrNotExist) {
		return Manifest{}, fmt.Errorf("table %q, version %.12s: %w", v.Name, v.Version, ErrNoTable)
	}
	return m, err
}

// Tables lists the published tables by name.
func (c *Case) Tables() ([]Manifest, error) {
	dirs, err := os.ReadDir(filepath.Join(c.Dir, "tables"))
	if err != nil {
		return nil, err
	}
	var list []Manifest
	for _, d := range dirs {
		if !d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			continue
		}
		m, _, err := readManifest(filepath.Join(c.Dir, "tables", d.Name(), "manifest.json"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// SourceTableName is the name of a source's table among the case's tables.
func SourceTableName(id casefile.SourceID, table string) string {
	return "source." + id.Short() + "." + EscapeName(table)
}

// DamageTableName is the name of a source's damage table.
func DamageTableName(id casefile.SourceID) string { return "source." + id.Short() + ".%damage" }

// StatementTableName is the name of the table of a source's statements that are not rows.
func StatementTableName(id casefile.SourceID) string { return "source." + id.Short() + ".%statements" }

func (c *Case) tableDir(name string) string { return filepath.Join(c.Dir, "tables", name) }

// readManifest gives the manifest and the SHA-256 of its bytes.
func readManifest(path string) (Manifest, string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Manifest{}, "", err
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, "", fmt.Errorf("%s: %w", path, err)
	}
	if m.Format != 1 {
		return Manifest{}, "", fmt.Errorf("%s: manifest format %d, this program reads format 1", path, m.Format)
	}
	sum := sha256.Sum256(text)
	return m, hex.EncodeToString(sum[:]), nil
}
