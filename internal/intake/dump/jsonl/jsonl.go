// Package jsonl reads JSON: one object a line, one big array of objects, or objects behind
// one another, and the Extended JSON that mongoexport writes.
//
// A file is one table, named after it. Its columns are the objects' top-level keys in the
// order they are first seen, so the sealed copy is passed over twice: once for the keys and
// the kinds of their values, once for the rows. A column is an integer, a decimal, a time or
// bytes only where that holds each of its values exactly; otherwise it is text. Objects and
// arrays inside an object stay JSON text, as written. A key that is missing and one that is
// null are both null. A key that an object repeats gets a second column, key#2.
//
// Of Extended JSON (MongoDB, "MongoDB Extended JSON (v2)", and v1 for dates and bytes) it
// unwraps $oid, $date (as UTC), $numberInt, $numberLong, $numberDouble, $numberDecimal,
// $binary and $uuid; the rest stays JSON text. The subtype of $binary is not kept.
//
// An object's address is the offset of its opening brace; read again, its text is its own
// bytes and, where some strings have escapes, a newline and those strings decoded. In lines,
// a line that is not an object is damage. Elsewhere the reader goes on at the next object that
// stands as the first one stood: at a line start with the same indentation, or behind a comma
// with the same first key.
//
// Not read: UTF-16, objects longer than 64 MiB, tables nested in one object (phpMyAdmin's
// JSON), comments and other JSON5.
//
// Reading order: jsonl.go (the format), scan.go (where objects are), value.go (what a value is).
package jsonl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/build"
)

// Format is the reader of JSON files.
func Format() dump.Format {
	return dump.Format{
		Name: "json", Version: "1", About: "JSON: one object a line, or one array of objects",
		Match: func(_ string, head []byte) bool { return Match(head) },
		File: func(ctx context.Context, src dump.Sealed, sink dump.Sink) error {
			f, err := os.Open(src.Path)
			if err != nil {
				return err
			}
			defer f.Close()
			return Read(ctx, f, TableName(src.Name), sink, Options{})
		},
		Row: func(_ context.Context, src dump.Sealed, _ string, _, offset int64) (dump.Found, error) {
			return readRow(src.At, offset)
		},
	}
}

// TableName is a file's name without the endings of JSON files.
func TableName(name string) string {
	base := filepath.Base(name)
	for {
		switch ext := filepath.Ext(base); strings.ToLower(ext) {
		case ".json", ".jsonl", ".ndjson", ".bson", ".log", ".txt":
			if base = strings.TrimSuffix(base, ext); base != "" {
				continue
			}
			return ext[1:]
		}
		return base
	}
}

// Match wants an object with a key, or an array of such.
func Match(head []byte) bool {
	b := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(b) > 0 && b[0] == '[' {
		b = bytes.TrimLeft(b[1:], " \t\r\n")
	}
	if len(b) == 0 || b[0] != '{' {
		return false
	}
	b = bytes.TrimLeft(b[1:], " \t\r\n")
	if len(b) == 0 || b[0] != '"' {
		return len(b) > 0 && b[0] == '}'
	}
	i := skipString(b, 0)
	b = bytes.TrimLeft(b[min(i, len(b)):], " \t\r\n")
	return len(b) > 0 && b[0] == ':'
}

// Options bound a reading.
type Options struct {
	Segment int // bytes read at a time; 0: 1 MiB
	MaxRow  int // longest object; 0: 64 MiB
}

// Read reads the objects of r, which stands at its beginning, twice, and hands them to sink as rows of the named table.
func Read(ctx context.Context, r io.ReadSeeker, table string, sink dump.Sink, opt Options) error {
	shape := build.NewShape()
	var v values
	found := false
	err := Scan(ctx, r, opt, func(o Object) error {
		found = true
		if o.Damage != "" {
			return nil
		}
		shape.Object()
		return members(o.Text, func(key, raw []byte) error {
			col, more := shape.Column(v.key(key))
			if !more {
				shape.See(col, v.of(raw))
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if !found {
		return sink.Damage(dump.Damage{Reason: "the file holds no JSON object"})
	}
	t := &dump.Table{Name: table, Columns: shape.Columns()}
	rows := build.New(sink, t)
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	err = Scan(ctx, r, opt, func(o Object) error {
		if o.Damage != "" {
			return rows.Damage(o.Offset, o.Length, o.Rows, o.Damage)
		}
		shape.Object()
		rows.Begin(o.Offset)
		var rest []byte
		if err := members(o.Text, func(key, raw []byte) error {
			col, more := shape.Column(v.key(key))
			if more {
				rest = append(append(append(append(rest, ','), key...), ':'), raw...)
				return nil
			}
			val := v.of(raw)
			rows.Put(col, val.Form, val.Text)
			return nil
		}); err != nil {
			return err
		}
		if rest != nil {
			rest[0] = '{'
			rows.Put(build.MaxColumns, dump.Quoted, append(rest, '}'))
		}
		return rows.End()
	})
	if err != nil {
		return err
	}
	return rows.Flush()
}

// readRow reads the one object that begins at offset. Its cells are its own keys, in its own
// order.
func readRow(r io.ReaderAt, offset int64) (dump.Found, error) {
	obj, err := ObjectAt(r, offset)
	if err != nil {
		return dump.Found{}, err
	}
	found := dump.Found{Text: obj[:len(obj):len(obj)], Columns: []string{}}
	shape := build.NewShape()
	shape.Object()
	var v values
	err = members(obj, func(key, raw []byte) error {
		name := v.key(key)
		if i, more := shape.Column(name); !more {
			name = []byte(shape.Name(i))
		}
		found.Columns = append(found.Columns, string(name))
		val := v.of(raw)
		at := cap(obj) - cap(raw) // where raw begins: it is a slice of obj that keeps its capacity
		if val.Form == dump.Null {
			found.Cells = append(found.Cells, dump.Field{})
			return nil
		}
		if i := bytes.Index(raw, val.Text); i >= 0 {
			found.Cells = append(found.Cells, dump.NewField(at+i, len(val.Text), val.Form))
			return nil
		}
		if len(found.Text) == len(obj) {
			found.Text = append(found.Text, '\n')
		}
		found.Cells = append(found.Cells, dump.NewField(len(found.Text), len(val.Text), val.Form))
		found.Text = append(found.Text, val.Text...)
		return nil
	})
	return found, err
}

// ObjectAt reads the object whose opening brace stands at offset.
func ObjectAt(r io.ReaderAt, offset int64) ([]byte, error) {
	for size := 16 << 10; ; size *= 8 {
		buf := make([]byte, size)
		n, err := r.ReadAt(buf, offset)
		if err != nil && err != io.EOF {
			return nil, err
		}
		buf = buf[:n]
		if n == 0 {
			return nil, errors.New("the offset is behind the end of the source")
		}
		if buf[0] != '{' {
			return nil, fmt.Errorf("no object begins at offset %d", offset)
		}
		var e extent
		end, why := e.scan(buf, 0)
		if why == "" && end > 0 {
			return buf[:end], nil
		}
		if why != "" || err == io.EOF || size > dump.MaxSegment {
			return nil, fmt.Errorf("no whole object begins at offset %d %s", offset, why)
		}
	}
}
