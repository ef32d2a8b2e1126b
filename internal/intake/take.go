package intake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/container"
	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/evidence"
	"github.com/unspoof/unspoof/internal/intake/sourcetable"
	"github.com/unspoof/unspoof/internal/store"
)

// incomplete begins the note of a source that its container held only in part.
const incomplete = "incomplete: "

// place is where in a set a content lies.
type place struct {
	label  string
	inside bool                              // in a folder or container
	depth  int                               // of the container it would be; 1: the outermost
	factor float64                           // how many times the container around it was expanded
	packed int64                             // bytes it takes in the container around it
	budget *container.Budget                 // nil in no container
	fault  func() error                      // once it was read: why that is not all of it; may be nil
	said   func() []string                   // once it was read: remarks of the program that wrote it; may be nil
	again  bool                              // it is sealed already
	parent casefile.SourceID                 // the container around it
	outer  func() (casefile.SourceID, error) // makes that one known, once this was read to its end; nil: it is
	member string                            // its path in that container
	beside map[string]casefile.SourceID      // what lies beside it and is read with it, by ending
	hold   bool                              // seal it and do not read it yet: what lies beside it is not known
}

// grown is how many times a content of that size was expanded from the outermost container.
func (p place) grown(size int64) float64 {
	if p.packed <= 0 {
		return p.factor
	}
	return p.factor * max(1, float64(size)/float64(p.packed))
}

// regular adds one regular file, and what is in it.
func (s *set) regular(ctx context.Context, f found) (store.Source, error) {
	head, err := headOf(f.path)
	if err != nil {
		return store.Source{}, err
	}
	name := filepath.Base(f.label)
	what := sniff(name, head, s.opt.List, f.inside)
	at := place{label: f.label, inside: f.inside, depth: 1, factor: 1, packed: f.size}
	if what.reader != nil {
		if at.beside, err = s.siblings(ctx, f, what.reader.Beside); err != nil {
			return store.Source{}, err
		}
	}
	id, err := s.recognise(ctx, f)
	if err != nil {
		return store.Source{}, err
	}
	if src, ok := s.sources[id]; ok {
		s.meter.pass(f.size)
		return s.known(ctx, src, at)
	}
	sealing, err := evidence.Open(ctx, s.in.Case, f.path, s.opt.Link)
	if err != nil {
		return store.Source{}, err
	}
	defer sealing.Close()
	done := s.meter.follow(f.label, f.size, sealing.Done)
	defer done()
	return s.take(ctx, sealing, what, store.Source{Name: name}, at, func() { sealing.Close(); done() })
}

// take reads what a sealing gives, seals it and makes it known; then it unpacks it if it is a
// container. src has the name. release, which may be nil, is called before the unpacking.
func (s *set) take(ctx context.Context, sealing *evidence.Sealing, what nature, src store.Source, at place, release func()) (store.Source, error) {
	if what.container.Single() && at.depth == 1 && at.parent == "" && !at.again { // a file of the set
		return s.through(ctx, sealing, what, src, at, release)
	}
	start := time.Now()
	w, err := s.read(ctx, sealing, &what, &src, at)
	if w != nil {
		defer w.Discard()
	}
	if err != nil {
		return src, err
	}
	if known, ok := s.sources[src.ID]; ok && !at.again {
		if at.hold && known.Format == src.Format {
			return known, nil
		}
		if s.finished(known) {
			if release != nil {
				release()
			}
			return s.known(ctx, known, at)
		}
		if known.Format == src.Format && maps.Equal(known.Siblings, src.Siblings) {
			src = known // an interrupted command sealed it
		}
	}
	if err := s.makeKnown(ctx, src); err != nil || at.hold {
		return src, err
	}
	a := Added{Source: src, Path: at.label}
	switch {
	case what.container != "":
		if release != nil {
			release()
		}
		return src, s.unpack(ctx, src, what.container, at)
	case what.reader != nil:
		a.Outcome = Read
		if a.Totals, err = w.Publish(ctx, src.ID, what.reader.Name, readerVersion(what.reader, src), s.in.publisher(nil)); err != nil {
			return src, &casefile.Problem{Where: casefile.Where{Source: at.label}, Err: err}
		}
		if at.again {
			if err := s.withdraw(ctx, src, readerVersion(what.reader, src)); err != nil {
				return src, err
			}
		}
		details := map[string]any{
			"rows_in": a.Totals.In(), "rows_stored": a.Totals.Stored, "rows_damaged": a.Totals.Damaged, "tables": a.Totals.Tables,
			"damages": a.Totals.Damages, "reader": tag(what.reader),
		}
		if len(src.Siblings) > 0 {
			details["beside"] = siblingsText(src)
		}
		if err := s.record(ctx, "read", src.ID, details); err != nil {
			return src, err
		}
		damages := w.Damages()
		a.Damages = damages[:min(len(damages), 100)]
	case what.unreadable != "":
		a.Outcome, a.Reason = Unreadable, src.Note
	default:
		a.Outcome, a.Reason = Attached, src.Note
	}
	a.Took = time.Since(start)
	s.say(a)
	return src, nil
}

// read reads a content to its end and completes its record. What a reader cannot read becomes
// unreadable; an error is the machine's, a limit's or the original's.
func (s *set) read(ctx context.Context, sealing *evidence.Sealing, what *nature, src *store.Source, at place) (w *sourcetable.Writer, err error) {
	var broken error
	reader := what.reader
	sink := &watched{}
	if reader != nil {
		w = sourcetable.NewWriter(s.in.Case, runtime.GOMAXPROCS(0))
		sink.Writer = w
	}
	fault := func(err error) (hard error) {
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case sealing.Err() != nil:
			return sealing.Err()
		case sink.err != nil:
			return sink.err
		default:
			broken = err
		}
		return nil
	}
	if reader != nil && reader.Stream != nil {
		if err := fault(safely(func() error { return reader.Stream(ctx, sealing, src.Name, sink) })); err != nil {
			return w, err
		}
	}
	if src.ID, src.Size, err = sealing.Finish(); err != nil {
		return w, err
	}
	if at.outer != nil {
		if at.parent, err = at.outer(); err != nil {
			return w, err
		}
	}
	src.Siblings = at.beside
	if reader != nil && reader.File != nil && !at.hold {
		stage, err := s.in.Case.Stage()
		if err != nil {
			return w, err
		}
		defer stage.Discard()
		file := sealed(s.in.Case, *src)
		file.Temp = stage.Dir
		if err := fault(safely(func() error { return reader.File(ctx, file, sink) })); err != nil {
			return w, err
		}
	}
	src.Note = what.note
	if at.fault != nil {
		if cut := at.fault(); cut != nil {
			src.Note = incomplete + cut.Error()
			if reader != nil && broken == nil {
				if err := w.Damage(dump.Damage{Offset: src.Size, Reason: "the content ends here because what it was packed in is cut or corrupt: " + cut.Error()}); err != nil {
					broken = err
				}
			}
		}
	}
	if at.said != nil && reader != nil && broken == nil {
		for _, remark := range at.said() {
			if err := w.Damage(dump.Damage{Offset: src.Size, Reason: container.Printable(remark)}); err != nil {
				broken = err
				break
			}
		}
	}
	if broken == nil && what.list != "" && !sink.rows && !at.hold {
		broken = errors.New("it has no rows")
	}
	if reader != nil {
		if err := w.Close(); err != nil {
			return w, &casefile.Problem{Where: casefile.Where{Source: at.label}, Err: err}
		}
	}
	if broken != nil {
		*what = nature{unreadable: tag(reader) + ": " + container.Printable(broken.Error())}
	}
	if what.unreadable != "" {
		src.Note = what.unreadable
	}
	src.Parent, src.Member = at.parent, at.member
	src.Exhibit, src.LegalBasis, src.List = s.opt.Exhibit, s.opt.LegalBasis, what.list
	if reader != nil && broken == nil && src.List == "" {
		if err := s.state(src); err != nil {
			return w, err
		}
	}
	src.Format, src.SealedBy, src.SealedAt = what.format(), s.in.Hand.Actor, time.Now().UTC().Truncate(time.Microsecond)
	return w, nil
}

// tag names a reader and its version.
func tag(f *dump.Format) string { return f.Name + " " + f.Version }

// readerVersion is what a source's rows depend on beside its content.
func readerVersion(f *dump.Format, src store.Source) string {
	return strings.TrimSpace(f.Version + " " + siblingsText(src))
}

// siblingsText lists what lay beside a source and is read with it.
func siblingsText(src store.Source) string {
	var list []string
	for _, ending := range slices.Sorted(maps.Keys(src.Siblings)) {
		list = append(list, ending+"="+string(src.Siblings[ending]))
	}
	return strings.Join(list, " ")
}

// safely turns a reader's panic on hostile bytes into an error.
func safely(read func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it makes its reader fail: %v", p)
		}
	}()
	return read()
}

// watched is a source table writer that remembers its errors, to tell them from the content's,
// and whether there was a row.
type watched struct {
	*sourcetable.Writer
	err  error
	rows bool
}

func (w *watched) Rows(b *dump.Batch) error {
	w.rows = w.rows || len(b.Rows) > 0
	err := w.Writer.Rows(b)
	if err != nil {
		w.err = err
	}
	return err
}

// known deals with content that is in the case: it finishes what was begun, and reads with a
// newer program what an older one kept as an attachment or could not read.
func (s *set) known(ctx context.Context, src store.Source, at place) (store.Source, error) {
	if src.Format == store.FormatContainer {
		head, err := headOf(s.in.Case.SourcePath(src.ID))
		if err != nil {
			return src, err
		}
		return src, s.unpack(ctx, src, container.Detect(src.Name, head), at)
	}
	a := Added{Source: src, Path: at.label, Known: true}
	switch src.Format {
	case store.FormatListing:
		a.Outcome = Attached
	case store.FormatAttachment, store.FormatUnreadable:
		head, err := headOf(s.in.Case.SourcePath(src.ID))
		if err != nil {
			return src, err
		}
		what := sniff(src.Name, head, s.opt.List, at.inside)
		if what.container != "" || what.reader != nil && !strings.HasPrefix(src.Note, tag(what.reader)+":") {
			return s.again(ctx, src, what, at)
		}
		a.Outcome, a.Reason = Attached, src.Note
		if src.Format == store.FormatUnreadable {
			a.Outcome = Unreadable
		}
	default:
		act, ok := s.said("read", src.ID)
		with, _ := act.Details["beside"].(string)
		if !ok || with != siblingsText(src) || len(at.beside) > 0 && len(src.Siblings) == 0 { // not read yet, or without what lies beside it
			f, err := formatOf(src)
			if err != nil {
				return src, err
			}
			return s.again(ctx, src, nature{reader: &f, list: src.List}, at)
		}
		stated := src
		if err := s.state(&stated); err != nil {
			return src, err
		}
		if stated.SnapshotOf != src.SnapshotOf || stated.Taken != src.Taken {
			src = stated
			src.SealedBy, src.SealedAt = s.in.Hand.Actor, time.Now().UTC().Truncate(time.Microsecond)
			if err := s.makeKnown(ctx, src); err != nil {
				return src, err
			}
			a.Source = src
		}
		a.Outcome = Read
		a.Totals.Stored, a.Totals.Damaged = count(act.Details["rows_stored"]), count(act.Details["rows_damaged"])
		a.Totals.Tables, a.Totals.Damages = int(count(act.Details["tables"])), int(count(act.Details["damages"]))
	}
	s.say(a)
	return src, nil
}

// siblings adds the files that lie beside one and are read with it.
func (s *set) siblings(ctx context.Context, f found, endings []string) (map[string]casefile.SourceID, error) {
	var beside map[string]casefile.SourceID
	for _, ending := range endings {
		sibling := f
		sibling.path, sibling.label = dump.BesideName(f.path, ending), dump.BesideName(f.label, ending)
		info, err := os.Lstat(sibling.path)
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
			continue // what is there and no file, a folder's listing names as refused
		}
		sibling.size, sibling.modified = info.Size(), info.ModTime()
		if _, done := s.done[sibling.path]; !done && !f.inside {
			s.meter.more(sibling.size)
		}
		stated := s.opt
		s.opt.SnapshotOf, s.opt.Taken = "", time.Time{} // of the file itself, not of what lies beside it
		e, err := s.file(ctx, sibling)
		if s.opt = stated; err != nil {
			return nil, err
		}
		if e.SHA256 != "" {
			if beside == nil {
				beside = map[string]casefile.SourceID{}
			}
			beside[ending] = e.SHA256
		}
	}
	return beside, nil
}

// finished reports whether nothing is left to do on a source, its members apart.
func (s *set) finished(src store.Source) bool {
	switch src.Format {
	case store.FormatContainer, store.FormatAttachment, store.FormatUnreadable, store.FormatListing:
		return true
	}
	_, ok := s.said("read", src.ID)
	return ok
}

// again reads content that is sealed already.
func (s *set) again(ctx context.Context, src store.Source, what nature, at place) (store.Source, error) {
	sealing, err := evidence.Again(ctx, s.in.Case, src.ID)
	if err != nil {
		return src, err
	}
	defer sealing.Close()
	s.meter.more(src.Size)
	done := s.meter.follow(at.label, src.Size, sealing.Done)
	defer done()
	at.again, at.hold, at.parent, at.member = true, false, src.Parent, src.Member
	if len(src.Siblings) > 0 {
		at.beside = src.Siblings
	}
	at.fault = nil
	if cut, ok := strings.CutPrefix(src.Note, incomplete); ok {
		at.fault = func() error { return errors.New(cut) }
	}
	return s.take(ctx, sealing, what, store.Source{Name: src.Name}, at, func() { sealing.Close(); done() })
}

// withdraw stops serving the tables that an earlier reading of a source gave and this one did
// not: with what lies beside it, its tables may have other names.
func (s *set) withdraw(ctx context.Context, src store.Source, version string) error {
	tables, err := s.in.Case.Tables()
	if err != nil {
		return err
	}
	for _, m := range tables {
		if m.Kind != store.KindSource || m.Source != src.ID || m.StepVersion == version {
			continue
		}
		if err := s.in.Case.Withdraw(ctx, m.Table, func(ctx context.Context) error {
			return s.in.Hand.Record(ctx, "withdraw", "table:"+m.Table, nil)
		}); err != nil {
			return err
		}
	}
	return nil
}

// makeKnown makes a sealed source known: first to the ledger, then to the case.
func (s *set) makeKnown(ctx context.Context, src store.Source) error {
	if known, ok := s.sources[src.ID]; ok && known.Format == src.Format && known.List == src.List && known.SnapshotOf == src.SnapshotOf && known.Taken == src.Taken && maps.Equal(known.Siblings, src.Siblings) {
		return nil
	}
	// A crash between the two leaves an entry without a record; the next seal's entry counts.
	text, err := evidence.EncodeRecord(src)
	if err != nil {
		return err
	}
	details := map[string]any{
		"record_sha256": sha256Hex(text), "size": src.Size, "exhibit": src.Exhibit, "legal_basis": src.LegalBasis, "list": src.List, "format": src.Format,
	}
	if src.Parent != "" {
		details["parent"] = string(src.Parent)
	}
	if src.SnapshotOf != "" {
		details["snapshot_of"] = string(src.SnapshotOf)
	}
	if src.Taken != nil {
		details["taken"] = src.Taken.Format(time.RFC3339)
	}
	if err := s.in.Hand.Record(ctx, "seal", "source:"+string(src.ID), details); err != nil {
		return err
	}
	if err := store.WriteFile(s.in.Case.SourceRecordPath(src.ID), text, 0o440); err != nil {
		return err
	}
	s.learn(src)
	return nil
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

// baseName is the last element of a member's path.
func baseName(member string) string { return path.Base(member) }
