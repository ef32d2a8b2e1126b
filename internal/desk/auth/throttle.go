package auth

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

const (
	window    = 15 * time.Minute // attempts older than this are forgotten
	freeTries = 5                // failures in the window before the first delay
	baseDelay = 30 * time.Second // the first delay; each further failure doubles it
)

// Throttled says that a name was tried too often, and when it may be tried again.
type Throttled struct{ Wait time.Duration }

func (t *Throttled) Error() string {
	return fmt.Sprintf("too many wrong passwords for this name: wait %s", t.Wait.Round(time.Second))
}

// delay is how long after its last failure a name with so many failures must wait.
func delay(failures int) time.Duration {
	if failures < freeTries {
		return 0
	}
	d := baseDelay
	for i := freeTries; i < failures && d < window; i++ {
		d *= 2
	}
	return min(d, window)
}

// attempt notes that a name is being tried, as a failure until [Auth.forgive] says otherwise.
func (a *Auth) attempt(ctx context.Context, name string) (id int64, err error) {
	if len(name) > 64 {
		name = name[:64]
	}
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	now := a.opt.Now()
	if _, err := tx.ExecContext(ctx, "DELETE FROM sign_in_attempts WHERE at <= ?", now.Add(-window).Unix()); err != nil {
		return 0, err
	}
	var failures int
	var last sql.Null[int64]
	if err := tx.QueryRowContext(ctx, "SELECT count(*), max(at) FROM sign_in_attempts WHERE name = ?", name).Scan(&failures, &last); err != nil {
		return 0, err
	}
	if wait := time.Unix(last.V, 0).Add(delay(failures)).Sub(now); failures >= freeTries && wait > 0 {
		return 0, &Throttled{Wait: wait}
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO sign_in_attempts (name, at) VALUES (?, ?)", name, now.Unix())
	if err != nil {
		return 0, err
	}
	if id, err = res.LastInsertId(); err != nil {
		return 0, err
	}
	return id, tx.Commit()
}

// forgive takes back the attempt that succeeded and the name's failures before it.
func (a *Auth) forgive(ctx context.Context, name string, id int64) error {
	_, err := a.db.ExecContext(ctx, "DELETE FROM sign_in_attempts WHERE name = ? AND id <= ?", name, id)
	return err
}
