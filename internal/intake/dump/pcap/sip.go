package pcap

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/build"
)

// columns of table sip. The raw headers stand beside what is taken from them where that is a
// part only.
var columns = func() (list []dump.Column) {
	for _, name := range strings.Fields("time transport src_ip src_port dst_ip dst_port method status reason ruri ruri_user call_id cseq " +
		"from from_display from_user from_host from_tag to to_user to_host to_tag pai pai_display pai_user ppi ppi_user rpid rpid_user privacy " +
		"contact contact_user contact_host diversion diversion_user history_info identity auth_user user_agent server via body_type body_length cut") {
		c := dump.Column{Name: name, Kind: dump.Text, Declared: "text"}
		switch name {
		case "time":
			c.Kind, c.Declared = dump.DateTime, "time (UTC)"
		case "src_port", "dst_port", "status", "body_length":
			c.Kind, c.Declared = dump.Int, "number"
		}
		list = append(list, c)
	}
	return list
}()

var columnIndex = func() map[string]int {
	m := map[string]int{}
	for i, c := range columns {
		m[c.Name] = i
	}
	return m
}()

// message is one SIP message.
type message struct {
	offset           int64
	time             string
	transport        string
	src, dst         netip.Addr
	srcPort, dstPort uint16
	text             []byte
	cut              bool
}

func newMessage(s segment, transport string, src, dst uint16, text []byte) *message {
	return &message{time: timeText(s.time), transport: transport, src: s.src, dst: s.dst, srcPort: src, dstPort: dst, text: bytes.TrimLeft(text, "\r\n")}
}

// startsSIP reports whether b begins with a SIP message's first line, whole or cut.
func startsSIP(b []byte) bool {
	b = bytes.TrimLeft(b[:min(len(b), 4096)], "\r\n")
	if bytes.HasPrefix(b, []byte("SIP/2.0 ")) {
		return true
	}
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	method, rest, ok := bytes.Cut(bytes.TrimRight(line, "\r "), []byte{' '})
	if !ok || len(method) == 0 || len(method) > 32 {
		return false
	}
	for _, c := range method {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return bytes.HasSuffix(rest, []byte(" SIP/2.0"))
}

// headEnd gives where a message's headers end and its body begins; -1 when they do not end.
func headEnd(b []byte) (head, body int) {
	crlf, lf := bytes.Index(b, []byte("\r\n\r\n")), bytes.Index(b, []byte("\n\n"))
	switch {
	case crlf >= 0 && (lf < 0 || crlf < lf):
		return crlf, crlf + 4
	case lf >= 0:
		return lf, lf + 2
	}
	return -1, -1
}

// messageLength gives the length of the message a stream begins with; 0 when it is not whole.
// A Content-Length that is missing or no number is taken for what is there up to the next
// message's first line. cut says that no more of the packet will come.
func messageLength(b []byte, cut bool) int {
	start := len(b) - len(bytes.TrimLeft(b, "\r\n"))
	if !startsSIP(b) {
		return 0
	}
	head, body := headEnd(b[start:])
	if head < 0 {
		if cut {
			return len(b)
		}
		return 0
	}
	head, body = head+start, body+start
	length := -1
	eachHeader(b[start:head], func(name string, value []byte) {
		if name == "content-length" {
			if n, ok := dump.ParseInt(bytes.TrimSpace(value)); ok && n >= 0 && n < maxStream {
				length = int(n)
			}
		}
	})
	switch {
	case length >= 0 && body+length <= len(b):
		return body + length
	case length >= 0 && !cut:
		return 0
	}
	for i := body; i < len(b); i++ {
		if (i == body || b[i-1] == '\n') && startsSIP(b[i:]) {
			return i
		}
	}
	return len(b)
}

// compact are the short names of headers (RFC 3261 7.3.3, RFC 3892, RFC 3515).
var compact = map[string]string{"i": "call-id", "f": "from", "t": "to", "m": "contact", "l": "content-length", "c": "content-type", "v": "via", "e": "content-encoding",
	"s": "subject", "k": "supported", "r": "refer-to", "b": "referred-by", "y": "identity", "x": "session-expires", "o": "event"}

// eachHeader gives a message's headers, names in lower case and long, values unfolded.
func eachHeader(head []byte, yield func(name string, value []byte)) {
	_, rest, _ := bytes.Cut(head, []byte{'\n'})
	var name string
	var value []byte
	give := func() {
		if name != "" {
			yield(name, bytes.TrimSpace(value))
		}
		name = ""
	}
	for len(rest) > 0 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		line = bytes.TrimRight(line, "\r")
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			value = append(append(value[:len(value):len(value)], ' '), bytes.TrimSpace(line)...)
			continue
		}
		give()
		n, v, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue
		}
		name, value = strings.ToLower(string(bytes.TrimSpace(n))), v
		if long, ok := compact[name]; ok {
			name = long
		}
	}
	give()
}

// put sets the cells of a row begun. Of a header that stands several times the first counts
// for its parts, and all of them, with commas, for the whole.
func (m *message) put(r *build.Rows) {
	set := func(name, v string) {
		if v != "" {
			r.PutString(columnIndex[name], v)
		}
	}
	set("time", m.time)
	set("transport", m.transport)
	set("src_ip", m.src.String())
	set("dst_ip", m.dst.String())
	set("src_port", strconv.Itoa(int(m.srcPort)))
	set("dst_port", strconv.Itoa(int(m.dstPort)))
	set("cut", strconv.FormatBool(m.cut))

	head, body := headEnd(m.text)
	if head < 0 {
		head, body = len(m.text), len(m.text)
	}
	all := map[string]string{}
	eachHeader(m.text[:head], func(name string, value []byte) {
		if was, ok := all[name]; ok {
			all[name] = was + ", " + string(value)
		} else {
			all[name] = string(value)
		}
	})
	first, _, _ := bytes.Cut(m.text[:head], []byte{'\n'})
	line := strings.TrimRight(string(first), "\r ")
	cseq := all["cseq"]
	if rest, ok := strings.CutPrefix(line, "SIP/2.0 "); ok {
		code, reason, _ := strings.Cut(rest, " ")
		set("status", code)
		set("reason", reason)
		_, method, _ := strings.Cut(cseq, " ")
		set("method", strings.TrimSpace(method))
	} else {
		method, rest, _ := strings.Cut(line, " ")
		uri := strings.TrimSpace(strings.TrimSuffix(rest, "SIP/2.0"))
		set("method", method)
		set("ruri", uri)
		set("ruri_user", parseAddress(uri).user)
	}
	set("call_id", all["call-id"])
	set("cseq", cseq)
	for _, h := range []struct{ name, header string }{{"from", "from"}, {"to", "to"}, {"pai", "p-asserted-identity"}, {"ppi", "p-preferred-identity"}, {"rpid", "remote-party-id"}, {"contact", "contact"}, {"diversion", "diversion"}} {
		v := all[h.header]
		a := parseAddress(v)
		set(h.name, v)
		for part, text := range map[string]string{"_display": a.display, "_user": a.user, "_host": a.host, "_tag": a.tag} {
			if _, ok := columnIndex[h.name+part]; ok {
				set(h.name+part, text)
			}
		}
	}
	set("privacy", all["privacy"])
	set("history_info", all["history-info"])
	set("identity", all["identity"])
	set("user_agent", all["user-agent"])
	set("server", all["server"])
	set("via", all["via"])
	set("body_type", all["content-type"])
	set("body_length", strconv.Itoa(len(m.text)-body))
	for _, h := range []string{"authorization", "proxy-authorization"} {
		if user := parameter(all[h], "username"); user != "" {
			set("auth_user", user)
			break
		}
	}
}

// found gives the message and its cells.
func (m *message) found() (dump.Found, error) {
	text := append(bytes.Clone(m.text), '\n')
	return build.One(table(), text, func(r *build.Rows) error { r.Begin(m.offset); m.put(r); return nil })
}

// parameter gives a quoted or bare parameter of a header that lists them.
func parameter(header, name string) string {
	lower := string(lowerASCII(header))
	for i := 0; ; {
		j := strings.Index(lower[i:], name)
		if j < 0 {
			return ""
		}
		i += j + len(name)
		before := i - len(name) - 1
		rest := strings.TrimLeft(header[i:], " \t")
		if before >= 0 && !strings.ContainsRune(" ,;\t", rune(header[before])) || !strings.HasPrefix(rest, "=") {
			continue
		}
		rest = strings.TrimLeft(rest[1:], " \t")
		if strings.HasPrefix(rest, `"`) {
			v, _ := quoted(rest)
			return v
		}
		if end := strings.IndexAny(rest, ",; \t"); end >= 0 {
			rest = rest[:end]
		}
		return rest
	}
}

// lowerASCII keeps every byte in its place, which strings.ToLower does not with invalid UTF-8.
func lowerASCII(s string) []byte {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}

// quoted reads a quoted string and gives what is behind it.
func quoted(s string) (text, rest string) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// address is what a name-addr or addr-spec says (RFC 3261 25.1), as far as it can be told.
type address struct{ display, user, host, tag string }

func parseAddress(v string) (a address) {
	v = strings.TrimSpace(v)
	rest := v
	if strings.HasPrefix(v, `"`) {
		a.display, rest = quoted(v)
	}
	uri, params := rest, ""
	if open := strings.IndexByte(rest, '<'); open >= 0 {
		if a.display == "" {
			a.display = strings.TrimSpace(rest[:open])
		}
		uri = rest[open+1:]
		if end := strings.IndexByte(uri, '>'); end >= 0 {
			uri, params = uri[:end], uri[end+1:]
			if comma := strings.IndexByte(params, ','); comma >= 0 { // the next of several
				params = params[:comma]
			}
		}
	} else if end := strings.IndexAny(rest, ";,"); end >= 0 {
		uri, params = rest[:end], rest[end:]
	}
	for _, p := range strings.Split(params, ";") {
		if name, value, ok := strings.Cut(p, "="); ok && strings.EqualFold(strings.TrimSpace(name), "tag") {
			a.tag = strings.TrimSpace(value)
		}
	}
	scheme, uri, ok := strings.Cut(strings.TrimSpace(uri), ":")
	if !ok {
		return a
	}
	switch strings.ToLower(scheme) {
	case "tel":
		a.user, _, _ = strings.Cut(uri, ";")
	case "sip", "sips":
		host := uri
		if at := strings.LastIndexByte(uri, '@'); at >= 0 {
			a.user, host = uri[:at], uri[at+1:]
			a.user, _, _ = strings.Cut(a.user, ";")
			a.user, _, _ = strings.Cut(a.user, ":")
		}
		if end := strings.IndexAny(host, ";?"); end >= 0 {
			host = host[:end]
		}
		if strings.HasPrefix(host, "[") {
			host, _, _ = strings.Cut(host[1:], "]")
		} else {
			host, _, _ = strings.Cut(host, ":")
		}
		a.host = host
	}
	return a
}
