// Package inflate decompresses deflate streams (RFC 1951) and gzip files (RFC 1952).
//
// Why not a library: gzip is what most dumps come in, decompressing is a third of the work of
// adding one, and the libraries for Go take a byte of input at a time. This takes eight, and
// decodes up to three literals or a whole match from them, in half their time. The tests hold
// every output and every fault against the standard library's.
//
// The price is reading ahead: unlike the libraries, a [Reader] takes more from its source than
// its stream has.
//
// Streams are hostile: a match reaches back into this stream only, an incomplete or
// oversubscribed code is refused, and nothing is handed out that rests on bits behind the
// input's end. Memory is what [NewReader] allocates, whatever the stream says.
//
// Reading order: inflate.go (blocks), table.go (codes), gzip.go.
package inflate

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	history   = 32 << 10  // bytes that a match can reach back
	batch     = 128 << 10 // bytes that are decoded before they are handed out
	overrun   = 258 + 16  // bytes that one turn can write behind a batch
	inputSize = 256 << 10
	turn      = 24 // bytes that one turn can load
	padding   = 32 // zeros behind the input's end, for the turns there
)

// CorruptError says that a stream is not one, and about where, in bytes from the beginning of
// the packed input.
type CorruptError struct {
	Offset int64
	What   string
}

func (e *CorruptError) Error() string { return fmt.Sprintf("%s at its byte %d", e.What, e.Offset) }

// Reader decompresses one stream. It is used by one goroutine.
type Reader struct {
	src  io.Reader
	gone error // with what src ended; nil: there may be more

	in       []byte // in[pos:end] was read and not yet loaded; zeros are behind it
	pos, end int
	safe     int   // up to this place a turn loads nothing from behind end
	base     int64 // offset of in[0]
	bits     uint64
	n        uint // how many bits hold; higher ones are those of in[pos:]

	out      []byte
	low      int // where the stream begins in out, or out does
	from, to int // what is decoded and not yet handed out
	err      error

	step   func(*Reader) error // what comes next: sets err at the end
	last   bool                // the current block is the last
	left   int                 // bytes of a stored block
	fixed  bool                // the tables hold the fixed codes
	litlen [litlenSize]entry
	dist   [distSize]entry
}

// NewReader decompresses what r gives.
func NewReader(r io.Reader) *Reader {
	d := &Reader{src: r, in: make([]byte, inputSize+padding), out: make([]byte, history+batch+overrun), safe: -1}
	d.begin()
	return d
}

// begin is the beginning of a stream.
func (d *Reader) begin() {
	d.low, d.from, d.to = history, history, history
	d.step, d.last, d.err = (*Reader).header, false, nil
}

// Read gives decompressed bytes. Behind the last good one it returns io.EOF, or
// io.ErrUnexpectedEOF where the input is cut, a [CorruptError], or the source's error.
func (d *Reader) Read(p []byte) (int, error) {
	for d.from == d.to {
		if d.err != nil {
			return 0, d.err
		}
		if d.to >= history+batch {
			shift := d.to - history
			copy(d.out, d.out[shift:d.to])
			d.low = max(0, d.low-shift)
			d.from, d.to = history, history
		}
		for d.err == nil && d.to < history+batch {
			d.err = d.step(d)
		}
	}
	n := copy(p, d.out[d.from:d.to])
	d.from += n
	return n, nil
}

// used is how many bytes of in the bits taken so far lie in.
func (d *Reader) used() int { return d.pos - int(d.n>>3) }

// corrupt is the error that the stream is not one here; bits behind the input's end say nothing.
func (d *Reader) corrupt(what string) error {
	if err := d.short(); err != nil {
		return err
	}
	return &CorruptError{d.base + int64(d.used()), what}
}

// short is the error that bits were taken from behind the input's end; nil: none were.
func (d *Reader) short() error {
	switch {
	case d.used() <= d.end:
		return nil
	case d.gone == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return d.gone
}

// more has the next turn find what it loads. At the input's end that is padding, and taking
// from it an error, which the next call gives.
func (d *Reader) more() error {
	if d.gone != nil {
		return d.short()
	}
	used := d.used() // what is loaded may be given back
	d.base += int64(used)
	d.end = copy(d.in, d.in[used:d.end])
	d.pos -= used
	for d.end < d.pos+turn && d.gone == nil {
		var n int
		n, d.gone = d.src.Read(d.in[d.end:inputSize])
		d.end += n
	}
	d.safe = d.end - turn
	clear(d.in[d.end : d.end+padding])
	return nil
}

// load makes 56 bits or more ready.
func (d *Reader) load() error {
	if d.pos > d.safe {
		if err := d.more(); err != nil {
			return err
		}
	}
	d.bits |= binary.LittleEndian.Uint64(d.in[d.pos:]) << (d.n & 63)
	d.pos += int((63 - d.n) >> 3)
	d.n |= 56
	return nil
}

func (d *Reader) take(n uint) int {
	v := d.bits & (1<<n - 1)
	d.bits >>= n
	d.n -= n
	return int(v)
}

// align gives back what is loaded, but for the rest of a byte that is begun.
func (d *Reader) align() error {
	d.pos = d.used()
	d.bits, d.n = 0, 0
	return d.short()
}

// header reads the beginning of a block.
func (d *Reader) header() error {
	if d.last {
		if err := d.align(); err != nil {
			return err
		}
		return io.EOF
	}
	if err := d.load(); err != nil {
		return err
	}
	d.last = d.take(1) == 1
	switch d.take(2) {
	case 0:
		return d.storedHeader()
	case 1:
		d.step = (*Reader).coded
		if !d.fixed {
			d.fixed = true
			build(d.litlen[:], litlenBits, fixedLitlen[:], litlenEntry)
			build(d.dist[:], distBits, fixedDist[:], distEntry)
		}
		return nil
	case 2:
		d.step = (*Reader).coded
		d.fixed = false
		return d.codes()
	}
	return d.corrupt("a block of no kind")
}

func (d *Reader) storedHeader() error {
	if err := d.align(); err != nil {
		return err
	}
	if err := d.load(); err != nil {
		return err
	}
	size, not := d.take(16), d.take(16)
	if size^not != 0xffff {
		return d.corrupt("a stored block without a length")
	}
	d.left, d.step = size, (*Reader).stored
	return d.align()
}

// stored hands on the bytes of a stored block.
func (d *Reader) stored() error {
	if d.left == 0 {
		d.step = (*Reader).header
		return nil
	}
	if d.pos == d.end {
		if d.gone == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if d.gone != nil {
			return d.gone
		}
		if err := d.more(); err != nil {
			return err
		}
	}
	n := copy(d.out[d.to:min(d.to+d.left, len(d.out))], d.in[d.pos:d.end])
	d.pos, d.to, d.left = d.pos+n, d.to+n, d.left-n
	return nil
}

// coded decodes a block, up to its end or until a batch is full. One turn of its loop takes
// up to three literals, or up to two and a match: 42 bits at most before the match's
// distance, and 28 for that.
func (d *Reader) coded() error {
	in, out, litlen, dist := d.in, d.out, &d.litlen, &d.dist
	pos, bits, n, to, safe := d.pos, d.bits, d.n, d.to, d.safe
	sure := to // what is decoded from bits that are there
	ended, wrong := false, ""
	var err error
	for to < history+batch {
		if pos > safe {
			d.pos, d.n = pos, n
			if err = d.more(); err != nil {
				break
			}
			pos, safe = d.pos, d.safe
		}
		sure = to
		bits |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
		pos += int((63 - n) >> 3)
		n |= 56
		e := litlen[bits&(1<<litlenBits-1)]
		if e&literal != 0 {
			bits >>= e & 63
			n -= uint(e & 63)
			out[to] = byte(e >> 16)
			to++
			if pos > safe {
				continue // at the input's end one at a time
			}
			e = litlen[bits&(1<<litlenBits-1)]
			if e&literal != 0 {
				bits >>= e & 63
				n -= uint(e & 63)
				out[to] = byte(e >> 16)
				to++
				e = litlen[bits&(1<<litlenBits-1)]
				if e&literal != 0 {
					bits >>= e & 63
					n -= uint(e & 63)
					out[to] = byte(e >> 16)
					to++
					continue
				}
			}
		}
		if e&subtable != 0 {
			bits >>= litlenBits
			n -= litlenBits
			e = litlen[uint64(e>>16)+bits&(1<<(e>>8&15)-1)]
			if e&literal != 0 {
				bits >>= e & 63
				n -= uint(e & 63)
				out[to] = byte(e >> 16)
				to++
				continue
			}
		}
		if e&(endOfBlock|noCode) != 0 {
			bits >>= e & 63
			n -= uint(e & 63)
			if ended = e&endOfBlock != 0; !ended {
				wrong = "bits that are no code"
			}
			break
		}
		length := int(e>>16) + int(bits&(1<<(e&63)-1)>>(e>>8&15))
		bits >>= e & 63
		n -= uint(e & 63)

		bits |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
		pos += int((63 - n) >> 3)
		n |= 56
		e = dist[bits&(1<<distBits-1)]
		if e&subtable != 0 {
			bits >>= distBits
			n -= distBits
			e = dist[uint64(e>>16)+bits&(1<<(e>>8&15)-1)]
		}
		back := int(e>>16) + int(bits&(1<<(e&63)-1)>>(e>>8&15))
		bits >>= e & 63
		n -= uint(e & 63)
		if e&noCode != 0 {
			wrong = "bits that are no code"
			break
		}
		from, end := to-back, to+length
		if from < d.low {
			wrong = "a match from before the beginning"
			break
		}
		if back >= 8 { // eight at a time, and some behind the end
			for ; to < end; to, from = to+8, from+8 {
				binary.LittleEndian.PutUint64(out[to:], binary.LittleEndian.Uint64(out[from:]))
			}
		} else {
			for ; to < end; to, from = to+1, from+1 {
				out[to] = out[from]
			}
		}
		to = end
	}
	d.pos, d.bits, d.n, d.to = pos, bits, n, to
	if err == nil {
		err = d.short()
	}
	switch {
	case err != nil:
		d.to = sure
	case wrong != "":
		err = d.corrupt(wrong)
	case ended:
		d.step = (*Reader).header
	}
	return err
}
