package sourcetable

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/store"
)

// column is one column of a source table's Parquet files.
type column struct {
	name string
	dump.Column
}

// The columns every source table has beside the source's own.
const (
	refRow    = "ref_row"
	refOffset = "ref_offset"
	refMisfit = "ref_misfit"
)

// layout gives the table's own columns under their Parquet names.
func layout(t *dump.Table) []column {
	taken := map[string]bool{refRow: true, refOffset: true, refMisfit: true}
	cols := make([]column, len(t.Columns))
	for i, c := range t.Columns {
		name := c.Name
		if !utf8.ValidString(name) {
			name = strings.ToValidUTF8(name, "\uFFFD")
		}
		for name == "" || taken[strings.ToLower(name)] {
			name += "_"
		}
		taken[strings.ToLower(name)] = true
		cols[i] = column{name: name, Column: c}
	}
	return cols
}

// parquetSchema is the schema of a table's files.
func parquetSchema(cols []column) (*schema.GroupNode, error) {
	fields := schema.FieldList{
		schema.NewInt64Node(refRow, parquet.Repetitions.Required, -1),
		schema.NewInt64Node(refOffset, parquet.Repetitions.Required, -1),
	}
	for _, c := range cols {
		node, err := node(c.name, c.Column)
		if err != nil {
			return nil, err
		}
		fields = append(fields, node)
	}
	misfit, err := schema.NewPrimitiveNodeLogical(refMisfit, parquet.Repetitions.Optional, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, -1)
	if err != nil {
		return nil, err
	}
	return schema.NewGroupNode("row", parquet.Repetitions.Required, append(fields, misfit), -1)
}

func node(name string, c dump.Column) (schema.Node, error) {
	opt := parquet.Repetitions.Optional
	switch c.Kind {
	case dump.Int:
		return schema.NewInt64Node(name, opt, -1), nil
	case dump.Uint:
		return schema.NewPrimitiveNodeLogical(name, opt, schema.NewIntLogicalType(64, false), parquet.Types.Int64, -1, -1)
	case dump.Decimal:
		return schema.NewPrimitiveNodeLogical(name, opt, schema.NewDecimalLogicalType(int32(c.Precision), int32(c.Scale)), parquet.Types.Int64, -1, -1)
	case dump.Float:
		return schema.NewFloat64Node(name, opt, -1), nil
	case dump.Date:
		return schema.NewPrimitiveNodeLogical(name, opt, schema.DateLogicalType{}, parquet.Types.Int32, -1, -1)
	case dump.DateTime:
		return schema.NewPrimitiveNodeLogical(name, opt, schema.NewTimestampLogicalType(false, schema.TimeUnitMicros), parquet.Types.Int64, -1, -1)
	case dump.Binary:
		return schema.NewByteArrayNode(name, opt, -1), nil
	case dump.Text:
		return schema.NewPrimitiveNodeLogical(name, opt, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, -1)
	}
	return nil, fmt.Errorf("column %q has no type", name)
}

func sqlType(c dump.Column) string {
	switch c.Kind {
	case dump.Int:
		return "BIGINT"
	case dump.Uint:
		return "UBIGINT"
	case dump.Decimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", c.Precision, c.Scale)
	case dump.Float:
		return "DOUBLE"
	case dump.Date:
		return "DATE"
	case dump.DateTime:
		return "TIMESTAMP"
	case dump.Binary:
		return "BLOB"
	}
	return "VARCHAR"
}

// sqlColumns lists all columns of the files with their SQL types.
func sqlColumns(cols []column) []store.Column {
	list := []store.Column{{Name: refRow, Type: "BIGINT"}, {Name: refOffset, Type: "BIGINT"}}
	for _, c := range cols {
		list = append(list, store.Column{Name: c.name, Type: sqlType(c.Column)})
	}
	return append(list, store.Column{Name: refMisfit, Type: "VARCHAR"})
}

// sideTable makes a batch of the reader's own notes, so that they are written like rows.
func sideTable(cols []dump.Column, n int, row func(i int) (offset int64, cells []string)) *dump.Batch {
	b := &dump.Batch{Table: &dump.Table{Name: "notes", Columns: cols}, FirstRow: 1}
	for i := range n {
		offset, cells := row(i)
		b.Rows = append(b.Rows, dump.Row{Offset: offset})
		for _, c := range cells {
			b.Fields = append(b.Fields, dump.NewField(len(b.Text), len(c), dump.Quoted))
			b.Text = append(b.Text, c...)
		}
	}
	return b
}

func damageBatch(list []dump.Damage) *dump.Batch {
	cols := []dump.Column{{Name: "row", Kind: dump.Int}, {Name: "table", Kind: dump.Text}, {Name: "length", Kind: dump.Int},
		{Name: "rows", Kind: dump.Int}, {Name: "reason", Kind: dump.Text}}
	return sideTable(cols, len(list), func(i int) (int64, []string) {
		d := list[i]
		n := func(v int64) string { return strconv.FormatInt(v, 10) }
		return d.Offset, []string{n(d.Row), d.Table, n(d.Length), n(d.Rows), strings.ToValidUTF8(d.Reason, "\uFFFD")}
	})
}

func statementBatch(list []dump.Statement) *dump.Batch {
	cols := []dump.Column{{Name: "text", Kind: dump.Binary}}
	return sideTable(cols, len(list), func(i int) (int64, []string) {
		return list[i].Offset, []string{string(list[i].Text)}
	})
}
