package sqlitefile

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// appendCell appends a value and its field.
func appendCell(text []byte, fields []dump.Field, v any, kind dump.Kind) ([]byte, []dump.Field) {
	start, form := len(text), dump.Bare
	switch v := v.(type) {
	case nil:
		return text, append(fields, dump.Field{})
	case int64:
		text = strconv.AppendInt(text, v, 10)
	case float64:
		text = appendFloat(text, v)
	case string:
		form = dump.Quoted
		if kind == dump.Binary {
			form = dump.Expr
			v = "'" + strings.ReplaceAll(v, "'", "''") + "'"
		}
		text = append(text, v...)
	case []byte:
		form = dump.Hex
		if kind != dump.Binary {
			form = dump.Expr
			text = append(text, "x'"...)
		}
		text = hex.AppendEncode(text, v)
		if form == dump.Expr {
			text = append(text, '\'')
		}
	case bool: // the driver makes these of declared types only, which the query hides
		text = strconv.AppendBool(text, v)
	case time.Time:
		text = v.AppendFormat(text, time.RFC3339Nano)
	default:
		form = dump.Expr
		text = fmt.Append(text, v)
	}
	if kind == dump.Binary && form == dump.Bare {
		form = dump.Expr
	}
	return text, append(fields, dump.NewField(start, len(text)-start, form))
}

// appendFloat appends the shortest form that reads as the same number, and as no integer.
func appendFloat(text []byte, v float64) []byte {
	start := len(text)
	text = strconv.AppendFloat(text, v, 'g', -1, 64)
	for _, c := range text[start:] {
		if c == '.' || c == 'e' {
			return text
		}
	}
	if math.IsInf(v, 0) {
		return text
	}
	return append(text, ".0"...)
}

// findRow reads one row again: by its rowid, or by its ordinal where there is none.
func findRow(ctx context.Context, src dump.Sealed, name string, row, offset int64) (f dump.Found, err error) {
	defer guard(&err)
	db, done, _, err := open(src)
	if err != nil {
		return f, err
	}
	defer done()
	t := &table{Table: &dump.Table{Name: name}}
	if err := t.describe(ctx, db); err != nil {
		return f, err
	}
	query, arg := "SELECT 0, "+t.names+" FROM main."+quote(name)+" NOT INDEXED LIMIT 1 OFFSET ?", row-1
	if t.rowid != "" {
		query, arg = "SELECT "+t.rowid+", "+t.names+" FROM main."+quote(name)+" NOT INDEXED WHERE "+t.rowid+" = ?", offset
	}
	var id int64
	targets := t.targets(&id)
	if err := db.QueryRowContext(ctx, query, arg).Scan(targets...); err != nil {
		return f, err
	}
	for i, target := range targets[1:] {
		f.Text, f.Cells = appendCell(f.Text, f.Cells, *target.(*any), t.Columns[i].Kind)
	}
	for _, c := range t.Columns {
		f.Columns = append(f.Columns, c.Name)
	}
	return f, nil
}
