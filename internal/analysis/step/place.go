package step

import (
	"context"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Placed is a Prepare that makes the view NAME_at of a published table NAME: its rows, each with
// its place in the table (a step with PerFile has it without that). What a step keeps of places
// is worth nothing beside another version of that table, but for one whose files begin with the same.
func Placed(table string) Prepare {
	return func(ctx context.Context, c *store.Case, e *duckdb.Engine) error {
		m, err := c.Table(table)
		if err != nil {
			return err
		}
		placed, err := e.Placed(m)
		if err != nil {
			return err
		}
		_, err = e.DB.ExecContext(ctx, "CREATE OR REPLACE VIEW "+duckdb.Ident(table+"_at")+" AS "+placed)
		return err
	}
}
