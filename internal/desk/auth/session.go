package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
)

// tokenSum is the form in which a token is stored.
func tokenSum(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// NewToken makes a session token; it is good for nothing until [Auth.Start] has stored it.
func NewToken() string { return rand.Text() + rand.Text() }

// Start begins a session under the token, and clears out those that have ended.
func (a *Auth) Start(tx Tx, u User, token string) error {
	now := a.opt.Now().Unix()
	if _, err := tx.Exec("DELETE FROM sessions WHERE started <= ? OR seen <= ?",
		now-int64(a.opt.Life.Seconds()), now-int64(a.opt.Idle.Seconds())); err != nil {
		return err
	}
	_, err := tx.Exec("INSERT INTO sessions (token, name, started, seen) VALUES (?, ?, ?, ?)",
		tokenSum(token), u.Name, now, now)
	return err
}

// End ends a session. Ending one that has ended is no error.
func (a *Auth) End(tx Tx, token string) error {
	_, err := tx.Exec("DELETE FROM sessions WHERE token = ?", tokenSum(token))
	return err
}

// Who is the user a token belongs to, with the role they have now, or [ErrNoSession].
func (a *Auth) Who(ctx context.Context, token string) (User, error) {
	if token == "" || len(token) > 100 {
		return User{}, ErrNoSession
	}
	var u User
	var started, seen int64
	err := a.db.QueryRowContext(ctx,
		"SELECT u.name, u.role, s.started, s.seen FROM sessions s JOIN users u ON u.name = s.name WHERE s.token = ?",
		tokenSum(token)).Scan(&u.Name, &u.Role, &started, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, ErrNoSession
	}
	if err != nil {
		return User{}, err
	}
	now := a.opt.Now().Unix()
	if now-started >= int64(a.opt.Life.Seconds()) || now-seen >= int64(a.opt.Idle.Seconds()) {
		return User{}, ErrNoSession
	}
	if now-seen >= int64(a.opt.Idle.Seconds())/30 { // not every request needs to write
		if _, err := a.db.ExecContext(ctx, "UPDATE sessions SET seen = ? WHERE token = ?", now, tokenSum(token)); err != nil {
			return User{}, err
		}
	}
	return u, nil
}
