// Package sqlitefile reads SQLite database files, as evidence: the file is never changed.
//
// A database with nothing beside it is opened read-only and immutable, so that SQLite takes
// no lock and writes nothing. One beside which a -wal or -journal file lay is copied, with
// those, to a temporary folder first, because SQLite works on them: what was committed in the
// -wal is read, and what the -journal shows to be unfinished is rolled back, as the program
// that used the database would have seen it. A -journal that names a super-journal (of a
// commit over several databases) is left out and a remark says so: SQLite would open the file
// it names, and may delete it. A file that was written in write-ahead mode and has no -wal
// beside it gets a remark: its last changes may be missing. Deleted rows that still lie in
// free pages are not looked for.
//
// A row has no byte address: its offset is its rowid, by which it is read again, or its
// ordinal in a table WITHOUT ROWID. A row's text is its cells one behind the other, numbers
// in decimal and blobs in hexadecimal. Rows come in rowid order.
//
// SQLite's types belong to values, not columns. A column declared ..INT.. or BOOL.. is an
// integer, REAL, FLOAT or DOUBLE a float, BLOB binary, and all else, dates and decimals too,
// text, as which integers and floats stand in their shortest exact form. A value that is not
// of its column's kind stays: text or a float in an integer column as itself, a blob outside a
// BLOB column as x'..', and what is not a blob in one as an SQL literal; all three are misfits.
//
// Where pages are corrupt, the reader seeks the next rowid from which it can read on. The
// rowids between are one damage: its offset is the first, its length how many, and Rows, one,
// is the least there can have been. The schema's statements are handed on as text, with the
// offset of their rowid in it. Virtual tables are not read (their shadow tables are), nor
// generated columns that are not stored.
//
// Reading order: sqlitefile.go (tables), open.go (files), row.go (queries and cells).
package sqlitefile

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

const magic = "SQLite format 3\x00"

// Format is the reader of SQLite files.
func Format() dump.Format {
	return dump.Format{
		Name: "sqlite", Version: "1", About: "SQLite database file",
		Match:  func(_ string, head []byte) bool { return bytes.HasPrefix(head, []byte(magic)) },
		File:   Read,
		Beside: []string{wal, journal},
		Row:    findRow,
	}
}

const (
	batchText = 4 << 20 // bytes of one batch's text
	batchRows = 1 << 16
)

// Read reads the database and hands what it finds to sink. What of the database is
// corrupt is damage; an error is the sink's, the context's, or that the file cannot be opened.
func Read(ctx context.Context, src dump.Sealed, sink dump.Sink) (err error) {
	defer guard(&err)
	if err := ctx.Err(); err != nil {
		return err
	}
	db, done, remarks, err := open(src)
	if err != nil {
		return err
	}
	defer done()
	for _, remark := range remarks {
		if err := sink.Damage(remark); err != nil {
			return err
		}
	}
	info, err := os.Stat(src.Path)
	if err != nil {
		return err
	}
	p := &reader{ctx: ctx, db: db, sink: sink, pages: info.Size()/512 + 1}
	tables, statements, err := schema(ctx, db)
	for _, s := range statements {
		if err := sink.Statement(s); err != nil {
			return err
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return sink.Damage(dump.Damage{Reason: "the database's schema cannot be read: " + err.Error()})
	}
	for _, t := range tables {
		if err := p.read(t); err != nil {
			return err
		}
	}
	return nil
}

// guard makes an error of a panic in SQLite's translated code.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("SQLite failed on this file: %v\n%s", p, debug.Stack())
	}
}

// table is a table of the database.
type table struct {
	*dump.Table
	rowid string // how its rowid is called; empty: it has none
	names string // its columns, for a query
	why   string // why it is not read
}

// schema lists the tables and the statements that made everything.
func schema(ctx context.Context, db *sql.DB) (tables []*table, statements []dump.Statement, err error) {
	type object struct{ kind, name, text string }
	var objects []object
	rows, err := db.QueryContext(ctx, `SELECT rowid, +type, +name, +coalesce(sql, '') FROM sqlite_schema ORDER BY rowid`)
	if err != nil {
		return nil, nil, err
	}
	for rows.Next() {
		var o object
		var id int64
		if err := rows.Scan(&id, &o.kind, &o.name, &o.text); err != nil {
			return nil, statements, errors.Join(err, rows.Close())
		}
		objects = append(objects, o)
		if o.text != "" {
			statements = append(statements, dump.Statement{Offset: id, Text: []byte(o.text)})
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, statements, err
	}
	for _, o := range objects {
		if o.kind != "table" {
			continue
		}
		t := &table{Table: &dump.Table{Name: o.name}}
		tables = append(tables, t)
		if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(o.text)), "CREATE VIRTUAL TABLE") {
			t.why = "a virtual table is not read"
		} else if err := t.describe(ctx, db); err != nil {
			t.why = err.Error()
		}
	}
	return tables, statements, nil
}

// describe finds a table's columns.
func (t *table) describe(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, `SELECT +name, +type, +hidden, +pk FROM pragma_table_xinfo(?)`, t.Name)
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	var names []string
	type part struct {
		place int
		name  string
	}
	var key []part
	for rows.Next() {
		var name, declared string
		var hidden, pk int // pk: place in the primary key, from 1
		if err := rows.Scan(&name, &declared, &hidden, &pk); err != nil {
			return errors.Join(err, rows.Close())
		}
		taken[strings.ToLower(name)] = true
		if hidden == 1 || hidden == 2 { // a virtual table's; computed and not stored
			continue
		}
		t.Columns = append(t.Columns, dump.Column{Name: name, Kind: kindOf(declared), Declared: declared})
		if pk > 0 {
			key = append(key, part{pk, name})
		}
		names = append(names, "+"+quote(name)) // + hides the declared type from the driver, which would convert
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if len(t.Columns) == 0 {
		return errors.New("its columns cannot be read")
	}
	t.names = strings.Join(names, ", ")
	slices.SortFunc(key, func(a, b part) int { return a.place - b.place })
	for _, k := range key {
		t.Key = append(t.Key, k.name)
	}
	var without int
	if err := db.QueryRowContext(ctx, `SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?`, t.Name).Scan(&without); err != nil {
		return err
	}
	for _, name := range []string{"rowid", "_rowid_", "oid"} {
		if without == 0 && !taken[name] {
			t.rowid = name
			break
		}
	}
	return nil
}

// kindOf reads a declared type, by the rules of SQLite's affinities.
func kindOf(declared string) dump.Kind {
	s := strings.ToUpper(declared)
	switch {
	case strings.Contains(s, "INT"), strings.HasPrefix(s, "BOOL"):
		return dump.Int
	case strings.Contains(s, "CHAR"), strings.Contains(s, "CLOB"), strings.Contains(s, "TEXT"):
		return dump.Text
	case strings.Contains(s, "BLOB"):
		return dump.Binary
	case strings.Contains(s, "REAL"), strings.Contains(s, "FLOA"), strings.Contains(s, "DOUB"):
		return dump.Float
	}
	return dump.Text
}

type reader struct {
	ctx  context.Context
	db   *sql.DB
	sink dump.Sink
	// pages is how many pages the file has at most: SQLite's smallest have 512 bytes.
	pages int64
}

// read reads one table.
func (p *reader) read(t *table) error {
	if t.why != "" {
		return p.sink.Damage(dump.Damage{Table: t.Name, Reason: fmt.Sprintf("table %q: %s", t.Name, t.why)})
	}
	next := int64(1)
	from, damages := int64(math.MinInt64), int64(0)
	for {
		last, some, err := p.run(t, from, &next)
		if p.ctx.Err() != nil {
			return errors.Join(err, p.ctx.Err())
		}
		if err == nil {
			return p.sink.Rows(&dump.Batch{Table: t.Table, FirstRow: next}) // it is there without rows too
		}
		var bySink *sinkError
		if errors.As(err, &bySink) {
			return bySink.error
		}
		lost := from
		if some {
			lost = last + 1
		}
		d := dump.Damage{Table: t.Name, Row: next, Offset: max(lost, 0), Rows: 1, Reason: "the rows cannot be read: " + err.Error()}
		next++
		resume, ok := int64(0), false
		if t.rowid != "" && (!some || last < math.MaxInt64) {
			resume, ok = p.seek(t, lost)
		}
		// In a corrupt tree a search may lead back; and every damage is at least a page of it.
		if damages++; ok && (resume <= lost || damages > p.pages) {
			d.Reason += "; what is behind them is given up"
			ok = false
		}
		if ok && lost >= 0 {
			d.Length = resume - lost
			d.Reason += fmt.Sprintf(" (up to rowid %d)", resume-1)
		}
		if p.ctx.Err() != nil {
			return p.ctx.Err()
		}
		if err := p.sink.Damage(d); err != nil || !ok {
			return err
		}
		from = resume
	}
}

// seek finds the least rowid behind lost, as far as halving tells, from which a row can be
// read.
func (p *reader) seek(t *table, lost int64) (resume int64, ok bool) {
	if lost == math.MinInt64 {
		lost = 0 // rowids below are rare
	}
	at := func(from int64) (rowid int64, ok bool) {
		err := p.db.QueryRowContext(p.ctx, "SELECT "+t.rowid+", "+t.names+" FROM main."+quote(t.Name)+" NOT INDEXED WHERE "+t.rowid+" >= ? ORDER BY "+t.rowid+" LIMIT 1", from).Scan(t.targets(&rowid)...)
		return rowid, err == nil
	}
	step, low := int64(1), lost
	for {
		from := lost + step
		if from < lost || p.ctx.Err() != nil {
			return 0, false
		}
		if resume, ok = at(from); ok {
			break
		}
		low = from
		if step > math.MaxInt64/2 {
			return 0, false
		}
		step *= 2
	}
	for high := lost + step; high-low > 1; {
		middle := low + (high-low)/2
		if r, ok := at(middle); ok {
			high, resume = middle, r
		} else {
			low = middle
		}
	}
	return resume, true
}

// sinkError is an error of the sink, not of the database.
type sinkError struct{ error }

func (e *sinkError) Unwrap() error { return e.error }

// run reads the rows from a rowid on, up to the end or an error. last is the last row's
// rowid, when there was some row.
func (p *reader) run(t *table, from int64, next *int64) (last int64, some bool, err error) {
	// The table itself is read, never an index that holds the same columns.
	query := "SELECT 0, " + t.names + " FROM main." + quote(t.Name) + " NOT INDEXED"
	var args []any
	if t.rowid != "" {
		query = "SELECT " + t.rowid + ", " + t.names + " FROM main." + quote(t.Name) + " NOT INDEXED WHERE " + t.rowid + " >= ? ORDER BY " + t.rowid
		args = []any{from}
	}
	rows, err := p.db.QueryContext(p.ctx, query, args...)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	b := &dump.Batch{Table: t.Table, FirstRow: *next}
	flush := func() error {
		if len(b.Rows) == 0 {
			return nil
		}
		full := b
		b = &dump.Batch{Table: t.Table, FirstRow: *next}
		if err := p.sink.Rows(full); err != nil {
			return &sinkError{err}
		}
		return p.ctx.Err()
	}
	var id int64
	targets := t.targets(&id)
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return last, some, errors.Join(err, flush())
		}
		if t.rowid == "" {
			id = *next
		}
		last, some = id, true
		b.Rows = append(b.Rows, dump.Row{Offset: id})
		for i, target := range targets[1:] {
			b.Text, b.Fields = appendCell(b.Text, b.Fields, *target.(*any), t.Columns[i].Kind)
		}
		*next++
		if len(b.Text) > batchText || len(b.Rows) >= batchRows {
			if err := flush(); err != nil {
				return last, some, err
			}
		}
	}
	readErr := rows.Err()
	if err := flush(); err != nil {
		return last, some, err
	}
	return last, some, readErr
}

// targets are what a row is scanned into: its rowid and values.
func (t *table) targets(id *int64) []any {
	list := []any{id}
	for range t.Columns {
		list = append(list, new(any))
	}
	return list
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
