// Package auth knows who is asking: users with a role and a password, and the sessions they
// are signed in with. It decides nothing about what a person may see; that is package desk.
//
// Passwords are kept as argon2id (46 MiB, one pass), with their parameters beside them, so
// that these can be raised later. At most two are computed at a time: a flood of sign-in
// attempts waits, it does not take the machine's memory.
//
// A session is a random token of 256 bits that only the browser holds; the database has its
// SHA-256, so a stolen database signs nobody in. A session ends after some idle minutes and,
// whatever happens, after some hours. A changed password ends all of a user's sessions.
//
// Wrong passwords are throttled by user name. An attempt counts as failed until it has
// succeeded, so many attempts at once gain nothing over many in a row. The delay is capped:
// a stranger can slow a known name down for a quarter of an hour, not lock it out.
//
// The tables users, sessions and sign_in_attempts lie in the case's SQLite database, beside
// the ledger. The functions that change them take the transaction to work in, because the
// change and its ledger entry must be one.
//
// Reading order: auth.go (users), password.go (hashing), session.go (tokens), throttle.go.
package auth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Role is what a user is to the case.
type Role string

// The roles. What each may do is a table in package desk.
const (
	Analyst    Role = "analyst"
	Supervisor Role = "supervisor"
	Reader     Role = "reader"
)

// User is a person who may sign in.
type User struct {
	Name string
	Role Role
}

// Options set the limits; zero values mean the usual ones.
type Options struct {
	Idle time.Duration    // a session unused for so long ends; 0: 15 minutes
	Life time.Duration    // a session this old ends; 0: 10 hours
	Now  func() time.Time // the clock; nil: time.Now
}

// Errors a caller tells apart.
var (
	ErrWrong     = errors.New("the name or the password is wrong")
	ErrNoSession = errors.New("not signed in")
)

// Tx is the part of a transaction that changes work in: the one in which the ledger entry of
// the change is written.
type Tx interface {
	Exec(query string, args ...any) (sql.Result, error)
}

// Auth answers who is asking.
type Auth struct {
	db    *sql.DB
	opt   Options
	slots chan struct{} // one held while a password is hashed
}

const schema = `
CREATE TABLE IF NOT EXISTS users (
	name     TEXT PRIMARY KEY,
	role     TEXT NOT NULL CHECK (role IN ('analyst', 'supervisor', 'reader')),
	password TEXT NOT NULL,
	created  INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
	token   BLOB PRIMARY KEY, -- SHA-256 of the token
	name    TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
	started INTEGER NOT NULL, -- Unix seconds
	seen    INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sign_in_attempts (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	at   INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sign_in_attempts_name ON sign_in_attempts (name, at);`

// Open makes the tables if they are missing.
func Open(ctx context.Context, db *sql.DB, opt Options) (*Auth, error) {
	if opt.Idle == 0 {
		opt.Idle = 15 * time.Minute
	}
	if opt.Life == 0 {
		opt.Life = 10 * time.Hour
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, fmt.Errorf("users and sessions: %w", err)
	}
	return &Auth{db: db, opt: opt, slots: make(chan struct{}, 2)}, nil
}

// Life is the longest a session may last.
func (a *Auth) Life() time.Duration { return a.opt.Life }

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Fold is the form in which a user name is stored and looked up.
func Fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// Add returns the change that adds a user or, when replace is set, gives an existing one a
// new role and password and ends their sessions. The password is hashed before it returns,
// so that no transaction is held open meanwhile.
func (a *Auth) Add(ctx context.Context, u User, password string, replace bool) (func(Tx) error, error) {
	name := Fold(u.Name)
	if !validName.MatchString(name) {
		return nil, errors.New("a user name is 1 to 63 letters, digits, dots, hyphens or underscores")
	}
	if u.Role != Analyst && u.Role != Supervisor && u.Role != Reader {
		return nil, fmt.Errorf("role %q: want analyst, supervisor or reader", u.Role)
	}
	if n := len([]rune(password)); n < MinPassword || len(password) > maxPassword {
		return nil, fmt.Errorf("a password has at least %d characters and at most %d bytes", MinPassword, maxPassword)
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return nil, err
	}
	return func(tx Tx) error {
		query := "INSERT INTO users (name, role, password, created) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING"
		if replace {
			query = "INSERT INTO users (name, role, password, created) VALUES (?, ?, ?, ?) " +
				"ON CONFLICT (name) DO UPDATE SET role = excluded.role, password = excluded.password"
		}
		res, err := tx.Exec(query, name, string(u.Role), hash, a.opt.Now().Unix())
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fmt.Errorf("there is a user %q already", name))
		}
		_, err = tx.Exec("DELETE FROM sessions WHERE name = ?", name)
		return err
	}, nil
}

// Check tells whether the password is the user's. It gives [ErrWrong] for a wrong password
// and for an unknown name alike, after the same work, and [*Throttled] without any work when
// the name was tried too often.
func (a *Auth) Check(ctx context.Context, name, password string) (User, error) {
	name = Fold(name)
	attempt, err := a.attempt(ctx, name)
	if err != nil {
		return User{}, err
	}
	stored, u := decoy, User{}
	err = a.db.QueryRowContext(ctx, "SELECT name, role, password FROM users WHERE name = ?", name).Scan(&u.Name, &u.Role, &stored)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return User{}, err
	}
	known := err == nil
	right, err := a.verify(ctx, stored, password)
	if err != nil {
		return User{}, err
	}
	if !right || !known {
		return User{}, ErrWrong
	}
	return u, a.forgive(ctx, name, attempt)
}
