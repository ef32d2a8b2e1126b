// Package profile tells what is in the tables of a source that nobody has described: per
// column its declared type, how much of it is empty, how many distinct values it has, how
// long they are, the shapes of its values, and which kinds of value it holds with what share;
// per table its keys, the columns that point into other tables, and relations between its
// columns (one is the span between two others).
//
// Counts come from SQL over the source tables. Values are judged in Go over the distinct
// values of a sample, because checksums (Bitcoin addresses, payment cards) and the plan of
// calling codes are not SQL. A table of more than [Options.Sample] rows is sampled: every row
// whose number, scrambled by a fixed multiplier, falls below the wanted share. The sample is
// the same on every run and spreads over the whole table; a row's place in the file has no
// say. Keys, inclusion and clock tests read the whole table, one or two columns at a time.
//
// A profile can be logged and kept: it holds no value of the source. Values stand as shapes
// (9 a digit, a and A letters, runs counted); codes are given as they stand only where they
// belong to the vocabulary of call records (codes.go).
//
// Reading order: profile.go (the result), measure.go (SQL), kinds.go (what a value is),
// bitcoin.go and card.go (checksums), relate.go (keys, joins, spans), clock.go (time zones).
package profile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Profile is what is known of one source's tables, in the order of their names.
type Profile struct {
	Source casefile.SourceID `json:"source"`
	Zone   string            `json:"zone"` // the zone that clocks were tested against
	Tables []Table           `json:"tables"`
}

// Table is one source table.
type Table struct {
	Name    string   `json:"table"`
	Rows    int64    `json:"rows"`
	Sampled int64    `json:"sampled"` // rows whose values were looked at
	Columns []Column `json:"columns"`
	Key     string   `json:"key,omitempty"` // a column without nulls whose values are all different
	Joins   []Join   `json:"joins,omitempty"`
	Spans   []Span   `json:"spans,omitempty"`
	Within  []Within `json:"within,omitempty"`
	view    string
	sample  string
}

// Column is one column of a source table.
type Column struct {
	Name     string             `json:"column"`
	Type     string             `json:"type"`               // in the source table
	Declared string             `json:"declared,omitempty"` // in the source, where it said so; lower case
	Nulls    float64            `json:"nulls"`              // share of rows
	Empties  float64            `json:"empties"`            // share of rows: empty text, zero date
	Distinct int64              `json:"distinct"`           // about
	MinLen   int64              `json:"min_length"`
	MaxLen   int64              `json:"max_length"`
	Shapes   []Shape            `json:"shapes,omitempty"` // the commonest three
	Kinds    map[string]float64 `json:"kinds,omitempty"`  // share of the values that are there
	Codes    map[string]float64 `json:"codes,omitempty"`  // a closed set of known codes, with shares
	Unique   bool               `json:"unique,omitempty"`
	Clock    *Clock             `json:"clock,omitempty"`
	values   int64              // sampled rows with a value
}

// Shape is a form of values and the share of values that have it.
type Shape struct {
	Shape string  `json:"shape"`
	Share float64 `json:"share"`
}

// Join is a column whose values are found among another table's key.
type Join struct {
	Column string  `json:"column"`
	Table  string  `json:"table"`
	Key    string  `json:"key"`
	Share  float64 `json:"share"` // of the column's distinct values
	Named  bool    `json:"named"` // the column's name says so too
}

// Span says that a number column is the seconds between two time columns.
type Span struct {
	From   string  `json:"from"`
	To     string  `json:"to"`
	Column string  `json:"column"`
	Share  float64 `json:"share"`
}

// Within says that a number column is never more than another of the same rows.
type Within struct {
	Less  string  `json:"less"`
	More  string  `json:"more"`
	Share float64 `json:"share"`
}

// Options of a profile.
type Options struct {
	Sample int64               // rows of a table to look at; 0: 50,000
	Values int                 // distinct values of a column to look at; 0: 1,000
	Zone   string              // zone of wall clocks to test; empty: no clock test
	Beside []casefile.SourceID // sources that lay beside it and may define its tables
}

// Source profiles every table of one source. tables are its published source tables by the
// source's own names.
func Source(ctx context.Context, e *duckdb.Engine, id casefile.SourceID, tables map[string]store.Manifest, opt Options) (*Profile, error) {
	if opt.Sample == 0 {
		opt.Sample = 50_000
	}
	if opt.Values == 0 {
		opt.Values = 1_000
	}
	conn, err := e.DB.Conn(ctx) // samples are temporary tables of one connection
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	m := &measurer{conn: conn, opt: opt}
	if m.countries, err = m.countryNames(ctx); err != nil {
		return nil, err
	}
	declared, err := m.declared(ctx, append([]casefile.SourceID{id}, opt.Beside...))
	if err != nil {
		return nil, err
	}
	p := &Profile{Source: id, Zone: opt.Zone}
	names := make([]string, 0, len(tables))
	for name := range tables {
		names = append(names, name)
	}
	slices.Sort(names)
	defer m.drop(context.WithoutCancel(ctx))
	for _, name := range names {
		t, err := m.table(ctx, name, tables[name], declared)
		if err != nil {
			return nil, fmt.Errorf("profile of table %s: %w", name, err)
		}
		p.Tables = append(p.Tables, t)
	}
	if err := m.relate(ctx, p); err != nil {
		return nil, err
	}
	if opt.Zone != "" {
		if err := m.clocks(ctx, p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Table finds a table by name.
func (p *Profile) Table(name string) *Table {
	for i := range p.Tables {
		if p.Tables[i].Name == name {
			return &p.Tables[i]
		}
	}
	return nil
}

// Column finds a column by name, whatever the case of its letters.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if strings.EqualFold(t.Columns[i].Name, name) {
			return &t.Columns[i]
		}
	}
	return nil
}

// Has is the share of the column's values that are of any of the kinds, at most 1.
func (c *Column) Has(kinds ...string) float64 {
	var sum float64
	for _, k := range kinds {
		sum += c.Kinds[k]
	}
	return min(sum, 1)
}

// Filled reports whether the sample had any value that is not null or empty.
func (c *Column) Filled() bool { return c.values > 0 }

// IsTime reports whether the column holds times: by its type, or nearly all its values do.
func (c *Column) IsTime() bool {
	return c.Type == "TIMESTAMP" || c.Type == "TIMESTAMP WITH TIME ZONE" || c.Has(DateTime, DateTimeZone, EpochS, EpochMS, EpochUS) > 0.9
}

// IsNumber reports whether the column's type is a number's, or all its values are integers.
func (c *Column) IsNumber() bool {
	switch c.Type {
	case "BIGINT", "UBIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "DOUBLE", "FLOAT":
		return true
	}
	return strings.HasPrefix(c.Type, "DECIMAL") || c.Has(Integer) > 0.98
}
