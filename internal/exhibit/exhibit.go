// Package exhibit writes what leaves a case: suspects, victims or one batch of them as CSV, with a
// manifest that lets whoever receives it check where every number came from: the versions of the
// tables, the hashes of the sources, the policy, and the ledger's signed checkpoint.
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
	Case        string               `json:"case"`
	Reference   string               `json:"reference"`
	MadeBy      string               `json:"made_by"`
	MadeAt      time.Time            `json:"made_at"`
	Program     string               `json:"program"`
	Rows        int64                `json:"rows"`
	Files       []File               `json:"files"`
	Tables      []store.TableVersion `json:"tables"`       // read for it, and all they were computed from
	Sources     []Source             `json:"sources"`      // every sealed source of the case
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
	Name    string `json:"name"`
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
	if _, err := os.Lstat(out); !errors.Is(err, os.ErrNotExist) {
		return Manifest{}, fmt.Errorf("%s is there already", out)
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(out)), 0o750); err != nil {
		return Manifest{}, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(out)), ".export-*")
	if err != nil {
		return Manifest{}, err
	}
	defer os.RemoveAll(temp)

	now := time.Now().UTC().Truncate(time.Millisecond)
	m := Manifest{Format: 1, Exhibit: what + "-" + now.Format("20060102T150405.000Z"), Kind: what, Batch: batch, Case: c.Config.ID, Reference: c.Config.Reference,
		MadeBy: hand.Actor, MadeAt: now, Program: program, VerifierKey: publicKey}
	if m.Tables, err = lineage(c, k.tables); err != nil {
		return Manifest{}, err
	}
	sources, err := c.Sources()
	if err != nil {
		return Manifest{}, err
	}
	for _, s := range sources {
		m.Sources = append(m.Sources, Source{string(s.ID), s.Name, s.Size, s.Exhibit})
	}
	if m.Rows, m.Files, err = writeCSV(ctx, e, k.sql, temp, what); err != nil {
		return Manifest{}, err
	}
	if batch != "" {
		if m.Rows == 0 {
			return Manifest{}, fmt.Errorf("%w: %q (`unspoof victims --batches` lists them)", ErrNoBatch, batch)
		}
		written, err := writeWarning(temp)
		if err != nil {
			return Manifest{}, err
		}
		m.Files = append(m.Files, written...)
	}
	checkpoint, err := hand.Log.Checkpoint(ctx)
	if err != nil {
		return Manifest{}, err
	}
	m.Checkpoint = string(checkpoint.Note)
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return Manifest{}, err
	}
	if err := store.WriteFile(filepath.Join(temp, "manifest.json"), append(text, '\n'), 0o644); err != nil {
		return Manifest{}, err
	}
	sum := sha256.Sum256(append(text, '\n'))
	if err := hand.Record(ctx, "export", m.Exhibit, map[string]any{"manifest_sha256": hex.EncodeToString(sum[:]), "rows": m.Rows, "batch": batch}); err != nil {
		return Manifest{}, fmt.Errorf("nothing is exported, the ledger entry could not be written: %w", err)
	}
	if err := os.Chmod(temp, 0o750); err != nil {
		return Manifest{}, err
	}
	return m, os.Rename(temp, out)
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

// lineage lists the versions of tables and of everything they were computed from.
func lineage(c *store.Case, tables []string) ([]store.TableVersion, error) {
	var list []store.TableVersion
	seen := map[string]bool{}
	for len(tables) > 0 {
		name := tables[0]
		tables = tables[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		t, err := c.Table(name)
		if err != nil {
			return nil, fmt.Errorf("%w: run `unspoof build`", err)
		}
		list = append(list, store.TableVersion{Name: t.Table, Version: t.Version})
		for _, in := range t.Inputs {
			tables = append(tables, in.Name)
		}
	}
	return list, nil
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
