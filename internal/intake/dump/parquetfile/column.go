package parquetfile

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// column is one column and the chunk of its values read last.
type column struct {
	dump.Column
	index  int
	defs   int16 // the definition level of a value that is there
	levels [chunk]int16
	text   []byte
	cells  []cell

	whole  func(dst []byte, v int64) ([]byte, dump.Form) // writes an INT32 or INT64
	bytes  func(dst, v []byte) ([]byte, dump.Form)       // writes a byte array
	values any                                           // the buffer values are read into
}

type cell struct {
	from, to int
	form     dump.Form
}

func newColumn(index int, c *schema.Column) column {
	logical := c.LogicalType()
	col := column{index: index, defs: c.MaxDefinitionLevel()}
	col.Name = c.Path()
	col.Declared = strings.ToLower(c.PhysicalType().String())
	if logical != nil && logical.IsValid() && !logical.IsNone() {
		col.Declared = strings.ToLower(logical.String())
	}
	plain := func(dst, v []byte) ([]byte, dump.Form) { return append(dst, v...), dump.Quoted }
	col.whole = func(dst []byte, v int64) ([]byte, dump.Form) { return strconv.AppendInt(dst, v, 10), dump.Bare }
	col.bytes = plain
	switch c.PhysicalType() {
	case parquet.Types.Boolean:
		col.Kind, col.values = dump.Text, make([]bool, chunk)
	case parquet.Types.Int32:
		col.Kind, col.values = dump.Int, make([]int32, chunk)
	case parquet.Types.Int64:
		col.Kind, col.values = dump.Int, make([]int64, chunk)
	case parquet.Types.Int96:
		col.Kind, col.Declared, col.values = dump.DateTime, "int96 timestamp", make([]parquet.Int96, chunk)
	case parquet.Types.Float:
		col.Kind, col.values = dump.Float, make([]float32, chunk)
	case parquet.Types.Double:
		col.Kind, col.values = dump.Float, make([]float64, chunk)
	case parquet.Types.ByteArray:
		col.Kind, col.values = dump.Binary, make([]parquet.ByteArray, chunk)
	default:
		col.Kind, col.values = dump.Binary, make([]parquet.FixedLenByteArray, chunk)
	}
	// The library gives logical types as values or pointers, by where they come from.
	switch logical.(type) {
	case schema.StringLogicalType, schema.EnumLogicalType, schema.JSONLogicalType, *schema.StringLogicalType, *schema.EnumLogicalType, *schema.JSONLogicalType:
		col.Kind = dump.Text
	case schema.UUIDLogicalType, *schema.UUIDLogicalType:
		col.Kind, col.bytes = dump.Text, uuid
	case schema.DateLogicalType, *schema.DateLogicalType:
		col.Kind = dump.Date
		col.whole = func(dst []byte, v int64) ([]byte, dump.Form) {
			return timeText(dst, time.Unix(v*86400, 0), "2006-01-02")
		}
	case schema.IntLogicalType, *schema.IntLogicalType:
		if !logical.(interface{ IsSigned() bool }).IsSigned() {
			col.Kind = dump.Uint
			narrow := c.PhysicalType() == parquet.Types.Int32
			col.whole = func(dst []byte, v int64) ([]byte, dump.Form) {
				if narrow {
					v = int64(uint32(v))
				}
				return strconv.AppendUint(dst, uint64(v), 10), dump.Bare
			}
		}
	case schema.DecimalLogicalType, *schema.DecimalLogicalType:
		l := logical.(interface {
			Precision() int32
			Scale() int32
		})
		p, s := int(l.Precision()), int(l.Scale())
		col.Kind, col.Precision, col.Scale = dump.Decimal, p, s
		if p > 18 {
			col.Kind = dump.Text
		}
		col.whole = func(dst []byte, v int64) ([]byte, dump.Form) { return decimal(dst, big.NewInt(v), s), dump.Bare }
		col.bytes = func(dst, v []byte) ([]byte, dump.Form) { return decimal(dst, signed(v), s), dump.Bare }
	case schema.TimestampLogicalType, *schema.TimestampLogicalType:
		unit := unitOf(logical)
		col.Kind = dump.DateTime
		col.whole = func(dst []byte, v int64) ([]byte, dump.Form) {
			perSecond := int64(time.Second) / unit
			return timeText(dst, time.Unix(v/perSecond, v%perSecond*unit), "2006-01-02 15:04:05.999999999")
		}
	case schema.TimeLogicalType, *schema.TimeLogicalType:
		unit := unitOf(logical)
		col.Kind = dump.Text
		col.whole = func(dst []byte, v int64) ([]byte, dump.Form) {
			perSecond := int64(time.Second) / unit
			return time.Unix(v/perSecond, v%perSecond*unit).UTC().AppendFormat(dst, "15:04:05.999999999"), dump.Quoted
		}
	}
	return col
}

// unitOf gives the nanoseconds of a time's unit.
func unitOf(l schema.LogicalType) int64 {
	switch l.(interface{ TimeUnit() schema.TimeUnitType }).TimeUnit() {
	case schema.TimeUnitMillis:
		return int64(time.Millisecond)
	case schema.TimeUnitMicros:
		return int64(time.Microsecond)
	}
	return 1
}

// timeText writes a time; one outside the years 1 to 9999 is an expression, so that it is kept
// as a misfit.
func timeText(dst []byte, t time.Time, layout string) ([]byte, dump.Form) {
	t = t.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return fmt.Appendf(dst, "unix time %d", t.Unix()), dump.Expr
	}
	return t.AppendFormat(dst, layout), dump.Quoted
}

func uuid(dst, v []byte) ([]byte, dump.Form) {
	if len(v) != 16 {
		return append(dst, v...), dump.Quoted
	}
	for i, part := range [][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, v[part[0]:part[1]])
	}
	return dst, dump.Quoted
}

// signed reads a two's complement number, highest byte first.
func signed(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}

// decimal writes units of 10^-scale.
func decimal(dst []byte, v *big.Int, scale int) []byte {
	if v.Sign() < 0 {
		dst = append(dst, '-')
	}
	digits := new(big.Int).Abs(v).String()
	if scale <= 0 {
		return append(dst, digits...)
	}
	if n := scale + 1 - len(digits); n > 0 {
		digits = strings.Repeat("0", n) + digits
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	dst = append(dst, '.')
	return append(dst, digits[len(digits)-scale:]...)
}

// read reads the next n values into cells.
func (c *column) read(r file.ColumnChunkReader, n int) error {
	c.text, c.cells = c.text[:0], c.cells[:0]
	for n > 0 {
		levels := c.levels[:n]
		var total int64
		var values int
		var err error
		switch r := r.(type) {
		case *file.BooleanColumnChunkReader:
			v := c.values.([]bool)
			total, values, err = r.ReadBatch(int64(n), v[:n], levels, nil)
			c.take(total, values, func(dst []byte, i int) ([]byte, dump.Form) { return strconv.AppendBool(dst, v[i]), dump.Bare })
		case *file.Int32ColumnChunkReader:
			v := c.values.([]int32)
			total, values, err = r.ReadBatch(int64(n), v[:n], levels, nil)
			c.take(total, values, func(dst []byte, i int) ([]byte, dump.Form) { return c.whole(dst, int64(v[i])) })
		case *file.Int64ColumnChunkReader:
			v := c.values.([]int64)
			total, values, err = r.ReadBatch(int64(n), v[:n], levels, nil)
			c.take(total, values, func(dst []byte, i int) ([]byte, dump.Form) { return c.whole(dst, v[i]) })
		case *file.Int96ColumnChunkReader:
			v := c.values.([]parquet.Int96)
			total, values, err = r.ReadBatch(int64(n), v[:n], levels, nil)
			c.take(total, values, func(dst []byte, i int) ([]byte, dump.Form) {
				return timeText(dst, v[i].ToTime(), "2006-01-02 15:04:05.999999999")
			})
		case *file.Float32ColumnChunkReader:
			v := c.values.([]float32)
			total, values, err = r.ReadBatch(int64(n), v[:n], levels, nil)
			c.take(total, values, func(dst []byte, i int) ([]byte, dump.Form) { return float(dst, float64(v[i]), 32) })
		case *file.Float64ColumnChunkReader:
			v := c.values.([]float64)
			total, values, err = r.ReadBatch(int64(n), v[:n], levels, nil)
			c.take(total, values, func(dst []byte, i int) ([]byte, dump.Form) { return float(dst, v[i], 64) })
		case *file.ByteArrayColumnChunkReader:
			v := c.values.([]parquet.ByteArray)
			total, values, err = r.ReadBatch(int64(n), v[:n], levels, nil)
			c.take(total, values, func(dst []byte, i int) ([]byte, dump.Form) { return c.bytes(dst, v[i]) })
		case *file.FixedLenByteArrayColumnChunkReader:
			v := c.values.([]parquet.FixedLenByteArray)
			total, values, err = r.ReadBatch(int64(n), v[:n], levels, nil)
			c.take(total, values, func(dst []byte, i int) ([]byte, dump.Form) { return c.bytes(dst, v[i]) })
		default:
			return fmt.Errorf("the column has type %v, which is not read", r.Type())
		}
		if err == nil {
			err = r.Err()
		}
		if err == nil && total == 0 {
			err = fmt.Errorf("%d values are missing", n)
		}
		if err != nil {
			return err
		}
		n -= int(total)
	}
	return nil
}

// take makes cells of what was read.
func (c *column) take(total int64, values int, write func(dst []byte, i int) ([]byte, dump.Form)) {
	k := 0
	for i := range int(total) {
		if c.defs > 0 && c.levels[i] < c.defs || k >= values {
			c.cells = append(c.cells, cell{})
			continue
		}
		from := len(c.text)
		var form dump.Form
		c.text, form = write(c.text, k)
		c.cells = append(c.cells, cell{from, len(c.text), form})
		k++
	}
}

func float(dst []byte, v float64, bits int) ([]byte, dump.Form) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.AppendFloat(dst, v, 'g', -1, bits), dump.Expr
	}
	return strconv.AppendFloat(dst, v, 'g', -1, bits), dump.Bare
}
