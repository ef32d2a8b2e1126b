package callers

import (
	"context"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// call_verdict lies in the order of its source, so that a day and a call id are found by the
// statistics of its file. account_call and number_call are its other two orders. They are narrow: a row is a
// place in call_verdict, and is worth nothing beside another version of it.

// placeVerdicts makes the view verdict_at: call_verdict and each row's place in it.
func placeVerdicts(ctx context.Context, c *store.Case, e *duckdb.Engine) error {
	m, err := c.Table("call_verdict")
	if err != nil {
		return err
	}
	placed, err := e.Placed(m)
	if err != nil {
		return err
	}
	_, err = e.DB.ExecContext(ctx, "CREATE OR REPLACE VIEW verdict_at AS "+placed)
	return err
}
