package inflate

import (
	"hash/crc32"
	"io"
)

// Gzip decompresses a gzip file: one member or several, one behind the other.
type Gzip struct {
	d    *Reader
	sum  uint32 // CRC-32 and length of the member so far
	size uint32
	err  error
}

// NewGzip decompresses what r gives; an error says that it does not begin as a gzip file does.
func NewGzip(r io.Reader) (*Gzip, error) {
	g := &Gzip{d: NewReader(r)}
	return g, g.header()
}

// Read gives decompressed bytes, and behind them what [Reader.Read] gives; a [CorruptError]
// also where a member's checksum or length does not agree, and where what comes behind a
// member is no other one.
func (g *Gzip) Read(p []byte) (int, error) {
	for g.err == nil {
		n, err := g.d.Read(p)
		g.sum = crc32.Update(g.sum, crc32.IEEETable, p[:n])
		g.size += uint32(n)
		if n > 0 || err == nil {
			return n, nil
		}
		if g.err = err; err == io.EOF {
			g.err = g.next()
		}
	}
	return 0, g.err
}

// next checks the end of a member and begins the one behind it; io.EOF: there is none.
func (g *Gzip) next() error {
	d := g.d
	if err := d.load(); err != nil {
		return err
	}
	sum := uint32(d.take(32))
	if err := d.load(); err != nil {
		return err
	}
	size := uint32(d.take(32))
	if sum != g.sum || size != g.size {
		return d.corrupt("a checksum or length that does not agree")
	}
	if err := d.align(); err != nil {
		return err
	}
	if d.pos == d.end && d.gone == nil {
		if err := d.more(); err != nil {
			return err
		}
	}
	if d.pos == d.end {
		return d.gone
	}
	g.sum, g.size = 0, 0
	d.begin()
	return g.header()
}

// header reads what is before a member's content. The names and the comment in it are passed
// over: the packed file keeps them.
func (g *Gzip) header() error {
	d := g.d
	crc := uint32(0)
	get := func() (byte, error) {
		if err := d.load(); err != nil {
			return 0, err
		}
		b := byte(d.take(8))
		crc = crc32.Update(crc, crc32.IEEETable, []byte{b})
		return b, d.short()
	}
	const wrong = "no gzip header"
	var h [10]byte
	for i := range h {
		b, err := get()
		if err != nil {
			return err
		}
		h[i] = b
	}
	if h[0] != 0x1f || h[1] != 0x8b || h[2] != 8 {
		return d.corrupt(wrong)
	}
	flags := h[3]
	skip := 0 // the extra field
	if flags&4 != 0 {
		low, err := get()
		if err != nil {
			return err
		}
		high, err := get()
		if err != nil {
			return err
		}
		skip = int(high)<<8 | int(low)
	}
	for range skip {
		if _, err := get(); err != nil {
			return err
		}
	}
	for _, text := range []byte{8, 16} { // a name, a comment: up to a zero
		for flags&text != 0 {
			b, err := get()
			if err != nil {
				return err
			}
			if b == 0 {
				break
			}
		}
	}
	if flags&2 != 0 { // a checksum of the header
		want := crc & 0xffff
		low, err := get()
		if err != nil {
			return err
		}
		high, err := get()
		if err != nil {
			return err
		}
		if want != uint32(high)<<8|uint32(low) {
			return d.corrupt(wrong)
		}
	}
	return d.align()
}
