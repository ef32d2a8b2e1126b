package pgdump

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// An archive is a header, a table of contents and then data blocks, each naming its entry and
// holding chunks of one compressed stream (PostgreSQL's pg_backup_archiver.c, ReadHead and
// ReadToc, and pg_backup_custom.c).

const magic = "PGDMP"

// blockShift is where an offset in an archive holds the number of the data block, from 1;
// below it is the place in the block's uncompressed data.
const blockShift = 40

type compression byte

const (
	uncompressed compression = iota
	gzipped
	lz4ed
	zstded
)

// archive reads the parts of an archive from a stream.
type archive struct {
	r         *bufio.Reader
	n         int64 // bytes read
	err       error // of the stream itself
	version   int   // 16 for 1.16
	intSize   int
	offSize   int
	algorithm compression
	dumper    string // version of pg_dump
}

// entry is one entry of the table of contents.
type entry struct {
	id                            int
	hasData                       bool
	tag, desc, defn, copy, schema string
	offset                        int64 // of defn in the file
	seen                          bool  // its data was found
}

var errCorrupt = errors.New("the archive is corrupt")

func (a *archive) byte() (byte, error) {
	b, err := a.r.ReadByte()
	if err != nil {
		return 0, a.fail(err)
	}
	a.n++
	return b, nil
}

// fail notes an error of the stream; its end is the archive's fault.
func (a *archive) fail(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return io.ErrUnexpectedEOF
	}
	a.err = err
	return err
}

// int reads an integer: a sign, then the digits, lowest first.
func (a *archive) int() (int, error) {
	sign, err := a.byte()
	if err != nil {
		return 0, err
	}
	v := 0
	for i := range a.intSize {
		b, err := a.byte()
		if err != nil {
			return 0, err
		}
		if b != 0 && i > 3 || i == 3 && b > 0x7f {
			return 0, errCorrupt
		}
		v |= int(b) << (8 * i)
	}
	if sign != 0 {
		v = -v
	}
	return v, nil
}

// string reads a string; a null one is empty and false.
func (a *archive) string() (string, bool, error) {
	n, err := a.int()
	if err != nil || n < 0 {
		return "", false, err
	}
	var b bytes.Buffer // grows with what is there, not with what is promised
	got, err := io.CopyN(&b, a.r, int64(n))
	a.n += got
	if err != nil {
		return "", false, a.fail(err)
	}
	return b.String(), true, nil
}

// head reads the header.
func (a *archive) head() error {
	var head [11]byte
	n, err := io.ReadFull(a.r, head[:])
	a.n += int64(n)
	if err != nil {
		return a.fail(err)
	}
	if string(head[:5]) != magic {
		return fmt.Errorf("%w: it does not begin with %s", errCorrupt, magic)
	}
	a.version, a.intSize, a.offSize = int(head[6]), int(head[8]), int(head[9])
	if head[5] != 1 || a.version < 10 || a.version > 16 {
		return fmt.Errorf("archive version %d.%d is not one this program reads (1.10 to 1.16): write it as text with pg_restore -f", head[5], a.version)
	}
	if a.intSize < 1 || a.intSize > 8 || a.offSize < 1 || a.offSize > 8 || head[10] != 1 {
		return errCorrupt
	}
	if a.version >= 15 {
		b, err := a.byte()
		if err != nil {
			return err
		}
		a.algorithm = compression(b)
	} else if level, err := a.int(); err != nil {
		return err
	} else if level != 0 {
		a.algorithm = gzipped
	}
	for range 7 { // when it was made
		if _, err := a.int(); err != nil {
			return err
		}
	}
	for range 3 { // database, version of the server, version of pg_dump
		if a.dumper, _, err = a.string(); err != nil {
			return err
		}
	}
	return nil
}

// entry reads one entry.
func (a *archive) entry() (e *entry, err error) {
	e = &entry{}
	str := func(to *string) {
		if err == nil {
			*to, _, err = a.string()
		}
	}
	num := func() (n int) {
		if err == nil {
			n, err = a.int()
		}
		return n
	}
	var skip string
	e.id = num()
	e.hasData = num() != 0
	str(&skip)
	str(&skip)
	str(&e.tag)
	str(&e.desc)
	if a.version >= 11 {
		num() // section
	}
	e.offset = a.n + int64(a.intSize) + 1
	str(&e.defn)
	str(&skip) // how to drop it
	str(&e.copy)
	str(&e.schema)
	str(&skip) // tablespace
	if a.version >= 14 {
		str(&skip) // access method
	}
	if a.version >= 16 {
		num() // kind of relation
	}
	str(&skip) // owner
	str(&skip) // with oids
	for more := true; more && err == nil; {
		_, more, err = a.string() // what it depends on
	}
	for range 1 + a.offSize { // where its data lies
		if err == nil {
			_, err = a.byte()
		}
	}
	return e, err
}

// chunks reads the chunks of one data block.
type chunks struct {
	a    *archive
	left int
	done bool
	err  error
}

func (c *chunks) Read(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.left == 0 && !c.done {
		n, err := c.a.int()
		if err == nil && n < 0 {
			err = errCorrupt
		}
		if c.err = err; err != nil {
			return 0, err
		}
		c.left, c.done = n, n == 0
	}
	if c.done {
		return 0, io.EOF
	}
	n, err := c.a.r.Read(b[:min(len(b), c.left)])
	c.a.n += int64(n)
	c.left -= n
	if err != nil {
		err = c.a.fail(err)
		c.err = err
	}
	return n, err
}

// drain reads to the end of the block.
func (c *chunks) drain() error {
	_, err := io.Copy(io.Discard, c)
	return err
}

// soft ends at an error and keeps it.
type soft struct {
	r   io.Reader
	n   int64
	err error
}

func (s *soft) Read(b []byte) (int, error) {
	if s.err != nil {
		return 0, io.EOF
	}
	n, err := s.r.Read(b)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err, err = err, io.EOF
	}
	return n, err
}

// open gives a block's uncompressed data.
func (a *archive) open(c *chunks) (*soft, func()) {
	s, end := &soft{r: c}, func() {}
	switch a.algorithm {
	case uncompressed:
	case gzipped:
		z, err := zlib.NewReader(c)
		if err == io.EOF { // a table without rows may have no stream
			return s, end
		}
		if s.r, s.err = z, err; err != nil {
			return s, end
		}
	case lz4ed:
		s.r = lz4.NewReader(c)
	case zstded:
		z, err := zstd.NewReader(c, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if s.err = err; err != nil {
			return s, end
		}
		s.r, end = z, z.Close
	default:
		s.err = fmt.Errorf("compression %d is not one this program knows", a.algorithm)
	}
	return s, end
}

// contents reads the header and the table of contents, and hands the definitions on.
func (a *archive) contents(p *reader) (map[int]*entry, []*entry, error) {
	if err := a.head(); err != nil {
		return nil, nil, err
	}
	n, err := a.int()
	if err != nil || n < 0 {
		return nil, nil, errors.Join(errCorrupt, err)
	}
	byID, list := map[int]*entry{}, []*entry(nil)
	for i := range n {
		if i%1024 == 0 {
			if err := p.Ctx.Err(); err != nil {
				return nil, nil, err
			}
		}
		e, err := a.entry()
		if err != nil {
			return nil, nil, err
		}
		byID[e.id] = e
		list = append(list, e)
		if text := bytes.TrimSpace([]byte(e.defn)); len(text) > 0 && e.desc != "BLOB METADATA" {
			p.schema = e.schema // of unqualified names, in old archives
			if err := p.other(text, e.offset); err != nil {
				return nil, nil, &sinkError{err}
			}
		}
	}
	return byID, list, nil
}

// sinkError is an error of the sink, not of the archive.
type sinkError struct{ error }

func (e *sinkError) Unwrap() error { return e.error }

// ReadCustom reads an archive from r and hands what it finds to sink.
func ReadCustom(ctx context.Context, r io.Reader, sink dump.Sink, opt Options) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := newReader(ctx, nil, sink, opt)
	a := &archive{r: bufio.NewReaderSize(r, 256<<10)}
	byID, list, err := a.contents(p)
	if err != nil {
		var bySink *sinkError
		if a.err != nil || errors.As(err, &bySink) || ctx.Err() != nil || a.intSize == 0 || a.version < 10 || a.version > 16 {
			return err
		}
		return sink.Damage(dump.Damage{Offset: a.n, Reason: "the archive's table of contents cannot be read to its end: " + err.Error()})
	}
	for block := int64(1); ; block++ {
		start := a.n
		more, err := a.block(p, byID, block)
		if err != nil && (a.err != nil || ctx.Err() != nil) {
			return errors.Join(a.err, ctx.Err())
		}
		var bySink *sinkError
		if errors.As(err, &bySink) {
			return bySink.error
		}
		if err != nil {
			if err := sink.Damage(dump.Damage{Offset: a.n, Reason: fmt.Sprintf("the archive cannot be read behind its data block at %d: %v", start, err)}); err != nil {
				return err
			}
			break
		}
		if !more {
			break
		}
	}
	for _, e := range list {
		if e.hasData && !e.seen {
			if err := sink.Damage(dump.Damage{Offset: a.n, Reason: fmt.Sprintf("the archive lacks the data of %s %q", e.desc, e.tag)}); err != nil {
				return err
			}
		}
	}
	return p.all()
}

// block reads one data block; false at the end of the archive.
func (a *archive) block(p *reader, byID map[int]*entry, number int64) (more bool, err error) {
	kind, err := a.byte()
	if err != nil {
		if a.err == nil {
			return false, nil // the end of the file
		}
		return false, err
	}
	id, err := a.int()
	if err != nil {
		return false, err
	}
	e := byID[id]
	if e == nil || kind != 1 && kind != 3 {
		return false, errCorrupt
	}
	e.seen = true
	if kind == 3 {
		return a.largeObjects(p, e)
	}
	c := &chunks{a: a}
	src, end := a.open(c)
	defer end()
	if err := p.data(e, src, number<<blockShift); err != nil {
		return false, &sinkError{err}
	}
	if src.err != nil && a.err == nil {
		reason := fmt.Sprintf("the data of %q breaks off: %v", e.tag, src.err)
		if err := p.Sink.Damage(dump.Damage{Offset: number<<blockShift + src.n, Reason: reason}); err != nil {
			return false, &sinkError{err}
		}
	}
	return true, c.drain()
}

// begin sets the reader to the beginning of a block's data.
func (p *reader) begin(e *entry, src *soft, base int64) error {
	p.Restart(src, base)
	p.st = atStatement
	p.schema, p.head = e.schema, nil
	if e.copy == "" { // pg_dump --inserts
		return nil
	}
	h, why := copyHead(bytes.TrimSpace([]byte(e.copy)))
	if why != "" {
		return errors.New(why)
	}
	if h.schema == "" {
		h.schema = e.schema
	}
	if err := p.useTable(h, 0); err != nil {
		return err
	}
	p.st, p.lines = atCopy, false
	return nil
}

// data reads the rows of one block.
func (p *reader) data(e *entry, src *soft, base int64) error {
	if err := p.begin(e, src, base); err != nil {
		return p.Sink.Damage(dump.Damage{Offset: base, Reason: fmt.Sprintf("the data of %q: %v", e.tag, err)})
	}
	if err := p.run(); err != nil {
		return err
	}
	return p.endData()
}

// largeObjects passes over the large objects, and says so.
func (a *archive) largeObjects(p *reader, e *entry) (more bool, err error) {
	start := a.n
	for count := int64(0); ; count++ {
		oid, err := a.int()
		if err != nil {
			return false, err
		}
		if oid == 0 {
			d := dump.Damage{Offset: start, Length: a.n - start, Reason: fmt.Sprintf("%d large objects of the archive are not kept", count)}
			if err := p.Sink.Damage(d); err != nil {
				return false, &sinkError{err}
			}
			return true, nil
		}
		if err := (&chunks{a: a}).drain(); err != nil {
			return false, err
		}
	}
}

// nowhere is a sink that takes everything.
type nowhere struct{}

func (nowhere) Rows(*dump.Batch) error         { return nil }
func (nowhere) Damage(dump.Damage) error       { return nil }
func (nowhere) Statement(dump.Statement) error { return nil }

// findCustomRow reads the one row of an archive that begins at offset.
func findCustomRow(ctx context.Context, sealed dump.Sealed, table string, offset int64) (dump.Found, error) {
	p := newReader(ctx, nil, nowhere{}, Options{})
	a := &archive{r: bufio.NewReaderSize(io.NewSectionReader(sealed.At, 0, sealed.Size), 256<<10)}
	byID, _, err := a.contents(p)
	if err != nil {
		return dump.Found{}, err
	}
	wanted, place := offset>>blockShift, offset&(1<<blockShift-1)
	for number := int64(1); ; number++ {
		if err := ctx.Err(); err != nil {
			return dump.Found{}, err
		}
		kind, err := a.byte()
		if err != nil {
			return dump.Found{}, fmt.Errorf("the archive has no data block %d: %w", wanted, err)
		}
		if kind == 3 {
			if _, err := a.int(); err != nil {
				return dump.Found{}, err
			}
			if _, err := a.largeObjects(p, nil); err != nil {
				return dump.Found{}, err
			}
			continue
		}
		id, err := a.int()
		if err != nil {
			return dump.Found{}, err
		}
		e := byID[id]
		if e == nil || kind != 1 {
			return dump.Found{}, errCorrupt
		}
		c := &chunks{a: a}
		if number < wanted {
			if err := c.drain(); err != nil {
				return dump.Found{}, err
			}
			continue
		}
		src, end := a.open(c)
		defer end()
		return p.rowIn(e, src, place, table)
	}
}

// columns are those of the table of a head.
func (p *reader) columns(h head, e *entry) []dump.Column {
	if h.schema == "" {
		h.schema = e.schema
	}
	if t := p.tables[p.key(h.schema, h.name)]; t != nil {
		return t.Columns
	}
	return nil
}

// rowIn reads the row at a place of a block's data.
func (p *reader) rowIn(e *entry, src *soft, place int64, table string) (dump.Found, error) {
	const back = 1 << 20 // the head of an INSERT stands within this
	keep := min(place, back)
	if _, err := io.CopyN(io.Discard, src, place-keep); err != nil {
		return dump.Found{}, fmt.Errorf("the data of %q ends before the row: %w", e.tag, err)
	}
	var buf bytes.Buffer
	for size := keep + 64<<10; ; size *= 8 {
		n, err := io.CopyN(&buf, src, size)
		if err != nil && err != io.EOF {
			return dump.Found{}, err
		}
		at := bytes.NewReader(buf.Bytes())
		var found dump.Found
		if e.copy != "" {
			h, why := copyHead(bytes.TrimSpace([]byte(e.copy)))
			if why != "" {
				return dump.Found{}, errors.New(why)
			}
			found, err = rowAt(at, keep, true, p.std, h, p.columns(h, e))
		} else {
			var h head
			var where int64
			if h, where, err = headBefore(at, at.Size(), "INSERT INTO ", table, keep); err == nil && where < 0 {
				err = fmt.Errorf("no INSERT stands before place %d of the data of %q", place, e.tag)
			}
			if err == nil {
				found, err = rowAt(at, keep, false, p.std, h, p.columns(h, e))
			}
		}
		if err == nil || n < size || size >= dump.MaxSegment {
			return found, err
		}
	}
}
