package pgdump

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

const fixtures = "../../../../../shared/data/telecom/dump-fixtures"

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Skipf("fixture is absent: %v", err)
	}
	return b
}

// Awkward values as the real pg_dump 15 writes them, in three styles.
func TestFixtures(t *testing.T) {
	for _, name := range []string{"pg_copy.sql", "pg_inserts.sql", "pg_custom.dump"} {
		t.Run(name, func(t *testing.T) {
			content := fixture(t, name)
			format, read := Format(), Read
			if strings.HasSuffix(name, ".dump") {
				format, read = CustomFormat(), ReadCustom
			}
			dumptest.Conform(t, dumptest.Case{
				Format: format,
				Write:  func(testing.TB) []dumptest.File { return []dumptest.File{{Name: name, Content: content}} },
				Want: []dumptest.Row{
					{Table: "v_xml_cdr", Ordinal: 1, Cells: []string{"c5a239be-0e4f-4a5f-b032-e4ba72746dea", "+443457404404", "tab\there\nnl\\bs", "2022-07-01 11:00:00+00", "12.5", `{"variables": {"digits_dialed": "1#"}}`, "\x00\xff'", `{a,"b,c"}`}},
					{Table: "v_xml_cdr", Ordinal: 2, Cells: []string{"9b9979fe-5ac8-4acb-b9a1-ea4eae68341a", "<null>", "", "<null>", "<null>", "<null>", "<null>", "<null>"}},
				},
				Segment: segmented(read, format),
				Virtual: format.Name == "pgcustom",
			})
		})
	}
}

func readText(t *testing.T, text string, size int) *dumptest.Collector {
	t.Helper()
	var c dumptest.Collector
	if err := Read(context.Background(), strings.NewReader(text), &c, Options{Segment: size}); err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestColumnTypes(t *testing.T) {
	c := readText(t, `CREATE UNLOGGED TABLE "S p".x (
    a bigint NOT NULL, b numeric(15,8), c numeric, d numeric(40,2), e double precision, f real,
    g timestamp without time zone DEFAULT now(), h timestamp(3) with time zone, i date, j time with time zone,
    k bytea, l integer[], "check" character varying(10) DEFAULT 'x,)'::character varying, m boolean, n public.mood,
    o timestamp(0) without time zone, p numeric(5,-2), q double precision[], r bytea ARRAY, s uuid,
    t integer GENERATED ALWAYS AS ((a * 2)) STORED,
    CONSTRAINT y CHECK ((a > 0)), PRIMARY KEY (a));
COPY "S p".x (a) FROM stdin;
1
\.
`+foot0, 0)
	kinds := map[string]dump.Kind{"a": dump.Int, "b": dump.Decimal, "e": dump.Float, "f": dump.Float, "g": dump.DateTime, "i": dump.Date, "k": dump.Binary, "o": dump.DateTime, "t": dump.Int}
	if len(c.Found) != 1 || len(c.Damages) != 0 || len(c.Tables[0].Columns) != 21 {
		t.Fatalf("%s\n%+v", c, c.Tables)
	}
	for _, col := range c.Tables[0].Columns {
		if col.Kind != kinds[col.Name] {
			t.Errorf("column %+v, want kind %d", col, kinds[col.Name])
		}
	}
}

// Names, inheritance, other character sets, databases of a pg_dumpall.
func TestTables(t *testing.T) {
	text := "SET client_encoding = 'WIN1251';\nCREATE TABLE a.t (x bytea);\nCREATE TABLE b.t (x integer);\nCREATE TABLE public.p (id integer);\nCREATE TABLE public.c (\n    extra text\n)\nINHERITS (public.p);\n" +
		"COPY a.t (x) FROM stdin;\n\\\\x41\n\\.\nCOPY b.t (x) FROM stdin;\n2\n\\.\nCOPY public.c (id, extra) FROM stdin;\n3\t\xcf\xf0\n\\.\n" +
		"\\connect two\n\nSET client_encoding = 'LATIN1';\nCREATE TABLE public.c (id integer);\nCOPY public.c (id) FROM stdin;\n4\n\\.\nCOPY public.none FROM stdin;\n5\tx\n\\.\nSELECT pg_catalog.setval('public.s', 7, true);\n" + foot0
	for _, size := range []int{0, 3, 50} {
		c := readText(t, text, size)
		var got []string
		for _, r := range c.Found {
			got = append(got, r.Table+":"+strings.Join(r.Cells, ","))
		}
		want := "a.t:A b.t:2 c:3,\xcf\xf0 two.public.c:4 none:5,x"
		if strings.Join(got, " ") != want || len(c.Damages) != 0 {
			t.Errorf("%q, want %q\n%s", got, want, c)
		}
		if c.Tables[2].Columns[0].Kind != dump.Int || c.Tables[2].Charset != "cp1251" || c.Tables[4].Columns[1].Name != "c2" {
			t.Errorf("tables %+v", c.Tables)
		}
		if last := c.Statements[len(c.Statements)-1]; !strings.Contains(last, "setval") {
			t.Errorf("statements %q", c.Statements)
		}
	}
}

// Dumps older than 2018 say the schema by search_path.
func TestSearchPath(t *testing.T) {
	text := "SET search_path = a, pg_catalog;\nCREATE TABLE t (\n    x bytea\n);\nSET search_path = \"B\", pg_catalog;\nCREATE TABLE t (\n    x text\n);\n" +
		"SET search_path = a, pg_catalog;\nCOPY t (x) FROM stdin;\n\\\\x41\n\\.\nSET search_path = \"B\", pg_catalog;\nINSERT INTO t VALUES ('\\x41');\n" + foot0
	c := readText(t, text, 0)
	if len(c.Found) != 2 || c.Found[0].Table != "a.t" || c.Found[0].Cells[0] != "A" || c.Found[1].Table != "B.t" || c.Found[1].Cells[0] != `\x41` || len(c.Damages) != 0 {
		t.Errorf("%s", c)
	}
	for _, r := range c.Found {
		f, err := findRow(strings.NewReader(text), int64(len(text)), r.Table, r.Offset)
		if err != nil || dumptest.Decode(f.Cells[0], f.Text) != r.Cells[0] {
			t.Errorf("%s read again: %+v, %v", r.Table, f, err)
		}
	}
}

func TestStatements(t *testing.T) {
	for _, s := range []string{
		"CREATE FUNCTION f() RETURNS text\n    LANGUAGE sql\n    AS $_$SELECT ';' $1; $$ x; $_$;",
		"CREATE FUNCTION f() RETURNS integer\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT CASE WHEN true THEN 1 END AS x;\n SELECT 2;\nEND;",
		"CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);",
		"COMMENT ON TABLE t IS 'a;''b';",
		"COMMENT ON TABLE t IS E'a;\\'b;';",
		"CREATE VIEW v AS\n SELECT \";\" -- ; it's\n   FROM t; ",
	} {
		c := readText(t, s+"\nCOPY t (a) FROM stdin;\n1\n\\.\n"+foot0, 5)
		if len(c.Statements) != 1 || c.Statements[0] != strings.TrimSpace(s) || len(c.Found) != 1 || len(c.Damages) != 0 {
			t.Errorf("%q becomes %q\n%s", s, c.Statements, c)
		}
	}
}

func TestDamage(t *testing.T) {
	lines := "COPY public.t (id, \"Note\", raw, ok) FROM stdin;\n1\ta\t\\N\tt\n2\tb\t\\N\tt\n3\tc\t\\N\tt\n\\.\n"
	row := func(n string) string { return "INSERT INTO public.t VALUES (" + n + ", 'r" + n + "', NULL, true);\n" }
	each := row("1") + row("2") + row("3")
	for name, c := range map[string]struct {
		text    string
		rows    string
		damaged int64
		reason  string
	}{
		"a tab lost":            {head0 + strings.Replace(lines, "2\tb", "2b", 1) + foot0, "1 3", 1, "3 cells where 4 belong"},
		"cut in a row":          {head0 + lines[:strings.Index(lines, "3\tc")+2], "1 2", 1, "ends inside a row"},
		"cut between rows":      {head0 + lines[:strings.Index(lines, "3\tc")], "1 2", 0, "ends inside the rows of a COPY"},
		"cut behind":            {head0 + lines, "1 2 3", 0, "closing line"},
		"end not marked":        {head0 + strings.Replace(lines, "\\.\n", "", 1) + "\n\n" + strings.Replace(lines, "t (", "u (", 1) + foot0, "1 2 3 1 2 3", 0, "not marked"},
		"csv":                   {head0 + strings.Replace(lines, "stdin;", "stdin WITH (FORMAT csv);", 1) + foot0, "", 3, "does not know"},
		"a quote lost":          {head0 + strings.Replace(each, "'r2'", "'r2", 1) + foot0, "1 3", 1, "behind a cell"},
		"the last quote lost":   {head0 + strings.Replace(each, "'r3'", "'r3", 1) + foot0, "1 2", 1, "inside a row"},
		"a cell too many":       {head0 + strings.Replace(each, "(2,", "(2, 2,", 1) + foot0, "1 3", 1, "5 cells"},
		"garbage":               {head0 + "\x00\x01 x\n" + each + foot0, "1 2 3", 0, "not the beginning"},
		"a body does not end":   {strings.Replace(head0, "$$BEGIN", "$$$BEGIN", 1) + each + foot0, "1 2 3", 0, ""},
		"a string does not end": {head0 + "COMMENT ON TABLE t IS 'it;\n" + each + foot0, "1 2 3", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{0, 37, 1000} {
				got := readText(t, c.text, size)
				var found []string
				for _, r := range got.Found {
					found = append(found, r.Cells[0])
				}
				reasons := ""
				for _, d := range got.Damages {
					reasons += d.Reason + "; "
				}
				if strings.Join(found, " ") != c.rows || got.In()-int64(len(found)) != c.damaged || !strings.Contains(reasons, c.reason) {
					t.Errorf("segments of %d: rows %q, want %q; %q\n%s", size, found, c.rows, reasons, got)
				}
			}
		})
	}
}

// No input makes the reader panic or point outside the source, and every row reads again.
func FuzzRead(f *testing.F) {
	for _, text := range styles() {
		f.Add([]byte(text), uint16(40))
	}
	f.Add([]byte("COPY t FROM stdin;\n\\"), uint16(1))
	f.Add([]byte("INSERT INTO t VALUES (E'\\u00', ARRAY['a', f(1)]::text[]), (1,2);"), uint16(9))
	f.Fuzz(func(t *testing.T, text []byte, size uint16) {
		var whole, cut dumptest.Collector
		if err := Read(context.Background(), bytes.NewReader(text), &whole, Options{Segment: 1 << 16}); err != nil {
			t.Fatal(err)
		}
		if err := Read(context.Background(), bytes.NewReader(text), &cut, Options{Segment: int(size)%512 + 1}); err != nil {
			t.Fatal(err)
		}
		if len(whole.Damages) == 0 && len(cut.Damages) == 0 && whole.String() != cut.String() {
			t.Fatalf("segments change the rows:\n%s\n%s", &whole, &cut)
		}
		for _, d := range whole.Damages {
			if d.Offset < 0 || d.Offset+d.Length > int64(len(text)) {
				t.Fatalf("damage outside the source: %+v", d)
			}
		}
		for _, r := range whole.Found {
			// It may fail where text and rows are entangled, but not panic.
			_, _ = findRow(bytes.NewReader(text), int64(len(text)), r.Table, r.Offset)
		}
	})
}

func FuzzCustom(f *testing.F) {
	for _, version := range []int{10, 14, 16} {
		w := archiveWriter{version: version, algorithm: uncompressed}
		f.Add(w.archive("COPY public.t (id, \"Note\", raw, ok) FROM stdin;\n", copyRows+"\\.\n\n\n"))
	}
	w := archiveWriter{version: 16, algorithm: zstded}
	f.Add(w.archive("", "INSERT INTO public.t VALUES (1, 'a', NULL, true);\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		var c dumptest.Collector
		_ = ReadCustom(context.Background(), bytes.NewReader(content), &c, Options{Segment: 1 << 16}) // an error is an answer
		src := dump.Sealed{At: bytes.NewReader(content), Size: int64(len(content))}
		for _, r := range c.Found {
			_, _ = findCustomRow(context.Background(), src, r.Table, r.Offset)
		}
	})
}

// pg_dump declares a primary key behind the rows.
func TestKeys(t *testing.T) {
	c := readText(t, "CREATE TABLE public.a (x integer, \"Y z\" text);\nCOPY public.a (x, \"Y z\") FROM stdin;\n1\tb\n\\.\n"+
		"CREATE TABLE public.b (x integer);\nCOPY public.b (x) FROM stdin;\n1\n\\.\n"+
		"ALTER TABLE ONLY public.a\n    ADD CONSTRAINT \"a pkey\" PRIMARY KEY (\"Y z\", x);\n"+
		"ALTER TABLE ONLY public.b\n    ADD CONSTRAINT b_key UNIQUE (x);\nALTER TABLE public.none\n    ADD CONSTRAINT n PRIMARY KEY (x);\n"+foot0, 0)
	if len(c.Tables) != 2 || strings.Join(c.Tables[0].Key, "|") != "Y z|x" || c.Tables[1].Key != nil || len(c.Statements) != 5 {
		t.Errorf("tables %+v, statements %q", c.Tables, c.Statements)
	}
}
