package bson

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	mongo "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
	"github.com/unspoof/unspoof/internal/intake/dump/jsonl"
)

func doc(t testing.TB, d mongo.D) []byte {
	t.Helper()
	b, err := mongo.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t testing.TB, source []byte, segment int) *dumptest.Collector {
	t.Helper()
	var c dumptest.Collector
	if err := Read(context.Background(), bytes.NewReader(source), "calls", &c, segment); err != nil {
		t.Fatal(err)
	}
	return &c
}

func call(t testing.TB, n int) []byte {
	id := mongo.ObjectID{11: byte(n)}
	return doc(t, mongo.D{{Key: "_id", Value: id}, {Key: "n", Value: n}, {Key: "cli", Value: fmt.Sprint("+44345740440", n)}})
}

func TestValues(t *testing.T) {
	dec, err := mongo.ParseDecimal128("12.50")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2022, 7, 1, 12, 0, 0, 5e6, time.UTC)
	source := doc(t, mongo.D{{Key: "_id", Value: mongo.ObjectID{1}}, {Key: "i", Value: int32(7)}, {Key: "l", Value: int64(1) << 60}, {Key: "f", Value: 0.1},
		{Key: "dec", Value: dec}, {Key: "s", Value: "x\x00é"}, {Key: "b", Value: true}, {Key: "at", Value: at}, {Key: "bin", Value: []byte{0, 255}}, {Key: "null", Value: nil},
		{Key: "sub", Value: mongo.D{{Key: "a", Value: mongo.A{int32(1)}}}}, {Key: "mixed", Value: int32(1)}, {Key: "inf", Value: mongo.Regex{Pattern: "a"}}, {Key: "mixed", Value: int32(2)}})
	source = append(source, doc(t, mongo.D{{Key: "mixed", Value: "a"}, {Key: "i", Value: 2.5}, {Key: "l", Value: nil}})...)
	c := read(t, source, 3)
	if len(c.Found) != 2 || len(c.Damages) != 0 {
		t.Fatal(c)
	}
	type want struct {
		kind        dump.Kind
		first, then string
	}
	for i, col := range c.Tables[0].Columns {
		w := map[string]want{"_id": {dump.Text, "010000000000000000000000", "<null>"}, "i": {dump.Float, "7", "2.5"}, "l": {dump.Int, "1152921504606846976", "<null>"},
			"f": {dump.Float, "0.1", "<null>"}, "dec": {dump.Decimal, "12.50", "<null>"}, "s": {dump.Text, "x\x00é", "<null>"}, "b": {dump.Text, "true", "<null>"},
			"at": {dump.DateTime, "2022-07-01 12:00:00.005000", "<null>"}, "bin": {dump.Binary, "\x00\xff", "<null>"}, "null": {dump.Text, "<null>", "<null>"},
			"sub": {dump.Text, `{"a": [{"$numberInt":"1"}]}`, "<null>"}, "mixed": {dump.Text, "1", "a"}, "mixed#2": {dump.Int, "2", "<null>"},
			"inf": {dump.Text, `{"$regularExpression":{"pattern":"a","options":""}}`, "<null>"}}[col.Name]
		if got := (want{col.Kind, c.Found[0].Cells[i], c.Found[1].Cells[i]}); got != w {
			t.Errorf("%s: %+v, want %+v", col.Name, got, w)
		}
	}
}

// archive writes an archive of two collections, their blocks mixed, as mongodump does.
func archive(t testing.TB) []byte {
	head := func(coll string, eof bool) []byte {
		return doc(t, mongo.D{{Key: "db", Value: "spoof"}, {Key: "collection", Value: coll}, {Key: "EOF", Value: eof}, {Key: "CRC", Value: int64(0)}})
	}
	return bytes.Join([][]byte{archiveMark, doc(t, mongo.D{{Key: "version", Value: "0.1"}}), doc(t, mongo.D{{Key: "db", Value: "spoof"}, {Key: "collection", Value: "calls"}, {Key: "metadata", Value: "{}"}}), terminator,
		head("calls", false), call(t, 1), call(t, 2), terminator, head("users", false), call(t, 3), terminator,
		head("calls", false), call(t, 4), terminator, head("calls", true), terminator, head("users", true), terminator}, nil)
}

func TestArchive(t *testing.T) {
	source := archive(t)
	for _, size := range []int{0, 1, 50} {
		c := read(t, source, size)
		var got []string
		for _, r := range c.Found {
			got = append(got, fmt.Sprint(r.Table, r.Ordinal, "=", r.Cells[1]))
		}
		if strings.Join(got, " ") != "spoof.calls1=1 spoof.calls2=2 spoof.users1=3 spoof.calls3=4" || len(c.Damages) != 0 || len(c.Statements) != 2 {
			t.Errorf("segment %d: %s %q", size, c, c.Statements)
		}
	}
	// A block whose head is damaged.
	bad := bytes.Clone(source)
	i := bytes.Index(bad, []byte("users"))
	bad[i-16] = 0x77 // the type of the block head's second element
	c := read(t, bad, 0)
	if len(c.Damages) == 0 || len(c.Found) != 3 {
		t.Errorf("%s", c)
	}
	if c := read(t, source[:len(source)-4], 0); len(c.Damages) != 1 || c.Damages[0].Rows != 0 {
		t.Errorf("%s", c)
	}
}

func TestDamage(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	wrong := bytes.Clone(call(t, 2))
	wrong[4] = 0x55 // no such type
	long := bytes.Clone(call(t, 2))
	long[3] = 0x70
	for name, source := range map[string][]byte{
		"wrong type":   join(call(t, 1), wrong, call(t, 3)),
		"wrong length": join(call(t, 1), long, call(t, 3)),
		"garbage":      join(call(t, 1), []byte("garbage\x00\x00_id\x00\x05"), call(t, 3)),
	} {
		for _, size := range []int{0, 1, 7} {
			c := read(t, source, size)
			if len(c.Found) != 2 || c.In() != 3 || c.Found[1].Cells[1] != "3" || c.Found[1].Ordinal != 3 {
				t.Errorf("%s, segment %d: %s", name, size, c)
			}
		}
	}
	if c := read(t, join(call(t, 1), call(t, 2)[:20]), 0); len(c.Found) != 1 || c.In() != 2 || !strings.Contains(c.Damages[0].Reason, "ends inside") {
		t.Errorf("%s", c)
	}
}

func TestMatch(t *testing.T) {
	for _, b := range [][]byte{call(t, 1), archive(t)} {
		if !match(b) {
			t.Errorf("%q is not recognised", b)
		}
	}
	for _, s := range []string{"", "\x05\x00\x00\x00\x00", "INSERT INTO x", "{\"a\":1}\n", "\x10\x00\x00\x00aaaaaaaaaaaa", "a,b,c\n1,2,3\n"} {
		if match([]byte(s)) {
			t.Errorf("%q is recognised", s)
		}
	}
}

func TestConform(t *testing.T) {
	for name, source := range map[string][]byte{"file": bytes.Join([][]byte{call(t, 1), call(t, 2), call(t, 3)}, nil), "archive": archive(t)} {
		t.Run(name, func(t *testing.T) {
			var want []dumptest.Row
			for _, r := range read(t, source, 0).Found {
				want = append(want, dumptest.Row{Table: r.Table, Ordinal: r.Ordinal, Cells: r.Cells})
			}
			c := dumptest.Case{
				Format: Format(), Want: want, Unmarked: name == "file",
				Write: func(testing.TB) []dumptest.File {
					return []dumptest.File{{Name: "calls.bson", Content: source}}
				},
				Segment: func(size int) dump.Format {
					f := Format()
					f.File = func(ctx context.Context, src dump.Sealed, sink dump.Sink) error {
						r, err := os.Open(src.Path)
						if err != nil {
							return err
						}
						defer r.Close()
						return Read(ctx, r, jsonl.TableName(src.Name), sink, size)
					}
					return f
				},
			}
			if name == "file" {
				c.Large = func(t testing.TB, path string) int64 {
					f, err := os.Create(path)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					part := bytes.Repeat(source, 1000)
					for range 200 {
						if _, err := f.Write(part); err != nil {
							t.Fatal(err)
						}
					}
					return 600000
				}
			}
			dumptest.Conform(t, c)
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(bytes.Join([][]byte{call(f, 1), call(f, 2)}, nil), uint8(3))
	f.Add(archive(f), uint8(40))
	f.Fuzz(func(t *testing.T, source []byte, size uint8) {
		match(source)
		whole, cut := read(t, source, 0), read(t, source, int(size)+1)
		if whole.String() != cut.String() {
			t.Fatalf("segments change the rows:\n%s\n%s", whole, cut)
		}
		for _, r := range whole.Found {
			if _, err := readRow(bytes.NewReader(source), r.Offset); err != nil {
				t.Fatal(err)
			}
		}
	})
}
