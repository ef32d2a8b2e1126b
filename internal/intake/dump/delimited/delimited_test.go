package delimited

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

func read(t *testing.T, text string, segment int) *dumptest.Collector {
	t.Helper()
	var c dumptest.Collector
	if err := Read(context.Background(), strings.NewReader(text), &c, Options{Table: "t", Segment: segment}); err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestRead(t *testing.T) {
	text := "\xef\xbb\xbfa;b\r\n1;\"x;\"\"y\"\"\r\nz\"\r\n;\n\n\"3\";c\n4\n5;\"six\"junk\n7;8"
	for _, size := range []int{0, 1, 2, 3, 7} {
		c := read(t, text, size)
		want := [][]string{{"1", "x;\"y\"\r\nz"}, {"", ""}, {"3", "c"}, {"7", "8"}}
		if len(c.Found) != len(want) || len(c.Damages) != 2 || c.In() != 6 {
			t.Fatalf("segment %d:\n%s", size, c)
		}
		for i, r := range c.Found {
			if strings.Join(r.Cells, "|") != strings.Join(want[i], "|") {
				t.Errorf("segment %d row %d: %q, want %q", size, i, r.Cells, want[i])
			}
			line, cells, err := ReadRow(strings.NewReader(text), ';', r.Offset)
			if err != nil {
				t.Fatal(err)
			}
			for j, f := range cells {
				if got := dumptest.Decode(f, line); got != r.Cells[j] {
					t.Errorf("row %d cell %d read again: %q, was %q", i, j, got, r.Cells[j])
				}
			}
		}
		if c.Found[3].Ordinal != 6 || c.Damages[0].Row != 4 {
			t.Errorf("segment %d: damaged rows keep their ordinals:\n%s", size, c)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("a,b\n1,\"2\"\n\"\"\"\",\n"), uint8(3))
	f.Add([]byte("a\tb\r\n\"x\"y\n"), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var whole, cut dumptest.Collector
		errWhole := Read(context.Background(), bytes.NewReader(text), &whole, Options{Table: "t", Segment: 1 << 16})
		errCut := Read(context.Background(), bytes.NewReader(text), &cut, Options{Table: "t", Segment: int(size) + 1})
		if (errWhole == nil) != (errCut == nil) || whole.String() != cut.String() {
			t.Fatalf("segments change the rows: %v, %v\n%s\n%s", errWhole, errCut, &whole, &cut)
		}
	})
}
