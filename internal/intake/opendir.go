package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync/atomic"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/container"
	"github.com/unspoof/unspoof/internal/intake/datadir"
	"github.com/unspoof/unspoof/internal/intake/dump/mysqldump"
	"github.com/unspoof/unspoof/internal/intake/evidence"
	"github.com/unspoof/unspoof/internal/store"
)

// dataDirs opens the data directories of MariaDB or MySQL servers among the entries of a
// folder or container; of is the container.
func (s *set) dataDirs(ctx context.Context, label string, of casefile.SourceID, entries []entry) error {
	var files []datadir.File
	byPath := map[string]entry{}
	for _, e := range entries {
		if e.Refused == "" && e.Path != "" {
			files = append(files, datadir.File{Path: e.Path, Size: e.Size, Content: s.in.Case.SourcePath(e.SHA256)})
			byPath[e.Path] = e
		}
	}
	dirs, err := datadir.Find(files)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		// What the server is given is listed without times, so that the listing is the same source
		// whenever the same files are found.
		list := &listing{what: "data directory", of: of}
		for _, f := range d.Files {
			e := byPath[f.Found()]
			e.Modified = ""
			list.entries = append(list.entries, e)
		}
		at, name := label, path.Base(label)
		if d.Root != "." {
			at, name = label+"/"+d.Root, path.Base(d.Root)
		}
		if err := s.dataDir(ctx, d, list, at, name); err != nil {
			return err
		}
	}
	return nil
}

// dataDir opens a data directory and takes in a dump of each of its databases, unless that
// was done before.
func (s *set) dataDir(ctx context.Context, d datadir.Dir, list *listing, label, name string) error {
	id, _, err := s.sealListing(ctx, list, store.Source{Name: container.Printable(name) + ".datadir", Parent: list.of})
	if err != nil {
		return err
	}
	o := &opening{set: s, dir: d, label: label, files: id, done: map[string]bool{}}
	act, ok := s.said("open", id)
	if opened, _ := act.Details["dumps"].([]any); ok && act.Details["refused"] == nil {
		s.say(Added{Source: s.sources[id], Path: label, Outcome: Unpacked, Known: true})
		for _, dump := range opened {
			src, ok := s.sources[casefile.SourceID(fmt.Sprint(dump))]
			if !ok {
				return fmt.Errorf("data directory %s: its dump %v is not in the case", label, dump)
			}
			if _, err := s.known(ctx, src, o.place(src.Member)); err != nil {
				return err
			}
		}
		return nil
	}
	why := d.Why
	if why == "" {
		tools, err := datadir.Lookup()
		if err == nil {
			err = o.open(ctx, tools)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var machine *caseError
		if errors.As(err, &machine) {
			return machine.error
		}
		if err != nil {
			why = err.Error()
		}
	}
	if why != "" {
		why = container.Printable(why)
		s.say(Added{Source: s.sources[id], Path: label, Outcome: Unreadable, Known: ok, Reason: "it is the data directory of a MariaDB or MySQL server, whose files are attachments now: " + why})
	}
	return nil
}

// caseError is an error of the case, after which nothing more may be done.
type caseError struct{ error }

// opening is a data directory that is being opened.
type opening struct {
	*set
	dir   datadir.Dir
	label string
	files casefile.SourceID // their listing
	told  bool
	done  map[string]bool // databases
	dumps []any           // their sources
	empty int             // dumps that were refused or could not be read
}

func (o *opening) place(member string) place {
	return place{label: o.label + "!" + member, inside: true, depth: 1, factor: 1, packed: o.dir.Size(), parent: o.files, member: member}
}

// open starts a server on a copy of the directory, telling it to leave out more and more
// until it can, and takes in what mariadb-dump writes.
func (o *opening) open(ctx context.Context, tools datadir.Tools) error {
	ctx, stop := context.WithTimeout(ctx, datadir.Timeout(o.dir.Size()))
	defer stop()
	var first error
	for _, level := range datadir.Levels {
		err := o.try(ctx, tools, level, level == datadir.Levels[len(datadir.Levels)-1])
		var refusal *datadir.Refusal
		if err == nil || !errors.As(err, &refusal) || ctx.Err() != nil {
			return err
		}
		if first == nil {
			first = err
		}
	}
	if err := o.record(context.WithoutCancel(ctx), "open", o.files, map[string]any{"refused": true}); err != nil {
		return &caseError{err}
	}
	return fmt.Errorf("the MariaDB server that is installed cannot open it (%w): it may be of another version, encrypted, or damaged; where it came from may have a server that can", first)
}

// try opens the directory with one value of innodb_force_recovery.
func (o *opening) try(ctx context.Context, tools datadir.Tools, level int, last bool) error {
	var copied atomic.Int64
	o.meter.more(o.dir.Size())
	follow := o.meter.follow(o.label, o.dir.Size(), copied.Load)
	server, err := datadir.Open(ctx, tools, o.dir, level, func(n int64) { copied.Add(n) })
	follow()
	if err != nil {
		return err
	}
	defer server.Close()
	databases, err := server.Databases(ctx)
	if err != nil {
		return err
	}
	if !o.told {
		o.told = true
		o.say(Added{Source: o.sources[o.files], Path: o.label, Outcome: Unpacked})
	}
	for _, name := range databases {
		if o.done[name] {
			continue
		}
		err := o.database(ctx, server, name)
		var refusal *datadir.Refusal
		if errors.As(err, &refusal) && last {
			o.empty++
			member := container.Printable(name) + ".sql"
			o.say(Added{Source: store.Source{Name: member}, Path: o.label + "!" + member, Outcome: Refused, Reason: "the server failed while it was dumped: " + container.Printable(refusal.Why)})
			err = nil
		}
		if err != nil {
			return err
		}
		o.done[name] = true
	}
	details := map[string]any{"server": server.Version, "options": strings.Join(server.Options, " "), "dump_options": strings.Join(server.Dump, " "),
		"recovery": level, "files": len(o.dir.Files), "bytes": o.dir.Size(), "databases": len(databases), "failed": o.empty, "dumps": o.dumps}
	if err := o.record(context.WithoutCancel(ctx), "open", o.files, details); err != nil {
		return &caseError{err}
	}
	return nil
}

// database dumps one database and takes the dump in.
func (o *opening) database(ctx context.Context, server *datadir.Server, name string) error {
	dumping, err := server.DumpOf(ctx, name)
	if err != nil {
		return err
	}
	defer dumping.Close()
	most := min(o.opt.Limits.Expanded, o.opt.Limits.Ratio*o.dir.Size()+16<<20)
	limited := &atMost{r: dumping, left: most}
	sealing, err := evidence.OpenStream(ctx, o.in.Case, limited)
	if err != nil {
		return &caseError{err}
	}
	defer sealing.Close()
	at := o.place(container.Printable(name) + ".sql")
	at.said = func() (remarks []string) {
		if server.Recovery > 0 {
			remarks = append(remarks, fmt.Sprintf("the server opened the data directory only with innodb_force_recovery=%d: rows may be missing, old, or of changes that were never committed", server.Recovery))
		}
		for _, e := range dumping.Errors() {
			remarks = append(remarks, "mariadb-dump: "+e)
		}
		return remarks
	}
	format := mysqldump.Format()
	options := strings.Join(server.Options, " ")
	src, err := o.take(ctx, sealing, nature{reader: &format, note: fmt.Sprintf("dumped by mariadb-dump %s from a MariaDB %s server, started with %s, on a copy of the files that the listing %s names",
		strings.Join(server.Dump, " "), server.Version, options, o.files)}, store.Source{Name: at.member}, at, nil)
	var limit *container.LimitError
	var refusal *datadir.Refusal
	switch {
	case errors.As(err, &limit):
		o.empty++
		o.limited++
		return o.refuse(at, &entry{}, limit.What, true)
	case errors.As(err, &refusal):
		return err
	case err != nil:
		return &caseError{err}
	}
	o.dumps = append(o.dumps, string(src.ID))
	return nil
}

// atMost ends a stream with an error when it is longer than a limit.
type atMost struct {
	r    io.Reader
	left int64
}

func (a *atMost) Read(b []byte) (int, error) {
	n, err := a.r.Read(b)
	if a.left -= int64(n); a.left < 0 {
		return 0, &container.LimitError{What: "its dump is larger than the limits on what a container may expand to"}
	}
	return n, err
}
