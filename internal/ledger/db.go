package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// busyTimeout is how long a writer waits for another process's transaction before it gives up.
const busyTimeout = 30 * time.Second

// OpenDB opens a case's database for reading and writing, and creates it (mode 0600) if it is not there.
// Every connection has a write-ahead log synced at each commit (WAL, synchronous FULL), enforced foreign keys,
// transactions that take the write lock at their start, and patience with other processes. The folder must be
// on a local disk: SQLite's write-ahead log does not work over a network file system.
func OpenDB(path string) (*sql.DB, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the case database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open the case database: %w", err)
	}
	return open(path, url.Values{
		"mode":    {"rw"},
		"_txlock": {"immediate"},
		"_pragma": {busyPragma(), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
	})
}

// OpenDBReadOnly opens an existing case's database so that nothing can be written through it.
func OpenDBReadOnly(path string) (*sql.DB, error) {
	return open(path, url.Values{
		"mode":    {"ro"},
		"_pragma": {busyPragma(), "query_only(1)"},
	})
}

func busyPragma() string { return fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()) }

func open(path string, query url.Values) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the case database: %w", err)
	}
	name := filepath.ToSlash(abs)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // C:/case.db becomes file:///C:/case.db
	}
	u := url.URL{Scheme: "file", Path: name, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("open the case database %s: %w", path, err)
	}
	// Processes that switch a new database to WAL at the same moment can lock each other out at once, however
	// patient they are: try again.
	for deadline := time.Now().Add(busyTimeout); ; time.Sleep(20 * time.Millisecond) {
		err = db.Ping()
		if err == nil {
			return db, nil
		}
		if !strings.Contains(err.Error(), "locked") || time.Now().After(deadline) {
			db.Close()
			return nil, fmt.Errorf("open the case database %s: %w", path, err)
		}
	}
}

// schema makes the three tables. The triggers refuse what a log never does: change, removal, a gap, a replaced
// row (INSERT OR REPLACE does not fire the DELETE trigger, so the order is checked on INSERT). They guard
// against mistakes; against malice there are the hashes and the signature.
const schema = `
CREATE TABLE IF NOT EXISTS ledger_entry      (id   INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS ledger_hash       (id   INTEGER PRIMARY KEY, h    BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS ledger_checkpoint (size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT;

CREATE TRIGGER IF NOT EXISTS ledger_entry_order BEFORE INSERT ON ledger_entry
	WHEN NEW.id IS NOT (SELECT coalesce(max(id) + 1, 0) FROM ledger_entry)
	BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: entry out of order'); END;
CREATE TRIGGER IF NOT EXISTS ledger_entry_update BEFORE UPDATE ON ledger_entry
	BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS ledger_entry_delete BEFORE DELETE ON ledger_entry
	BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER IF NOT EXISTS ledger_hash_order BEFORE INSERT ON ledger_hash
	WHEN NEW.id IS NOT (SELECT coalesce(max(id) + 1, 0) FROM ledger_hash)
	BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: hash out of order'); END;
CREATE TRIGGER IF NOT EXISTS ledger_hash_update BEFORE UPDATE ON ledger_hash
	BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS ledger_hash_delete BEFORE DELETE ON ledger_hash
	BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER IF NOT EXISTS ledger_checkpoint_order BEFORE INSERT ON ledger_checkpoint
	WHEN NEW.size <= (SELECT max(size) FROM ledger_checkpoint)
	BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: checkpoint out of order'); END;
CREATE TRIGGER IF NOT EXISTS ledger_checkpoint_update BEFORE UPDATE ON ledger_checkpoint
	BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS ledger_checkpoint_delete BEFORE DELETE ON ledger_checkpoint
	BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
`

// createSchema makes what is missing, in one transaction.
func createSchema(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("make the ledger's tables: %w", err)
	}
	_, err := conn.ExecContext(ctx, schema)
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// A rollback that fails too has nothing left to undo.
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return fmt.Errorf("make the ledger's tables: %w", err)
	}
	return nil
}
