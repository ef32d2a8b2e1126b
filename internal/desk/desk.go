// Package desk is what a signed-in person may do with a case. Pages and any other way in
// call its methods and nothing below them, so no page can forget a check.
//
// Every method does the same three things in the same order: permit, record, do.
//
//	permit   the role must be allowed the action; what is not in the table is refused
//	record   an entry in the ledger says who looks at what; it is committed first
//	do       only then is anything read
//
// If the entry cannot be written nothing is shown: no ledger, no data ([ErrNoRecord]). A refusal
// is recorded too. Personal data appear in entries only as keyed digests, so that the
// ledger can be disclosed and outlive the data.
//
// A page is answered from one set of published tables: while it reads, no newer version
// is brought in. Tables that have not been built yet are no error of the person's; they
// give [*NotBuilt], which says what to run. Every list comes in pages with its total, and
// none has a hidden cap.
//
// Words: a [Person] is a signed-in user; an [Action] is a kind of thing to do; an [Asked] names the
// object of one request for the ledger.
//
// Reading order: desk.go, permit.go, look.go (the three things), signin.go, then one file a
// noun: overview, figure, suspect, account, victim, number, call, campaign, institution, row, table,
// act, search. Users and sessions are in the folder auth.
package desk

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/desk/auth"
	"github.com/unspoof/unspoof/internal/ledger"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Config is what a desk works with. The caller opens and closes all of it.
type Config struct {
	Case   *store.Case
	Engine *duckdb.Engine
	Log    *ledger.Log
	DB     *sql.DB // the case's SQLite database, for users and sessions

	// ReadRow reads one original row out of its sealed source; nil: as package intake does.
	ReadRow func(context.Context, casefile.RowRef) (OriginalRow, error)

	DigestKey []byte       // names personal data in the ledger; nil: the case's own key file
	Auth      auth.Options // idle and absolute ends of sessions
}

// Desk answers signed-in people.
type Desk struct {
	c       *store.Case
	engine  *duckdb.Engine
	log     *ledger.Log
	auth    *auth.Auth
	readRow func(context.Context, casefile.RowRef) (OriginalRow, error)
	key     []byte
	zone    *time.Location

	looking sync.Mutex                // held while looking for newly published tables
	checked time.Time                 // when they were last looked for; guarded by looking
	reading sync.RWMutex              // held for reading while a page is answered, for writing while views change
	tables  map[string]store.Manifest // what is published; changed under both locks
}

// Errors a caller tells apart.
var (
	ErrForbidden = errors.New("your role does not allow this")
	ErrNotFound  = errors.New("there is no such thing in this case")
	ErrNoRecord  = errors.New("the ledger could not record this, so nothing is shown")
)

// NotBuilt says that tables a page is made from have not been published.
type NotBuilt struct{ Tables []string }

func (e *NotBuilt) Error() string {
	return "not built yet: " + strings.Join(e.Tables, ", ")
}

// Open makes a desk over an open case.
func Open(ctx context.Context, cfg Config) (*Desk, error) {
	if cfg.Case == nil || cfg.Engine == nil || cfg.Log == nil || cfg.DB == nil {
		return nil, errors.New("desk: the case, engine, ledger and database are all needed")
	}
	zone, err := cfg.Case.Location()
	if err != nil {
		return nil, err
	}
	a, err := auth.Open(ctx, cfg.DB, cfg.Auth)
	if err != nil {
		return nil, err
	}
	d := &Desk{c: cfg.Case, engine: cfg.Engine, log: cfg.Log, auth: a, readRow: cfg.ReadRow, key: cfg.DigestKey, zone: zone}
	if d.readRow == nil {
		d.readRow = func(ctx context.Context, ref casefile.RowRef) (OriginalRow, error) {
			if is, err := d.isRow(ctx, ref); err != nil || !is {
				return OriginalRow{}, errors.Join(err, ErrNotFound)
			}
			return readRow(ctx, cfg.Case, ref)
		}
	}
	if d.key == nil {
		if d.key, err = digestKey(cfg.Case.Dir); err != nil {
			return nil, err
		}
	}
	return d, d.refresh(ctx)
}

// Zone is the case's time zone, in which times are shown.
func (d *Desk) Zone() *time.Location { return d.zone }

// CaseName is the case's name, for the head of every page.
func (d *Desk) CaseName() string { return d.c.Config.Name }

// digestKey reads the case's key for digests of personal data, or makes it. Destroying the
// file makes the digests in the ledger say nothing for good.
func digestKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, "checkpoints", "digest.key")
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		key = make([]byte, 32)
		rand.Read(key)
		err = store.WriteFile(path, key, 0o600)
	}
	if err == nil && len(key) < 32 {
		err = fmt.Errorf("%s is too short to be a key", path)
	}
	return key, err
}

// lookAgainAfter is how old the desk's knowledge of the published tables may be.
const lookAgainAfter = time.Second

// refresh brings in newly published tables, unless that was done a moment ago or is being done.
// Readers are held up only when there is something new.
func (d *Desk) refresh(ctx context.Context) error {
	if !d.looking.TryLock() {
		return nil
	}
	defer d.looking.Unlock()
	if time.Since(d.checked) < lookAgainAfter {
		return nil
	}
	list, err := d.c.Tables()
	if err != nil {
		return err
	}
	tables := make(map[string]store.Manifest, len(list))
	changed := len(list) != len(d.tables)
	for _, m := range list {
		tables[m.Table] = m
		changed = changed || d.tables[m.Table].Version != m.Version
	}
	if changed {
		d.reading.Lock()
		defer d.reading.Unlock()
		if err := d.engine.Refresh(ctx); err != nil {
			return err
		}
		d.tables = tables
	}
	d.checked = time.Now()
	return nil
}
