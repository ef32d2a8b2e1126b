package store

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
)

// Source is the record of one sealed file.
type Source struct {
	ID         casefile.SourceID `json:"sha256"`
	Name       string            `json:"name"` // file name as given, without its folder
	Size       int64             `json:"size"` // bytes
	Exhibit    string            `json:"exhibit,omitempty"`
	LegalBasis string            `json:"legal_basis,omitempty"`
	List       string            `json:"list,omitempty"` // list name; empty for the platform's own files
	Format     string            `json:"format"`         // the reader that reads it: mysqldump, csv
	SealedBy   string            `json:"sealed_by"`
	SealedAt   time.Time         `json:"sealed_at"`
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
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		var s Source
		if err := json.Unmarshal(text, &s); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		list = append(list, s)
	}
	return list, nil
}

// Source finds a sealed source by its id or by a prefix of it that is unique in the case.
func (c *Case) Source(prefix casefile.SourceID) (Source, error) {
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
