package sourcetable

import (
	"bufio"
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// fileWriter writes a Parquet file of one row group, whose columns grow side by side.
type fileWriter struct {
	out    *output
	file   *metadata.FileMetaDataBuilder
	group  *metadata.RowGroupMetaDataBuilder
	chunks []chunk
}

// output counts what it is given, as the library wants it.
type output struct {
	*bufio.Writer
	n int64
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	o.n += int64(n)
	return n, err
}

// Tell is how much was written.
func (o *output) Tell() int64 { return o.n }

const magic = "PAR1"

// begin makes a file's writer; chunks keep their buffers from file to file.
func begin(to *bufio.Writer, root *schema.GroupNode, props *parquet.WriterProperties, chunks []chunk) (*fileWriter, error) {
	columns := schema.NewSchema(root)
	w := &fileWriter{out: &output{Writer: to}, file: metadata.NewFileMetadataBuilder(columns, props, nil)}
	w.group = w.file.AppendRowGroup()
	for len(chunks) < columns.NumColumns() {
		chunks = append(chunks, chunk{})
	}
	w.chunks = chunks[:columns.NumColumns()]
	if _, err := w.out.Write([]byte(magic)); err != nil {
		return nil, err
	}
	for i := range w.chunks {
		if err := w.chunks[i].begin(w, i, props); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// close writes the columns one behind the other, and the file's end.
func (w *fileWriter) close(rows int) error {
	before := w.out.n
	for i := range w.chunks {
		if err := w.chunks[i].close(w, i); err != nil {
			return err
		}
	}
	w.group.SetNumRows(rows)
	if err := w.group.Finish(w.out.n-before, 0); err != nil {
		return err
	}
	footer, err := w.file.Finish()
	if err != nil {
		return err
	}
	n, err := footer.WriteTo(w.out, nil)
	if err != nil {
		return err
	}
	if _, err := w.out.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(n)), magic...)); err != nil {
		return err
	}
	return w.out.Flush()
}

// A page ends behind the block in which it reaches one of these: small enough to stay in the
// processor's cache while it grows.
const (
	pageRows  = 32 * block
	pageBytes = 1 << 20
)

// chunk is one column of a file. One with a delta encoding or a dictionary is encoded here,
// any other by the library.
type chunk struct {
	meta     *metadata.ColumnChunkMetaDataBuilder
	encoding parquet.Encoding
	optional bool
	unsigned bool
	repeats  bool                   // it has a dictionary
	library  file.ColumnChunkWriter // nil: it is encoded here

	ints   deltas
	texts  texts
	dict   dictionary
	levels levels
	rows   int    // in the page
	pages  []byte // that are full
	ends   []page

	nulls     int64
	low, high int64 // of the values; of unsigned ones with the highest bit turned over
}

type page struct {
	end, rows int
	encoding  parquet.Encoding
}

func (c *chunk) begin(w *fileWriter, i int, props *parquet.WriterProperties) error {
	c.meta = w.group.NextColumnChunk()
	column := c.meta.Descr()
	c.encoding, c.optional, c.library = props.EncodingFor(column.Path()), column.MaxDefinitionLevel() > 0, nil
	logical, ok := column.LogicalType().(schema.IntLogicalType)
	c.unsigned = ok && !logical.IsSigned()
	c.pages, c.ends, c.nulls, c.low, c.high = c.pages[:0], c.ends[:0], 0, math.MaxInt64, math.MinInt64
	path := column.Path()
	if c.repeats = props.DictionaryEnabledFor(path); c.repeats {
		c.dict.begin()
		return nil
	}
	if c.encoding == parquet.Encodings.DeltaBinaryPacked || c.encoding == parquet.Encodings.DeltaByteArray {
		return nil
	}
	pages, err := file.NewPageWriter(w.out, props.CompressionFor(path), props.CompressionLevelFor(path), c.meta, 0, int16(i), memory.DefaultAllocator, true, nil, nil)
	if err == nil {
		c.library = file.NewColumnChunkWriter(c.meta, pages, props)
	}
	return err
}

// putInts takes the values of at most a block of rows, and the rows' levels.
func (c *chunk) putInts(values []int64, levels []int16) {
	var turn int64
	if c.unsigned {
		turn = math.MinInt64
	}
	low, high := c.low, c.high
	for _, v := range values {
		low, high = min(low, v^turn), max(high, v^turn)
	}
	c.low, c.high = low, high
	c.ints.put(values)
	c.put(len(values), levels)
}

// putTexts is the same for texts and bytes.
func (c *chunk) putTexts(values []parquet.ByteArray, levels []int16) {
	if c.repeats {
		c.dict.put(values)
	} else {
		c.texts.put(values)
	}
	c.put(len(values), levels)
	if c.repeats && len(c.dict.entries) > maxDictionary && !c.dict.full {
		c.endPage()
		c.dict.full = true
	}
}

func (c *chunk) put(values int, levels []int16) {
	c.rows += len(levels)
	c.nulls += int64(len(levels) - values)
	if c.optional {
		switch values {
		case len(levels):
			c.levels.same(1, values)
		case 0:
			c.levels.same(0, len(levels))
		default:
			c.levels.mixed(levels)
		}
	}
	if c.rows >= pageRows || len(c.texts.bytes) >= pageBytes || len(c.dict.plain) >= pageBytes {
		c.endPage()
	}
}

func (c *chunk) endPage() {
	if c.rows == 0 {
		return
	}
	if c.optional {
		c.pages = c.levels.finish(c.pages)
	}
	encoding := c.encoding
	switch {
	case c.repeats:
		c.pages, encoding = c.dict.finish(c.pages)
	case encoding == parquet.Encodings.DeltaByteArray:
		c.pages = c.texts.finish(c.pages)
	default:
		c.pages = c.ints.finish(c.pages)
	}
	c.ends = append(c.ends, page{len(c.pages), c.rows, encoding})
	c.rows = 0
}

// close writes the column.
func (c *chunk) close(w *fileWriter, i int) error {
	if c.library != nil {
		return c.library.Close()
	}
	c.endPage()
	pages, err := file.NewPageWriter(w.out, compress.Codecs.Uncompressed, 0, c.meta, 0, int16(i), memory.DefaultAllocator, false, nil, nil)
	if err != nil {
		return err
	}
	plain := parquet.Encodings.Plain
	hasDict, fallback := c.repeats && c.dict.n > 0, false
	if hasDict {
		if _, err := pages.WriteDictionaryPage(file.NewDictionaryPage(memory.NewBufferBytes(c.dict.entries), int32(c.dict.n), plain)); err != nil {
			return err
		}
	}
	from := 0
	for _, p := range c.ends {
		rle := parquet.Encodings.RLE
		fallback = fallback || hasDict && p.encoding == plain
		data := file.NewDataPageV1(memory.NewBufferBytes(c.pages[from:p.end]), int32(p.rows), p.encoding, rle, rle, int32(p.end-from))
		_, err := pages.WriteDataPage(data)
		data.Release()
		if err != nil {
			return err
		}
		from = p.end
	}
	c.meta.SetStats(c.statistics())
	const keep = 8 << 20
	if cap(c.pages)+cap(c.texts.bytes)+cap(c.dict.plain) > keep {
		c.pages, c.texts.bytes, c.dict.plain = nil, nil, nil
	}
	return pages.Close(hasDict, fallback)
}

// statistics are what a query needs to pass the file over.
func (c *chunk) statistics() metadata.EncodedStatistics {
	s := metadata.EncodedStatistics{HasNullCount: true, NullCount: c.nulls}
	if c.low > c.high {
		return s
	}
	s.HasMin, s.HasMax, s.Signed = true, true, !c.unsigned
	if c.meta.Descr().PhysicalType() == parquet.Types.Int32 {
		s.Min, s.Max = binary.LittleEndian.AppendUint32(nil, uint32(c.low)), binary.LittleEndian.AppendUint32(nil, uint32(c.high))
		return s
	}
	var turn int64
	if c.unsigned {
		turn = math.MinInt64
	}
	s.Min, s.Max = binary.LittleEndian.AppendUint64(nil, uint64(c.low^turn)), binary.LittleEndian.AppendUint64(nil, uint64(c.high^turn))
	return s
}
