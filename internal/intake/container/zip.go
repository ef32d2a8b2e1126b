package container

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/klauspost/compress/flate"
)

// zip goes through a zip file in the order of its directory.
func (r *Reader) zip() func() (Member, func() (io.Reader, error), error) {
	var z *zip.Reader
	var overlaps map[*zip.File]bool
	i := 0
	return func() (Member, func() (io.Reader, error), error) {
		if z == nil {
			var err error
			if z, err = openZip(r.file, r.size, r.budget.Limits.Members); err != nil {
				return Member{}, nil, err
			}
			overlaps = overlapping(z.File)
			r.file.read.Store(0) // the directory is not progress
		}
		if i == len(z.File) {
			return Member{}, nil, io.EOF
		}
		f := z.File[i]
		i++
		m := Member{Name: f.Name, Size: int64(min(f.UncompressedSize64, 1<<62)), Packed: int64(min(f.CompressedSize64, 1<<62)), Modified: f.Modified}
		mode := f.Mode()
		switch {
		case mode.IsDir():
			return m, nil, nil
		case !mode.IsRegular():
			m.Refused = "is a link or a device"
		case f.Flags&1 != 0 || f.Method == 99:
			m.Refused = errEncrypted
		case overlaps[f]:
			m.Refused = "lies where another member lies: the zip was made to deceive"
		}
		return m, func() (io.Reader, error) {
			r.packed = func() int64 { return m.Packed }
			c, err := f.Open()
			if errors.Is(err, zip.ErrAlgorithm) {
				return nil, errors.New("packed by a method this program does not know")
			}
			return c, err
		}, nil
	}
}

// openZip reads the directory of at most so many members.
func openZip(f *guard, size int64, members int) (*zip.Reader, error) {
	bounded := &directory{f: f, left: int64(members)*512 + 1<<20}
	z, err := zip.NewReader(bounded, size)
	if bounded.over {
		return nil, errors.New("its directory is too long")
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are checked by Next
		return nil, err
	}
	bounded.left = -1
	z.RegisterDecompressor(zip.Deflate, func(in io.Reader) io.ReadCloser { return flate.NewReader(in) })
	for method, kind := range map[uint16]Kind{12: Bzip2, 93: Zstd, 95: XZ} {
		z.RegisterDecompressor(method, func(in io.Reader) io.ReadCloser {
			d, err := decompressor(kind, bufio.NewReader(in))
			if err != nil {
				return io.NopCloser(failing{err})
			}
			if c, ok := d.(io.ReadCloser); ok {
				return c
			}
			return io.NopCloser(d)
		})
	}
	return z, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// directory bounds what is read before the members: the library keeps all of a directory in
// memory, whatever number of members its end says.
type directory struct {
	f    *guard
	left int64 // -1: it was read
	over bool
}

func (d *directory) ReadAt(p []byte, off int64) (int, error) {
	if d.left >= 0 {
		if d.left -= int64(len(p)); d.left < 0 {
			d.left, d.over = 0, true
			return 0, io.ErrUnexpectedEOF
		}
	}
	return d.f.ReadAt(p, off)
}

// overlapping finds the members that share bytes with another one: a small file can then
// expand without end though each member looks honest.
func overlapping(files []*zip.File) map[*zip.File]bool {
	type span struct {
		f          *zip.File
		start, end int64
	}
	var spans []span
	for _, f := range files {
		start, err := f.DataOffset()
		if err != nil || f.CompressedSize64 > 1<<62 {
			continue // opening it says so
		}
		spans = append(spans, span{f, start, start + int64(f.CompressedSize64)})
	}
	slices.SortStableFunc(spans, func(a, b span) int { return int(min(max(a.start-b.start, -1), 1)) })
	over := map[*zip.File]bool{}
	end := int64(0)
	for _, s := range spans {
		if s.start < end && s.end > s.start {
			over[s.f] = true
		}
		end = max(end, s.end)
	}
	return over
}

// IsDocument reports whether a zip's first bytes are those of a document or program that is
// one file to its user (Office, OpenDocument, EPUB, Java), though it is a zip inside.
func IsDocument(head []byte) bool {
	if len(head) < 30 || string(head[:4]) != "PK\x03\x04" {
		return false
	}
	name := head[30:min(len(head), 30+int(head[26])|int(head[27])<<8)]
	for _, sign := range []string{"[Content_Types].xml", "_rels/", "docProps/", "mimetype", "META-INF/", "AndroidManifest.xml"} {
		if bytes.HasPrefix(name, []byte(sign)) {
			return true
		}
	}
	return false
}
