package delimited

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

func read(t *testing.T, text string, segment int, layout *Layout) *dumptest.Collector {
	t.Helper()
	var c dumptest.Collector
	if err := Read(context.Background(), strings.NewReader(text), &c, Options{Table: "t", Segment: segment, Layout: layout}); err != nil {
		t.Fatal(err)
	}
	return &c
}

func again(t *testing.T, text string, c *dumptest.Collector, layout *Layout) {
	t.Helper()
	for i, r := range c.Found {
		found, err := ReadRow(strings.NewReader(text), layout, r.Offset)
		if err != nil {
			t.Fatal(err)
		}
		for j, f := range found.Cells {
			if got := dumptest.Decode(f, found.Text); got != r.Cells[j] {
				t.Errorf("row %d cell %d read again: %q, was %q", i, j, got, r.Cells[j])
			}
		}
	}
}

func TestRead(t *testing.T) {
	text := "\xef\xbb\xbfa;b\r\n1;\"x;\"\"y\"\"\r\nz\"\r\n;\n\n\"3\";c\n4\n5;\"six\"junk\n7;8"
	for _, size := range []int{0, 1, 2, 3, 7} {
		c := read(t, text, size, nil)
		want := [][]string{{"1", "x;\"y\"\r\nz"}, {"", ""}, {"3", "c"}, {"7", "8"}}
		if len(c.Found) != len(want) || len(c.Damages) != 2 || c.In() != 6 {
			t.Fatalf("segment %d:\n%s", size, c)
		}
		for i, r := range c.Found {
			if strings.Join(r.Cells, "|") != strings.Join(want[i], "|") {
				t.Errorf("segment %d row %d: %q, want %q", size, i, r.Cells, want[i])
			}
		}
		again(t, text, c, nil)
		if c.Found[3].Ordinal != 6 || c.Damages[0].Row != 4 {
			t.Errorf("segment %d: damaged rows keep their ordinals:\n%s", size, c)
		}
	}
}

// wide writes text in UTF-16 with its mark.
func wide(text string, order binary.ByteOrder) string {
	var b bytes.Buffer
	for _, u := range utf16.Encode([]rune("\ufeff" + text)) {
		var two [2]byte
		order.PutUint16(two[:], u)
		b.Write(two[:])
	}
	return b.String()
}

func TestEncodings(t *testing.T) {
	text := "name,number\r\nÉire 😀,1\r\n\"b\n\",2\r\n3\r\nlast,4"
	for name, order := range map[string]binary.ByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		source := wide(text, order)
		for _, size := range []int{0, 1, 5} {
			c := read(t, source, size, nil)
			if len(c.Found) != 3 || c.In() != 4 || c.Found[0].Cells[0] != "Éire 😀" || c.Tables[0].Columns[0].Name != "name" {
				t.Fatalf("%s:\n%s", name, c)
			}
			again(t, source, c, nil)
			// "name,number\r\n" is 13 characters behind the mark.
			if c.Found[0].Offset != 28 || c.Found[1].Offset != 28+2*11 || c.Damages[0].Length != 6 {
				t.Errorf("%s: offsets\n%s", name, c)
			}
		}
	}
	// Half a surrogate pair, and half a code unit at the end.
	if c := read(t, wide("a,b\n", binary.LittleEndian)+"\x00\xd8,\x001\x00\n\x00x", 0, nil); len(c.Found) != 1 || c.Found[0].Cells[0] != "\ufffd" || len(c.Damages) != 1 || !strings.HasPrefix(c.Damages[0].Reason, "2 code units") {
		t.Errorf("%s", c)
	}
	for want, text := range map[dump.Charset]string{
		"":       "a,b\ncafé,1\n",
		"latin1": "a,b\ncaf\xe9,\xa31\nM\xfcller,2\n",
		"cp1251": "a,b\n\xcf\xf0\xe8\xe2\xe5\xf2,\xec\xe8\xf0\n",
	} {
		if c := read(t, text, 0, nil); c.Tables[0].Charset != want {
			t.Errorf("%q is read as %q, want %q", text, c.Tables[0].Charset, want)
		}
	}
}

func TestDialects(t *testing.T) {
	for text, want := range map[string]string{
		"a,b\n1,2\n":                     "a|b 1|2",
		"a\tb\n1\t2\n":                   "a|b 1|2",
		"a|b\n1|2\n":                     "a|b 1|2",
		"\"x,y\";b\n1;2\n":               "x,y|b 1|2",
		"sep=;\r\na;b\r\n1;2\r\n":        "a|b 1|2",
		"\n\na,b\n1,2\n":                 "a|b 1|2",
		"+447700900123\n+447700900124\n": "c1 +447700900123",
		"+447700900123":                  "c1 +447700900123",
		"2022-07-01 10:00:00,x\n2022-07-02 10:00:00,y": "c1|c2 2022-07-01 10:00:00|x",
		"year,2021\n10001,7\n":                         "year|2021 10001|7",
		"who,2021-01-01,2021-01-02\nx,3,4\n":           "who|2021-01-01|2021-01-02 x|3|4",
		"1,10.0.0.1\n2,10.0.0.2\n":                     "c1|c2 1|10.0.0.1",
		"a@b.example,x\nc@d.example,y\n":               "c1|c2 a@b.example|x",
		"number\n447700900123\n":                       "number 447700900123",
	} {
		c := read(t, text, 0, nil)
		if len(c.Found) == 0 {
			t.Errorf("%q: no rows", text)
			continue
		}
		var names []string
		for _, col := range c.Tables[0].Columns {
			names = append(names, col.Name)
		}
		if got := strings.Join(names, "|") + " " + strings.Join(c.Found[0].Cells, "|"); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
		again(t, text, c, nil)
	}
	for name, c := range map[string]struct {
		head string
		want bool
	}{"x.csv": {"", true}, "x.TXT": {"a|b\n1|2\n", true}, "y.txt": {"Dear all,\nno table\n", false}, "z.log": {"a,b\n1,2\n", false}} {
		if got := match(name, []byte(c.head)); got != c.want {
			t.Errorf("%s is recognised: %v", name, got)
		}
	}
	// A file without a record says so.
	for _, text := range []string{"", "\n\n", "a,b\n"} {
		if c := read(t, text, 0, nil); len(c.Damages) != 1 || c.In() != 0 {
			t.Errorf("%q:\n%s", text, c)
		}
	}
}

func TestLayout(t *testing.T) {
	l := &Layout{Columns: []dump.Column{{Name: "s"}, {Name: "at", Kind: dump.DateTime}, {Name: "n", Kind: dump.Int}, {Name: "id"}}, Sep: ',', Least: 3, Lenient: true}
	text := "\"O\"Brien\",\"\",\"1\"\n\"\",\"2022-07-01 10:00:00\",\"2\",\"x\"\n1,2\n\"not closed,\"\"\n\"a\",,3\n"
	for _, size := range []int{0, 1, 6} {
		c := read(t, text, size, l)
		var rows []string
		for _, r := range c.Found {
			rows = append(rows, strings.Join(r.Cells, "|"))
		}
		if got := strings.Join(rows, " "); got != `O"Brien|<null>|1|<null> |2022-07-01 10:00:00|2|x a|<null>|3|<null>` || c.In() != 5 {
			t.Errorf("segment %d:\n%s", size, c)
		}
		again(t, text, c, l)
	}
}

// A record that is too long costs no memory.
func TestMaxRow(t *testing.T) {
	text := "a,b\n1,2\n\"" + strings.Repeat("x", 5000) + "\n3,4\n" + strings.Repeat("y", 5000) + "\n5,6\n"
	var c dumptest.Collector
	if err := Read(context.Background(), strings.NewReader(text), &c, Options{Table: "t", Segment: 64, MaxRow: 1000}); err != nil {
		t.Fatal(err)
	}
	if len(c.Found) != 3 || c.In() != 5 {
		t.Error(&c)
	}
}

func TestConformWide(t *testing.T) {
	text := wide("number,name,note\n447700900001,\"O\"\"Brien\",\n447700900002,\"two\nlines\",é😀\n447700900003,,\"x\"\n", binary.LittleEndian)
	dumptest.Conform(t, dumptest.Case{
		Format: Format(), Unmarked: true,
		Want: []dumptest.Row{
			{Table: "list", Ordinal: 1, Cells: []string{"447700900001", "O\"Brien", ""}},
			{Table: "list", Ordinal: 2, Cells: []string{"447700900002", "two\nlines", "é😀"}},
			{Table: "list", Ordinal: 3, Cells: []string{"447700900003", "", "x"}},
		},
		Write: func(testing.TB) []dumptest.File {
			return []dumptest.File{{Name: "list.csv", Content: []byte(text)}}
		},
		Segment: func(size int) dump.Format {
			f := Format()
			f.Stream = func(ctx context.Context, r io.Reader, name string, sink dump.Sink) error {
				return Read(ctx, r, sink, Options{Table: TableName(name), Segment: size})
			}
			return f
		},
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("a,b\n1,\"2\"\n\"\"\"\",\n"), uint8(3))
	f.Add([]byte("a\tb\r\n\"x\"y\n"), uint8(1))
	f.Add([]byte("\xff\xfea\x00,\x00b\x00\n\x001\x00,\x00\x00\xd8\n\x00"), uint8(2))
	f.Add([]byte("sep=|\n+447700900123|x\n"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var whole, cut dumptest.Collector
		errWhole := Read(context.Background(), bytes.NewReader(text), &whole, Options{Table: "t", Segment: 1 << 16})
		errCut := Read(context.Background(), bytes.NewReader(text), &cut, Options{Table: "t", Segment: int(size) + 1})
		if fmt.Sprint(errWhole) != fmt.Sprint(errCut) || whole.String() != cut.String() {
			t.Fatalf("segments change the rows: %v, %v\n%s\n%s", errWhole, errCut, &whole, &cut)
		}
		for _, r := range whole.Found {
			if _, err := ReadRow(bytes.NewReader(text), nil, r.Offset); err != nil {
				t.Fatalf("row at %d: %v", r.Offset, err)
			}
		}
		for _, d := range whole.Damages {
			if d.Offset < 0 || d.Offset+d.Length > int64(len(text)) {
				t.Fatalf("damage outside the source: %+v", d)
			}
		}
	})
}

// Published files: each has a header, and none is damaged.
func TestFixtures(t *testing.T) {
	files, err := filepath.Glob("../../../../../shared/data/*/*.csv")
	if err != nil || len(files) == 0 {
		t.Skip("fixtures are absent")
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c := read(t, string(text), 0, nil)
		if len(c.Found) == 0 || len(c.Damages) != 0 || c.Tables[0].Columns[0].Name == "c1" {
			t.Errorf("%s: %d rows, columns %v, %d damages %.300v", name, len(c.Found), c.Tables, len(c.Damages), c.Damages)
		}
		t.Logf("%s: %d rows, charset %q", filepath.Base(name), len(c.Found), c.Tables[0].Charset)
	}
}

// A header line without records makes a table of no rows, and a remark.
func TestHeaderOnly(t *testing.T) {
	c := read(t, "uniqueid,calldate,src,dst\r\n", 0, nil)
	if len(c.Tables) != 1 || len(c.Tables[0].Columns) != 4 || c.Tables[0].Columns[3].Name != "dst" || len(c.Found) != 0 || len(c.Damages) != 1 {
		t.Errorf("%+v\n%s", c.Tables, c)
	}
}
