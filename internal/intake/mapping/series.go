package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// A series is one platform in several states: a source and its later snapshots. One mapping,
// that of the first, is for all. Each row counts once: with the values of the latest state that
// has it, under the reference of the state since which it has them. So a later state changes no
// reference to what stayed as it was, and adds to the case only what is new in it. A row is
// known again by its key: the primary key that the table declares, else the identity that the
// mapping takes from a column, else by all its values. What vanished later still counts, from
// the last state that has it.

// ChangeTable is the table of what appeared, changed and vanished from state to state, which
// package snapshot makes. The case tables of a series stand on it.
const ChangeTable = "snapshot_change"

// isNew holds of its rows that are about a row with new values in the later state.
const isNew = "change IN ('appeared', 'changed')"

// Held is one state of a source table.
type Held struct {
	Source casefile.SourceID
	store.Manifest
}

// States are the states of one source table in a series, earliest first; without those of
// which nothing is published.
type States []Held

// HeldBy gives the states of every source table of a series, by the table's own name.
func HeldBy(c *store.Case, series []store.Source) (map[string]States, error) {
	held := map[string]States{}
	for _, s := range series {
		own, err := SourceTables(c, s.ID)
		if err != nil {
			return nil, err
		}
		for name, t := range own {
			held[name] = append(held[name], Held{s.ID, t})
		}
	}
	return held, nil
}

// Key says how a row is known again in another state of its table.
type Key struct {
	Columns  []string // the columns of the declared primary key
	Identity string   // without such a key: the column that the mapping takes a case row's identity from; may be empty
}

// identities are the case columns that name the row itself.
var identities = map[string]string{"account": "account_id", "call": "call_id", "message": "message_id", "script": "script_id",
	"payment": "payment_id", "wallet": "wallet_id", "loss_report": "report_id", "watch_entry": "entry_id"}

// Key is how the rows of a source table are known again in another state. m may be nil.
func (m *Mapping) Key(table string, states States) Key {
	if len(states) == 0 {
		return Key{}
	}
	if key := states[0].Manifest.Key; len(key) > 0 && !slices.ContainsFunc(states, func(h Held) bool { return !slices.EqualFunc(h.Manifest.Key, key, strings.EqualFold) }) {
		return Key{Columns: key}
	}
	if m == nil {
		return Key{}
	}
	for _, model := range casefile.Model() {
		for _, s := range m.Tables[model.Name] {
			id := s.Columns[identities[model.Name]].From
			if s.From == table && id != "" && !slices.ContainsFunc(states, func(h Held) bool { return !h.has(id) }) {
				return Key{Identity: id}
			}
		}
	}
	return Key{}
}

func (h Held) has(column string) bool {
	return slices.ContainsFunc(h.Columns, func(c store.Column) bool { return strings.EqualFold(c.Name, column) })
}

// typeOf is the type of a column in a state; empty when it has none.
func (h Held) typeOf(column string) string {
	for _, c := range h.Columns {
		if strings.EqualFold(c.Name, column) {
			return c.Type
		}
	}
	return ""
}

// Columns are the source's own columns of all states, those of the latest first.
func (s States) Columns() (names []string) {
	seen := map[string]bool{"ref_row": true, "ref_offset": true, "ref_misfit": true}
	for i := len(s) - 1; i >= 0; i-- {
		for _, c := range s[i].Columns {
			if low := strings.ToLower(c.Name); !seen[low] {
				seen[low] = true
				names = append(names, c.Name)
			}
		}
	}
	return names
}

// Common are the columns that every state has.
func (s States) Common() []string {
	return slices.DeleteFunc(s.Columns(), func(name string) bool {
		return slices.ContainsFunc(s, func(h Held) bool { return !h.has(name) })
	})
}

// Value is the SQL of a column of a state in the type that all states have in common, and
// null where the state does not have the column.
func (s States) Value(h Held, alias, column string) string {
	if !h.has(column) {
		return "NULL"
	}
	x := alias + "." + duckdb.Ident(column)
	if as := s.common(column); as != "" {
		return "CAST(" + x + " AS " + as + ")"
	}
	return x
}

// common is the type to which a column's types in the states are cast; empty when they are one.
func (s States) common(column string) string {
	types := map[string]bool{}
	scale, numbers, double := 0, true, false
	for _, h := range s {
		t := h.typeOf(column)
		if t == "" {
			continue
		}
		types[t] = true
		var p, d int
		switch n, _ := fmt.Sscanf(t, "DECIMAL(%d,%d)", &p, &d); {
		case n == 2:
			scale = max(scale, d)
		case t == "DOUBLE":
			double = true
		default:
			numbers = numbers && strings.HasSuffix(t, "INT")
		}
	}
	switch {
	case len(types) < 2:
		return ""
	case !numbers:
		return "VARCHAR"
	case double:
		return "DOUBLE"
	}
	return fmt.Sprintf("DECIMAL(38,%d)", min(scale, 18)) // a UBIGINT has 20 digits
}

// identityMark begins what a row is known by when it is known by its identity.
const identityMark = "id "

// Keyed is a select of a state's rows by what they are known by: columns k0, k1 ..., how many
// n says, then ref_row and what more names, as SQL over r. from is the state's FROM item.
// The last of the k is the row's number among those with the same others, so that rows that are
// there twice count twice, also where the key is declared to be unique: a doctored dump need not
// keep to it. It is numbered behind the select of the rest: a window carries all that its input has.
func (s States) Keyed(k Key, h Held, from string, more ...string) (sql string, n int) {
	var list, names []string
	for i, x := range s.identify(k, h, "r") {
		names = append(names, fmt.Sprintf("k%d", i))
		list = append(list, fmt.Sprintf("%s AS k%d", x, i))
	}
	sql = "SELECT " + strings.Join(append(append(list, "r.ref_row"), more...), ", ") + " FROM " + from + " r"
	return fmt.Sprintf("SELECT *, row_number() OVER (PARTITION BY %s ORDER BY ref_row) AS k%d FROM (%s)", strings.Join(names, ", "), len(names), sql), len(names) + 1
}

// identify is the SQL of what a row of a state is known by, but for its number among equal ones.
func (s States) identify(k Key, h Held, alias string) (list []string) {
	for _, c := range k.Columns {
		list = append(list, s.Value(h, alias, c))
	}
	if list != nil {
		return list
	}
	var values []string
	for _, c := range s.Common() {
		values = append(values, "CAST("+s.Value(h, alias, c)+" AS VARCHAR)")
	}
	whole := "md5(CAST(to_json([" + strings.Join(append(values, alias+".ref_misfit"), ", ") + "]) AS VARCHAR))"
	if k.Identity != "" {
		whole = "coalesce('" + identityMark + "' || CAST(" + s.Value(h, alias, k.Identity) + " AS VARCHAR), " + whole + ")"
	}
	return []string{whole}
}

// Shown is the SQL of a key for people, over the k0, k1 ...
// of [States.Keyed] in alias: column=value, with secrets hidden; null for a row that is known by all its values.
func (k Key) Shown(alias string, secret func(column string) bool) string {
	var parts []string
	part := func(column, value string) {
		if secret(column) {
			value = "'(secret)'"
		}
		parts = append(parts, duckdb.Literal(column+"=")+" || "+value)
	}
	for i, c := range k.Columns {
		part(c, fmt.Sprintf("coalesce(CAST(%s.k%d AS VARCHAR), '')", alias, i))
	}
	switch {
	case k.Columns != nil:
		return "concat_ws(', ', " + strings.Join(parts, ", ") + ")"
	case k.Identity != "":
		part(k.Identity, fmt.Sprintf("substr(%s.k0, %d)", alias, len(identityMark)+1))
		return "CASE WHEN starts_with(" + alias + ".k0, " + duckdb.Literal(identityMark) + ") THEN " + parts[0] + " END"
	}
	return "NULL"
}

// plain is a table of one source as it is.
func plain(t store.Manifest, id casefile.SourceID) relation {
	r := relation{rows: duckdb.Ident(t.Table), values: duckdb.Ident(t.Table), source: duckdb.Literal(string(id))}
	for _, c := range t.Columns {
		r.columns = append(r.columns, c.Name)
	}
	return r
}

// relation is the series' rows, each once: the parts of all states, earliest first.
func (s States) relation(k Key) relation {
	if len(s) == 1 {
		return s.whole(0)
	}
	r := relation{columns: s.Columns()}
	var rows, values []string
	for i := range s {
		part := s.part(k, i)
		rows, values = append(rows, part.rows), append(values, part.values)
	}
	r.rows, r.values = "("+strings.Join(rows, "\nUNION ALL ")+")", "("+strings.Join(values, " UNION ALL ")+")"
	return r
}

// whole is all of the i-th state's rows, with the columns of all states.
func (s States) whole(i int) relation {
	h := s[i]
	if !slices.ContainsFunc(s, func(o Held) bool { return !slices.Equal(o.Columns, h.Columns) }) {
		return plain(h.Manifest, h.Source)
	}
	columns := s.Columns()
	list := []string{"s.ref_row, s.ref_offset, s.ref_misfit"}
	for _, c := range columns {
		list = append(list, s.Value(h, "s", c)+" AS "+duckdb.Ident(c))
	}
	rows := "(SELECT " + strings.Join(list, ", ") + " FROM " + duckdb.Ident(h.Table) + " s)"
	return relation{rows: rows, values: rows, source: duckdb.Literal(string(h.Source)), columns: columns}
}

// part is what the i-th state gives of the series' rows: those that are new in it (of the first,
// all), without those that a later state has with other values, or anew after they had vanished.
func (s States) part(k Key, i int) relation {
	r := s.whole(i)
	filter := ""
	if i > 0 {
		filter = s.news("s", i)
	}
	if i < len(s)-1 {
		filter += " ANTI JOIN (" + s.gone(k, i) + ") gone ON gone.ref_row = s.ref_row"
	}
	if filter != "" {
		r.rows = "(SELECT s.* FROM " + r.rows + " s" + filter + ")"
	}
	return r
}

// news is a join that keeps of the i-th state's rows in alias those that are new in it. Where
// it has other columns than the state before it, all are: what was compared is not all there is.
func (s States) news(alias string, i int) string {
	if !slices.Equal(s[i].Columns, s[i-1].Columns) {
		return ""
	}
	return fmt.Sprintf(" SEMI JOIN (SELECT after_ref_row FROM %s WHERE after_ref_source = %s AND after_ref_table = %s AND %s) news ON news.after_ref_row = %s.ref_row",
		ChangeTable, duckdb.Literal(string(s[i].Source)), duckdb.Literal(s[i].SourceTable), isNew, alias)
}

// said is what is new in the i-th state, by the digests of newsOf; empty where nothing is.
func (s States) said(i int, news map[string]string) string {
	if s.news("", i) == "" {
		return fmt.Sprintf(" all %q", s[i].Version)
	}
	if news[s[i].Table] == "" {
		return ""
	}
	return fmt.Sprintf(" new %q %q", s[i].Version, news[s[i].Table])
}

// gone is a select of ref_row: the i-th state's rows that a later state has as new. Only rows
// with a key of these are numbered, which are all with that key.
func (s States) gone(k Key, i int) string {
	keys := func(j int, from string) string {
		var list []string
		for n, x := range s.identify(k, s[j], "r") {
			list = append(list, fmt.Sprintf("%s AS k%d", x, n))
		}
		return "SELECT " + strings.Join(list, ", ") + " FROM " + from
	}
	var later []string
	for j := i + 1; j < len(s); j++ {
		later = append(later, keys(j, duckdb.Ident(s[j].Table)+" r"+s.news("r", j)))
	}
	near := func(j int) string { // a state's rows with these keys
		var same []string
		for n, x := range s.identify(k, s[j], "r") {
			same = append(same, fmt.Sprintf("f.k%d = %s", n, x))
		}
		return "(SELECT r.* FROM " + duckdb.Ident(s[j].Table) + " r SEMI JOIN (" + strings.Join(later, " UNION ALL ") + ") f ON " + strings.Join(same, " AND ") + ")"
	}
	mine, n := s.Keyed(k, s[i], near(i))
	var names, same []string
	for x := range n {
		names, same = append(names, fmt.Sprintf("k%d", x)), append(same, fmt.Sprintf("a.k%d = b.k%[1]d", x))
	}
	var theirs []string
	for j := i + 1; j < len(s); j++ {
		sql, _ := s.Keyed(k, s[j], near(j))
		theirs = append(theirs, "SELECT "+strings.Join(names, ", ")+" FROM ("+sql+") r"+s.news("r", j))
	}
	return "SELECT a.ref_row FROM (" + mine + ") a SEMI JOIN (" + strings.Join(theirs, " UNION ALL ") + ") b ON " + strings.Join(same, " AND ")
}
