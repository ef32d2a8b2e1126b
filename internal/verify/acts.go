package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/unspoof/unspoof/internal/casefile"
)

// acts is what the ledger says about sources and tables: the last word on each.
type acts struct {
	first     *act
	seals     map[string]act // by source id
	reads     map[string]act
	maps      map[string]act
	published map[string]act // by table
	withdrawn map[string]act
	versions  map[string]act   // by table/version: published at some time
	exports   map[string]act   // by exhibit
	open      map[int64]string // intents without an answer
}

func newActs() acts {
	return acts{seals: map[string]act{}, reads: map[string]act{}, maps: map[string]act{},
		published: map[string]act{}, withdrawn: map[string]act{}, versions: map[string]act{}, exports: map[string]act{}, open: map[int64]string{}}
}

// note takes one entry. Only acts that were done count.
func (s *acts) note(seq int64, a act) {
	if a.Answers != nil {
		delete(s.open, *a.Answers)
	}
	if seq == 0 {
		s.first = &a
	}
	if a.Outcome == "intent" {
		s.open[seq] = a.Action + " " + a.Object
	}
	if a.Outcome != "done" {
		return
	}
	source, isSource := strings.CutPrefix(a.Object, "source:")
	table, isTable := strings.CutPrefix(a.Object, "table:")
	switch {
	case a.Action == "seal" && isSource:
		s.seals[source] = a
	case a.Action == "read" && isSource:
		s.reads[source] = a
	case a.Action == "map" && isSource:
		s.maps[source] = a
	case a.Action == "publish" && isTable:
		s.published[table] = a
		s.versions[table+"/"+a.detail("version")] = a
		delete(s.withdrawn, table)
	case a.Action == "export":
		s.exports[a.Object] = a
	case a.Action == "withdraw" && isTable:
		s.withdrawn[table] = a
		delete(s.published, table)
	}
}

// wasPublished reports whether an entry published this version of a table.
func (s *acts) wasPublished(table, version string) bool {
	_, was := s.versions[table+"/"+version]
	return was
}

// finish reports acts that were announced and never answered.
func (s *acts) finish(c *Check) {
	for seq, what := range s.open {
		c.warn("case.db", casefile.Where{}, "entry %d announced %q, and no entry says how it ended", seq, what)
	}
}

// checkInit holds case.yaml against the ledger's first entry.
func (r *run) checkInit(c *Check) {
	const name = "case.yaml"
	text, err := r.dir.read(name, 1<<20)
	if err != nil {
		c.fail(name, casefile.Where{}, "%v", err)
		return
	}
	var cfg struct{ ID, Name, Reference string }
	if err := unmarshalYAML(text, &cfg); err != nil {
		c.fail(name, casefile.Where{}, "%v", err)
		return
	}
	first := r.acts.first
	if first == nil {
		return // an empty or unreadable ledger is reported already
	}
	if first.Action != "init" || first.Object != "case:"+cfg.ID {
		c.fail(name, casefile.Where{}, "is of case %q, the ledger begins with %s %q", cfg.ID, first.Action, first.Object)
	}
	for field, value := range map[string]string{"name": cfg.Name, "reference": cfg.Reference} {
		if digest := first.detail(field); !digestOf(digest, value) {
			c.fail(name, casefile.Where{}, "its %s is not the one recorded when the case was made", field)
		}
	}
	r.checkMappings(c)
}

// checkMappings holds the mappings against the last map entry of their source.
func (r *run) checkMappings(c *Check) {
	list, err := r.dir.list("mappings")
	if err != nil {
		return // a case without mappings
	}
	have := map[string]string{} // file's source prefix: hash
	for _, e := range list {
		prefix, isYAML := strings.CutSuffix(e.Name(), ".yaml")
		if !isYAML {
			continue
		}
		text, err := r.dir.read("mappings/"+e.Name(), 16<<20)
		if err != nil {
			c.fail("mappings/"+e.Name(), casefile.Where{}, "%v", err)
			continue
		}
		have[prefix] = sha256Hex(text)
	}
	for id, a := range r.acts.maps {
		want, found := a.detail("mapping_sha256"), false
		for prefix, sum := range have {
			if prefix == "" || !strings.HasPrefix(id, prefix) {
				continue
			}
			found = true
			if sum != want {
				c.fail("mappings/"+prefix+".yaml", casefile.Where{Source: id}, "is not the mapping that entry %d applied", a.Seq)
			}
		}
		if !found && want != "" {
			c.fail("mappings", casefile.Where{Source: id}, "the mapping that entry %d applied is missing", a.Seq)
		}
	}
}

// digestOf reports whether a recorded digest may be the value's. A keyed digest cannot be
// recomputed here and an absent one says nothing: both pass.
func digestOf(digest, value string) bool {
	plain := strings.TrimPrefix(digest, "sha256:")
	if _, err := hex.DecodeString(plain); err != nil || len(plain) != 64 {
		return true
	}
	return plain == sha256Hex([]byte(value))
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// unmarshalYAML reads small, hostile YAML: a parser's panic is an error.
func unmarshalYAML(text []byte, into any) (err error) {
	defer recovered(&err)
	return yaml.Unmarshal(text, into)
}
