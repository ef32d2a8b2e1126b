package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"modernc.org/sqlite"
)

// Tx is what an act may do in the transaction that also records it. It is not a *sql.Tx: an act must not end the
// transaction, open savepoints, change settings or touch the ledger's own tables, and SQLite refuses it all
// while an act runs. Statements take no context, because an interrupted statement makes SQLite roll back the
// whole transaction, other people's acts included: keep acts short. A Tx is for one goroutine, and ends with
// the act.
type Tx struct {
	conn  *sql.Conn
	stmts *statements
	guard *guard
	seq   int64
	rows  []*sql.Rows

	doubt bool // the last statement may have ended the transaction
	lost  bool // it has
	over  bool // the act has returned
}

var (
	errOver = errors.New("the act has already returned")
	errLost = errors.New("SQLite has rolled the transaction back")
)

// Seq gives the number that the act's entry will have, for rows that refer to their entry.
func (t *Tx) Seq() int64 { return t.seq }

// Exec runs a statement that returns no rows.
func (t *Tx) Exec(query string, args ...any) (sql.Result, error) {
	if err := t.ready(); err != nil {
		return nil, err
	}
	res, err := t.stmts.exec(query, args...)
	t.doubt = err != nil
	return res, err
}

// Query runs a statement that returns rows. Rows left open are closed when the act returns.
func (t *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	if err := t.ready(); err != nil {
		return nil, err
	}
	t.doubt = true
	rows, err := t.conn.QueryContext(context.Background(), query, args...)
	if err == nil {
		t.rows = append(t.rows, rows)
	}
	return rows, err
}

// QueryRow runs a statement that returns at most one row; its error comes from Scan.
func (t *Tx) QueryRow(query string, args ...any) *sql.Row {
	ctx := context.Background()
	if t.ready() != nil { // a *sql.Row cannot be made with an error of ours: let Scan say "canceled"
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		ctx = canceled
	}
	t.doubt = true
	return t.conn.QueryRowContext(ctx, query, args...)
}

// ready refuses statements outside the transaction. On some errors (disk full, input or output, ON CONFLICT
// ROLLBACK) SQLite ends the transaction by itself; a statement after that would be committed on its own,
// without an entry.
func (t *Tx) ready() error {
	if t.over {
		return errOver
	}
	if t.doubt && !t.lost {
		t.lost = !t.alive()
		t.doubt = false
	}
	if t.lost {
		return errLost
	}
	return nil
}

// alive asks SQLite whether the transaction still stands: only then is a second BEGIN an error.
func (t *Tx) alive() bool {
	defer t.guard.lift()()
	if _, err := t.conn.ExecContext(context.Background(), "BEGIN"); err != nil {
		return strings.Contains(err.Error(), "within a transaction")
	}
	_, _ = t.conn.ExecContext(context.Background(), "ROLLBACK") // of the empty one just begun
	return false
}

// end closes what the act left open and takes the Tx out of use.
func (t *Tx) end() {
	for _, r := range t.rows {
		r.Close()
	}
	t.rows, t.over = nil, true
}

// run calls do with the guard up. The panic of an act comes back as a value, for its own caller to meet.
func (t *Tx) run(do func(*Tx) error) (panicked any, err error) {
	t.guard.up.Store(true)
	defer t.guard.up.Store(false)
	defer t.end()
	defer func() { panicked = recover() }()
	return nil, do(t)
}

// guard is the authorizer of the writer's connection.
type guard struct{ up atomic.Bool }

// lift lowers the guard until the returned function is called.
func (g *guard) lift() (restore func()) {
	was := g.up.Swap(false)
	return func() { g.up.Store(was) }
}

// install puts the guard on a connection.
func (g *guard) install(conn *sql.Conn) error {
	return conn.Raw(func(driver any) error {
		r, ok := driver.(sqlite.AuthorizerRegisterer)
		if !ok {
			return fmt.Errorf("the ledger needs the driver modernc.org/sqlite, not %T", driver)
		}
		return r.RegisterAuthorizer(g.decide)
	})
}

func (g *guard) decide(action sqlite.AuthorizerActionCode, arg1, arg2, _, _ string) sqlite.AuthorizerReturnCode {
	if !g.up.Load() {
		return sqlite.AuthorizerOK
	}
	switch action {
	case sqlite.AuthRead, sqlite.AuthSelect, sqlite.AuthFunction, sqlite.AuthRecursive:
		return sqlite.AuthorizerOK
	case sqlite.AuthTransaction, sqlite.AuthSavepoint, sqlite.AuthPragma, sqlite.AuthAttach, sqlite.AuthDetach:
		return sqlite.AuthorizerDeny
	}
	if isOurs(arg1) || isOurs(arg2) {
		return sqlite.AuthorizerDeny
	}
	return sqlite.AuthorizerOK
}

func isOurs(name string) bool {
	const prefix = "ledger_"
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}
