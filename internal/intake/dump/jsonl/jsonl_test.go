package jsonl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

func read(t *testing.T, text string, segment int) *dumptest.Collector {
	t.Helper()
	var c dumptest.Collector
	if err := Read(context.Background(), strings.NewReader(text), "t", &c, Options{Segment: segment}); err != nil {
		t.Fatal(err)
	}
	return &c
}

// again reads every row again and compares.
func again(t *testing.T, text string, c *dumptest.Collector) {
	t.Helper()
	for _, r := range c.Found {
		found, err := readRow(strings.NewReader(text), r.Offset)
		if err != nil {
			t.Fatalf("row %d at %d: %v", r.Ordinal, r.Offset, err)
		}
		got := map[string]string{}
		for i, f := range found.Cells {
			got[found.Columns[i]] = dumptest.Decode(f, found.Text)
		}
		for i, col := range c.Tables[0].Columns {
			was, ok := got[col.Name]
			if !ok {
				was = "<null>"
			}
			if was != r.Cells[i] {
				t.Errorf("row %d, %s read again: %q, was %q", r.Ordinal, col.Name, was, r.Cells[i])
			}
		}
	}
}

func cells(c *dumptest.Collector) string {
	var b strings.Builder
	for _, r := range c.Found {
		fmt.Fprintf(&b, "%d:%s\n", r.Ordinal, strings.Join(r.Cells, "|"))
	}
	return b.String()
}

func TestLayouts(t *testing.T) {
	want := "1:1|x\n2:2|<null>\n3:<null>|a\nb\n"
	for name, text := range map[string]string{
		"lines":               "{\"a\":1,\"b\":\"x\"}\n{\"a\":2}\n\n{\"b\":\"a\\nb\",\"a\":null}\n",
		"lines, no last end":  "\xef\xbb\xbf{\"a\":1,\"b\":\"x\"}\r\n{\"a\":2}\r\n{\"b\":\"a\\nb\"}",
		"array":               `[{"a":1,"b":"x"},{"a":2},{"b":"a\nb"}]`,
		"array of lines":      "[\n{\"a\":1,\"b\":\"x\"},\n{\"a\":2},\n{\"b\":\"a\\nb\"}\n]\n",
		"pretty":              "[\n  {\n    \"a\": 1,\n    \"b\": \"x\"\n  },\n  {\"a\": 2},\n  {\n    \"b\": \"a\\nb\"}\n]",
		"pretty, no array":    "{\n \"a\": 1,\n \"b\": \"x\"\n}\n{\n \"a\":2\n}\n{ \"b\": \"a\\nb\"\n}",
		"several on one line": "{\"a\":1,\"b\":\"x\"}\n{\"a\":2}{\"b\":\"a\\nb\"}\n",
		"commas":              "{\"a\":1,\"b\":\"x\"}\n{\"a\":2},\n{\"b\":\"a\\nb\"},\n",
	} {
		for _, size := range []int{0, 1, 3, 17} {
			c := read(t, text, size)
			if cells(c) != want || len(c.Damages) != 0 {
				t.Errorf("%s, segment %d:\n%s", name, size, c)
				continue
			}
			again(t, text, c)
		}
		if !Match([]byte(text)) {
			t.Errorf("%s is not recognised", name)
		}
	}
	for _, text := range []string{"", "[1,2]", "{1}", "a,b\n{\"a\":1}", "{\"a\"", "INSERT"} {
		if Match([]byte(text)) {
			t.Errorf("%q is recognised", text)
		}
	}
}

func TestValues(t *testing.T) {
	text := `{"i":1,"d":1.5,"f":1e3,"s":"\u00e9\ud83d\ude00\"","n":{"x":[1,{"y":"}"}]},"mixed":1,"big":123456789012345678901,"half":"\ud83d","twice":1,"twice":2,
"_id":{"$oid":"507f1f77bcf86cd799439011"},"t":{"$date":"2022-07-01T12:00:00.5+01:00"},"l":{"$numberLong":"9007199254740993"},"dec":{"$numberDecimal":"0.10"},"bin":{"$binary":{"base64":"AP8=","subType":"00"}},"old":{"$binary":"AP8=","$type":"00"},"ts":{"$timestamp":{"t":1,"i":1}},"nan":{"$numberDouble":"NaN"}}
{"i":-2,"d":20,"f":0.25,"mixed":"a","t":{"$date":{"$numberLong":"1656676800000"}},"dec":{"$numberDecimal":"1234.5"}}`
	text = strings.Replace(text, "\n\"_id", "\"_id", 1)
	c := read(t, text, 0)
	if len(c.Damages) != 0 || len(c.Found) != 2 {
		t.Fatal(c)
	}
	again(t, text, c)
	type want struct {
		kind        dump.Kind
		first, then string
	}
	for i, col := range c.Tables[0].Columns {
		w, ok := map[string]want{
			"i": {dump.Int, "1", "-2"}, "d": {dump.Decimal, "1.5", "20"}, "f": {dump.Float, "1e3", "0.25"},
			"s": {dump.Text, "é😀\"", "<null>"}, "n": {dump.Text, `{"x":[1,{"y":"}"}]}`, "<null>"}, "mixed": {dump.Text, "1", "a"},
			"big": {dump.Text, "123456789012345678901", "<null>"}, "half": {dump.Text, `<expr:"\ud83d">`, "<null>"},
			"twice": {dump.Int, "1", "<null>"}, "twice#2": {dump.Int, "2", "<null>"}, "_id": {dump.Text, "507f1f77bcf86cd799439011", "<null>"},
			"t": {dump.DateTime, "2022-07-01 11:00:00.500000", "2022-07-01 12:00:00"}, "l": {dump.Int, "9007199254740993", "<null>"},
			"dec": {dump.Decimal, "0.10", "1234.5"}, "bin": {dump.Binary, "\x00\xff", "<null>"}, "old": {dump.Binary, "\x00\xff", "<null>"},
			"ts": {dump.Text, `{"$timestamp":{"t":1,"i":1}}`, "<null>"}, "nan": {dump.Text, "NaN", "<null>"},
		}[col.Name]
		if got := (want{col.Kind, c.Found[0].Cells[i], c.Found[1].Cells[i]}); !ok || got != w {
			t.Errorf("%s: %+v, want %+v", col.Name, got, w)
		}
	}
	if d := c.Tables[0].Columns[1]; d.Precision != 3 || d.Scale != 1 {
		t.Errorf("decimal(%d,%d)", d.Precision, d.Scale)
	}
}

func TestDamage(t *testing.T) {
	for name, c := range map[string]struct{ text, rows, reason string }{
		"bad line":              {"{\"a\":1}\n{\"a\":\n{\"a\":3}\n", "1 3", "not a JSON object"},
		"no object":             {"{\"a\":1}\n[2]\n{\"a\":3}\n", "1 3", "not a JSON object"},
		"cut line":              {"{\"a\":1}\n{\"a\":2}\n{\"a\":\"x", "1 2", "the file ends"},
		"array, one line":       {`[{"a":1,"c":[{"a":9}]},{"a":2,,"c":[{"x":9},{"x":8}]},{"a":3}]`, "1 3", "not valid JSON"},
		"array, brace lost":     {"[\n{\"a\":1},\n{\"a\":2,\n{\"a\":3},\n{\"a\":4}\n]", "1 3 4", "not valid JSON"},
		"array, quote lost":     {"[\n{\"a\":\"1\"},\n{\"a\":\"2},\n{\"a\":\"3\"}\n]", "1 3", "does not close"},
		"pretty, nested stays":  {"[\n  {\n    \"a\": 1,\n    \"l\": [\n      {\"a\": 7}\n    ]\n  },\n  {\n    \"a\": 2,,\n    \"l\": [\n      {\"a\": 8}\n    ]\n  },\n  {\n    \"a\": 3\n  }\n]", "1 3", "not valid JSON"},
		"cut array":             {"[\n{\"a\":1},\n{\"a\":2},\n{\"a\":3", "1 2", "the file ends inside"},
		"garbage":               {"[\n{\"a\":1},\n\x00\x00junk\n{\"a\":3}\n]", "1 3", "where an object should begin"},
		"a long run of garbage": {"[\n{\"a\":1},\n" + strings.Repeat("{\n", 1000) + "{\"a\":3}\n]", "1 3", ""},
	} {
		for _, size := range []int{0, 1, 5} {
			got := read(t, c.text, size)
			var rows, reasons []string
			in, damaged := "", int64(0)
			for _, r := range got.Found {
				rows = append(rows, r.Cells[0])
			}
			for _, d := range got.Damages {
				reasons = append(reasons, d.Reason)
				damaged += d.Rows
				in += c.text[d.Offset : d.Offset+d.Length]
			}
			if strings.Join(rows, " ") != c.rows || damaged != 1 || !strings.Contains(strings.Join(reasons, ";"), c.reason) || in == "" {
				t.Errorf("%s, segment %d:\n%s", name, size, got)
			}
			again(t, c.text, got)
		}
	}
	// An array without its bracket is remarked on.
	if got := read(t, "[{\"a\":1},", 0); len(got.Damages) != 1 || got.Damages[0].Rows != 0 {
		t.Error(got)
	}
	// Memory is bounded: objects that are too long are passed over.
	for _, text := range []string{"{\"a\":1}\n{\"a\":\"" + strings.Repeat("x", 5000) + "\"}\n{\"a\":3}\n", "[{\"a\":1},\n{\"a\":\"" + strings.Repeat("x", 5000) + "\"},\n{\"a\":3}]"} {
		var got dumptest.Collector
		if err := Read(context.Background(), strings.NewReader(text), "t", &got, Options{Segment: 64, MaxRow: 1000}); err != nil {
			t.Fatal(err)
		}
		if len(got.Found) != 2 || got.In() != 3 {
			t.Error(&got)
		}
	}
}

func TestConform(t *testing.T) {
	want := []dumptest.Row{
		{Table: "calls", Ordinal: 1, Cells: []string{"507f1f77bcf86cd799439011", "+443457404404", "12.50", "{\"x\":[{}]}", "<null>"}},
		{Table: "calls", Ordinal: 2, Cells: []string{"507f1f77bcf86cd799439012", "é", "3", "<null>", "true"}},
		{Table: "calls", Ordinal: 3, Cells: []string{"507f1f77bcf86cd799439013", "", "<null>", "<null>", "<null>"}},
	}
	objects := []string{`{"_id":{"$oid":"507f1f77bcf86cd799439011"},"cli":"+443457404404","cost":12.50,"n":{"x":[{}]},"new":null}`,
		`{"_id":{"$oid":"507f1f77bcf86cd799439012"},"cli":"\u00e9","cost":3,"new":true}`,
		`{"_id":{"$oid":"507f1f77bcf86cd799439013"},"cli":"","new":null}`}
	for name, text := range map[string]string{
		"lines":        strings.Join(objects, "\n") + "\n",
		"export array": "[" + strings.Join(objects, ",\n") + "]\n",
		"one line":     "[" + strings.Join(objects, ",") + "]",
	} {
		t.Run(name, func(t *testing.T) {
			c := dumptest.Case{
				Format: Format(), Want: want, Unmarked: name == "lines",
				Write: func(testing.TB) []dumptest.File {
					return []dumptest.File{{Name: "calls.json", Content: []byte(text)}}
				},
				Segment: func(size int) dump.Format {
					f := Format()
					f.File = func(ctx context.Context, src dump.Sealed, sink dump.Sink) error {
						r, err := os.Open(src.Path)
						if err != nil {
							return err
						}
						defer r.Close()
						return Read(ctx, r, TableName(src.Name), sink, Options{Segment: size})
					}
					return f
				},
			}
			if name == "lines" {
				c.Large = func(t testing.TB, path string) int64 {
					text := strings.Repeat(strings.Join(objects, "\n")+"\n", 1000)
					f, err := os.Create(path)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					for range 250 {
						if _, err := f.WriteString(text); err != nil {
							t.Fatal(err)
						}
					}
					return 750000
				}
			}
			dumptest.Conform(t, c)
		})
	}
}

func TestManyKeys(t *testing.T) {
	obj := map[string]int{}
	for i := range 1500 {
		obj[fmt.Sprintf("k%04d", i)] = i
	}
	text, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	c := read(t, string(text)+"\n", 0)
	if n := len(c.Tables[0].Columns); n != 1001 {
		t.Fatalf("%d columns", n)
	}
	var rest map[string]int
	if err := json.Unmarshal([]byte(c.Found[0].Cells[1000]), &rest); err != nil || len(rest) != 500 || rest["k1234"] != 1234 {
		t.Errorf("%v: %d keys in the last column", err, len(rest))
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var c dumptest.Collector
	if err := Read(ctx, strings.NewReader(`{"a":1}`), "t", &c, Options{}); err == nil {
		t.Error("a cancelled reading gave no error")
	}
}

// No input makes the reader panic or lose count; segments change nothing.
func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n{\"a\":{\"$date\":1}}\n"), uint8(3))
	f.Add([]byte("[{\"a\":\"\\ud83d\\ude00\"},{\"a\":[{}]},{]"), uint8(1))
	f.Add([]byte("[\n {\n \"a\":1\n },\n {\n"), uint8(7))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var whole, cut dumptest.Collector
		if err := Read(context.Background(), bytes.NewReader(text), "t", &whole, Options{Segment: 1 << 16}); err != nil {
			t.Fatal(err)
		}
		if err := Read(context.Background(), bytes.NewReader(text), "t", &cut, Options{Segment: int(size) + 1}); err != nil {
			t.Fatal(err)
		}
		if whole.String() != cut.String() {
			t.Fatalf("segments change the rows:\n%s\n%s", &whole, &cut)
		}
		end := int64(-1)
		for _, r := range whole.Found {
			if r.Offset <= end {
				t.Fatalf("offsets do not rise:\n%s", &whole)
			}
			end = r.Offset
		}
		for _, d := range whole.Damages {
			if d.Offset < 0 || d.Offset+d.Length > int64(len(text)) {
				t.Fatalf("damage outside the source: %+v", d)
			}
		}
		if len(whole.Found) > 0 && len(whole.Tables[0].Columns) < 900 {
			again(t, string(text), &whole)
		}
	})
}
