// Package segment is what readers of SQL text share: a source that is read segment by segment,
// and the few questions that are asked of its bytes.
//
// A reader embeds a [Reader], and scans Buf from Pos on. What a segment cuts is carried over
// into the next, so memory is bounded by the segment, or by the longest row or statement where
// that is longer. A batch is what one segment holds of one table; its text is the segment
// itself, which is written to again when all its batches were released.
package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// Options bound a reading.
type Options struct {
	Segment int // bytes read at a time; 0: 16 MiB
	MaxRow  int // longest row or statement; 0: 128 MiB
}

// MaxFields is how many fields a batch has before it is handed on: 32 MiB of them.
const MaxFields = 1 << 22

// ErrMore is returned by scanners that reach the end of the segment.
var ErrMore = errors.New("segment ends")

// Reader is where a reading stands.
type Reader struct {
	Ctx  context.Context
	Src  io.Reader
	Sink dump.Sink
	Opt  Options

	Buf   []byte // the segment
	Base  int64  // source offset of Buf[0]
	Pos   int    // everything before it in Buf is dealt with
	EOF   bool
	Batch *dump.Batch // of the rows found in this segment; nil: none yet

	text  *text
	texts chan *text      // to be written to again
	cells chan dump.Batch // rows and fields to be written to again
}

// text is the memory of a segment.
type text struct {
	bytes []byte
	users atomic.Int32 // its batches that are not released, and the reader
}

// New makes a reader of src, which may be set later.
func New(ctx context.Context, src io.Reader, sink dump.Sink, opt Options) Reader {
	if opt.Segment <= 0 {
		opt.Segment = 16 << 20
	}
	if opt.MaxRow <= 0 {
		opt.MaxRow = 128 << 20
	}
	opt.MaxRow = min(opt.MaxRow, dump.MaxSegment-opt.Segment)
	spare := runtime.GOMAXPROCS(0) + 2 // as many as are with a sink's workers at a time
	return Reader{Ctx: ctx, Src: src, Sink: sink, Opt: opt, texts: make(chan *text, spare), cells: make(chan dump.Batch, spare)}
}

// Restart begins with another source, or another part of it, whose first byte is at base.
func (r *Reader) Restart(src io.Reader, base int64) {
	r.Src, r.Buf, r.Pos, r.Base, r.EOF = src, nil, 0, base, false
}

// Run reads to the end of the source: each segment is scanned, and what it gave handed on.
// tooLong is told when what begins at Pos has become longer than it may, and must then look
// for the next readable place.
func (r *Reader) Run(scan func() error, tooLong func(reason string)) error {
	for {
		if err := r.Ctx.Err(); err != nil {
			return err
		}
		if len(r.Buf)-r.Pos > r.Opt.MaxRow {
			tooLong(fmt.Sprintf("a row or statement is longer than %d bytes", r.Opt.MaxRow))
		}
		if err := r.fill(); err != nil {
			return err
		}
		if err := scan(); err != nil {
			return err
		}
		if err := r.Flush(); err != nil {
			return err
		}
		if r.EOF {
			return nil
		}
	}
}

// fill makes a new segment: what the last one left over, and new bytes behind it.
func (r *Reader) fill() error {
	left := r.Buf[r.Pos:]
	size := len(left) + max(r.Opt.Segment, len(left))
	next := r.memory(size)
	n := copy(next.bytes, left)
	r.Base += int64(r.Pos)
	r.Pos = 0
	m, err := io.ReadFull(r.Src, next.bytes[n:size])
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		r.EOF = true
		err = nil
	}
	r.release(r.text)
	r.text, r.Buf = next, next.bytes[:n+m]
	return err
}

// memory gives size bytes, for the reader to use.
func (r *Reader) memory(size int) *text {
	var t *text
	select {
	case t = <-r.texts:
	default:
	}
	if t == nil || len(t.bytes) < size {
		t = &text{bytes: make([]byte, size+r.Opt.Segment/16)} // the next may have a little more left over
	}
	t.users.Store(1)
	return t
}

// release says that one user of a segment is done with it.
func (r *Reader) release(t *text) {
	if t == nil || t.users.Add(-1) > 0 || len(t.bytes) > 2*r.Opt.Segment {
		return
	}
	select {
	case r.texts <- t:
	default:
	}
}

// Open gives the batch that the next row goes to, of ordinal next in table t. length is about
// how many bytes its rows have.
func (r *Reader) Open(t *dump.Table, next int64, length int) *dump.Batch {
	if r.Batch == nil {
		b := dump.Batch{}
		select {
		case b = <-r.cells:
		default:
			if guess := (len(r.Buf) - r.Pos) / length; guess > 64 {
				b.Rows = make([]dump.Row, 0, guess)
				b.Fields = make([]dump.Field, 0, min(MaxFields+MaxFields/8, guess*len(t.Columns)))
			}
		}
		b.Table, b.FirstRow = t, next
		r.Batch = &b
	}
	return r.Batch
}

// Flush hands the batch to the sink.
func (r *Reader) Flush() error {
	b := r.Batch
	r.Batch = nil
	if b == nil || len(b.Rows) == 0 {
		return nil
	}
	b.Text = r.Buf
	text := r.text
	text.users.Add(1)
	b.Release = func() {
		select {
		case r.cells <- dump.Batch{Rows: b.Rows[:0], Fields: b.Fields[:0]}:
		default:
		}
		*b = dump.Batch{}
		r.release(text)
	}
	return r.Sink.Rows(b)
}

// IsSpace reports whether c is white space between the words of a dump.
func IsSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// SkipSpace is the place of the next byte from i on that is not white space.
func SkipSpace(b []byte, i int) int {
	for i < len(b) && IsSpace(b[i]) {
		i++
	}
	return i
}

// BehindComma reports whether the parenthesis at i follows a row and a comma.
func BehindComma(b []byte, i int) bool {
	k := i - 1
	for k >= 0 && IsSpace(b[k]) {
		k--
	}
	return k >= 1 && b[k] == ',' && b[k-1] == ')'
}

// BehindRow reports whether what follows a row that ends at i is what should.
func BehindRow(b []byte, i int) bool {
	i = SkipSpace(b, i)
	return i == len(b) || b[i] == ',' || b[i] == ';'
}

// HasPrefixFold is bytes.HasPrefix whatever the case of letters.
func HasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(string(b[:len(prefix)]), prefix)
}

// Clip is what a message shows of b.
func Clip(b []byte) []byte { return b[:min(len(b), 40)] }
