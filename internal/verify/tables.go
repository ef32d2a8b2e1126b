package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
)

// manifest is manifest.json, as docs/formats/case-folder.md has it.
type manifest struct {
	Format      int               `json:"format"`
	Table       string            `json:"table"`
	Version     string            `json:"version"`
	Kind        string            `json:"kind"`
	Step        string            `json:"step"`
	StepVersion string            `json:"step_version"`
	Source      string            `json:"source"`
	SourceTable string            `json:"source_table"`
	Inputs      []tableVersion    `json:"inputs"`
	Params      map[string]string `json:"params"`
	Columns     []columnType      `json:"columns"`
	Rows        int64             `json:"rows"`
	Files       []part            `json:"files"`
}

type tableVersion struct{ Name, Version string }
type columnType struct{ Name, Type string }
type part struct {
	Name   string
	SHA256 string
	Size   int64
	Rows   int64
}

// maxManifest bounds manifest.json; a table of 100,000 files needs less.
const maxManifest = 32 << 20

// version recomputes what the manifest's version must be: SHA-256 of one JSON object, keys
// in the order below, no white space, <, > and & as \u003c, \u003e and \u0026:
//
//	Format 1, Table, Kind, Step, StepVersion, Source, SourceTable: strings
//	Inputs: objects {name, version} by name, or null when there is none
//	Params: object with its keys sorted, or null when there is none
func (m manifest) version() string {
	text := func(s string) string {
		b, _ := json.Marshal(s) // a string always encodes
		return string(b)
	}
	inputs := "null"
	if len(m.Inputs) > 0 {
		list := slices.Clone(m.Inputs)
		sort.SliceStable(list, func(i, j int) bool { return list[i].Name < list[j].Name })
		parts := make([]string, len(list))
		for i, in := range list {
			parts[i] = `{"name":` + text(in.Name) + `,"version":` + text(in.Version) + `}`
		}
		inputs = "[" + strings.Join(parts, ",") + "]"
	}
	params := "null"
	if m.Params != nil {
		keys := make([]string, 0, len(m.Params))
		for k := range m.Params {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for i, k := range keys {
			keys[i] = text(k) + ":" + text(m.Params[k])
		}
		params = "{" + strings.Join(keys, ",") + "}"
	}
	sum := sha256.Sum256([]byte(`{"Format":1,"Table":` + text(m.Table) + `,"Kind":` + text(m.Kind) + `,"Step":` + text(m.Step) +
		`,"StepVersion":` + text(m.StepVersion) + `,"Source":` + text(m.Source) + `,"SourceTable":` + text(m.SourceTable) +
		`,"Inputs":` + inputs + `,"Params":` + params + `}`))
	return hex.EncodeToString(sum[:])
}

// table is a published table whose files are as its manifest lists them.
type table struct {
	manifest
	sizes int64 // of its files
}

func (t *table) files() []string {
	names := make([]string, len(t.Files))
	for i, f := range t.Files {
		names[i] = f.Name
	}
	return names
}

// side reports whether the table is one of a reader's own (damage, statements) and not one
// of the source's.
func (t *table) side() bool {
	_, last, _ := strings.Cut(strings.TrimPrefix(t.Table, "source."), ".")
	return last == "%damage" || last == "%statements" || t.SourceTable == ""
}

var (
	tableName   = regexp.MustCompile(`^[A-Za-z0-9_%][A-Za-z0-9_.%~-]*$`)
	versionName = regexp.MustCompile(`^[0-9a-f]{64}$`)
	partName    = regexp.MustCompile(`^part-[0-9]+\.parquet$`)
)

// checkTables holds every served table against the ledger, its manifest and its files.
func (r *run) checkTables(c *Check) {
	list, err := r.dir.list("tables")
	if err != nil {
		c.fail("tables", casefile.Where{}, "%v", err)
		return
	}
	served := map[string]bool{}
	for i, e := range list {
		if r.ctx.Err() != nil {
			return
		}
		r.progress("tables", int64(i), int64(len(list)))
		what := "tables/" + e.Name()
		switch {
		case e.Type()&os.ModeSymlink != 0:
			c.fail(what, casefile.Where{Table: e.Name()}, "%v", errLink)
		case !e.IsDir():
			c.warn(what, casefile.Where{}, "a stray file: no table is one")
		case strings.HasPrefix(e.Name(), "."):
			c.warn(what, casefile.Where{}, "a stray folder: a version that was not finished")
		case !tableName.MatchString(e.Name()):
			c.fail(what, casefile.Where{Table: e.Name()}, "is not a table's name")
		default:
			served[e.Name()] = r.checkTable(c, e.Name())
		}
	}
	for name, a := range r.acts.published {
		if !served[name] {
			c.fail("tables/"+name, casefile.Where{Table: name}, "is missing: entry %d published it", a.Seq)
		}
	}
	for _, t := range r.tables {
		r.checkInputs(c, t)
	}
}

// checkTable checks one table's folder and reports whether it serves a table.
func (r *run) checkTable(c *Check, name string) bool {
	dir, at := "tables/"+name, casefile.Where{Table: name}
	what := dir + "/manifest.json"
	text, err := r.dir.read(what, maxManifest)
	if os.IsNotExist(err) {
		if _, published := r.acts.published[name]; !published {
			c.warn(dir, at, "a stray folder: it serves no table")
		}
		return false
	}
	if err != nil {
		c.fail(what, at, "%v", err)
		return true
	}
	c.Objects++
	a, published := r.acts.published[name]
	if w, withdrawn := r.acts.withdrawn[name]; withdrawn {
		c.fail(what, at, "is still served: entry %d withdrew it", w.Seq)
	} else if !published {
		c.fail(what, at, "is served, and no entry of the ledger published it")
	} else if sum := sha256Hex(text); a.detail("manifest_sha256") != sum {
		c.fail(what, at, "was altered: its SHA-256 is %s, entry %d published %q", sum, a.Seq, a.detail("manifest_sha256"))
	}
	t := &table{}
	if err := json.Unmarshal(text, &t.manifest); err != nil {
		c.fail(what, at, "is not a manifest: %v", err)
		return true
	}
	if published {
		if v := a.detail("version"); v != t.Version {
			c.fail(what, at, "is version %s, entry %d published %q", t.Version, a.Seq, v)
		}
		if n, ok := a.number("rows"); ok && n != t.Rows {
			c.fail(what, at, "has %d rows, entry %d published %d", t.Rows, a.Seq, n)
		}
	}
	if !r.checkManifest(c, t, what, at, name) {
		return true
	}
	if inner, err := r.dir.read(dir+"/"+t.Version+"/manifest.json", maxManifest); err != nil || !bytes.Equal(inner, text) {
		c.fail(dir+"/"+t.Version+"/manifest.json", at, "is not the same as the served manifest (%v)", err)
	}
	if r.checkFiles(c, t, dir, at) && r.checkParquet(c, t, dir, at) {
		r.tables[name] = t
	}
	r.checkStrays(c, t, dir, at)
	return true
}

// checkManifest asks whether the manifest agrees with itself.
func (r *run) checkManifest(c *Check, t *table, what string, at casefile.Where, name string) bool {
	ok := true
	no := func(format string, args ...any) {
		ok = false
		c.fail(what, at, format, args...)
	}
	if t.Format != 1 {
		no("has format %d, this program knows 1", t.Format)
	}
	if t.Table != name {
		no("says it is of table %q", t.Table)
	}
	if v := t.manifest.version(); v != t.Version {
		empty := t.manifest // an empty set of parameters is left out of the manifest
		empty.Params = map[string]string{}
		if len(t.Params) > 0 || empty.version() != t.Version {
			no("says version %q, what it was computed from gives %s", t.Version, v)
		}
	}
	if t.Kind != "source" && t.Kind != "case" && t.Kind != "finding" {
		no("has kind %q", t.Kind)
	}
	if isSource := strings.HasPrefix(name, "source."); isSource != (t.Kind == "source") {
		no("has kind %q", t.Kind)
	} else if isSource && (len(t.Source) != 64 || !strings.HasPrefix(name, "source."+t.Source[:12]+".")) {
		no("is of source %q", t.Source)
	} else if isSource && t.SourceTable != "" && name != "source."+t.Source[:12]+"."+escapeName(t.SourceTable) {
		no("is of table %q of its source", t.SourceTable)
	}
	var rows int64
	names := map[string]bool{}
	for _, f := range t.Files {
		if !partName.MatchString(f.Name) || names[f.Name] {
			no("lists the file %q", f.Name)
		}
		if f.Rows < 0 || f.Size < 0 {
			no("says %d rows and %d bytes of %s", f.Rows, f.Size, f.Name)
		}
		names[f.Name] = true
		rows += f.Rows
	}
	if rows != t.Rows {
		no("says %d rows, its files' are %d", t.Rows, rows)
	}
	return ok
}

// checkFiles hashes the version's files.
func (r *run) checkFiles(c *Check, t *table, dir string, at casefile.Where) bool {
	whole := true
	for _, f := range t.Files {
		name := dir + "/" + t.Version + "/" + f.Name
		file, err := r.dir.open(name)
		if err != nil {
			whole = false
			c.fail(name, at, "%v", err)
			continue
		}
		sum, size, err := hashFile(r.ctx, file)
		file.Close()
		if err != nil || sum != f.SHA256 || size != f.Size {
			whole = false
			if err == nil {
				err = fmt.Errorf("was altered: it has %d bytes and SHA-256 %s, the manifest says %d and %q", size, sum, f.Size, f.SHA256)
			}
			c.fail(name, at, "%v", err)
		}
		t.sizes += size
	}
	return whole
}

// checkParquet asks DuckDB for the files' rows and columns.
func (r *run) checkParquet(c *Check, t *table, dir string, at casefile.Where) bool {
	if len(t.Files) == 0 {
		return true
	}
	whole := true
	what := dir + "/" + t.Version
	for _, f := range t.Files {
		n, err := r.engine.count(r.ctx, "SELECT num_rows FROM parquet_file_metadata("+literal(r.engine.path(t.Table, t.Version, f.Name))+")")
		if err != nil || n != f.Rows {
			whole = false
			c.fail(what+"/"+f.Name, at, "holds %d rows, the manifest says %d (%v)", n, f.Rows, err)
		}
	}
	var has []columnType
	err := r.engine.each(r.ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+r.engine.parquet(t, "")+")", func(row []any) error {
		name, _ := row[0].(string)
		kind, _ := row[1].(string)
		has = append(has, columnType{name, kind})
		return nil
	})
	if err != nil || !slices.Equal(has, t.Columns) {
		whole = false
		c.fail(what, at, "has columns %v, the manifest says %v (%v)", has, t.Columns, err)
	}
	return whole
}

// checkStrays reports what lies in the table's folder and is not of the served version.
func (r *run) checkStrays(c *Check, t *table, dir string, at casefile.Where) {
	list, err := r.dir.list(dir)
	if err != nil {
		c.fail(dir, at, "%v", err)
		return
	}
	for _, e := range list {
		switch name := e.Name(); {
		case name == "manifest.json" || name == t.Version:
		case versionName.MatchString(name) && r.acts.wasPublished(t.Table, name): // an earlier version
		default:
			c.warn(dir+"/"+name, at, "is stray: no entry of the ledger knows it")
		}
	}
	list, err = r.dir.list(dir + "/" + t.Version)
	if err != nil {
		c.fail(dir+"/"+t.Version, at, "%v", err)
		return
	}
	listed := t.files()
	for _, e := range list {
		if e.Name() != "manifest.json" && !slices.Contains(listed, e.Name()) {
			c.fail(dir+"/"+t.Version+"/"+e.Name(), at, "is not listed in the manifest")
		}
	}
}

// checkInputs asks whether what the table was computed from is what is published now.
func (r *run) checkInputs(c *Check, t *table) {
	what, at := "tables/"+t.Table, casefile.Where{Table: t.Table}
	for _, in := range t.Inputs {
		now, published := r.acts.published[in.Name]
		switch {
		case in.Version == "": // the input did not exist
		case published && now.detail("version") == in.Version:
		case r.acts.wasPublished(in.Name, in.Version):
			c.warn(what, at, "is stale: it was computed from an earlier version of %q", in.Name)
		default:
			c.fail(what, at, "was computed from version %.12s of %q, which no entry published", in.Version, in.Name)
		}
	}
	if t.Kind == "source" {
		if _, sealed := r.acts.seals[t.Source]; !sealed {
			c.fail(what, at, "is of source %s, which no entry sealed", t.Source)
		}
	}
}

// escapeName is how a source's table name stands in a file name.
func escapeName(s string) string {
	room := 200
	var whole, short strings.Builder
	for _, c := range []byte(s) {
		piece := string(rune(c))
		if c != '_' && c != '-' && !('a' <= c && c <= 'z') && !('0' <= c && c <= '9') {
			piece = fmt.Sprintf("%%%02X", c)
		}
		whole.WriteString(piece)
		if whole.Len() < room-32 {
			short.WriteString(piece)
		}
	}
	if whole.Len() <= room {
		return whole.String()
	}
	sum := sha256.Sum256([]byte(s))
	return short.String() + "~" + hex.EncodeToString(sum[:16])
}
