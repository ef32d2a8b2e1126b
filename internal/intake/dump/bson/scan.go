package bson

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	mongo "go.mongodb.org/mongo-driver/v2/bson"
)

const maxDocument = 48 << 20

var (
	archiveMark = []byte{0x6d, 0xe2, 0x99, 0x81}
	terminator  = []byte{0xff, 0xff, 0xff, 0xff}
)

// document is one document of a file, or a damaged stretch of it.
type document struct {
	table    string
	text     []byte // valid until the next one is asked for
	offset   int64
	metadata bool   // it describes the archive
	end      bool   // no document: the collection's last was given
	damage   string // why it cannot be read; then also:
	length   int64
	rows     int64
}

type scanner struct {
	ctx     context.Context
	r       io.Reader
	segment int
	yield   func(document) error
	table   string
	buf     []byte
	base    int64 // source offset of buf[0]
	pos     int   // everything before it in buf is dealt with
	eof     bool
}

// scan gives each document of r.
func scan(ctx context.Context, r io.Reader, table string, segment int, yield func(document) error) error {
	if segment <= 0 {
		segment = 1 << 20
	}
	s := &scanner{ctx: ctx, r: r, segment: segment, yield: yield, table: table}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.need(4); err != nil {
		return err
	}
	if bytes.HasPrefix(s.buf, archiveMark) {
		s.pos = 4
		return s.archive()
	}
	for {
		if err := s.need(5); err != nil {
			return err
		}
		if s.pos == len(s.buf) {
			return nil
		}
		if err := s.document(); err != nil {
			return err
		}
	}
}

// need makes sure that n bytes are there behind pos, or the file's last.
func (s *scanner) need(n int) error {
	for len(s.buf)-s.pos < n && !s.eof {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		left := s.buf[s.pos:]
		buf := make([]byte, len(left), len(left)+max(s.segment, len(left)))
		copy(buf, left)
		s.base += int64(s.pos)
		s.pos = 0
		m, err := io.ReadFull(s.r, buf[len(left):cap(buf)])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			s.eof, err = true, nil
		}
		s.buf = buf[:len(left)+m]
		if err != nil {
			return err
		}
	}
	return nil
}

// document reads the document at pos.
func (s *scanner) document() error {
	n, why, err := s.whole()
	if err != nil {
		return err
	}
	start := s.base + int64(s.pos)
	if why == "" {
		d := document{table: s.table, text: s.buf[s.pos : s.pos+n], offset: start}
		s.pos += n
		return s.yield(d)
	}
	if n > 0 {
		// The length may be right and the content wrong: then a document or the end follows.
		if err := s.need(n + 5); err != nil {
			return err
		}
		if rest := s.buf[s.pos+n:]; len(rest) == 0 || bytes.HasPrefix(rest, terminator) || len(rest) > 4 && s.likely(rest) {
			s.pos += n
			return s.yield(document{table: s.table, offset: start, length: int64(n), rows: 1, damage: why})
		}
	}
	if err := s.resync(); err != nil {
		return err
	}
	return s.yield(document{table: s.table, offset: start, length: s.base + int64(s.pos) - start, rows: 1, damage: why})
}

// likely reports whether a document may begin with these bytes.
func (s *scanner) likely(b []byte) bool {
	n := binary.LittleEndian.Uint32(b)
	return n >= 5 && n <= maxDocument && (n == 5 && b[4] == 0 || b[4] > 0 && b[4] <= 0x13)
}

// whole reads on until the document at pos is there. n is its length where it has one that can
// be.
func (s *scanner) whole() (n int, why string, err error) {
	if len(s.buf)-s.pos < 5 {
		return 0, "the file ends inside a document", nil
	}
	n = int(binary.LittleEndian.Uint32(s.buf[s.pos:]))
	if n < 5 || n > maxDocument {
		return 0, fmt.Sprintf("a document of %d bytes cannot be", n), nil
	}
	if err := s.need(n); err != nil {
		return 0, "", err
	}
	if len(s.buf)-s.pos < n {
		return 0, "the file ends inside a document", nil
	}
	if err := validate(s.buf[s.pos : s.pos+n]); err != nil {
		return n, "the document is not well-formed: " + err.Error(), nil
	}
	return n, "", nil
}

// resync goes to the next whole document that begins with _id, or behind the last byte.
func (s *scanner) resync() error {
	id := []byte("_id\x00")
	at := 1 // behind pos
	for {
		j := bytes.Index(s.buf[min(s.pos+at, len(s.buf)):], id)
		if j < 0 {
			if s.eof {
				s.pos = len(s.buf)
				return nil
			}
			s.pos = max(s.pos, len(s.buf)-8) // the length, the type and a part of the name
			at = 0
			if err := s.need(len(s.buf) - s.pos + 1); err != nil {
				return err
			}
			continue
		}
		j += s.pos + at
		if start := j - 5; start > s.pos || start == s.pos && at == 0 {
			s.pos = start
			if _, why, err := s.whole(); err != nil || why == "" {
				return err
			}
			at = 6
			continue
		}
		at = j - s.pos + 1
	}
}

// archive reads what stands behind an archive's mark.
func (s *scanner) archive() error {
	s.table = ""
	blocks := false // behind the prelude
	closed := true
	for {
		if err := s.need(5); err != nil {
			return err
		}
		rest := s.buf[s.pos:]
		switch {
		case len(rest) == 0:
			if !blocks || !closed {
				return s.yield(document{offset: s.base + int64(len(s.buf)), damage: "the archive is cut: its last block does not end"})
			}
			return nil
		case bytes.HasPrefix(rest, terminator):
			s.pos += 4
			s.table, blocks, closed = "", true, true
			continue
		case s.table != "":
			if err := s.document(); err != nil {
				return err
			}
			continue
		}
		n, why, err := s.whole()
		if err != nil {
			return err
		}
		start := s.base + int64(s.pos)
		if why == "" && !blocks {
			d := document{text: s.buf[s.pos : s.pos+n], offset: start, metadata: true}
			s.pos += n
			if err := s.yield(d); err != nil {
				return err
			}
			continue
		}
		if why == "" {
			head := mongo.Raw(s.buf[s.pos : s.pos+n])
			db, ok1 := head.Lookup("db").StringValueOK()
			coll, ok2 := head.Lookup("collection").StringValueOK()
			if ok1 && ok2 {
				s.pos += n
				s.table, closed = db+"."+coll, false
				if last, ok := head.Lookup("EOF").BooleanOK(); ok && last {
					if err := s.yield(document{table: s.table, end: true, offset: start}); err != nil {
						return err
					}
				}
				continue
			}
			why = "a block of the archive names no collection"
		}
		// The documents of a block without a name belong to no table that is known.
		if err := s.toTerminator(); err != nil {
			return err
		}
		if err := s.yield(document{table: unknown, offset: start, length: s.base + int64(s.pos) - start, rows: 1, damage: why}); err != nil {
			return err
		}
	}
}

// unknown is the table of documents whose collection cannot be told.
const unknown = "%unknown"

// toTerminator goes to the end of the block.
func (s *scanner) toTerminator() error {
	for {
		if j := bytes.Index(s.buf[s.pos:], terminator); j >= 0 {
			s.pos += j
			return nil
		}
		if s.eof {
			s.pos = len(s.buf)
			return nil
		}
		s.pos = max(s.pos, len(s.buf)-3)
		if err := s.need(len(s.buf) - s.pos + 1); err != nil {
			return err
		}
	}
}
