package desk

import (
	"context"
	"sort"

	"github.com/unspoof/unspoof/internal/store"
)

// TableInfo is a published table and whether it is up to date with its inputs.
type TableInfo struct {
	store.Manifest
	Stale []string // inputs of which a newer version is published, or none any more
}

// TableList is every source and every table of the case.
type TableList struct {
	Sources []store.Source
	Tables  []TableInfo
}

func (d *Desk) info(m store.Manifest) TableInfo {
	t := TableInfo{Manifest: m}
	for _, in := range m.Inputs {
		if d.tables[in.Name].Version != in.Version {
			t.Stale = append(t.Stale, in.Name)
		}
	}
	return t
}

// order sorts tables by what they are: source, case table, finding.
var order = map[string]int{store.KindSource: 0, store.KindCase: 1, store.KindFinding: 2}

// Tables lists the case's sources and tables with their lineage.
func (d *Desk) Tables(ctx context.Context, p Person) (TableList, error) {
	return look(ctx, d, p, Asked{Action: SeeTables, Object: "page:tables"}, func(context.Context) (TableList, error) {
		var l TableList
		var err error
		if l.Sources, err = d.c.Sources(); err != nil {
			return l, err
		}
		for _, m := range d.tables {
			l.Tables = append(l.Tables, d.info(m))
		}
		sort.Slice(l.Tables, func(i, j int) bool {
			a, b := l.Tables[i], l.Tables[j]
			if order[a.Kind] != order[b.Kind] {
				return order[a.Kind] < order[b.Kind]
			}
			return a.Table < b.Table
		})
		return l, nil
	})
}

// TablePage is one table: its columns, files, inputs, and what was computed from it.
type TablePage struct {
	TableInfo
	UsedBy []string
}

// Table is one published table by its name.
func (d *Desk) Table(ctx context.Context, p Person, name string) (TablePage, error) {
	return look(ctx, d, p, Asked{Action: SeeTables, Object: id("table", name)}, func(context.Context) (TablePage, error) {
		m, ok := d.tables[name]
		if !ok {
			return TablePage{}, ErrNotFound
		}
		t := TablePage{TableInfo: d.info(m)}
		for _, other := range d.tables {
			for _, in := range other.Inputs {
				if in.Name == name {
					t.UsedBy = append(t.UsedBy, other.Table)
				}
			}
		}
		sort.Strings(t.UsedBy)
		return t, nil
	})
}
