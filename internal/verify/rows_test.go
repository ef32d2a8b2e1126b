package verify

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// remake is what an insider does who changes a table and makes file hashes, manifest and
// ledger anew, so that they all agree: the table is the query's result over its old rows,
// which the query calls old.
func (f *fixture) remake(table, query string) {
	f.t.Helper()
	text, err := os.ReadFile(f.path("tables/" + table + "/manifest.json"))
	f.ok(err)
	var m manifest
	f.ok(json.Unmarshal(text, &m))
	var list []string
	for _, p := range m.Files {
		list = append(list, literal(f.path("tables/"+table+"/"+m.Version+"/"+p.Name)))
	}
	_, err = f.duck.Exec("CREATE OR REPLACE TABLE old AS SELECT * FROM read_parquet([" + strings.Join(list, ", ") + "]) ORDER BY ALL")
	f.ok(err)
	for i := range f.acts { // the earlier entries are forgotten, as if they had never been
		if f.acts[i].Object == "table:"+table {
			f.acts[i] = Act{Action: "view", Object: "page"}
		}
	}
	f.ok(os.RemoveAll(f.path("tables/" + table)))
	f.publish(m, query)
	f.finish()
}

func (f *fixture) sourceNamed(name string) (id, table string) {
	list, err := filepath.Glob(f.path("tables/source.*." + name))
	f.ok(err)
	table = filepath.Base(list[0])
	ids, err := filepath.Glob(f.path("sources/" + strings.Split(table, ".")[1] + "*"))
	f.ok(err)
	return filepath.Base(ids[0]), table
}

func TestChangedRows(t *testing.T) {
	base := standard(t)
	for _, c := range []struct {
		name, table, query string
		words              []string
	}{
		{"text", "call", "SELECT * REPLACE (CASE WHEN ref_row = 13 THEN 'cafe' ELSE who END AS who) FROM old", []string{"row 13", `column "who"`}},
		{"integer", "call", "SELECT * REPLACE (CASE WHEN ref_row = 17 THEN 6 ELSE id END AS id) FROM old", []string{"row 17", `column "id"`}},
		{"number made null", "call", "SELECT * REPLACE (CASE WHEN ref_row = 1 THEN NULL ELSE cost END AS cost) FROM old", []string{"row 1,", `column "cost"`}},
		{"null made a number", "call", "SELECT * REPLACE (CASE WHEN id = 4 THEN 0 ELSE f END AS f) FROM old", []string{`column "f"`}},
		{"time", "call", "SELECT * REPLACE (CASE WHEN ref_row = 3 THEN \"at\" + INTERVAL 1 MICROSECOND ELSE \"at\" END AS \"at\") FROM old", []string{"row 3,", `column "at"`}},
		{"bytes", "call", "SELECT * REPLACE (CASE WHEN ref_row = 1 THEN 'x'::BLOB ELSE rec END AS rec) FROM old", []string{"row 1,", `column "rec"`}},
		{"bits", "call", "SELECT * REPLACE (CASE WHEN ref_row = 3 THEN 101 ELSE b END AS b) FROM old", []string{"row 3,", `column "b"`}},
		{"misfit's text", "call", "SELECT * REPLACE (replace(ref_misfit, '2022-02-30', '2022-02-29') AS ref_misfit) FROM old", []string{`column "at"`}},
		{"misfit dropped", "call", "SELECT * REPLACE (NULL::VARCHAR AS ref_misfit) FROM old", []string{`column "at"`}},
		{"misfit invented", "call", `SELECT * REPLACE (CASE WHEN ref_row = 1 THEN '{"nothing":"x"}' ELSE ref_misfit END AS ref_misfit) FROM old`, []string{"row 1,", `column "ref_misfit"`}},
		{"value hidden as misfit", "call", `SELECT * REPLACE (CASE WHEN ref_row = 1 THEN '{"id":"1"}' ELSE ref_misfit END AS ref_misfit, CASE WHEN ref_row = 1 THEN NULL ELSE id END AS id) FROM old`, []string{"row 1,", `column "id"`}},
		{"offset", "call", "SELECT * REPLACE (CASE WHEN ref_row = 2 THEN ref_offset + 1 ELSE ref_offset END AS ref_offset) FROM old", []string{"row 2,", "offset"}},
		{"row removed", "call", "SELECT * FROM old WHERE ref_row <> 9", []string{"row 9,", "missing"}},
		{"row given twice", "call", "SELECT * FROM old UNION ALL SELECT * FROM old WHERE ref_row = 9 ORDER BY ref_row", []string{"1 rows that are not the source's"}},
		{"row added", "call", "SELECT * FROM old UNION ALL SELECT * REPLACE (1000 AS ref_row) FROM old WHERE ref_row = 1 ORDER BY ref_row", []string{"1 rows beyond"}},
		{"column renamed", "call", "SELECT * RENAME (who AS whom) FROM old", []string{"not the ones the source declares"}},
		{"record", "registry", "SELECT * REPLACE (CASE WHEN ref_row = 2 THEN 'None' ELSE name END AS name) FROM old", []string{"row 2,", `column "name"`}},
		{"empty made null", "registry", "SELECT * REPLACE (CASE WHEN ref_row = 2 THEN NULL ELSE note END AS note) FROM old", []string{"row 2,", `column "note"`}},
		{"statement", "%statements", "SELECT * REPLACE ('CREATE TRIGGER y'::BLOB AS text) FROM old", []string{"a statement is not", "offset"}},
		{"damage", "%damage", "SELECT * REPLACE (1000000::BIGINT AS length) FROM old", []string{"damage beyond", "offset"}},
		{"header", "registry", "SELECT * RENAME (note AS remark) FROM old", []string{"header line"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := base.clone(t)
			id, table := f.sourceNamed(c.table)
			f.remake(table, c.query)
			r := f.run(Options{All: true})
			if r.OK() || !named(r, append(c.words, table)...) && !named(r, append(c.words, id)...) {
				t.Errorf("want a problem with %q and %s:\n%s", c.words, table, r)
			}
			if r.Checks[0].OK != true || r.Checks[2].OK != true {
				t.Errorf("the insider's work is not consistent, so the test proves little:\n%s", r)
			}
			if strings.HasPrefix(c.words[0], "row ") && c.words[1] != "missing" { // few rows: the sample is all of them
				if r := f.run(Options{}); r.OK() {
					t.Errorf("the sample of all rows does not find it:\n%s", r)
				}
			}
		})
	}
}

// TestColumnLists is a dump whose statements name their columns in their own order.
func TestColumnLists(t *testing.T) {
	f := newFixture(t)
	dump := "CREATE TABLE `t` (`a` int, `b` varchar(9), `c` int);\nINSERT INTO `db`.`t` (`b`, `A`) VALUES ('x',1), ('y',2);\nINSERT IGNORE INTO t VALUES (3,'(4,''z'',9)',5) ON DUPLICATE KEY UPDATE a=(1);\nREPLACE INTO t (a,b,c) VALUES (6,_utf8mb4'w',7);\n"
	at := func(s string) int { return strings.Index(dump, s) }
	id := f.seal("x.sql", "mysqldump", []byte(dump))
	f.publish(manifest{Table: "source." + id[:12] + ".t", Kind: "source", Source: id, SourceTable: "t"},
		fmt.Sprintf(`SELECT ref_row::BIGINT AS ref_row, ref_offset::BIGINT AS ref_offset, a::BIGINT AS a, b, c::BIGINT AS c, NULL::VARCHAR AS ref_misfit FROM (VALUES
			(1, %d, 1, 'x', NULL), (2, %d, 2, 'y', NULL), (3, %d, 3, '(4,''z'',9)', 5), (4, %d, 6, 'w', 7)) v(ref_row, ref_offset, a, b, c)`,
			at("('x'"), at("('y'"), at("(3,"), at("(6,")))
	f.act("read", "source:"+id, map[string]any{"rows_in": 4, "rows_stored": 4, "rows_damaged": 0})
	f.finish()
	for _, opt := range []Options{{}, {All: true}, {Sample: 1, Seed: 1}, {Sample: 2, Seed: 2}, {Sample: 3, Seed: 3}} {
		want := int64(4)
		if opt.Sample > 0 {
			want = int64(opt.Sample)
		}
		if r := f.run(opt); !r.OK() || int64(r.Checks[3].Objects) != want {
			t.Errorf("%+v:\n%s", opt, r)
		}
	}
	// A reference into a string that looks like a row is found by reading the whole file, and by
	// the sample because the row is looked at in its context.
	f.remake("source."+id[:12]+".t", fmt.Sprintf("SELECT * REPLACE (CASE WHEN ref_row = 3 THEN %d ELSE ref_offset END AS ref_offset) FROM old", at("(4,''z")))
	for _, opt := range []Options{{}, {All: true}} {
		if r := f.run(opt); r.OK() || !named(r, `table "t"`) && !named(r, "no row begins here") {
			t.Errorf("%+v:\n%s", opt, r)
		}
	}
}

func TestCounts(t *testing.T) {
	f := standard(t)
	for i, a := range f.acts {
		if a.Action == "read" {
			f.acts[i].Details["rows_in"] = 99
		}
	}
	f.finish()
	if r := f.run(Options{}); r.OK() || !named(r, "rows_in is 41", "99") {
		t.Errorf("%s", r)
	}
}

func TestReferences(t *testing.T) {
	base := standard(t)
	for _, c := range []struct {
		name, query string
		words       []string
	}{
		{"row", "SELECT * REPLACE (CASE WHEN call_id = 'x' THEN 77 ELSE ref_row END AS ref_row) FROM old", []string{"row 77", "do not exist"}},
		{"another row's offset", "SELECT * REPLACE (CASE WHEN call_id = 'x' THEN 2 ELSE ref_row END AS ref_row) FROM old", []string{"row 2", "do not exist"}},
		{"table", "SELECT * REPLACE ('nothing' AS ref_table) FROM old", []string{`table "nothing"`, "does not serve"}},
		{"source", "SELECT * REPLACE (repeat('0', 64) AS ref_source) FROM old", []string{"not a whole sealed file"}},
		{"null", "SELECT * REPLACE (CASE WHEN call_id = 'x' THEN NULL ELSE ref_row END AS ref_row) FROM old", []string{"1 rows have no whole reference"}},
		{"no columns", "SELECT call_id FROM old", []string{"do not say where they come from"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := base.clone(t)
			f.remake("call", c.query)
			if r := f.run(Options{Sample: 1}); r.OK() || !named(r, append(c.words, "tables/call")...) {
				t.Errorf("want a problem with %q:\n%s", c.words, r)
			}
		})
	}
}

// TestFolder is about what an adversary, or a crash, may leave in the folder.
func TestFolder(t *testing.T) {
	base := standard(t)
	rewrite := func(f *fixture, table string, change func(*manifest)) {
		text, err := os.ReadFile(f.path("tables/" + table + "/manifest.json"))
		f.ok(err)
		var m manifest
		f.ok(json.Unmarshal(text, &m))
		change(&m)
		f.manifest(m)
		f.finish()
	}
	for _, c := range []struct {
		name   string
		tamper func(f *fixture, id, table string)
		words  []string
		warns  bool
	}{
		{"source removed", func(f *fixture, id, _ string) { f.ok(os.Remove(f.path("sources/" + id))) }, []string{"sources/", "is missing"}, false},
		{"source never sealed", func(f *fixture, _, _ string) { f.write("sources/"+sha256Hex([]byte("x")), []byte("x")) }, []string{"no entry of the ledger sealed it"}, false},
		{"source a link", func(f *fixture, id, _ string) {
			f.ok(os.Rename(f.path("sources/"+id), f.path("sources-away")))
			f.ok(os.Symlink(f.path("sources-away"), f.path("sources/"+id)))
		}, []string{"sources/", "refused"}, false},
		{"tables a link", func(f *fixture, _, _ string) {
			f.ok(os.Rename(f.path("tables"), f.path("t")))
			f.ok(os.Symlink(f.path("t"), f.path("tables")))
		}, []string{"tables", "refused"}, false},
		{"version a link", func(f *fixture, _, table string) {
			list, _ := filepath.Glob(f.path("tables/" + table + "/[0-9a-f]*"))
			f.ok(os.Rename(list[0], f.path("v")))
			f.ok(os.Symlink(f.path("v"), list[0]))
		}, []string{"refused"}, false},
		{"path in manifest", func(f *fixture, _, table string) {
			rewrite(f, table, func(m *manifest) { m.Files[0].Name = "../../../../etc/passwd" })
		}, []string{"lists the file"}, false},
		{"wrong rows", func(f *fixture, _, table string) {
			rewrite(f, table, func(m *manifest) { m.Files[0].Rows++; m.Rows++ })
		}, []string{"part-00000.parquet", "the manifest says"}, false},
		{"wrong version", func(f *fixture, _, table string) {
			rewrite(f, table, func(m *manifest) { m.StepVersion = strings.Repeat("1", 64) })
		}, []string{"what it was computed from"}, false},
		{"wrong columns", func(f *fixture, _, table string) {
			rewrite(f, table, func(m *manifest) { m.Columns[2].Type = "VARCHAR" })
		}, []string{"has columns"}, false},
		{"Parquet garbage", func(f *fixture, _, table string) {
			rewrite(f, table, func(m *manifest) {
				b := []byte("PAR1 garbage PAR1")
				f.write("tables/"+table+"/"+m.Version+"/"+m.Files[0].Name, b)
				m.Files[0].SHA256, m.Files[0].Size = sha256Hex(b), int64(len(b))
			})
		}, []string{"part-00000.parquet"}, false},
		{"extra file", func(f *fixture, _, table string) {
			list, _ := filepath.Glob(f.path("tables/" + table + "/[0-9a-f]*"))
			f.ok(os.WriteFile(list[0]+"/part-00077.parquet", nil, 0o600))
		}, []string{"part-00077.parquet", "not listed"}, false},
		{"published and missing", func(f *fixture, _, table string) { f.ok(os.RemoveAll(f.path("tables/" + table))) }, []string{"is missing: entry"}, false},
		{"withdrawn and served", func(f *fixture, _, table string) { f.act("withdraw", "table:"+table, nil); f.finish() }, []string{"still served"}, false},
		{"manifest huge", func(f *fixture, _, table string) {
			f.ok(os.Truncate(f.path("tables/"+table+"/manifest.json"), maxManifest+1))
		}, []string{"larger than"}, false},
		{"manifest garbage", func(f *fixture, _, table string) {
			f.write("tables/"+table+"/manifest.json", []byte(`{"format":[1]`))
		}, []string{"not a manifest"}, false},
		{"case.yaml garbage", func(f *fixture, _, _ string) { f.write("case.yaml", []byte("\x00{{{: *x")) }, []string{"case.yaml"}, false},
		{"mapping changed", func(f *fixture, id, _ string) { f.write("mappings/"+id[:12]+".yaml", []byte("x")) }, []string{"not the mapping"}, false},
		{"stray folder", func(f *fixture, _, _ string) { f.ok(os.MkdirAll(f.path("tables/what"), 0o700)) }, []string{"stray folder"}, true},
		{"stray version", func(f *fixture, _, table string) {
			f.ok(os.MkdirAll(f.path("tables/"+table+"/"+strings.Repeat("a", 64)), 0o700))
		}, []string{"is stray"}, true},
		{"stale", func(f *fixture, _, table string) { f.remakeVersion(table) }, []string{"tables/call", "stale"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := base.clone(t)
			id, table := f.sourceNamed("call")
			c.tamper(f, id, table)
			r := f.run(Options{Sample: 1})
			if c.warns {
				if !r.OK() || !strings.Contains(r.String(), c.words[0]) || !strings.Contains(r.String(), "warning") {
					t.Errorf("want a warning with %q:\n%s", c.words, r)
				}
			} else if r.OK() || !named(r, c.words...) {
				t.Errorf("want a problem with %q:\n%s", c.words, r)
			}
		})
	}
}

// remakeVersion publishes the same rows as a later version of a table.
func (f *fixture) remakeVersion(table string) {
	text, err := os.ReadFile(f.path("tables/" + table + "/manifest.json"))
	f.ok(err)
	var m manifest
	f.ok(json.Unmarshal(text, &m))
	old := m.Version
	m.Step = "test2"
	m.Version = m.version()
	f.ok(os.CopyFS(f.path("tables/"+table+"/"+m.Version), os.DirFS(f.path("tables/"+table+"/"+old))))
	f.manifest(m)
	f.finish()
}
