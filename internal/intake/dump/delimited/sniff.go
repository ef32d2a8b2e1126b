package delimited

import (
	"bytes"
	"net/netip"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// Dialect is how a file is written.
type Dialect struct {
	Sep      byte
	Header   bool // the first record names the columns
	ExcelSep bool // a line sep=X stands before it
	Columns  int  // fields of the first record; 0 when the first records differ in that
	UTF16    byte // 'l' or 'b': the byte order of UTF-16; 0: another encoding
}

// Sniff tells how a file is written from its first 64 KiB.
func Sniff(head []byte) Dialect {
	d := Dialect{Sep: ',', Header: true}
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		d.UTF16 = 'l'
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		d.UTF16 = 'b'
	}
	if d.UTF16 != 0 {
		head = decodeWide(head[2:], d.UTF16)
	} else {
		head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	}
	head = bytes.TrimLeft(head, "\r\n")
	line, rest, _ := bytes.Cut(head, []byte{'\n'})
	line = bytes.TrimRight(line, "\r")
	if len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep=")) {
		d.ExcelSep, d.Sep, head = true, line[4], rest
	} else {
		most := 0
		for _, c := range []byte{',', ';', '\t', '|'} {
			if n := count(line, c); n > most {
				d.Sep, most = c, n
			}
		}
	}
	if len(head) < headSize && !bytes.HasSuffix(head, []byte{'\n'}) {
		head = append(bytes.Clone(head), '\n') // the whole file: its last record is whole
	}
	first := Records(head, d.Sep, false, 5)
	if len(first) == 0 {
		return d
	}
	d.Columns = len(first[0])
	for _, r := range first[1:] {
		if len(r) != d.Columns {
			d.Columns = 0
		}
	}
	d.Header = d.ExcelSep || !HoldsData(first)
	return d
}

// HoldsData reports whether the first of a table's first records clearly holds data and not
// the columns' names: one of its fields is a value no column is called by, and so is the
// field below it.
func HoldsData(records [][]string) bool {
	for i, v := range records[0] {
		if k := dataKind(v); k != 0 && (len(records) == 1 || i < len(records[1]) && dataKind(records[1][i]) == k) {
			return true
		}
	}
	return false
}

// count counts a separator outside quotes.
func count(line []byte, sep byte) (n int) {
	quoted := false
	for _, c := range line {
		if c == '"' {
			quoted = !quoted
		} else if c == sep && !quoted {
			n++
		}
	}
	return n
}

// dataKind tells what clearly is a value and no column's name: a time, a number of five
// digits or more, a network address, an e-mail address. 0: it may be a name.
func dataKind(v string) byte {
	v = strings.TrimSpace(v)
	if _, ok := dump.ParseDateTime([]byte(v)); ok && len(v) >= 10 {
		return 't'
	}
	if _, err := netip.ParseAddr(v); err == nil {
		return 'i'
	}
	if at := strings.IndexByte(v, '@'); at > 0 && strings.IndexByte(v[at:], '.') > 1 && !strings.ContainsAny(v, " ,;<>") {
		return 'm'
	}
	digits, dates := 0, 0
	for i, c := range []byte(v) {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '+' && i == 0 || c == '.' || c == '-' || c == ' ' || c == '(' || c == ')':
		case c == '/' || c == ':':
			dates++
		default:
			return 0
		}
	}
	switch {
	case dates >= 2 && digits >= 6:
		return 't'
	case dates == 0 && digits >= 5:
		return 'n'
	}
	return 0
}
