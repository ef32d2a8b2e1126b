// Package intake takes sources from files to source tables and case tables: it seals each
// file, recognises its format, has the right reader read it, publishes the source tables and
// maps them to the common model. Rows in = rows stored + rows damaged, asserted here on every
// reading.
//
// Files come alone, in folders and in containers (zip, tar, gzip ...). Each file and each
// member of a container becomes a source of its own, sealed under its own hash, so that a
// row reference means a place in plain content; what this costs in disk, and why, is in
// package container. Whatever is found is read by a reader, or recognised as unreadable with
// the reason, or kept as an attachment, or refused (links, devices, bombs, hostile names);
// a listing, itself sealed, says for every folder and container what became of everything in
// it. Nothing that was found is passed over in silence.
//
// Folders below: evidence (sealing), container (unpacking), datadir (raw data directories),
// dump (the reader seam and the readers), sourcetable (Parquet), mapping (source column to
// case column), snapshot (what changed between snapshots).
//
// Reading order: add.go (a set of files), take.go (one file or member), unpack.go
// (containers), opendir.go (data directories), sniff.go (what a file is), format.go (the
// readers), row.go (one original row again), series.go (snapshots), map.go (case tables).
package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/container"
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
	// Progress is told ten times a second how far the whole set is, in bytes, and which file
	// is being read. The total can grow when a container is found. It may be nil.
	Progress func(what string, done, total int64)
}

// AddOptions say what is known about files beside their content.
type AddOptions struct {
	Exhibit    string // exhibit reference
	LegalBasis string
	List       string // the list a CSV file is; empty: the platform's own data
	Link       bool   // hard-link instead of copying; not for what is in containers
	Limits     container.Limits

	// SnapshotOf is the source of which the platform's own files that are read are a later
	// state; empty: of none. Taken is when their state was taken; zero: that is not known.
	SnapshotOf casefile.SourceID
	Taken      time.Time
}

// Outcome says what became of a file.
type Outcome string

// The outcomes.
const (
	Read       Outcome = "read"       // by a reader, into source tables
	Unpacked   Outcome = "unpacked"   // a container: its members follow
	Attached   Outcome = "attached"   // sealed; nothing to read
	Unreadable Outcome = "unreadable" // sealed; it could not be read, Reason says why
	Refused    Outcome = "refused"    // not sealed by itself, Reason says why
)

// Added is what adding a file, or a member of a container, came to.
type Added struct {
	Source  store.Source       `json:"source"`
	Path    string             `json:"path"` // as given; what is in a container stands behind an exclamation mark
	Outcome Outcome            `json:"outcome"`
	Reason  string             `json:"reason,omitempty"`
	Known   bool               `json:"known"` // the same content was in the case already
	Totals  sourcetable.Totals `json:"totals"`
	Damages []dump.Damage      `json:"damages,omitempty"` // the first hundred
	Took    time.Duration      `json:"-"`
}

// Account is what a set of files came to: what was found, known or not.
type Account struct {
	Found      int   `json:"found"` // files and members
	Known      int   `json:"known"` // in the case before
	Read       int   `json:"read"`
	Containers int   `json:"containers"`
	Attached   int   `json:"attached"`
	Unreadable int   `json:"unreadable"`
	Refused    int   `json:"refused"`
	Bytes      int64 `json:"bytes"`  // of what was found
	Sealed     int64 `json:"sealed"` // bytes of it that are new to the case
	Tables     int   `json:"tables"`
	Stored     int64 `json:"rows_stored"`
	Damaged    int64 `json:"rows_damaged"`
	Damages    int   `json:"damages"`
	Incomplete int   `json:"incomplete"` // attachments that their container held only in part
}

// In is the number of rows found: stored and damaged.
func (a Account) In() int64 { return a.Stored + a.Damaged }

// Whole reports whether everything that was found could be taken in.
func (a Account) Whole() bool {
	return a.Damages == 0 && a.Unreadable == 0 && a.Refused == 0 && a.Incomplete == 0
}

// Add adds one path as [Intake.AddAll] does, and gives what the file itself came to.
func (in *Intake) Add(ctx context.Context, path string, opt AddOptions) (Added, error) {
	var first *Added
	_, err := in.AddAll(ctx, []string{path}, opt, func(a Added) {
		if first == nil || a.Path == container.Printable(filepath.Base(path)) { // what lies beside a file comes before it
			first = &a
		}
	})
	if first == nil {
		return Added{}, err
	}
	return *first, err
}

// AddAll seals files and publishes their source tables; folders are added whole, in the order
// of their names. tell, which may be nil, is told what each file and member came to. Content
// that is in the case is recognised and changes nothing; after an interruption the same call
// finishes what was begun.
func (in *Intake) AddAll(ctx context.Context, paths []string, opt AddOptions, tell func(Added)) (Account, error) {
	opt.Limits = opt.Limits.WithDefaults()
	s := &set{in: in, opt: opt, tell: tell, counted: map[casefile.SourceID]bool{}, unpacking: map[casefile.SourceID]bool{}, done: map[string]entry{}}
	groups := make([][]found, 0, len(paths))
	for _, p := range paths {
		files, err := s.find(ctx, p)
		if err != nil {
			return Account{}, err
		}
		groups = append(groups, files)
		for _, f := range files {
			s.meter.total += f.size
		}
	}
	if err := evidence.Clean(in.Case); err != nil {
		return Account{}, err
	}
	if err := s.load(ctx); err != nil {
		return Account{}, err
	}
	if err := s.checkSnapshot(); err != nil {
		return Account{}, err
	}
	defer s.meter.watch(in.Progress)()
	for i, files := range groups {
		var list listing
		for _, f := range files {
			before := s.account
			e, err := s.file(ctx, f)
			if err != nil {
				return s.account, err
			}
			list.add(e, s.account.since(before))
		}
		if len(files) == 1 && !files[0].inside {
			continue
		}
		if err := s.folder(ctx, paths[i], &list); err != nil {
			return s.account, err
		}
	}
	return s.account, nil
}

// found is one file of a set.
type found struct {
	arg      string // as the user gave it
	path     string
	label    string // for people
	size     int64
	modified time.Time
	inside   bool // in a folder that was added
	refused  string
}

// find lists what is at a path the user named: a file, or everything in a folder.
func (s *set) find(ctx context.Context, arg string) ([]found, error) {
	root, err := filepath.EvalSymlinks(arg) // what the user names may be a link
	if err != nil {
		return nil, named(arg, err)
	}
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file", arg)
		}
		return []found{{arg: arg, path: root, label: container.Printable(filepath.Base(arg)), size: info.Size(), modified: info.ModTime()}}, nil
	}
	home, err := os.Stat(s.in.Case.Dir)
	if err != nil {
		return nil, err
	}
	var files []found
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rel, relErr := filepath.Rel(root, p)
		if relErr != nil {
			return relErr
		}
		f := found{arg: arg, path: p, label: container.Printable(filepath.ToSlash(rel)), inside: true}
		switch {
		case err != nil:
			f.refused = "cannot be read: " + cause(err)
		case d.IsDir():
			info, err := d.Info()
			if err != nil || !os.SameFile(info, home) {
				return nil
			}
			f.refused = "is this case's own folder"
			files = append(files, f)
			return fs.SkipDir
		case d.Type()&fs.ModeSymlink != 0:
			f.refused = "is a link"
		case !d.Type().IsRegular():
			f.refused = "is a device, a socket or a pipe"
		default:
			info, err := d.Info()
			if err != nil {
				f.refused = "cannot be read: " + cause(err)
				break
			}
			f.size, f.modified = info.Size(), info.ModTime()
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

// named is an error with the name the user gave, unless it is there already.
func named(arg string, err error) error {
	if strings.Contains(err.Error(), arg) {
		return err
	}
	return fmt.Errorf("%s: %w", arg, err)
}

// cause is an error without the path, which stands beside it.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// set is one call of AddAll: what is known of the case, so that it is read only once.
type set struct {
	in      *Intake
	opt     AddOptions
	tell    func(Added)
	account Account
	meter   meter

	sources  map[casefile.SourceID]store.Source
	bySize   map[int64][]casefile.SourceID
	byMember map[[2]string]casefile.SourceID // container, path in it
	acts     map[string]ledger.Act           // the last read, unpack or open act, by action and source

	counted   map[casefile.SourceID]bool
	unpacking map[casefile.SourceID]bool // to know a container that contains itself
	done      map[string]entry           // files that were added, by path
	limited   int64                      // refusals for limits so far
}

// load reads the records of the sources and the ledger.
func (s *set) load(ctx context.Context) error {
	s.sources, s.bySize = map[casefile.SourceID]store.Source{}, map[int64][]casefile.SourceID{}
	s.byMember, s.acts = map[[2]string]casefile.SourceID{}, map[string]ledger.Act{}
	all, err := s.in.Case.Sources()
	if err != nil {
		return err
	}
	for _, src := range all {
		s.learn(src)
	}
	for e, err := range s.in.Hand.Reader.Entries(ctx, 0, -1) {
		if err != nil {
			return err
		}
		act, err := e.Act()
		if err != nil {
			return err
		}
		if (act.Action == "read" || act.Action == "unpack" || act.Action == "open") && act.Outcome == ledger.Done {
			s.acts[act.Action+" "+act.Object] = act
		}
	}
	return nil
}

func (s *set) learn(src store.Source) {
	if _, ok := s.sources[src.ID]; !ok {
		s.bySize[src.Size] = append(s.bySize[src.Size], src.ID)
	}
	s.sources[src.ID] = src
	if src.Member != "" {
		s.byMember[[2]string{string(src.Parent), src.Member}] = src.ID
	}
}

// record appends an act about a source.
func (s *set) record(ctx context.Context, action string, id casefile.SourceID, details map[string]any) error {
	object := "source:" + string(id)
	if err := s.in.Hand.Record(ctx, action, object, details); err != nil {
		return err
	}
	s.acts[action+" "+object] = ledger.Act{Action: action, Object: object, Details: details}
	return nil
}

// said gives the last read, unpack or open act on a source.
func (s *set) said(action string, id casefile.SourceID) (ledger.Act, bool) {
	act, ok := s.acts[action+" source:"+string(id)]
	return act, ok
}

// say counts and tells what a file came to.
func (s *set) say(a Added) {
	n := &s.account
	n.Found++
	n.Bytes += a.Source.Size
	switch {
	case a.Known:
		n.Known++
	case a.Outcome != Refused:
		n.Sealed += a.Source.Size
	}
	switch a.Outcome {
	case Read:
		n.Read++
	case Unpacked:
		n.Containers++
	case Attached:
		n.Attached++
		if strings.HasPrefix(a.Source.Note, incomplete) {
			n.Incomplete++
		}
	case Unreadable:
		n.Unreadable++
	case Refused:
		n.Refused++
	}
	if !s.counted[a.Source.ID] { // the rows of content that was found twice are there once
		n.Tables += a.Totals.Tables
		n.Stored += a.Totals.Stored
		n.Damaged += a.Totals.Damaged
		n.Damages += a.Totals.Damages
		s.counted[a.Source.ID] = true
	}
	if s.tell != nil {
		s.tell(a)
	}
}

// since is what was counted after an earlier state of the account.
func (a Account) since(b Account) Account {
	return Account{Found: a.Found - b.Found, Known: a.Known - b.Known, Read: a.Read - b.Read, Containers: a.Containers - b.Containers,
		Attached: a.Attached - b.Attached, Unreadable: a.Unreadable - b.Unreadable, Refused: a.Refused - b.Refused,
		Bytes: a.Bytes - b.Bytes, Stored: a.Stored - b.Stored, Damaged: a.Damaged - b.Damaged}
}

// file adds one file of the set.
func (s *set) file(ctx context.Context, f found) (e entry, err error) {
	if e, ok := s.done[f.path]; ok { // perhaps with one that it lies beside
		e.Path = f.label
		return e, nil
	}
	defer func() { s.done[f.path] = e }()
	e = entry{Path: f.label, Size: f.size, Modified: when(f.modified)}
	refuse := func(why string) (entry, error) {
		s.meter.pass(f.size)
		s.say(Added{Path: f.label, Outcome: Refused, Reason: why, Source: store.Source{Name: filepath.Base(f.label)}})
		e.Refused = why
		return e, nil
	}
	if f.refused != "" {
		return refuse(f.refused)
	}
	src, err := s.regular(ctx, f)
	var original *evidence.OriginalError
	if f.inside && errors.As(err, &original) && ctx.Err() == nil {
		return refuse("cannot be read: " + cause(original.Err))
	}
	if err != nil {
		return e, named(f.arg, err)
	}
	e.SHA256, e.Size = src.ID, src.Size
	return e, nil
}

// recognise gives the source with a file's content, if there is one. Only a file of the same
// size as a sealed one is hashed for that.
func (s *set) recognise(ctx context.Context, f found) (casefile.SourceID, error) {
	if len(s.bySize[f.size]) == 0 {
		return "", nil
	}
	defer s.meter.hashing(f.label)()
	return evidence.Hash(ctx, f.path, &s.meter.hashed)
}

// headOf is the beginning of a file.
func headOf(path string) ([]byte, error) {
	f, _, err := evidence.OpenOriginal(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, headSize)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, &evidence.OriginalError{Err: err}
	}
	return head[:n], nil
}

// folder seals a folder's listing and records what the folder came to.
func (s *set) folder(ctx context.Context, arg string, list *listing) error {
	name := filepath.Base(filepath.Clean(arg))
	if abs, err := filepath.Abs(arg); err == nil {
		name = filepath.Base(abs)
	}
	id, fresh, err := s.sealListing(ctx, list, store.Source{Name: container.Printable(name) + ".listing"})
	if err != nil {
		return err
	}
	said := false
	if !fresh {
		if _, said, err = s.in.Hand.Said(ctx, "add", "source:"+string(id)); err != nil {
			return err
		}
	}
	if !said {
		if err := s.in.Hand.Record(ctx, "add", "source:"+string(id), list.details()); err != nil {
			return err
		}
	}
	return s.dataDirs(ctx, container.Printable(name), "", list.entries)
}

// meter is how far a set is, in bytes: of the files, and of every container once more while
// it is unpacked, unless that is while it is sealed.
type meter struct {
	mu     sync.Mutex
	what   string
	total  int64
	passed int64
	parts  []*part
	hashed atomic.Int64
}

type part struct {
	size int64
	done func() int64
}

// follow counts a part of the work until the returned function is called, once or more.
func (m *meter) follow(what string, size int64, done func() int64) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := &part{size, done}
	before := m.what
	m.what, m.parts = what, append(m.parts, p)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for i := range m.parts {
			if m.parts[i] == p {
				m.parts = append(m.parts[:i], m.parts[i+1:]...)
				m.passed += size
				m.what = before
				return
			}
		}
	}
}

// hashing shows that a file is compared with sealed ones; its bytes count when that is known.
func (m *meter) hashing(what string) func() {
	m.hashed.Store(0)
	return m.follow(what, 0, m.hashed.Load)
}

func (m *meter) pass(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passed += n
}

func (m *meter) more(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total += n
}

func (m *meter) now() (what string, done, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	done = m.passed
	for _, p := range m.parts {
		done += p.done()
	}
	return m.what, min(done, m.total), m.total
}

// watch reports ten times a second until the returned function is called.
func (m *meter) watch(tell func(what string, done, total int64)) (stop func()) {
	if tell == nil {
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
				tell(m.now())
			case <-quit:
				tell(m.now())
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

func when(t time.Time) string {
	if t.IsZero() || t.Unix() <= 0 || t.Year() > 9999 {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
