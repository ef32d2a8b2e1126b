// Package delimited reads character-separated tables (RFC 4180): a header line, then one
// record a row. The separator is whichever of comma, semicolon, tab and bar the header line
// holds most of outside quotes. It keeps exact bytes and offsets, which encoding/csv does not
// (that reader turns CR LF inside a quoted field into LF and skips blank records).
//
// Every column is text; a field that is missing is null and an empty one is the empty
// string. A record with more or fewer fields than the header is damage, as is one whose
// quotes do not close: the reader then goes on at the next line.
package delimited

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// Format is the reader of CSV files. It takes files by their name's ending, so it is asked
// last.
func Format() dump.Format {
	return dump.Format{
		Name: "csv", Version: "1", About: "character-separated table with a header line",
		Match: func(name string, _ []byte) bool {
			ext := strings.ToLower(filepath.Ext(name))
			return ext == ".csv" || ext == ".tsv"
		},
		Stream: func(ctx context.Context, r io.Reader, name string, sink dump.Sink) error {
			base := filepath.Base(name)
			return Read(ctx, r, sink, Options{Table: strings.TrimSuffix(base, filepath.Ext(base))})
		},
		Row: func(_ context.Context, src dump.Sealed, _ string, _, offset int64) (dump.Found, error) {
			_, sep, err := Header(src.At)
			if err != nil {
				return dump.Found{}, err
			}
			text, cells, err := ReadRow(src.At, sep, offset)
			return dump.Found{Text: text, Cells: cells}, err
		},
	}
}

// Options bound a reading and name the table.
type Options struct {
	Table   string // name of the one table
	Segment int    // bytes read at a time; 0: 16 MiB
	MaxRow  int    // longest record; 0: 64 MiB
}

// errMore is returned by scanRecord at the end of the segment.
var errMore = errors.New("segment ends")

// Read reads a table from r and hands its rows to sink.
func Read(ctx context.Context, r io.Reader, sink dump.Sink, opt Options) error {
	if opt.Segment <= 0 {
		opt.Segment = 16 << 20
	}
	if opt.MaxRow <= 0 {
		opt.MaxRow = 64 << 20
	}
	var (
		t     *dump.Table
		sep   byte
		buf   []byte
		base  int64
		next  = int64(1)
		tmp   []dump.Field
		first = true
	)
	for eof := false; !eof; {
		if err := ctx.Err(); err != nil {
			return err
		}
		left := buf
		buf = make([]byte, len(left), len(left)+max(opt.Segment, len(left)))
		copy(buf, left)
		n, err := io.ReadFull(r, buf[len(left):cap(buf)])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			eof = true
		} else if err != nil {
			return err
		}
		buf = buf[:len(left)+n]
		i := 0
		if first && len(buf) >= 3 && bytes.Equal(buf[:3], []byte("\xef\xbb\xbf")) {
			i = 3
		}
		first = false
		if t == nil {
			if t, sep, i, err = header(buf, i, eof, opt.Table); err == errMore && len(buf) < opt.MaxRow {
				continue
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return fmt.Errorf("header line: %w", err)
			}
		}
		b := &dump.Batch{Table: t, FirstRow: next, Text: buf}
		flush := func() error {
			if len(b.Rows) == 0 {
				return nil
			}
			full := b
			b = &dump.Batch{Table: t, Text: buf}
			return sink.Rows(full)
		}
		for i < len(buf) {
			fields, end, err := scanRecord(buf, i, sep, eof, tmp[:0])
			tmp = fields[:0]
			if err == errMore && len(buf)-i <= opt.MaxRow {
				break
			}
			if err == nil && len(fields) == 1 && fields[0].In(buf) != nil && len(fields[0].In(buf)) == 0 && len(t.Columns) > 1 {
				i = end // a blank line is no record
				continue
			}
			if err == nil && len(fields) != len(t.Columns) {
				err = fmt.Errorf("the record has %d fields where %d belong", len(fields), len(t.Columns))
			}
			if err != nil {
				if end <= i { // the record has no end: go on at the next line
					j := bytes.IndexByte(buf[i:], '\n')
					if j < 0 && !eof && len(buf)-i <= opt.MaxRow {
						break
					}
					end = len(buf)
					if j >= 0 {
						end = i + j + 1
					}
				}
				if ferr := flush(); ferr != nil {
					return ferr
				}
				d := dump.Damage{Table: t.Name, Row: next, Offset: base + int64(i), Length: int64(end - i), Rows: 1, Reason: err.Error()}
				if err := sink.Damage(d); err != nil {
					return err
				}
				next++
				b.FirstRow = next
				i = end
				continue
			}
			if len(b.Rows) == 0 {
				b.FirstRow = next
			}
			b.Rows = append(b.Rows, dump.Row{Offset: base + int64(i)})
			b.Fields = append(b.Fields, fields...)
			next++
			i = end
		}
		if err := flush(); err != nil {
			return err
		}
		buf, base = buf[i:], base+int64(i)
	}
	return nil
}

// header reads the first line.
func header(b []byte, i int, eof bool, name string) (t *dump.Table, sep byte, next int, err error) {
	line := b[i:]
	if j := bytes.IndexByte(line, '\n'); j >= 0 {
		line = line[:j]
	} else if !eof {
		return nil, 0, 0, errMore
	}
	if len(bytes.TrimSpace(line)) == 0 {
		return nil, 0, 0, io.EOF
	}
	sep = ','
	for _, c := range []byte{';', '\t', '|'} {
		if bytes.Count(line, []byte{c}) > bytes.Count(line, []byte{sep}) {
			sep = c
		}
	}
	fields, next, err := scanRecord(b, i, sep, eof, nil)
	if err != nil {
		return nil, 0, 0, err
	}
	t = &dump.Table{Name: name}
	for _, f := range fields {
		v, _, _ := f.Value(b, nil)
		t.Columns = append(t.Columns, dump.Column{Name: string(bytes.TrimSpace(v)), Kind: dump.Text, Declared: "csv"})
	}
	return t, sep, next, nil
}

// scanRecord reads the record at b[i]; next is behind its line end.
func scanRecord(b []byte, i int, sep byte, eof bool, fields []dump.Field) (_ []dump.Field, next int, err error) {
	for {
		start := i
		if i < len(b) && b[i] == '"' {
			form := dump.Quoted
			i++
			for {
				j := bytes.IndexByte(b[i:], '"')
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
				if i < len(b) && b[i] == '"' {
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

// ReadRow reads the one record that begins at offset of a table with the given header
// separator: its text and where its cells lie in it.
func ReadRow(r io.ReaderAt, sep byte, offset int64) (text []byte, cells []dump.Field, err error) {
	for size := 64 << 10; ; size *= 8 {
		buf := make([]byte, size)
		n, err := r.ReadAt(buf, offset)
		if err != nil && err != io.EOF {
			return nil, nil, err
		}
		eof := err == io.EOF
		buf = buf[:n]
		if n == 0 {
			return nil, nil, errors.New("the offset is behind the end of the source")
		}
		cells, next, scanErr := scanRecord(buf, 0, sep, eof, nil)
		if scanErr == nil {
			return buf[:next], cells, nil
		}
		if scanErr != errMore || size >= dump.MaxSegment {
			return nil, nil, fmt.Errorf("no record begins at offset %d: %w", offset, scanErr)
		}
	}
}

// Header reads the header line of a table: its columns and separator.
func Header(r io.ReaderAt) (columns []string, sep byte, err error) {
	buf := make([]byte, 1<<20)
	n, err := r.ReadAt(buf, 0)
	if err != nil && err != io.EOF {
		return nil, 0, err
	}
	i := 0
	if bytes.HasPrefix(buf[:n], []byte("\xef\xbb\xbf")) {
		i = 3
	}
	t, sep, _, err := header(buf[:n], i, err == io.EOF, "")
	if err != nil {
		return nil, 0, err
	}
	for _, c := range t.Columns {
		columns = append(columns, c.Name)
	}
	return columns, sep, nil
}
