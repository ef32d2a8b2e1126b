// Package intake takes a source from a file to source tables and case tables: it seals the
// file, recognises its format, has the right reader read it, publishes the source tables and
// maps them to the common model. Rows in = rows stored + rows damaged, asserted here on every
// reading.
//
// Folders below: evidence (sealing), dump (the reader seam and the readers), sourcetable
// (Parquet), mapping (source column to case column).
//
// Reading order: add.go (one file), format.go (which reader), row.go (one original row
// again), map.go (case tables).
package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/evidence"
	"github.com/unspoof/unspoof/internal/intake/sourcetable"
	"github.com/unspoof/unspoof/internal/ledger"
	"github.com/unspoof/unspoof/internal/store"
)

// Intake works on one case on behalf of one actor. The case is locked by the caller.
type Intake struct {
	Case *store.Case
	Hand ledger.Hand
	// Progress is told how far a reading is, in bytes. It may be nil.
	Progress func(what string, done, total int64)
}

// AddOptions say what is known about a file beside its content.
type AddOptions struct {
	Exhibit    string // exhibit reference
	LegalBasis string
	List       string // the list a CSV file is; empty: the platform's own data
	Link       bool   // hard-link instead of copying
}

// Added is what adding a file came to.
type Added struct {
	Source  store.Source       `json:"source"`
	Known   bool               `json:"known"` // the same content was in the case already
	Totals  sourcetable.Totals `json:"totals"`
	Damages []dump.Damage      `json:"damages,omitempty"` // the first hundred
	Took    time.Duration      `json:"-"`
}

// Add seals a file and publishes its source tables. Adding the same content again is
// recognised and changes nothing; after an interruption it finishes what was begun.
func (in *Intake) Add(ctx context.Context, path string, opt AddOptions) (Added, error) {
	start := time.Now()
	path = filepath.Clean(path)
	if err := evidence.Clean(in.Case); err != nil {
		return Added{}, err
	}
	format, err := sniff(path, opt.List)
	if err != nil {
		return Added{}, err
	}
	if known, ok, err := in.known(ctx, path); ok || err != nil {
		known.Took = time.Since(start)
		return known, err
	}

	sealing, err := evidence.Open(ctx, in.Case, path, opt.Link)
	if err != nil {
		return Added{}, err
	}
	defer sealing.Close()
	stopProgress := in.watch(sealing, filepath.Base(path))
	defer stopProgress()

	w := sourcetable.NewWriter(in.Case, runtime.GOMAXPROCS(0))
	defer w.Discard()
	fail := func(err error) (Added, error) {
		return Added{}, &casefile.Problem{Where: casefile.Where{Source: path}, Err: err}
	}
	if format.Stream != nil {
		if err := format.Stream(ctx, sealing, filepath.Base(path), w); err != nil {
			return fail(err)
		}
	}
	id, size, err := sealing.Finish()
	if err != nil {
		return Added{}, err
	}
	if format.File != nil {
		if err := format.File(ctx, in.Case.SourcePath(id), filepath.Base(path), w); err != nil {
			return fail(err)
		}
	}
	if err := w.Close(); err != nil {
		return fail(err)
	}
	source := store.Source{ID: id, Name: filepath.Base(path), Size: size, Exhibit: opt.Exhibit, LegalBasis: opt.LegalBasis,
		List: opt.List, Format: format.Name, SealedBy: in.Hand.Actor, SealedAt: time.Now().UTC().Truncate(time.Microsecond)}
	if source, err = in.seal(ctx, source); err != nil {
		return Added{}, err
	}
	totals, err := w.Publish(ctx, id, format.Name, format.Version, in.publisher(nil))
	if err != nil {
		return Added{}, err
	}
	if err := in.Hand.Record(ctx, "read", "source:"+string(id), map[string]any{
		"rows_in": totals.In(), "rows_stored": totals.Stored, "rows_damaged": totals.Damaged, "tables": totals.Tables, "reader": format.Name + " " + format.Version,
	}); err != nil {
		return Added{}, err
	}
	damages := w.Damages()
	return Added{Source: source, Totals: totals, Damages: damages[:min(len(damages), 100)], Took: time.Since(start)}, nil
}

// known tells whether the file's content was sealed and wholly read before. Only a file of
// the same size as a sealed one is hashed for that.
func (in *Intake) known(ctx context.Context, path string) (Added, bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Added{}, false, err
	}
	sources, err := in.Case.Sources()
	if err != nil {
		return Added{}, false, err
	}
	var id casefile.SourceID
	for _, s := range sources {
		if s.Size != info.Size() {
			continue
		}
		if id == "" {
			if id, err = evidence.Hash(ctx, path); err != nil {
				return Added{}, false, err
			}
		}
		if s.ID != id {
			continue
		}
		act, done, err := in.Hand.Said(ctx, "read", "source:"+string(id))
		if err != nil || !done {
			return Added{}, false, err // begun and not finished: read again
		}
		a := Added{Source: s, Known: true}
		a.Totals.Stored, a.Totals.Damaged = count(act.Details["rows_stored"]), count(act.Details["rows_damaged"])
		a.Totals.Tables = int(count(act.Details["tables"]))
		return a, true, nil
	}
	return Added{}, false, nil
}

// seal makes the source known: first to the ledger, then to the case.
func (in *Intake) seal(ctx context.Context, s store.Source) (store.Source, error) {
	if known, err := in.Case.Source(s.ID); err == nil {
		return known, nil
	}
	// A crash between the two leaves an entry without a record; the next seal's entry counts.
	record, err := evidence.EncodeRecord(s)
	if err != nil {
		return s, err
	}
	if err := in.Hand.Record(ctx, "seal", "source:"+string(s.ID), map[string]any{
		"record_sha256": sha256Hex(record), "size": s.Size, "exhibit": s.Exhibit, "legal_basis": s.LegalBasis, "list": s.List, "format": s.Format,
	}); err != nil {
		return s, err
	}
	return s, store.WriteFile(in.Case.SourceRecordPath(s.ID), record, 0o440)
}

// publisher records publications in the ledger.
func (in *Intake) publisher(more map[string]any) store.Recorder {
	return func(ctx context.Context, m store.Manifest, sum string) error {
		details := map[string]any{"version": m.Version, "manifest_sha256": sum, "rows": m.Rows}
		for k, v := range more {
			details[k] = v
		}
		return in.Hand.Record(ctx, "publish", "table:"+m.Table, details)
	}
}

// watch reports a sealing's progress ten times a second until the returned function is
// called.
func (in *Intake) watch(s *evidence.Sealing, what string) (stop func()) {
	if in.Progress == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				in.Progress(what, s.Done(), s.Size())
			case <-quit:
				in.Progress(what, s.Done(), s.Size())
				return
			}
		}
	}()
	return func() { close(quit); <-ended }
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func count(v any) int64 {
	var n int64
	if _, err := fmt.Sscan(fmt.Sprint(v), &n); err != nil {
		return 0
	}
	return n
}
