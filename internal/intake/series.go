package intake

import (
	"fmt"
	"time"

	"github.com/unspoof/unspoof/internal/store"
)

// SnapshotError says why a file cannot be a snapshot of what it was stated to be of.
type SnapshotError struct{ Why string }

func (e *SnapshotError) Error() string { return e.Why }

// checkSnapshot looks at the source of which the files of the set are stated to be snapshots.
func (s *set) checkSnapshot() error {
	if s.opt.SnapshotOf == "" {
		return nil
	}
	of, ok := s.sources[s.opt.SnapshotOf]
	no := func(format string, args ...any) error { return &SnapshotError{fmt.Sprintf(format, args...)} }
	switch {
	case s.opt.List != "":
		return no("a list has no snapshots: only the platform's own files have")
	case !ok:
		return no("no source %s in this case", s.opt.SnapshotOf)
	case of.HasNoTables() || of.List != "":
		return no("source %s has no tables of the platform: nothing can be a snapshot of it", of.ID.Short())
	case of.Taken != nil && !s.opt.Taken.IsZero() && !s.opt.Taken.After(*of.Taken):
		return no("source %s was taken at %s, a snapshot of it is later", of.ID.Short(), of.Taken.Format(time.RFC3339))
	}
	return nil
}

// state puts into a source's record what the set states of it: of which source it is a
// snapshot, and when it was taken. What an earlier command stated stays, and is not denied.
func (s *set) state(src *store.Source) error {
	known := s.sources[src.ID]
	if src.SnapshotOf == "" {
		src.SnapshotOf = known.SnapshotOf
	}
	if src.Taken == nil {
		src.Taken = known.Taken
	}
	no := func(format string, args ...any) error {
		return &SnapshotError{"source " + src.ID.Short() + fmt.Sprintf(format, args...)}
	}
	if of := s.opt.SnapshotOf; of != "" && src.List == "" && of != src.SnapshotOf {
		if src.SnapshotOf != "" {
			return no(" is stated to be a snapshot of %s already", src.SnapshotOf.Short())
		}
		for id := of; id != ""; id = s.sources[id].SnapshotOf {
			if id == src.ID {
				return no(" is itself earlier in that series")
			}
		}
		src.SnapshotOf = of
	}
	if t := s.opt.Taken; !t.IsZero() && src.List == "" && (src.Taken == nil || !src.Taken.Equal(t)) {
		if src.Taken != nil {
			return no(" is stated to be taken at %s already", src.Taken.Format(time.RFC3339))
		}
		t = t.UTC()
		src.Taken = &t
	}
	return nil
}
