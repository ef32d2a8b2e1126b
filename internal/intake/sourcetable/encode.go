package sourcetable

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"golang.org/x/sys/unix"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/store"
)

// block is how many rows are turned column by column at a time: few enough that their text
// and fields stay in the processor's cache while every column passes over them (measured:
// docs/performance.md).
const block = 512

// encoder writes batches as Parquet files and keeps its buffers between them. One goroutine
// uses it.
type encoder struct {
	ints   [block]int64
	floats [block]float64
	bytes  [block]parquet.ByteArray
	levels [block]int16 // definition levels: 0 null, 1 value
	arena  []byte       // unescaped and decoded text of one column of one block
	misfit map[int]map[string]any
	chunks []chunk
	out    *bufio.Writer
}

// write writes one batch as one file, and completes what is said of it.
func (e *encoder) write(f *store.File, t *tableFiles, b *dump.Batch) (err error) {
	to, err := os.OpenFile(filepath.Join(t.stage.Dir, f.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	sum := sha256.New()
	props := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Snappy),
		parquet.WithDictionaryDefault(false),
		parquet.WithCreatedBy("unspoof"),
	}
	packed := func(name string, encoding parquet.Encoding) {
		props = append(props, parquet.WithEncodingFor(name, encoding), parquet.WithCompressionFor(name, compress.Codecs.Uncompressed))
	}
	packed(refRow, parquet.Encodings.DeltaBinaryPacked)
	packed(refOffset, parquet.Encodings.DeltaBinaryPacked)
	packed(refMisfit, parquet.Encodings.DeltaByteArray)
	for i, c := range t.columns {
		switch c.Kind {
		case dump.Text, dump.Binary:
			switch dict, long := e.repeats(b, i, len(t.columns)); {
			case dict: // a few bits a row are left
				props = append(props, parquet.WithDictionaryFor(c.name, true), parquet.WithCompressionFor(c.name, compress.Codecs.Uncompressed))
			case long:
				props = append(props, parquet.WithStatsFor(c.name, false))
			default: // what a value shares with the one before it is left out: cheaper than compressing
				packed(c.name, parquet.Encodings.DeltaByteArray)
			}
		case dump.Float:
		default: // differences packed into bits are smaller than compressed values, and faster
			packed(c.name, parquet.Encodings.DeltaBinaryPacked)
		}
	}
	root, err := parquetSchema(t.columns) // its nodes keep state: one for each file
	if err != nil {
		return err
	}
	if e.out == nil {
		e.out = bufio.NewWriterSize(nil, 1<<20)
	}
	e.out.Reset(io.MultiWriter(sum, to))
	w, err := begin(e.out, root, parquet.NewWriterProperties(props...), e.chunks)
	if err != nil {
		return err
	}
	e.chunks = w.chunks
	for i := range e.levels {
		e.levels[i] = 1
	}
	for from := 0; from < len(b.Rows); from += block {
		if err := e.block(w.chunks, t, b, from, min(from+block, len(b.Rows))); err != nil {
			return err
		}
	}
	if err := w.close(len(b.Rows)); err != nil {
		return err
	}
	f.Size, f.SHA256 = w.out.n, hex.EncodeToString(sum.Sum(nil))
	// A hint to begin writing back, so that the sync before publication has little left; what it
	// fails at, that sync reports.
	unix.SyncFileRange(int(to.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE) //nolint:errcheck
	return nil
}

// block writes rows from..to-1 of the batch.
func (e *encoder) block(chunks []chunk, t *tableFiles, b *dump.Batch, from, to int) error {
	n := to - from
	for i := range n {
		e.ints[i] = b.FirstRow + int64(from+i)
	}
	chunks[0].putInts(e.ints[:n], e.levels[:n])
	for i := range n {
		e.ints[i] = b.Rows[from+i].Offset
	}
	chunks[1].putInts(e.ints[:n], e.levels[:n])
	e.misfit = nil
	for c := range t.columns {
		if err := e.column(&chunks[2+c], &t.columns[c], b, from, to, c); err != nil {
			return err
		}
	}
	k := 0
	for i := range n {
		e.levels[i] = 0
		if m := e.misfit[i]; m != nil {
			text, err := json.Marshal(m)
			if err != nil {
				return err
			}
			e.bytes[k] = text
			e.levels[i] = 1
			k++
		}
	}
	chunks[len(chunks)-1].putTexts(e.bytes[:k], e.levels[:n])
	e.whole(n)
	return nil
}

// whole makes all levels those of values again.
func (e *encoder) whole(n int) {
	for i := range e.levels[:n] {
		e.levels[i] = 1
	}
}

// column writes column c of rows from..to-1.
func (e *encoder) column(w *chunk, col *column, b *dump.Batch, from, to, c int) (err error) {
	n, width := to-from, len(b.Table.Columns)
	fields := b.Fields[from*width+c:]
	k := 0
	charset := cmp.Or(col.Charset, b.Table.Charset)
	null := func(i int) {
		e.levels[i] = 0
		e.unfit(fields[i*width], b.Text, charset, i, col.name)
	}
	switch col.Kind {
	case dump.Text, dump.Binary:
		e.arena = e.arena[:0]
		for i := range n {
			if v, ok := e.text(fields[i*width], b.Text, charset, col.Kind); ok {
				e.bytes[k] = v
				k++
			} else {
				null(i)
			}
		}
		if w.library != nil {
			_, err = w.library.(*file.ByteArrayColumnChunkWriter).WriteBatch(e.bytes[:k], e.levels[:n], nil)
		} else {
			w.putTexts(e.bytes[:k], e.levels[:n])
		}
	case dump.Float:
		for i := range n {
			if v, ok := float(fields[i*width], b.Text); ok {
				e.floats[k] = v
				k++
			} else {
				null(i)
			}
		}
		_, err = w.library.(*file.Float64ColumnChunkWriter).WriteBatch(e.floats[:k], e.levels[:n], nil)
	default:
		for i := range n {
			if v, ok := integer(fields[i*width], b.Text, &col.Column); ok {
				e.ints[k] = v
				k++
			} else {
				null(i)
			}
		}
		w.putInts(e.ints[:k], e.levels[:n])
	}
	if k < n {
		e.whole(n)
	}
	return err
}

// float gives the cell of a floating-point column.
func float(f dump.Field, text []byte) (float64, bool) {
	if f.Form() != dump.Bare && f.Form() != dump.Quoted {
		return 0, false
	}
	return dump.ParseFloat(f.In(text))
}

// text gives the cell as UTF-8 text or bytes; false when it is null or does not fit.
func (e *encoder) text(f dump.Field, text []byte, charset dump.Charset, kind dump.Kind) ([]byte, bool) {
	form := f.Form()
	if form == dump.Null || form == dump.Expr {
		return nil, false
	}
	was := len(e.arena)
	v, grown, ok := f.Value(text, e.arena)
	e.arena = grown
	if !ok {
		return nil, false
	}
	if kind == dump.Binary {
		return v, true
	}
	if out, ok := charset.Decode(v); ok {
		return out, true
	}
	e.arena = e.arena[:was]
	return nil, false
}

// integer gives the cell of an integer, decimal or time column as its Parquet integer.
func integer(f dump.Field, text []byte, c *dump.Column) (int64, bool) {
	if c.Kind == dump.Int && f.Form() == dump.Bare { // most are
		return f.Int(text)
	}
	b := f.In(text)
	switch f.Form() {
	case dump.Bare, dump.Quoted:
	case dump.Escaped, dump.Hex, dump.Bits:
		if c.Declared != "bit" {
			return 0, false
		}
	default:
		return 0, false
	}
	switch c.Kind {
	case dump.Date:
		days, ok := dump.ParseDate(b)
		return int64(days), ok && f.Form() == dump.Quoted
	case dump.DateTime:
		return dump.ParseDateTime(b)
	case dump.Decimal:
		return f.Decimal(text, c.Precision, c.Scale)
	}
	if c.Declared == "bit" && f.Form() != dump.Bare {
		v, _, ok := f.Value(text, nil) // the bit string's bytes, highest first
		if !ok || len(v) > 8 {
			return 0, false
		}
		var u uint64
		for _, x := range v {
			u = u<<8 | uint64(x)
		}
		return int64(u), true
	}
	if c.Kind == dump.Uint {
		u, err := strconv.ParseUint(asString(b), 10, 64)
		return int64(u), err == nil
	}
	return f.Int(text)
}

// unfit keeps the original text of a value that is not null and does not fit its column.
func (e *encoder) unfit(f dump.Field, text []byte, charset dump.Charset, row int, name string) {
	if f.Form() == dump.Null {
		return
	}
	raw, _, ok := f.Value(text, nil)
	if !ok {
		raw = f.In(text)
	}
	var v any = map[string]string{"hex": hex.EncodeToString(raw)}
	if text, ok := charset.Decode(raw); ok && utf8.Valid(text) {
		v = string(text)
	}
	if e.misfit == nil {
		e.misfit = map[int]map[string]any{}
	}
	if e.misfit[row] == nil {
		e.misfit[row] = map[string]any{}
	}
	e.misfit[row][name] = v
}

// repeats tells, from a sample spread over the batch, whether a text column repeats itself
// enough for a dictionary, and whether its values are long enough to be worth compressing.
func (e *encoder) repeats(b *dump.Batch, c, width int) (dict, long bool) {
	const sample = 512
	n := len(b.Rows)
	step := max(1, n/sample)
	seen := make(map[string]struct{}, sample)
	total, longest, length := 0, 0, 0
	for i := 0; i < n; i += step {
		v := b.Fields[i*width+c].In(b.Text)
		seen[string(v)] = struct{}{}
		longest = max(longest, len(v))
		length += len(v)
		total++
	}
	return len(seen)*4 < total && longest < 256, length > 64*total
}

// asString views bytes as a string for a call that keeps no reference to it.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
