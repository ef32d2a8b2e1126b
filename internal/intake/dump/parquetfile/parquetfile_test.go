package parquetfile

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

// write makes a file of groups row groups of rows rows each.
func write(t testing.TB, groups, rows int) []byte {
	t.Helper()
	opt, req := parquet.Repetitions.Optional, parquet.Repetitions.Required
	node := func(n schema.Node, err error) schema.Node {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	logical := func(name string, r parquet.Repetition, l schema.LogicalType, p parquet.Type, length int) schema.Node {
		return node(schema.NewPrimitiveNodeLogical(name, r, l, p, length, -1))
	}
	inner := node(schema.NewGroupNode("sub", opt, schema.FieldList{logical("a", opt, schema.StringLogicalType{}, parquet.Types.ByteArray, -1)}, -1))
	list := node(schema.NewGroupNode("list", parquet.Repetitions.Repeated, schema.FieldList{schema.NewInt64Node("item", opt, -1)}, -1))
	root := node(schema.NewGroupNode("row", req, schema.FieldList{
		schema.NewInt64Node("n", req, -1),
		logical("cli", opt, schema.StringLogicalType{}, parquet.Types.ByteArray, -1),
		logical("at", opt, schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), parquet.Types.Int64, -1),
		logical("day", opt, schema.DateLogicalType{}, parquet.Types.Int32, -1),
		logical("cost", opt, schema.NewDecimalLogicalType(9, 2), parquet.Types.Int32, -1),
		schema.NewFloat64Node("f", opt, -1),
		schema.NewBooleanNode("b", opt, -1),
		logical("u", opt, schema.NewIntLogicalType(32, false), parquet.Types.Int32, -1),
		logical("id", opt, schema.UUIDLogicalType{}, parquet.Types.FixedLenByteArray, 16),
		schema.NewByteArrayNode("raw", opt, -1),
		inner, list,
	}, -1)).(*schema.GroupNode)
	var b bytes.Buffer
	w := file.NewParquetWriter(&b, root, file.WithWriterProps(parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Snappy), parquet.WithDataPageSize(1<<16))))
	for g := range groups {
		group, err := w.AppendBufferedRowGroupChecked()
		if err != nil {
			t.Fatal(err)
		}
		level := func(i, max int) int16 { return int16(max * b2i(i%2 == 0)) } // every second row is null
		each := func(c, max int, put func(w file.ColumnChunkWriter, levels []int16, k int) error) {
			t.Helper()
			cw, err := group.Column(c)
			if err != nil {
				t.Fatal(err)
			}
			var levels []int16
			k := 0
			for i := range rows {
				levels = append(levels, level(i, max))
				k += b2i(levels[i] == int16(max))
			}
			if max == 0 {
				k, levels = rows, nil
			}
			if err := put(cw, levels, k); err != nil {
				t.Fatal(err)
			}
		}
		i64 := func(v int64, step int64) func(file.ColumnChunkWriter, []int16, int) error {
			return func(w file.ColumnChunkWriter, levels []int16, k int) error {
				list := make([]int64, k)
				for i := range list {
					list[i] = v + step*int64(i)
				}
				_, err := w.(*file.Int64ColumnChunkWriter).WriteBatch(list, levels, nil)
				return err
			}
		}
		i32 := func(v int32) func(file.ColumnChunkWriter, []int16, int) error {
			return func(w file.ColumnChunkWriter, levels []int16, k int) error {
				list := make([]int32, k)
				for i := range list {
					list[i] = v
				}
				_, err := w.(*file.Int32ColumnChunkWriter).WriteBatch(list, levels, nil)
				return err
			}
		}
		text := func(s string) func(file.ColumnChunkWriter, []int16, int) error {
			return func(w file.ColumnChunkWriter, levels []int16, k int) error {
				list := make([]parquet.ByteArray, k)
				for i := range list {
					list[i] = parquet.ByteArray(s)
				}
				_, err := w.(*file.ByteArrayColumnChunkWriter).WriteBatch(list, levels, nil)
				return err
			}
		}
		each(0, 0, i64(int64(g*rows), 1))
		each(1, 1, text("+443457404404é"))
		each(2, 1, i64(1656669600000005, 0))
		each(3, 1, i32(19174))
		each(4, 1, i32(-5))
		each(5, 1, func(w file.ColumnChunkWriter, levels []int16, k int) error {
			list := make([]float64, k)
			for i := range list {
				list[i] = 0.1
			}
			list[0] = math.NaN()
			_, err := w.(*file.Float64ColumnChunkWriter).WriteBatch(list, levels, nil)
			return err
		})
		each(6, 1, func(w file.ColumnChunkWriter, levels []int16, k int) error {
			_, err := w.(*file.BooleanColumnChunkWriter).WriteBatch(make([]bool, k), levels, nil)
			return err
		})
		each(7, 1, i32(-1))
		each(8, 1, func(w file.ColumnChunkWriter, levels []int16, k int) error {
			list := make([]parquet.FixedLenByteArray, k)
			for i := range list {
				list[i] = []byte("0123456789abcdef")
			}
			_, err := w.(*file.FixedLenByteArrayColumnChunkWriter).WriteBatch(list, levels, nil)
			return err
		})
		each(9, 1, text("\x00\xff"))
		each(10, 2, text("inner"))
		cw, err := group.Column(11)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cw.(*file.Int64ColumnChunkWriter).WriteBatch(nil, make([]int16, rows), make([]int16, rows)); err != nil {
			t.Fatal(err)
		}
		if err := group.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestConform(t *testing.T) {
	content := write(t, 2, 2)
	full := strings.Split("x|+443457404404é|2022-07-01 10:00:00.000005|2022-07-01|-0.05|<expr:NaN>|false|4294967295|30313233-3435-3637-3839-616263646566|\x00\xff|inner", "|")
	var want []dumptest.Row
	for i, n := range []string{"0", "1", "2", "3"} {
		r := dumptest.Row{Table: "calls", Ordinal: int64(i + 1), Cells: append([]string{n}, full[1:]...)}
		if i%2 == 1 {
			for k := range full[1:] {
				r.Cells[k+1] = "<null>"
			}
		}
		want = append(want, r)
	}
	dumptest.Conform(t, dumptest.Case{
		Format: Format(), Want: want, Virtual: true, Memory: 128 << 20,
		Write: func(testing.TB) []dumptest.File {
			return []dumptest.File{{Name: "calls.parquet", Content: content}}
		},
		Large: func(t testing.TB, path string) int64 {
			if err := os.WriteFile(path, write(t, 40, 20000), 0o600); err != nil {
				t.Fatal(err)
			}
			return 800000
		},
	})
}

func TestTypes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.parquet")
	if err := os.WriteFile(path, write(t, 1, 3), 0o600); err != nil {
		t.Fatal(err)
	}
	var c dumptest.Collector
	if err := Read(context.Background(), path, "x", &c); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]dump.Kind{"n": dump.Int, "cli": dump.Text, "at": dump.DateTime, "day": dump.Date, "cost": dump.Decimal, "f": dump.Float, "b": dump.Text, "u": dump.Uint, "id": dump.Text, "raw": dump.Binary, "sub.a": dump.Text}
	for _, col := range c.Tables[0].Columns {
		if k, ok := kinds[col.Name]; !ok || k != col.Kind {
			t.Errorf("column %q has kind %d, want %d", col.Name, col.Kind, k)
		}
	}
	if len(c.Damages) != 1 || !strings.Contains(c.Damages[0].Reason, "list.item") || c.Damages[0].Rows != 0 {
		t.Errorf("%v", c.Damages)
	}
	for scale, want := range map[int]string{0: "-5", 1: "-0.5", 3: "-0.005"} {
		if got := string(decimal(nil, signed([]byte{0xff, 0xfb}), scale)); got != want {
			t.Errorf("scale %d: %s", scale, got)
		}
	}
}

// A row group that is damaged costs no other.
func TestDamage(t *testing.T) {
	content := write(t, 3, 5000)
	path := filepath.Join(t.TempDir(), "x.parquet")
	at := len(content) / 2
	copy(content[at:], bytes.Repeat([]byte{0xee}, 400))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var c dumptest.Collector
	if err := Read(context.Background(), path, "x", &c); err != nil {
		t.Fatal(err)
	}
	if c.In() != 15000 || len(c.Found) < 10000 || len(c.Found) == 15000 {
		t.Errorf("%d rows found, %d in: %v", len(c.Found), c.In(), c.Damages)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(write(f, 1, 3))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "x.parquet")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		var c dumptest.Collector
		_ = Read(context.Background(), path, "x", &c) // an error is an answer
	})
}

// A file that another program wrote.
func TestFixture(t *testing.T) {
	path := "../../../../../shared/data/linkage/historical_50k.parquet"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("fixture is absent: %v", err)
	}
	var c dumptest.Collector
	if err := Read(context.Background(), path, "x", &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Found) < 50000 || len(c.Damages) != 0 {
		t.Errorf("%d rows, %v", len(c.Found), c.Damages)
	}
	for _, r := range []dumptest.Row{c.Found[0], c.Found[len(c.Found)-1]} {
		found, err := readRow(context.Background(), path, r.Offset)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range found.Cells {
			if got := dumptest.Decode(f, found.Text); got != r.Cells[i] {
				t.Errorf("row %d, cell %d read again: %q, was %q", r.Ordinal, i, got, r.Cells[i])
			}
		}
	}
	t.Logf("%d rows of %v: %q", len(c.Found), c.Tables[0].Columns, c.Found[0].Cells)
}
