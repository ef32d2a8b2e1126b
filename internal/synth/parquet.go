package synth

import (
	"os"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// parquetFile is a Parquet file that is written row by row: append to every column, then row.
type parquetFile struct {
	f    *os.File
	w    *file.Writer
	cols []*column
	rows int
}

// column gathers the values of one column of the row group that is being filled.
type column struct {
	name string
	node schema.Node
	dict bool

	ints  []int64
	bools []bool
	text  []byte // the texts one after another
	ends  []int  // where each ends
	defs  []int16
}

const rowGroup = 256 << 10

func newParquetFile(path string, cols ...*column) (*parquetFile, error) {
	fields := make(schema.FieldList, len(cols))
	props := []parquet.WriterProperty{parquet.WithCompression(compress.Codecs.Snappy)}
	for i, c := range cols {
		fields[i] = c.node
		props = append(props, parquet.WithDictionaryFor(c.name, c.dict))
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return nil, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w, err := file.NewParquetWriterWithError(f, root, file.WithWriterProps(parquet.NewWriterProperties(props...)))
	if err != nil {
		f.Close()
		return nil, err
	}
	return &parquetFile{f: f, w: w, cols: cols}, nil
}

// textColumn holds text or null; few says that its values repeat.
func textColumn(name string, few bool) *column {
	return &column{name: name, dict: few, node: schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name,
		parquet.Repetitions.Optional, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, -1))}
}

func intColumn(name string) *column {
	return &column{name: name, node: schema.NewInt64Node(name, parquet.Repetitions.Required, -1)}
}

func boolColumn(name string) *column {
	return &column{name: name, node: schema.NewBooleanNode(name, parquet.Repetitions.Required, -1)}
}

// timeColumn holds instants.
func timeColumn(name string) *column {
	return &column{name: name, node: schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, parquet.Repetitions.Required,
		schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), parquet.Types.Int64, -1, -1))}
}

func (p *parquetFile) int(col int, v int64)    { p.cols[col].ints = append(p.cols[col].ints, v) }
func (p *parquetFile) bool(col int, v bool)    { p.cols[col].bools = append(p.cols[col].bools, v) }
func (p *parquetFile) time(col int, sec int64) { p.int(col, sec*1_000_000) }

func (p *parquetFile) text(col int, s string) { p.cols[col].add(s) }
func (p *parquetFile) bytes(col int, s []byte) {
	p.cols[col].text = append(p.cols[col].text, s...)
	p.cols[col].add("")
}

func (c *column) add(s string) {
	c.text = append(c.text, s...)
	c.ends, c.defs = append(c.ends, len(c.text)), append(c.defs, 1)
}

func (p *parquetFile) null(col int) { p.cols[col].defs = append(p.cols[col].defs, 0) }

// textOrNull appends s, or null when it is empty.
func (p *parquetFile) textOrNull(col int, s string) {
	if s == "" {
		p.null(col)
	} else {
		p.text(col, s)
	}
}

// row ends a row.
func (p *parquetFile) row() error {
	if p.rows++; p.rows < rowGroup {
		return nil
	}
	return p.flush()
}

// flush writes the gathered rows as a row group.
func (p *parquetFile) flush() error {
	group, err := p.w.AppendRowGroupChecked()
	if err != nil {
		return err
	}
	for _, c := range p.cols {
		out, err := group.NextColumn()
		if err != nil {
			return err
		}
		if err := c.write(out); err != nil {
			return err
		}
	}
	p.rows = 0
	return group.Close()
}

func (c *column) write(out file.ColumnChunkWriter) error {
	var err error
	switch out := out.(type) {
	case *file.Int64ColumnChunkWriter:
		_, err = out.WriteBatch(c.ints, nil, nil)
		c.ints = c.ints[:0]
	case *file.BooleanColumnChunkWriter:
		_, err = out.WriteBatch(c.bools, nil, nil)
		c.bools = c.bools[:0]
	case *file.ByteArrayColumnChunkWriter:
		values, begin := make([]parquet.ByteArray, len(c.ends)), 0
		for i, end := range c.ends {
			values[i], begin = c.text[begin:end], end
		}
		_, err = out.WriteBatch(values, c.defs, nil)
		c.text, c.ends, c.defs = c.text[:0], c.ends[:0], c.defs[:0]
	}
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}

// close writes what is left and the footer, and closes the file.
func (p *parquetFile) close() error {
	var err error
	if p.rows > 0 {
		err = p.flush()
	}
	if e := p.w.Close(); err == nil {
		err = e // closes the file too
	}
	return err
}
