// Package pcap reads the SIP messages of packet captures (pcap and pcapng): one row a message
// in table sip, in the order in which the messages were complete.
//
// Packets are taken apart down to UDP and TCP, through VLANs, PPPoE, MPLS and tunnels the
// library (gopacket) knows. Fragmented datagrams, IPv4 and IPv6, are put together, and TCP
// streams as far as their segments come in order; both within fixed bounds. What is SIP is told
// from its first line, never from a port. A message's Content-Length is not trusted: in UDP
// the datagram is the message, in TCP one that cannot be is ignored. Messages are taken apart
// leniently (sip.go), because evidence is not refused for a missing header; what cannot be
// told is null.
//
// A spoofed call shows where from_user or pai_user is not the account of auth_user or the
// contact; each stands in its own column and none is judged here. time is UTC, with
// microseconds; a nanosecond capture's last three digits are dropped. cut is true where the
// capture itself kept only a packet's beginning.
//
// An offset is that of the packet's record in the file, for a message in several packets that
// of the last; a second message in one packet has the offset of its own first byte. A row read
// again has the message's own bytes as its text, then a newline and the cells' values. Of a
// message in one datagram that is direct; others are found by reading the capture up to there.
//
// Packets that are not SIP are no rows; a remark at the end says how many of each there were.
// A record whose header cannot be is damage up to the next place where two records follow each
// other. A fragmented or streamed message that never became whole is damage of one row.
//
// Not read: SIP over TLS or WebSocket, HEP (HOMER's own encapsulation), RTP and SDP's content,
// compressed captures.
//
// Reading order: pcap.go (the format), record.go (the file's records), packet.go (datagrams and
// streams), sip.go (a message).
package pcap

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/build"
)

// Format is the reader of packet captures.
func Format() dump.Format {
	return dump.Format{
		Name: "pcap", Version: "1", About: "SIP messages of a packet capture (pcap, pcapng)",
		Match: func(_ string, head []byte) bool {
			_, _, ok := fileHeader(head)
			return ok
		},
		Stream: func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
			return Read(ctx, r, sink)
		},
		Row: func(ctx context.Context, src dump.Sealed, _ string, row, offset int64) (dump.Found, error) {
			return readRow(ctx, src, row, offset)
		},
	}
}

func table() *dump.Table { return &dump.Table{Name: "sip", Columns: columns} }

// Read reads a capture and hands its SIP messages to sink.
func Read(ctx context.Context, r io.Reader, sink dump.Sink) error {
	rows := build.New(sink, table())
	c := &capture{give: func(m *message) error {
		rows.Begin(m.offset)
		m.put(rows)
		return rows.End()
	}}
	rec := newRecords(ctx, r)
	err := rec.each(func(p packet) error { return c.packet(p) }, func(offset, length int64, partial *packet, why string) error {
		d := dump.Damage{Offset: offset, Length: length, Reason: why}
		if partial != nil && c.isSIP(*partial) {
			c.lost = append(c.lost, dump.Damage{Offset: offset, Length: length, Rows: 1, Reason: why})
			return nil
		}
		return sink.Damage(d)
	})
	if err != nil {
		return err
	}
	c.end()
	slices.SortStableFunc(c.lost, func(a, b dump.Damage) int { return int(a.Offset - b.Offset) })
	for _, d := range c.lost {
		if err := rows.Damage(d.Offset, d.Length, 1, d.Reason); err != nil {
			return err
		}
	}
	if err := rows.Flush(); err != nil {
		return err
	}
	return sink.Damage(dump.Damage{Offset: rec.offset, Reason: fmt.Sprintf("%d packets: %d SIP messages; %d packets are not SIP and no rows; %d broke off or came out of order",
		c.packets, c.messages, c.other, c.broken)})
}

// readRow reads one message again.
func readRow(ctx context.Context, src dump.Sealed, row, offset int64) (dump.Found, error) {
	if m, ok := direct(src, offset); ok {
		return m.found()
	}
	stop := errors.New("found")
	var found dump.Found
	var foundErr error
	c := &capture{give: func(m *message) error {
		if m.offset == offset {
			found, foundErr = m.found()
			return stop
		}
		return nil
	}}
	err := newRecords(ctx, io.NewSectionReader(src.At, 0, src.Size)).each(c.packet, func(int64, int64, *packet, string) error { return nil })
	switch {
	case err == stop:
		return found, foundErr
	case err == nil:
		err = fmt.Errorf("row %d: no message has offset %d", row, offset)
	}
	return dump.Found{}, err
}

// direct reads a message that is one datagram of the packet at offset.
func direct(src dump.Sealed, offset int64) (*message, bool) {
	head := make([]byte, 64<<10)
	n, err := src.At.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, false
	}
	rec := newRecords(context.Background(), bytes.NewReader(head[:n]))
	// The records of the file's beginning tell its byte order and interfaces.
	_ = rec.each(func(packet) error { return nil }, func(int64, int64, *packet, string) error { return nil }) // what breaks off here is not asked for
	buf := make([]byte, maxPacket)
	n, err = src.At.ReadAt(buf, offset)
	if err != nil && err != io.EOF || offset < 24 {
		return nil, false
	}
	p, ok := rec.parse(buf[:n])
	if !ok {
		return nil, false
	}
	p.offset = offset
	var m *message
	c := &capture{give: func(got *message) error { m = got; return nil }, datagramsOnly: true}
	return m, c.packet(p) == nil && m != nil && m.offset == offset || m != nil
}

// fileHeader tells a capture's kind and byte order from its first bytes.
func fileHeader(b []byte) (order binary.ByteOrder, ng, ok bool) {
	if len(b) < 24 {
		return nil, false, false
	}
	if binary.LittleEndian.Uint32(b) == blockSection {
		switch {
		case binary.LittleEndian.Uint32(b[8:]) == sectionOrder:
			return binary.LittleEndian, true, true
		case binary.BigEndian.Uint32(b[8:]) == sectionOrder:
			return binary.BigEndian, true, true
		}
		return nil, false, false
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if m := order.Uint32(b); m == magicMicro || m == magicNano {
			return order, false, true
		}
	}
	return nil, false, false
}
