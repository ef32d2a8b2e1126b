package intake

import (
	"bytes"
	"encoding/csv"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/unspoof/unspoof/internal/intake/container"
	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/delimited"
	"github.com/unspoof/unspoof/internal/store"
)

// headSize is how much of a file is looked at to tell what it is.
const headSize = 64 << 10

// nature is what a file is: exactly one of a container, a reader's, unreadable, or none of
// these, an attachment.
type nature struct {
	container  container.Kind
	reader     *dump.Format
	list       string // the list it is read as
	unreadable string // why
	note       string
}

// format is the nature's name in the source record.
func (n nature) format() string {
	switch {
	case n.container != "":
		return store.FormatContainer
	case n.reader != nil:
		return n.reader.Name
	case n.unreadable != "":
		return store.FormatUnreadable
	}
	return store.FormatAttachment
}

// sniff tells what a file is by its first bytes and, where they do not tell, by its name.
// With a list, a file that is named on its own is that list whatever it looks like; in a
// folder or container (inside) only CSV files are.
func sniff(name string, head []byte, list string, inside bool) nature {
	if len(head) == 0 {
		return nature{note: "it is empty"}
	}
	kind := container.Detect(name, head)
	if kind == container.Zip { // many formats are a zip inside
		if f := reader(name, head); f != nil && !loose(f.Name) {
			return nature{reader: f}
		}
		if container.IsDocument(head) {
			return nature{note: "it is a document or program that is a zip inside: it was not unpacked"}
		}
	}
	if kind != "" {
		return nature{container: kind}
	}
	if list != "" && !inside {
		f := delimited.Format()
		return nature{reader: &f, list: list}
	}
	f := reader(name, head)
	if f == nil || loose(f.Name) && !(f.Name == delimited.Format().Name && isUTF16(head)) {
		if why := signature(head); why != "" {
			return nature{unreadable: why}
		}
	}
	if f == nil && isTable(head) {
		csv := delimited.Format()
		f = &csv
	}
	if f == nil {
		return nature{note: besideNote(head)}
	}
	n := nature{reader: f}
	if f.Name == delimited.Format().Name {
		n.list = list
	}
	return n
}

// besideNote says of a file that belongs to another what it is.
func besideNote(head []byte) string {
	for _, sign := range []string{"\x37\x7f\x06\x82", "\x37\x7f\x06\x83"} {
		if bytes.HasPrefix(head, []byte(sign)) {
			return "the write-ahead log of a SQLite database, which is read with it when it lies beside it"
		}
	}
	if bytes.HasPrefix(head, []byte("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")) {
		return "the rollback journal of a SQLite database, which is read with it when it lies beside it"
	}
	return ""
}

// loose reports whether a reader takes a file by its name's ending or by a word anywhere in
// its beginning, so that binary content has to be kept from it here.
func loose(format string) bool {
	return format == "mysqldump" || format == delimited.Format().Name
}

// reader asks the readers for a file.
func reader(name string, head []byte) *dump.Format {
	binary := bytes.IndexByte(head[:min(len(head), 512)], 0) >= 0 && !isUTF16(head) || isServers(name, head)
	for _, f := range Formats() {
		if f.Match(name, head) && !(binary && loose(f.Name)) {
			return &f
		}
	}
	return nil
}

// isServers tells a file of a MariaDB or MySQL server's data directory in which a reader might
// find words of its format: rows, triggers and views. See package datadir.
func isServers(name string, head []byte) bool {
	switch filepath.Ext(name) {
	case ".MYD", ".MAD", ".ibd":
		return true
	}
	return bytes.HasPrefix(head, []byte("TYPE=TRIGGERS\n")) || bytes.HasPrefix(head, []byte("TYPE=TRIGGERNAME\n")) || bytes.HasPrefix(head, []byte("TYPE=VIEW\n"))
}

func isUTF16(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff"))
}

// signatures are files that hold data and that nothing here reads.
var signatures = []struct{ sign, what string }{
	{"Rar!\x1a\x07", "a RAR archive: unpack it and add the folder"},
	{"MSCF\x00\x00\x00\x00", "a cabinet archive: unpack it and add the folder"},
	{"\x1f\x9d", "a file packed by compress (.Z): unpack it and add it"},
	{"\x04\x22\x4d\x18", "an LZ4 file: unpack it and add it"},
	{"LZIP\x01", "an lzip file: unpack it and add it"},
	{"XBSTCK01", "a MySQL xbstream backup: unpack and prepare it with xtrabackup, dump it and add the dump"},
	{"\xff\xfe", "UTF-16 text: convert it to UTF-8 and add both"},
	{"\xfe\xff", "UTF-16 text: convert it to UTF-8 and add both"},
	{"LUKS\xba\xbe", "an encrypted volume (LUKS)"},
	{"age-encryption.org/", "encrypted (age)"},
	{"-----BEGIN PGP MESSAGE", "encrypted (PGP)"},
	{"-----BEGIN AGE ENCRYPTED", "encrypted (age)"},
	{"Salted__", "encrypted (openssl enc)"},
	{"EVF\x09\x0d\x0a\xff\x00", "a disk image (EnCase): extract its files and add the folder"},
	{"QFI\xfb", "a disk image (QCOW): extract its files and add the folder"},
	{"KDMV", "a disk image (VMDK): extract its files and add the folder"},
	{"conectix", "a disk image (VHD): extract its files and add the folder"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document: save it as CSV and add both"},
}

// signature tells why a file that no reader takes should be readable and is not.
func signature(head []byte) string {
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s.sign)) {
			return s.what
		}
	}
	return ""
}

// isTable reports whether text without a telling name is a table: a header line of different
// names and at least two records, all with as many fields as the header.
func isTable(head []byte) bool {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	r := csv.NewReader(bytes.NewReader(head))
	r.Comma = ','
	for _, c := range []rune{';', '\t', '|'} {
		if strings.Count(string(line), string(c)) > strings.Count(string(line), string(r.Comma)) {
			r.Comma = c
		}
	}
	columns, err := r.Read()
	if err != nil || len(columns) < 2 {
		return false
	}
	seen := map[string]bool{}
	for _, c := range columns {
		if _, err := strconv.ParseFloat(c, 64); err == nil || c == "" || len(c) > 64 || seen[c] || !utf8.ValidString(c) || strings.ContainsAny(c, "{}()<>;=") {
			return false
		}
		seen[c] = true
	}
	for records := 0; ; records++ {
		_, err := r.Read() // wants as many fields as in the first
		cut := len(head) >= headSize && r.InputOffset() >= int64(len(head))
		if err == io.EOF || cut || records == 20 {
			return records >= 2
		}
		if err != nil {
			return false
		}
	}
}
