package pcap

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

func invite(callID string, pad int) string {
	return "INVITE sip:447700900001@trunk.example;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060\r\n" +
		"From: \"HSBC \\\"Fraud\\\" Team\" <sip:+443457404404@pbx.example>;tag=abc\r\nt: <sip:447700900001@trunk.example>\r\n" +
		"i: " + callID + "\r\nCSeq: 1 INVITE\r\nP-Asserted-Identity: <tel:+443457404404>\r\nContact: <sip:1001@10.0.0.1:5060>\r\n" +
		"Proxy-Authorization: Digest realm=\"x\", username=\"acc1001\", uri=\"sip:x\"\r\nDiversion: <sip:1002@pbx.example>\r\nUser-Agent: SpoofPBX\r\n folded\r\n" +
		"X-Pad: " + strings.Repeat("p", pad) + "\r\nContent-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\n"
}

const ok200 = "SIP/2.0 200 OK\r\nFrom: sip:a@b;tag=1\r\nTo: sip:c@d\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"

// frames builds frames.
func frame(t testing.TB, l ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	all := append([]gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: net.HardwareAddr{1, 2, 3, 4, 5, 6}, DstMAC: net.HardwareAddr{6, 5, 4, 3, 2, 1}, EthernetType: layers.EthernetTypeIPv4}}, l...)
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, all...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}

func ip4(proto layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Id: 7, Protocol: proto, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}}
}

func udp(t testing.TB, payload string) []byte {
	return frame(t, ip4(layers.IPProtocolUDP), &layers.UDP{SrcPort: 5060, DstPort: 5061}, gopacket.Payload(payload))
}

func tcp(t testing.TB, seq uint32, payload string) []byte {
	return frame(t, ip4(layers.IPProtocolTCP), &layers.TCP{SrcPort: 5060, DstPort: 5061, Seq: seq, ACK: true, DataOffset: 5}, gopacket.Payload(payload))
}

// fragments cuts a UDP datagram into fragments of size bytes.
func fragments(t testing.TB, payload string, size int) (list [][]byte) {
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, &layers.UDP{SrcPort: 5060, DstPort: 5061}, gopacket.Payload(payload)); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	for at := 0; at < len(data); at += size {
		ip := ip4(layers.IPProtocolUDP)
		ip.FragOffset = uint16(at / 8)
		end := min(at+size, len(data))
		if end < len(data) {
			ip.Flags = layers.IPv4MoreFragments
		}
		list = append(list, frame(t, ip, gopacket.Payload(data[at:end])))
	}
	return list
}

var start = time.Date(2022, 7, 1, 10, 0, 0, 5000, time.UTC)

func file(frames ...[]byte) []byte {
	b := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0}
	for i, f := range frames {
		at := start.Add(time.Duration(i) * time.Second)
		for _, v := range []uint32{uint32(at.Unix()), uint32(at.Nanosecond() / 1000), uint32(len(f)), uint32(len(f))} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		b = append(b, f...)
	}
	return b
}

// ng writes the same as pcapng, with nanoseconds.
func ng(order binary.AppendByteOrder, frames ...[]byte) []byte {
	block := func(kind uint32, body []byte) []byte {
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		b := order.AppendUint32(nil, kind)
		b = order.AppendUint32(b, uint32(len(body)+12))
		return order.AppendUint32(append(b, body...), uint32(len(body)+12))
	}
	out := block(blockSection, append(order.AppendUint32(nil, sectionOrder), 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
	face := order.AppendUint16(nil, 1)
	face = append(face, 0, 0, 0, 0, 4, 0)
	face = order.AppendUint16(face, 9)
	face = order.AppendUint16(face, 1)
	face = append(face, 9, 0, 0, 0)
	out = append(out, block(blockInterface, face)...)
	for i, f := range frames {
		at := uint64(start.Add(time.Duration(i) * time.Second).UnixNano())
		body := order.AppendUint32(nil, 0)
		body = order.AppendUint32(body, uint32(at>>32))
		body = order.AppendUint32(body, uint32(at))
		body = order.AppendUint32(body, uint32(len(f)))
		body = order.AppendUint32(body, uint32(len(f)))
		out = append(out, block(blockEnhanced, append(body, f...))...)
	}
	return out
}

func read(t testing.TB, source []byte) *dumptest.Collector {
	t.Helper()
	var c dumptest.Collector
	if err := Read(context.Background(), bytes.NewReader(source), &c); err != nil {
		t.Fatal(err)
	}
	return &c
}

func row(c *dumptest.Collector, i int) map[string]string {
	m := map[string]string{}
	for k, col := range c.Tables[0].Columns {
		m[col.Name] = c.Found[i].Cells[k]
	}
	return m
}

func TestMessage(t *testing.T) {
	frames := [][]byte{udp(t, invite("one", 0)), udp(t, ok200), udp(t, "not SIP at all"), {1, 2, 3}}
	for name, source := range map[string][]byte{"pcap": file(frames...), "pcapng": ng(binary.LittleEndian, frames...), "pcapng, big": ng(binary.BigEndian, frames...)} {
		if !Format().Match("x", source) {
			t.Errorf("%s is not recognised", name)
		}
		c := read(t, source)
		if len(c.Found) != 2 || c.In() != 2 {
			t.Fatalf("%s: %s", name, c)
		}
		got := row(c, 0)
		for k, want := range map[string]string{"time": "2022-07-01 10:00:00.000005", "src_ip": "10.0.0.1", "dst_port": "5061", "method": "INVITE", "status": "<null>", "ruri_user": "447700900001",
			"call_id": "one", "from_display": `HSBC "Fraud" Team`, "from_user": "+443457404404", "from_tag": "abc", "to_user": "447700900001", "pai_user": "+443457404404", "contact_user": "1001",
			"diversion_user": "1002", "auth_user": "acc1001", "user_agent": "SpoofPBX folded", "body_type": "application/sdp", "body_length": "4", "cut": "false", "transport": "udp"} {
			if got[k] != want {
				t.Errorf("%s: %s is %q, want %q", name, k, got[k], want)
			}
		}
		if got := row(c, 1); got["status"] != "200" || got["reason"] != "OK" || got["method"] != "INVITE" || got["from_user"] != "a" || got["from_tag"] != "1" {
			t.Errorf("%s: %v", name, got)
		}
		if last := c.Damages[len(c.Damages)-1].Reason; !strings.HasPrefix(last, "4 packets: 2 SIP messages; 2 packets are not SIP") {
			t.Error(last)
		}
	}
}

func TestTogether(t *testing.T) {
	parts := fragments(t, invite("frag", 3000), 1200)
	long := invite("tcp1", 2000)
	two := ok200 + invite("tcp2", 0)
	bad := strings.Replace(invite("bad", 0), "Content-Length: 4", "Content-Length: 4x", 1)
	source := file(parts[1], udp(t, ok200), parts[0], parts[2],
		tcp(t, 100, long[:1000]), tcp(t, 1100, long[1000:]), tcp(t, 1100, long[1000:]), // the last is sent again
		tcp(t, 100+uint32(len(long)), two), udp(t, bad), tcp(t, 9000, bad), tcp(t, 20000, "\r\n\r\n"),
		fragments(t, invite("lost", 3000), 1200)[0], tcp(t, 30000, invite("half", 500)[:300]))
	c := read(t, source)
	var ids []string
	for i, r := range c.Found {
		ids = append(ids, row(c, i)["call_id"])
		found, err := readRow(context.Background(), dump.Sealed{At: bytes.NewReader(source), Size: int64(len(source))}, r.Ordinal, r.Offset)
		if err != nil {
			t.Fatal(err)
		}
		for k, f := range found.Cells {
			if got := dumptest.Decode(f, found.Text); got != r.Cells[k] {
				t.Errorf("row %d, %s read again: %q, was %q", r.Ordinal, columns[k].Name, got, r.Cells[k])
			}
		}
		if !bytes.Contains(found.Text, []byte("CSeq: 1 INVITE")) {
			t.Errorf("row %d: the message is not its text: %q", r.Ordinal, found.Text)
		}
		if i > 0 && r.Offset <= c.Found[i-1].Offset {
			t.Errorf("offsets do not rise: %s", c)
		}
	}
	if got := strings.Join(ids, " "); got != "x frag tcp1 x tcp2 bad bad" {
		t.Errorf("messages %s", got)
	}
	if in := c.In() - int64(len(c.Found)); in != 2 || len(c.Damages) != 3 {
		t.Errorf("%d messages are lost: %+v", in, c.Damages)
	}
	// The second message of a packet stands where its offset says.
	if at := c.Found[4].Offset; !bytes.HasPrefix(source[at:], []byte("INVITE sip:")) {
		t.Errorf("%.20q", source[at:])
	}
}

func TestDamagedRecords(t *testing.T) {
	var frames [][]byte
	for i := range 20 {
		frames = append(frames, udp(t, invite(fmt.Sprint("c", i), i)))
	}
	for name, source := range map[string][]byte{"pcap": file(frames...), "pcapng": ng(binary.LittleEndian, frames...)} {
		c := read(t, source)
		at := c.Found[10].Offset
		bad := bytes.Clone(source)
		copy(bad[at+4:], "\xff\xff\xff\xff\xff\xff\xff\xff")
		got := read(t, bad)
		if len(got.Found) != 19 || len(got.Damages) != 2 || got.Damages[0].Offset != at || got.Damages[0].Offset+got.Damages[0].Length != c.Found[11].Offset {
			t.Errorf("%s: %d rows, %+v", name, len(got.Found), got.Damages)
		}
		cut := read(t, source[:len(source)-100])
		if len(cut.Found) != 19 || cut.In() != 20 {
			t.Errorf("%s, cut: %d rows, %+v", name, len(cut.Found), cut.Damages)
		}
	}
}

func TestAddress(t *testing.T) {
	for v, want := range map[string]address{
		"sip:1001@h:5060;tag=x":                               {"", "1001", "h", "x"},
		"Anonymous <sip:anonymous@anonymous.invalid>;tag=1":   {"Anonymous", "anonymous", "anonymous.invalid", "1"},
		`"A, B" <sips:u:pw@[2001:db8::1]:5061;transport=tcp>`: {"A, B", "u", "2001:db8::1", ""},
		"<tel:+44123;phone-context=x>":                        {"", "+44123", "", ""},
		"<sip:a@h>;reason=x, <sip:b@h>":                       {"", "a", "h", ""},
		"<sip:+44;npdi@h>":                                    {"", "+44", "h", ""},
		"":                                                    {}, "*": {}, `"`: {}, "<": {}, "<sip:h>": {"", "", "h", ""},
	} {
		if got := parseAddress(v); got != want {
			t.Errorf("%q: %+v, want %+v", v, got, want)
		}
	}
}

const fixtures = "../../../../../shared/data/telecom/pcap"

// Real captures (ntop/nDPI's test files).
func TestFixtures(t *testing.T) {
	for name, rows := range map[string]int{"ndpi_sip.pcap": -1, "ndpi_sip_hello.pcapng": -1, "ndpi_FAX-Call-t38-CA-TDM-SIP-FB-1.pcap": -1, "ndpi_rtp.pcapng": 0, "ndpi_rtcp_multiple_pkts_in_the_same_datagram.pcap": 0} {
		source, err := os.ReadFile(filepath.Join(fixtures, name))
		if err != nil {
			t.Skipf("fixture is absent: %v", err)
		}
		c := read(t, source)
		t.Logf("%s: %d rows, %v", name, len(c.Found), c.Damages)
		if rows == 0 != (len(c.Found) == 0) || c.In() != int64(len(c.Found)) {
			t.Errorf("%s: %d rows: %v", name, len(c.Found), c.Damages)
		}
		for i := range c.Found {
			if r := row(c, i); r["call_id"] == "<null>" && name != "ndpi_sip_hello.pcapng" || r["method"] == "<null>" {
				t.Errorf("%s row %d: %v", name, i, r)
			}
		}
	}
}

func TestConform(t *testing.T) {
	frames := append([][]byte{udp(t, invite("one", 0)), udp(t, "RTP")}, fragments(t, invite("two", 2000), 1000)...)
	frames = append(frames, tcp(t, 1, ok200+ok200[:50]), tcp(t, 1+uint32(len(ok200)+50), ok200[50:]), udp(t, invite("last", 0)))
	for name, source := range map[string][]byte{"pcap": file(frames...), "pcapng": ng(binary.BigEndian, frames...)} {
		t.Run(name, func(t *testing.T) {
			var want []dumptest.Row
			for _, r := range read(t, source).Found {
				want = append(want, dumptest.Row{Table: r.Table, Ordinal: r.Ordinal, Cells: r.Cells})
			}
			if len(want) != 5 {
				t.Fatalf("%d messages", len(want))
			}
			c := dumptest.Case{
				Format: Format(), Want: want, Unmarked: true, Joined: true,
				Write: func(testing.TB) []dumptest.File {
					return []dumptest.File{{Name: "x.pcap", Content: source}}
				},
			}
			if name == "pcap" {
				c.Large = func(t testing.TB, path string) int64 {
					f, err := os.Create(path)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					one := file(udp(t, invite("one", 0)))
					part := append(bytes.Clone(one[:24]), bytes.Repeat(one[24:], 1000)...)
					for range 40 {
						if _, err := f.Write(part); err != nil {
							t.Fatal(err)
						}
						if len(part) > 24 && part[0] == 0xd4 {
							part = part[24:]
						}
					}
					return 40000
				}
			}
			dumptest.Conform(t, c)
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file(udp(f, invite("one", 0)), tcp(f, 1, ok200+ok200)))
	f.Add(file(fragments(f, invite("two", 2000), 1000)...))
	f.Add(ng(binary.LittleEndian, udp(f, ok200)))
	f.Fuzz(func(t *testing.T, source []byte) {
		c := read(t, source)
		for _, d := range c.Damages {
			if d.Offset < 0 || d.Offset+d.Length > int64(len(source)) {
				t.Fatalf("damage outside the source: %+v", d)
			}
		}
		for _, r := range c.Found {
			if r.Offset < 24 || r.Offset >= int64(len(source)) {
				t.Fatalf("row outside the source: %+v", r)
			}
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(invite("one", 0)))
	f.Add([]byte(ok200))
	f.Fuzz(func(t *testing.T, text []byte) {
		if n := messageLength(text, len(text)%2 == 0); n < 0 || n > len(text) {
			t.Fatal(n)
		}
		m := &message{text: text}
		if _, err := m.found(); err != nil {
			t.Fatal(err)
		}
	})
}
