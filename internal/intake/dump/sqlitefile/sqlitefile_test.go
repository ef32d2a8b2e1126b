package sqlitefile

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

// make makes a database file and gives its bytes.
func makeDB(t testing.TB, statements string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	exec(t, path, statements)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func exec(t testing.TB, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

const awkward = `
CREATE TABLE "my calls" (id INTEGER PRIMARY KEY, n INT, who TEXT, cost DECIMAL(10,2), at DATETIME, f REAL, raw BLOB, any, ok BOOLEAN, rowid TEXT,
  stored INT GENERATED ALWAYS AS (id * 2) STORED, computed INT GENERATED ALWAYS AS (id * 3) VIRTUAL);
INSERT INTO "my calls" VALUES (1, 5, 'it''s ' || char(0) || ' é', 12.5, '2022-07-01 11:00:00', 1, x'00ff27', 7, 1, 'r');
INSERT INTO "my calls" VALUES (7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO "my calls" VALUES (-3, 'five', '', 3, 1656673200, 'x', 'text''s', x'6162', 0, x'61');
INSERT INTO "my calls" VALUES (8, 1.5, x'', 1e300, 0.1, 0.1, x'', '', 'no', '');
CREATE TABLE pairs (k TEXT PRIMARY KEY, v INT) WITHOUT ROWID;
INSERT INTO pairs VALUES ('b', 2), ('a', 1);
CREATE INDEX at ON "my calls" (at);
CREATE TRIGGER wipe AFTER DELETE ON pairs BEGIN DELETE FROM "my calls"; END;
CREATE VIEW v AS SELECT 1;
`

func want() []dumptest.Row {
	return []dumptest.Row{
		{Table: "my calls", Ordinal: 1, Cells: []string{"-3", "five", "", "3", "1656673200", "x", "<expr:'text''s'>", "<expr:x'6162'>", "0", "<expr:x'61'>", "-6"}},
		{Table: "my calls", Ordinal: 2, Cells: []string{"1", "5", "it's \x00 é", "12.5", "2022-07-01 11:00:00", "1.0", "\x00\xff'", "7", "1", "r", "2"}},
		{Table: "my calls", Ordinal: 3, Cells: []string{"7", "<null>", "<null>", "<null>", "<null>", "<null>", "<null>", "<null>", "<null>", "<null>", "14"}},
		{Table: "my calls", Ordinal: 4, Cells: []string{"8", "1.5", "<expr:x''>", "1e+300", "0.1", "0.1", "", "", "no", "", "16"}},
		{Table: "pairs", Ordinal: 1, Cells: []string{"a", "1"}},
		{Table: "pairs", Ordinal: 2, Cells: []string{"b", "2"}},
	}
}

func TestConform(t *testing.T) {
	content := makeDB(t, awkward)
	dumptest.Conform(t, dumptest.Case{
		Format:  Format(),
		Write:   func(testing.TB) []dumptest.File { return []dumptest.File{{Name: "x.db", Content: content}} },
		Want:    want(),
		Virtual: true,
		Large: func(t testing.TB, path string) int64 {
			exec(t, path, `PRAGMA journal_mode = OFF; CREATE TABLE t (id INTEGER PRIMARY KEY, who TEXT, n INT);
				WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 400000) INSERT INTO t SELECT i, printf('+44%010d', i) || hex(zeroblob(80)), i FROM g;`)
			return 400_000
		},
	})
}

// seize copies a live database and what lies beside it, as an investigator does, and gives it
// as a sealed source: under names that say nothing.
func seize(t *testing.T, live string) dump.Sealed {
	t.Helper()
	dir := t.TempDir()
	src := dump.Sealed{Path: filepath.Join(dir, "1"), Beside: map[string]string{}, Temp: t.TempDir()}
	if err := copyFile(src.Path, live); err != nil {
		t.Fatal(err)
	}
	for _, ending := range []string{wal, journal} {
		if info, err := os.Stat(live + ending); err == nil && info.Size() > 0 {
			src.Beside[ending] = filepath.Join(dir, "2"+ending[1:2])
			if err := copyFile(src.Beside[ending], live+ending); err != nil {
				t.Fatal(err)
			}
		}
	}
	return src
}

// live opens a database and gives its path.
func live(t *testing.T, options string) (*sql.DB, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "live.db")
	db, err := sql.Open("sqlite", path+options)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db, path
}

func run(t *testing.T, db *sql.DB, statements string) {
	t.Helper()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

// values reads a source, and each of its rows again, and gives the first cells.
func values(t *testing.T, src dump.Sealed) (list []string, remarks []dump.Damage) {
	t.Helper()
	before, err := filepath.Glob(filepath.Dir(src.Path) + "/*")
	if err != nil {
		t.Fatal(err)
	}
	content := map[string][]byte{}
	for _, p := range before {
		if content[p], err = os.ReadFile(p); err != nil {
			t.Fatal(err)
		}
	}
	var c dumptest.Collector
	if err := Read(context.Background(), src, &c); err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Found {
		list = append(list, r.Cells[0])
		f, err := findRow(context.Background(), src, r.Table, r.Ordinal, r.Offset)
		if err != nil || dumptest.Decode(f.Cells[0], f.Text) != r.Cells[0] {
			t.Errorf("row %d read again: %q, %v", r.Ordinal, f.Text, err)
		}
	}
	after, err := filepath.Glob(filepath.Dir(src.Path) + "/*")
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("files: %q, before %q, %v", after, before, err)
	}
	for _, p := range after {
		if b, err := os.ReadFile(p); err != nil || !bytes.Equal(b, content[p]) {
			t.Errorf("%s was changed: %v", p, err)
		}
	}
	if left, err := os.ReadDir(src.Temp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return list, c.Damages
}

// What was committed is in the -wal; what was not, is there too and is not read.
func TestWAL(t *testing.T) {
	db, path := live(t, "?_pragma=journal_mode(wal)&_pragma=wal_autocheckpoint(0)&_pragma=cache_size(2)")
	run(t, db, `CREATE TABLE t (v); INSERT INTO t VALUES ('in the file'); PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES ('in the wal');
		BEGIN; INSERT INTO t SELECT 'not committed ' || hex(zeroblob(2000)) FROM (WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 100) SELECT i FROM g)`)
	src := seize(t, path)
	if b, err := os.ReadFile(src.Beside[wal]); err != nil || !bytes.Contains(b, []byte("not committed")) {
		t.Fatalf("the -wal has no uncommitted row: %v", err)
	}
	if got, remarks := values(t, src); !slices.Equal(got, []string{"in the file", "in the wal"}) || len(remarks) != 0 {
		t.Errorf("%q, %+v", got, remarks)
	}
	src.Beside = nil
	if got, remarks := values(t, src); !slices.Equal(got, []string{"in the file"}) || len(remarks) != 1 || !strings.Contains(remarks[0].Reason, "write-ahead") {
		t.Errorf("alone: %q, %+v", got, remarks)
	}
}

// A transaction that had begun to write into the file is rolled back by its -journal.
func TestJournal(t *testing.T) {
	db, path := live(t, "?_pragma=cache_size(2)&_pragma=cache_spill(1)")
	run(t, db, `CREATE TABLE t (v); INSERT INTO t VALUES ('committed');
		BEGIN; DELETE FROM t; INSERT INTO t SELECT 'not committed ' || hex(zeroblob(2000)) FROM (WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 100) SELECT i FROM g)`)
	src := seize(t, path)
	if b, err := os.ReadFile(src.Path); err != nil || !bytes.Contains(b, []byte("not committed")) || src.Beside[journal] == "" {
		t.Fatalf("the transaction has not spilled into the file: %v", err)
	}
	if got, remarks := values(t, src); !slices.Equal(got, []string{"committed"}) || len(remarks) != 0 {
		t.Errorf("%q, %+v", got, remarks)
	}
	// Nothing outside is touched for the name of a super-journal.
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, c := range []byte(victim) {
		sum += int(int8(c))
	}
	super := binary.BigEndian.AppendUint32([]byte("\xff\xff\xff\xff"+victim), uint32(len(victim)))
	super = binary.BigEndian.AppendUint32(super, uint32(sum))
	f, err := os.OpenFile(src.Beside[journal], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(append(super, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"...)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, remarks := values(t, src)
	if len(remarks) == 0 || !strings.Contains(remarks[0].Reason, "several databases") {
		t.Errorf("%+v", remarks)
	}
	if _, err := os.Stat(victim); err != nil {
		t.Error(err)
	}
}

// Rows behind corrupt pages are found.
func TestCorrupt(t *testing.T) {
	content := makeDB(t, `PRAGMA page_size = 1024; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
		WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 2000) INSERT INTO t SELECT i, 'value ' || i FROM g;
		CREATE TABLE u (v); INSERT INTO u VALUES (1);`)
	size := int(binary.BigEndian.Uint16(content[16:]))
	for i := 20 * size; i < 23*size; i++ {
		content[i] = 0xff
	}
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, content, 0o400); err != nil {
		t.Fatal(err)
	}
	var c dumptest.Collector
	if err := Read(context.Background(), dump.Sealed{Path: path}, &c); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rows, damage %+v", len(c.Found), c.Damages)
	if len(c.Damages) == 0 || len(c.Found) < 1700 || c.Found[len(c.Found)-1].Table != "u" {
		t.Errorf("%d rows, damage %+v", len(c.Found), c.Damages)
	}
	gap := int64(0)
	for _, d := range c.Damages {
		gap += d.Length
	}
	if found := int64(len(c.Found)) - 1; found+gap != 2000 {
		t.Errorf("%d rows and a gap of %d", found, gap)
	}
}

func TestKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	exec(t, path, `CREATE TABLE a (x INT, y TEXT, z INT, PRIMARY KEY (z, y)); INSERT INTO a VALUES (1, 'b', 2); CREATE TABLE b (x INT UNIQUE); INSERT INTO b VALUES (1)`)
	var c dumptest.Collector
	if err := Read(context.Background(), dump.Sealed{Path: path}, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Tables) != 2 || strings.Join(c.Tables[0].Key, "|") != "z|y" || c.Tables[1].Key != nil {
		t.Errorf("tables %+v", c.Tables)
	}
}

func TestKinds(t *testing.T) {
	for declared, kind := range map[string]dump.Kind{"INTEGER": dump.Int, "unsigned big int": dump.Int, "BOOLEAN": dump.Int, "VARCHAR(20)": dump.Text,
		"": dump.Text, "DATETIME": dump.Text, "DECIMAL(10,2)": dump.Text, "double precision": dump.Float, "BLOB": dump.Binary, "FLOATING POINT": dump.Int} {
		if got := kindOf(declared); got != kind {
			t.Errorf("%q has kind %d, want %d", declared, got, kind)
		}
	}
}

func FuzzRead(f *testing.F) {
	content := makeDB(f, awkward)
	f.Add(content)
	f.Add(content[:len(content)/2])
	f.Add([]byte(magic))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(dir, "x.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		var c dumptest.Collector
		_ = Read(context.Background(), dump.Sealed{Path: path}, &c) // an error is an answer
		for _, r := range c.Found {
			_, _ = findRow(context.Background(), dump.Sealed{Path: path}, r.Table, r.Ordinal, r.Offset)
		}
	})
}
