package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake"
	"github.com/unspoof/unspoof/internal/intake/container"
	"github.com/unspoof/unspoof/internal/store"
)

func addCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add --case DIR PATH...",
		Short: "Seal files, folders and archives, and read them into source tables",
		Long: `Seal files: copy each into the case under its SHA-256 while reading its rows into source
tables. A path may be a file, a folder (added whole) or a container (gzip, bzip2, xz, zstd, zip, 7z,
tar, and containers in containers): each file in it becomes a source of its own. What is in the
case already is recognised; after an interruption the same command continues.

Every file is read, or kept as an attachment, or named as unreadable or refused with the reason
(links, devices, archive bombs, encrypted members, names that lead out of their archive). What
cannot be read of a file is listed as damage, with its place; every row is either stored or
damaged. A sealed listing says what became of everything in a folder or container.

Unpacking needs disk space for a copy of every file in a container, beside the container.

A later dump of a platform that is in the case already is added with --snapshot-of: rows are
matched by their keys, each counts once, and ` + "`unspoof snapshots`" + ` tells what appeared, changed
and vanished.

Files that are not the platform's own are lists: --list loss_reports, registry, rates or
numbering (formats: docs/formats/seizure.md). For a folder or container, it is for the CSV
files in it.`,
		Args: cobra.MinimumNArgs(1),
	}
	dir := caseFlag(cmd)
	var opt intake.AddOptions
	f := cmd.Flags()
	f.StringVar(&opt.Exhibit, "exhibit", "", "exhibit reference")
	f.StringVar(&opt.LegalBasis, "legal-basis", "", "authority under which these files are held")
	f.StringVar(&opt.List, "list", "", "the list these CSV files are")
	f.BoolVar(&opt.Link, "link", false, "hard-link into the case instead of copying")
	of := f.String("snapshot-of", "", "the source of which the files are a later snapshot: the beginning of its hash, or its name")
	taken := f.String("taken", "", "when the state that the files hold was taken from the service: a date, or an RFC 3339 time")
	limitFlags(f, &opt.Limits)
	memory := memoryFlag(cmd, 2<<30)
	asJSON := f.Bool("json", false, "print events as JSON lines")
	cmd.RunE = func(cmd *cobra.Command, paths []string) error {
		w, err := openCase(cmd.Context(), *dir, true)
		if err != nil {
			return err
		}
		defer w.Close()
		if err := w.bound(memory); err != nil {
			return err
		}
		zone, err := w.Location()
		if err != nil {
			return err
		}
		if *taken != "" {
			if opt.Taken, err = parseMoment(*taken, zone); err != nil {
				return &coded{exitUsage, fmt.Errorf("--taken %w", err)}
			}
		}
		if *of != "" {
			if opt.SnapshotOf, err = platformSource(w, *of); err != nil {
				return &coded{exitUsage, fmt.Errorf("--snapshot-of: %w", err)}
			}
		}
		r := newReporter(*asJSON)
		defer r.end()
		account, err := addAll(cmd.Context(), w, r, paths, opt)
		var no *intake.SnapshotError
		if errors.As(err, &no) {
			return &coded{exitUsage, err}
		}
		if err != nil {
			return err
		}
		tellAccount(r, account)
		if !account.Whole() {
			return errDamage
		}
		return nil
	}
	return cmd
}

// parseMoment reads a time: an RFC 3339 time, or a date, which begins at midnight of the zone.
func parseMoment(text string, zone *time.Location) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.ParseInLocation(time.DateOnly, text, zone)
	}
	if err != nil {
		return t, fmt.Errorf("%q is neither a date nor an RFC 3339 time", text)
	}
	return t, nil
}

// platformSource is the one source with tables of the platform that is called name or whose
// hash begins with it, or that is the only one in the container called so.
func platformSource(w *workspace, name string) (casefile.SourceID, error) {
	all, err := w.Sources()
	if err != nil {
		return "", err
	}
	is := func(s store.Source) bool {
		return s.Name == name || len(name) >= 8 && strings.HasPrefix(string(s.ID), name)
	}
	inside := map[casefile.SourceID]bool{} // named containers, and what is in them
	for grew := true; grew; {
		grew = false
		for _, s := range all {
			if !inside[s.ID] && (s.Format == store.FormatContainer && is(s) || inside[s.Parent]) {
				inside[s.ID], grew = true, true
			}
		}
	}
	found := map[casefile.SourceID]bool{}
	for _, s := range all {
		if !s.HasNoTables() && s.List == "" && (is(s) || inside[s.ID]) {
			found[s.ID] = true
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("the case has no source of the platform's data called %q, and none whose hash begins so", name)
	case 1:
		for id := range found {
			return id, nil
		}
	}
	return "", fmt.Errorf("%d sources could be meant by %q: give the beginning of a hash", len(found), name)
}

// limitFlags are the limits on containers.
func limitFlags(f *pflag.FlagSet, l *container.Limits) {
	d := container.Limits{}.WithDefaults()
	f.IntVar(&l.Depth, "max-depth", d.Depth, "how deep containers may lie in containers")
	f.IntVar(&l.Members, "max-members", d.Members, "how many members a container may have, with those of containers in it")
	l.Expanded = d.Expanded // before the flag is made: its help names the default
	f.Var((*byteSize)(&l.Expanded), "max-expanded", "how much a container may expand to, with the containers in it")
	f.Int64Var(&l.Ratio, "max-ratio", d.Ratio, "how many times its packed size a member may expand to")
}

// byteSize is a flag for a number of bytes, such as 500GB or 1TiB.
type byteSize int64

func (b *byteSize) String() string { return humanize.IBytes(uint64(*b)) }
func (b *byteSize) Type() string   { return "size" }
func (b *byteSize) Set(s string) error {
	n, err := humanize.ParseBytes(s)
	if err == nil && (n == 0 || n > 1<<62) {
		err = fmt.Errorf("%q is not a size", s)
	}
	*b = byteSize(n)
	return err
}

// add adds files as part of another command. Damage does not stop it; an error does.
func add(ctx context.Context, w *workspace, r *reporter, files []string, opt intake.AddOptions) error {
	account, err := addAll(ctx, w, r, files, opt)
	if err == nil && !account.Whole() {
		err = errDamage
	}
	return err
}

// addAll adds paths and tells what each file came to.
func addAll(ctx context.Context, w *workspace, r *reporter, paths []string, opt intake.AddOptions) (intake.Account, error) {
	bar := &setBar{r: r}
	in := &intake.Intake{Case: w.Case, Hand: w.hand, Progress: bar.show}
	t := &teller{r: r, line: bar.line}
	began := time.Now()
	account, err := in.AddAll(ctx, paths, opt, t.tell)
	bar.end()
	if t.attached > maxToldAttached {
		r.line("and %s more attachments", humanize.Comma(int64(t.attached-maxToldAttached)))
	}
	if t.refused > maxToldRefused {
		r.line("and %s more files that were refused: the listings in the case name them", humanize.Comma(int64(t.refused-maxToldRefused)))
	}
	if err != nil {
		if account.Found > 0 {
			r.line("before that, %s files and members were taken in (%s), in %s", humanize.Comma(int64(account.Found)), humanize.IBytes(uint64(account.Bytes)), took(time.Since(began)))
		}
		return account, err
	}
	return account, w.sign(ctx)
}

func tellAccount(r *reporter, a intake.Account) {
	fields := fieldsOf(a)
	fields["rows_in"] = a.In()
	r.event("account", fields)
	n := func(n int) string { return humanize.Comma(int64(n)) }
	r.line("in all: %s files and members (%s known before), %s, of which %s new", n(a.Found), n(a.Known), humanize.IBytes(uint64(a.Bytes)), humanize.IBytes(uint64(a.Sealed)))
	r.line("  %s read, %s containers, %s attached, %s unreadable, %s refused", n(a.Read), n(a.Containers), n(a.Attached), n(a.Unreadable), n(a.Refused))
	r.line("  rows in %s = stored %s + damaged %s", humanize.Comma(a.In()), humanize.Comma(a.Stored), humanize.Comma(a.Damaged))
}

// fieldsOf gives a value's JSON members.
func fieldsOf(v any) map[string]any {
	fields := map[string]any{}
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		fields["error"] = err.Error()
	}
	return fields
}

const (
	maxToldAttached = 20
	maxToldRefused  = 200
)

// teller tells what each file came to.
type teller struct {
	r                 *reporter
	line              func(format string, args ...any)
	attached, refused int
}

func (t *teller) tell(a intake.Added) {
	kind := "added"
	if a.Outcome == intake.Refused {
		kind = "refused"
	}
	t.r.event(kind, fieldsOf(a))
	id, size := a.Source.ID.Short(), humanize.IBytes(uint64(a.Source.Size))
	known := ""
	if a.Known {
		known = "already in the case as "
	}
	switch a.Outcome {
	case intake.Refused:
		if t.refused++; t.refused <= maxToldRefused {
			t.line("%s: refused: %s", a.Path, a.Reason)
		}
	case intake.Attached:
		if t.attached++; t.attached > maxToldAttached && a.Reason == "" {
			return
		}
		if a.Reason != "" {
			a.Reason = " (" + a.Reason + ")"
		}
		t.line("%s: %sattachment %s, %s%s", a.Path, known, id, size, a.Reason)
	case intake.Unreadable:
		t.line("%s: %ssource %s, %s, cannot be read: %s", a.Path, known, id, size, a.Reason)
	case intake.Unpacked:
		t.line("%s: %scontainer %s, %s", a.Path, known, id, size)
	case intake.Read:
		t.read(a)
	}
}

func (t *teller) read(a intake.Added) {
	n := a.Totals
	if a.Known {
		t.line("%s: already in the case as source %s (%s rows)", a.Path, a.Source.ID.Short(), humanize.Comma(n.Stored))
		return
	}
	t.line("%s: source %s, %s, %d tables, rows in %s = stored %s + damaged %s, %s rows/s, %s",
		a.Path, a.Source.ID.Short(), humanize.IBytes(uint64(a.Source.Size)), n.Tables,
		humanize.Comma(n.In()), humanize.Comma(n.Stored), humanize.Comma(n.Damaged), rate(n.In(), a.Took), took(a.Took))
	for _, d := range a.Damages {
		t.line("  damage: %s: %s (length %s, rows %d)", d.Where(a.Path), d.Reason, humanize.Comma(d.Length), d.Rows)
	}
	if more := n.Damages - len(a.Damages); more > 0 {
		t.line("  and %d more damaged stretches", more)
	}
}

// setBar shows how far a whole set of files is: one bar on a terminal, JSON events with
// --json, nothing elsewhere.
type setBar struct {
	r     *reporter
	bar   *mpb.Bar
	began time.Time
	shown time.Time
	what  atomic.Value // string; the bar reads it while it is being drawn
}

func (b *setBar) show(what string, done, total int64) {
	b.r.mu.Lock()
	if b.began.IsZero() {
		b.began = time.Now()
	}
	if b.r.bars == nil {
		due := b.r.json && time.Since(b.shown) > time.Second
		if due {
			b.shown = time.Now()
		}
		b.r.mu.Unlock()
		if due {
			fields := map[string]any{"what": what, "done": done, "total": total}
			if t := time.Since(b.began).Seconds(); t > 0 && done > 0 {
				fields["bytes_per_second"] = int64(float64(done) / t)
				fields["remaining_seconds"] = int64(float64(total-done) * t / float64(done))
			}
			b.r.event("progress", fields)
		}
		return
	}
	defer b.r.mu.Unlock()
	b.what.Store(what)
	if b.bar == nil {
		b.bar = b.r.bars.AddBar(total,
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return b.label() })),
			mpb.AppendDecorators(decor.Percentage(), decor.Name("  "), decor.CountersKibiByte("% .1f of % .1f"),
				decor.AverageSpeed(decor.SizeB1024(0), " % .1f"), decor.Name(" "), decor.AverageETA(decor.ET_STYLE_GO)))
	}
	b.bar.SetTotal(max(total, done+1), false) // a full bar would end
	b.bar.SetCurrent(done)
}

// label is the end of what is being read, short enough for a line.
func (b *setBar) label() string {
	what, _ := b.what.Load().(string)
	if c := []rune(what); len(c) > 30 {
		what = "..." + string(c[len(c)-27:])
	}
	return what + " "
}

// line prints a line above the bar.
func (b *setBar) line(format string, args ...any) {
	b.r.mu.Lock()
	bar, bars := b.bar, b.r.bars
	b.r.mu.Unlock()
	if bar == nil {
		b.r.line(format, args...)
		return
	}
	fmt.Fprintf(bars, format+"\n", args...)
}

func (b *setBar) end() {
	b.r.mu.Lock()
	bar := b.bar
	b.bar = nil
	b.r.mu.Unlock()
	if bar != nil {
		bar.Abort(true)
		bar.Wait()
	}
}
