package step

import (
	"context"
	"fmt"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Prepare makes temporary tables, views or types that a step's SQL reads.
type Prepare func(context.Context, *store.Case, *duckdb.Engine) error

// Words is a Prepare that makes for each named column of a table the enumerated type COLUMN_word of
// its texts, in their order. Cast to it, a text that repeats is sorted and written as a small
// number; in the step's table it is a text again. A text that the type does not have fails.
func Words(table string, columns ...string) Prepare {
	return func(ctx context.Context, _ *store.Case, e *duckdb.Engine) error {
		for _, c := range columns {
			name, c := duckdb.Ident(c+"_word"), duckdb.Ident(c)
			texts := fmt.Sprintf("SELECT %s FROM %s WHERE %s IS NOT NULL", c, duckdb.Ident(table), c)
			query := "SELECT DISTINCT * FROM (" + texts + " UNION ALL SELECT '' WHERE NOT EXISTS (" + texts + ")) ORDER BY 1" // a type has one text at least
			if _, err := e.DB.ExecContext(ctx, "DROP TYPE IF EXISTS "+name+"; CREATE TYPE "+name+" AS ENUM ("+query+")"); err != nil {
				return fmt.Errorf("words of %s of %s: %w", c, table, err)
			}
		}
		return nil
	}
}

// Both is a Prepare that runs one and then the other.
func Both(a, b Prepare) Prepare {
	return func(ctx context.Context, c *store.Case, e *duckdb.Engine) error {
		if err := a(ctx, c, e); err != nil {
			return err
		}
		return b(ctx, c, e)
	}
}
