package duckdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/unspoof/unspoof/internal/store"
)

// Where is a condition of a look-up: a column has a value, a text or an int64.
type Where struct {
	Column string
	Value  any
}

func conditions(where []Where) string {
	list := make([]string, len(where))
	for i, w := range where {
		value := fmt.Sprint(w.Value)
		if s, ok := w.Value.(string); ok {
			value = Literal(s)
		}
		list[i] = Ident(w.Column) + " = " + value
	}
	return strings.Join(list, " AND ")
}

func identList(columns []string) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = Ident(c)
	}
	return strings.Join(list, ", ")
}

// Excerpt is some rows of a published table, to be read by its SQL until it is closed. Of a
// table with many groups of rows the few that matter are copied, byte for byte, into a file of
// their own. The engine itself makes a reader for every column of every group of a file
// before it looks which of them it needs: for one row of 39 million that is most of the time
// (docs/performance.md).
type Excerpt struct {
	SQL   string // a select of the columns asked for
	files []string
}

// Close removes the excerpt's files.
func (x *Excerpt) Close() {
	for _, f := range x.files {
		os.Remove(f) // what stays goes with the engine's folder
	}
}

// Rows gives columns of the rows of a published table for which all conditions hold, and place, as [Engine.Placed] does,
// unless the table has a column of that name and it is among them.
func (e *Engine) Rows(m store.Manifest, columns []string, where ...Where) (*Excerpt, error) {
	return e.rows(m, columns, where, where)
}

// rows reads the groups that may have a row for which all of where holds, and gives the rows for which filter does.
func (e *Engine) rows(m store.Manifest, columns []string, where, filter []Where) (*Excerpt, error) {
	return e.excerpt(m, columns, func(_ int, f *footer) ([]int, func([]int64) string) {
		var groups []int
		for g := range f.meta.NumRowGroups() {
			if !slices.ContainsFunc(where, func(w Where) bool { return !f.mayHave(g, w) }) {
				groups = append(groups, g)
			}
		}
		return groups, func([]int64) string { return conditions(filter) }
	})
}

// Find gives all columns of the rows of a published table for which all conditions hold, of which the first should leave
// few: their places come from its column alone. A table that is held in memory has indexes instead.
func (e *Engine) Find(ctx context.Context, m store.Manifest, where ...Where) (*Excerpt, error) {
	if e.holds(m) {
		return &Excerpt{SQL: "SELECT * FROM " + Ident(m.Table) + " WHERE " + conditions(where)}, nil
	}
	columns := m.ColumnNames()
	some, err := e.rows(m, []string{where[0].Column}, where, where[:1])
	if err != nil {
		return nil, err
	}
	defer some.Close()
	rows, err := e.DB.QueryContext(ctx, fmt.Sprintf("SELECT place FROM (%s) LIMIT %d", some.SQL, fewPlaces+1))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var places []int64
	for rows.Next() {
		var p int64
		if err := rows.Scan(&p); err != nil {
			return nil, err
		}
		places = append(places, p)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	var x *Excerpt
	switch {
	case places == nil:
		return &Excerpt{SQL: noRow(m)}, nil
	case len(places) > fewPlaces:
		x, err = e.Rows(m, columns, where...)
	default:
		x, err = e.At(m, columns, places)
	}
	if err == nil {
		x.SQL = "SELECT " + identList(columns) + " FROM (" + x.SQL + ") WHERE " + conditions(where)
	}
	return x, err
}

// fewPlaces is how many places [Engine.Find] lists.
const fewPlaces = 1000

// At gives columns of the rows of a published table at some places, and place, as Rows does.
func (e *Engine) At(m store.Manifest, columns []string, places []int64) (*Excerpt, error) {
	places = slices.Compact(slices.Sorted(slices.Values(places)))
	if all := firstPlace(m, len(m.Files)); len(places) == 0 || places[0] < 0 || places[len(places)-1] >= all {
		return nil, fmt.Errorf("table %q has %d rows, and none at one of %d", m.Table, all, places)
	}
	return e.excerpt(m, columns, func(i int, f *footer) ([]int, func([]int64) string) {
		var groups, in []int // in: of each row the number of its group among groups
		var rows []int64
		for _, p := range places {
			p -= firstPlace(m, i)
			if p < 0 || p >= f.begins[len(f.begins)-1] {
				continue
			}
			g := sort.Search(len(f.begins), func(g int) bool { return f.begins[g] > p }) - 1
			if len(groups) == 0 || groups[len(groups)-1] != g {
				groups = append(groups, g)
			}
			rows, in = append(rows, p-f.begins[g]), append(in, len(groups)-1)
		}
		return groups, func(begins []int64) string {
			list := make([]string, len(rows))
			for i, r := range rows {
				list[i] = fmt.Sprint(begins[in[i]] + r)
			}
			return "file_row_number IN (" + strings.Join(list, ", ") + ")"
		}
	})
}

// excerpt reads of each file the groups that choose names; what it gives besides says which rows of them,
// when it is told with which row of the file that is read each of these groups begins.
func (e *Engine) excerpt(m store.Manifest, columns []string, choose func(file int, f *footer) (groups []int, where func(begins []int64) string)) (x *Excerpt, err error) {
	x = new(Excerpt)
	defer func() {
		if err != nil {
			x.Close()
		}
	}()
	with := func(place string) string {
		if slices.Contains(columns, "place") {
			return identList(columns)
		}
		return identList(columns) + ", " + place + " AS place"
	}
	var parts []string
	for i := range m.Files {
		path, err := filepath.Abs(e.c.Paths(m)[i])
		if err != nil {
			return x, err
		}
		f, err := e.footer(path)
		if err != nil {
			return x, err
		}
		groups, where := choose(i, f)
		if len(groups) == 0 {
			continue
		}
		first := firstPlace(m, i)
		begins, place := make([]int64, len(groups)), fmt.Sprintf("file_row_number + %d", first)
		if chunks := f.chunks(columns); chunks != nil && len(groups) <= fewGroups && 2*len(groups) < f.meta.NumRowGroups() {
			if path, err = e.copyGroups(path, f, chunks, groups); err != nil {
				return x, fmt.Errorf("excerpt of table %q: %w", m.Table, err)
			}
			x.files = append(x.files, path)
			place = "CASE"
			var n int64
			for k, g := range groups {
				begins[k] = n
				n += f.begins[g+1] - f.begins[g]
				place += fmt.Sprintf(" WHEN file_row_number < %d THEN file_row_number + %d", n, first+f.begins[g]-begins[k])
			}
			place += " END"
		} else {
			for k, g := range groups {
				begins[k] = f.begins[g]
			}
		}
		parts = append(parts, fmt.Sprintf("SELECT %s FROM read_parquet(%s, hive_partitioning=false, file_row_number=true) WHERE %s", with(place), Literal(path), where(begins)))
	}
	if parts == nil {
		parts = []string{"SELECT " + with("NULL::BIGINT") + " FROM (" + noRow(m) + ")"}
	}
	x.SQL = strings.Join(parts, " UNION ALL ")
	return x, nil
}

// fewGroups is how many groups an excerpt copies; more are read where they are.
const fewGroups = 64

// footer is what a Parquet file says of its parts.
type footer struct {
	meta   *metadata.FileMetaData
	begins []int64 // the row with which each group begins, and how many rows there are
}

// footer reads a published file's, once.
func (e *Engine) footer(path string) (*footer, error) {
	e.footing.Lock()
	defer e.footing.Unlock()
	if f := e.footers[path]; f != nil {
		return f, nil
	}
	r, err := file.OpenParquetFile(path, false)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f := &footer{meta: r.MetaData(), begins: []int64{0}}
	for g, n := 0, int64(0); g < f.meta.NumRowGroups(); g++ {
		n += f.meta.RowGroups[g].NumRows
		f.begins = append(f.begins, n)
	}
	e.footers[path] = f
	return f, nil
}

// chunks are the numbers of columns in the file; nil when one is not there, or not a plain column.
func (f *footer) chunks(columns []string) []int {
	list := make([]int, len(columns))
	for i, c := range columns {
		if list[i] = f.meta.Schema.ColumnIndexByName(c); list[i] < 0 || f.meta.Schema.NumColumns() != f.meta.Schema.Root().NumFields() {
			return nil
		}
	}
	return list
}

// mayHave reports whether a group can have a row for which the condition holds, by the least and the greatest value
// that the file gives for the group.
func (f *footer) mayHave(group int, w Where) bool {
	chunks := f.chunks([]string{w.Column})
	if chunks == nil {
		return true
	}
	data := f.meta.RowGroups[group].Columns[chunks[0]].MetaData
	if data == nil || data.Statistics == nil || data.Statistics.MinValue == nil || data.Statistics.MaxValue == nil {
		return true
	}
	least, most := data.Statistics.MinValue, data.Statistics.MaxValue
	switch v := w.Value.(type) {
	case string:
		return f.meta.Schema.Column(chunks[0]).PhysicalType() != parquet.Types.ByteArray || string(least) <= v && v <= string(most)
	case int64:
		if f.meta.Schema.Column(chunks[0]).PhysicalType() == parquet.Types.Int64 && len(least) == 8 && len(most) == 8 {
			return int64(binary.LittleEndian.Uint64(least)) <= v && v <= int64(binary.LittleEndian.Uint64(most))
		}
	}
	return true
}

// copyGroups makes a file of some columns of some groups of another.
func (e *Engine) copyGroups(from string, f *footer, chunks, groups []int) (path string, err error) {
	meta, err := f.meta.Subset(groups)
	if err != nil {
		return "", err
	}
	src, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer src.Close()
	dst, err := os.CreateTemp(e.temp, "excerpt-*.parquet")
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, dst.Close()); err != nil {
			os.Remove(dst.Name())
		}
	}()
	schema := slices.Clone(meta.FileMetaData.Schema[:1]) // behind the root, the columns
	root, width := *schema[0], int32(len(chunks))
	root.NumChildren = &width
	schema[0] = &root
	for _, c := range chunks {
		schema = append(schema, meta.FileMetaData.Schema[1+c])
	}
	meta.FileMetaData.Schema, meta.ColumnOrders = schema, nil
	at, err := dst.WriteString(magic)
	if err != nil {
		return "", err
	}
	end := int64(at)
	for i, g := range meta.RowGroups {
		group := *g
		group.Columns, group.FileOffset, group.Ordinal, group.SortingColumns = nil, nil, nil, nil
		for _, c := range chunks {
			chunk := *g.Columns[c]
			data := *chunk.MetaData
			begin := data.DataPageOffset
			if d := data.DictionaryPageOffset; d != nil && *d > 0 && *d < begin {
				begin = *d
				moved := end
				data.DictionaryPageOffset = &moved
			}
			if _, err := src.Seek(begin, io.SeekStart); err != nil {
				return "", err
			}
			if _, err := io.CopyN(dst, src, data.TotalCompressedSize); err != nil {
				return "", err
			}
			data.DataPageOffset += end - begin
			data.IndexPageOffset, data.BloomFilterOffset, data.BloomFilterLength = nil, nil, nil
			chunk.OffsetIndexOffset, chunk.OffsetIndexLength, chunk.ColumnIndexOffset, chunk.ColumnIndexLength = nil, nil, nil, nil
			chunk.FileOffset, chunk.MetaData = 0, &data
			end += data.TotalCompressedSize
			group.Columns = append(group.Columns, &chunk)
		}
		meta.RowGroups[i] = &group
	}
	n, err := meta.WriteTo(dst, nil)
	if err != nil {
		return "", err
	}
	_, err = dst.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(n)), magic...))
	return dst.Name(), err
}

// magic is what a Parquet file begins and ends with.
const magic = "PAR1"
