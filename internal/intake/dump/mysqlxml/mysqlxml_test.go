package mysqlxml

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

func segmented(size int) dump.Format {
	f := Format()
	f.Stream = func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
		return Read(ctx, r, sink, Options{Segment: size})
	}
	return f
}

const top = `<?xml version="1.0"?>
<mysqldump xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<database name="t1">
	<table_structure name="c">
		<field Field="id" Type="bigint(20) unsigned" Null="NO" Key="PRI" Extra="" Comment="" />
		<field Field="a &amp; b" Type="enum('x','y, (z)')" Null="YES" Key="" Extra="" Comment="" />
		<field Field="rec" Type="blob" Null="YES" Key="" Extra="" Comment="" />
		<options Name="c" />
	</table_structure>
	<table_data name="c">
`
const bottom = `	</table_data>
	<triggers name="c">
		<trigger Trigger="wipe"><![CDATA[DELETE FROM c]]></trigger>
	</triggers>
</database>
</mysqldump>
`

func row(id, a, rec string) string {
	return "	<row>\n\t\t<field name=\"id\">" + id + "</field>\n\t\t<field name=\"a &amp; b\"" + a + "\n\t\t<field name=\"rec\"" + rec + "\n\t</row>\n"
}

var (
	row1 = row("1", ">it&apos;s &lt;row&gt; &amp;amp; &#233;&#x41;</field>", " xsi:type=\"xs:hexBinary\">00FF27</field>")
	row2 = row("2", " xsi:nil=\"true\" />", " xsi:nil=\"true\" />")
	row3 = row("3", "></field>", ">\x00\xff&quot;\n</field>")
)

func TestConform(t *testing.T) {
	dumptest.Conform(t, dumptest.Case{
		Format: Format(),
		Write: func(testing.TB) []dumptest.File {
			return []dumptest.File{{Name: "d.xml", Content: []byte(top + row1 + row2 + row3 + bottom)}}
		},
		Want: []dumptest.Row{
			{Table: "c", Ordinal: 1, Cells: []string{"1", "it's <row> &amp; éA", "\x00\xff'"}},
			{Table: "c", Ordinal: 2, Cells: []string{"2", "<null>", "<null>"}},
			{Table: "c", Ordinal: 3, Cells: []string{"3", "", "\x00\xff\"\n"}},
		},
		Segment: segmented,
		Large: func(t testing.TB, path string) int64 {
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			w := bufio.NewWriter(f)
			fmt.Fprint(w, top)
			for i := range 700_000 {
				fmt.Fprint(w, row(fmt.Sprint(i), ">x &amp; y</field>", " xsi:nil=\"true\" />"))
			}
			fmt.Fprint(w, bottom)
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			return 700_000
		},
	})
}

const fixtures = "../../../../../shared/data/telecom/dump-fixtures"

// What the real mariadb-dump --xml writes, bytes that are not XML included.
func TestFixture(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(fixtures, "d.xml"))
	if err != nil {
		t.Skipf("fixture is absent: %v", err)
	}
	var c dumptest.Collector
	if err := Read(context.Background(), bytes.NewReader(content), &c, Options{}); err != nil {
		t.Fatal(err)
	}
	if len(c.Found) != 3 || len(c.Damages) != 0 || len(c.Statements) != 1 {
		t.Fatalf("%s", &c)
	}
	if got := c.Found[0].Cells; got[4] != "O'Brien said \"hi\"; back\\slash\nnew\tline \x1a \x00 end" || got[8] != "\n" || got[9] != `{"a":1}` {
		t.Errorf("row 1 %q", got)
	}
	kinds := map[string]dump.Kind{"id": dump.Int, "ts": dump.DateTime, "dt": dump.DateTime, "rec": dump.Binary, "f": dump.Float, "d": dump.Decimal, "b": dump.Int}
	for _, col := range c.Tables[0].Columns {
		if col.Kind != kinds[col.Name] {
			t.Errorf("column %+v", col)
		}
	}
	dumptest.Conform(t, dumptest.Case{
		Format:  Format(),
		Write:   func(testing.TB) []dumptest.File { return []dumptest.File{{Name: "d.xml", Content: content}} },
		Want:    c.Found,
		Segment: segmented,
	})
}

func TestDamage(t *testing.T) {
	whole := top + row1 + row2 + row3 + bottom
	for name, c := range map[string]struct {
		text    string
		rows    string
		damaged int64
		reason  string
	}{
		"a row's end lost":   {strings.Replace(whole, "</row>", "</raw>", 1), "2 3", 1, "does not end"},
		"a row's begin lost": {strings.Replace(whole, "<row>\n\t\t<field name=\"id\">2", "<raw>\n\t\t<field name=\"id\">2", 1), "1 3", 1, "no element"},
		"a field lost":       {strings.Replace(whole, "<field name=\"id\">2</field>", "", 1), "1 3", 1, "2 fields where 3"},
		"a name changed":     {strings.Replace(whole, "<field name=\"id\">2</field>", "<field name=\"ie\">2</field>", 1), "1 3", 1, "is called"},
		"cut in a row":       {whole[:strings.Index(whole, "\x00\xff&quot;")], "1 2", 1, "inside an element"},
		"cut between rows":   {whole[:strings.Index(whole, "\t<row>\n\t\t<field name=\"id\">3")], "1 2", 0, "closing tag"},
		"garbage":            {strings.Replace(whole, "<database", "garbage <database", 1), "1 2 3", 0, "no element"},
		"no structure":       {whole[:strings.Index(whole, "\t<table_structure")] + whole[strings.Index(whole, "\t<table_data"):], "1 2 3", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{0, 1, 50} {
				var got dumptest.Collector
				if err := Read(context.Background(), strings.NewReader(c.text), &got, Options{Segment: size}); err != nil {
					t.Fatal(err)
				}
				var found []string
				for _, r := range got.Found {
					found = append(found, r.Cells[0])
				}
				reasons := ""
				for _, d := range got.Damages {
					reasons += d.Reason + "; "
				}
				if strings.Join(found, " ") != c.rows || got.In()-int64(len(found)) != c.damaged || !strings.Contains(reasons, c.reason) {
					t.Errorf("segments of %d: rows %q, want %q; %q\n%s", size, found, c.rows, reasons, &got)
				}
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(top+row1+row2+row3+bottom), uint16(40))
	f.Add([]byte("<table_data name=\"\"><row><field name=\"&#x;\"/></row><row>"), uint16(1))
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
		for _, r := range whole.Found {
			if _, err := findRow(bytes.NewReader(text), r.Offset); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A table without rows is there too; a view is none.
func TestEmptyTable(t *testing.T) {
	var c dumptest.Collector
	const text = "<?xml version=\"1.0\"?>\n<mysqldump>\n<database name=\"x\">\n\t<table_structure name=\"calls\">\n\t\t<field Field=\"id\" Type=\"int(11)\" Null=\"NO\" />\n\t\t<options Name=\"calls\" Engine=\"InnoDB\" Rows=\"0\" Comment=\"\" />\n\t</table_structure>\n\t<table_data name=\"calls\">\n\t</table_data>\n" +
		"\t<table_structure name=\"v\">\n\t\t<field Field=\"id\" Type=\"int(11)\" Null=\"NO\" />\n\t\t<options Name=\"v\" Comment=\"VIEW\" />\n\t</table_structure>\n</database>\n</mysqldump>\n"
	if err := Read(context.Background(), strings.NewReader(text), &c, Options{}); err != nil {
		t.Fatal(err)
	}
	if len(c.Tables) != 1 || c.Tables[0].Name != "calls" || len(c.Tables[0].Columns) != 1 || len(c.Damages)+len(c.Found) != 0 {
		t.Errorf("%+v\n%s", c.Tables, &c)
	}
}
