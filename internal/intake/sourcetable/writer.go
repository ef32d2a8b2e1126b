// Package sourcetable writes what a reader finds as a case's source tables: Parquet files
// with the source's own columns, faithful types, and each row's address beside it. The
// layout is the section "Source tables" of docs/formats/case-folder.md.
//
// A [Writer] is a [dump.Sink]. Each batch becomes one file with one row group, written by one
// of a few workers; which rows lie in which file depends only on the source, so two readings
// give the same files. Values that do not fit their column's declared type become null, and
// their original text is kept in ref_misfit.
//
// Reading order: writer.go (workers, accounting), schema.go (types), encode.go (one batch),
// chunk.go (a file's columns), encodings.go (how their values are written).
package sourcetable

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/store"
)

// Writer writes the source tables of one source. Its methods are called by one goroutine.
type Writer struct {
	c      *store.Case
	jobs   chan job
	done   sync.WaitGroup
	mu     sync.Mutex // guards err
	err    error
	tables []*tableFiles
	byName map[*dump.Table]*tableFiles
	closed bool

	damage     []dump.Damage
	statements []dump.Statement
	kept       int64 // bytes of statements kept
}

type tableFiles struct {
	table   *dump.Table
	columns []column
	stage   *store.Stage
	files   []*store.File
}

type job struct {
	t     *tableFiles
	batch *dump.Batch
	file  *store.File
}

const (
	maxDamage     = 1 << 20  // entries; beyond it the reading stops with an error
	maxStatements = 64 << 20 // bytes; beyond it statements are counted as damage
)

// NewWriter makes a writer with its workers (0: one a processor).
func NewWriter(c *store.Case, workers int) *Writer {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	w := &Writer{c: c, jobs: make(chan job), byName: map[*dump.Table]*tableFiles{}}
	for range workers {
		w.done.Add(1)
		go w.work()
	}
	return w
}

// Rows takes a batch.
func (w *Writer) Rows(b *dump.Batch) error {
	t := w.byName[b.Table]
	if t == nil {
		stage, err := w.c.Stage()
		if err != nil {
			return err
		}
		t = &tableFiles{table: b.Table, columns: layout(b.Table), stage: stage}
		w.byName[b.Table] = t
		w.tables = append(w.tables, t)
	}
	if len(b.Rows) == 0 {
		if b.Release != nil {
			b.Release()
		}
		return nil
	}
	f := &store.File{Name: fmt.Sprintf("part-%05d.parquet", len(t.files)), Rows: int64(len(b.Rows))}
	t.files = append(t.files, f)
	w.mu.Lock()
	err := w.err
	w.mu.Unlock()
	if err != nil {
		return err
	}
	w.jobs <- job{t, b, f}
	return nil
}

// Damage takes a damage entry.
func (w *Writer) Damage(d dump.Damage) error {
	if len(w.damage) >= maxDamage {
		return fmt.Errorf("more than %d damaged stretches: this file is not what it seems (the last at offset %d: %s)", maxDamage, d.Offset, d.Reason)
	}
	w.damage = append(w.damage, d)
	return nil
}

// Statement takes a statement kept as text.
func (w *Writer) Statement(s dump.Statement) error {
	if w.kept += int64(len(s.Text)); w.kept > maxStatements {
		return w.Damage(dump.Damage{Offset: s.Offset, Length: int64(len(s.Text)), Reason: "too many statements that are not rows: this one is not kept as text"})
	}
	s.Text = append([]byte(nil), s.Text...)
	w.statements = append(w.statements, s)
	return nil
}

func (w *Writer) work() {
	defer w.done.Done()
	var e encoder
	for j := range w.jobs {
		err := e.write(j.file, j.t, j.batch)
		if j.batch.Release != nil {
			j.batch.Release()
		}
		if err != nil {
			w.mu.Lock()
			if w.err == nil {
				w.err = fmt.Errorf("table %q: %w", j.t.table.Name, err)
			}
			w.mu.Unlock()
		}
	}
}

// Close waits until everything is written.
func (w *Writer) Close() error {
	if !w.closed {
		w.closed = true
		close(w.jobs)
		w.done.Wait()
	}
	return w.err
}

// Discard removes what was written and not published.
func (w *Writer) Discard() {
	_ = w.Close() // its error was or will be returned to whoever asked for the rows
	for _, t := range w.tables {
		t.stage.Discard()
	}
}

// Totals are the counts of one source.
type Totals struct {
	Tables  int   `json:"tables"`
	Stored  int64 `json:"rows_stored"`
	Damaged int64 `json:"rows_damaged"`
	Damages int   `json:"damages"` // entries of the damage table, remarks included
}

// In is the number of rows the source held: stored and damaged.
func (t Totals) In() int64 { return t.Stored + t.Damaged }

// Publish publishes the tables under the source's name. stepVersion names the reader and
// its version.
func (w *Writer) Publish(ctx context.Context, id casefile.SourceID, reader, stepVersion string, record store.Recorder) (Totals, error) {
	if err := w.Close(); err != nil {
		return Totals{}, err
	}
	var totals Totals
	publish := func(stage *store.Stage, table, sourceTable string, cols []store.Column, key []string, files []*store.File) error {
		manifest := store.Manifest{
			Table: table, Kind: store.KindSource, Step: "read." + reader, StepVersion: stepVersion,
			Source: id, SourceTable: sourceTable, Inputs: []store.TableVersion{}, Columns: cols, Key: key,
		}
		for _, f := range files {
			manifest.Files = append(manifest.Files, *f)
		}
		m, err := stage.Publish(ctx, manifest, record)
		if err == nil && sourceTable != "" {
			totals.Tables++
			totals.Stored += m.Rows
		}
		return err
	}
	seen := map[string]bool{}
	for _, t := range w.tables {
		// Readers tell tables of one name apart where they can say by what; here what is left.
		name := strings.ToValidUTF8(t.table.Name, "\uFFFD")
		for n, first := 2, name; seen[name] || name == ""; n++ {
			name = fmt.Sprintf("%s#%d", first, n)
		}
		seen[name] = true
		if err := publish(t.stage, store.SourceTableName(id, name), name, sqlColumns(t.columns), keyColumns(t), t.files); err != nil {
			return totals, err
		}
	}
	for _, d := range w.damage {
		totals.Damaged += d.Rows
	}
	totals.Damages = len(w.damage)
	for _, side := range []struct {
		table string
		batch *dump.Batch
	}{
		{store.DamageTableName(id), damageBatch(w.damage)},
		{store.StatementTableName(id), statementBatch(w.statements)},
	} {
		stage, err := w.c.Stage()
		if err != nil {
			return totals, err
		}
		cols := layout(side.batch.Table)
		t := &tableFiles{table: side.batch.Table, columns: cols, stage: stage}
		files := []*store.File{{Name: "part-00000.parquet", Rows: int64(len(side.batch.Rows))}}
		var e encoder
		err = e.write(files[0], t, side.batch)
		if err == nil {
			err = publish(stage, side.table, "", sqlColumns(cols), nil, files)
		}
		if err != nil {
			stage.Discard()
			return totals, err
		}
	}
	return totals, nil
}

// keyColumns are the columns of the table's declared key under the names they have in the
// source table; nil when one of them is not there.
func keyColumns(t *tableFiles) (key []string) {
	for _, k := range t.table.Key {
		i := slices.IndexFunc(t.columns, func(c column) bool { return strings.EqualFold(c.Name, k) })
		if i < 0 {
			return nil
		}
		key = append(key, t.columns[i].name)
	}
	return key
}

// Damages are the entries of the damage table.
func (w *Writer) Damages() []dump.Damage { return w.damage }
