// Package exhibit writes what leaves a case: suspects, victims or one batch of them as CSV, and the
// public briefing, each with a manifest that lets whoever receives it check where every number came
// from: the versions of the tables, the hashes of the sources, and the ledger's signed checkpoint.
// The format is docs/formats/exhibit.md; package verify recomputes an exhibit from the versions that
// its manifest names, with code of its own.
//
// Each table is written twice. NAME.exact.csv holds every value byte for byte (RFC 4180) and
// is the exhibit; NAME.csv is a viewing copy in which a spreadsheet program cannot take a
// value from a hostile source for a formula: a field that begins with = + - @ tab, carriage
// return or NUL gets an apostrophe in front (OWASP ASVS 5.0, 1.2.10).
package exhibit

import (
	"bufio"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/ledger"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

var (
	//go:embed suspects.sql
	suspectsSQL string
	//go:embed victims.sql
	victimsSQL string
	// warning has the wording of the warning, for a batch's exhibit: templates that an office
	// completes and sends its own way. Nothing here sends.
	//
	//go:embed warning
	warning embed.FS
)

// victimsOrder is the order of victims.sql.
const victimsOrder = "points DESC, talk_s DESC, CAST(called_e164 AS BIGINT)"

// kind is one thing that can be exported.
type kind struct {
	sql    string
	tables []string
}

func kinds() map[string]kind {
	return map[string]kind{
		"suspects": {suspectsSQL, []string{"policy_result", "suspect", "account"}},
		"victims":  {victimsSQL, []string{"victim"}},
	}
}

// Manifest is the exhibit's manifest.json.
type Manifest struct {
	Format      int                  `json:"format"`
	Exhibit     string               `json:"exhibit"` // its id: the time and the kind
	Kind        string               `json:"kind"`
	Batch       string               `json:"batch,omitempty"` // of contact_batch, when it is one batch of victims
	Lang        string               `json:"lang,omitempty"`  // of a briefing
	Case        string               `json:"case"`
	Reference   string               `json:"reference,omitempty"` // not of a briefing, which is public; nor is made_by
	MadeBy      string               `json:"made_by,omitempty"`
	MadeAt      time.Time            `json:"made_at"`
	Program     string               `json:"program"`
	Rows        int64                `json:"rows"`
	Files       []File               `json:"files"`
	Read        []store.TableVersion `json:"read"`         // the tables it was computed from
	Tables      []store.TableVersion `json:"tables"`       // those, and all that they were computed from
	Sources     []Source             `json:"sources"`      // every sealed source of the case; of a briefing hash and size alone
	Checkpoint  string               `json:"checkpoint"`   // signed note (C2SP) of the ledger before this export
	VerifierKey string               `json:"verifier_key"` // checks the checkpoint's signature
}

// File is one file of the exhibit.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Note   string `json:"note"`
}

// Source is one sealed source.
type Source struct {
	SHA256  string `json:"sha256"`
	Name    string `json:"name,omitempty"`
	Size    int64  `json:"size"`
	Exhibit string `json:"exhibit,omitempty"`
}

// ErrNoBatch is wrapped by the error of a batch that has no numbers.
var ErrNoBatch = errors.New("no such batch")

// Export writes an exhibit of the given kind into the folder out, which must not exist; with a
// batch, of the victims of that contact batch alone, and the wording of the warning beside them.
// The ledger entry is written before the folder appears.
func Export(ctx context.Context, c *store.Case, e *duckdb.Engine, hand ledger.Hand, publicKey, program, what, batch, out string) (Manifest, error) {
	k, ok := kinds()[what]
	if !ok {
		return Manifest{}, fmt.Errorf("%q cannot be exported: suspects or victims can", what)
	}
	if batch != "" {
		if what != "victims" {
			return Manifest{}, fmt.Errorf("only victims are in batches, not %s", what)
		}
		k.sql = "SELECT * FROM (" + k.sql + ") WHERE batch_id = " + duckdb.Literal(batch) + " ORDER BY " + victimsOrder
	}
	m := Manifest{Kind: what, Batch: batch, Reference: c.Config.Reference, MadeBy: hand.Actor, Program: program, VerifierKey: publicKey}
	err := m.write(ctx, c, hand, k.tables, out, func(dir string) (err error) {
		if m.Rows, m.Files, err = writeCSV(ctx, e, k.sql, dir, what); err != nil || batch == "" {
			return err
		}
		if m.Rows == 0 {
			return fmt.Errorf("%w: %q (`unspoof victims --batches` lists them)", ErrNoBatch, batch)
		}
		written, err := writeWarning(dir)
		m.Files = append(m.Files, written...)
		return err
	})
	return m, err
}

// write makes the folder out, which must not exist: what fill writes into it, and the manifest,
// whose kind and maker are given and which it completes. The ledger entry is written before the
// folder appears.
func (m *Manifest) write(ctx context.Context, c *store.Case, hand ledger.Hand, tables []string, out string, fill func(dir string) error) error {
	if _, err := os.Lstat(out); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is there already", out)
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(out)), 0o750); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(out)), ".export-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	m.Format, m.Case, m.MadeAt = 1, c.Config.ID, time.Now().UTC().Truncate(time.Millisecond)
	m.Exhibit = m.Kind + "-" + m.MadeAt.Format("20060102T150405.000Z")
	if m.Read, m.Tables, err = lineage(c, tables); err != nil {
		return err
	}
	sources, err := c.Sources()
	if err != nil {
		return err
	}
	m.Sources = []Source{}
	for _, s := range sources {
		if m.Kind == "briefing" {
			s.Name, s.Exhibit = "", ""
		}
		m.Sources = append(m.Sources, Source{string(s.ID), s.Name, s.Size, s.Exhibit})
	}
	if err := fill(temp); err != nil {
		return err
	}
	checkpoint, err := hand.Log.Checkpoint(ctx)
	if err != nil {
		return err
	}
	m.Checkpoint = string(checkpoint.Note)
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	if err := store.WriteFile(filepath.Join(temp, "manifest.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	sum := sha256.Sum256(append(text, '\n'))
	details := map[string]any{"manifest_sha256": hex.EncodeToString(sum[:]), "rows": m.Rows, "batch": m.Batch}
	if m.Lang != "" {
		details["lang"] = m.Lang
	}
	if err := hand.Record(ctx, "export", m.Exhibit, details); err != nil {
		return fmt.Errorf("nothing is exported, the ledger entry could not be written: %w", err)
	}
	if err := os.Chmod(temp, 0o750); err != nil {
		return err
	}
	return os.Rename(temp, out)
}

// writeWarning writes the wording of the warning.
func writeWarning(dir string) ([]File, error) {
	list, err := warning.ReadDir("warning")
	if err != nil {
		return nil, err
	}
	var files []File
	for _, f := range list {
		content, err := warning.ReadFile("warning/" + f.Name())
		if err != nil {
			return nil, err
		}
		if err := store.WriteFile(filepath.Join(dir, f.Name()), content, 0o640); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		files = append(files, File{f.Name(), int64(len(content)), hex.EncodeToString(sum[:]), "wording of the warning, to be completed; this program sends nothing"})
	}
	return files, nil
}

// lineage gives the published versions of tables, and with them everything they were computed
// from, in the versions they were computed from.
func lineage(c *store.Case, tables []string) (read, all []store.TableVersion, err error) {
	for _, name := range tables {
		t, err := c.Table(name)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: run `unspoof build`", err)
		}
		read = append(read, store.TableVersion{Name: t.Table, Version: t.Version})
	}
	seen := map[store.TableVersion]bool{}
	for todo := slices.Clone(read); len(todo) > 0; todo = todo[1:] {
		if seen[todo[0]] || todo[0].Version == "" { // an input that did not exist has no version
			continue
		}
		seen[todo[0]] = true
		all = append(all, todo[0])
		t, err := c.TableAt(todo[0])
		if err != nil {
			return nil, nil, err
		}
		todo = append(todo, t.Inputs...)
	}
	return read, all, nil
}

// writeCSV runs the query and writes both copies.
func writeCSV(ctx context.Context, e *duckdb.Engine, query, dir, name string) (n int64, files []File, err error) {
	rows, err := e.DB.QueryContext(ctx, query)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, nil, err
	}
	exact, err := newFile(dir, name+".exact.csv", "the exhibit: every value byte for byte (RFC 4180)")
	if err != nil {
		return 0, nil, err
	}
	view, err := newFile(dir, name+".csv", "viewing copy: values that a spreadsheet would take for formulas begin with an apostrophe")
	if err != nil {
		return 0, nil, err
	}
	line := func(fields []string) {
		exact.record(fields, false)
		view.record(fields, true)
	}
	line(columns)
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	fields := make([]string, len(columns))
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return 0, nil, err
		}
		for i, v := range values {
			fields[i] = text(v)
		}
		line(fields)
		n++
	}
	if err := rows.Err(); err != nil {
		return 0, nil, err
	}
	for _, f := range []*csvFile{exact, view} {
		done, err := f.close()
		if err != nil {
			return 0, nil, err
		}
		files = append(files, done)
	}
	return n, files, nil
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.999999Z")
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// csvFile is one CSV file and its hash. Its first error is kept until close.
type csvFile struct {
	f    *os.File
	w    *bufio.Writer
	hash func() []byte
	file File
}

func newFile(dir, name, note string) (*csvFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	return &csvFile{f: f, w: bufio.NewWriterSize(io.MultiWriter(f, h), 1<<16), hash: func() []byte { return h.Sum(nil) }, file: File{Name: name, Note: note}}, nil
}

func (c *csvFile) record(fields []string, safe bool) {
	for i, s := range fields {
		if i > 0 {
			c.w.WriteByte(',')
		}
		if safe {
			s = Safe(s)
		}
		if strings.ContainsAny(s, ",\"\r\n") {
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		c.w.WriteString(s)
	}
	c.w.WriteString("\r\n")
}

func (c *csvFile) close() (File, error) {
	err := errors.Join(c.w.Flush(), c.f.Sync())
	info, serr := c.f.Stat()
	if err = errors.Join(err, serr, c.f.Close()); err != nil {
		return File{}, err
	}
	c.file.Size, c.file.SHA256 = info.Size(), hex.EncodeToString(c.hash())
	return c.file, nil
}

// Safe makes a value that no spreadsheet program takes for a formula.
func Safe(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n\x00", rune(s[0])) {
		return "'" + s
	}
	return s
}
