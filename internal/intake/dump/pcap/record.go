package pcap

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"time"

	"github.com/gopacket/gopacket/layers"
)

// The marks of captures (IETF draft-ietf-opsawg-pcap and -pcapng).
const (
	magicMicro   = 0xa1b2c3d4
	magicNano    = 0xa1b23c4d
	blockSection = 0x0a0d0d0a
	sectionOrder = 0x1a2b3c4d

	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6

	maxPacket = 1 << 20 // the longest record that is believed
)

// packet is one captured packet.
type packet struct {
	offset int64 // of its record
	length int64 // of its record
	at     int   // where data begins in the record
	time   time.Time
	link   layers.LinkType
	data   []byte // valid until the next one is asked for
	cut    bool   // the capture kept only its beginning
}

// records gives a capture's packets.
type records struct {
	ctx    context.Context
	r      *bufio.Reader
	offset int64
	order  binary.ByteOrder
	ng     bool
	nano   bool
	link   layers.LinkType
	faces  []face // of the section, pcapng
	last   time.Time
}

// face is an interface of a section.
type face struct {
	link layers.LinkType
	per  uint64 // units a second
	skew int64  // seconds to add
}

func newRecords(ctx context.Context, r io.Reader) *records {
	return &records{ctx: ctx, r: bufio.NewReaderSize(r, maxPacket+64)}
}

// each gives each packet, and each stretch that is no record: partial is the packet that the
// file's end cuts, where there is one.
func (rec *records) each(yield func(packet) error, damage func(offset, length int64, partial *packet, why string) error) error {
	if err := rec.ctx.Err(); err != nil {
		return err
	}
	head, err := rec.peek(24)
	if err != nil {
		return err
	}
	var ok bool
	if rec.order, rec.ng, ok = fileHeader(head); !ok {
		return damage(0, int64(len(head)), nil, "the file does not begin as a capture does")
	}
	if !rec.ng {
		rec.nano = rec.order.Uint32(head) == magicNano
		rec.link = layers.LinkType(rec.order.Uint32(head[20:]) & 0xffff)
		rec.skip(24)
	}
	for n := 0; ; n++ {
		if n%1024 == 0 {
			if err := rec.ctx.Err(); err != nil {
				return err
			}
		}
		buf, err := rec.peek(16)
		if err != nil {
			return err
		}
		if len(buf) == 0 {
			return nil
		}
		size := rec.size(buf)
		if size > 0 {
			if buf, err = rec.peek(size); err != nil {
				return err
			}
			if len(buf) < size { // the file's last record
				var partial *packet
				if p, ok := rec.parse(buf); ok {
					p.offset, p.length = rec.offset, int64(len(buf))
					partial = &p
				}
				start := rec.offset
				rec.skip(len(buf))
				return damage(start, rec.offset-start, partial, "the file ends inside a packet's record")
			}
		}
		if size == 0 || !rec.sound(buf) {
			if err := rec.resync(damage); err != nil {
				return err
			}
			continue
		}
		if p, ok := rec.parse(buf); ok {
			p.offset, p.length = rec.offset, int64(size)
			rec.last = p.time
			if err := yield(p); err != nil {
				return err
			}
		}
		rec.skip(size)
	}
}

// peek gives the next n bytes without going on; fewer at the file's end.
func (rec *records) peek(n int) ([]byte, error) {
	b, err := rec.r.Peek(n)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

func (rec *records) skip(n int) {
	n, _ = rec.r.Discard(n) // only what was peeked is discarded
	rec.offset += int64(n)
}

// size gives the length of the record that begins with b; 0 when it cannot be.
func (rec *records) size(b []byte) int {
	if len(b) < 8 {
		return 16 // cut
	}
	if rec.ng {
		n := rec.order.Uint32(b[4:])
		if rec.order.Uint32(b) == blockSection && len(b) >= 12 {
			if order, _, ok := fileHeader(append(b[:12:12], make([]byte, 12)...)); ok {
				n = order.Uint32(b[4:])
			}
		}
		if n < 12 || n%4 != 0 || n > maxPacket {
			return 0
		}
		return int(n)
	}
	if len(b) < 16 {
		return 16
	}
	n := rec.order.Uint32(b[8:])
	if fraction := rec.order.Uint32(b[4:]); n > maxPacket-16 || !rec.nano && fraction >= 1e6 || fraction >= 1e9 {
		return 0
	}
	return 16 + int(n)
}

// sound checks what a whole record says of itself twice.
func (rec *records) sound(b []byte) bool {
	if !rec.ng {
		return true
	}
	if rec.order.Uint32(b) == blockSection {
		order, _, ok := fileHeader(append(b[:12:12], make([]byte, 12)...))
		if !ok {
			return false
		}
		rec.order, rec.faces = order, nil
	}
	return rec.order.Uint32(b[len(b)-4:]) == rec.order.Uint32(b[4:])
}

// resync goes on to the next place where a record and the beginning of another, or the file's
// end, follow each other.
func (rec *records) resync(damage func(int64, int64, *packet, string) error) error {
	start := rec.offset
	rec.skip(1)
	for n := 0; ; n++ {
		if n%4096 == 0 {
			if err := rec.ctx.Err(); err != nil {
				return err
			}
		}
		b, err := rec.peek(16)
		if err != nil {
			return err
		}
		if len(b) < 16 {
			rec.skip(len(b))
			break
		}
		if size := rec.size(b); size > 0 && rec.plausible(b) {
			if b, err = rec.peek(min(size+16, maxPacket+64)); err != nil {
				return err
			}
			if len(b) >= size && (len(b) == size || len(b) == size+16 && rec.size(b[size:]) > 0 && rec.plausible(b[size:])) && rec.soundAt(b[:size]) {
				break
			}
		}
		rec.skip(1)
	}
	return damage(start, rec.offset-start, nil, "no packet's record can be read here")
}

// plausible reports whether a record may begin with b, more strictly than size does.
func (rec *records) plausible(b []byte) bool {
	if rec.ng {
		switch rec.order.Uint32(b) {
		case blockSection, blockInterface, blockPacket, blockSimple, blockEnhanced, 4, 5, 10: // names, statistics, secrets
			return true
		}
		return false
	}
	at := time.Unix(int64(rec.order.Uint32(b)), 0)
	captured, original := rec.order.Uint32(b[8:]), rec.order.Uint32(b[12:])
	return captured > 0 && captured <= original && original <= maxPacket && (rec.last.IsZero() || at.Sub(rec.last).Abs() < 30*24*time.Hour)
}

// soundAt is sound without taking over a section's byte order.
func (rec *records) soundAt(b []byte) bool {
	order, faces := rec.order, rec.faces
	ok := rec.sound(b)
	rec.order, rec.faces = order, faces
	return ok
}

// parse gives the packet of a record, which may be cut. A block that describes an interface
// is taken note of.
func (rec *records) parse(b []byte) (packet, bool) {
	if !rec.ng {
		if len(b) < 16 {
			return packet{}, false
		}
		n := int(rec.order.Uint32(b[8:]))
		fraction := int64(rec.order.Uint32(b[4:]))
		if !rec.nano {
			fraction *= 1000
		}
		p := packet{at: 16, time: time.Unix(int64(rec.order.Uint32(b)), fraction), link: rec.link, data: b[16:]}
		if n < len(p.data) {
			p.data = p.data[:n]
		}
		p.cut = n < int(rec.order.Uint32(b[12:])) || len(p.data) < n
		return p, rec.size(b) > 0
	}
	if len(b) < 12 {
		return packet{}, false
	}
	whole := int(rec.order.Uint32(b[4:]))
	body := b[8:]
	if whole >= 12 && whole <= len(b) {
		body = b[8 : whole-4]
	}
	u32 := func(i int) uint32 {
		if len(body) < i+4 {
			return 0
		}
		return rec.order.Uint32(body[i:])
	}
	data := func(i int, captured, original uint32) (packet, bool) {
		if len(body) < i {
			return packet{}, false
		}
		p := packet{at: 8 + i, data: body[i:]}
		if int64(captured) < int64(len(p.data)) {
			p.data = p.data[:captured]
		}
		p.cut = captured < original || len(p.data) < int(captured)
		return p, true
	}
	switch rec.order.Uint32(b) {
	case blockInterface:
		if len(body) >= 8 {
			rec.faces = append(rec.faces, rec.face(body))
		}
	case blockEnhanced, blockPacket:
		id := u32(0)
		if rec.order.Uint32(b) == blockPacket && len(body) >= 2 {
			id = uint32(rec.order.Uint16(body))
		}
		p, ok := data(20, u32(12), u32(16))
		if !ok || int64(id) >= int64(len(rec.faces)) {
			return packet{}, false
		}
		f := rec.faces[id]
		p.link, p.time = f.link, f.at(uint64(u32(4))<<32|uint64(u32(8)))
		return p, true
	case blockSimple:
		if len(rec.faces) > 0 {
			original := u32(0)
			p, ok := data(4, min(original, uint32(max(0, len(body)-4))), original)
			p.link, p.time = rec.faces[0].link, time.Time{}
			return p, ok
		}
	}
	return packet{}, false
}

// face reads an interface's description.
func (rec *records) face(body []byte) face {
	f := face{link: layers.LinkType(rec.order.Uint16(body)), per: 1e6}
	for opt := body[8:]; len(opt) >= 4; {
		code, n := rec.order.Uint16(opt), int(rec.order.Uint16(opt[2:]))
		if len(opt) < 4+n {
			break
		}
		v := opt[4 : 4+n]
		switch {
		case code == 9 && n >= 1: // if_tsresol
			base, exponent := uint64(10), v[0]
			if v[0]&0x80 != 0 {
				base, exponent = 2, v[0]&0x7f
			}
			f.per = 1
			for range min(exponent, 62) {
				if f.per > 1<<62/base {
					break
				}
				f.per *= base
			}
		case code == 14 && n >= 8: // if_tsoffset
			f.skew = int64(rec.order.Uint64(v))
		}
		opt = opt[min(len(opt), 4+(n+3)/4*4):]
	}
	return f
}

// at gives the time of a count of units.
func (f face) at(units uint64) time.Time {
	rest := units % f.per
	return time.Unix(int64(units/f.per)+f.skew, int64(float64(rest)/float64(f.per)*1e9+0.5))
}
