package desk

import (
	"context"
	"errors"

	"github.com/unspoof/unspoof/internal/desk/auth"
	"github.com/unspoof/unspoof/internal/ledger"
)

// Errors of signing in that a caller tells apart; see also [auth.Throttled].
var (
	ErrWrongPassword = auth.ErrWrong
	ErrNotSignedIn   = auth.ErrNoSession
)

// Throttled says that a name was tried too often, and when it may be tried again.
type Throttled = auth.Throttled

// SignIn checks a password and begins a session. The attempt is recorded whatever comes of it;
// a session exists only with its entry.
func (d *Desk) SignIn(ctx context.Context, name, password, from string) (token string, err error) {
	act := ledger.Act{Actor: "nobody", Action: "sign-in", Object: "user:" + d.digest(auth.Fold(name)), Outcome: ledger.Done,
		Details: map[string]any{"from": d.digest(from)}}
	u, err := d.auth.Check(ctx, name, password)
	if err != nil {
		var throttled *auth.Throttled
		switch {
		case errors.Is(err, auth.ErrWrong):
			act.Outcome, act.Purpose = ledger.Refused, "wrong name or password"
		case errors.As(err, &throttled):
			act.Outcome, act.Purpose = ledger.Refused, "too many attempts"
		default:
			act.Outcome, act.Purpose = ledger.Failed, "could not be checked"
		}
		return "", errors.Join(err, d.record(ctx, act, nil))
	}
	token = auth.NewToken()
	act.Actor, act.Role, act.Object = "user:"+u.Name, string(u.Role), "user:"+u.Name
	err = d.record(ctx, act, func(tx *ledger.Tx) error { return d.auth.Start(tx, u, token) })
	if err != nil {
		return "", err
	}
	return token, nil
}

// Who is the person a session token belongs to, or [ErrNotSignedIn].
func (d *Desk) Who(ctx context.Context, token string) (Person, error) {
	u, err := d.auth.Who(ctx, token)
	return Person(u), err
}

// SignOut ends a session.
func (d *Desk) SignOut(ctx context.Context, p Person, token string) error {
	act := ledger.Act{Actor: actor(p), Role: string(p.Role), Action: "sign-out", Object: actor(p), Outcome: ledger.Done}
	return d.record(ctx, act, func(tx *ledger.Tx) error { return d.auth.End(tx, token) })
}

// CreateUser adds a user, for the command line: by says who at the machine did it.
func (d *Desk) CreateUser(ctx context.Context, by, name string, role auth.Role, password string) error {
	return d.putUser(ctx, by, auth.User{Name: name, Role: role}, password, "create-user")
}

// SetPassword gives an existing user a new role and password and ends their sessions.
func (d *Desk) SetPassword(ctx context.Context, by, name string, role auth.Role, password string) error {
	return d.putUser(ctx, by, auth.User{Name: name, Role: role}, password, "change-user")
}

func (d *Desk) putUser(ctx context.Context, by string, u auth.User, password, action string) error {
	change, err := d.auth.Add(ctx, u, password, action == "change-user")
	if err != nil {
		return err
	}
	act := ledger.Act{Actor: by, Action: action, Object: "user:" + auth.Fold(u.Name), Outcome: ledger.Done,
		Details: map[string]any{"role": string(u.Role)}}
	_, err = d.log.Append(ctx, act, func(tx *ledger.Tx) error { return change(tx) })
	return err
}

// EnsureDemoUser makes the user "demo", a supervisor, with a new random password, which it
// gives back to be printed once. For synthetic cases served on this machine only.
func (d *Desk) EnsureDemoUser(ctx context.Context) (name, password string, err error) {
	password = auth.NewPassword()
	return "demo", password, d.SetPassword(ctx, "system", "demo", auth.Supervisor, password)
}
