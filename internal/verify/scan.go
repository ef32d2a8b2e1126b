package verify

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/unspoof/unspoof/internal/casefile"
)

// scanner holds one sealed file, read from its beginning to its end, against its tables.
type scanner struct {
	r      *run
	c      *Check
	src    *source
	tables map[string]*sourceTable // by the source's name for them
	only   map[int64]bool          // compare only the rows at these offsets; nil: every row

	next    map[string]int64 // ordinal of each table's next row
	cursors map[string]*cursor
	cells   []cell
	placed  []cell
	unknown map[string]bool // tables of the source that the case has not
	checked map[*definition]bool
}

// scanSource compares all rows of a source (or those at the offsets in only) with what its
// own reading of the sealed file finds, row numbers and offsets included.
func (r *run) scanSource(c *Check, src *source, tables []*sourceTable, only map[int64]bool) {
	s := &scanner{r: r, c: c, src: src, only: only, tables: map[string]*sourceTable{}, next: map[string]int64{},
		cursors: map[string]*cursor{}, unknown: map[string]bool{}, checked: map[*definition]bool{}}
	for _, t := range tables {
		s.tables[t.SourceTable] = t
	}
	defer s.rest()
	what, at := "sources/"+string(src.id), casefile.Where{Source: string(src.id)}
	damage, err := r.damageOf(src.id)
	if err != nil {
		c.fail(what, at, "its damage table cannot be read: %v", err)
		return
	}
	f, err := r.dir.open(what)
	if err != nil {
		c.fail(what, at, "%v", err)
		return
	}
	defer f.Close()
	in := newInput(&progressReader{r: r, from: f, total: src.size}, 0)
	switch src.record.Format {
	case "csv":
		err = s.csv(in, damage)
	case "json":
		err = s.json(in, damage)
	case "pgdump":
		err = s.postgres(in, damage)
	default:
		d := &dumpScanner{in: in, damage: slices.DeleteFunc(damage, func(s stretch) bool { return s.length == 0 }), row: s.row, passed: s.damaged}
		err = d.scan(r.ctx)
	}
	if err != nil {
		var p *casefile.Problem
		if errors.As(err, &p) {
			at = p.Where
			at.Source, err = string(src.id), p.Err
		}
		c.fail(what, at, "cannot be read further, and the case records no damage there: %v", err)
		return
	}
	s.finish()
}

// progressReader tells how far the reading is.
type progressReader struct {
	r           *run
	from        io.Reader
	done, total int64
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	p.done += int64(n)
	p.r.progress("rows", p.done, p.total)
	return n, errors.Join(err, p.r.ctx.Err())
}

// row takes one row of a dump.
func (s *scanner) row(row scannedRow) error {
	ordinal := s.count(row.table, 1)
	if s.only != nil && !s.only[row.offset] {
		return nil
	}
	t := s.known(row.table, row.offset)
	if t == nil {
		return nil
	}
	if !s.checked[row.def] && row.def.bits != nil {
		s.checked[row.def] = true
		if !slices.EqualFunc(t.columns, row.def.columns, func(c column, name string) bool { return isColumn(c.name, name) }) {
			s.c.fail("tables/"+t.Table, t.where(0, row.offset), "its columns are not the ones the source declares, in that order")
		}
	}
	cells, err := splitTuple(row.text, s.cells)
	s.cells = cells
	placed := cells
	if err == nil {
		placed, err = t.arrange(cells, row.columns, s.placed)
	}
	if err != nil {
		s.c.fail("sources/"+string(s.src.id), t.where(ordinal, row.offset), "%v, and the case records no damage there", err)
		return nil
	}
	if row.columns != nil {
		s.placed = placed // arranged in memory of its own: used again
	}
	return s.compare(t, ordinal, row.offset, placed, row.def.charset, row.def.bits)
}

// count gives the ordinal of a table's next row and passes over n rows.
func (s *scanner) count(table string, n int64) int64 {
	if s.next[table] == 0 {
		s.next[table] = 1
	}
	ordinal := s.next[table]
	s.next[table] += n
	return ordinal
}

// known gives the case's table of a source's name, and reports once that there is none.
func (s *scanner) known(name string, offset int64) *sourceTable {
	t := s.tables[name]
	if t == nil && !s.unknown[name] && len(s.unknown) < 1000 {
		s.unknown[name] = true
		s.c.fail("sources/"+string(s.src.id), casefile.Where{Source: string(s.src.id), Table: name, Row: s.next[name] - 1, Offset: offset, HasOffset: true},
			"has a row of this table, and the case serves no such table")
	}
	return t
}

// compare finds the table's row of that ordinal and holds it against the source's cells.
func (s *scanner) compare(t *sourceTable, ordinal, offset int64, cells []cell, charset string, bits map[string]bool) error {
	cu := s.cursors[t.SourceTable]
	if cu == nil {
		if len(s.cursors) >= 8 {
			s.rest() // bounded, however many tables take turns
		}
		cu = &cursor{r: s.r, t: t}
		s.cursors[t.SourceTable] = cu
	}
	if s.only != nil {
		delete(s.only, offset)
	}
	row, err := cu.find(ordinal)
	if err != nil {
		return &casefile.Problem{Where: t.where(ordinal, offset), Err: fmt.Errorf("the table cannot be read: %w", err)}
	}
	what, at := "tables/"+t.Table, t.where(ordinal, offset)
	if cu.strays > 0 && s.only == nil { // of a sample, the rows between are not asked for
		s.c.fail(what, at, "before this row it has %d rows that are not the source's, or out of order", cu.strays)
	}
	cu.strays = 0
	if row == nil {
		s.c.fail(what, at, "the row is missing")
		return nil
	}
	if s.only == nil {
		s.c.Objects++
	}
	if was, _ := row[1].(int64); was != offset {
		s.c.fail(what, at, "says that the row is at offset %d", was)
	}
	for _, name := range t.compare(row, cells, charset, bits) {
		s.c.fail(what, at, "column %q is not what the sealed file says", name)
	}
	return nil
}

// damaged takes a stretch that the case records as damaged and that was passed over.
func (s *scanner) damaged(d stretch, reads bool) {
	if reads {
		s.c.warn("sources/"+string(s.src.id), casefile.Where{Source: string(s.src.id), Table: d.table, Row: d.row, Offset: d.offset, HasOffset: true},
			"is recorded as damaged and begins like a good row")
	}
	if d.rows == 0 {
		return
	}
	if ordinal := s.count(d.table, d.rows); ordinal != d.row {
		s.c.fail("sources/"+string(s.src.id), casefile.Where{Source: string(s.src.id), Table: d.table, Row: d.row, Offset: d.offset, HasOffset: true},
			"its damage is recorded at row %d, by the rows before it is row %d", d.row, ordinal)
	}
}

// csv reads a CSV file: a header line, then one record a row.
func (s *scanner) csv(in *input, damage []stretch) error {
	if len(s.tables) == 0 {
		return nil
	}
	var t *sourceTable
	for _, only := range s.tables {
		t = only
	}
	if in.at(0) == 0xEF && in.at(1) == 0xBB && in.at(2) == 0xBF {
		in.skip(3)
	}
	head, err := readRecord(in, 0)
	if err != nil {
		return err
	}
	comma := findComma(head)
	for i, h := range splitRecord(head, comma, nil) {
		if i >= len(t.columns) || !isColumn(t.columns[i].name, string(bytes.TrimSpace(h.value))) {
			s.c.fail("tables/"+t.Table, t.where(0, 0), "its columns are not those of the file's header line")
			break
		}
	}
	for {
		for len(damage) > 0 && damage[0].offset <= in.offset() {
			d := damage[0]
			damage = damage[1:]
			if end := d.offset + d.length; end > in.offset() {
				in.skipTo(end)
				s.damaged(d, false)
			}
		}
		offset := in.offset()
		text, err := readRecord(in, comma)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &casefile.Problem{Where: t.where(s.next[t.SourceTable], offset), Err: err}
		}
		if len(text) == 0 && len(t.columns) > 1 {
			continue // a blank line is no record
		}
		ordinal := s.count(t.SourceTable, 1)
		if s.only != nil && !s.only[offset] {
			continue
		}
		s.cells = splitRecord(text, comma, s.cells)
		if _, err := t.arrange(s.cells, nil, nil); err != nil {
			s.c.fail("sources/"+string(s.src.id), t.where(ordinal, offset), "%v, and the case records no damage there", err)
			continue
		}
		if err := s.compare(t, ordinal, offset, s.cells, "", nil); err != nil {
			return err
		}
	}
}

// json reads a file of JSON objects: one a line, in an array, or behind one another.
func (s *scanner) json(in *input, damage []stretch) error {
	if len(s.tables) == 0 {
		return nil
	}
	var t *sourceTable
	for _, only := range s.tables {
		t = only
	}
	if in.at(0) == 0xEF && in.at(1) == 0xBB && in.at(2) == 0xBF {
		in.skip(3)
	}
	for {
		for len(damage) > 0 && damage[0].offset <= in.offset() {
			d := damage[0]
			damage = damage[1:]
			if end := d.offset + d.length; end > in.offset() {
				in.skipTo(end)
				s.damaged(d, false)
			}
		}
		if !in.has(0) {
			return in.failed()
		}
		if c := in.at(0); isSpace(c) || c == ',' || c == '[' || c == ']' { // between objects
			in.skip(1)
			continue
		}
		offset := in.offset()
		text, err := readObject(in)
		if err != nil {
			return &casefile.Problem{Where: t.where(s.next[t.SourceTable], offset), Err: err}
		}
		ordinal := s.count(t.SourceTable, 1)
		if s.only != nil && !s.only[offset] {
			continue
		}
		names, cells, err := splitObject(text)
		if err == nil {
			cells, err = t.arrange(cells, names, nil)
		}
		if err != nil {
			s.c.fail("sources/"+string(s.src.id), t.where(ordinal, offset), "%v, and the case records no damage there", err)
			continue
		}
		if err := s.compare(t, ordinal, offset, cells, "", map[string]bool{}); err != nil {
			return err
		}
	}
}

// finish reports what the tables have beyond the source's rows.
func (s *scanner) finish() {
	if s.only != nil {
		for offset := range s.only {
			s.c.fail("sources/"+string(s.src.id), casefile.Where{Source: string(s.src.id), Offset: offset, HasOffset: true}, "a table's row says it is here, and no row begins here")
		}
		return
	}
	for name, t := range s.tables {
		cu := s.cursors[name]
		if cu == nil {
			cu = &cursor{r: s.r, t: t}
			s.cursors[name] = cu
		}
		if _, err := cu.find(1<<63 - 1); err != nil {
			s.c.fail("tables/"+t.Table, t.where(0, 0), "cannot be read: %v", err)
		} else if cu.strays > 0 {
			s.c.fail("tables/"+t.Table, t.where(s.next[name], 0), "has %d rows beyond the sealed file's", cu.strays)
		}
	}
}

// rest closes the cursors' queries; each goes on later where it stopped.
func (s *scanner) rest() {
	for _, cu := range s.cursors {
		cu.close()
	}
}

// cursor goes through a table's rows in the order of its files, a stretch of one file at a
// time, so that memory is bounded by that stretch.
type cursor struct {
	r      *run
	t      *sourceTable
	file   int   // the file the next query reads
	from   int64 // the row it begins with there
	until  int64 // and the row it ends before
	rows   *sql.Rows
	row    []any // read and not asked for yet; nil: none
	into   []any
	last   int64 // ordinal of the last row found
	strays int64 // rows passed over because nobody asked for them
}

// find gives the row of that ordinal, nil when the table goes from a lower to a higher one.
// Ordinals are asked for in rising order. The row is valid until the next find.
func (cu *cursor) find(ordinal int64) ([]any, error) {
	for {
		if cu.row == nil {
			if more, err := cu.advance(); err != nil || !more {
				return nil, err
			}
		}
		n, ok := cu.row[0].(int64)
		if !ok {
			return nil, errors.New("ref_row is null")
		}
		if n > ordinal {
			return nil, nil
		}
		row := cu.row
		cu.row = nil
		if n == ordinal {
			cu.last = n
			return row, nil
		}
		cu.strays++
	}
}

// advance reads the next row.
func (cu *cursor) advance() (bool, error) {
	for {
		if cu.rows == nil {
			for cu.file < len(cu.t.Files) && cu.from >= cu.t.Files[cu.file].Rows {
				cu.file, cu.from = cu.file+1, 0
			}
			if cu.file == len(cu.t.Files) {
				return false, nil
			}
			f := cu.t.Files[cu.file]
			cu.until = min(f.Rows, cu.from+cu.window(f))
			rows, err := cu.r.engine.db.QueryContext(cu.r.ctx, fmt.Sprintf("SELECT %s FROM read_parquet(%s, hive_partitioning=false, file_row_number=true) WHERE file_row_number >= %d AND file_row_number < %d ORDER BY file_row_number",
				cu.t.names, literal(cu.r.engine.path(cu.t.Table, cu.t.Version, f.Name)), cu.from, cu.until))
			if err != nil {
				return false, err
			}
			cu.rows = rows
		}
		if cu.rows.Next() {
			if cu.into == nil {
				cu.into = make([]any, len(cu.t.columns)+3)
			}
			row := make([]any, len(cu.into))
			for i := range row {
				cu.into[i] = &row[i]
			}
			if err := cu.rows.Scan(cu.into...); err != nil {
				return false, err
			}
			cu.row = row
			cu.from++
			return true, nil
		}
		err := cu.rows.Err()
		cu.close()
		if err == nil && cu.from < cu.until {
			err = errors.New("a file ends before its last row")
		}
		if err != nil {
			return false, err
		}
	}
}

// window is how many rows one query fetches: about 64 MiB of them, by the file's mean.
func (cu *cursor) window(f part) int64 {
	mean := f.Size*8/max(f.Rows, 1) + 64
	return min(max(64<<20/mean, 256), 1<<17)
}

func (cu *cursor) close() {
	if cu.rows != nil {
		cu.rows.Close()
		cu.rows = nil
	}
}
