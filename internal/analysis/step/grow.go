package step

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Most of what a case holds is still there when a snapshot or another source comes to it: the
// large case tables keep their files and get more. Three kinds of step use that; all give the same
// rows as if they were run on an empty case, which tests hold them to.
//
//   - A step all of whose inputs have the content they had keeps its files.
//   - A step with PerFile makes a file for each file of an input, of its rows alone.
//   - A step with Grow reads beside its inputs what came to them and what it made before.

// Grow says how a table is brought up to date from its earlier version when the inputs that it
// follows only got files. The same SQL makes the table anew: then everything is added, and
// nothing was there before.
type Grow struct {
	// Of lists the inputs that are followed. Of each, the SQL may read the views X_added, the rows
	// of new files, and X_before, those of files that were there.
	Of []string
	// Was lists the table's columns with their types, or those that SQL reads of the view was: the
	// earlier version's rows that stay.
	Was string

	// What follows is for tables of which rows are found again, not added to; Touched is empty
	// for others, of which all rows stay. Where more than a quarter of an input is new, most rows
	// would be found again, and the table is made anew.

	// New is a query of what is new in the inputs, for Touched to read as the table new: the
	// engine then knows how little it is. May be empty.
	New string
	// Touched is a query of the keys whose rows are found again. It becomes the table touched,
	// which is empty when the table is made anew; getvariable('grown') tells that too. It may read
	// the views of Of, the inputs in By as they are and, as X_was, as they were, and was, which then has all rows.
	Touched string
	By      []string
	// Kept is a condition, or a join with touched, that leaves the rows of was that stay; the view
	// was_whole has all.
	Kept string
	// Again are the rows of inputs from which those of touched are found.
	Again []Again
}

// Again is a view: of all rows (Select), when the table is made anew, or of those with a key in
// touched (Grown), which may read views earlier in the list. With Order it is sorted, as each file of the
// input Of is.
type Again struct {
	View, Of, Select, Grown, Order string
}

// Rest is what a table rests on in an input that is not followed: some of its columns.
type Rest struct {
	Columns string
	// Used is a table, and how it is joined, with which only the rows that it has count. Empty: all count.
	Used string
}

// past is the earlier version of a step's table and of its inputs.
type past struct {
	table  store.Manifest
	inputs map[string]store.Manifest
}

// past is nil when the step was never run in the same version and with the same parameters, or
// when what it read then is no longer there.
func (s Step) past(c *store.Case, m store.Manifest) *past {
	was, err := c.Table(s.Table)
	if err != nil || was.StepVersion != m.StepVersion || !maps.Equal(was.Params, m.Params) || len(was.Inputs) != len(m.Inputs) {
		return nil
	}
	p := &past{was, map[string]store.Manifest{}}
	for _, in := range was.Inputs {
		t, err := c.TableAt(in)
		if err != nil || slices.ContainsFunc(c.Paths(t), missing) {
			return nil
		}
		p.inputs[in.Name] = t
	}
	return p
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return err != nil
}

// common is how many files, from the first, two versions of a table have in common.
func common(a, b store.Manifest) int {
	n := 0
	for n < min(len(a.Files), len(b.Files)) && a.Files[n].SHA256 == b.Files[n].SHA256 && a.Files[n].Rows == b.Files[n].Rows {
		n++
	}
	return n
}

// sameRows reports whether two versions of a table have the same content.
func sameRows(a, b store.Manifest) bool {
	return len(a.Files) == len(b.Files) && common(a, b) == len(a.Files) && slices.Equal(a.Columns, b.Columns)
}

// run is one run of a step.
type run struct {
	Step
	c    *store.Case
	e    *duckdb.Engine
	m    store.Manifest // what will be published
	now  map[string]store.Manifest
	past *past
}

// rests reports whether what the step's rows rest on beside the inputs that it follows is as it
// was: of an input in Rests, whether rows that count differ in the columns it names.
func (r *run) rests(ctx context.Context, followed ...string) (bool, error) {
	var changed []string
	for name, now := range r.now {
		was, ok := r.past.inputs[name]
		_, some := r.Rests[name]
		switch {
		case ok && (slices.Contains(followed, name) || sameRows(was, now)):
		case ok && some:
			changed = append(changed, name)
		default:
			return false, nil
		}
	}
	for _, name := range changed {
		if err := r.e.Alias(ctx, name+"_was", r.past.inputs[name]); err != nil {
			return false, err
		}
		query := "SELECT count(*) FROM " + Changed(name, r.Rests[name].Columns)
		if used := r.Rests[name].Used; used != "" {
			query += " SEMI JOIN " + used
		}
		var n int64
		if err := r.e.DB.QueryRowContext(ctx, query).Scan(&n); err != nil || n > 0 {
			return false, err
		}
	}
	return true, nil
}

// Changed is SQL of the rows, in some columns, that are in a table and not in its earlier version
// (the view NAME_was), and those that were only there.
func Changed(table, columns string) string {
	now, was := "SELECT "+columns+" FROM "+table, "SELECT "+columns+" FROM "+table+"_was"
	return "(((" + now + ") EXCEPT ALL (" + was + ")) UNION ALL ((" + was + ") EXCEPT ALL (" + now + ")))"
}

// write makes the stage's files. kept is how many rows were kept from the earlier version.
func (r *run) write(ctx context.Context, stage *store.Stage) (files []store.File, columns []store.Column, kept int64, err error) {
	if r.past != nil {
		same, err := r.same(ctx)
		if err != nil {
			return nil, nil, 0, err
		}
		if same {
			if files, err = r.keep(stage, len(r.past.table.Files)); err == nil {
				return files, r.past.table.Columns, r.past.table.Rows, nil
			}
		}
	}
	if r.PerFile != "" && len(r.now[r.PerFile].Files) > 0 {
		return r.perFile(ctx, stage)
	}
	if r.Prepare != nil {
		if err := r.Prepare(ctx, r.c, r.e); err != nil {
			return nil, nil, 0, err
		}
	}
	if r.Grow != nil {
		defer r.forget(context.WithoutCancel(ctx))
		if kept, err = r.grow(ctx); err != nil {
			return nil, nil, 0, err
		}
	}
	f, columns, err := r.file(ctx, stage, 0)
	return []store.File{f}, columns, kept, err
}

// same reports whether all that the step reads is as it was.
func (r *run) same(ctx context.Context) (bool, error) {
	if r.Grow != nil { // Rests may name what was there before
		for _, name := range r.Grow.Of {
			if err := r.e.Alias(ctx, name+"_before", r.past.inputs[name]); err != nil {
				return false, err
			}
		}
	}
	return r.rests(ctx)
}

// keep gives the stage the first n files of the table's earlier version.
func (r *run) keep(stage *store.Stage, n int) (files []store.File, err error) {
	for i, old := range r.past.table.Files[:n] {
		f, err := stage.Link(r.past.table, old, partName(i))
		if err != nil {
			for _, f := range files {
				err = errors.Join(err, os.Remove(stage.Dir+"/"+f.Name))
			}
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func partName(i int) string { return fmt.Sprintf("part-%05d.parquet", i) }

// file writes one file.
func (r *run) file(ctx context.Context, stage *store.Stage, i int) (store.File, []store.Column, error) {
	write := r.e.Write
	if r.Sought {
		write = r.e.WriteSought
	}
	rows, columns, err := write(ctx, Expand(r.SQL, r.m.Params), stage.Dir+"/"+partName(i))
	return store.File{Name: partName(i), Rows: rows}, columns, err
}

// perFile makes a file for each file of an input: those that the earlier version has are kept as
// far as the input's first files are the same, and what they rest on is.
func (r *run) perFile(ctx context.Context, stage *store.Stage) (files []store.File, columns []store.Column, kept int64, err error) {
	in := r.now[r.PerFile]
	defer func() { err = errors.Join(err, r.e.Show(ctx, in)) }()
	same := 0
	if r.past != nil && len(r.past.table.Files) == len(r.past.inputs[r.PerFile].Files) {
		for n := common(r.past.inputs[r.PerFile], in); same < n; same++ {
			if err := r.e.ShowFile(ctx, in, same); err != nil {
				return nil, nil, 0, err
			}
			if ok, err := r.rests(ctx, r.PerFile); err != nil {
				return nil, nil, 0, err
			} else if !ok {
				break
			}
		}
		if files, err = r.keep(stage, same); err != nil {
			files = nil
		}
	}
	for _, f := range files {
		columns, kept = r.past.table.Columns, kept+f.Rows
	}
	for i := len(files); i < len(in.Files); i++ {
		if err := r.e.ShowFile(ctx, in, i); err != nil {
			return nil, nil, 0, err
		}
		if r.Prepare != nil {
			if err := r.Prepare(ctx, r.c, r.e); err != nil {
				return nil, nil, 0, err
			}
		}
		f, c, err := r.file(ctx, stage, i)
		if err != nil {
			return nil, nil, 0, err
		}
		files, columns = append(files, f), c
	}
	return files, columns, kept, nil
}

// grow makes the views of a step with Grow. kept is how many rows of the earlier version stay.
func (r *run) grow(ctx context.Context) (kept int64, err error) {
	g := r.Grow
	grown, err := r.grown(ctx)
	if err != nil {
		return 0, err
	}
	if !grown {
		return 0, g.anew(ctx, r.e, func(table string) bool { return len(r.now[table].Files) > 1 })
	}
	do := doer(ctx, r.e)
	do("SET VARIABLE grown = true")
	for _, name := range g.Of { // X_before is there since same
		added := r.now[name]
		added.Files = added.Files[len(r.past.inputs[name].Files):]
		if err := r.e.Alias(ctx, name+"_added", added); err != nil {
			return 0, err
		}
	}
	for _, name := range g.By {
		if err := r.e.Alias(ctx, name+"_was", r.past.inputs[name]); err != nil {
			return 0, err
		}
	}
	if err := errors.Join(r.e.Alias(ctx, "was", r.past.table), r.e.Alias(ctx, "was_whole", r.past.table)); err != nil {
		return 0, err
	}
	if g.Touched == "" {
		return r.past.table.Rows, do("")
	}
	if g.New != "" {
		do("CREATE OR REPLACE TABLE new AS " + g.New)
	}
	do("CREATE OR REPLACE TABLE touched AS " + g.Touched)
	for _, a := range g.Again {
		do("CREATE OR REPLACE TABLE " + a.View + " AS " + a.Grown + a.order())
	}
	if err := do("CREATE OR REPLACE VIEW was AS SELECT * FROM was_whole " + g.Kept); err != nil {
		return 0, err
	}
	err = r.e.DB.QueryRowContext(ctx, "SELECT count(*) FROM was").Scan(&kept)
	return kept, err
}

// grown reports whether the inputs that are followed only got files, and all else that the
// step's rows rest on is as it was.
func (r *run) grown(ctx context.Context) (bool, error) {
	if r.past == nil {
		return false, nil
	}
	for _, name := range r.Grow.Of {
		was, now := r.past.inputs[name], r.now[name]
		if common(was, now) < len(was.Files) || r.Grow.Touched != "" && 4*(now.Rows-was.Rows) > now.Rows {
			return false, nil
		}
	}
	return r.rests(ctx, slices.Concat(r.Grow.Of, r.Grow.By)...)
}

// Anew makes the views that the SQL of a step with Grow reads, over inputs that are tables of
// the engine, as if there were no earlier version of its table.
func (s Step) Anew(ctx context.Context, e *duckdb.Engine) error {
	if s.Grow == nil {
		return nil
	}
	return s.Grow.anew(ctx, e, func(string) bool { return false })
}

// anew makes the views of a table that is made anew; several tells of an input whether it has
// several files.
func (g *Grow) anew(ctx context.Context, e *duckdb.Engine, several func(string) bool) error {
	do := doer(ctx, e)
	do("SET VARIABLE grown = false")
	for _, name := range g.Of {
		do("CREATE OR REPLACE VIEW " + name + "_added AS SELECT * FROM " + name)
		do("CREATE OR REPLACE VIEW " + name + "_before AS SELECT * FROM " + name + " WHERE false")
	}
	for _, name := range g.By {
		do("CREATE OR REPLACE VIEW " + name + "_was AS SELECT * FROM " + name)
	}
	var columns []string
	for _, c := range strings.Split(g.Was, ", ") {
		name, typ, _ := strings.Cut(c, " ")
		columns = append(columns, "NULL::"+typ+" AS "+duckdb.Ident(name))
	}
	for _, name := range []string{"was", "was_whole"} {
		do("CREATE OR REPLACE VIEW " + name + " AS SELECT " + strings.Join(columns, ", ") + " WHERE false")
	}
	if g.New != "" {
		do("CREATE OR REPLACE TABLE new AS SELECT * FROM (" + g.New + ") LIMIT 0")
	}
	if g.Touched != "" {
		do("CREATE OR REPLACE TABLE touched AS SELECT * FROM (" + g.Touched + ") LIMIT 0")
	}
	for _, a := range g.Again {
		if a.Order != "" && several(a.Of) { // sorted once, not for each use
			do("CREATE OR REPLACE TABLE " + a.View + " AS " + a.Select + a.order())
		} else {
			do("CREATE OR REPLACE VIEW " + a.View + " AS " + a.Select)
		}
	}
	return do("")
}

func (a Again) order() string {
	if a.Order == "" {
		return ""
	}
	return " ORDER BY " + a.Order
}

// doer runs statements up to the first that fails, whose error it then gives for each.
func doer(ctx context.Context, e *duckdb.Engine) func(sql string) error {
	var err error
	return func(sql string) error {
		if err == nil && sql != "" {
			_, err = e.DB.ExecContext(ctx, sql)
		}
		return err
	}
}

// forget drops the tables of grow: a view and a table cannot have one name. What stays, because
// that fails, goes with the engine.
func (r *run) forget(ctx context.Context) {
	names := []string{"new", "touched"}
	for _, a := range r.Grow.Again {
		names = append(names, a.View)
	}
	for _, name := range names {
		for _, kind := range []string{"VIEW", "TABLE"} {
			_, _ = r.e.DB.ExecContext(ctx, "DROP "+kind+" IF EXISTS "+name)
		}
	}
}
