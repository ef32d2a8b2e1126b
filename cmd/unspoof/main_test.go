package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
	"github.com/unspoof/unspoof/internal/synth"
)

// The tests of this folder run the program as a person does: this test binary, under the name
// unspoof, in a process of its own, on cases in temporary folders. What is expected of a case
// is read from its files, never through the program's own code, apart from the engine.

// TestMain puts the program on the path and removes the seizures that tests share.
func TestMain(m *testing.M) {
	testscript.Main(cleaned{m}, map[string]func(){"unspoof": func() { os.Exit(run()) }})
}

type cleaned struct{ *testing.M }

func (c cleaned) Run() int {
	defer func() {
		for _, dir := range seizures.dirs {
			os.RemoveAll(dir)
		}
	}()
	return c.M.Run()
}

// seizures are made once for each scale and seed, and never written to by a test.
var seizures = struct {
	sync.Mutex
	dirs map[string]string
}{dirs: map[string]string{}}

// seizure is the folder of a synthetic seizure.
func seizure(t testing.TB, scale float64, seed uint64) string {
	t.Helper()
	seizures.Lock()
	defer seizures.Unlock()
	key := fmt.Sprint(scale, "/", seed)
	if dir := seizures.dirs[key]; dir != "" {
		return dir
	}
	dir, err := os.MkdirTemp("", "seizure")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := synth.Write(context.Background(), synth.Config{Out: dir, Scale: scale, Seed: seed}); err != nil {
		os.RemoveAll(dir)
		t.Fatal(err)
	}
	seizures.dirs[key] = dir
	return dir
}

// ended is how a command ended.
type ended struct {
	args        []string
	code        int
	out, errOut string
}

func (e ended) String() string {
	return fmt.Sprintf("unspoof %s\nexit %d\n--- stdout\n%s--- stderr\n%s", strings.Join(e.args, " "), e.code, clipped(e.out), clipped(e.errOut))
}

func clipped(s string) string {
	if len(s) > 4000 {
		return s[:2000] + "\n...\n" + s[len(s)-2000:]
	}
	return s
}

// unspoof runs the program to its end.
func unspoof(t testing.TB, args ...string) ended {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unspoof", args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	e := ended{args, cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%v (%v)\n%s", err, ctx.Err(), e)
	}
	return e
}

// done runs the program and wants exit code 0.
func done(t testing.TB, args ...string) ended {
	t.Helper()
	e := unspoof(t, args...)
	if e.code != exitDone {
		t.Fatalf("want exit 0:\n%s", e)
	}
	return e
}

// newCase makes an empty case.
func newCase(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "case")
	done(t, "init", "--case", dir, "--name", "Test", "--reference", "T/1")
	return dir
}

// lists are the lists of a seizure, in the order in which they are added.
var lists = []string{"loss_reports", "registry", "rates", "numbering"}

// job is every command from a seizure to figures.
func job(dir, seizure string, lists []string) [][]string {
	list := [][]string{{"add", "--case", dir, filepath.Join(seizure, "mbilling.sql")}}
	for _, l := range lists {
		list = append(list, []string{"add", "--case", dir, "--list", l, filepath.Join(seizure, "lists", l+".csv")})
	}
	return append(list, []string{"map", "--case", dir}, []string{"build", "--case", dir})
}

// builtCase is a case on which the whole job was done.
func builtCase(t testing.TB, seizure string) string {
	t.Helper()
	dir := newCase(t)
	for _, args := range job(dir, seizure, lists) {
		done(t, args...)
	}
	return dir
}

// published is one table as readers see it.
type published struct {
	store.Manifest
	rows string // a hash of all rows, whatever their order
}

// tablesOf reads every published table, with the rows' hash when a table of another case that
// should be the same does not have the very same files.
func tablesOf(t testing.TB, dir string) map[string]published {
	t.Helper()
	c, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Tables()
	if err != nil {
		t.Fatal(err)
	}
	e, err := duckdb.Open(t.Context(), c, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	tables := map[string]published{}
	for _, m := range list {
		tables[m.Table] = published{m, rowsHash(t, e.DB, placesNamed(t, c, e, m))}
	}
	return tables
}

// placesNamed gives a table or, of one that tells places in call_verdict, a view of it that has
// the ids of the calls there: rows of a table have no order, so two builds may place them differently.
func placesNamed(t testing.TB, c *store.Case, e *duckdb.Engine, m store.Manifest) string {
	t.Helper()
	if m.Table != "account_call" && m.Table != "number_call" {
		return m.Table
	}
	verdicts, err := c.Table("call_verdict")
	must(t, err)
	placed, err := e.Placed(verdicts)
	must(t, err)
	must(t, execute(e.DB, fmt.Sprintf("CREATE OR REPLACE TEMP VIEW named AS SELECT t.* EXCLUDE (place), v.call_id FROM %s t LEFT JOIN (%s) v USING (place)", duckdb.Ident(m.Table), placed)))
	return "named"
}

// rowsHash is a hash of a table's rows as a multiset: the sum of 64 bits of each row's MD5.
func rowsHash(t testing.TB, db *sql.DB, table string) string {
	t.Helper()
	var n int64
	var sum string
	q := "SELECT count(*), CAST(coalesce(sum(md5_number_lower(CAST(t AS VARCHAR))), 0) AS VARCHAR) FROM " + duckdb.Ident(table) + " t"
	if err := db.QueryRowContext(t.Context(), q).Scan(&n, &sum); err != nil {
		t.Fatalf("table %s: %v", table, err)
	}
	return strconv.FormatInt(n, 10) + "/" + sum
}

// sameTables compares two cases of the same seizure. It gives the tables whose rows are the
// same and whose files are not.
func sameTables(t testing.TB, got, want map[string]published) (otherFiles []string) {
	t.Helper()
	for name, w := range want {
		g, ok := got[name]
		switch {
		case !ok:
			t.Errorf("table %s is missing", name)
		case g.Version != w.Version:
			t.Errorf("table %s: version %.12s, want %.12s", name, g.Version, w.Version)
		case g.Rows != w.Rows:
			t.Errorf("table %s: %d rows, want %d", name, g.Rows, w.Rows)
		case g.rows != w.rows:
			t.Errorf("table %s: other rows (%s, want %s)", name, g.rows, w.rows)
		case fmt.Sprint(g.Files) != fmt.Sprint(w.Files):
			otherFiles = append(otherFiles, name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("table %s should not be there", name)
		}
	}
	return otherFiles
}

// noLeftovers wants a case folder without temporary files, unpublished versions or anything
// else that a finished command has no use for.
func noLeftovers(t testing.TB, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if strings.HasPrefix(d.Name(), ".") && name != "." && name != ".lock" {
			t.Errorf("left behind: %s", name)
		}
		if parts := strings.Split(name, "/"); d.IsDir() && len(parts) == 3 && parts[0] == "tables" {
			var m store.Manifest
			text, err := os.ReadFile(filepath.Join(filepath.Dir(path), "manifest.json"))
			if err == nil {
				err = json.Unmarshal(text, &m)
			}
			if err != nil {
				t.Errorf("left behind: %s, a version of a table that is not published (%v)", name, err)
			} else if m.Version != d.Name() {
				t.Errorf("left behind: %s, published is %.12s", name, m.Version)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// copyTree copies a folder; read-only files become writable when they are to be tampered with.
func copyTree(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// trials is how often a random test is repeated: UNSPOOF_TRIALS where that is set.
func trials(normally int) int {
	if n, err := strconv.Atoi(os.Getenv("UNSPOOF_TRIALS")); err == nil {
		return n
	}
	return normally
}
