package step

import (
	"context"
	"fmt"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Prepare makes temporary tables, views or types that a step's SQL reads.
type Prepare func(context.Context, *store.Case, *duckdb.Engine) error

// Words is a Prepare that makes for each named column of a table the type COLUMN_word of its
// texts, in their order. Cast to it, a text that repeats is sorted and written as a small
// number; in the step's table it is a text again. Where the engine cannot enumerate the texts
// (there is none, one has a NUL in it, or they are more than wordsMost or longer than wordsChars), the type is that of a text.
func Words(table string, columns ...string) Prepare {
	return func(ctx context.Context, _ *store.Case, e *duckdb.Engine) error {
		for _, c := range columns {
			if err := words(ctx, e, duckdb.Ident(table), c); err != nil {
				return fmt.Errorf("words of %s of %s: %w", c, table, err)
			}
		}
		return nil
	}
}

const (
	wordsMost  = 1_000_000  // texts of one type
	wordsChars = 50_000_000 // characters of all of them
)

func words(ctx context.Context, e *duckdb.Engine, table, column string) error {
	name, c := duckdb.Ident(column+"_word"), duckdb.Ident(column)
	if _, err := e.DB.ExecContext(ctx, "CREATE OR REPLACE TABLE words AS SELECT DISTINCT "+c+" AS word FROM "+table+" WHERE "+c+" IS NOT NULL"); err != nil {
		return err
	}
	var plain bool
	err := e.DB.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) BETWEEN 1 AND %d AND sum(length(word)) <= %d AND NOT bool_or(contains(word, chr(0))) FROM words", wordsMost, wordsChars)).Scan(&plain)
	if err != nil {
		return err
	}
	kind := "VARCHAR"
	if plain {
		kind = "ENUM (SELECT word FROM words ORDER BY word)"
	}
	_, err = e.DB.ExecContext(ctx, "DROP TYPE IF EXISTS "+name+"; CREATE TYPE "+name+" AS "+kind+"; DROP TABLE words")
	return err
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
