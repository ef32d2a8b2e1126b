package mapping

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Plan is how one case table is filled: from which source tables, by which SQL. Its
// manifest's version tells whether the published table is what the plan would give.
type Plan struct {
	Manifest store.Manifest // without columns and files
	Mappings []string       // names of those that fill it
	SQL      []string       // of each file of the table; empty: no source fills it, it has no rows
}

// planVersion is the version of this package's way of compiling.
const planVersion = "2"

// ownFile is of how many rows in its tables a state of a source has a file of its own in the
// case table that it fills. All smaller ones share one.
const ownFile = 1_000_000

// Plans makes the plan of every case table from the mappings applied to the case's sources. Of
// a case with series, the table of changes must be published.
func Plans(ctx context.Context, c *store.Case, e *duckdb.Engine) ([]Plan, error) {
	news, err := newsOf(ctx, c, e)
	if err != nil {
		return nil, err
	}
	sources, err := c.Sources()
	if err != nil {
		return nil, err
	}
	series := map[casefile.SourceID][]store.Source{}
	for _, list := range store.Series(sources) {
		series[list[0].ID] = list
	}
	slices.SortFunc(sources, func(a, b store.Source) int { return strings.Compare(string(a.ID), string(b.ID)) })
	type filled struct {
		selects map[casefile.SourceID][]string // by the source that has a file of its own; the empty one is the rest
		order   []casefile.SourceID
		inputs  map[string]string
		params  map[string]string
		by      []string // mappings
	}
	tables := map[string]*filled{}
	for _, s := range sources {
		if s.SnapshotOf != "" {
			continue // with the first of its series
		}
		m, err := Applied(c, s.ID)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.ID.Short(), err)
		}
		if m == nil {
			continue
		}
		own, err := SourceTables(c, s.ID)
		if err != nil {
			return nil, err
		}
		held := map[string]States{}
		for name, t := range own {
			held[name] = States{{s.ID, t}}
		}
		if list := series[s.ID]; list != nil {
			if held, err = HeldBy(c, list); err != nil {
				return nil, err
			}
		}
		relations := map[string]relation{}
		for name, states := range held {
			relations[name] = states.relation(m.Key(name, states))
		}
		for _, model := range casefile.Model() {
			for _, from := range m.Tables[model.Name] {
				f := tables[model.Name]
				if f == nil {
					f = &filled{selects: map[casefile.SourceID][]string{}, inputs: map[string]string{},
						params: map[string]string{"timezone": c.Config.TimeZone}}
					tables[model.Name] = f
				}
				if from.From == "*" {
					if len(own) != 1 {
						return nil, fmt.Errorf("source %s: mapping %s is for a list of one table, the source has %d", s.ID.Short(), m.Name, len(own))
					}
					for name := range own {
						from.From = name
					}
					from.Where = strings.ReplaceAll(from.Where, "t_source", duckdb.Ident(own[from.From].Table))
				}
				if held[from.From] == nil {
					continue // a table the platform did not use
				}
				states := held[from.From]
				for i, state := range states {
					sql, err := from.fill(model, c.Config.TimeZone, func(string) (relation, bool) {
						return states.part(m.Key(from.From, states), i), true
					}, func(table string) (relation, bool) {
						r, ok := relations[table]
						return r, ok
					})
					if err != nil {
						return nil, fmt.Errorf("source %s: mapping %s: %w", s.ID.Short(), m.Name, err)
					}
					file := state.Source
					if state.Rows < ownFile || model.Name == "institution" {
						file = ""
					}
					if f.selects[file] == nil && file != "" {
						f.order = append(f.order, file)
					}
					f.selects[file] = append(f.selects[file], sql)
				}
				for _, table := range from.tables() {
					for _, t := range held[table] {
						f.inputs[t.Table] = t.Version
						if len(held[table]) > 1 {
							f.params["new in "+t.Table] = news[t.Table]
						}
					}
				}
				if !slices.Contains(f.by, m.Name) {
					f.by = append(f.by, m.Name)
				}
			}
		}
	}
	var plans []Plan
	for _, model := range casefile.Model() {
		m := store.Manifest{Table: model.Name, Kind: store.KindCase, Step: "map." + model.Name, Inputs: []store.TableVersion{},
			Params: map[string]string{"timezone": c.Config.TimeZone}}
		p := Plan{}
		if f := tables[model.Name]; f != nil {
			p.Mappings, m.Params = f.by, f.params
			if f.selects[""] != nil {
				f.order = append(f.order, "")
			}
			for _, file := range f.order {
				p.SQL = append(p.SQL, strings.Join(f.selects[file], "\nUNION ALL\n"))
			}
			if model.Name == "institution" && p.SQL != nil {
				p.SQL[0] = oneInstitution(p.SQL[0])
			}
			for name, version := range f.inputs {
				m.Inputs = append(m.Inputs, store.TableVersion{Name: name, Version: version})
			}
			slices.SortFunc(m.Inputs, func(a, b store.TableVersion) int { return strings.Compare(a.Name, b.Name) })
		}
		for _, col := range slices.Concat(model.Columns, casefile.RefColumns()) {
			m.Columns = append(m.Columns, store.Column{Name: col.Name, Type: col.Type})
		}
		sum := sha256.Sum256([]byte(planVersion + "\x00" + duckdb.MacrosVersion() + "\x00" + strings.Join(p.SQL, "\x00")))
		m.StepVersion = hex.EncodeToString(sum[:])
		m.Version = m.VersionOf()
		p.Manifest = m
		plans = append(plans, p)
	}
	return plans, nil
}

// newsOf says what is new in each state of a series' table, by the table's name in the case: how many rows
// appeared or changed, and a digest of which they are. A case table stands on no more of the
// table of changes, so a snapshot of other tables does not touch it.
func newsOf(ctx context.Context, c *store.Case, e *duckdb.Engine) (map[string]string, error) {
	if _, err := c.Table(ChangeTable); errors.Is(err, store.ErrNoTable) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	rows, err := e.DB.QueryContext(ctx, "SELECT after_ref_source, source_table, count(*) || ' ' || sum(md5_number_lower(CAST(after_ref_row AS VARCHAR))) FROM "+ChangeTable+" WHERE "+isNew+" GROUP BY ALL")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	news := map[string]string{}
	for rows.Next() {
		var id casefile.SourceID
		var table, digest string
		if err := rows.Scan(&id, &table, &digest); err != nil {
			return nil, err
		}
		news[store.SourceTableName(id, table)] = digest
	}
	return news, rows.Err()
}

// oneInstitution makes one row of all that the registry and other lists say of an institution
// id: the first name, sector and country, a line with aliases before one without, and all
// names there are as aliases.
func oneInstitution(lines string) string {
	return `SELECT institution_id, coalesce(arg_min(name, k), institution_id) AS name, arg_min(sector, k) AS sector, arg_min(country, k) AS country,
	nullif(concat_ws(';', string_agg(DISTINCT aliases, ';' ORDER BY aliases), CASE WHEN count(DISTINCT name) > 1 THEN string_agg(DISTINCT name, ';' ORDER BY name) END), '') AS aliases,
	arg_min(ref_source, k) AS ref_source, arg_min(ref_table, k) AS ref_table, arg_min(ref_row, k) AS ref_row, arg_min(ref_offset, k) AS ref_offset
FROM (SELECT *, (aliases IS NULL, ref_source, ref_row) AS k FROM (` + lines + `))
WHERE institution_id IS NOT NULL
GROUP BY institution_id
ORDER BY institution_id`
}

// tables are the source tables that are read.
func (s Source) tables() []string {
	list := []string{s.From}
	for _, j := range s.Join {
		list = append(list, j.Table)
	}
	return list
}

// SourceTables are the published tables of a source, by the source's own names.
func SourceTables(c *store.Case, id casefile.SourceID) (map[string]store.Manifest, error) {
	all, err := c.Tables()
	if err != nil {
		return nil, err
	}
	own := map[string]store.Manifest{}
	for _, t := range all {
		if t.Source == id && t.SourceTable != "" {
			own[t.SourceTable] = t
		}
	}
	return own, nil
}

// Stale reports whether the plan's table has to be computed.
func (p Plan) Stale(c *store.Case) bool {
	t, err := c.Table(p.Manifest.Table)
	return err != nil || t.Version != p.Manifest.Version
}

// Run computes the plan's table and publishes it.
func (p Plan) Run(ctx context.Context, c *store.Case, e *duckdb.Engine, record store.Recorder) (store.Manifest, error) {
	stage, err := c.Stage()
	if err != nil {
		return store.Manifest{}, err
	}
	defer stage.Discard()
	m := p.Manifest
	m.Files = []store.File{}
	for i, sql := range p.SQL {
		file := fmt.Sprintf("part-%05d.parquet", i)
		rows, cols, err := e.Write(ctx, sql, stage.Dir+"/"+file)
		if err != nil {
			return store.Manifest{}, fmt.Errorf("case table %s, filled by mapping %s: %w", m.Table, strings.Join(p.Mappings, ", "), err)
		}
		m.Columns, m.Files = cols, append(m.Files, store.File{Name: file, Rows: rows})
	}
	if was, err := c.Table(m.Table); err == nil {
		if m.Files, err = stage.Like(was, m.Files); err != nil {
			return store.Manifest{}, err
		}
	} else if !errors.Is(err, store.ErrNoTable) {
		return store.Manifest{}, err
	}
	return stage.Publish(ctx, m, record)
}
