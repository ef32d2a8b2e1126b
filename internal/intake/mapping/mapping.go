// Package mapping says which source column fills which case column, and how: the reviewed
// statement between what a platform stored and what the case model means.
//
// A mapping is a YAML file that people read, change and sign off. It names the case tables it
// fills; for each the source table, the rows that count (where), the look-ups it needs (join),
// and for every case column its source, its conversion (as), and why. It also names the
// columns that hold secrets, which never reach a case table, and those set aside with a
// reason. Mappings for known platforms and for the usual lists are shipped with the program
// (folder shipped) and are recognised by the columns they need.
//
// A mapping is compiled to plain SQL over the source tables ([Source.Select]); several
// sources that fill one case table are put one under the other, in the order of their
// hashes, or in files of their own. Every row carries its row reference.
//
// Reading order: mapping.go (the file), compile.go (SQL), series.go (a platform in several
// states), apply.go (case tables), cover.go (what became of every column), propose.go (a mapping
// from a profile), shipped/*.yaml. It is 3,100 lines long because proposals are written in the words
// that the compiler reads.
package mapping

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
)

//go:embed shipped/*.yaml
var shipped embed.FS

// Mapping is one mapping file.
type Mapping struct {
	Name      string              `yaml:"mapping" json:"mapping"`
	Version   int                 `yaml:"version" json:"version"`
	Title     string              `yaml:"title" json:"title"`
	List      string              `yaml:"list,omitempty" json:"list,omitempty"`           // for this list only
	Recognise []string            `yaml:"recognise,omitempty" json:"recognise,omitempty"` // table.column that must be there
	Tables    map[string][]Source `yaml:"tables" json:"tables"`                           // by case table
	Secret    map[string][]string `yaml:"secret,omitempty" json:"secret,omitempty"`       // by source table: columns
	Aside     map[string]string   `yaml:"aside,omitempty" json:"aside,omitempty"`         // table or table.column: reason
	text      []byte
}

// Source is one source table that fills a case table.
type Source struct {
	From     string            `yaml:"from" json:"from"`                             // source table; * is the only one of a list
	Optional []string          `yaml:"optional,omitempty" json:"optional,omitempty"` // columns that only some installations have; null in the others
	Where    string            `yaml:"where,omitempty" json:"where,omitempty"`
	Join     []Join            `yaml:"join,omitempty" json:"join,omitempty"`
	Columns  map[string]Column `yaml:"columns" json:"columns"` // by case column
}

// Join looks a value up in another source table of the same source.
type Join struct {
	Table    string   `yaml:"table" json:"table"`
	Optional []string `yaml:"optional,omitempty" json:"optional,omitempty"` // as a Source's; the table, too, may then be missing
	Select   string   `yaml:"select,omitempty" json:"select,omitempty"`     // SQL: a query over the table, called s; its rows by default
	As       string   `yaml:"as" json:"as"`
	On       string   `yaml:"on" json:"on"` // SQL over t (the source table) and the aliases
}

// Column says how a case column is filled.
type Column struct {
	From       string            `yaml:"from,omitempty" json:"from,omitempty"`   // source column
	As         string            `yaml:"as,omitempty" json:"as,omitempty"`       // conversion, see compile.go; text by default
	Zone       string            `yaml:"zone,omitempty" json:"zone,omitempty"`   // of a wall clock; the case's by default
	Const      *string           `yaml:"const,omitempty" json:"const,omitempty"` // the same for every row
	Prefix     string            `yaml:"prefix,omitempty" json:"prefix,omitempty"`
	Strip      []string          `yaml:"strip,omitempty" json:"strip,omitempty"`           // what was dialled before a number (as: e164)
	Values     map[string]string `yaml:"values,omitempty" json:"values,omitempty"`         // a code's meaning
	Else       string            `yaml:"else,omitempty" json:"else,omitempty"`             // of a code not listed
	CountryOf  string            `yaml:"country_of,omitempty" json:"country_of,omitempty"` // of this case column's E.164 number
	SQL        string            `yaml:"sql,omitempty" json:"sql,omitempty"`               // over t and the joins, and Z, the zone; where nothing else does
	Confidence float64           `yaml:"confidence,omitempty" json:"confidence,omitempty"`
	Why        string            `yaml:"why,omitempty" json:"why,omitempty"`
}

// Parse reads a mapping file and checks that it can be compiled.
func Parse(text []byte) (*Mapping, error) {
	var m Mapping
	if err := yaml.UnmarshalWithOptions(text, &m, yaml.Strict()); err != nil {
		return nil, err
	}
	m.text = text
	if m.Name == "" || m.Version < 1 {
		return nil, errors.New("a mapping needs a name (mapping: ...) and a version from 1")
	}
	model := map[string][]string{}
	for _, t := range casefile.Model() {
		for _, c := range t.Columns {
			model[t.Name] = append(model[t.Name], c.Name)
		}
	}
	for table, sources := range m.Tables {
		if model[table] == nil {
			return nil, fmt.Errorf("mapping %s: the case model has no table %q", m.Name, table)
		}
		for _, s := range sources {
			if s.From == "" {
				return nil, fmt.Errorf("mapping %s: table %s: a source without from", m.Name, table)
			}
			for c, how := range s.Columns {
				if !slices.Contains(model[table], c) {
					return nil, fmt.Errorf("mapping %s: case table %s has no column %q", m.Name, table, c)
				}
				if _, err := how.expr("UTC"); err != nil {
					return nil, fmt.Errorf("mapping %s: %s.%s: %w", m.Name, table, c, err)
				}
				if slices.Contains(m.Secret[s.From], how.From) && how.From != "" {
					return nil, fmt.Errorf("mapping %s: %s.%s is filled from %s.%s, which is marked secret", m.Name, table, c, s.From, how.From)
				}
			}
		}
	}
	return &m, nil
}

// Shipped lists the mappings that come with the program.
func Shipped() ([]*Mapping, error) {
	files, err := fs.Glob(shipped, "shipped/*.yaml")
	if err != nil {
		return nil, err
	}
	var list []*Mapping
	for _, f := range files {
		text, err := shipped.ReadFile(f)
		if err != nil {
			return nil, err
		}
		m, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		list = append(list, m)
	}
	return list, nil
}

// Recognises reports whether the mapping is for this source: by its list, and by the columns
// it needs (a mapping of a list may need none).
func (m *Mapping) Recognises(s store.Source, tables map[string]store.Manifest) bool {
	if m.List != s.List {
		return false
	}
	for _, need := range m.Recognise {
		table, column, _ := strings.Cut(need, ".")
		has := func(t store.Manifest) bool {
			return slices.ContainsFunc(t.Columns, func(c store.Column) bool { return strings.EqualFold(c.Name, column) })
		}
		if table == "*" { // the only table, whatever its name
			for _, t := range tables {
				if len(tables) != 1 || !has(t) {
					return false
				}
			}
		} else if !has(tables[table]) {
			return false
		}
	}
	return m.List != "" || len(m.Recognise) > 0
}

// Text is the mapping file's content.
func (m *Mapping) Text() []byte { return m.text }

func path(c *store.Case, id casefile.SourceID) string {
	return filepath.Join(c.Dir, "mappings", id.Short()+".yaml")
}

// Applied is the mapping that was applied to a source, or nil. A snapshot has the mapping of
// the first source of its series.
func Applied(c *store.Case, id casefile.SourceID) (*Mapping, error) {
	id, err := c.First(id)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path(c, id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Save makes m the mapping of a source.
func Save(c *store.Case, id casefile.SourceID, m *Mapping) error {
	return store.WriteFile(path(c, id), m.text, 0o640)
}

// Secrets tells which columns of a source table hold secrets: those its mapping names, and
// any whose name says so.
func Secrets(c *store.Case, id casefile.SourceID, table string) (func(column string) bool, error) {
	m, err := Applied(c, id)
	if err != nil {
		return nil, err
	}
	var named []string
	if m != nil {
		named = m.Secret[table]
	}
	return func(column string) bool { return slices.Contains(named, column) || secretName(column) }, nil
}

// secretName reports whether a column's name says that it holds a secret.
func secretName(column string) bool {
	c := strings.ToLower(column)
	for _, word := range []string{"passw", "passwd", "secret", "passphrase", "_pin", "pin_", "cvv", "cvc", "card_number", "cc_number", "otp", "passcode", "token", "private_key", "api_key", "authenticator_key", "loginkey"} {
		if strings.Contains(c, word) {
			return true
		}
	}
	return c == "pin" || c == "pass" || c == "pwd"
}
