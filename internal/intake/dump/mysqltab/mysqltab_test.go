package mysqltab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

func segmented(size int) dump.Format {
	f := Format()
	f.File = func(ctx context.Context, src dump.Sealed, sink dump.Sink) error {
		return readFile(ctx, src, sink, Options{Segment: size})
	}
	return f
}

// readText reads rows without a definition beside them.
func readText(t testing.TB, text []byte, opt Options) (c dumptest.Collector, l layout) {
	t.Helper()
	l, _, err := layoutOf(t.Context(), bytes.NewReader(text), "t", "", false)
	if err == nil {
		err = read(t.Context(), bytes.NewReader(text), &c, &l, opt)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, l
}

const text = "1\tit''s \\\ttab\\\nnl\\\\\tx\n2\t\\N\t\\\\N\n3\t\t\\%\\_\\0\\Z''\n4\tcaf\xc3\xa9\tz\n"

func TestConform(t *testing.T) {
	dumptest.Conform(t, dumptest.Case{
		Format: Format(),
		Write:  func(testing.TB) []dumptest.File { return []dumptest.File{{Name: "c.txt", Content: []byte(text)}} },
		Want: []dumptest.Row{
			{Table: "c", Ordinal: 1, Cells: []string{"1", "it''s \ttab\nnl\\", "x"}},
			{Table: "c", Ordinal: 2, Cells: []string{"2", "<null>", "\\N"}},
			{Table: "c", Ordinal: 3, Cells: []string{"3", "", "%_\x00\x1a''"}},
			{Table: "c", Ordinal: 4, Cells: []string{"4", "café", "z"}},
		},
		Segment: segmented,
		Large: func(t testing.TB, path string) int64 {
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			w := bufio.NewWriter(f)
			for i := range 1_500_000 {
				fmt.Fprintf(w, "%d\t+44%010d\trang\\\tand left\t\\N\t2022-07-01 11:00:00\n", i, i)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			return 1_500_000
		},
		Unmarked: true,
	})
}

// What a definition beside the rows says of them, with the columns whose cells tabs do not tell:
// BIT, and text in GBK.
const definition = "-- MySQL dump 10.13\n/*!40101 SET NAMES utf8mb4 */;\nDROP TABLE IF EXISTS `c`;\nCREATE TABLE `c` (\n  `id` int(11) NOT NULL,\n  `flags` bit(24) DEFAULT NULL,\n" +
	"  `who` varchar(9) CHARACTER SET latin1 COLLATE latin1_swedish_ci DEFAULT NULL COMMENT 'CHARACTER SET gbk',\n  `k` varchar(9) CHARACTER SET gbk COLLATE gbk_chinese_ci DEFAULT NULL,\n" +
	"  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\n-- Dump completed on 2022-11-08 12:00:00\n"

const defined = "1\t\x00\n\t\tcaf\xe9\t\x81\x5c\n2\t\\N\t\\N\t\\N\n3\t\\\t\\\t\\\\\\\tn\t\\\\\xd2\xf8\\\n\x81\x5c\\\\\n4\t\x09\x0a\x5c\t\t\n"

func TestConformDefined(t *testing.T) {
	dumptest.Conform(t, dumptest.Case{
		Format: Format(),
		Write: func(testing.TB) []dumptest.File {
			return []dumptest.File{{Name: "c.txt", Content: []byte(defined)}, {Name: "c.sql", Content: []byte(definition)}}
		},
		Want: []dumptest.Row{
			{Table: "c", Ordinal: 1, Cells: []string{"1", "\x00\n\t", "caf\xe9", "\x81\x5c"}},
			{Table: "c", Ordinal: 2, Cells: []string{"2", "<null>", "<null>", "<null>"}},
			{Table: "c", Ordinal: 3, Cells: []string{"3", "\\\t\\", "\\\tn", "\\\xd2\xf8\n\x81\x5c\\"}},
			{Table: "c", Ordinal: 4, Cells: []string{"4", "\t\n\\", "", ""}},
		},
		Segment:  segmented,
		Unmarked: true,
	})
}

// readPair reads rows with what lies beside them.
func readPair(t testing.TB, name, rows, sql string) (c dumptest.Collector) {
	t.Helper()
	dir := t.TempDir()
	src := dump.Sealed{Path: filepath.Join(dir, name), Name: name, Beside: map[string]string{beside: filepath.Join(dir, "beside")}}
	err := errors.Join(os.WriteFile(src.Path, []byte(rows), 0o600), os.WriteFile(src.Beside[beside], []byte(sql), 0o600))
	if err == nil {
		err = Format().File(t.Context(), src, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A file beside the rows that does not define them loses none, and is named.
func TestUseless(t *testing.T) {
	const rows = "1\ta\n2\tb\n"
	create := "CREATE TABLE `t` (`id` int, `who` text);\n"
	for name, c := range map[string]struct{ sql, want string }{
		"good":        {create, ""},
		"nothing":     {"-- nothing\n", "it defines 0 tables"},
		"binary":      {"\x00\x01\xff\xfeCREATE TABLE", "it defines 0 tables"},
		"two":         {create + "CREATE TABLE `u` (`id` int, `who` text);\n", "it defines 2 tables"},
		"rows":        {create + "INSERT INTO `t` VALUES (1,'a');\n", "it has rows of its own"},
		"other":       {"CREATE TABLE `t` (`id` int, `who` text, `when` datetime);\n", `its table "t" has 3 columns`},
		"cut":         {create[:30], "it defines 0 tables"},
		"quote":       {strings.Replace(create, "`who`", "`who", 1), "it defines 0 tables"},
		"twice":       {create + "CREATE TABLE `t` (`id` int, `who` text, `when` datetime);\n", `its table "t" has 3 columns`},
		"large":       {create + strings.Repeat("-- x\n", maxDefinition/5+1), "it has more than 16777216 bytes"},
		"long BIT":    {strings.Replace(create, "`id` int", "`id` bit(800000000)", 1), ""},
		"other name":  {strings.Replace(create, "`t`", "`u`", 1), `of table "u"`},
		"other words": {"CREATE TABLE `t` (`id` int, `who` text CHARACTER SET koi8r);\n", `character set "koi8r"`},
	} {
		t.Run(name, func(t *testing.T) {
			got := readPair(t, "t.txt", rows, c.sql)
			if len(got.Found) != 2 || got.In() != 2 || got.Found[1].Cells[1] != "b" || len(got.Tables) != 1 {
				t.Fatalf("%s", &got)
			}
			column := got.Tables[0].Columns[1]
			switch useless := strings.HasPrefix(c.want, "it"); {
			case c.want == "" && len(got.Damages) > 0, c.want != "" && (len(got.Damages) != 1 || !strings.Contains(got.Damages[0].Reason, c.want)):
				t.Errorf("remarks %+v, want %q", got.Damages, c.want)
			case useless && (column.Name != "c2" || column.Declared != "unknown" || got.Found[0].Table != "t"):
				t.Errorf("column %+v of %s", column, got.Found[0].Table)
			case !useless && (column.Name != "who" || column.Declared != "text"):
				t.Errorf("column %+v", column)
			}
		})
	}
}

// That the definition is another table's is told where the first row is long, too.
func TestLongRow(t *testing.T) {
	rows := "1\t" + strings.Repeat("x", 1<<20) + "\n2\tb\n"
	for _, c := range []struct{ columns, want string }{{"`id` int, `s` longtext", "s"}, {"`id` int, `s` longtext, `b` bit(8)", "c2"}} {
		got := readPair(t, "t.txt", rows, "CREATE TABLE `t` ("+c.columns+");\n")
		if len(got.Found) != 2 || got.In() != 2 || got.Tables[0].Columns[1].Name != c.want {
			t.Errorf("%s: %d rows of %d, %+v", c.columns, len(got.Found), got.In(), got.Tables[0].Columns)
		}
	}
}

// Whether text is in its column's own character set or in UTF-8 is told from the text.
func TestCharset(t *testing.T) {
	sql := func(names string) string { return strings.Replace(definition, "utf8mb4 */", names+" */", 1) }
	own := "1\tabc\tcaf\xe9\t\x81\x5c\n2\tabc\t\xfc\t\xd2\xf8\n"
	for _, c := range []struct {
		name, rows, sql string
		who, k          dump.Charset
	}{
		{"own", own, sql("utf8mb4"), "latin1", "gbk"},
		{"own, one looks like UTF-8", own + "3\tabc\t\xc3\xa9\ta\n", sql("utf8mb4"), "latin1", "gbk"},
		{"UTF-8", "1\tabc\tcafé\t亅\n2\tabc\tü\t银\n", sql("utf8mb4"), "", ""},
		{"UTF-8, one is damaged", "1\tabc\tcafé\t亅\n2\tabc\tü\t\xd2\xf8\n", sql("utf8mb4"), "", ""},
		{"latin1", "1\tabc\tcaf\xe9\t?\n", sql("latin1"), "latin1", "latin1"},
		{"GBK", "1\tabc\tcaf\xa8\xa6\t\x81\x5c\n", sql("gbk"), "gbk", "gbk"},
		{"not stated", own, strings.Replace(definition, "/*!40101 SET NAMES utf8mb4 */;\n", "", 1), "latin1", "gbk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := readPair(t, "c.txt", c.rows, c.sql)
			if got.In() != int64(strings.Count(c.rows, "\n")) || len(got.Damages) > 0 {
				t.Fatalf("%s", &got)
			}
			columns := got.Tables[0].Columns
			if columns[2].Charset != c.who || columns[3].Charset != c.k || columns[0].Charset != "" || columns[1].Charset != "" {
				t.Errorf("%+v", columns)
			}
			if key := got.Tables[0].Key; len(key) != 1 || key[0] != "id" {
				t.Errorf("key %q", key)
			}
		})
	}
}

const fixtures = "../../../../../shared/data/telecom/dump-fixtures"

// What the real mariadb-dump --tab writes, with what it writes beside it and without.
func TestFixture(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(fixtures, "c.txt"))
	if err != nil {
		t.Skipf("fixture is absent: %v", err)
	}
	if !Format().Match("c.txt", content) {
		t.Error("it is not told")
	}
	sql, err := os.ReadFile(filepath.Join(fixtures, "c.sql"))
	if err != nil {
		t.Fatal(err)
	}
	alone, _ := readText(t, content, Options{})
	pair := readPair(t, "c.txt", string(content), string(sql))
	for _, c := range []*dumptest.Collector{&alone, &pair} {
		if len(c.Found) != 3 || len(c.Damages) != 0 {
			t.Fatalf("%s", c)
		}
		if got := c.Found[0].Cells[4]; got != "O'Brien said \"hi\"; back\\slash\nnew\tline \x1a \x00 end" && got != "O'Brien said \"hi\"; back\\slash\nnew\tline  \x00 end" {
			t.Errorf("note %q", got)
		}
		if got := c.Found[2].Cells; got[3] != "NULL" || got[2] != "<null>" || got[9] != "" {
			t.Errorf("row 3 %q", got)
		}
	}
	if columns := pair.Tables[0].Columns; columns[3].Charset != "latin1" || columns[7].Kind != dump.Decimal || columns[8].Declared != "bit" {
		t.Errorf("%+v", columns)
	}
}

func TestDamage(t *testing.T) {
	damaged := "1\ta\n2b\n3\tc\n4\td"
	for _, size := range []int{0, 1, 5} {
		c, _ := readText(t, []byte(damaged), Options{Segment: size})
		if len(c.Found) != 2 || len(c.Damages) != 2 || c.Found[1].Ordinal != 3 || c.Damages[1].Reason != "the file ends inside a row" {
			t.Errorf("%s", &c)
		}
	}
	long := "1\ta\n2\t" + string(bytes.Repeat([]byte("x"), 100)) + "\n3\tc\n"
	if c, _ := readText(t, []byte(long), Options{Segment: 8, MaxRow: 20}); len(c.Found) != 2 || c.In() != 3 {
		t.Errorf("%s", &c)
	}
	// A BIT's bytes end no row, and a BIT that has others takes nothing of the next row.
	c := readPair(t, "c.txt", "1\tabc\ta\tb\n2\tab\ta\tb\n3\t\n\n\n\ta\tb\n4\tabc\ta\tb\tc\n5\tabc\ta\tb\n", definition)
	if len(c.Found) != 4 || c.In() != 5 || c.Found[2].Cells[1] != "\n\n\n" || c.Found[3].Ordinal != 5 {
		t.Errorf("%s", &c)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(text), uint8(3), "")
	f.Add([]byte("a\\"), uint8(0), "")
	f.Add([]byte("\\\n\\\t\n\n"), uint8(1), "")
	f.Add([]byte(defined), uint8(1), definition)
	f.Fuzz(func(t *testing.T, text []byte, size uint8, sql string) {
		if sql != "" {
			path := filepath.Join(t.TempDir(), "t.sql")
			if err := os.WriteFile(path, []byte(sql), 0o600); err != nil {
				t.Fatal(err)
			}
			sql = path
		}
		l, _, err := layoutOf(t.Context(), bytes.NewReader(text), "t", sql, false)
		if err != nil {
			t.Fatal(err)
		}
		var whole, cut dumptest.Collector
		if err := read(t.Context(), bytes.NewReader(text), &whole, &l, Options{Segment: 1 << 16}); err != nil {
			t.Fatal(err)
		}
		if err := read(t.Context(), bytes.NewReader(text), &cut, &l, Options{Segment: int(size) + 1}); err != nil {
			t.Fatal(err)
		}
		if whole.String() != cut.String() {
			t.Fatalf("segments change the rows:\n%s\n%s", &whole, &cut)
		}
		again, _, err := layoutOf(t.Context(), bytes.NewReader(text), "t", sql, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range whole.Found {
			found, err := findRow(bytes.NewReader(text), &again, r.Offset)
			if err != nil {
				t.Fatal(err)
			}
			if len(found.Cells) != len(r.Cells) {
				t.Fatalf("row %d read again has %d cells, had %d", r.Ordinal, len(found.Cells), len(r.Cells))
			}
			for i, cell := range found.Cells {
				if got := dumptest.Decode(cell, found.Text); got != r.Cells[i] {
					t.Fatalf("row %d cell %d read again is %q, was %q", r.Ordinal, i, got, r.Cells[i])
				}
			}
		}
	})
}
