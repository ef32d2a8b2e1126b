package verify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	duck "github.com/duckdb/duckdb-go/v2"
)

// engine is DuckDB in process, used as a reader of Parquet: it may read only inside the
// case's tables, and write only to a temporary folder outside the case.
type engine struct {
	db     *sql.DB
	tables string // folder of the tables
	temp   string
}

// engineMemoryMB bounds DuckDB; what needs more goes to the temporary folder.
const engineMemoryMB = 1024

func openEngine(ctx context.Context, caseDir string) (*engine, error) {
	temp, err := os.MkdirTemp("", "unspoof-verify-*")
	if err != nil {
		return nil, err
	}
	connector, err := duck.NewConnector("", nil)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(temp))
	}
	e := &engine{db: sql.OpenDB(connector), tables: filepath.Join(caseDir, "tables"), temp: temp}
	for _, s := range []string{
		fmt.Sprintf("SET memory_limit = '%dMB'", engineMemoryMB),
		"SET temp_directory = " + literal(temp),
		"SET TimeZone = 'UTC'",
		"SET allowed_directories = [" + literal(e.tables) + "]",
		"SET enable_external_access = false",
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET lock_configuration = true",
	} {
		if _, err := e.db.ExecContext(ctx, s); err != nil {
			return nil, errors.Join(fmt.Errorf("engine: %s: %w", s, err), e.close())
		}
	}
	return e, nil
}

func (e *engine) close() error { return errors.Join(e.db.Close(), os.RemoveAll(e.temp)) }

// path is where a file of a table lies.
func (e *engine) path(table, version, file string) string {
	return filepath.Join(e.tables, table, version, file)
}

// parquet is the relation of a table's files, in order; the table has at least one.
func (e *engine) parquet(t *table, options string) string {
	list := make([]string, len(t.Files))
	for i, f := range t.Files {
		list[i] = literal(e.path(t.Table, t.Version, f.Name))
	}
	return "read_parquet([" + strings.Join(list, ", ") + "], hive_partitioning=false" + options + ")"
}

// each runs a query and calls do for every row; the values are valid during the call.
func (e *engine) each(ctx context.Context, query string, do func(row []any) error) error {
	rows, err := e.db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	row := make([]any, len(names))
	into := make([]any, len(names))
	for i := range row {
		into[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := do(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// count runs a query whose answer is one number.
func (e *engine) count(ctx context.Context, query string) (n int64, err error) {
	err = e.db.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
