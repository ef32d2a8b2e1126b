package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
)

// The formats of sources that no reader reads; every other format is a reader's name.
const (
	FormatContainer  = "container"  // its members are sources of their own
	FormatAttachment = "attachment" // kept as it is
	FormatUnreadable = "unreadable" // it should be readable and is not; the note says why
	FormatListing    = "listing"    // written by this program: what was found in a folder or container, see intake.Add
)

// Source is the record of one sealed file.
type Source struct {
	ID         casefile.SourceID `json:"sha256"`
	Name       string            `json:"name"`             // file name as given, without its folder
	Parent     casefile.SourceID `json:"parent,omitempty"` // the container it was first unpacked from
	Member     string            `json:"member,omitempty"` // its path in that container
	Size       int64             `json:"size"`             // bytes
	Exhibit    string            `json:"exhibit,omitempty"`
	LegalBasis string            `json:"legal_basis,omitempty"`
	List       string            `json:"list,omitempty"` // list name; empty for the platform's own files
	Format     string            `json:"format"`         // the reader that reads it (mysqldump, csv ...), or one of the formats above
	Note       string            `json:"note,omitempty"` // why it is unreadable, incomplete, or was not looked into
	// Siblings are the sources that lay beside it and are read with it, by the ending of their
	// names: a SQLite database's -wal and -journal, the .sql of rows that mysqldump --tab wrote.
	Siblings   map[string]casefile.SourceID `json:"siblings,omitempty"`
	SnapshotOf casefile.SourceID            `json:"snapshot_of,omitempty"` // the source of which it is a later state, see [Series]
	Taken      *time.Time                   `json:"taken,omitempty"`       // when the state was taken from the service, where that is stated (UTC)
	SealedBy   string                       `json:"sealed_by"`
	SealedAt   time.Time                    `json:"sealed_at"`
}

// HasNoTables reports whether no reader read the source: it is a container, a listing, an
// attachment, or unreadable.
func (s Source) HasNoTables() bool {
	switch s.Format {
	case FormatContainer, FormatAttachment, FormatUnreadable, FormatListing:
		return true
	}
	return false
}

// Series puts the sources that are states of one platform together: the first and its later
// snapshots, in the order in which they were taken. A snapshot comes after the source it is
// stated to be of; beside that, the earlier Taken comes first, then those that state none, by
// when they were sealed. Sources without snapshots are in no series.
func Series(all []Source) [][]Source {
	later := map[casefile.SourceID][]Source{}
	for _, s := range all {
		if s.SnapshotOf != "" {
			later[s.SnapshotOf] = append(later[s.SnapshotOf], s)
		}
	}
	var list [][]Source
	for _, first := range all {
		if first.SnapshotOf != "" || later[first.ID] == nil {
			continue
		}
		series, waiting := []Source{first}, later[first.ID]
		for len(waiting) > 0 {
			next := slices.MinFunc(waiting, takenFirst)
			series = append(series, next)
			waiting = slices.DeleteFunc(slices.Clone(waiting), func(s Source) bool { return s.ID == next.ID })
			waiting = append(waiting, later[next.ID]...)
		}
		list = append(list, series)
	}
	return list
}

func takenFirst(a, b Source) int {
	switch {
	case a.Taken != nil && b.Taken != nil && !a.Taken.Equal(*b.Taken):
		return a.Taken.Compare(*b.Taken)
	case a.Taken != nil && b.Taken == nil:
		return -1
	case a.Taken == nil && b.Taken != nil:
		return 1
	}
	if n := a.SealedAt.Compare(b.SealedAt); n != 0 {
		return n
	}
	return strings.Compare(string(a.ID), string(b.ID))
}

// First is the first source of the series that a source belongs to: itself when it is no
// snapshot.
func (c *Case) First(id casefile.SourceID) (casefile.SourceID, error) {
	for seen := map[casefile.SourceID]bool{}; ; {
		s, err := readRecord(c.SourceRecordPath(id))
		if errors.Is(err, fs.ErrNotExist) || err == nil && s.SnapshotOf == "" {
			return id, nil
		}
		if err != nil {
			return "", err
		}
		if seen[id] {
			return "", fmt.Errorf("source %s is stated to be a snapshot of itself", id.Short())
		}
		seen[id] = true
		id = s.SnapshotOf
	}
}

// SourcePath is where a source's sealed content lies.
func (c *Case) SourcePath(id casefile.SourceID) string {
	return filepath.Join(c.Dir, "sources", string(id))
}

// SourceRecordPath is where a source's record lies.
func (c *Case) SourceRecordPath(id casefile.SourceID) string { return c.SourcePath(id) + ".json" }

// Sources lists the case's sealed sources, by id.
func (c *Case) Sources() ([]Source, error) {
	paths, err := filepath.Glob(filepath.Join(c.Dir, "sources", "*.json"))
	if err != nil {
		return nil, err
	}
	var list []Source
	for _, p := range paths {
		s, err := readRecord(p)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func readRecord(path string) (s Source, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Source{}, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return Source{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Source finds a sealed source by its id or by a prefix of it that is unique in the case.
func (c *Case) Source(prefix casefile.SourceID) (Source, error) {
	if id, err := casefile.ParseSourceID(string(prefix)); err == nil { // without reading all records
		s, err := readRecord(c.SourceRecordPath(id))
		if errors.Is(err, fs.ErrNotExist) {
			return Source{}, fmt.Errorf("no source %s in this case", prefix)
		}
		return s, err
	}
	all, err := c.Sources()
	if err != nil {
		return Source{}, err
	}
	var found []Source
	for _, s := range all {
		if strings.HasPrefix(string(s.ID), string(prefix)) {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Source{}, fmt.Errorf("no source %s in this case", prefix)
	default:
		return Source{}, fmt.Errorf("%d sources of this case begin with %s: give more digits", len(found), prefix)
	}
}
