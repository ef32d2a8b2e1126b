package auth

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) pass(d time.Duration) { c.mu.Lock(); c.t = c.t.Add(d); c.mu.Unlock() }

const goodPassword = "correct horse battery"

func open(t *testing.T) (*Auth, *sql.DB, *clock) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "case.db")+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := &clock{t: time.Unix(1_700_000_000, 0)}
	a, err := Open(t.Context(), db, Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	add(t, a, db, User{"Ann", Analyst}, goodPassword, false)
	return a, db, c
}

func add(t *testing.T, a *Auth, db *sql.DB, u User, password string, replace bool) {
	t.Helper()
	change, err := a.Add(t.Context(), u, password, replace)
	if err != nil {
		t.Fatal(err)
	}
	in(t, db, change)
}

func in(t *testing.T, db *sql.DB, change func(Tx) error) {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := errors.Join(change(tx), tx.Commit()); err != nil {
		t.Fatal(err)
	}
}

func TestPasswords(t *testing.T) {
	a, db, _ := open(t)
	ctx := t.Context()
	if u, err := a.Check(ctx, " ANN ", goodPassword); err != nil || u != (User{"ann", Analyst}) {
		t.Fatalf("right password: %v, %v", u, err)
	}
	for _, try := range []struct{ name, password string }{
		{"ann", "wrong"}, {"ann", ""}, {"nobody", goodPassword}, {"", ""}, {"ann' --", goodPassword},
		{"ann", strings.Repeat("x", 1<<20)},
	} {
		if _, err := a.Check(ctx, try.name, try.password); !errors.Is(err, ErrWrong) {
			t.Errorf("%.20q, %.20q: %v, want ErrWrong", try.name, try.password, err)
		}
	}
	var stored string
	if err := db.QueryRow("SELECT password FROM users").Scan(&stored); err != nil || !strings.HasPrefix(stored, "$argon2id$v=19$m=47104,t=1,p=1$") {
		t.Fatalf("stored %q, %v", stored, err)
	}
	for _, bad := range []struct {
		u        User
		password string
	}{{User{"bob", "root"}, goodPassword}, {User{"b b", Analyst}, goodPassword}, {User{"", Analyst}, goodPassword}, {User{"bob", Analyst}, "short"}} {
		if _, err := a.Add(ctx, bad.u, bad.password, false); err == nil {
			t.Errorf("%v, %q was accepted", bad.u, bad.password)
		}
	}
}

func TestWrongPasswordsAreThrottled(t *testing.T) {
	a, _, c := open(t)
	ctx := t.Context()
	for range freeTries {
		if _, err := a.Check(ctx, "ann", "wrong"); !errors.Is(err, ErrWrong) {
			t.Fatal(err)
		}
	}
	var throttled *Throttled
	if _, err := a.Check(ctx, "Ann", goodPassword); !errors.As(err, &throttled) || throttled.Wait != baseDelay {
		t.Fatalf("after %d failures: %v", freeTries, err)
	}
	if _, err := a.Check(ctx, "bob", "x"); !errors.Is(err, ErrWrong) {
		t.Fatalf("another name: %v", err)
	}
	c.pass(baseDelay)
	if _, err := a.Check(ctx, "ann", "wrong"); !errors.Is(err, ErrWrong) {
		t.Fatal(err)
	}
	if _, err := a.Check(ctx, "ann", goodPassword); !errors.As(err, &throttled) || throttled.Wait != 2*baseDelay {
		t.Fatalf("after one more: %v", err)
	}
	c.pass(2 * baseDelay)
	if _, err := a.Check(ctx, "ann", goodPassword); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Check(ctx, "ann", "wrong"); !errors.Is(err, ErrWrong) {
		t.Fatalf("success did not clear the failures: %v", err)
	}
	if delay(1000) != window {
		t.Fatalf("delay is not capped: %v", delay(1000))
	}
}

func TestManyAttemptsAtOnceGainNothing(t *testing.T) {
	a, _, _ := open(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	wrong := 0
	for range 12 {
		wg.Go(func() {
			_, err := a.Check(context.Background(), "ann", "guess")
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, ErrWrong) {
				wrong++
			}
		})
	}
	wg.Wait()
	if wrong != freeTries {
		t.Fatalf("%d guesses were answered, want %d", wrong, freeTries)
	}
}

func TestSessions(t *testing.T) {
	a, db, c := open(t)
	ctx := t.Context()
	start := func() string {
		token := NewToken()
		in(t, db, func(tx Tx) error { return a.Start(tx, User{"ann", Analyst}, token) })
		return token
	}
	who := func(token string, want error) {
		t.Helper()
		if u, err := a.Who(ctx, token); !errors.Is(err, want) || (want == nil && u != (User{"ann", Analyst})) {
			t.Fatalf("who: %v, %v; want error %v", u, err, want)
		}
	}
	token := start()
	who(token, nil)
	who(token+"x", ErrNoSession)
	who("", ErrNoSession)
	var n int
	if err := db.QueryRow("SELECT count(*) FROM sessions WHERE token = ?", token).Scan(&n); err != nil || n != 0 {
		t.Fatalf("the token is stored in clear: %d, %v", n, err)
	}
	for range 50 { // in use, it lives until its absolute end
		c.pass(12 * time.Minute)
		if c.now().Sub(time.Unix(1_700_000_000, 0)) < 10*time.Hour {
			who(token, nil)
		}
	}
	who(token, ErrNoSession)

	token = start()
	c.pass(15 * time.Minute)
	who(token, ErrNoSession) // idle

	token = start()
	in(t, db, func(tx Tx) error { return a.End(tx, token) })
	who(token, ErrNoSession)

	token = start()
	add(t, a, db, User{"ann", Analyst}, "another good password", true)
	who(token, ErrNoSession)
}
