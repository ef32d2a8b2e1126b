package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/unspoof/unspoof/internal/casefile"
)

// sourceTable is a source's table of the case, ready to be held against the sealed file.
type sourceTable struct {
	*table
	src     *source
	columns []column // the source's own, in the declared order
	skipped int64    // values of its rows that were not compared: formSkip
	names   string   // SQL of what is fetched: ref_row, ref_offset, the columns, ref_misfit
}

func newSourceTable(t *table, src *source) (*sourceTable, error) {
	n := len(t.Columns)
	if n < 3 || t.Columns[0] != (columnType{"ref_row", "BIGINT"}) || t.Columns[1] != (columnType{"ref_offset", "BIGINT"}) ||
		t.Columns[n-1] != (columnType{"ref_misfit", "VARCHAR"}) {
		return nil, errors.New("has not the columns ref_row, ref_offset ... ref_misfit")
	}
	s := &sourceTable{table: t, src: src, names: "ref_row, ref_offset, "}
	for _, c := range t.Columns[2 : n-1] {
		col, err := newColumn(c.Name, c.Type)
		if err != nil {
			return nil, err
		}
		s.columns = append(s.columns, col)
		s.names += col.sql() + ", "
	}
	s.names += "ref_misfit"
	return s, nil
}

func (s *sourceTable) where(row, offset int64) casefile.Where {
	return casefile.Where{Source: string(s.src.id), Table: s.SourceTable, Row: row, Offset: offset, HasOffset: true}
}

// arrange puts a row's cells under the table's columns: by the names the statement gives, or
// else in the declared order. into is reused.
func (s *sourceTable) arrange(cells []cell, names []string, into []cell) ([]cell, error) {
	if names == nil {
		if len(cells) != len(s.columns) {
			return nil, fmt.Errorf("the source's row has %d values, the table %d columns", len(cells), len(s.columns))
		}
		return cells, nil
	}
	if len(names) != len(cells) {
		return nil, fmt.Errorf("the source's row has %d values where its statement names %d columns", len(cells), len(names))
	}
	into = slices.Grow(into[:0], len(s.columns))[:len(s.columns)]
	clear(into) // a column that is not named is null
	taken := make([]bool, len(s.columns))
	for i, name := range names {
		at := s.columnOf(name, taken)
		if at < 0 {
			return nil, fmt.Errorf("the source's statement names the column %q, the table has none", name)
		}
		into[at], taken[at] = cells[i], true
	}
	return into, nil
}

// columnOf finds the table's column that is the source's of that name, among those no other
// name has: the very name if there is one.
func (s *sourceTable) columnOf(name string, taken []bool) int {
	like := -1
	for i, c := range s.columns {
		switch {
		case taken[i] || !isColumn(c.name, name):
		case strings.EqualFold(c.name, name):
			return i
		case like < 0:
			like = i
		}
	}
	return like
}

// isColumn reports whether a table's column is the source's of that name: the same in any
// case of letters, perhaps with underscores appended to tell it from another.
func isColumn(column, name string) bool {
	name = strings.ToValidUTF8(name, "\uFFFD")
	return strings.EqualFold(column, name) ||
		len(column) > len(name) && strings.EqualFold(strings.TrimRight(column, "_"), strings.TrimRight(name, "_"))
}

// compare holds one fetched row against its cells, in the order of the columns, and names the
// columns that differ. bits is nil when the declarations are not known.
func (s *sourceTable) compare(row []any, cells []cell, charset string, bits map[string]bool) (differ []string) {
	var misfits map[string]json.RawMessage
	if text, some := row[len(row)-1].(string); some {
		if err := json.Unmarshal([]byte(text), &misfits); err != nil || len(misfits) == 0 {
			return []string{"ref_misfit"}
		}
	} else if row[len(row)-1] != nil {
		return []string{"ref_misfit"}
	}
	kept := 0
	for i, col := range s.columns {
		got := row[2+i]
		original, isMisfit := misfits[col.name]
		if isMisfit {
			kept++
		}
		if cells[i].form == formSkip {
			s.skipped++
			continue
		}
		ok, err := col.same(cells[i], got, charset, bits[col.name], bits != nil)
		switch {
		case errors.Is(err, errMisfit):
			ok = got == nil && isMisfit && isOriginal(original, cells[i], charset)
		case isMisfit:
			// Without the declaration, digits in quotes may be bits that do not fit.
			ok = bits == nil && got == nil && cells[i].form != formBare && col.kind != "VARCHAR" && col.kind != "BLOB" &&
				isOriginal(original, cells[i], charset)
		}
		if !ok {
			differ = append(differ, col.name)
		}
	}
	if kept != len(misfits) {
		differ = append(differ, "ref_misfit")
	}
	return differ
}

// checkRows holds the source tables against the sealed files.
func (r *run) checkRows(c *Check) {
	bySource := map[*source][]*sourceTable{}
	for _, name := range sortedKeys(r.tables) {
		t := r.tables[name]
		if t.Kind != "source" || t.side() {
			continue
		}
		src := r.sources[casefile.SourceID(t.Source)]
		if src == nil {
			c.warn("tables/"+name, casefile.Where{Source: t.Source, Table: t.SourceTable}, "its rows are not compared: the sealed file is missing or was altered")
			continue
		}
		s, err := newSourceTable(t, src)
		if err != nil {
			c.fail("tables/"+name, casefile.Where{Source: t.Source, Table: t.SourceTable}, "%v", err)
			continue
		}
		bySource[src] = append(bySource[src], s)
	}
	for _, src := range r.sortedSources() {
		r.checkCounts(c, src, bySource[src])
		if why := r.incomparable(src, bySource[src]); why != "" {
			if len(bySource[src]) > 0 {
				c.warn("source "+src.id.Short(), casefile.Where{Source: string(src.id)}, "its rows are counted but not compared with the sealed file: %s", why)
			}
			delete(bySource, src)
			continue
		}
		r.checkStatements(c, src)
	}
	defer func() {
		for _, src := range r.sortedSources() {
			for _, s := range bySource[src] {
				if s.skipped > 0 {
					c.warn("tables/"+s.Table, casefile.Where{Source: s.Source, Table: s.SourceTable}, "%d values of its rows are not compared: this checker does not read all types of Extended JSON", s.skipped)
				}
			}
		}
	}()
	if r.opt.All {
		for _, src := range r.sortedSources() {
			if r.incomparable(src, bySource[src]) == "" && (len(bySource[src]) > 0 || r.hasRead(src)) {
				r.scanSource(c, src, bySource[src], nil)
			}
		}
		return
	}
	r.sampleRows(c, bySource)
}

// incomparable says why this checker cannot read a source's rows itself; empty when it can.
// Its own readers are for SQL dumps of MySQL and MariaDB, for those of PostgreSQL in UTF-8, for CSV in UTF-8 with a header line,
// and for JSON objects. Of other sources it checks the hash, the record, the tables' hashes and the counts.
func (r *run) incomparable(src *source, tables []*sourceTable) string {
	switch src.record.Format {
	case "mysqldump":
		return ""
	case "pgdump":
		return r.otherEncoding(src)
	case "json":
		for _, t := range tables {
			if len(t.columns) > maxKeys {
				return fmt.Sprintf("its objects have more than %d keys", maxKeys)
			}
			if t.alike() {
				return "it has keys that differ only by case or by underscores at their end"
			}
		}
		return ""
	case "csv":
	default:
		return fmt.Sprintf("this checker has no reader of its own for %q", src.record.Format)
	}
	f, err := r.dir.open("sources/" + string(src.id))
	if err != nil {
		return "" // said elsewhere
	}
	defer f.Close()
	head := make([]byte, 64<<10)
	n, _ := f.ReadAt(head, 0)
	head = head[:n]
	if bytes.HasPrefix(head, []byte{0xFF, 0xFE}) || bytes.HasPrefix(head, []byte{0xFE, 0xFF}) {
		return "it is UTF-16"
	}
	if !utf8.Valid(head[:max(0, len(head)-4)]) {
		return "its text is not UTF-8"
	}
	line, err := readRecord(newInput(bytes.NewReader(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF"))), 0), 0)
	if err != nil {
		return ""
	}
	if bytes.HasPrefix(line, []byte("sep=")) {
		return "it has no plain header line"
	}
	for _, t := range tables {
		for i, c := range t.columns {
			if c.name != fmt.Sprintf("c%d", i+1) {
				return ""
			}
		}
		if fields := splitRecord(line, findComma(line), nil); len(fields) == 0 || string(fields[0].value) != "c1" {
			return "it has no header line"
		}
	}
	return ""
}

// otherEncoding says that a dump of PostgreSQL is not in UTF-8; empty when it is.
func (r *run) otherEncoding(src *source) string {
	f, err := r.dir.open("sources/" + string(src.id))
	if err != nil {
		return "" // said elsewhere
	}
	defer f.Close()
	head := make([]byte, 64<<10)
	n, _ := f.ReadAt(head, 0)
	if m := pgEncoding.FindSubmatch(head[:n]); m != nil && !strings.EqualFold(string(m[1]), "UTF8") {
		return "its text is not UTF-8"
	}
	return ""
}

// maxKeys is how many columns of JSON objects are told apart; the writers keep further keys
// together in one column.
const maxKeys = 1000

func (r *run) hasRead(src *source) bool {
	_, read := r.acts.reads[string(src.id)]
	return read
}

func (r *run) sortedSources() []*source {
	list := make([]*source, 0, len(r.sources))
	for _, id := range sortedKeys(r.sources) {
		list = append(list, r.sources[id])
	}
	return list
}

// checkCounts asks whether the rows of a source are all accounted for.
func (r *run) checkCounts(c *Check, src *source, tables []*sourceTable) {
	id := src.id
	at := casefile.Where{Source: string(id)}
	read, done := r.acts.reads[string(id)]
	if !done {
		if len(tables) > 0 {
			c.fail("source "+id.Short(), at, "has tables, and no entry of the ledger says that it was read")
		}
		return
	}
	prefix := "source." + id.Short() + "."
	for name := range r.acts.published {
		if strings.HasPrefix(name, prefix) && r.tables[name] == nil {
			return // reported with the table
		}
	}
	var stored int64
	for _, t := range tables {
		stored += t.Rows
	}
	damaged := int64(0)
	list, err := r.damageOf(id)
	if err != nil {
		c.fail("tables/"+prefix+"%damage", at, "%v", err)
		return
	}
	for _, s := range list {
		damaged += s.rows
		if (src.record.Format == "mysqldump" || src.record.Format == "pgdump" || src.record.Format == "csv" || src.record.Format == "json") && s.offset+s.length > src.size {
			c.fail("tables/"+prefix+"%damage", casefile.Where{Source: string(id), Table: s.table, Offset: s.offset, HasOffset: true}, "records damage beyond the end of the file")
		}
	}
	for _, n := range []struct {
		name string
		is   int64
	}{{"rows_in", stored + damaged}, {"rows_stored", stored}, {"rows_damaged", damaged}} {
		if want, ok := read.number(n.name); !ok || want != n.is {
			c.fail("source "+id.Short(), at, "%s is %d by its tables, entry %d says %v", n.name, n.is, read.Seq, read.Details[n.name])
		}
	}
}

// checkStatements holds the statements that were kept as text against the sealed file's bytes.
func (r *run) checkStatements(c *Check, src *source) {
	t := r.tables["source."+src.id.Short()+".%statements"]
	if t == nil || len(t.Files) == 0 {
		return
	}
	what, at := "tables/"+t.Table, casefile.Where{Source: string(src.id)}
	f, err := r.dir.open("sources/" + string(src.id))
	if err != nil {
		c.fail(what, at, "%v", err)
		return
	}
	defer f.Close()
	err = r.engine.each(r.ctx, "SELECT ref_offset, text FROM "+r.engine.parquet(t, ""), func(row []any) error {
		offset, _ := row[0].(int64)
		text, _ := row[1].([]byte)
		there := make([]byte, len(text))
		if _, err := f.ReadAt(there, max(offset, 0)); len(text) == 0 || err != nil || !bytes.Equal(there, text) {
			at.Offset, at.HasOffset = offset, true
			c.fail(what, at, "a statement is not what the sealed file says there")
		}
		return nil
	})
	if err != nil {
		c.fail(what, at, "cannot be read: %v", err)
	}
}

// maxStretches bounds the damage that is taken into account.
const maxStretches = 1 << 20

// damageOf reads a source's damage table, by offset.
func (r *run) damageOf(id casefile.SourceID) ([]stretch, error) {
	t := r.tables["source."+id.Short()+".%damage"]
	if t == nil || len(t.Files) == 0 {
		return nil, nil
	}
	first := "ref_row" // the ordinal of the first damaged row
	if slices.Contains(t.Columns, columnType{"row", "BIGINT"}) {
		first = `"row"`
	}
	var list []stretch
	err := r.engine.each(r.ctx, fmt.Sprintf(`SELECT ref_offset, coalesce(length, 0), coalesce("table", ''), coalesce(%s, 0), coalesce("rows", 0) FROM %s ORDER BY ref_offset LIMIT %d`,
		first, r.engine.parquet(t, ""), maxStretches+1), func(row []any) error {
		s := stretch{}
		var ok [5]bool
		s.offset, ok[0] = row[0].(int64)
		s.length, ok[1] = row[1].(int64)
		s.table, ok[2] = row[2].(string)
		s.row, ok[3] = row[3].(int64)
		s.rows, ok[4] = row[4].(int64)
		if ok != [5]bool{true, true, true, true, true} || s.offset < 0 || s.length < 0 || s.rows < 0 || s.offset+s.length < 0 || s.rows > 1<<40 {
			return errors.New("holds an entry that cannot be")
		}
		list = append(list, s)
		return nil
	})
	if err == nil && len(list) > maxStretches {
		err = fmt.Errorf("has more than %d entries", maxStretches)
	}
	return list, err
}

// fileRows is a set of rows of one file of a table, by their place in it.
type fileRows struct {
	s    *sourceTable
	file int
	rows []int64
}

// sampleRows compares rows drawn uniformly from all source tables.
func (r *run) sampleRows(c *Check, bySource map[*source][]*sourceTable) {
	var all []*sourceTable
	var total int64
	for _, src := range r.sortedSources() {
		for _, s := range bySource[src] {
			all = append(all, s)
			total += s.Rows
		}
	}
	again := map[*source]map[int64]bool{} // offsets of rows to be looked at in their context
	picks := pick(all, total, r.opt.Sample, r.opt.Seed)
	for n, p := range picks {
		if r.ctx.Err() != nil {
			return
		}
		r.progress("rows", int64(n), int64(len(picks)))
		for batch := range slices.Chunk(p.rows, 256) {
			if err := r.compareAtSight(c, p, batch, again); err != nil {
				c.fail("tables/"+p.s.Table, casefile.Where{Source: p.s.Source, Table: p.s.SourceTable}, "its rows cannot be read: %v", err)
			}
		}
	}
	for _, src := range r.sortedSources() {
		if offsets := again[src]; len(offsets) > 0 {
			r.scanSource(c, src, bySource[src], offsets)
		}
	}
}

// pick draws n of the tables' rows, every set of n as likely as any other, the same for a seed.
func pick(tables []*sourceTable, total int64, n int, seed uint64) (picks []fileRows) {
	rng := rand.New(rand.NewPCG(seed, 0))
	chosen := map[int64]bool{}
	for int64(len(chosen)) < min(int64(n), total) {
		// Floyd's method: the last of a growing range, or an earlier one not taken yet.
		last := total - min(int64(n), total) + int64(len(chosen))
		k := rng.Int64N(last + 1)
		if chosen[k] {
			k = last
		}
		chosen[k] = true
	}
	places := make([]int64, 0, len(chosen))
	for k := range chosen {
		places = append(places, k)
	}
	slices.Sort(places)
	var first int64
	for _, s := range tables {
		for i, f := range s.Files {
			p := fileRows{s: s, file: i}
			for len(places) > 0 && places[0] < first+f.Rows {
				p.rows = append(p.rows, places[0]-first)
				places = places[1:]
			}
			if len(p.rows) > 0 {
				picks = append(picks, p)
			}
			first += f.Rows
		}
	}
	return picks
}

// compareAtSight opens the sealed file at each row's offset and compares, taking the cells
// in the declared order. A row that then differs is put down to be looked at again in its
// context: its statement may name the columns in another order.
func (r *run) compareAtSight(c *Check, p fileRows, rows []int64, again map[*source]map[int64]bool) error {
	name := "sources/" + string(p.s.src.id)
	f, err := r.dir.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	look := newSight(f, p.s)
	numbers := make([]string, len(rows))
	for i, n := range rows {
		numbers[i] = strconv.FormatInt(n, 10)
	}
	return r.engine.each(r.ctx, "SELECT "+p.s.names+" FROM read_parquet("+literal(r.engine.path(p.s.Table, p.s.Version, p.s.Files[p.file].Name))+
		", hive_partitioning=false, file_row_number=true) WHERE file_row_number IN ("+strings.Join(numbers, ", ")+")", func(row []any) error {
		c.Objects++
		ordinal, _ := row[0].(int64)
		offset, _ := row[1].(int64)
		if differ, err := look.compare(row, offset); err != nil || len(differ) > 0 {
			if again[p.s.src] == nil {
				again[p.s.src] = map[int64]bool{}
			}
			if again[p.s.src][offset] {
				c.fail("tables/"+p.s.Table, p.s.where(ordinal, offset), "another row of the table has the same offset")
			}
			again[p.s.src][offset] = true
		}
		return nil
	})
}

// sight reads single rows of a sealed file by their offset.
type sight struct {
	f       io.ReaderAt
	s       *sourceTable
	charset string
	comma   byte
}

func newSight(f *os.File, s *sourceTable) *sight {
	head := make([]byte, 64<<10)
	n, _ := f.ReadAt(head, 0) // what cannot be read here cannot be read row by row either
	look := &sight{f: f, s: s, comma: ','}
	if s.src.record.Format == "csv" {
		line, _ := readRecord(newInput(strings.NewReader(string(head[:n])), 0), 0)
		look.comma = findComma(line)
	} else if m := setNames.FindSubmatch(head[:n]); m != nil {
		look.charset, _ = knownCharset(string(m[1]))
	}
	return look
}

func (l *sight) compare(row []any, offset int64) ([]string, error) {
	if offset < 0 || offset >= l.s.src.size {
		return nil, errRow
	}
	in := newInput(io.NewSectionReader(l.f, offset, l.s.src.size-offset), offset)
	var cells []cell
	var names []string
	switch l.s.src.record.Format {
	case "json":
		text, err := readObject(in)
		if err != nil {
			return nil, err
		}
		if names, cells, err = splitObject(text); err != nil {
			return nil, err
		}
	case "csv":
		text, err := readRecord(in, l.comma)
		if err != nil {
			return nil, err
		}
		cells = pad(splitRecord(text, l.comma, nil), len(l.s.columns))
	case "pgdump":
		if cells = l.pgRow(in, offset); len(cells) != len(l.s.columns) {
			return nil, errRow
		}
		l.s.pgBytes(cells)
		return l.s.compare(row, cells, "", map[string]bool{}), nil
	default:
		text, err := readTuple(in)
		if err != nil {
			return nil, err
		}
		if cells, err = splitTuple(text, nil); err != nil {
			return nil, err
		}
	}
	cells, err := l.s.arrange(cells, names, nil)
	if err != nil {
		return nil, err
	}
	return l.s.compare(row, cells, l.charset, nil), nil
}

// pgRow reads the row of an INSERT, or else the line of a COPY.
func (l *sight) pgRow(in *input, offset int64) (cells []cell) {
	if in.at(0) == '(' {
		if text, err := (&pgScanner{in: in, std: true}).tuple(); err == nil {
			for _, word := range pgItems(text[1:len(text)-1], true) {
				cells = append(cells, readPGValue(word, true))
			}
			if len(cells) == len(l.s.columns) {
				return cells
			}
		}
		in = newInput(io.NewSectionReader(l.f, offset, l.s.src.size-offset), offset)
	}
	line, ok := readCopyLine(in)
	if !ok {
		return nil
	}
	return splitCopyLine(line, nil)
}

// pad makes the fields that a short CSV record lacks null.
func pad(cells []cell, n int) []cell {
	for len(cells) < n {
		cells = append(cells, cell{})
	}
	return cells
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	return keys
}
