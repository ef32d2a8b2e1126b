// Package container opens files that hold files: gzip, bzip2, xz and zstd streams (one member
// each), zip, 7z and tar. It reads them from a sealed copy, or a stream in the pass that seals it,
// one member after the other, and hands out each member's content as a stream that is
// decompressed ahead of whoever reads it. It writes nothing and creates no path, so a hostile name can do no harm here; names that would
// do harm elsewhere (absolute, "..", backslash, NUL, the same name twice) are refused all the
// same, and so are links, devices and encrypted members. Every refusal is handed out as a
// [Member] with its reason: nothing is passed over in silence.
//
// Bombs: see [Limits]. Real decompressed bytes are counted, never what a header says.
//
// A content can end before its end (a cut or corrupt container). It is then handed out as far
// as it goes, and [Content.Fault] says why that is not all.
//
// Why members are decompressed to disk by the caller, and not read in place: none of these
// formats has an index that can be trusted, so reading one row again would mean decompressing
// everything before it; and a checker can hash a file without knowing any of these formats.
// The price is disk: a gzip of a 10 GB dump takes the gzip and 10 GB more, a .tar.gz the gzip,
// the tar and the files in it.
//
// Reading order: container.go (kinds, limits, members), stream.go (content, ahead), zip.go,
// sevenzip.go, tar.go.
package container

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Kind is a kind of container; empty is none.
type Kind string

// The kinds.
const (
	Gzip  Kind = "gzip"
	Bzip2 Kind = "bzip2"
	XZ    Kind = "xz"
	Zstd  Kind = "zstd"
	Zip   Kind = "zip"
	Tar   Kind = "tar"
	Seven Kind = "7z"
)

// Detect tells by a file's first bytes what container it is. The name decides only where the
// content cannot: a tar without the ustar sign, a zstd file that begins with a skippable frame.
func Detect(name string, head []byte) Kind {
	ext := strings.ToLower(path.Ext(name))
	has := func(sign string) bool { return bytes.HasPrefix(head, []byte(sign)) }
	switch {
	case has("\x1f\x8b\x08") && len(head) > 3 && head[3]&0xe0 == 0:
		return Gzip
	case has("BZh") && len(head) >= 10 && head[3] >= '1' && head[3] <= '9' &&
		(string(head[4:10]) == "1AY&SY" || string(head[4:10]) == "\x17\x72\x45\x38\x50\x90"):
		return Bzip2
	case has("\xfd7zXZ\x00"):
		return XZ
	case has("\x28\xb5\x2f\xfd"), len(head) >= 4 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18" && ext == ".zst":
		return Zstd
	case has("PK\x03\x04"), has("PK\x05\x06"), has("PK\x07\x08PK\x03\x04"):
		return Zip
	case has("7z\xbc\xaf\x27\x1c"):
		return Seven
	case tarHeader(head) && (string(head[257:262]) == "ustar" || ext == ".tar"):
		return Tar
	}
	return ""
}

// Single reports whether a container of the kind is a stream of one member.
func (k Kind) Single() bool { return k == Gzip || k == Bzip2 || k == XZ || k == Zstd }

// Limits bound what a container may expand to. Zero fields are their defaults.
type Limits struct {
	Depth    int   `json:"depth"`    // containers in containers; 5
	Members  int   `json:"members"`  // entries of a container and of all containers in it; 100,000
	Expanded int64 `json:"expanded"` // bytes that all of these expand to; 1 TiB
	// Ratio is how many times its packed size a member may expand to, all containers around it
	// taken together; 100. A dump of call records packs 5:1 to 20:1; deflate can reach 1032:1,
	// and only on content that says the same thing over and over. The first MiB is free.
	Ratio int64 `json:"ratio"`
}

// WithDefaults fills in what is zero.
func (l Limits) WithDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = 5
	}
	if l.Members <= 0 {
		l.Members = 100_000
	}
	if l.Expanded <= 0 {
		l.Expanded = 1 << 40
	}
	if l.Ratio <= 0 {
		l.Ratio = 100
	}
	return l
}

const (
	freeMember    = 1 << 20  // bytes of a member that no ratio is applied to
	freeContainer = 16 << 20 // the same for all members of a container together
)

// Budget is what is left of the limits for one outermost container and all that is in it.
type Budget struct {
	Limits   Limits
	members  int
	expanded int64
}

// LimitError says that a limit was reached. It is not the container's end.
type LimitError struct{ What string }

func (e *LimitError) Error() string { return e.What }

// Member is one entry of a container.
type Member struct {
	Name     string // path in the container, made readable by [Printable]; empty: the container itself
	Size     int64  // as the container says; -1: it does not
	Packed   int64  // bytes it takes in the container, as far as known
	Modified time.Time
	Refused  string // why its content is not handed out
	Limit    bool   // it was refused for a limit, which can be raised
}

// Reader goes through a container. It is used by one goroutine.
type Reader struct {
	kind   Kind
	size   int64
	file   *guard
	budget *Budget
	factor float64 // how many times the container itself was expanded

	next     func() (Member, func() (io.Reader, error), error)
	open     func() (io.Reader, error) // the current member's content
	packed   func() int64              // bytes of the container the current content has used
	cur      *Content
	expanded int64 // by all members so far
	names    map[string]bool
	ended    bool
}

// Open begins to go through a container. factor is how many times larger the container is
// than what it was unpacked from: 1 for an outermost one.
func Open(kind Kind, name string, f io.ReaderAt, size int64, budget *Budget, factor float64) *Reader {
	return open(kind, name, &guard{f: f, size: size}, budget, factor)
}

// OpenStream is Open for a container that is read from its beginning to its end, once, and is
// of a kind for which [Kind.Single] holds. size is how long it is.
func OpenStream(kind Kind, name string, r io.Reader, size int64, budget *Budget, factor float64) *Reader {
	return open(kind, name, &guard{stream: r, size: size}, budget, factor)
}

func open(kind Kind, name string, f *guard, budget *Budget, factor float64) *Reader {
	r := &Reader{kind: kind, size: f.size, file: f, budget: budget, factor: max(factor, 1), names: map[string]bool{}}
	switch kind {
	case Zip:
		r.next = r.zip()
	case Tar:
		r.next = r.tar()
	case Seven:
		r.next = r.sevenZip()
	default:
		r.next = r.single(name)
	}
	return r
}

// Done is how many bytes of the container have been passed. It may be called at any time.
func (r *Reader) Done() int64 { return min(r.file.read.Load(), r.size) }

// Next gives the next entry; directories are passed over. At the end it returns io.EOF.
// Other errors are the machine's: the container's own faults come as refused members.
func (r *Reader) Next(ctx context.Context) (Member, error) {
	r.Close()
	r.open = nil
	for {
		if err := ctx.Err(); err != nil {
			return Member{}, err
		}
		if r.ended {
			return Member{}, io.EOF
		}
		m, open, err := r.nextSafe()
		if hard := r.file.failure(); hard != nil {
			return Member{}, hard
		}
		if err == io.EOF {
			r.ended = true
			continue
		}
		if err != nil {
			r.ended = true
			return Member{Size: -1, Refused: "the container cannot be read further: " + Printable(err.Error())}, nil
		}
		if r.budget.members++; r.budget.members > r.budget.Limits.Members {
			r.ended = true
			return Member{Size: -1, Limit: true, Refused: fmt.Sprintf("it has more than %d members: the rest was not looked at", r.budget.Limits.Members)}, nil
		}
		if open == nil && m.Refused == "" {
			continue // a directory
		}
		clean, why := checkName(m.Name)
		m.Name = Printable(m.Name)
		if why == "" {
			m.Name = Printable(clean)
			key := strings.ToLower(norm.NFC.String(clean))
			if r.names[key] {
				why = "has the name of an earlier member (whatever the case of its letters)"
			}
			r.names[key] = true
		}
		if m.Refused == "" {
			m.Refused = why
		}
		if m.Refused == "" {
			r.open = open
		}
		return m, nil
	}
}

// nextSafe turns a parser's panic on hostile bytes into an error.
func (r *Reader) nextSafe() (m Member, open func() (io.Reader, error), err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it makes its parser fail: %v", p)
		}
	}()
	return r.next()
}

// Content gives the content of the member that Next gave. It is good until the next call of
// Next or Close.
func (r *Reader) Content(ctx context.Context) *Content {
	r.cur = newContent(ctx, r, r.open)
	return r.cur
}

// Close stops what is being decompressed.
func (r *Reader) Close() {
	if r.cur != nil {
		r.cur.close()
		r.cur = nil
	}
}

// used counts n more decompressed bytes of the current content, size in all.
func (r *Reader) used(n int, size int64) error {
	l := r.budget.Limits
	r.expanded += int64(n)
	r.budget.expanded += int64(n)
	may := float64(l.Ratio) / r.factor
	switch {
	case r.budget.expanded > l.Expanded:
		return &LimitError{fmt.Sprintf("expands to more than %d bytes in all", l.Expanded)}
	case size > freeMember && float64(size) > may*float64(r.packed()),
		r.expanded > freeContainer && float64(r.expanded) > may*float64(r.size):
		return &LimitError{fmt.Sprintf("expands to more than %d times its packed size", l.Ratio)}
	}
	return nil
}

// checkName gives the name in its simplest form, or says why it is refused.
func checkName(name string) (clean, why string) {
	switch {
	case name == "":
		return "", "has no name"
	case len(name) > 4096:
		return "", "has a name longer than 4096 bytes"
	case strings.Contains(name, "\x00"):
		return "", "has a NUL in its name"
	case strings.Contains(name, `\`):
		return "", "has a backslash in its name"
	case name[0] == '/', len(name) > 1 && name[1] == ':' && unicode.IsLetter(rune(name[0])):
		return "", "has an absolute path as its name"
	}
	for _, part := range strings.Split(name, "/") {
		if part == ".." {
			return "", "has a name that leads out of the container (..)"
		}
	}
	if clean = path.Clean(name); clean == "." {
		return "", "has no name"
	}
	return clean, ""
}

// Printable makes a name from a hostile source readable and harmless: what is not valid UTF-8
// and characters that do not show (controls, bidirectional overrides) are written as escapes,
// a backslash as two, and it is cut at 1,000 bytes.
func Printable(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		if b.Len() > 1000 {
			b.WriteString(`\...`)
			break
		}
		c, n := utf8.DecodeRuneInString(name[i:])
		switch {
		case c == utf8.RuneError && n <= 1:
			fmt.Fprintf(&b, `\x%02x`, name[i])
		case c == '\\':
			b.WriteString(`\\`)
		case !unicode.IsGraphic(c) || c == '\u2028' || c == '\u2029':
			q := strconv.QuoteRuneToASCII(c)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(c)
		}
		i += n
	}
	return b.String()
}

// errEncrypted is the reason for members that need a password.
const errEncrypted = "is encrypted"

var errShort = errors.New("it ends in the middle")
