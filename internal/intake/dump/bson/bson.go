// Package bson reads what mongodump writes: .bson files, one document behind another, and
// archives (mongodump --archive) of many collections. Compressed ones are unpacked before
// they come here.
//
// A collection is a table: a .bson file's own name, or database.collection in an archive. Its
// columns are the documents' top-level keys in the order they are first seen, so the sealed
// copy is passed over twice, as in package jsonl, and the kinds of columns are found the same
// way. Dates become times in UTC, ObjectIDs hexadecimal text, doubles and decimals numbers
// (text where a column's numbers do not fit one decimal); documents and arrays inside a
// document, and the rarer types, become Extended JSON text. The subtype of binary values is
// not kept. A key that is missing and one that is null are both null.
//
// A row's address is the offset of its document's length; read again, its text is Extended
// JSON (canonical) of the whole document, a newline, and the cells' values.
//
// An archive begins with a header and each collection's metadata, which become statements;
// then come blocks, each a small document that names a collection, its documents, and four
// bytes 0xff (mongodb/mongo-tools, common/archive). The checksum at a collection's end is not
// checked.
//
// A document that is not well-formed is damage. Where its length cannot be trusted either, the
// reader looks for the next whole document that begins with _id. Not read: documents longer
// than 48 MiB (the server allows 16), the oplog as anything but a collection.
//
// Reading order: bson.go (the format), scan.go (where documents are), value.go (what a value is).
package bson

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	mongo "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/build"
	"github.com/unspoof/unspoof/internal/intake/dump/jsonl"
)

// Format is the reader of what mongodump writes.
func Format() dump.Format {
	return dump.Format{
		Name: "bson", Version: "1", About: "dump of a MongoDB database by mongodump: .bson file or archive",
		Match: func(_ string, head []byte) bool { return match(head) },
		File: func(ctx context.Context, src dump.Sealed, sink dump.Sink) error {
			f, err := os.Open(src.Path)
			if err != nil {
				return err
			}
			defer f.Close()
			return Read(ctx, f, jsonl.TableName(src.Name), sink, 0)
		},
		Row: func(_ context.Context, src dump.Sealed, _ string, _, offset int64) (dump.Found, error) {
			return readRow(src.At, offset)
		},
	}
}

// match wants the mark of an archive, or a document whose first elements are sound and which
// is whole as far as the head goes.
func match(head []byte) bool {
	if bytes.HasPrefix(head, archiveMark) {
		return true
	}
	if len(head) < 5 {
		return false
	}
	n := int(binary.LittleEndian.Uint32(head))
	if n < 5 || n > maxDocument {
		return false
	}
	if n <= len(head) {
		return n > 5 && validate(head[:n]) == nil
	}
	// A type, and a name that is text, begin the document.
	end := bytes.IndexByte(head[5:min(len(head), 5+128)], 0)
	return end > 0 && head[4] > 0 && head[4] <= 0x13 && bytes.IndexFunc(head[5:5+end], func(r rune) bool { return r < ' ' || r == 0xfffd }) < 0 && len(head) >= 64<<10
}

// table is one collection in the making.
type table struct {
	shape *build.Shape
	rows  *build.Rows
}

// Read reads the documents of r, which stands at its beginning, twice, and hands them to sink.
// name is the table of a file that is no archive; segment is how many bytes are read at a
// time, 0: 1 MiB.
func Read(ctx context.Context, r io.ReadSeeker, name string, sink dump.Sink, segment int) error {
	tables := map[string]*table{}
	of := func(name string) *table {
		t := tables[name]
		if t == nil {
			t = &table{shape: build.NewShape()}
			tables[name] = t
		}
		return t
	}
	found := false
	err := scan(ctx, r, name, segment, func(d document) error {
		found = true
		if d.damage != "" || d.metadata || d.end {
			return nil
		}
		t := of(d.table)
		t.shape.Object()
		return members(d.text, func(key []byte, val mongo.RawValue) error {
			if col, more := t.shape.Column(key); !more {
				t.shape.See(col, valueOf(val))
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if !found {
		return sink.Damage(dump.Damage{Reason: "the file holds no document"})
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	rows := func(name string) *table {
		t := of(name)
		if t.rows == nil {
			t.rows = build.New(sink, &dump.Table{Name: name, Columns: t.shape.Columns()})
		}
		return t
	}
	var last *table
	err = scan(ctx, r, name, segment, func(d document) error {
		switch {
		case d.metadata:
			return sink.Statement(dump.Statement{Offset: d.offset, Text: []byte(mongo.Raw(d.text).String())})
		case d.damage != "" && d.table == "":
			return sink.Damage(dump.Damage{Offset: d.offset, Length: d.length, Reason: d.damage})
		}
		t := rows(d.table)
		if last != nil && last != t { // an archive has many tables: only one is kept in memory
			if err := last.rows.Flush(); err != nil {
				return err
			}
		}
		last = t
		if d.end {
			return nil
		}
		if d.damage != "" {
			return t.rows.Damage(d.offset, d.length, d.rows, d.damage)
		}
		t.shape.Object()
		t.rows.Begin(d.offset)
		var rest []byte
		if err := members(d.text, func(key []byte, val mongo.RawValue) error {
			col, more := t.shape.Column(key)
			if more {
				rest = append(rest, ',')
				rest = append(append(rest, jsonOf(mongo.RawValue{Type: mongo.TypeString, Value: stringValue(key)})...), ':')
				rest = append(rest, jsonOf(val)...)
				return nil
			}
			v := valueOf(val)
			t.rows.Put(col, v.Form, v.Text)
			return nil
		}); err != nil {
			return err
		}
		if rest != nil {
			rest[0] = '{'
			t.rows.Put(build.MaxColumns, dump.Quoted, append(rest, '}'))
		}
		return t.rows.End()
	})
	if err == nil && last != nil {
		err = last.rows.Flush()
	}
	return err
}

// stringValue encodes text as the value of a BSON string.
func stringValue(s []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(s)+1))
	return append(append(b, s...), 0)
}

// readRow reads the one document that begins at offset. Its cells are its own keys, in its own
// order.
func readRow(r io.ReaderAt, offset int64) (dump.Found, error) {
	var size [4]byte
	if _, err := r.ReadAt(size[:], offset); err != nil {
		return dump.Found{}, fmt.Errorf("no document begins at offset %d: %w", offset, err)
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n < 5 || n > maxDocument {
		return dump.Found{}, fmt.Errorf("no document begins at offset %d", offset)
	}
	doc := make([]byte, n)
	if _, err := r.ReadAt(doc, offset); err != nil && err != io.EOF {
		return dump.Found{}, err
	}
	if err := validate(doc); err != nil {
		return dump.Found{}, fmt.Errorf("no document begins at offset %d: %w", offset, err)
	}
	found := dump.Found{Text: append([]byte(mongo.Raw(doc).String()), '\n'), Columns: []string{}}
	shape := build.NewShape()
	shape.Object()
	err := members(doc, func(key []byte, val mongo.RawValue) error {
		if i, more := shape.Column(key); !more {
			key = []byte(shape.Name(i))
		}
		found.Columns = append(found.Columns, string(key))
		v := valueOf(val)
		if v.Form == dump.Null {
			found.Cells = append(found.Cells, dump.Field{})
			return nil
		}
		if len(found.Text)+len(v.Text) > dump.MaxSegment {
			return errors.New("the document is too long")
		}
		found.Cells = append(found.Cells, dump.NewField(len(found.Text), len(v.Text), v.Form))
		found.Text = append(found.Text, v.Text...)
		return nil
	})
	return found, err
}
