package build

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

func elementsOf(t testing.TB, text string, segment, longest int) string {
	t.Helper()
	var b strings.Builder
	if err := Elements(context.Background(), strings.NewReader(text), "r", segment, longest, func(e Element) error {
		if e.Damage != "" {
			if e.Offset < 0 || e.Length <= 0 || e.Offset+e.Length > int64(len(text)) {
				t.Fatalf("damage outside the source: %+v", e)
			}
			fmt.Fprintf(&b, "%d+%d:%s;", e.Offset, e.Length, e.Damage)
			return nil
		}
		if text[e.Offset:e.Offset+int64(len(e.Text))] != string(e.Text) {
			t.Fatalf("element is not what stands at %d: %q", e.Offset, e.Text)
		}
		fmt.Fprintf(&b, "%d:%s;", e.Offset, e.Text)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestElements(t *testing.T) {
	for text, want := range map[string]string{
		"<a><r>1</r><x:r k='>'>2</x:r >\n<r/><rr>4</rr><r\n/></a>": "3:<r>1</r>;11:<x:r k='>'>2</x:r >;31:<r/>;45:<r\n/>;",
		"<r>1<r>2</r>": "0+4:the element does not close before the next one begins;4:<r>2</r>;",
		"<r>1</r><r>2": "0:<r>1</r>;8+4:the file ends inside the element;",
		"<r>1</r><r":   "0:<r>1</r>;",
		"<r <r>1</r>":  "0+3:a tag does not close;3:<r>1</r>;",
		"</r><r>1</r>": "4:<r>1</r>;",
		"<r>" + strings.Repeat("x", 500) + "</r><r>2</r>": "0+506:the element is longer than 100 bytes;507:<r>2</r>;",
	} {
		for _, segment := range []int{0, 1, 3, 50} {
			got := elementsOf(t, text, segment, 100)
			if strings.Contains(want, "longer") {
				got, want = got[strings.Index(got, ":"):], want[strings.Index(want, ":"):]
			}
			if got != want {
				t.Errorf("%.40q, segment %d: %q, want %q", text, segment, got, want)
			}
		}
	}
}

func FuzzElements(f *testing.F) {
	f.Add("<a><r>1</r><x:r k='>'>2</x:r ><r/>", uint8(3))
	f.Add("<r <r><r>", uint8(1))
	f.Fuzz(func(t *testing.T, text string, segment uint8) {
		if whole, cut := elementsOf(t, text, 0, 0), elementsOf(t, text, int(segment)+1, 0); whole != cut {
			t.Fatalf("segments change the elements:\n%q\n%q", whole, cut)
		}
	})
}

func TestRows(t *testing.T) {
	var c dumptest.Collector
	r := New(&c, &dump.Table{Name: "t", Columns: make([]dump.Column, 2)})
	r.Begin(5)
	r.PutString(1, "x")
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	if err := r.Damage(7, 2, 3, "why"); err != nil {
		t.Fatal(err)
	}
	r.Begin(9)
	r.Put(0, dump.Bare, []byte("1"))
	r.Cancel()
	r.Begin(10)
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(c.Found) != 2 || c.Found[0].Cells[1] != "x" || c.Found[1].Ordinal != 5 || c.Damages[0].Row != 2 || c.Found[1].Cells[0] != "<null>" {
		t.Errorf("%s", &c)
	}
}
