// Package etsi reads retained data that networks deliver as XML after ETSI TS 102 657: one row
// a ResponseRecord in table etsi_record. It was not tested on a real delivery: its samples
// follow the standard's ASN.1 and what FQLite's importer tells of real ones.
//
// Elements are found by their local names, because the namespace differs with the standard's
// version. The columns pick out what a call record says: record number, the kind of record,
// times as written (their zone and format are the network's), and the parties by role, the
// first of each: their numbers, subscribers, devices and cells. Roles are told from the
// standard's names and from their numbers in it (0 originating, 1 terminating, 2 forwarded
// to); a number whose role is another, or a second one of the same role, stands in
// other_numbers. The last column holds the whole record as XML, so what has no column is not
// lost: national records, service parameters, coordinates in whatever notation.
//
// What stands before the first record, the header with its request number and dates, is kept
// as a statement. An offset is that of the record's opening tag; a row read again has the
// record's XML as its text, then a newline and the cells' values.
//
// A record that is not well-formed is damage, and so is one whose end is missing; the next
// one is found again. Not read: ASN.1 (BER) deliveries, subscriber data and requests (only
// records become rows), TS 103 120 and other standards, UTF-16.
//
// Reading order: etsi.go (the format), record.go (one record).
package etsi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/build"
)

// Format is the reader of retained data after TS 102 657.
func Format() dump.Format {
	return dump.Format{
		Name: "etsi", Version: "1", About: "retained data delivered as XML (ETSI TS 102 657)",
		Match: func(_ string, head []byte) bool {
			b := bytes.TrimLeft(head, "\xef\xbb\xbf \t\r\n")
			return len(b) > 0 && b[0] == '<' && (bytes.Contains(b, []byte("RetainedDataMessage")) || bytes.Contains(b, []byte("retainedDataHeader")) || bytes.Contains(b, []byte("ResponseRecord>")))
		},
		Stream: func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
			return Read(ctx, r, sink, 0)
		},
		Row: readRow,
	}
}

const (
	recordName = "ResponseRecord"
	headSize   = 64 << 10
)

func table() *dump.Table { return &dump.Table{Name: "etsi_record", Columns: columns} }

// Read reads a delivery and hands its records to sink. segment is how many bytes are read at a
// time; 0: 1 MiB.
func Read(ctx context.Context, r io.Reader, sink dump.Sink, segment int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	head, err := io.ReadAll(io.LimitReader(r, headSize))
	if err != nil {
		return err
	}
	before := head
	if i := bytes.Index(head, []byte(recordName)); i >= 0 {
		before = head[:max(0, bytes.LastIndexByte(head[:i], '<'))]
	}
	if len(bytes.TrimSpace(before)) > 0 {
		if err := sink.Statement(dump.Statement{Text: before}); err != nil {
			return err
		}
	}
	rows := build.New(sink, table())
	err = build.Elements(ctx, io.MultiReader(bytes.NewReader(head), r), recordName, segment, 0, func(e build.Element) error {
		if e.Damage == "" {
			rows.Begin(e.Offset)
			err := put(rows, e.Text)
			if err == nil {
				return rows.End()
			}
			rows.Cancel()
			e.Damage, e.Length = err.Error(), int64(len(e.Text))
		}
		return rows.Damage(e.Offset, e.Length, 1, e.Damage)
	})
	if err != nil {
		return err
	}
	if rows.Next() == 1 {
		return sink.Damage(dump.Damage{Reason: "the delivery holds no record"})
	}
	return rows.Flush()
}

func readRow(ctx context.Context, src dump.Sealed, _ string, _, offset int64) (dump.Found, error) {
	var found dump.Found
	stop := errors.New("found")
	err := build.Elements(ctx, io.NewSectionReader(src.At, offset, src.Size-offset), recordName, 64<<10, 0, func(e build.Element) error {
		if e.Damage != "" || e.Offset != 0 {
			return fmt.Errorf("no record begins at offset %d %s", offset, e.Damage)
		}
		var err error
		text := append(bytes.Clone(e.Text), '\n')
		if found, err = build.One(table(), text, func(r *build.Rows) error { r.Begin(offset); return put(r, e.Text) }); err != nil {
			return err
		}
		return stop
	})
	if err == stop {
		return found, nil
	} else if err == nil {
		err = fmt.Errorf("no record begins at offset %d", offset)
	}
	return dump.Found{}, err
}
