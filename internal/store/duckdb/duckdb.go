// Package duckdb is the SQL engine over a case's tables: DuckDB in process. Every published
// table is a view of the same name over exactly the files its manifest lists, so a query never
// sees a version that is half written. The engine writes query results as new Parquet files
// and holds no data of its own, but for copies of small tables where [Options] ask for them;
// it is opened on an empty in-memory database and may read and write only the case's tables.
package duckdb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	duck "github.com/duckdb/duckdb-go/v2"
	"golang.org/x/sys/unix"

	"github.com/unspoof/unspoof/internal/store"
)

//go:embed macros.sql
var macros string

// MacrosVersion is the content hash of the macros and lookup tables that every engine has:
// part of the version of every step that uses them.
func MacrosVersion() string {
	sum := sha256.New()
	for _, text := range []string{macros, numbersVersion, dialTable(), countryNameTable()} {
		sum.Write([]byte(text))
	}
	sum.Write(planData)
	return hex.EncodeToString(sum.Sum(nil))
}

// Options bound what the engine may use.
type Options struct {
	Threads  int      // 0: as many as the machine has
	MemoryMB int64    // 0: 3072
	ReadDirs []string // folders outside the case that may be read
	KeepRows int64    // for look-ups: case tables and findings of at most so many rows are held in memory; 0: none
	Keys     []string // columns on which these have an index
}

// Engine answers SQL over the published tables of one case.
type Engine struct {
	DB   *sql.DB
	c    *store.Case
	keep int64             // rows of the largest table that is held in memory
	keys []string          // columns on which it has an index
	seen map[string]string // table -> version its view shows
	temp string
	held *os.File // the lock that says temp is in use

	footing sync.Mutex
	footers map[string]*footer // of published files that were looked into, by path; guarded by footing
}

// Open starts an engine and makes a view of every published table.
func Open(ctx context.Context, c *store.Case, opt Options) (*Engine, error) {
	temp, held, err := tempDir(c.Dir)
	if err != nil {
		return nil, err
	}
	connector, err := duck.NewConnector("", func(session driver.ExecerContext) error {
		for _, s := range opt.session() {
			if _, err := session.ExecContext(context.WithoutCancel(ctx), s, nil); err != nil {
				return fmt.Errorf("engine: %s: %w", s, err)
			}
		}
		return nil
	})
	if err != nil {
		os.RemoveAll(temp)
		held.Close()
		return nil, err
	}
	e := &Engine{DB: sql.OpenDB(connector), c: c, keep: opt.KeepRows, keys: opt.Keys, seen: map[string]string{}, temp: temp, held: held, footers: map[string]*footer{}}
	if opt.MemoryMB == 0 {
		opt.MemoryMB = 3072
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	// Not the whole case: the ledger's key and the sealed sources are none of its business.
	allowed := []string{Literal(filepath.Join(dir, "tables")), Literal(filepath.Join(dir, filepath.Base(temp)))}
	for _, d := range opt.ReadDirs {
		allowed = append(allowed, Literal(d))
	}
	settings := []string{
		fmt.Sprintf("SET memory_limit = '%dMB'", opt.MemoryMB),
		"SET temp_directory = " + Literal(temp),
		"SET allowed_directories = [" + strings.Join(allowed, ", ") + "]",
		"SET enable_external_access = false",
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET enable_external_file_cache = false", // the system holds files in memory already
	}
	if opt.Threads > 0 {
		settings = append(settings, fmt.Sprintf("SET threads = %d", opt.Threads))
	}
	for _, s := range settings {
		if _, err := e.DB.ExecContext(ctx, s); err != nil {
			return nil, errors.Join(fmt.Errorf("engine: %s: %w", s, err), e.Close())
		}
	}
	if err := e.registerNumbers(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("engine: functions: %w", err), e.Close())
	}
	plan, err := e.planTable()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("engine: number plan: %w", err), e.Close())
	}
	for _, text := range []string{"CREATE SCHEMA kept", macros, dialTable(), countryNameTable(), plan} {
		if _, err := e.DB.ExecContext(ctx, text); err != nil {
			return nil, errors.Join(fmt.Errorf("engine: macros: %w", err), e.Close())
		}
	}
	if err := e.Refresh(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// session lists what is set for every connection to the engine, of which there are as many as statements run at once.
func (opt Options) session() []string {
	list := []string{
		"SET TimeZone = 'UTC'",
		"SET parquet_metadata_cache = true", // a published file never changes
		// Small batches of rows are not kept back until they are large: tables stay more nearly in the order of
		// their input, and a row is found in fewer of their groups.
		"SET enable_caching_operators = false",
	}
	if opt.KeepRows > 0 {
		// The statistics of a column are added up anew from those of all its row groups for every
		// query: for a look-up that takes as long as the rest.
		list = append(list, "SET disabled_optimizers = 'statistics_propagation,join_order'")
	}
	return list
}

// Close stops the engine and removes its temporary files.
func (e *Engine) Close() error {
	return errors.Join(e.DB.Close(), os.RemoveAll(e.temp), e.held.Close())
}

// tempDir makes the folder for what does not fit in memory, and removes the folders of
// engines that were killed: those that nobody holds a lock on. Engines of readers run beside
// each other, so the case's own lock cannot say which are in use.
func tempDir(dir string) (temp string, held *os.File, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", nil, err
	}
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); strings.HasPrefix(e.Name(), ".engine-") {
			if lock, ok := lockDir(path); ok {
				os.RemoveAll(path) // the next engine tries again
				lock.Close()
			}
		}
	}
	for range 10 { // an engine that begins just now may take a new folder for an abandoned one
		if temp, err = os.MkdirTemp(dir, ".engine-*"); err != nil {
			return "", nil, err
		}
		if held, ok := lockDir(temp); ok {
			return temp, held, nil
		}
	}
	return "", nil, fmt.Errorf("engine: %s cannot be locked", temp)
}

// lockDir takes a folder's lock without waiting. ok is false when another has it, or had it
// and has removed the folder.
func lockDir(path string) (lock *os.File, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		if _, err := os.Stat(path); err == nil {
			return f, true
		}
	}
	f.Close()
	return nil, false
}

// Refresh makes the views show what is published now.
func (e *Engine) Refresh(ctx context.Context) error {
	tables, err := e.c.Tables()
	if err != nil {
		return err
	}
	now := map[string]bool{}
	for _, m := range tables {
		now[m.Table] = true
		if err := e.Show(ctx, m); err != nil {
			return err
		}
	}
	for name := range e.seen {
		if !now[name] {
			if _, err := e.DB.ExecContext(ctx, "DROP VIEW IF EXISTS "+Ident(name)+"; DROP TABLE IF EXISTS kept."+Ident(name)); err != nil {
				return err
			}
			delete(e.seen, name)
		}
	}
	return nil
}

// Show makes or replaces the view of one table version.
func (e *Engine) Show(ctx context.Context, m store.Manifest) error {
	if e.seen[m.Table] == m.Version {
		return nil
	}
	from, err := e.relation(m)
	if err != nil {
		return err
	}
	kept := "kept." + Ident(m.Table)
	small := e.holds(m)
	if small {
		if err := e.hold(ctx, m, kept, from); err != nil {
			return fmt.Errorf("table %q version %.12s: %w", m.Table, m.Version, err)
		}
		from = "SELECT * FROM " + kept
	}
	if _, err := e.DB.ExecContext(ctx, "CREATE OR REPLACE VIEW "+Ident(m.Table)+" AS "+from); err != nil {
		return fmt.Errorf("table %q version %.12s: %w", m.Table, m.Version, err)
	}
	if e.keep > 0 && !small {
		if _, err := e.DB.ExecContext(ctx, "DROP TABLE IF EXISTS "+kept); err != nil {
			return err
		}
	}
	e.seen[m.Table] = m.Version
	e.footing.Lock()
	defer e.footing.Unlock()
	clear(e.footers) // some of a version that is no more
	return nil
}

// holds reports whether a table is held in memory.
func (e *Engine) holds(m store.Manifest) bool {
	return m.Kind != store.KindSource && len(m.Files) > 0 && m.Rows <= e.keep
}

// hold puts a table into memory, with an index on each column that look-ups go by.
func (e *Engine) hold(ctx context.Context, m store.Manifest, kept, from string) error {
	if _, err := e.DB.ExecContext(ctx, "CREATE OR REPLACE TABLE "+kept+" AS "+from); err != nil {
		return err
	}
	for _, c := range m.Columns {
		if slices.Contains(e.keys, c.Name) {
			if _, err := e.DB.ExecContext(ctx, "CREATE INDEX "+Ident(m.Table+"."+c.Name)+" ON "+kept+" ("+Ident(c.Name)+")"); err != nil {
				return err
			}
		}
	}
	return nil
}

// Alias makes or replaces a view of a table version, or of those of its files that m lists, under any name.
func (e *Engine) Alias(ctx context.Context, name string, m store.Manifest) error {
	from, err := e.relation(m)
	if err != nil {
		return err
	}
	delete(e.seen, name)
	_, err = e.DB.ExecContext(ctx, "CREATE OR REPLACE VIEW "+Ident(name)+" AS "+from)
	return err
}

// ShowFile makes the view of a table show only one of its files, and that of its places
// (NAME_at) too, until [Engine.Show].
func (e *Engine) ShowFile(ctx context.Context, m store.Manifest, i int) error {
	placed, err := e.placed(m, i)
	if err != nil {
		return err
	}
	if _, err := e.DB.ExecContext(ctx, "CREATE OR REPLACE VIEW "+Ident(m.Table+"_at")+" AS "+placed); err != nil {
		return err
	}
	m.Files = m.Files[i : i+1]
	return e.Alias(ctx, m.Table, m)
}

// Placed is the SQL of a select of a published table with a column place more: the row's place
// in the table, from 0, through its files in order. A table's places belong to its version, and
// to those whose files begin with the same.
func (e *Engine) Placed(m store.Manifest) (string, error) {
	if len(m.Files) == 0 {
		from, err := e.relation(m)
		return "SELECT *, NULL::BIGINT AS place FROM (" + from + ")", err
	}
	var parts []string
	for i := range m.Files {
		part, err := e.placed(m, i)
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " UNION ALL "), nil
}

// placed is Placed of one file.
func (e *Engine) placed(m store.Manifest, i int) (string, error) {
	path, err := filepath.Abs(e.c.Paths(m)[i])
	if err != nil {
		return "", err
	}
	from := "read_parquet(" + Literal(path) + ", hive_partitioning=false, file_row_number=true)"
	first := firstPlace(m, i)
	if first == 0 {
		return "SELECT * RENAME (file_row_number AS place) FROM " + from, nil
	}
	return fmt.Sprintf("SELECT * EXCLUDE (file_row_number), file_row_number + %d AS place FROM %s", first, from), nil
}

// firstPlace is the place of the first row of a file.
func firstPlace(m store.Manifest, i int) (n int64) {
	for _, f := range m.Files[:i] {
		n += f.Rows
	}
	return n
}

func (e *Engine) relation(m store.Manifest) (string, error) {
	if len(m.Files) == 0 {
		return noRow(m), nil
	}
	paths := e.c.Paths(m)
	for i, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return "", err
		}
		paths[i] = Literal(abs)
	}
	return "SELECT * FROM read_parquet([" + strings.Join(paths, ", ") + "], hive_partitioning=false)", nil
}

// noRow is the SQL of a select of a table's columns without a row.
func noRow(m store.Manifest) string {
	cols := make([]string, len(m.Columns))
	for i, c := range m.Columns {
		cols[i] = "NULL::" + c.Type + " AS " + Ident(c.Name)
	}
	return "SELECT " + strings.Join(cols, ", ") + " WHERE false"
}

// parquetOptions: giving up on dictionaries early and the delta encodings of version 2 take
// about a third of the writing time of a call table, and a quarter of its size; filters of values by which a reader
// could pass groups over took a tenth (measured: docs/performance.md).
const parquetOptions = "(FORMAT parquet, PARQUET_VERSION v2, COMPRESSION snappy, DICTIONARY_SIZE_LIMIT 2000, WRITE_BLOOM_FILTER false, ROW_GROUP_SIZE %d)"

// Rows of a group of rows of a file. To read a row its group is decoded up to it.
const (
	groupRows       = 122880
	soughtGroupRows = 40960
)

// Write runs a query and writes its rows, in order, as one Parquet file. It gives the row
// count and the result's columns.
func (e *Engine) Write(ctx context.Context, query, path string) (rows int64, cols []store.Column, err error) {
	return e.write(ctx, query, path, groupRows)
}

// WriteSought is [Engine.Write] of a table in which single rows are looked up: its groups of rows are smaller.
func (e *Engine) WriteSought(ctx context.Context, query, path string) (rows int64, cols []store.Column, err error) {
	return e.write(ctx, query, path, soughtGroupRows)
}

func (e *Engine) write(ctx context.Context, query, path string, group int) (rows int64, cols []store.Column, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return 0, nil, err
	}
	written := writeBack(abs)
	res, err := e.DB.ExecContext(ctx, "COPY (\n"+query+"\n) TO "+Literal(abs)+" "+fmt.Sprintf(parquetOptions, group))
	written()
	if err != nil {
		return 0, nil, err
	}
	if rows, err = res.RowsAffected(); err != nil {
		return 0, nil, err
	}
	cols, err = e.Columns(ctx, "SELECT * FROM read_parquet("+Literal(abs)+")")
	return rows, cols, err
}

// writeBack asks the disk again and again to begin with a file that is being written, so that
// the sync before publication has little left; what that fails at, the sync reports. It gives the end of it.
func writeBack(path string) (end func()) {
	done := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if f, err := os.Open(path); err == nil {
					unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE) //nolint:errcheck
					f.Close()
				}
			}
		}
	})
	return func() {
		close(done)
		asking.Wait()
	}
}

// Columns describes a query's result.
func (e *Engine) Columns(ctx context.Context, query string) ([]store.Column, error) {
	r, err := e.DB.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE "+query+")")
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var cols []store.Column
	for r.Next() {
		var c store.Column
		if err := r.Scan(&c.Name, &c.Type); err != nil {
			return nil, err
		}
		cols = append(cols, c)
	}
	return cols, r.Err()
}

// Literal quotes a string as an SQL literal. A NUL, which would end the statement, is put in by its number.
func Literal(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if !strings.Contains(s, "\x00") {
		return quoted
	}
	return "(" + strings.ReplaceAll(quoted, "\x00", "' || chr(0) || '") + ")"
}

// Ident quotes a name as an SQL identifier.
func Ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
