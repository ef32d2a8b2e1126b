package container

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strings"

	"github.com/bodgit/sevenzip"
	"github.com/ulikunitz/xz/lzma"
)

// sevenZip goes through a 7z file in the order of its directory. Members that were packed
// together (a solid archive) are decompressed in one go; so a limit that one of them reaches
// ends the others behind it too.
func (r *Reader) sevenZip() func() (Member, func() (io.Reader, error), error) {
	var z *sevenzip.Reader
	var streams []string
	var passed []int64       // of each stream: how far it was decompressed
	var starts, ends []int64 // of each member in its stream; of each stream
	i, last, unfinished := 0, -1, 0
	// The library keeps a decompressor for each stream that was not read to its end.
	const mostUnfinished = 16
	return func() (Member, func() (io.Reader, error), error) {
		if z == nil || unfinished > mostUnfinished {
			var err error
			if z == nil {
				streams, err = sevenZipStreams(r.file, r.size, r.budget.Limits.Members)
			}
			if err != nil {
				return Member{}, nil, err
			}
			done := r.file.read.Load()
			if z, err = sevenzip.NewReader(r.file, r.size); err != nil {
				return Member{}, nil, errors.New(strings.TrimPrefix(err.Error(), "sevenzip: "))
			}
			if i == 0 {
				done, passed = 0, make([]int64, len(streams))
				starts, ends = layOut(z.File, len(streams))
			}
			r.file.read.Store(done) // the directory is not progress
			unfinished = 0
		}
		if i == len(z.File) {
			return Member{}, nil, io.EOF
		}
		f := z.File[i]
		i++
		start := starts[i-1]
		m := Member{Name: f.Name, Size: int64(min(f.UncompressedSize, 1<<61)), Packed: -1, Modified: f.Modified}
		switch mode := f.Mode(); {
		case mode.IsDir():
			return m, nil, nil
		case !mode.IsRegular():
			m.Refused = "is a link or a device"
		case start < 0:
			m.Refused = "has no content in the container"
		case m.Size > 0:
			m.Refused = streams[f.Stream]
		}
		return m, func() (io.Reader, error) {
			r.packed = func() int64 { return r.size } // what one member takes of a stream cannot be told
			if m.Size == 0 {
				return strings.NewReader(""), nil
			}
			// Members that were not handed out are decompressed on the way to this one.
			if skipped := start - passed[f.Stream]; skipped > 0 {
				if err := r.used(int(skipped), skipped); err != nil {
					return nil, err
				}
			}
			if last >= 0 && last != f.Stream && passed[last] < ends[last] {
				unfinished++
			}
			last, passed[f.Stream] = f.Stream, start
			c, err := f.Open()
			if err != nil {
				return nil, err
			}
			return &checked{c: c, left: m.Size, passed: &passed[f.Stream], sum: crc32.NewIEEE(), want: f.CRC32}, nil
		}, nil
	}
}

// layOut is where each member begins in its stream (-1: its stream is not there), and how
// long the streams are.
func layOut(files []*sevenzip.File, streams int) (starts, ends []int64) {
	starts, ends = make([]int64, len(files)), make([]int64, streams)
	for i, f := range files {
		size := int64(min(f.UncompressedSize, 1<<61))
		switch {
		case size == 0:
		case f.Stream >= streams, ends[f.Stream] > 1<<61:
			starts[i] = -1
		default:
			starts[i] = ends[f.Stream]
			ends[f.Stream] += size
		}
	}
	return starts, ends
}

// checked reads a member to its end, and compares its length and CRC.
type checked struct {
	c      io.ReadCloser
	left   int64
	passed *int64 // of its stream
	sum    hash.Hash32
	want   uint32 // 0: none is given
}

func (c *checked) Close() error { return c.c.Close() }

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.c.Read(p)
	c.left -= int64(n)
	*c.passed += int64(n)
	c.sum.Write(p[:n])
	switch {
	case err == io.EOF && c.left > 0:
		err = errShort
	case err == io.EOF && c.want != 0 && c.want != c.sum.Sum32():
		err = errors.New("its checksum is wrong")
	}
	return n, err
}

// sevenZipStreams walks through a 7z file's directory before the library reads it: the
// library makes room for as many entries as a count in it says, and its decompressors as much
// memory as their properties say. It gives for each stream why it cannot be decompressed;
// empty: it can. The layout is in 7zFormat.txt of the LZMA SDK.
func sevenZipStreams(f io.ReaderAt, size int64, members int) ([]string, error) {
	var start [32]byte
	if _, err := f.ReadAt(start[:], 0); err != nil {
		return nil, errShort
	}
	offset, length := binary.LittleEndian.Uint64(start[12:]), binary.LittleEndian.Uint64(start[20:])
	if length == 0 {
		return nil, nil // an empty archive
	}
	most := uint64(members)*512 + 1<<20
	if offset > uint64(size) || length > uint64(size) || 32+offset+length > uint64(size) {
		return nil, errShort
	}
	if length > most {
		return nil, errors.New("its directory is too long")
	}
	text := make([]byte, length)
	if _, err := f.ReadAt(text, int64(32+offset)); err != nil && err != io.EOF {
		return nil, err
	}
	w := &walk{b: text, most: uint64(members) + 1}
	switch w.byte() {
	case 1: // Header
	case 0x17: // EncodedHeader: the directory itself is packed
		packed := w.streamsInfo()
		if w.err != nil {
			return nil, w.err
		}
		if len(packed) != 1 {
			return nil, errDirectory
		}
		p := packed[0]
		if p.why != "" {
			return nil, errors.New("its directory " + p.why)
		}
		if p.unpacked > most || p.offset > uint64(size) || p.size > uint64(size) {
			return nil, errors.New("its directory is too long")
		}
		in := io.NewSectionReader(f, int64(32+p.offset), int64(p.size))
		text, err := p.unpackDirectory(in)
		if err != nil {
			return nil, err
		}
		if w = (&walk{b: text, most: w.most}); w.byte() != 1 {
			return nil, errDirectory
		}
	default:
		return nil, errDirectory
	}
	var why []string
	id := w.byte()
	if id == 4 { // MainStreamsInfo
		for _, s := range w.streamsInfo() {
			why = append(why, s.why)
		}
		id = w.byte()
	}
	if id == 5 { // FilesInfo: all its lists are as long as this number
		w.count()
	} else if id != 0 {
		return nil, errDirectory
	}
	return why, w.err
}

var errDirectory = errors.New("its directory cannot be read")

// packedStream is what is told of one stream (7z: folder) before it is decompressed.
type packedStream struct {
	offset, size, unpacked uint64
	coders                 int
	method                 string
	properties             []byte
	why                    string
}

// unpackDirectory decompresses a packed directory, which is one stream by LZMA or LZMA2.
func (p packedStream) unpackDirectory(in io.Reader) (text []byte, err error) {
	var out io.Reader
	switch {
	case p.coders != 1:
		return nil, errDirectory
	case p.method == "\x00":
		out = in
	case p.method == "\x03\x01\x01" && len(p.properties) == 5:
		head := binary.LittleEndian.AppendUint64(bytes.Clone(p.properties), p.unpacked)
		out, err = lzma.NewReader(io.MultiReader(bytes.NewReader(head), in))
	case p.method == "\x21" && len(p.properties) == 1:
		out, err = lzma.Reader2Config{DictCap: max(lzma.MinDictCap, int(min(p.unpacked, maxWindow)))}.NewReader2(in)
	default:
		return nil, errDirectory
	}
	if err != nil {
		return nil, fmt.Errorf("its directory: %w", err)
	}
	text = make([]byte, p.unpacked)
	if _, err := io.ReadFull(out, text); err != nil {
		return nil, fmt.Errorf("its directory: %w", err)
	}
	return text, nil
}

// walk reads the bytes of a directory. After an error everything reads as 0.
type walk struct {
	b    []byte
	most uint64 // the largest count that is believed
	err  error
}

func (w *walk) bytes(n uint64) []byte {
	if w.err == nil && n > uint64(len(w.b)) {
		w.err = errDirectory
	}
	if w.err != nil {
		return nil
	}
	b := w.b[:n]
	w.b = w.b[n:]
	return b
}

func (w *walk) byte() byte {
	if b := w.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// number reads 7z's variable-length number: as many bytes follow the first as it has leading ones.
func (w *walk) number() uint64 {
	first := w.byte()
	value, mask := uint64(0), byte(0x80)
	for i := 0; i < 8; i++ {
		if first&mask == 0 {
			return value | uint64(first&(mask-1))<<(8*i)
		}
		value |= uint64(w.byte()) << (8 * i)
		mask >>= 1
	}
	return value
}

// count is a number of entries.
func (w *walk) count() int {
	n := w.number()
	if n > w.most && w.err == nil {
		w.err = fmt.Errorf("its directory speaks of %d entries, more than it may have", n)
	}
	if w.err != nil {
		return 0
	}
	return int(n)
}

// digests passes over a list of n checksums, not all of which need be there.
func (w *walk) digests(n int) {
	defined := n
	if w.byte() == 0 {
		defined = 0
		for i, b := range w.bytes(uint64(n+7) / 8) {
			for bit := range min(8, n-8*i) {
				defined += int(b >> (7 - bit) & 1)
			}
		}
	}
	w.bytes(4 * uint64(defined))
}

func (w *walk) streamsInfo() (streams []packedStream) {
	var sizes []uint64
	position := uint64(0)
	id := w.byte()
	if id == 6 { // PackInfo
		position = w.number()
		n := w.count()
		if id = w.byte(); id == 9 { // sizes
			for range n {
				sizes = append(sizes, w.number())
			}
			id = w.byte()
		}
		if id == 10 { // checksums
			w.digests(n)
			id = w.byte()
		}
		w.end(id)
		id = w.byte()
	}
	if id == 7 { // UnpackInfo
		if w.byte() != 11 { // Folder
			w.fail()
		}
		n := w.count()
		if w.byte() != 0 { // kept elsewhere
			w.fail()
		}
		var outs []int
		for range n {
			s, in, out := w.folder()
			s.offset = position
			for range in {
				if len(sizes) > 0 {
					s.size += sizes[0]
					position += sizes[0]
					sizes = sizes[1:]
				}
			}
			streams, outs = append(streams, s), append(outs, out)
			if w.err != nil {
				return nil
			}
		}
		if w.byte() != 12 { // sizes of what the coders give
			w.fail()
		}
		for i, out := range outs {
			for range out {
				streams[i].unpacked = w.number()
			}
		}
		if id = w.byte(); id == 10 {
			w.digests(n)
			id = w.byte()
		}
		w.end(id)
		id = w.byte()
	}
	if id == 8 { // SubStreamsInfo: how many members a stream has, and their sizes
		counts, total := make([]int, len(streams)), 0
		for i := range counts {
			counts[i] = 1
		}
		if id = w.byte(); id == 13 {
			for i := range counts {
				counts[i] = w.count()
			}
			id = w.byte()
		}
		for _, n := range counts {
			if total += n; uint64(total) > w.most {
				w.fail()
			}
		}
		if id == 9 {
			for _, n := range counts {
				for j := 1; j < n && w.err == nil; j++ { // the last one's is what is left
					w.number()
				}
			}
			id = w.byte()
		}
		if id == 10 {
			w.digests(total)
			id = w.byte()
		}
		w.end(id)
		id = w.byte()
	}
	w.end(id)
	return streams
}

// folder reads how one stream is packed, how many packed pieces it has, and how many sizes
// its coders have.
func (w *walk) folder() (s packedStream, in, out int) {
	const mostCoders = 32 // 7-Zip's own limit
	s.coders = w.count()
	for range s.coders {
		flags := w.byte()
		method := string(w.bytes(uint64(flags & 15)))
		ins, outs := 1, 1
		if flags&16 != 0 {
			ins, outs = w.count(), w.count()
		}
		var properties []byte
		if flags&32 != 0 {
			properties = w.bytes(w.number())
		}
		if in, out = in+ins, out+outs; s.coders > mostCoders || in > mostCoders || out > mostCoders || in < out {
			w.fail()
		}
		if w.err != nil {
			return s, 0, 0
		}
		s.method, s.properties = method, properties
		if why := coder(method, properties); why != "" {
			s.why = why
		}
	}
	for range 2 * (out - 1) { // pairs of coders that are bound
		w.number()
	}
	pieces := in - (out - 1)
	if pieces > 1 {
		for range pieces {
			w.number()
		}
	}
	return s, pieces, out
}

// coder tells why a stream packed by this method is not decompressed; empty: it is.
func coder(method string, properties []byte) string {
	memory := uint64(0)
	switch method {
	case "\x00", "\x03", "\x03\x03\x01\x03", "\x03\x03\x01\x1b", "\x03\x03\x02\x05", "\x03\x03\x05\x01", "\x03\x03\x08\x05", "\x0a", // copy, delta, filters of programs
		"\x04\x01\x08", "\x04\x02\x02": // deflate, bzip2
	case "\x03\x01\x01", "\x03\x04\x01": // LZMA, PPMd: one byte, and the memory
		if len(properties) == 5 {
			memory = uint64(binary.LittleEndian.Uint32(properties[1:]))
		}
	case "\x21": // LZMA2: (2 + odd bit) << (n/2 + 11)
		if len(properties) == 1 {
			memory = (2 + uint64(properties[0]&1)) << min(properties[0]/2+11, 60)
		}
	case "\x06\xf1\x07\x01":
		return errEncrypted
	default:
		return "is packed by a method this program does not know"
	}
	if memory > maxWindow {
		return "asks for a dictionary larger than 512 MiB"
	}
	return ""
}

func (w *walk) fail() {
	if w.err == nil {
		w.err = errDirectory
	}
}

// end wants the end of a list.
func (w *walk) end(id byte) {
	if id != 0 {
		w.fail()
	}
}
