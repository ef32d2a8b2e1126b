package profile

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// measurer runs a profile's queries.
type measurer struct {
	conn      *sql.Conn
	opt       Options
	countries map[string]bool
	temps     []string
}

// query runs a query and scans each row into as many texts as it has columns.
func (m *measurer) query(ctx context.Context, query string, each func(cells []sql.NullString) error) error {
	rows, err := m.conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	cells, into := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range cells {
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := each(cells); err != nil {
			return err
		}
	}
	return rows.Err()
}

// numbers runs a query of one row of integers; null is -1.
func (m *measurer) numbers(ctx context.Context, query string) (list []int64, err error) {
	rows, err := m.conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	cells, into := make([]sql.NullInt64, len(names)), make([]any, len(names))
	for i := range cells {
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
	}
	for _, c := range cells {
		if !c.Valid {
			c.Int64 = -1
		}
		list = append(list, c.Int64)
	}
	return list, rows.Err()
}

// countryNames are the ways of writing a country that are not digits.
func (m *measurer) countryNames(ctx context.Context) (map[string]bool, error) {
	names := map[string]bool{}
	err := m.query(ctx, "SELECT name FROM country_name WHERE NOT regexp_matches(name, '[0-9]')", func(c []sql.NullString) error {
		names[c[0].String] = true
		return nil
	})
	return names, err
}

var (
	createTable = regexp.MustCompile("(?is)^\\s*CREATE\\s+TABLE\\s+(?:IF\\s+NOT\\s+EXISTS\\s+)?(?:[`\"]?\\w+[`\"]?\\.)?[`\"]?([^`\"\\s(]+)[`\"]?\\s*\\(")
	columnLine  = regexp.MustCompile("(?m)^\\s*[`\"]?([^`\"\\s,()]+)[`\"]?\\s+([A-Za-z]+(?: (?:varying|with time zone|without time zone|precision))*)((?:\\s*\\([^)]*\\))?(?:\\s+with(?:out)? time zone)?)")
)

// declared reads the types that the table definitions in sources give: table.column, lower
// case, to the type's first word or words.
func (m *measurer) declared(ctx context.Context, ids []casefile.SourceID) (map[string]string, error) {
	types := map[string]string{}
	for _, id := range ids {
		view := store.StatementTableName(id)
		n, err := m.numbers(ctx, "SELECT count(*) FROM duckdb_views() WHERE view_name = "+duckdb.Literal(view))
		if err != nil {
			return nil, err
		}
		if n[0] == 0 {
			continue
		}
		err = m.query(ctx, "SELECT decode(text) FROM "+duckdb.Ident(view)+" WHERE regexp_matches(CAST(text AS VARCHAR), '(?i)CREATE\\s+TABLE') AND TRY(decode(text)) IS NOT NULL", func(c []sql.NullString) error {
			name := createTable.FindStringSubmatch(c[0].String)
			if name == nil {
				return nil
			}
			body := c[0].String[len(name[0]):]
			for _, col := range columnLine.FindAllStringSubmatch(body, -1) {
				key := strings.ToLower(name[1] + "." + col[1])
				if types[key] == "" {
					t := col[2]
					if tail := strings.ToLower(col[3]); strings.Contains(tail, "time zone") {
						t += tail[strings.Index(tail, " with"):]
					}
					types[key] = strings.ToLower(t)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return types, nil
}

// drop removes the samples.
func (m *measurer) drop(ctx context.Context) {
	for _, t := range m.temps {
		// A sample that stays goes with its connection; nothing depends on it.
		_, _ = m.conn.ExecContext(ctx, "DROP TABLE IF EXISTS temp."+duckdb.Ident(t))
	}
}

// table measures one table and its columns.
func (m *measurer) table(ctx context.Context, name string, manifest store.Manifest, declared map[string]string) (Table, error) {
	t := Table{Name: name, Rows: manifest.Rows, view: duckdb.Ident(manifest.Table)}
	for _, c := range manifest.Columns {
		if strings.HasPrefix(c.Name, "ref_") {
			continue
		}
		t.Columns = append(t.Columns, Column{Name: c.Name, Type: c.Type, Declared: declared[strings.ToLower(name+"."+c.Name)]})
	}
	t.sample = t.view
	t.Sampled = t.Rows
	if t.Rows == 0 || len(t.Columns) == 0 {
		return t, nil
	}
	temp := fmt.Sprintf("profile_sample_%d", len(m.temps))
	m.temps = append(m.temps, temp)
	where := ""
	if t.Rows > m.opt.Sample {
		where = fmt.Sprintf(" WHERE (ref_row * 7919) %% 1000003 < %d", int64(1_000_003*float64(m.opt.Sample)/float64(t.Rows)))
	}
	if _, err := m.conn.ExecContext(ctx, "CREATE TEMP TABLE "+duckdb.Ident(temp)+" AS SELECT * FROM "+t.view+where); err != nil {
		return t, err
	}
	t.sample = "temp." + duckdb.Ident(temp)
	if where != "" {
		n, err := m.numbers(ctx, "SELECT count(*) FROM "+t.sample)
		if err != nil {
			return t, err
		}
		t.Sampled = n[0]
	}
	if t.Sampled == 0 {
		return t, nil
	}
	var q strings.Builder
	q.WriteString("SELECT ")
	for i, c := range t.Columns {
		if i > 0 {
			q.WriteString(", ")
		}
		text := textOf(c)
		fmt.Fprintf(&q, "count(%[1]s), count(*) FILTER (WHERE %[2]s = ''), approx_count_distinct(%[1]s), min(length(%[2]s)), max(length(%[2]s))", duckdb.Ident(c.Name), text)
	}
	q.WriteString(" FROM " + t.sample)
	counts, err := m.numbers(ctx, q.String())
	if err != nil {
		return t, err
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		n := counts[i*5 : i*5+5]
		c.Nulls = share(t.Sampled-n[0], t.Sampled)
		c.Empties = share(n[1], t.Sampled)
		c.Distinct, c.MinLen, c.MaxLen = n[2], max(n[3], 0), max(n[4], 0)
		c.values = n[0] - n[1]
	}
	for from := 0; from < len(t.Columns); from += batch {
		if err := m.values(ctx, &t, t.Columns[from:min(from+batch, len(t.Columns))]); err != nil {
			return t, err
		}
	}
	return t, nil
}

// textOf is the SQL of a column as text; of bytes, where they are text.
func textOf(c Column) string {
	if c.Type == "BLOB" {
		return "TRY(decode(" + duckdb.Ident(c.Name) + "))"
	}
	return "CAST(" + duckdb.Ident(c.Name) + " AS VARCHAR)"
}

// batch is how many columns' values one query fetches.
const batch = 16

// tally is what the distinct values of one column come to.
type tally struct {
	kinds, shapes, codes map[string]int64
	total                int64
	distinct             int
	other                bool // a value that is no known code
}

// values looks at the distinct values of columns.
func (m *measurer) values(ctx context.Context, t *Table, columns []Column) error {
	var parts []string
	for i, c := range columns {
		if c.values > 0 {
			parts = append(parts, fmt.Sprintf("(SELECT %d AS c, v, count(*) AS n FROM (SELECT left(%s, 4000) AS v FROM %s) WHERE v IS NOT NULL AND v <> '' GROUP BY v ORDER BY hash(v) LIMIT %d)", i, textOf(c), t.sample, m.opt.Values))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	tallies := make([]tally, len(columns))
	for i := range tallies {
		tallies[i] = tally{kinds: map[string]int64{}, shapes: map[string]int64{}, codes: map[string]int64{}}
	}
	rows, err := m.conn.QueryContext(ctx, strings.Join(parts, " UNION ALL "))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var i int
		var v string
		var n int64
		if err := rows.Scan(&i, &v, &n); err != nil {
			return err
		}
		y := &tallies[i]
		y.total += n
		y.distinct++
		for _, k := range m.kindsOf(v) {
			y.kinds[k] += n
		}
		y.shapes[shapeOf(v)] += n
		if code, ok := knownCode(v); ok && y.distinct <= 64 {
			y.codes[code] += n
		} else if strings.TrimSpace(v) != "" {
			y.other = true
		}
	}
	for i, y := range tallies {
		if y.total > 0 {
			columns[i].take(y)
		}
	}
	return rows.Err()
}

// take writes a tally as shares.
func (c *Column) take(y tally) {
	kinds, shapes, codes, total, distinct, coded := y.kinds, y.shapes, y.codes, y.total, y.distinct, !y.other
	c.Kinds = map[string]float64{}
	for k, n := range kinds {
		c.Kinds[k] = share(n, total)
	}
	if coded && len(codes) > 0 {
		c.Codes = map[string]float64{}
		for k, n := range codes {
			c.Codes[k] = share(n, total)
		}
		c.Kinds[Enum] = 1
	} else if distinct <= 24 && total >= 20*int64(distinct) {
		c.Kinds[Enum] = 1
	}
	for s, n := range shapes {
		c.Shapes = append(c.Shapes, Shape{s, share(n, total)})
	}
	slices.SortFunc(c.Shapes, func(a, b Shape) int {
		if a.Share != b.Share {
			if a.Share > b.Share {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Shape, b.Shape)
	})
	c.Shapes = c.Shapes[:min(3, len(c.Shapes))]
}

func share(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(int64(float64(n)/float64(of)*10000+0.5)) / 10000
}
