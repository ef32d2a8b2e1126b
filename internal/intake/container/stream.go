package container

import (
	"bufio"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/unspoof/unspoof/internal/intake/ahead"
)

// maxWindow is the largest memory that a stream may ask its decompressor for: zstd --long=29.
const maxWindow = 512 << 20

// guard is the container's file. It counts what is read and remembers the machine's errors,
// so that they are never taken for the container's.
type guard struct {
	f      io.ReaderAt
	stream io.Reader // in place of f: it is read from its beginning to its end
	off    int64
	size   int64
	read   atomic.Int64
	err    atomic.Pointer[error]
}

func (g *guard) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 { // a container's lie, not the machine's fault
		return 0, errors.New("a place before the beginning")
	}
	if off >= g.size {
		return 0, io.EOF
	}
	return g.note(g.f.ReadAt(p, off))
}

func (g *guard) note(n int, err error) (int, error) {
	g.read.Add(int64(n))
	if err != nil && err != io.EOF {
		g.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (g *guard) Read(p []byte) (int, error) {
	if g.stream != nil {
		return g.note(g.stream.Read(p))
	}
	n, err := g.ReadAt(p, g.off)
	g.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// Seek is for tar, which passes over contents with it.
func (g *guard) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += g.off
	case io.SeekEnd:
		offset += g.size
	}
	if offset < 0 {
		return 0, errors.New("a place before the beginning")
	}
	if offset > g.off {
		g.read.Add(min(offset, g.size) - min(g.off, g.size))
	}
	g.off = offset
	return offset, nil
}

func (g *guard) failure() error {
	if err := g.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Content is a member's content, decompressed by a goroutine of its own ahead of its reader.
type Content struct {
	ahead *ahead.Reader
	fault error
}

// cutShort ends a content before its real end.
type cutShort struct{ why error }

func (e *cutShort) Error() string { return e.why.Error() }

func newContent(ctx context.Context, r *Reader, open func() (io.Reader, error)) *Content {
	start := r.file.read.Load()
	if r.kind != Zip && r.kind != Seven { // these say it when a member is opened
		r.packed = func() int64 { return r.file.read.Load() - start }
	}
	var src io.Reader
	var size int64
	fill := func(ctx context.Context, block []byte) (n int, err error) {
		if src == nil {
			if src, err = openSafe(open); err != nil {
				src = nil // not a decompressor that is none
			}
		}
		if err == nil {
			n, err = ahead.Fill(readerFunc(func(p []byte) (int, error) {
				n, err := readSafe(src, p)
				size += int64(n)
				if over := r.used(n, size); over != nil {
					return 0, over
				}
				if ctx.Err() != nil {
					err = ctx.Err()
				}
				return n, err
			}), block)
		}
		var limit *LimitError
		switch {
		case err == nil, err == io.EOF, ctx.Err() != nil:
		case errors.As(err, &limit):
			n = 0
		case r.file.failure() != nil:
			err = r.file.failure()
		case errors.Is(err, io.ErrUnexpectedEOF):
			err = &cutShort{errShort}
		default:
			err = &cutShort{errors.New(Printable(err.Error()))}
		}
		return n, err
	}
	return &Content{ahead: ahead.Start(ctx, fill, func() {
		if closer, ok := src.(io.Closer); ok {
			closer.Close()
		}
	})}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Read gives the decompressed bytes. It returns a [LimitError] when a limit is reached.
func (c *Content) Read(p []byte) (int, error) {
	n, err := c.ahead.Read(p)
	var short *cutShort
	if errors.As(err, &short) {
		c.fault, err = short.why, io.EOF
	}
	return n, err
}

// Fault says, once everything was read, why that is not the whole content; nil: it is.
func (c *Content) Fault() error { return c.fault }

func (c *Content) close() { c.ahead.Close() }

// openSafe is readSafe for the opening.
func openSafe(open func() (io.Reader, error)) (r io.Reader, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("it makes its decompressor fail: %v", e)
		}
	}()
	return open()
}

// readSafe turns a decompressor's panic on hostile bytes into an error.
func readSafe(r io.Reader, p []byte) (n int, err error) {
	defer func() {
		if e := recover(); e != nil {
			n, err = 0, fmt.Errorf("it makes its decompressor fail: %v", e)
		}
	}()
	return r.Read(p)
}

// single is a stream of one member.
func (r *Reader) single(name string) func() (Member, func() (io.Reader, error), error) {
	given := false
	return func() (Member, func() (io.Reader, error), error) {
		if given {
			return Member{}, nil, io.EOF
		}
		given = true
		in := bufio.NewReaderSize(r.file, 256<<10)
		return Member{Name: streamMember(name, r.kind), Size: -1, Packed: r.size}, func() (io.Reader, error) { return decompressor(r.kind, in) }, nil
	}
}

// streamMember names what is in a stream: its file's name without the ending.
func streamMember(name string, kind Kind) string {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	switch low := strings.ToLower(ext); {
	case stem == "" || stem == "." || stem == "..":
	case low == ".tgz" || low == ".tbz" || low == ".tbz2" || low == ".txz" || low == ".tzst":
		return stem + ".tar"
	case low == ".gz" || low == ".bz2" || low == ".xz" || low == ".zst" || low == ".zstd":
		return stem
	}
	return name + ".un" + string(kind)
}

// decompressor gives the stream's content.
func decompressor(kind Kind, in *bufio.Reader) (io.Reader, error) {
	switch kind {
	case Gzip:
		return gzip.NewReader(in)
	case Bzip2:
		return bzip2.NewReader(in), nil
	case XZ:
		if err := xzWindow(in); err != nil {
			return nil, err
		}
		return xz.NewReader(in)
	case Zstd:
		d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("no decompressor for %q", kind)
}

// xzWindow refuses a stream whose first block asks for a dictionary larger than maxWindow;
// the library would allocate what the header says.
func xzWindow(in *bufio.Reader) error {
	head, err := in.Peek(12 + 64)
	if err != nil && len(head) < 18 {
		return nil // too short for a block: the library says so
	}
	b := head[12:]
	flags, i := b[1], 2
	for range int(flags>>6&1 + flags>>7&1) { // the optional sizes
		for i < len(b) && b[i]&0x80 != 0 {
			i++
		}
		i++
	}
	for range int(flags&3) + 1 { // the filters: an id and as many bytes as it says
		if i+2 >= len(b) {
			return nil
		}
		if b[i] == 0x21 && b[i+1] == 1 && b[i+2] > 34 { // (2 + odd bit) << (n/2 + 11): 34 is 512 MiB
			return errors.New("it asks for a dictionary larger than 512 MiB")
		}
		i += 2 + int(b[i+1])
	}
	return nil
}
