package mysqltab

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

func segmented(size int) dump.Format {
	f := Format()
	f.Stream = func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
		return Read(ctx, r, sink, Options{Table: "c", Segment: size})
	}
	return f
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

const fixtures = "../../../../../shared/data/telecom/dump-fixtures"

// What the real mariadb-dump --tab writes.
func TestFixture(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(fixtures, "c.txt"))
	if err != nil {
		t.Skipf("fixture is absent: %v", err)
	}
	var c dumptest.Collector
	if err := Format().Stream(context.Background(), bytes.NewReader(content), "c.txt", &c); err != nil {
		t.Fatal(err)
	}
	if !Format().Match("c.txt", content) || len(c.Found) != 3 || len(c.Damages) != 0 {
		t.Fatalf("%s", &c)
	}
	if got := c.Found[0].Cells[4]; got != "O'Brien said \"hi\"; back\\slash\nnew\tline \x1a \x00 end" && got != "O'Brien said \"hi\"; back\\slash\nnew\tline  \x00 end" {
		t.Errorf("note %q", got)
	}
	if got := c.Found[2].Cells; got[3] != "NULL" || got[2] != "<null>" || got[9] != "" {
		t.Errorf("row 3 %q", got)
	}
}

func TestDamage(t *testing.T) {
	damaged := "1\ta\n2b\n3\tc\n4\td"
	for _, size := range []int{0, 1, 5} {
		var c dumptest.Collector
		if err := Read(context.Background(), bytes.NewReader([]byte(damaged)), &c, Options{Table: "t", Segment: size}); err != nil {
			t.Fatal(err)
		}
		if len(c.Found) != 2 || len(c.Damages) != 2 || c.Found[1].Ordinal != 3 || c.Damages[1].Reason != "the file ends inside a row" {
			t.Errorf("%s", &c)
		}
	}
	var c dumptest.Collector
	long := "1\ta\n2\t" + string(bytes.Repeat([]byte("x"), 100)) + "\n3\tc\n"
	if err := Read(context.Background(), bytes.NewReader([]byte(long)), &c, Options{Table: "t", Segment: 8, MaxRow: 20}); err != nil || len(c.Found) != 2 || c.In() != 3 {
		t.Errorf("%v\n%s", err, &c)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(text), uint8(3))
	f.Add([]byte("a\\"), uint8(0))
	f.Add([]byte("\\\n\\\t\n\n"), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var whole, cut dumptest.Collector
		if err := Read(context.Background(), bytes.NewReader(text), &whole, Options{Table: "t", Segment: 1 << 16}); err != nil {
			t.Fatal(err)
		}
		if err := Read(context.Background(), bytes.NewReader(text), &cut, Options{Table: "t", Segment: int(size) + 1}); err != nil {
			t.Fatal(err)
		}
		if whole.String() != cut.String() {
			t.Fatalf("segments change the rows:\n%s\n%s", &whole, &cut)
		}
		for _, r := range whole.Found {
			found, err := findRow(bytes.NewReader(text), r.Offset)
			if err != nil {
				t.Fatal(err)
			}
			for i, cell := range found.Cells {
				if got := dumptest.Decode(cell, found.Text); got != r.Cells[i] {
					t.Fatalf("row %d cell %d read again is %q, was %q", r.Ordinal, i, got, r.Cells[i])
				}
			}
		}
	})
}
