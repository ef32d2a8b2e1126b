package intake

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/mapping"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Tables keep apart and their rows are found, whatever the tables are called.
func TestTableNames(t *testing.T) {
	names := []string{"cdr", "CDR", "Cdr", "..", "../../etc/passwd", "a/b", "a:b@c%", "%damage", strings.Repeat("\U0001f4de", 64), strings.Repeat("x", 300), strings.Repeat("x", 300) + "y", "it's \"q\"", "\x1b[2J"}
	var b strings.Builder
	for i, name := range names {
		fmt.Fprintf(&b, "CREATE TABLE `%s` (v int);\nINSERT INTO `%s` VALUES (%d);\n", name, name, i)
	}
	fmt.Fprintf(&b, "USE `other`;\nCREATE TABLE `cdr` (v int);\nINSERT INTO `cdr` VALUES (100);\n-- Dump completed\n")
	in := newIntake(t)
	path := filepath.Join(write(t, map[string][]byte{"x.sql": []byte(b.String())}), "x.sql")
	_, by := added(t, in, AddOptions{}, path)
	a := by["x.sql"]
	if a.Totals.Tables != len(names)+1 || a.Totals.Stored != int64(len(names)+1) || a.Totals.Damages != 0 {
		t.Fatalf("%+v", a)
	}
	own, err := mapping.SourceTables(in.Case, a.Source.ID)
	if err != nil {
		t.Fatal(err)
	}
	e, err := duckdb.Open(t.Context(), in.Case, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for i, name := range append(names, "other.cdr") {
		if i == len(names) {
			i = 100
		}
		var v int
		var offset int64
		if err := e.DB.QueryRow("SELECT v, ref_offset FROM "+duckdb.Ident(own[name].Table)).Scan(&v, &offset); err != nil || v != i {
			t.Errorf("table %q holds %d, want %d: %v", name, v, i, err)
		}
		ref, err := casefile.ParseRowRef(casefile.RowRef{Source: a.Source.ID, Table: name, Row: 1, Offset: offset}.String())
		if err != nil {
			t.Fatal(err)
		}
		if o, err := ReadRow(t.Context(), in.Case, ref); err != nil || o.Cells[0].Value != fmt.Sprint(i) {
			t.Errorf("row of table %q: %+v, %v", name, o.Cells, err)
		}
	}
}

// Tables without rows are source tables of 0 rows, in every database's files.
func TestEmptyTables(t *testing.T) {
	db := filepath.Join(t.TempDir(), "x.db")
	conn, err := sql.Open("sqlite", db)
	if err == nil {
		_, err = conn.Exec("CREATE TABLE idle (a int, b text)")
	}
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	content, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	dir := write(t, map[string][]byte{
		"my.sql": []byte("CREATE TABLE `idle` (`a` int, `b` varchar(9));\n-- Dump completed\n"),
		"pg.sql": []byte("--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.idle (\n    a integer,\n    b text\n);\n\nCOPY public.idle (a, b) FROM stdin;\n\\.\n\n\n--\n-- PostgreSQL database dump complete\n--\n"),
		"x.db":   content,
	})
	in := newIntake(t)
	_, by := added(t, in, AddOptions{}, dir)
	e, err := duckdb.Open(t.Context(), in.Case, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for name, a := range by {
		if a.Outcome != Read || a.Totals.Tables != 1 || a.Totals.In() != 0 || a.Totals.Damages != 0 {
			t.Errorf("%s: %+v", name, a)
		}
		own, err := mapping.SourceTables(in.Case, a.Source.ID)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := e.DB.QueryRow("SELECT count(a) + count(b) + count(*) FROM " + duckdb.Ident(own["idle"].Table)).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}
