package intake

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
)

// seizedWAL is a folder with a database whose last row, of a negative rowid, is only in its -wal.
func seizedWAL(t *testing.T) string {
	t.Helper()
	dir, live := t.TempDir(), filepath.Join(t.TempDir(), "live.db")
	db, err := sql.Open("sqlite", live+"?_pragma=journal_mode(wal)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE t (v); INSERT INTO t VALUES ('in the file'); PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t (rowid, v) VALUES (-5, 'in the wal')`); err != nil {
		t.Fatal(err)
	}
	for _, ending := range []string{"", "-wal"} {
		b, err := os.ReadFile(live + ending)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "x.db"+ending), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A database is read together with the -wal beside it: in a folder, alone, in an archive, and
// when the -wal comes later.
func TestSiblings(t *testing.T) {
	dir := seizedWAL(t)
	db, errDB := os.ReadFile(filepath.Join(dir, "x.db"))
	wal, errWAL := os.ReadFile(filepath.Join(dir, "x.db-wal"))
	if err := errors.Join(errDB, errWAL); err != nil {
		t.Fatal(err)
	}
	held := func(t *testing.T, in *Intake, by map[string]Added, at string) {
		t.Helper()
		a, w := by[at+"x.db"], by[at+"x.db-wal"]
		src, err := in.Case.Source(a.Source.ID)
		if err != nil {
			t.Fatal(err)
		}
		if a.Outcome != Read || a.Totals.Stored != 2 || a.Totals.Damages != 0 || w.Outcome != Attached || !strings.Contains(w.Reason, "write-ahead") || src.Siblings["-wal"] != w.Source.ID {
			t.Errorf("database %+v\n-wal %+v\nrecord %+v", a, w, src)
		}
		ref := casefile.RowRef{Source: src.ID, Table: "t", Row: 1, Offset: -5}
		parsed, err := casefile.ParseRowRef(ref.String())
		if err != nil || parsed != ref {
			t.Errorf("%s: %+v, %v", ref, parsed, err)
		}
		o, err := ReadRow(t.Context(), in.Case, parsed)
		if err != nil || o.Cells[0].Value != "in the wal" {
			t.Errorf("row: %+v, %v", o.Cells, err)
		}
		if left, err := filepath.Glob(filepath.Join(in.Case.Dir, "tables", ".stage-*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	}
	t.Run("folder", func(t *testing.T) {
		in := newIntake(t)
		account, by := added(t, in, AddOptions{}, dir)
		held(t, in, by, "")
		if account.Found != 2 || account.Known != 0 || account.Read != 1 || account.Attached != 1 || account.Bytes != int64(len(db)+len(wal)) {
			t.Errorf("%+v", account)
		}
		account, by = added(t, in, AddOptions{}, dir)
		held(t, in, by, "")
		if account.Found != 2 || account.Known != 2 {
			t.Errorf("again: %+v", account)
		}
	})
	t.Run("file", func(t *testing.T) {
		in := newIntake(t)
		account, by := added(t, in, AddOptions{}, filepath.Join(dir, "x.db"))
		held(t, in, by, "")
		if account.Found != 2 || account.Known != 0 {
			t.Errorf("%+v", account)
		}
		if a, err := in.Add(t.Context(), filepath.Join(dir, "x.db"), AddOptions{}); err != nil || a.Path != "x.db" {
			t.Errorf("%+v, %v", a, err)
		}
	})
	t.Run("archive", func(t *testing.T) {
		for _, order := range [][]file{{{"d/x.db", string(db)}, {"d/x.db-wal", string(wal)}}, {{"d/x.db-wal", string(wal)}, {"d/x.db", string(db)}}} {
			in := newIntake(t)
			path := filepath.Join(write(t, map[string][]byte{"a.tar": tarOf(order...)}), "a.tar")
			account, by := added(t, in, AddOptions{}, path)
			held(t, in, by, "a.tar!d/")
			if account.Found != 3 || account.Known != 0 || account.Read != 1 {
				t.Errorf("%+v", account)
			}
			account, by = added(t, in, AddOptions{}, path)
			held(t, in, by, "a.tar!d/")
			if account.Found != 3 || account.Known != 3 {
				t.Errorf("again: %+v", account)
			}
		}
	})
	t.Run("later", func(t *testing.T) {
		in := newIntake(t)
		alone := write(t, map[string][]byte{"x.db": db})
		_, by := added(t, in, AddOptions{}, alone)
		if a := by["x.db"]; a.Totals.Stored != 1 || a.Totals.Damages != 1 {
			t.Errorf("alone: %+v", a)
		}
		before, err := in.Case.Table(store.SourceTableName(by["x.db"].Source.ID, "t"))
		if err != nil {
			t.Fatal(err)
		}
		_, by = added(t, in, AddOptions{}, dir)
		held(t, in, by, "")
		after, err := in.Case.Table(before.Table)
		if err != nil || after.Version == before.Version {
			t.Errorf("the table has the version it had without the -wal, %v", err)
		}
		_, by = added(t, in, AddOptions{}, alone)
		held2 := by["x.db"]
		if held2.Totals.Stored != 2 || !held2.Known {
			t.Errorf("alone again: %+v", held2)
		}
	})
}

// Rows that mysqldump --tab wrote are read with the definition beside them: in a folder (where
// it comes first), alone, in an archive, and when it comes later.
func TestPairs(t *testing.T) {
	const rows, create = "1\t2022-11-08 11:00:00\tcaf\xe9\n2\t\\N\ta\n", "SET NAMES utf8mb4;\nCREATE TABLE `cdr` (\n  `id` int(11) NOT NULL,\n  `start` timestamp NULL,\n  `who` varchar(9) DEFAULT NULL,\n" +
		"  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=latin1;\n-- Dump completed on 2022-11-08 12:00:00\n"
	pair := map[string][]byte{"cdr.txt": []byte(rows), "cdr.sql": []byte(create)}
	typed := func(t *testing.T, in *Intake, by map[string]Added, at string, remarks int) {
		t.Helper()
		a, d := by[at+"cdr.txt"], by[at+"cdr.sql"]
		src, err := in.Case.Source(a.Source.ID)
		if err != nil {
			t.Fatal(err)
		}
		if a.Outcome != Read || a.Totals.Stored != 2 || a.Totals.Damages != remarks || d.Outcome != Read || d.Totals.Tables != 1 || src.Siblings[".sql"] != d.Source.ID {
			t.Errorf("rows %+v\ndefinition %+v\nrecord %+v", a, d, src)
		}
		m, err := in.Case.Table(store.SourceTableName(src.ID, "cdr"))
		if err != nil {
			t.Fatal(err)
		}
		if m.Columns[2] != (store.Column{Name: "id", Type: "BIGINT"}) || m.Columns[3] != (store.Column{Name: "start", Type: "TIMESTAMP"}) || len(m.Key) != 1 || m.Key[0] != "id" {
			t.Errorf("%+v", m)
		}
		o, err := ReadRow(t.Context(), in.Case, casefile.RowRef{Source: src.ID, Table: "cdr", Row: 1, Offset: 0})
		if err != nil || o.Cells[1] != (Cell{Column: "start", Value: "2022-11-08 11:00:00"}) || string(o.Text) != rows[:strings.IndexByte(rows, '\n')] {
			t.Errorf("row: %+v, %v", o.Cells, err)
		}
	}
	t.Run("folder", func(t *testing.T) {
		in, dir := newIntake(t), write(t, pair)
		for known := range 2 {
			account, by := added(t, in, AddOptions{}, dir)
			typed(t, in, by, "", 0)
			if account.Found != 2 || account.Known != 2*known || account.Read != 2 || account.Bytes != int64(len(rows)+len(create)) {
				t.Errorf("%+v", account)
			}
		}
	})
	t.Run("file", func(t *testing.T) {
		for _, names := range [][]string{{"cdr.txt"}, {"cdr.txt", "cdr.sql"}, {"cdr.sql", "cdr.txt"}} {
			in, dir := newIntake(t), write(t, pair)
			paths := make([]string, len(names))
			for i, name := range names {
				paths[i] = filepath.Join(dir, name)
			}
			account, by := added(t, in, AddOptions{}, paths...)
			typed(t, in, by, "", 0)
			if account.Found != 2 || account.Known != 0 {
				t.Errorf("%q: %+v", names, account)
			}
		}
	})
	t.Run("archive", func(t *testing.T) {
		for _, order := range [][]file{{{"d/cdr.sql", create}, {"d/cdr.txt", rows}}, {{"d/cdr.txt", rows}, {"cdr.sql", "-- another\n"}, {"d/cdr.sql", create}}} {
			in := newIntake(t)
			path := filepath.Join(write(t, map[string][]byte{"a.tar": tarOf(order...)}), "a.tar")
			for range 2 {
				_, by := added(t, in, AddOptions{}, path)
				typed(t, in, by, "a.tar!d/", 0)
			}
		}
	})
	t.Run("later", func(t *testing.T) {
		in := newIntake(t)
		_, by := added(t, in, AddOptions{}, write(t, map[string][]byte{"renamed.txt": []byte(rows)}))
		a := by["renamed.txt"]
		m, err := in.Case.Table(store.SourceTableName(a.Source.ID, "renamed"))
		if err != nil || a.Totals.Stored != 2 || a.Totals.Damages != 0 || m.Columns[2] != (store.Column{Name: "c1", Type: "VARCHAR"}) {
			t.Errorf("alone: %+v %+v, %v", a, m, err)
		}
		_, by = added(t, in, AddOptions{}, write(t, pair))
		typed(t, in, by, "", 1) // it is known under its first name, which is not the table's
		if m, err := in.Case.Table(m.Table); err == nil {
			t.Errorf("what was read without the definition is still served: %+v", m)
		}
	})
	t.Run("snapshot", func(t *testing.T) {
		in := newIntake(t)
		_, by := added(t, in, AddOptions{}, filepath.Join(write(t, pair), "cdr.txt"))
		first := by["cdr.txt"].Source.ID
		second := map[string][]byte{"cdr.txt": []byte("3" + rows), "cdr.sql": []byte("-- later\n" + create)}
		_, by = added(t, in, AddOptions{SnapshotOf: first}, filepath.Join(write(t, second), "cdr.txt"))
		typedRows, definition := by["cdr.txt"], by["cdr.sql"]
		if typedRows.Source.SnapshotOf != first || typedRows.Totals.Stored != 2 || definition.Outcome != Read || definition.Source.SnapshotOf != "" {
			t.Errorf("rows %+v\ndefinition %+v", typedRows, definition)
		}
	})
	// Killed when the record says what lies beside the source, and its rows are not read with that yet.
	t.Run("later, killed", func(t *testing.T) {
		in := newIntake(t)
		_, by := added(t, in, AddOptions{}, write(t, map[string][]byte{"cdr.txt": []byte(rows)}))
		src := by["cdr.txt"].Source
		_, by = added(t, in, AddOptions{}, write(t, map[string][]byte{"other.sql": []byte(create)}))
		src.Siblings = map[string]casefile.SourceID{".sql": by["other.sql"].Source.ID}
		s := &set{in: in, sources: map[casefile.SourceID]store.Source{}, bySize: map[int64][]casefile.SourceID{}, byMember: map[[2]string]casefile.SourceID{}}
		if err := s.makeKnown(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		for known := range 2 {
			account, by := added(t, in, AddOptions{}, write(t, pair))
			typed(t, in, by, "", 0)
			if account.Known != 1+known {
				t.Errorf("%+v", account)
			}
		}
	})
}
