package pcap

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// Bounds of what is put together.
const (
	maxDatagrams = 1024      // in fragments at a time
	maxStreams   = 4096      // TCP streams with a message begun
	maxStream    = 256 << 10 // bytes of one of them
	maxLost      = 1 << 18   // messages that never became whole and are told of one by one
)

// capture makes messages of packets.
type capture struct {
	give          func(*message) error
	datagramsOnly bool // for one packet alone: nothing is put together

	packets, messages, other, broken int64
	lost                             []dump.Damage

	parts     map[partKey]*parts
	partOrder []partKey
	streams   map[streamKey]*stream
	order     []streamKey
}

// partKey says which datagram a fragment belongs to.
type partKey struct {
	src, dst netip.Addr
	proto    uint8
	id       uint32
}

// parts are a datagram's fragments.
type parts struct {
	list   []part
	end    int // its length; -1: not known
	offset int64
	length int64
}

type part struct {
	at   int
	data []byte
}

// segment is what a datagram's IP header says, and what it carries.
type segment struct {
	packet
	src, dst netip.Addr
	proto    uint8
	payload  []byte
	whole    bool // it lies in one packet
}

func (c *capture) packet(p packet) error {
	c.packets++
	before := c.messages
	held, err := c.layers(p)
	if err == nil && c.messages == before && !held {
		c.other++
	}
	return err
}

// layers finds the innermost IP datagram of a packet. held is true when it is kept for later.
func (c *capture) layers(p packet) (held bool, err error) {
	first := gopacket.Decoder(p.link)
	if p.link == layers.LinkTypeRaw || p.link == 12 || p.link == 14 { // raw IP, by its several numbers
		first = layers.LayerTypeIPv4
		if len(p.data) > 0 && p.data[0]>>4 == 6 {
			first = layers.LayerTypeIPv6
		}
	}
	decoded := gopacket.NewPacket(p.data, first, gopacket.DecodeOptions{NoCopy: true})
	s := segment{packet: p, whole: true}
	var fragment *partKey
	at, more := 0, false
	for _, l := range decoded.Layers() {
		switch l := l.(type) {
		case *layers.IPv4:
			s.src, _ = netip.AddrFromSlice(l.SrcIP)
			s.dst, _ = netip.AddrFromSlice(l.DstIP)
			s.proto, s.payload, fragment = uint8(l.Protocol), l.Payload, nil
			if at, more = int(l.FragOffset)*8, l.Flags&layers.IPv4MoreFragments != 0; at > 0 || more {
				fragment = &partKey{s.src, s.dst, s.proto, uint32(l.Id)}
			}
		case *layers.IPv6:
			s.src, _ = netip.AddrFromSlice(l.SrcIP)
			s.dst, _ = netip.AddrFromSlice(l.DstIP)
			s.proto, s.payload, fragment = uint8(l.NextHeader), l.Payload, nil
		case *layers.IPv6Fragment:
			s.proto, s.payload = uint8(l.NextHeader), l.Payload
			if at, more = int(l.FragmentOffset)*8, l.MoreFragments; at > 0 || more {
				fragment = &partKey{s.src, s.dst, s.proto, l.Identification}
			}
		case *layers.UDP, *layers.TCP:
			if fragment == nil {
				return c.segment(s, l)
			}
		}
	}
	if fragment == nil || c.datagramsOnly || s.proto != uint8(layers.IPProtocolUDP) && s.proto != uint8(layers.IPProtocolTCP) {
		return false, nil
	}
	whole := c.fragment(*fragment, p, at, more, s.payload)
	if whole == nil {
		return true, nil
	}
	s.payload, s.whole = whole, false
	var next gopacket.LayerType = layers.LayerTypeUDP
	if s.proto == uint8(layers.IPProtocolTCP) {
		next = layers.LayerTypeTCP
	}
	for _, l := range gopacket.NewPacket(whole, next, gopacket.DecodeOptions{NoCopy: true}).Layers() {
		return c.segment(s, l)
	}
	return false, nil
}

// fragment keeps a fragment and gives its datagram when it is whole.
func (c *capture) fragment(key partKey, p packet, at int, more bool, data []byte) []byte {
	if c.parts == nil {
		c.parts = map[partKey]*parts{}
	}
	d := c.parts[key]
	if d == nil {
		if len(c.partOrder) >= maxDatagrams {
			c.dropParts(c.partOrder[0])
		}
		d = &parts{end: -1, offset: p.offset, length: p.length}
		c.parts[key] = d
		c.partOrder = append(c.partOrder, key)
	}
	if at == 0 {
		d.offset, d.length = p.offset, p.length
	}
	if at+len(data) <= 1<<16 && len(d.list) < 256 {
		d.list = append(d.list, part{at, bytes.Clone(data)})
	}
	if !more {
		d.end = at + len(data)
	}
	slices.SortStableFunc(d.list, func(a, b part) int { return a.at - b.at })
	have := 0
	for _, f := range d.list {
		if f.at > have {
			return nil
		}
		have = max(have, f.at+len(f.data))
	}
	if d.end < 0 || have < d.end {
		return nil
	}
	whole := make([]byte, have)
	for _, f := range slices.Backward(d.list) { // of an overlap the first that came counts
		copy(whole[f.at:], f.data)
	}
	delete(c.parts, key)
	c.partOrder = slices.DeleteFunc(c.partOrder, func(k partKey) bool { return k == key })
	return whole[:d.end]
}

// dropParts gives up on a datagram.
func (c *capture) dropParts(key partKey) {
	d := c.parts[key]
	delete(c.parts, key)
	c.partOrder = slices.DeleteFunc(c.partOrder, func(k partKey) bool { return k == key })
	c.broken++
	if len(d.list) > 0 && d.list[0].at == 0 && len(d.list[0].data) > 8 && startsSIP(d.list[0].data[8:]) {
		c.lose(d.offset, d.length, "fragments of this datagram are missing")
	}
}

func (c *capture) lose(offset, length int64, why string) {
	if len(c.lost) < maxLost {
		c.lost = append(c.lost, dump.Damage{Offset: offset, Length: length, Rows: 1, Reason: why})
	}
}

// segment takes a UDP datagram or a TCP segment.
func (c *capture) segment(s segment, l gopacket.Layer) (held bool, err error) {
	switch l := l.(type) {
	case *layers.UDP:
		if !startsSIP(l.Payload) {
			return false, nil
		}
		m := newMessage(s, "udp", uint16(l.SrcPort), uint16(l.DstPort), l.Payload)
		m.offset, m.cut = s.offset, s.cut
		c.messages++
		return false, c.give(m)
	case *layers.TCP:
		if c.datagramsOnly {
			return false, nil
		}
		return c.tcp(s, l)
	}
	return false, nil
}

// isSIP reports whether a packet that is no row carries the beginning of a message.
func (c *capture) isSIP(p packet) bool {
	some := false
	probe := &capture{datagramsOnly: true, give: func(*message) error { some = true; return nil }}
	_ = probe.packet(p) // give has no error
	return some
}

type streamKey struct {
	src, dst netip.AddrPort
}

// stream is a message that is not yet whole.
type stream struct {
	buf    []byte
	next   uint32
	offset int64 // of the packet it begins in
	length int64
}

// tcp takes a segment of a stream. A message begins where a segment does, or behind another.
func (c *capture) tcp(s segment, l *layers.TCP) (held bool, err error) {
	key := streamKey{netip.AddrPortFrom(s.src, uint16(l.SrcPort)), netip.AddrPortFrom(s.dst, uint16(l.DstPort))}
	payload := l.Payload
	st := c.streams[key]
	if len(payload) == 0 {
		if st != nil && (l.FIN || l.RST) {
			c.dropStream(key, "its connection ended before the message did")
		}
		return false, nil
	}
	base := payload
	if st != nil {
		switch ahead := int32(l.Seq - st.next); {
		case ahead > 0:
			c.dropStream(key, "a segment is missing behind this one")
			st = nil
		case int(-ahead) >= len(payload):
			return true, nil // sent again
		default:
			payload = payload[-ahead:]
		}
	}
	if st == nil {
		if !startsSIP(payload) {
			return false, nil
		}
		if c.streams == nil {
			c.streams = map[streamKey]*stream{}
		}
		if len(c.order) >= maxStreams {
			c.dropStream(c.order[0], "too many messages were begun at the same time")
		}
		st = &stream{offset: s.offset, length: s.length}
		c.streams[key] = st
		c.order = append(c.order, key)
	}
	carried := len(st.buf)
	// where gives the place in the file of st.buf[i], a byte this packet brought.
	where := func(i int) int64 {
		return s.offset + int64(s.at+inside(s.data, base)+len(base)-len(payload)+i-carried)
	}
	st.buf = append(st.buf, payload...)
	st.next = l.Seq + uint32(len(base))
	done := 0
	for k := 0; ; k++ {
		n := messageLength(st.buf[done:], s.cut)
		if n == 0 {
			break
		}
		m := newMessage(s, "tcp", uint16(l.SrcPort), uint16(l.DstPort), bytes.Clone(st.buf[done:done+n]))
		m.offset, m.cut = s.offset, s.cut
		if k > 0 { // its own first byte, in this packet
			m.offset = where(done)
		}
		c.messages++
		if err := c.give(m); err != nil {
			return false, err
		}
		done += n
	}
	if rest := st.buf[done:]; len(bytes.Trim(rest, "\r\n")) == 0 || !startsSIP(rest) && len(rest) > 16 {
		c.forget(key)
		return done > 0, nil
	}
	if done > 0 {
		st.offset = where(done)
		st.length = s.offset + s.length - st.offset
		st.buf = bytes.Clone(st.buf[done:])
	}
	if len(st.buf) > maxStream {
		c.dropStream(key, "the message is too long")
	}
	return true, nil
}

// inside gives where part, a slice of data, begins in it; 0 when it is none.
func inside(data, part []byte) int {
	if i := cap(data) - cap(part); i >= 0 && i <= len(data) {
		return i
	}
	return 0
}

func (c *capture) forget(key streamKey) {
	delete(c.streams, key)
	c.order = slices.DeleteFunc(c.order, func(k streamKey) bool { return k == key })
}

func (c *capture) dropStream(key streamKey, why string) {
	st := c.streams[key]
	c.forget(key)
	c.broken++
	c.lose(st.offset, st.length, "a SIP message in a TCP stream is not whole: "+why)
}

// end gives up on what never became whole.
func (c *capture) end() {
	for len(c.partOrder) > 0 {
		c.dropParts(c.partOrder[0])
	}
	for len(c.order) > 0 {
		c.dropStream(c.order[0], "the capture ends")
	}
	// A packet that holds the end of one message and the beginning of two lost ones is told of once.
	slices.SortStableFunc(c.lost, func(a, b dump.Damage) int { return int(a.Offset - b.Offset) })
	c.lost = slices.CompactFunc(c.lost, func(a, b dump.Damage) bool { return a.Offset == b.Offset })
}

// timeText writes a packet's time; a simple block of pcapng has none.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05.000000")
}
