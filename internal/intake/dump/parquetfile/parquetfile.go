// Package parquetfile reads Parquet files that are sources themselves: exports of data
// platforms, or what another tool made of a seizure. (The case's own tables are Parquet too;
// this package has nothing to do with them.)
//
// A file is one table, named after it, with the file's own columns; one inside a structure is
// called structure.column. Whole numbers, decimals of up to 18 digits, dates, times, floating
// point numbers, text and bytes keep their types; times are given as they are stored, in UTC
// where the file says so (the column's declared type tells); truth values, times of day, UUIDs
// and longer decimals are text. A time with nanoseconds that a microsecond does not hold is a
// misfit. Lists and maps are not read, and a remark says which columns those are.
//
// Offsets are the rows' indexes in the file, from 0. A row read again is found by reading its
// row group up to there; its text is the cells' values.
//
// A row group that cannot be read is damage from the first of some thousand rows that did
// not decode to the group's end. A file without its footer cannot be read at all, and that is
// an error. Not read: encrypted files.
//
// Reading order: parquetfile.go (the format, row groups), column.go (types and values).
package parquetfile

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/build"
)

// Format is the reader of Parquet files.
func Format() dump.Format {
	return dump.Format{
		Name: "parquet", Version: "1", About: "Parquet file",
		Match: func(_ string, head []byte) bool { return bytes.HasPrefix(head, []byte("PAR1")) },
		File: func(ctx context.Context, src dump.Sealed, sink dump.Sink) error {
			return Read(ctx, src.Path, tableName(src.Name), sink)
		},
		Row: func(ctx context.Context, src dump.Sealed, _ string, _, offset int64) (dump.Found, error) {
			return readRow(ctx, src.Path, offset)
		},
	}
}

func tableName(name string) string {
	base := filepath.Base(name)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

const chunk = 1024 // rows that are taken column by column at a time

// source is an open file.
type source struct {
	f       *os.File
	r       *file.Reader
	columns []column
	skipped []string // columns that are lists or maps
}

func open(path string) (s *source, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the Parquet footer is damaged: %v", p)
		}
		if err != nil {
			f.Close() // the error that matters is err
		}
	}()
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	props.BufferedStreamEnabled = true
	r, err := file.NewParquetReader(f, file.WithReadProps(props))
	if err != nil {
		return nil, err
	}
	s = &source{f: f, r: r}
	schema := r.MetaData().Schema
	for i := range schema.NumColumns() {
		c := schema.Column(i)
		if c.MaxRepetitionLevel() > 0 {
			s.skipped = append(s.skipped, c.Path())
			continue
		}
		s.columns = append(s.columns, newColumn(i, c))
	}
	return s, nil
}

func (s *source) table(name string) *dump.Table {
	t := &dump.Table{Name: name}
	for _, c := range s.columns {
		t.Columns = append(t.Columns, c.Column)
	}
	return t
}

// Read reads the file at path and hands its rows to sink as those of the named table.
func Read(ctx context.Context, path, table string, sink dump.Sink) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s, err := open(path)
	if err != nil {
		return err
	}
	defer s.f.Close() // only read
	for _, name := range s.skipped {
		if err := sink.Damage(dump.Damage{Reason: fmt.Sprintf("column %q holds lists or maps: it is not read", name)}); err != nil {
			return err
		}
	}
	rows := build.New(sink, s.table(table))
	first := int64(0)
	for g := range s.r.NumRowGroups() {
		n := s.r.MetaData().RowGroup(g).NumRows()
		if n < 0 {
			return fmt.Errorf("row group %d has %d rows", g, n)
		}
		done := int64(0)
		err := s.group(ctx, g, n, func(k int) error {
			for i := range k {
				rows.Begin(first + done + int64(i))
				s.put(rows, i)
				if err := rows.End(); err != nil {
					return &sinkError{err}
				}
			}
			done += int64(k)
			return nil
		})
		if err != nil {
			if own, ok := err.(*sinkError); ok {
				return own.error
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := rows.Damage(first+done, n-done, n-done, fmt.Sprintf("row group %d does not decode: %v", g, err)); err != nil {
				return err
			}
		}
		first += n
	}
	return rows.Flush()
}

// sinkError is an error of whoever takes the rows, not of the file.
type sinkError struct{ error }

// group reads a row group and calls yield for every chunk of rows, which are then in the
// columns.
func (s *source) group(ctx context.Context, g int, n int64, yield func(rows int) error) (err error) {
	defer func() {
		if p := recover(); p != nil { // the library panics on some damaged pages
			err = fmt.Errorf("%v", p)
		}
	}()
	group := s.r.RowGroup(g)
	readers := make([]file.ColumnChunkReader, len(s.columns))
	for i := range s.columns {
		if readers[i], err = group.Column(s.columns[i].index); err != nil {
			return err
		}
	}
	for done := int64(0); done < n; {
		if err := ctx.Err(); err != nil {
			return err
		}
		k := int(min(chunk, n-done))
		for i := range s.columns {
			if err := s.columns[i].read(readers[i], k); err != nil {
				return fmt.Errorf("column %q: %w", s.columns[i].Name, err)
			}
		}
		if err := yield(k); err != nil {
			return err
		}
		done += int64(k)
	}
	return nil
}

// put sets the cells of row i of the chunk.
func (s *source) put(rows *build.Rows, i int) {
	for c := range s.columns {
		if cell := s.columns[c].cells[i]; cell.form != dump.Null {
			rows.Put(c, cell.form, s.columns[c].text[cell.from:cell.to])
		}
	}
}

// readRow reads one row again.
func readRow(ctx context.Context, path string, offset int64) (dump.Found, error) {
	s, err := open(path)
	if err != nil {
		return dump.Found{}, err
	}
	defer s.f.Close() // only read
	left := offset
	for g := range s.r.NumRowGroups() {
		n := s.r.MetaData().RowGroup(g).NumRows()
		if left >= n || left < 0 {
			left -= n
			continue
		}
		var found dump.Found
		enough := &sinkError{fmt.Errorf("found")}
		err := s.group(ctx, g, n, func(k int) error {
			if left >= int64(k) {
				left -= int64(k)
				return nil
			}
			var err error
			if found, err = build.One(s.table(""), nil, func(r *build.Rows) error { r.Begin(offset); s.put(r, int(left)); return nil }); err != nil {
				return err
			}
			return enough
		})
		if err == error(enough) {
			return found, nil
		} else if err != nil {
			return dump.Found{}, err
		}
	}
	return dump.Found{}, fmt.Errorf("the file has no row %d", offset)
}
