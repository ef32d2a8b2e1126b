// Package snapshot tells what became of a platform between the states that were taken of it:
// which rows appeared, changed and vanished from one snapshot of a source to the next. Rows
// that vanished were deleted on the live service, which is evidence of its own.
//
// The answer is one table, snapshot_change (docs/formats/tables.md). A table of the platform
// is compared between each two snapshots that follow one another among those that have it.
// One that a dump defines without rows was emptied: all its rows vanished. One that a dump
// does not define is absent, which says nothing about its rows: a later dump may leave tables
// out. Rows are known again as in the case tables ([mapping.Key]). Whether a row changed is
// told by the columns that both states have, through a 64-bit hash of their values: of two
// different rows with one key, one pair in 2^64 is taken for the same. Which columns changed
// is told by comparing the values themselves; the table names them and has no value but keys.
//
// Memory is bounded by the engine's: keys and hashes are joined, and whole rows are looked at
// only where they changed.
package snapshot

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/mapping"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Table is the name of the table of changes.
const Table = mapping.ChangeTable

// version is the version of this package's way of comparing.
const version = "1"

// What the table says became of a row or, in the last four, of a whole source table.
const (
	Appeared       = "appeared"
	Changed        = "changed"
	Vanished       = "vanished"
	TableAppeared  = "table appeared"
	TableAbsent    = "table absent"
	ColumnsAdded   = "columns added"
	ColumnsDropped = "columns dropped"
)

// state is one source table in one snapshot.
type state struct {
	mapping.Held
	no   int    // of the snapshot, from 1
	from string // FROM item
}

// compared is one source table of one series.
type compared struct {
	series []store.Source
	table  string
	states mapping.States
	at     []int // by state: the number of its snapshot
}

// tables lists the source tables of all series.
func tables(c *store.Case) (list []compared, err error) {
	all, err := c.Sources()
	if err != nil {
		return nil, err
	}
	for _, series := range store.Series(all) {
		held, err := mapping.HeldBy(c, series)
		if err != nil {
			return nil, err
		}
		var names []string
		for name := range held {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			t := compared{series: series, table: name, states: held[name]}
			for _, h := range t.states {
				t.at = append(t.at, 1+slices.IndexFunc(series, func(s store.Source) bool { return s.ID == h.Source }))
			}
			list = append(list, t)
		}
	}
	return list, nil
}

// Plan says of what the table of changes is made. ok is false when the case has no snapshots.
func Plan(c *store.Case) (m store.Manifest, ok bool, err error) {
	list, err := tables(c)
	if err != nil || len(list) == 0 {
		return m, false, err
	}
	m = store.Manifest{Table: Table, Kind: store.KindFinding, Step: Table, Inputs: []store.TableVersion{}}
	said := sha256.New()
	fmt.Fprintln(said, version, duckdb.MacrosVersion())
	use := func(t store.Manifest) {
		if in := (store.TableVersion{Name: t.Table, Version: t.Version}); !slices.Contains(m.Inputs, in) {
			m.Inputs = append(m.Inputs, in)
		}
	}
	for _, t := range list {
		key, secret, err := known(c, t)
		if err != nil {
			return m, false, err
		}
		fmt.Fprintf(said, "%q %q %q %q\n", t.series[0].ID, t.table, key, key.Shown("c", secret))
		for _, s := range t.series {
			fmt.Fprintf(said, "%q\n", s.ID)
			if statements, err := c.Table(store.StatementTableName(s.ID)); err == nil {
				use(statements)
			}
		}
		for _, h := range t.states {
			use(h.Manifest)
		}
	}
	m.StepVersion = hex.EncodeToString(said.Sum(nil))
	m.Version = m.VersionOf()
	return m, true, nil
}

// known is how a table's rows are known again, and which of its columns are secret.
func known(c *store.Case, t compared) (mapping.Key, func(string) bool, error) {
	m, err := mapping.Applied(c, t.series[0].ID)
	if err != nil {
		return mapping.Key{}, nil, err
	}
	secret, err := mapping.Secrets(c, t.series[0].ID, t.table)
	return m.Key(t.table, t.states), secret, err
}

// Run makes and publishes the table that m plans.
func Run(ctx context.Context, c *store.Case, e *duckdb.Engine, m store.Manifest, record store.Recorder) (store.Manifest, error) {
	list, err := tables(c)
	if err != nil {
		return m, err
	}
	r := &run{c: c, e: e, defined: map[casefile.SourceID]map[string]bool{}}
	defer r.drop(context.WithoutCancel(ctx))
	for _, t := range list {
		if err := r.compare(ctx, t); err != nil {
			return m, fmt.Errorf("snapshots of table %q: %w", t.table, err)
		}
	}
	stage, err := c.Stage()
	if err != nil {
		return m, err
	}
	defer stage.Discard()
	const file = "part-00000.parquet"
	rows, cols, err := e.Write(ctx, strings.Join(r.selects, "\nUNION ALL ")+"\nORDER BY series, source_table, snapshot_no, change, after_ref_row, before_ref_row", stage.Dir+"/"+file)
	if err != nil {
		return m, fmt.Errorf("%s: %w", Table, err)
	}
	m.Columns, m.Files = cols, []store.File{{Name: file, Rows: rows}}
	if m, err = stage.Publish(ctx, m, record); err != nil {
		return m, err
	}
	return m, e.Show(ctx, m)
}

type run struct {
	c       *store.Case
	e       *duckdb.Engine
	defined map[casefile.SourceID]map[string]bool // tables that a source's statements define, lower case
	temps   []string
	selects []string
}

func (r *run) drop(ctx context.Context) {
	for _, t := range r.temps {
		// What stays goes with the engine; nothing depends on it.
		_, _ = r.e.DB.ExecContext(ctx, "DROP TABLE IF EXISTS "+duckdb.Ident(t))
	}
}

// compare compares one table through all snapshots of its series.
func (r *run) compare(ctx context.Context, t compared) error {
	key, secret, err := known(r.c, t)
	if err != nil {
		return err
	}
	// A select that gives no row has the columns' types.
	r.selects = append(r.selects, row{series: t.series, table: t.table}.sql("''", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL")+" WHERE false")
	var before *state
	for no := 1; no <= len(t.series); no++ {
		source := t.series[no-1]
		say := row{series: t.series, table: t.table, no: no}
		now := &state{no: no}
		if i := slices.Index(t.at, no); i >= 0 {
			now.Held, now.from = t.states[i], duckdb.Ident(t.states[i].Table)
		} else if before == nil {
			continue
		} else if is, err := r.defines(ctx, source.ID, t.table); err != nil {
			return err
		} else if is {
			now.Held, now.from = before.Held, "(SELECT * FROM "+before.from+" WHERE false)"
			now.Source = source.ID
		} else {
			say.before = t.series[before.no-1].ID
			r.selects = append(r.selects, say.sql(duckdb.Literal(TableAbsent), "NULL", "NULL", "NULL", "NULL", "NULL", "NULL"))
			continue
		}
		switch {
		case before != nil:
			say.before = before.Source
			if err := r.pair(ctx, say, before, now, key, secret); err != nil {
				return err
			}
		case no > 1:
			r.selects = append(r.selects, say.sql(duckdb.Literal(TableAppeared), "NULL", "NULL", "NULL", "NULL", "NULL", "NULL"))
		}
		before = now
	}
	return nil
}

// row is what the rows of one comparison have in common.
type row struct {
	series []store.Source
	table  string
	no     int               // of the later snapshot
	before casefile.SourceID // the earlier snapshot; empty: none
}

// sql is a select of change rows; what it is given is SQL.
func (w row) sql(change, key, columns, beforeRow, beforeOffset, afterRow, afterOffset string) string {
	after := casefile.SourceID("")
	if w.no > 0 {
		after = w.series[w.no-1].ID
	}
	ref := func(prefix string, id casefile.SourceID, row, offset string) string {
		return fmt.Sprintf(`CASE WHEN %[2]s IS NOT NULL THEN %[4]s END AS %[1]s_ref_source, CASE WHEN %[2]s IS NOT NULL THEN %[5]s END AS %[1]s_ref_table,
  CAST(%[2]s AS BIGINT) AS %[1]s_ref_row, CAST(%[3]s AS BIGINT) AS %[1]s_ref_offset`, prefix, row, offset, duckdb.Literal(string(id)), duckdb.Literal(w.table))
	}
	return fmt.Sprintf(`SELECT %s AS series, %s AS source_table, CAST(%d AS BIGINT) AS snapshot_no, nullif(%s, '') AS snapshot_before, %s AS snapshot_after,
  CAST(%s AS VARCHAR) AS change, CAST(%s AS VARCHAR) AS key, CAST(%s AS VARCHAR) AS columns,
  %s,
  %s`, duckdb.Literal(string(w.series[0].ID)), duckdb.Literal(w.table), w.no, duckdb.Literal(string(w.before)), duckdb.Literal(string(after)),
		change, key, columns, ref("before", w.before, beforeRow, beforeOffset), ref("after", after, afterRow, afterOffset))
}

// pair compares two states of a table.
func (r *run) pair(ctx context.Context, say row, before, after *state, key mapping.Key, secret func(string) bool) error {
	states := mapping.States{before.Held, after.Held}
	for _, one := range []struct {
		change   string
		has, not *state
	}{{ColumnsAdded, after, before}, {ColumnsDropped, before, after}} {
		var names []string
		for _, c := range (mapping.States{one.has.Held}).Columns() {
			if !slices.Contains(states.Common(), c) && !slices.ContainsFunc(states.Common(), func(s string) bool { return strings.EqualFold(s, c) }) {
				names = append(names, duckdb.Literal(c))
			}
		}
		if names != nil {
			r.selects = append(r.selects, say.sql(duckdb.Literal(one.change), "NULL", "to_json(["+strings.Join(names, ", ")+"])", "NULL", "NULL", "NULL", "NULL"))
		}
	}
	temp := fmt.Sprintf("snapshot change %d", len(r.temps))
	r.temps = append(r.temps, temp)
	var same []string
	side := func(s *state) string {
		var values []string
		for _, c := range states.Common() {
			values = append(values, states.Value(s.Held, "r", c))
		}
		sql, n := states.Keyed(key, s.Held, s.from, "hash("+strings.Join(append(values, "r.ref_misfit"), ", ")+") AS h", "r.ref_offset AS o")
		same = nil
		for i := range n {
			same = append(same, fmt.Sprintf("b.k%d = a.k%[1]d", i))
		}
		return "(" + sql + ")"
	}
	b, a := side(before), side(after)
	var keys []string
	for i := range same {
		keys = append(keys, fmt.Sprintf("coalesce(a.k%d, b.k%[1]d) AS k%[1]d", i))
	}
	if _, err := r.e.DB.ExecContext(ctx, fmt.Sprintf(`CREATE TABLE %s AS SELECT %s, b.ref_row AS br, b.o AS bo, a.ref_row AS ar, a.o AS ao
FROM %s b FULL JOIN %s a ON %s WHERE b.ref_row IS NULL OR a.ref_row IS NULL OR b.h <> a.h`, duckdb.Ident(temp), strings.Join(keys, ", "), b, a, strings.Join(same, " AND "))); err != nil {
		return err
	}
	shown := key.Shown("c", secret)
	r.selects = append(r.selects,
		say.sql("CASE WHEN c.br IS NULL THEN '"+Appeared+"' ELSE '"+Vanished+"' END", shown, "NULL", "c.br", "c.bo", "c.ar", "c.ao")+" FROM "+duckdb.Ident(temp)+" c WHERE c.br IS NULL OR c.ar IS NULL",
		say.sql("'"+Changed+"'", shown, columnsChanged(states), "c.br", "c.bo", "c.ar", "c.ao")+
			fmt.Sprintf(" FROM (SELECT * FROM %s WHERE br IS NOT NULL AND ar IS NOT NULL) c JOIN %s x ON x.ref_row = c.br JOIN %s y ON y.ref_row = c.ar", duckdb.Ident(temp), before.from, after.from))
	return nil
}

// columnsChanged is the SQL of the names, as a JSON list, of the columns in which rows x and y
// differ. A value that does not fit its column is compared as it was written.
func columnsChanged(states mapping.States) string {
	var names []string
	for _, c := range states.Common() {
		pointer := duckdb.Literal("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(c))
		names = append(names, fmt.Sprintf(`CASE WHEN %s IS DISTINCT FROM %s OR CAST(json_extract(x.ref_misfit, %[3]s) AS VARCHAR) IS DISTINCT FROM CAST(json_extract(y.ref_misfit, %[3]s) AS VARCHAR) THEN %[4]s END`,
			states.Value(states[0], "x", c), states.Value(states[1], "y", c), pointer, duckdb.Literal(c)))
	}
	return "to_json(list_filter([" + strings.Join(append(names, "NULL::VARCHAR"), ", ") + "], lambda z: z IS NOT NULL))"
}

var createTable = regexp.MustCompile("(?is)^[\\s/*!0-9]*CREATE\\s+(?:\\w+\\s+)?TABLE\\s+(?:IF\\s+NOT\\s+EXISTS\\s+)?((?:(?:`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|\\w+)\\s*\\.\\s*)*)(`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|[^\\s`\"(.]+)")

// defines reports whether a source defines a table, with rows or without.
func (r *run) defines(ctx context.Context, id casefile.SourceID, table string) (bool, error) {
	if names := r.defined[id]; names != nil {
		return names[strings.ToLower(table)], nil
	}
	names := map[string]bool{}
	r.defined[id] = names
	if _, err := r.c.Table(store.StatementTableName(id)); err != nil {
		return false, nil // no reader kept any
	}
	rows, err := r.e.DB.QueryContext(ctx, "SELECT TRY(decode(text)) FROM "+duckdb.Ident(store.StatementTableName(id))+" WHERE TRY(decode(text)) IS NOT NULL")
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return false, err
		}
		if m := createTable.FindStringSubmatch(text); m != nil {
			name := m[2]
			if q := name[0]; q == '`' || q == '"' {
				name = strings.ReplaceAll(name[1:len(name)-1], string([]byte{q, q}), string(q))
			}
			names[strings.ToLower(name)] = true
		}
	}
	return names[strings.ToLower(table)], rows.Err()
}

// Summary is what became of one source table from one snapshot to the next.
type Summary struct {
	Series   casefile.SourceID `json:"series"`
	Table    string            `json:"source_table"`
	Before   casefile.SourceID `json:"snapshot_before,omitempty"` // empty: no earlier snapshot has the table
	After    casefile.SourceID `json:"snapshot_after"`
	No       int               `json:"snapshot_no"` // of the later one in its series, from 1
	Same     int64             `json:"same"`
	Appeared int64             `json:"appeared"`
	Changed  int64             `json:"changed"`
	Vanished int64             `json:"vanished"`
	Notes    []string          `json:"notes,omitempty"` // what is said of the table as a whole
}

// Summaries counts the published changes, by series, table and snapshot.
func Summaries(ctx context.Context, c *store.Case, e *duckdb.Engine) ([]Summary, error) {
	all, err := tables(c)
	if err != nil {
		return nil, err
	}
	var list []Summary
	for _, t := range all {
		var counts = map[int]map[string]int64{}
		notes := map[int][]string{}
		rows, err := e.DB.QueryContext(ctx, "SELECT snapshot_no, change, count(*), max(columns) FROM "+Table+" WHERE series = ? AND source_table = ? GROUP BY ALL ORDER BY ALL", string(t.series[0].ID), t.table)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var no int
			var change string
			var n int64
			var columns *string
			if err := rows.Scan(&no, &change, &n, &columns); err != nil {
				rows.Close()
				return nil, err
			}
			if counts[no] == nil {
				counts[no] = map[string]int64{}
			}
			counts[no][change] += n
			switch change {
			case Appeared, Changed, Vanished:
			case ColumnsAdded, ColumnsDropped:
				notes[no] = append(notes[no], change+": "+*columns)
			default:
				notes[no] = append(notes[no], change)
			}
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
		had, before := int64(-1), casefile.SourceID("") // rows in the state before; -1: there was none
		for no := 1; no <= len(t.series); no++ {
			n := counts[no]
			s := Summary{Series: t.series[0].ID, Table: t.table, Before: before, After: t.series[no-1].ID, No: no, Appeared: n[Appeared], Changed: n[Changed], Vanished: n[Vanished], Notes: notes[no]}
			absent := n[TableAbsent] > 0
			if !absent && had >= 0 {
				s.Same = had - s.Vanished - s.Changed
			}
			if i := slices.Index(t.at, no); i >= 0 {
				had, before = t.states[i].Rows, t.series[no-1].ID
			} else if had >= 0 && !absent { // emptied
				had, before = 0, t.series[no-1].ID
			}
			if no > 1 && (s.Before != "" || n != nil) {
				list = append(list, s)
			}
		}
	}
	return list, nil
}
