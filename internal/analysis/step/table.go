package step

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// For Go that prepares what SQL cannot say: read columns of text, make a temporary table of them.

// Each runs a query of two columns of text and calls do for every row; null is the empty text.
func Each(ctx context.Context, e *duckdb.Engine, query string, do func(a, b string)) error {
	rows, err := e.DB.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a, b sql.NullString
		if err := rows.Scan(&a, &b); err != nil {
			return err
		}
		do(a.String, b.String)
	}
	return rows.Err()
}

// Fill makes a temporary table. A column is a name, or a name and a type where it is not text;
// an empty text is null. Texts may hold anything: they are given as parameters, not as SQL, which
// cannot hold a NUL.
func Fill(ctx context.Context, e *duckdb.Engine, table string, columns []string, rows [][]string) error {
	defs, lists, takes := make([]string, len(columns)), make([]string, len(columns)), make([]string, len(columns))
	for k, c := range columns {
		if defs[k] = c; !strings.Contains(c, " ") {
			defs[k] += " VARCHAR"
		}
		lists[k] = fmt.Sprintf("unnest($%d::VARCHAR[]) AS c%d", k+1, k)
		takes[k] = fmt.Sprintf("nullif(c%d, '')", k)
	}
	if _, err := e.DB.ExecContext(ctx, "CREATE OR REPLACE TABLE "+table+" ("+strings.Join(defs, ", ")+")"); err != nil {
		return err
	}
	insert := "INSERT INTO " + table + " SELECT " + strings.Join(takes, ", ") + " FROM (SELECT " + strings.Join(lists, ", ") + ")"
	for group := range slices.Chunk(rows, 5000) {
		args := make([]any, len(columns))
		for k := range columns {
			column := make([]string, len(group))
			for i, row := range group {
				column[i] = row[k]
			}
			args[k] = column
		}
		if _, err := e.DB.ExecContext(ctx, insert, args...); err != nil {
			return err
		}
	}
	return nil
}
