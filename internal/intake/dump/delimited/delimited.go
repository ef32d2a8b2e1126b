// Package delimited reads character-separated tables (RFC 4180): a header line, then one
// record a row. It keeps exact bytes and offsets, which encoding/csv does not (that reader
// turns CR LF inside a quoted field into LF and skips blank records).
//
// What a file is, is told from its first 64 KiB ([Sniff]). The separator is whichever of
// comma, semicolon, tab and bar the first line holds most of outside quotes, or what a first
// line sep=X, as Excel writes it, says. A file whose first line clearly holds data (a time, a
// long number, an address, with the same in the second line) has no header; its columns are
// c1, c2, ... Text is UTF-8, or UTF-16 where the file begins with its mark, or, where the first
// 4 MiB are not UTF-8, Windows-1252 or -1251, whichever the runs of letters speak for.
//
// Every column is text; a field that is missing is null and an empty one is the empty
// string. A record with more or fewer fields than the header is damage, as is one whose
// quotes do not close: the reader then goes on at the next line.
//
// Files of known columns and no header (telephone exchanges' records) are read with a
// [Layout], by the readers that recognise them. There a column that is not text is null where
// the field is empty, and a record may lack its last columns.
//
// Of UTF-16 the offsets are those of the source, but a row read again is given in UTF-8.
//
// Reading order: delimited.go (the format, the stream), sniff.go (what a file is), record.go
// (one record), utf16.go.
package delimited

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// Format is the reader of CSV files. It takes files by their name's ending, so it is asked
// last.
func Format() dump.Format {
	return dump.Format{
		Name: "csv", Version: "3", About: "character-separated table, with or without a header line",
		Match: match,
		Stream: func(ctx context.Context, r io.Reader, name string, sink dump.Sink) error {
			return Read(ctx, r, sink, Options{Table: TableName(name)})
		},
		Row: func(_ context.Context, src dump.Sealed, _ string, _, offset int64) (dump.Found, error) {
			return ReadRow(src.At, nil, offset)
		},
	}
}

// match takes files by name; a .txt file only when its first lines have the same number of
// separators.
func match(name string, head []byte) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv", ".tsv", ".tab", ".psv":
		return true
	case ".txt":
		return Sniff(head).Columns > 1
	}
	return false
}

// TableName is a file's name without its ending.
func TableName(name string) string {
	base := filepath.Base(name)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// Options bound a reading and name the table.
type Options struct {
	Table   string  // name of the one table
	Layout  *Layout // nil: the file's header tells its columns
	Segment int     // bytes read at a time; 0: 16 MiB
	MaxRow  int     // longest record; 0: 64 MiB
}

const (
	headSize    = 64 << 10 // what Sniff looks at
	charsetSize = 4 << 20  // what the character set is told from
)

// Read reads a table from r and hands its rows to sink.
func Read(ctx context.Context, r io.Reader, sink dump.Sink, opt Options) error {
	if opt.Segment <= 0 {
		opt.Segment = 16 << 20
	}
	if opt.MaxRow <= 0 {
		opt.MaxRow = 64 << 20
	}
	opt.MaxRow = min(opt.MaxRow, dump.MaxSegment/2-opt.Segment)
	if err := ctx.Err(); err != nil {
		return err
	}
	start, err := io.ReadAll(io.LimitReader(r, charsetSize))
	if err != nil {
		return err
	}
	d := Sniff(start[:min(len(start), headSize)])
	if opt.Layout != nil {
		d.Header, d.Sep = false, opt.Layout.Sep
	}
	whole := io.MultiReader(bytes.NewReader(start), r)
	p := &reader{ctx: ctx, sink: sink, opt: opt, dialect: d, src: whole, next: 1}
	charset := dump.Charset("")
	if d.UTF16 != 0 {
		p.wide = newWideReader(whole, d.UTF16)
		p.src = p.wide
	} else {
		charset = charsetOf(start)
	}
	p.table = &dump.Table{Name: opt.Table, Charset: charset}
	if opt.Layout != nil {
		p.table.Columns = opt.Layout.Columns
	}
	return p.run()
}

type reader struct {
	ctx     context.Context
	sink    dump.Sink
	opt     Options
	dialect Dialect
	src     io.Reader
	wide    *wideReader // src, when the source is UTF-16

	buf  []byte
	pos  int // everything before it in buf is dealt with
	eof  bool
	mark int   // an index of buf
	at   int64 // and the source offset it has

	table *dump.Table
	ready bool // the columns are known
	next  int64
	batch *dump.Batch
	tmp   []dump.Field

	bad      bool // looking for the next line
	badStart int64
	badWhy   string
}

// offset gives the source offset of buf[i]; it is asked with rising i.
func (p *reader) offset(i int) int64 {
	if p.wide == nil {
		p.at += int64(i - p.mark)
	} else {
		p.at += 2 * units(p.buf[p.mark:i])
	}
	p.mark = i
	return p.at
}

func (p *reader) run() error {
	for first := true; ; first = false {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if err := p.fill(); err != nil {
			return err
		}
		if first {
			for len(p.buf) < 3 && !p.eof {
				if err := p.fill(); err != nil {
					return err
				}
			}
			if bytes.HasPrefix(p.buf, []byte("\xef\xbb\xbf")) {
				p.pos = 3
			}
		}
		p.batch = &dump.Batch{Table: p.table, Text: p.buf}
		for p.pos < len(p.buf) {
			more, err := p.record()
			if err != nil {
				return err
			}
			if more {
				break
			}
		}
		if err := p.flush(); err != nil {
			return err
		}
		if p.eof {
			return p.end()
		}
	}
}

// fill makes a new segment: what the last one left over, and new bytes behind it.
func (p *reader) fill() error {
	p.offset(p.pos)
	left := p.buf[p.pos:]
	buf := make([]byte, len(left), len(left)+max(p.opt.Segment, len(left)))
	copy(buf, left)
	n, err := io.ReadFull(p.src, buf[len(left):cap(buf)])
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		p.eof, err = true, nil
	}
	p.buf, p.pos, p.mark = buf[:len(left)+n], 0, 0
	return err
}

// end says what the end of the file leaves to be said.
func (p *reader) end() error {
	if p.bad {
		p.bad = false
		if err := p.damage(p.badStart, len(p.buf), p.badWhy); err != nil {
			return err
		}
	}
	if p.wide != nil && p.wide.invalid > 0 {
		return p.sink.Damage(dump.Damage{Table: p.table.Name, Row: p.next, Offset: p.offset(len(p.buf)),
			Reason: fmt.Sprintf("%d code units of the file are not valid UTF-16: U+FFFD stands for each", p.wide.invalid)})
	}
	if p.ready && p.dialect.Header && p.next == 1 { // a header line alone makes a table too
		if err := p.sink.Rows(&dump.Batch{Table: p.table, FirstRow: 1}); err != nil {
			return err
		}
	}
	if !p.ready || p.opt.Layout == nil && p.next == 1 {
		return p.sink.Damage(dump.Damage{Offset: p.offset(len(p.buf)), Reason: "the file holds no record"})
	}
	return nil
}

// record deals with the record at pos. more is true when it does not end in this segment.
func (p *reader) record() (more bool, err error) {
	if p.bad {
		return p.skipLine()
	}
	i := p.pos
	fields, end, scanErr := scanRecord(p.buf, i, p.dialect.Sep, p.lenient(), p.eof, p.tmp[:0])
	p.tmp = fields[:0]
	if scanErr == errMore {
		if len(p.buf)-i <= p.opt.MaxRow {
			return true, nil
		}
		scanErr = fmt.Errorf("the record is longer than %d bytes", p.opt.MaxRow)
	}
	if scanErr == nil {
		if len(fields) == 1 && len(fields[0].In(p.buf)) == 0 && p.buf[i] != '"' && (!p.ready || len(p.table.Columns) > 1) {
			p.pos = end // a blank line is no record
			return false, nil
		}
		if !p.ready {
			if p.header(fields) {
				p.pos = end
				return false, nil
			}
		}
		fields, scanErr = p.opt.Layout.fit(p.buf, fields, len(p.table.Columns))
		p.tmp = fields[:0]
	} else if !p.ready && p.dialect.Header {
		return false, fmt.Errorf("header line: %w", scanErr)
	}
	if scanErr != nil {
		if end <= i { // the record has no end: go on at the next line
			p.bad, p.badStart, p.badWhy = true, p.offset(i), scanErr.Error()
			return p.skipLine()
		}
		return false, p.damage(p.offset(i), end, scanErr.Error())
	}
	if len(p.batch.Rows) == 0 {
		p.batch.FirstRow = p.next
	}
	p.batch.Rows = append(p.batch.Rows, dump.Row{Offset: p.offset(i)})
	p.batch.Fields = append(p.batch.Fields, fields...)
	p.next++
	p.pos = end
	return false, nil
}

func (p *reader) lenient() bool { return p.opt.Layout != nil && p.opt.Layout.Lenient }

// header takes the columns from the first record, and reports whether that was a header.
func (p *reader) header(fields []dump.Field) bool {
	p.ready = true
	if p.opt.Layout != nil {
		return false
	}
	for i, f := range fields {
		c := dump.Column{Name: fmt.Sprintf("c%d", i+1), Kind: dump.Text, Declared: "csv"}
		if p.dialect.Header {
			v, _, _ := f.Value(p.buf, nil)
			if text, ok := p.table.Charset.Decode(v); ok {
				v = text
			}
			c.Name = string(bytes.TrimSpace(v))
		}
		p.table.Columns = append(p.table.Columns, c)
	}
	if p.dialect.ExcelSep && p.dialect.Header && len(fields) > 0 {
		if v := fields[0].In(p.buf); bytes.HasPrefix(bytes.ToLower(v), []byte("sep=")) {
			p.table.Columns, p.ready, p.dialect.ExcelSep = nil, false, false
		}
	}
	return p.dialect.Header || !p.ready
}

// skipLine goes on behind the line end of a damaged record.
func (p *reader) skipLine() (more bool, err error) {
	j := bytes.IndexByte(p.buf[p.pos:], '\n')
	if j < 0 && !p.eof {
		p.pos = len(p.buf)
		return true, nil
	}
	end := len(p.buf)
	if j >= 0 {
		end = p.pos + j + 1
	}
	p.bad = false
	return false, p.damage(p.badStart, end, p.badWhy)
}

// damage reports one record, from the source offset start to buf[end].
func (p *reader) damage(start int64, end int, why string) error {
	if err := p.flush(); err != nil {
		return err
	}
	d := dump.Damage{Table: p.table.Name, Row: p.next, Offset: start, Length: p.offset(end) - start, Rows: 1, Reason: why}
	p.next++
	p.pos = end
	return p.sink.Damage(d)
}

func (p *reader) flush() error {
	full := p.batch
	p.batch = &dump.Batch{Table: p.table, Text: p.buf}
	if full == nil || len(full.Rows) == 0 {
		return nil
	}
	return p.sink.Rows(full)
}

// ReadRow reads the one record that begins at offset: its text, in UTF-8 where the source is
// UTF-16, and its cells. layout is what the source was read with.
func ReadRow(r io.ReaderAt, layout *Layout, offset int64) (dump.Found, error) {
	head := make([]byte, headSize)
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return dump.Found{}, err
	}
	d := Sniff(head[:n])
	if layout != nil {
		d.Sep = layout.Sep
	}
	for size := 64 << 10; ; size *= 8 {
		buf := make([]byte, size)
		n, err := r.ReadAt(buf, offset)
		if err != nil && err != io.EOF {
			return dump.Found{}, err
		}
		eof := err == io.EOF
		if buf = buf[:n]; n == 0 {
			return dump.Found{}, errors.New("the offset is behind the end of the source")
		}
		if d.UTF16 != 0 {
			buf = decodeWide(buf, d.UTF16)
		}
		cells, next, scanErr := scanRecord(buf, 0, d.Sep, layout != nil && layout.Lenient, eof, nil)
		if scanErr == errMore && size < dump.MaxSegment/8 {
			continue
		}
		if scanErr == nil && layout != nil {
			cells, scanErr = layout.fit(buf, cells, len(layout.Columns))
		}
		if scanErr != nil {
			return dump.Found{}, fmt.Errorf("no record begins at offset %d: %w", offset, scanErr)
		}
		return dump.Found{Text: buf[:next], Cells: cells}, nil
	}
}

// charsetOf tells the character set of text that may be UTF-8.
func charsetOf(b []byte) dump.Charset {
	if cut := len(b) - utf8.UTFMax; cut > 0 && len(b) == charsetSize { // the last character may be cut
		b = b[:cut+validEnd(b[cut:])]
	}
	if utf8.Valid(b) {
		return ""
	}
	// Cyrillic words are runs of letters above 0xC0; accented letters of the west stand alone.
	alone, runs := 0, 0
	for i := 0; i < len(b); {
		j := i
		for j < len(b) && b[j] >= 0xC0 {
			j++
		}
		switch n := j - i; {
		case n == 0:
			i++
			continue
		case n <= 2:
			alone++
		default:
			runs++
		}
		i = j
	}
	if runs > alone {
		return "cp1251"
	}
	return "latin1"
}

// validEnd gives where the last whole character of a few bytes ends.
func validEnd(b []byte) int {
	for n := len(b); n > 0; n-- {
		if utf8.RuneStart(b[n-1]) {
			if utf8.FullRune(b[n-1:]) {
				return len(b)
			}
			return n - 1
		}
	}
	return len(b)
}
