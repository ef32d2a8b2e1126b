package sourcetable

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// column of a test: its values and which rows have one.
type testColumn struct {
	kind   dump.Kind
	ints   []int64
	texts  []parquet.ByteArray
	levels []int16
	dict   bool
}

// writeColumns writes the columns beside each other, a block at a time, as encoder does.
func writeColumns(t testing.TB, columns []testColumn) []byte {
	t.Helper()
	var fields schema.FieldList
	props := []parquet.WriterProperty{parquet.WithDictionaryDefault(false)}
	for i, c := range columns {
		name := fmt.Sprint("c", i)
		n, err := node(name, dump.Column{Kind: c.kind, Precision: 18, Scale: 6})
		if err != nil {
			t.Fatal(err)
		}
		encoding := parquet.Encodings.DeltaBinaryPacked
		if c.texts != nil {
			encoding = parquet.Encodings.DeltaByteArray
		}
		if c.dict {
			props = append(props, parquet.WithDictionaryFor(name, true))
			encoding = parquet.Encodings.Plain
		}
		fields = append(fields, n)
		props = append(props, parquet.WithEncodingFor(name, encoding), parquet.WithCompressionFor(name, compress.Codecs.Uncompressed))
	}
	root, err := schema.NewGroupNode("row", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := begin(bufio.NewWriter(&out), root, parquet.NewWriterProperties(props...), nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := len(columns[0].levels)
	at := make([]int, len(columns))
	for from := 0; from < rows; from += block {
		to := min(from+block, rows)
		for i, c := range columns {
			k := 0
			for _, l := range c.levels[from:to] {
				k += int(l)
			}
			if c.texts != nil {
				w.chunks[i].putTexts(c.texts[at[i]:at[i]+k], c.levels[from:to])
			} else {
				w.chunks[i].putInts(c.ints[at[i]:at[i]+k], c.levels[from:to])
			}
			at[i] += k
		}
	}
	if err := w.close(rows); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readBack has the library read what was written, and compares.
func readBack(t testing.TB, columns []testColumn, content []byte) {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	rows := len(columns[0].levels)
	if r.NumRows() != int64(rows) {
		t.Fatalf("%d rows, want %d", r.NumRows(), rows)
	}
	for i, c := range columns {
		reader, err := r.RowGroup(0).Column(i)
		if err != nil {
			t.Fatal(err)
		}
		meta, err := r.MetaData().RowGroup(0).ColumnChunk(i)
		if err != nil {
			t.Fatal(err)
		}
		levels := make([]int16, rows)
		ints, days, texts := make([]int64, rows), make([]int32, rows), make([]parquet.ByteArray, rows)
		n := 0
		for read := 0; read < rows; {
			var total int64
			var values int
			switch reader := reader.(type) {
			case *file.Int64ColumnChunkReader:
				total, values, err = reader.ReadBatch(int64(rows-read), ints[n:], levels[read:], nil)
			case *file.Int32ColumnChunkReader:
				total, values, err = reader.ReadBatch(int64(rows-read), days[n:], levels[read:], nil)
				for k := range values {
					ints[n+k] = int64(days[n+k])
				}
			case *file.ByteArrayColumnChunkReader:
				total, values, err = reader.ReadBatch(int64(rows-read), texts[n:], levels[read:], nil)
				for k := range values { // they are the page's memory
					texts[n+k] = bytes.Clone(texts[n+k])
				}
			}
			if err != nil || total == 0 {
				t.Fatalf("column %d: %d of %d rows: %v", i, read, rows, err)
			}
			read += int(total)
			n += values
		}
		for k, l := range levels {
			if l != c.levels[k] {
				t.Fatalf("column %d: row %d has level %d, want %d", i, k, l, c.levels[k])
			}
		}
		if c.texts != nil {
			if n != len(c.texts) {
				t.Fatalf("column %d: %d values, want %d", i, n, len(c.texts))
			}
			for k := range n {
				if !bytes.Equal(texts[k], c.texts[k]) {
					t.Fatalf("column %d: value %d is %q, want %q", i, k, texts[k], c.texts[k])
				}
			}
			continue
		}
		if n != len(c.ints) {
			t.Fatalf("column %d: %d values, want %d", i, n, len(c.ints))
		}
		for k := range n {
			if ints[k] != c.ints[k] {
				t.Fatalf("column %d: value %d is %d, want %d", i, k, ints[k], c.ints[k])
			}
		}
		stats, err := meta.Statistics()
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(rows - n); stats.NullCount() != want {
			t.Errorf("column %d: statistics count %d nulls, want %d", i, stats.NullCount(), want)
		}
		if n == 0 {
			if stats.HasMinMax() {
				t.Errorf("column %d: statistics of no values", i)
			}
			continue
		}
		if low, high := extremes(c); !bytes.Equal(stats.EncodeMin(), low) || !bytes.Equal(stats.EncodeMax(), high) {
			t.Errorf("column %d: statistics say %x to %x, want %x to %x", i, stats.EncodeMin(), stats.EncodeMax(), low, high)
		}
	}
}

// extremes are the least and the greatest value as statistics have them.
func extremes(c testColumn) (low, high []byte) {
	least, most := c.ints[0], c.ints[0]
	for _, v := range c.ints {
		if c.kind == dump.Uint {
			least, most = int64(min(uint64(least), uint64(v))), int64(max(uint64(most), uint64(v)))
		} else {
			least, most = min(least, v), max(most, v)
		}
	}
	size := 8
	if c.kind == dump.Date {
		size = 4
	}
	encode := func(v int64) []byte {
		b := make([]byte, 8)
		for i := range b {
			b[i] = byte(v >> (8 * i))
		}
		return b[:size]
	}
	return encode(least), encode(most)
}

func TestColumnsReadBack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	presence := map[string]func(i int) bool{
		"all":    func(int) bool { return true },
		"none":   func(int) bool { return false },
		"mixed":  func(int) bool { return random.IntN(3) > 0 },
		"blocks": func(i int) bool { return i/(2*block)%2 == 0 || i%(2*block) == 7 },
	}
	ints := map[string]func(i int) int64{
		"equal":    func(int) int64 { return 42 },
		"rising":   func(i int) int64 { return int64(i) },
		"small":    func(int) int64 { return random.Int64N(7) - 3 },
		"any":      func(int) int64 { return int64(random.Uint64()) },
		"width":    func(i int) int64 { return int64(random.Uint64() >> (i / 200 % 64)) },
		"extremes": func(i int) int64 { return []int64{math.MinInt64, math.MaxInt64, 0, -1}[random.IntN(4)] },
	}
	texts := map[string]func(i int) string{
		"equal":  func(int) string { return "the same each time" },
		"empty":  func(int) string { return "" },
		"rising": func(i int) string { return fmt.Sprintf("1606782336.%d", i) },
		"any": func(int) string {
			b := make([]byte, random.IntN(40))
			for i := range b {
				b[i] = byte(random.IntN(3))
			}
			return string(b)
		},
		"few":  func(int) string { return fmt.Sprint("L", 20021+random.IntN(70)) },
		"long": func(i int) string { return string(bytes.Repeat([]byte{byte(random.Uint32())}, random.IntN(1500))) },
	}
	for _, rows := range []int{1, 7, block, block + 1, 3*block + 5, pageRows, 2*pageRows + 3*block + 100} {
		for name, present := range presence {
			var columns []testColumn
			add := func(kind dump.Kind, value func(c *testColumn, i int)) {
				c := testColumn{kind: kind, levels: make([]int16, rows)}
				if kind == dump.Text {
					c.texts = []parquet.ByteArray{}
				}
				for i := range rows {
					if present(i) {
						c.levels[i] = 1
						value(&c, i)
					}
				}
				columns = append(columns, c)
			}
			for _, v := range ints {
				for _, kind := range []dump.Kind{dump.Int, dump.Uint, dump.DateTime, dump.Decimal} {
					add(kind, func(c *testColumn, i int) { c.ints = append(c.ints, v(i)) })
				}
				add(dump.Date, func(c *testColumn, i int) { c.ints = append(c.ints, v(i)%4_000_000) })
			}
			for _, v := range texts {
				add(dump.Text, func(c *testColumn, i int) { c.texts = append(c.texts, parquet.ByteArray(v(i))) })
				again := columns[len(columns)-1]
				again.dict = true
				columns = append(columns, again)
			}
			t.Run(fmt.Sprint(rows, " ", name), func(t *testing.T) { readBack(t, columns, writeColumns(t, columns)) })
		}
	}
}

// Whatever lies in a column, the library reads it back.
func FuzzColumns(f *testing.F) {
	f.Add([]byte("\x08\x01abcdefgh\x09\x00"), uint16(700))
	f.Fuzz(func(t *testing.T, content []byte, rows uint16) {
		if rows == 0 || len(content) == 0 {
			return
		}
		next := func(i int) byte { return content[i%len(content)] }
		numbers := testColumn{kind: dump.Int, levels: make([]int16, rows)}
		words := testColumn{kind: dump.Text, levels: make([]int16, rows), texts: []parquet.ByteArray{}}
		for i := range int(rows) {
			if b := next(i); b&1 == 0 {
				numbers.levels[i] = 1
				var v int64
				for k := range int(b>>1) % 9 {
					v = v<<8 | int64(next(i+k))
				}
				numbers.ints = append(numbers.ints, v)
			}
			if b := next(i + 1); b&2 == 0 {
				words.levels[i] = 1
				from := i % len(content)
				words.texts = append(words.texts, content[from:min(len(content), from+int(b>>2))])
			}
		}
		again := words
		again.dict = true
		columns := []testColumn{numbers, words, again}
		readBack(t, columns, writeColumns(t, columns))
	})
}
