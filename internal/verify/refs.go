package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
)

// checkRefs asks whether every row reference of the case tables and findings is the address
// of a row that is there: a sealed source, one of its tables, a row number of it and that
// row's offset, all four together.
func (r *run) checkRefs(c *Check) {
	bySource := map[string]map[string]*table{} // source, its name of the table
	for _, t := range r.tables {
		if t.Kind == "source" && !t.side() {
			if bySource[t.Source] == nil {
				bySource[t.Source] = map[string]*table{}
			}
			bySource[t.Source][t.SourceTable] = t
		}
	}
	names := sortedKeys(r.tables)
	for i, name := range names {
		t := r.tables[name]
		if t.Kind == "source" || len(t.Files) == 0 {
			continue
		}
		if r.ctx.Err() != nil {
			return
		}
		r.progress("references", int64(i), int64(len(names)))
		found := false
		for _, col := range t.Columns {
			if prefix, isRef := strings.CutSuffix(col.Name, "ref_source"); isRef {
				found = true
				r.checkRef(c, t, prefix, bySource)
			}
		}
		if t.Kind == "case" && !found {
			c.fail("tables/"+name, casefile.Where{Table: name}, "its rows do not say where they come from")
		}
	}
}

// maxTargets bounds the distinct source tables that one table may refer to.
const maxTargets = 10_000

// checkRef checks the reference in the four columns with this prefix.
func (r *run) checkRef(c *Check, t *table, prefix string, bySource map[string]map[string]*table) {
	what, at := "tables/"+t.Table, casefile.Where{Table: t.Table}
	var cols [4]string
	for i, part := range []string{"ref_source", "ref_table", "ref_row", "ref_offset"} {
		want := columnType{prefix + part, []string{"VARCHAR", "VARCHAR", "BIGINT", "BIGINT"}[i]}
		if !slices.Contains(t.Columns, want) {
			c.fail(what, at, "has no column %s %s", want.Name, want.Type)
			return
		}
		cols[i] = ident(want.Name)
	}
	from := r.engine.parquet(t, "")
	source, name, row, offset := cols[0], cols[1], cols[2], cols[3]
	none := fmt.Sprintf("%s IS NULL AND %s IS NULL AND %s IS NULL AND %s IS NULL", source, name, row, offset)
	some := fmt.Sprintf("%s IS NULL OR %s IS NULL OR %s IS NULL OR %s IS NULL", source, name, row, offset)
	if t.Kind != "case" { // a finding may rest on no row: a report that no call was linked to
		some = "(" + some + ") AND NOT (" + none + ")"
	}
	if n, err := r.engine.count(r.ctx, "SELECT count(*) FROM "+from+" WHERE "+some); err != nil || n > 0 {
		c.fail(what, at, "%d rows have no whole reference in %sref_* (%v)", n, prefix, err)
	}
	type target struct{ source, table string }
	rows := map[target]int64{}
	err := r.engine.each(r.ctx, fmt.Sprintf("SELECT %s, %s, count(*) FROM %s WHERE %[1]s IS NOT NULL AND %[2]s IS NOT NULL GROUP BY 1, 2 LIMIT %[4]d", source, name, from, maxTargets+1), func(v []any) error {
		s, _ := v[0].(string)
		n, _ := v[1].(string)
		rows[target{s, n}], _ = v[2].(int64)
		return nil
	})
	if err != nil || len(rows) > maxTargets {
		c.fail(what, at, "refers to more than %d source tables, or cannot be read (%v)", maxTargets, err)
		return
	}
	for to, n := range rows {
		c.Objects += n
		there := casefile.Where{Source: to.source, Table: to.table}
		if _, sealed := r.sources[casefile.SourceID(to.source)]; !sealed {
			c.fail(what, there, "%d rows refer to this source, which is not a whole sealed file of the case", n)
			continue
		}
		target := bySource[to.source][to.table]
		if target == nil || len(target.Files) == 0 {
			c.fail(what, there, "%d rows refer to this table, which the case does not serve as recorded", n)
			continue
		}
		query := fmt.Sprintf(`FROM (SELECT %[1]s AS r, %[2]s AS o FROM %[3]s WHERE %[4]s = %[5]s AND %[6]s = %[7]s AND %[1]s IS NOT NULL AND %[2]s IS NOT NULL) a
			ANTI JOIN (SELECT ref_row AS r, ref_offset AS o FROM %[8]s) b USING (r, o)`,
			row, offset, from, source, literal(to.source), name, literal(to.table), r.engine.parquet(target, ""))
		var first [2]int64
		bad := int64(0)
		err := r.engine.each(r.ctx, "SELECT count(*), min(r), arg_min(o, r) "+query, func(v []any) error {
			bad, _ = v[0].(int64)
			first[0], _ = v[1].(int64)
			first[1], _ = v[2].(int64)
			return nil
		})
		if err != nil || bad > 0 {
			there.Row, there.Offset, there.HasOffset = first[0], first[1], bad > 0
			c.fail(what, there, "%d rows refer to rows that do not exist there; the first is named (%v)", bad, err)
		}
	}
}
