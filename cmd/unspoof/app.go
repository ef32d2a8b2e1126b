package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"runtime/debug"
	"time"
	"unicode/utf16"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/desk"
	"github.com/unspoof/unspoof/internal/ledger"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// workspace is an open case with its ledger, for one command.
type workspace struct {
	*store.Case
	db   *sql.DB
	log  *ledger.Log
	hand ledger.Hand
	key  ledger.Key
	// engineMB is what the SQL engine may use; 0: as much as it thinks fit.
	engineMB int64
	done     []func()
}

// openCase opens a case and its ledger. With write it also takes the case's lock and puts in
// order what a crash left behind.
func openCase(ctx context.Context, dir string, write bool) (_ *workspace, err error) {
	c, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	w := &workspace{Case: c}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if write {
		unlock, err := c.Lock()
		if err != nil {
			return nil, err
		}
		w.done = append(w.done, unlock)
	}
	origin := "unspoof/case/" + c.Config.ID
	if w.key, err = ledger.LoadOrCreateKey(c.Dir+"/checkpoints", origin); err != nil {
		return nil, err
	}
	if w.db, err = ledger.OpenDB(c.ActsPath()); err != nil {
		return nil, err
	}
	w.done = append(w.done, func() { w.db.Close() })
	if w.log, err = ledger.Open(ctx, w.db, origin, w.key.Signer, ledger.WithApp(version())); err != nil {
		return nil, err
	}
	w.done = append(w.done, func() { w.log.Close() })
	w.hand = ledger.Hand{Log: w.log, Reader: w.log.Reader, Actor: actor(), Role: "operator"}
	if write {
		if err := w.recover(ctx); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Close gives everything back. After a writing command it signs a checkpoint first.
func (w *workspace) Close() {
	for i := len(w.done) - 1; i >= 0; i-- {
		w.done[i]()
	}
	w.done = nil
}

// sign puts a checkpoint on what a command recorded.
func (w *workspace) sign(ctx context.Context) error {
	_, err := w.log.Checkpoint(context.WithoutCancel(ctx))
	return err
}

// recover rolls interrupted publications forward, or removes them, as the ledger says.
func (w *workspace) recover(ctx context.Context) error {
	said := map[string]store.Recorded{}
	for e, err := range w.log.Entries(ctx, 0, -1) {
		if err != nil {
			return err
		}
		act, err := e.Act()
		if err != nil {
			return err
		}
		switch act.Action {
		case "publish":
			table := said[act.Object]
			if table.Versions == nil {
				table.Versions = map[string]bool{}
			}
			table.Manifest, _ = act.Details["manifest_sha256"].(string)
			table.Versions[fmt.Sprint(act.Details["version"])] = true
			said[act.Object] = table
		case "withdraw":
			said[act.Object] = store.Recorded{Versions: said[act.Object].Versions}
		}
	}
	did, err := w.Recover(func(table string) store.Recorded { return said["table:"+table] })
	for _, d := range did {
		fmt.Fprintln(os.Stderr, "after an interruption:", d)
	}
	return err
}

// wholeSources reports an error when a source's reading was interrupted while its tables were
// being published: what is computed from some of them would be wrong without saying so.
func (w *workspace) wholeSources(ctx context.Context) error {
	tables, err := w.Tables()
	if err != nil {
		return err
	}
	seen := map[casefile.SourceID]bool{}
	for _, t := range tables {
		if t.Source == "" || seen[t.Source] {
			continue
		}
		seen[t.Source] = true
		if _, done, err := w.hand.Said(ctx, "read", "source:"+string(t.Source)); err != nil || done {
			if err != nil {
				return err
			}
			continue
		}
		name := t.Source.Short()
		if s, err := w.Source(t.Source); err == nil {
			name = visible(s.Name) + " (source " + name + ")"
		}
		return &coded{exitNotBuilt, fmt.Errorf("%s has not been read to its end: run the `unspoof add --case %s` of it again", name, w.Dir)}
	}
	return nil
}

// engine opens the SQL engine over the case.
func (w *workspace) engine(ctx context.Context) (*duckdb.Engine, error) { return w.keeping(ctx, 0) }

// keeping opens the SQL engine with tables of at most so many rows in memory.
func (w *workspace) keeping(ctx context.Context, rows int64) (*duckdb.Engine, error) {
	e, err := duckdb.Open(ctx, w.Case, duckdb.Options{MemoryMB: w.engineMB, KeepRows: rows, Keys: desk.Keys})
	if err == nil {
		w.done = append(w.done, func() { e.Close() })
	}
	return e, err
}

// actor is who runs the command: UNSPOOF_ACTOR where several people share a login.
func actor() string {
	if a := os.Getenv("UNSPOOF_ACTOR"); a != "" {
		return a
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "unknown"
}

// caseFlag is the flag every command on a case has.
func caseFlag(c *cobra.Command) *string {
	dir := c.Flags().String("case", "", "the case folder")
	if err := c.MarkFlagRequired("case"); err != nil {
		panic(err) // the flag was defined on the line above
	}
	return dir
}

// memoryFlag is the flag of commands that do much: how much memory they may take, in all. The
// program's own part is kept below it by collecting garbage sooner; the SQL engine gets what a
// quarter leaves and puts on disk what does not fit.
func memoryFlag(c *cobra.Command, usual byteSize) *byteSize {
	c.Flags().Var(&usual, "memory", "how much memory to use; what does not fit goes to disk")
	return &usual
}

// ampleMemory is what a command that sorts whole tables may use: a third of the machine's memory, but from 4 to
// 7 GiB.
func ampleMemory() byteSize {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 4 << 30
	}
	return min(max(byteSize(info.Totalram)*byteSize(info.Unit)/3, 4<<30), 7<<30)
}

// bound keeps a command below its memory.
func (w *workspace) bound(memory *byteSize) error {
	const least = 512 << 20
	if *memory < least {
		return &coded{exitUsage, fmt.Errorf("--memory %s is too little: at least %s is needed", memory, humanize.IBytes(least))}
	}
	debug.SetMemoryLimit(int64(*memory) / 4 * 3)
	w.engineMB = int64(*memory) / 4 * 3 >> 20
	return nil
}

// printJSON writes a value as one line of JSON. Characters that do not show are escaped.
func printJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeHidden(b.Bytes()))
	return err
}

// escapeHidden writes characters that do not show, or that change how others do, as JSON's
// escapes. In JSON text they can stand in strings only.
func escapeHidden(text []byte) []byte {
	hidden := func(r rune) bool { return isHidden(r) && r != '\n' }
	if bytes.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if !hidden(r) {
			b.WriteRune(r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, u)
		}
	}
	return b.Bytes()
}

// queryRows runs a query and gives each row's columns by name.
func queryRows(ctx context.Context, db *sql.DB, query string, each func(map[string]any) error) error {
	r, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer r.Close()
	cols, err := r.Columns()
	if err != nil {
		return err
	}
	for r.Next() {
		values, into := make([]any, len(cols)), make([]any, len(cols))
		for i := range values {
			into[i] = &values[i]
		}
		if err := r.Scan(into...); err != nil {
			return err
		}
		row := map[string]any{}
		for i, c := range cols {
			if t, ok := values[i].(time.Time); ok {
				values[i] = t.UTC().Format(time.RFC3339)
			}
			row[c] = values[i]
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return r.Err()
}

// built gives the manifests of tables an answer needs, or says what to run.
func (w *workspace) built(tables ...string) ([]store.Manifest, error) {
	var list []store.Manifest
	for _, t := range tables {
		m, err := w.Table(t)
		if errors.Is(err, store.ErrNoTable) {
			return nil, fmt.Errorf("%w: run `unspoof build --case %s`", err, w.Dir)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}
