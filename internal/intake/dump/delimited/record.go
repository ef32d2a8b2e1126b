package delimited

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// Layout is the columns of files that have no header line.
type Layout struct {
	Columns []dump.Column
	Sep     byte
	Least   int  // columns every record has; 0: all
	Lenient bool // quotes inside quoted fields are not doubled: one closes only before a separator or line end
}

// fit makes a record's fields those of its table. A nil layout wants as many as columns.
func (l *Layout) fit(b []byte, fields []dump.Field, columns int) ([]dump.Field, error) {
	least := columns
	if l != nil && l.Least > 0 {
		least = l.Least
	}
	if n := len(fields); n < least || n > columns {
		if least == columns {
			return fields, fmt.Errorf("the record has %d fields where %d belong", n, columns)
		}
		return fields, fmt.Errorf("the record has %d fields where %d to %d belong", n, least, columns)
	}
	if l == nil {
		return fields, nil
	}
	for len(fields) < columns {
		fields = append(fields, dump.Field{})
	}
	for i, f := range fields {
		v := f.In(b)
		if len(v) == 0 && l.Columns[i].Kind != dump.Text {
			fields[i] = dump.Field{}
		}
	}
	return fields, nil
}

// errMore is returned by scanRecord at the end of the segment.
var errMore = errors.New("segment ends")

// scanRecord reads the record at b[i]; next is behind its line end, or 0 when no end is found.
func scanRecord(b []byte, i int, sep byte, lenient, eof bool, fields []dump.Field) (_ []dump.Field, next int, err error) {
	for {
		start := i
		if i < len(b) && b[i] == '"' {
			form := dump.Quoted
			i++
			for {
				j := bytes.IndexByte(b[i:], '"')
				if lenient {
					if k := bytes.IndexByte(b[i:], '\n'); k >= 0 && (j < 0 || k < j) {
						return fields, 0, errors.New("a quote does not close before its line ends")
					}
				}
				if j < 0 {
					if eof {
						return fields, 0, errors.New("a quote does not close before the file ends")
					}
					return fields, 0, errMore
				}
				i += j + 1
				if i == len(b) && !eof {
					return fields, 0, errMore
				}
				if lenient {
					if i < len(b) && b[i] != sep && b[i] != '\n' && b[i] != '\r' {
						continue
					}
				} else if i < len(b) && b[i] == '"' {
					form = dump.Doubled
					i++
					continue
				}
				break
			}
			fields = append(fields, dump.NewField(start+1, i-start-2, form))
			if i < len(b) && b[i] != sep && b[i] != '\n' && b[i] != '\r' {
				return fields, 0, fmt.Errorf("%q stands behind a closing quote", b[i])
			}
		} else {
			for i < len(b) && b[i] != sep && b[i] != '\n' {
				i++
			}
			if i == len(b) && !eof {
				return fields, 0, errMore
			}
			end := i
			if end > start && (i == len(b) || b[i] == '\n') && b[end-1] == '\r' {
				end--
			}
			fields = append(fields, dump.NewField(start, end-start, dump.Quoted))
		}
		switch {
		case i == len(b):
			if !eof {
				return fields, 0, errMore
			}
			return fields, i, nil
		case b[i] == sep:
			i++
		case b[i] == '\n':
			return fields, i + 1, nil
		case b[i] == '\r':
			if i+1 == len(b) && !eof {
				return fields, 0, errMore
			}
			if i+1 < len(b) && b[i+1] != '\n' {
				return fields, 0, errors.New("a carriage return stands behind a closing quote")
			}
			return fields, min(i+2, len(b)), nil
		}
	}
}

// Records gives the first records of a file's beginning, decoded, at most n of them. The last
// one may be cut and is left out unless it ends with a line end.
func Records(head []byte, sep byte, lenient bool, n int) (list [][]string) {
	for i := 0; i < len(head) && len(list) < n; {
		fields, next, err := scanRecord(head, i, sep, lenient, false, nil)
		if err != nil {
			return list
		}
		i = next
		if len(fields) == 1 && len(fields[0].In(head)) == 0 {
			continue
		}
		var record []string
		for _, f := range fields {
			v, _, _ := f.Value(head, nil)
			record = append(record, string(v))
		}
		list = append(list, record)
	}
	return list
}
