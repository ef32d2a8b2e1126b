package intake

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/container"
	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/evidence"
	"github.com/unspoof/unspoof/internal/store"
)

// unpack takes in what is in a sealed container, unless it was done before under the same
// limits: then it tells what is known of it.
func (s *set) unpack(ctx context.Context, src store.Source, kind container.Kind, at place) error {
	limits := s.opt.Limits
	if at.budget == nil {
		at.budget = &container.Budget{Limits: limits}
	}
	act, done := s.said("unpack", src.ID)
	limited := count(act.Details["limited"])
	if done && limited > 0 && (fmt.Sprint(act.Details["limits"]) != limitsText(limits) || int64(at.depth) < count(act.Details["depth"])) {
		done = false // what was refused may be taken in now
	}
	s.say(Added{Source: src, Path: at.label, Outcome: Unpacked, Known: done})
	if s.unpacking[src.ID] {
		return s.refuse(at, &entry{}, "contains itself", false)
	}
	s.unpacking[src.ID] = true
	defer delete(s.unpacking, src.ID)
	if done {
		s.limited += limited
		listed, _ := act.Details["listing"].(string)
		return s.relist(ctx, src, casefile.SourceID(listed), at)
	}

	f, err := os.Open(s.in.Case.SourcePath(src.ID))
	if err != nil {
		return err
	}
	defer f.Close()
	r := container.Open(kind, src.Name, f, src.Size, at.budget, at.grown(src.Size))
	defer r.Close()
	s.meter.more(src.Size)
	defer s.meter.follow(at.label, src.Size, r.Done)()
	return s.contents(ctx, &src, kind, r, at)
}

// through seals a file that is a stream of one member and reads the member in the same pass.
// The member waits with becoming known until the stream is: see [place.outer].
func (s *set) through(ctx context.Context, sealing *evidence.Sealing, what nature, src store.Source, at place, release func()) (store.Source, error) {
	at.budget = &container.Budget{Limits: s.opt.Limits}
	done := false
	at.outer = func() (casefile.SourceID, error) {
		if done {
			return src.ID, nil
		}
		if _, err := s.read(ctx, sealing, &what, &src, place{label: at.label}); err != nil {
			return "", err
		}
		if err := s.makeKnown(ctx, src); err != nil {
			return "", err
		}
		done = true
		release()
		s.say(Added{Source: src, Path: at.label, Outcome: Unpacked})
		s.unpacking[src.ID] = true
		return src.ID, nil
	}
	defer func() { delete(s.unpacking, src.ID) }()
	r := container.OpenStream(what.container, src.Name, sealing, at.packed, at.budget, 1)
	defer r.Close()
	err := s.contents(ctx, &src, what.container, r, at)
	return src, err
}

// contents takes in what r finds in a container, and says what became of it.
func (s *set) contents(ctx context.Context, src *store.Source, kind container.Kind, r *container.Reader, at place) error {
	limits := s.opt.Limits
	before, limitedBefore := s.account, s.limited
	list := &listing{kind: kind}
	var err error
	if at.depth > limits.Depth {
		e := &entry{}
		err = s.refuse(at, e, fmt.Sprintf("lies in more than %d containers: not unpacked", limits.Depth), true)
		list.entries = append(list.entries, *e)
	} else {
		err = s.members(ctx, src, r, at, list)
	}
	if err != nil {
		return err
	}
	list.of = src.ID
	list.count(s.account.since(before))
	id, _, err := s.sealListing(ctx, list, store.Source{Name: src.Name + ".listing", Parent: src.ID})
	if err != nil {
		return err
	}
	details := list.details()
	details["listing"], details["kind"], details["limits"], details["limited"] = string(id), string(kind), limitsText(limits), s.limited-limitedBefore
	details["depth"] = at.depth
	if err := s.record(ctx, "unpack", src.ID, details); err != nil {
		return err
	}
	return s.dataDirs(ctx, at.label, src.ID, list.entries)
}

func limitsText(l container.Limits) string {
	return fmt.Sprintf("depth %d, members %d, expanded %d, ratio %d", l.Depth, l.Members, l.Expanded, l.Ratio)
}

// members takes in the members of a container, one after the other.
func (s *set) members(ctx context.Context, src *store.Source, r *container.Reader, at place, list *listing) error {
	held := map[string]place{}
	for {
		m, err := r.Next(ctx)
		if err == io.EOF {
			return s.release(ctx, list, held)
		}
		if err != nil {
			return err
		}
		inner := place{label: at.label + "!" + m.Name, inside: true, depth: at.depth + 1, factor: at.grown(src.Size),
			packed: m.Packed, budget: at.budget, parent: src.ID, member: m.Name}
		if src.ID == "" {
			inner.outer = at.outer
		}
		e, err := s.member(ctx, r, m, inner, held)
		if err != nil {
			return err
		}
		list.entries = append(list.entries, e)
	}
}

// release reads the members that were held, with what lies beside them in the container.
func (s *set) release(ctx context.Context, list *listing, held map[string]place) error {
	sealed := map[string]casefile.SourceID{}
	for _, e := range list.entries {
		sealed[e.Path] = e.SHA256
	}
	for _, e := range list.entries {
		at, ok := held[e.Path]
		if !ok || e.SHA256 == "" {
			continue
		}
		src := s.sources[e.SHA256]
		f, err := formatOf(src)
		if err != nil {
			return err
		}
		at.beside = map[string]casefile.SourceID{}
		for _, ending := range f.Beside {
			if id := sealed[dump.BesideName(e.Path, ending)]; id != "" && s.sources[id].Size > 0 {
				at.beside[ending] = id
			}
		}
		if _, err := s.known(ctx, src, at); err != nil {
			return err
		}
	}
	return nil
}

// member takes in one member of a container. One that is to be read with what lies beside it
// is only sealed, and put into held.
func (s *set) member(ctx context.Context, r *container.Reader, m container.Member, at place, held map[string]place) (entry, error) {
	e := entry{Path: m.Name, Size: m.Size, Modified: when(m.Modified)}
	if m.Refused != "" {
		return e, s.refuse(at, &e, m.Refused, m.Limit)
	}
	took := func(src store.Source, err error) (entry, error) {
		e.SHA256, e.Size = src.ID, src.Size
		return e, err
	}
	if id, ok := s.byMember[[2]string{string(at.parent), m.Name}]; ok {
		src := s.sources[id]
		if f, err := formatOf(src); err == nil && f.Beside != nil {
			held[m.Name] = at
			return took(src, nil)
		}
		return took(s.known(ctx, src, at))
	}
	content := r.Content(ctx)
	in := bufio.NewReaderSize(content, headSize)
	head, err := in.Peek(headSize)
	if len(head) == 0 && err == io.EOF && content.Fault() != nil {
		return e, s.refuse(at, &e, "cannot be unpacked: "+content.Fault().Error(), false)
	}
	at.fault = content.Fault
	name := baseName(m.Name)
	sealing, err := evidence.OpenStream(ctx, s.in.Case, in)
	if err != nil {
		return e, err
	}
	defer sealing.Close()
	what := sniff(name, head, s.opt.List, true)
	if what.reader != nil && what.reader.Beside != nil {
		at.hold = true
		held[m.Name] = at
	}
	src, err := s.take(ctx, sealing, what, store.Source{Name: name}, at, nil)
	var limit *container.LimitError
	if errors.As(err, &limit) {
		return e, s.refuse(at, &e, limit.What, true)
	}
	return took(src, err)
}

// refuse counts and tells a refusal.
func (s *set) refuse(at place, e *entry, why string, limit bool) error {
	if at.outer != nil {
		if _, err := at.outer(); err != nil {
			return err
		}
	}
	e.Refused = why
	if limit {
		s.limited++
	}
	s.say(Added{Path: at.label, Outcome: Refused, Reason: why, Source: store.Source{Name: baseName(at.label)}})
	return nil
}

// relist tells what a container that was unpacked before came to.
func (s *set) relist(ctx context.Context, src store.Source, listed casefile.SourceID, at place) error {
	text, err := os.ReadFile(s.in.Case.SourcePath(listed))
	if err != nil {
		return fmt.Errorf("the listing of container %s: %w", src.ID.Short(), err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	var head json.RawMessage
	if err := dec.Decode(&head); err != nil {
		return fmt.Errorf("the listing of container %s: %w", src.ID.Short(), err)
	}
	var entries []entry
	for {
		var e entry
		err := dec.Decode(&e)
		if err == io.EOF {
			return s.dataDirs(ctx, at.label, src.ID, entries)
		}
		if err != nil {
			return fmt.Errorf("the listing of container %s: %w", src.ID.Short(), err)
		}
		entries = append(entries, e)
		inner := place{label: at.label + "!" + e.Path, inside: true, depth: at.depth + 1, factor: at.grown(src.Size), budget: at.budget, parent: src.ID, member: e.Path}
		member, ok := s.sources[e.SHA256]
		switch {
		case e.Refused != "":
			err = s.refuse(inner, &e, e.Refused, false)
		case !ok:
			err = fmt.Errorf("container %s: its member %q is not in the case", src.ID.Short(), e.Path)
		default:
			_, err = s.known(ctx, member, inner)
		}
		if err != nil {
			return err
		}
	}
}

// listing is what was found in a folder or container: a file of JSON lines, sealed as a
// source of format listing. The first line says of what, every other line is an [entry].
type listing struct {
	what    string            // empty: a folder or container
	of      casefile.SourceID // the container; empty: a folder
	kind    container.Kind
	entries []entry
	sum     Account
}

// entry is one file or member of a listing. It has a hash or a refusal.
type entry struct {
	Path     string            `json:"path"` // empty: the container itself
	Size     int64             `json:"size"` // of a refused one, what its header says; -1: it does not
	Modified string            `json:"modified,omitempty"`
	SHA256   casefile.SourceID `json:"sha256,omitempty"`
	Refused  string            `json:"refused,omitempty"`
}

func (l *listing) add(e entry, part Account) {
	l.entries = append(l.entries, e)
	l.count(part)
}

func (l *listing) count(part Account) {
	l.sum.Stored += part.Stored
	l.sum.Damaged += part.Damaged
}

func (l *listing) text() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	what := "folder"
	switch {
	case l.what != "":
		what = l.what
	case l.of != "":
		what = "container"
	}
	err := enc.Encode(struct {
		Listing string            `json:"listing"`
		Of      casefile.SourceID `json:"of,omitempty"`
		Kind    container.Kind    `json:"kind,omitempty"`
		Entries int               `json:"entries"`
	}{what, l.of, l.kind, len(l.entries)})
	for _, e := range l.entries {
		err = errors.Join(err, enc.Encode(e))
	}
	return b.Bytes(), err
}

// details are what the ledger says of a listing. Names stay in the listing: entries of the
// ledger are for ever and are disclosed.
func (l *listing) details() map[string]any {
	const kinds = 50
	sealed, refused := 0, map[string]int{}
	var bytes int64
	for _, e := range l.entries {
		if e.Refused == "" {
			sealed++
			bytes += e.Size
			continue
		}
		why := e.Refused
		if len(why) > 200 {
			why = "other"
		}
		if _, ok := refused[why]; !ok && len(refused) >= kinds {
			why = "other"
		}
		refused[why]++
	}
	reasons := map[string]any{}
	for why, n := range refused {
		reasons[why] = n
	}
	return map[string]any{"entries": len(l.entries), "sealed": sealed, "refused": len(l.entries) - sealed, "refusals": reasons,
		"bytes": bytes, "rows_in": l.sum.In(), "rows_stored": l.sum.Stored, "rows_damaged": l.sum.Damaged}
}

// sealListing makes a listing a source; fresh is false when the case has it already.
func (s *set) sealListing(ctx context.Context, l *listing, src store.Source) (id casefile.SourceID, fresh bool, err error) {
	text, err := l.text()
	if err != nil {
		return "", false, err
	}
	sealing, err := evidence.OpenStream(ctx, s.in.Case, bytes.NewReader(text))
	if err != nil {
		return "", false, err
	}
	defer sealing.Close()
	if src.ID, src.Size, err = sealing.Finish(); err != nil {
		return "", false, err
	}
	if _, ok := s.sources[src.ID]; ok {
		return src.ID, false, nil
	}
	src.Exhibit, src.LegalBasis, src.Format = s.opt.Exhibit, s.opt.LegalBasis, store.FormatListing
	src.SealedBy, src.SealedAt = s.in.Hand.Actor, time.Now().UTC().Truncate(time.Microsecond)
	return src.ID, true, s.makeKnown(ctx, src)
}
