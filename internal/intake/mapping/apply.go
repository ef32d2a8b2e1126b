package mapping

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
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
	Files    []FilePlan     // empty: no source fills the table, it has no rows
}

// FilePlan is how one file of a case table is filled. A file of the published version that was
// computed from the same is taken over.
type FilePlan struct {
	SQL  string
	of   string   // what is known, before anything is read, of what it is computed from
	gone []string // queries of the rows (ref_row) of a state that are not in it, for a later state has them
}

// planVersion is the version of this package's way of compiling.
const planVersion = "2"

// ownFile is of how many rows in its tables a state of a source has a file of its own in the
// case table that it fills. All smaller ones share one.
const ownFile = 10_000

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
					f = &filled{files: map[casefile.SourceID]*FilePlan{}, inputs: map[string]string{},
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
				of := &platform{m, c.Config.TimeZone, held, relations, news}
				if err := f.take(of, model, from); err != nil {
					return nil, fmt.Errorf("source %s: mapping %s: %w", s.ID.Short(), m.Name, err)
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
			for _, file := range f.order {
				p.Files = append(p.Files, *f.files[file])
			}
			if model.Name == "institution" && p.Files != nil {
				p.Files[0].SQL = oneInstitution(p.Files[0].SQL)
			}
			for name, version := range f.inputs {
				m.Inputs = append(m.Inputs, store.TableVersion{Name: name, Version: version})
			}
			slices.SortFunc(m.Inputs, func(a, b store.TableVersion) int { return strings.Compare(a.Name, b.Name) })
		}
		for _, col := range slices.Concat(model.Columns, casefile.RefColumns()) {
			m.Columns = append(m.Columns, store.Column{Name: col.Name, Type: col.Type})
		}
		said := planVersion + "\x00" + duckdb.MacrosVersion()
		for _, f := range p.Files {
			said += "\x00" + f.SQL
		}
		sum := sha256.Sum256([]byte(said))
		m.StepVersion = hex.EncodeToString(sum[:])
		m.Version = m.VersionOf()
		p.Manifest = m
		plans = append(plans, p)
	}
	return plans, nil
}

// platform is a source, or a series, with its mapping.
type platform struct {
	m         *Mapping
	zone      string
	held      map[string]States   // by the table's own name
	relations map[string]relation // the rows that count
	news      map[string]string   // see newsOf
}

// filled is what fills a case table.
type filled struct {
	files  map[casefile.SourceID]*FilePlan // by the state that has a file of its own; the empty one is the rest
	order  []casefile.SourceID
	inputs map[string]string
	params map[string]string
	by     []string // mappings
}

// take adds the rows of one source table, state by state, to the files that they go into.
func (f *filled) take(of *platform, model casefile.ModelTable, from Source) error {
	states, key := of.held[from.From], of.m.Key(from.From, of.held[from.From])
	fill := func(part relation, joined func(string) (relation, bool)) (string, error) {
		return from.fill(model, of.zone, func(string) (relation, bool) { return part, true }, joined)
	}
	for i, state := range states {
		sql, err := fill(states.part(key, i), func(table string) (relation, bool) {
			r, ok := of.relations[table]
			return r, ok
		})
		if err != nil {
			return err
		}
		alone, err := fill(states.whole(i), func(table string) (relation, bool) { // as if no later state had anything new
			if of.held[table] == nil {
				return relation{}, false
			}
			return of.held[table].whole(0), true
		})
		if err != nil {
			return err
		}
		file := state.Source
		if state.Rows < ownFile || model.Name == "institution" {
			file = ""
		}
		p := f.files[file]
		if p == nil {
			p = &FilePlan{}
			f.files[file], f.order = p, append(f.order, file)
		} else {
			p.SQL += "\nUNION ALL\n"
		}
		p.SQL += sql
		p.of += fmt.Sprintf("%q %q", alone, state.Version)
		if i > 0 {
			p.of += states.said(i, of.news)
		}
		if i < len(states)-1 {
			p.gone = append(p.gone, states.gone(key, i))
		}
		for _, j := range from.Join {
			for i, t := range of.held[j.Table] {
				if i == 0 {
					p.of += fmt.Sprintf(" %q", t.Version)
				} else {
					p.of += of.held[j.Table].said(i, of.news)
				}
			}
		}
	}
	return nil
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

// Run computes the plan's table and publishes it. The files that it takes over from the published
// version come first, in their order there: what stands on the table file by file sees what is new.
func (p Plan) Run(ctx context.Context, c *store.Case, e *duckdb.Engine, record store.Recorder) (store.Manifest, error) {
	stage, err := c.Stage()
	if err != nil {
		return store.Manifest{}, err
	}
	defer stage.Discard()
	m := p.Manifest
	was, err := c.Table(m.Table)
	if err != nil && !errors.Is(err, store.ErrNoTable) {
		return store.Manifest{}, err
	}
	of := make([]string, len(p.Files))
	for i, f := range p.Files {
		if of[i], err = f.digest(ctx, e); err != nil {
			return store.Manifest{}, fmt.Errorf("case table %s: %w", m.Table, err)
		}
	}
	m.Files = []store.File{}
	name := func() string { return fmt.Sprintf("part-%05d.parquet", len(m.Files)) }
	var kept []string
	for _, old := range was.Files {
		if old.Of == "" || !slices.Contains(of, old.Of) {
			continue
		}
		if f, err := stage.Link(was, old, name()); err == nil { // else it is computed again
			m.Columns, m.Files, kept = was.Columns, append(m.Files, f), append(kept, f.Of)
		}
	}
	for i, f := range p.Files {
		if slices.Contains(kept, of[i]) {
			continue
		}
		rows, cols, err := e.WriteSought(ctx, f.SQL, stage.Dir+"/"+name())
		if err != nil {
			return store.Manifest{}, fmt.Errorf("case table %s, filled by mapping %s: %w", m.Table, strings.Join(p.Mappings, ", "), err)
		}
		if m.Columns = cols; rows == 0 && (len(m.Files) > 0 || i < len(p.Files)-1) { // there is, or will be, another file
			if err := os.Remove(stage.Dir + "/" + name()); err != nil {
				return store.Manifest{}, err
			}
			continue
		}
		m.Files = append(m.Files, store.File{Name: name(), Rows: rows, Of: of[i]})
	}
	return stage.Publish(ctx, m, record)
}

// digest is of all that the file is computed from.
func (f FilePlan) digest(ctx context.Context, e *duckdb.Engine) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q %s", planVersion, duckdb.MacrosVersion(), f.of)
	for _, query := range f.gone {
		var n int64
		var rows string
		if err := e.DB.QueryRowContext(ctx, "SELECT count(*), coalesce(CAST(sum(md5_number_lower(CAST(ref_row AS VARCHAR))) AS VARCHAR), '') FROM ("+query+")").Scan(&n, &rows); err != nil {
			return "", err
		}
		if n > 0 { // else it is as if there were no later state
			fmt.Fprintf(sum, " without %d %s of %q", n, rows, query)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
