package container

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// outcome is what became of one member.
type outcome struct{ name, content, refused, fault, limit string }

// all goes through a container.
func all(t testing.TB, name string, file []byte, l Limits) (list []outcome) {
	t.Helper()
	kind := Detect(name, file[:min(len(file), 64<<10)])
	if kind == "" {
		t.Fatalf("%s is not recognised", name)
	}
	r := Open(kind, name, bytes.NewReader(file), int64(len(file)), &Budget{Limits: l.WithDefaults()}, 1)
	defer r.Close()
	for {
		m, err := r.Next(t.Context())
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		o := outcome{name: m.Name, refused: m.Refused}
		if m.Refused == "" {
			c := r.Content(t.Context())
			text, err := io.ReadAll(c)
			var limit *LimitError
			if errors.As(err, &limit) {
				o.limit = limit.What
			} else if err != nil {
				t.Fatal(err)
			} else {
				o.content = string(text)
			}
			if c.Fault() != nil {
				o.fault = c.Fault().Error()
			}
		}
		list = append(list, o)
	}
}

// tool packs by a program; the test is passed over without it.
func tool(t testing.TB, in []byte, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(name, "is not here")
	}
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(name, err)
	}
	return out
}

func text(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 1))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "(%d,'+44%d','2021-03-%02d'),\n", rng.IntN(1e6), rng.Int64N(1e10), rng.IntN(28))
	}
	return b.Bytes()[:n]
}

func TestStreams(t *testing.T) {
	want := string(text(1_200_000))
	for _, c := range []struct{ name, tool, ext string }{{"gzip", "gzip", "gz"}, {"bzip2", "bzip2", "bz2"}, {"xz", "xz", "xz"}, {"zstd", "zstd", "zst"}} {
		t.Run(c.name, func(t *testing.T) {
			packed := tool(t, []byte(want), c.tool, "-1", "-c")
			list := all(t, "dump.sql."+c.ext, packed, Limits{})
			if len(list) != 1 || list[0].name != "dump.sql" || list[0].content != want || list[0].fault != "" {
				t.Fatalf("%d members, %q, %d bytes, fault %q", len(list), list[0].name, len(list[0].content), list[0].fault)
			}
			if twice := all(t, "x", append(bytes.Clone(packed), packed...), Limits{}); twice[0].content != want+want {
				t.Errorf("two streams one behind the other: %d bytes", len(twice[0].content))
			}
			cut := all(t, "x", packed[:len(packed)*2/3], Limits{})[0]
			if cut.fault == "" || !strings.HasPrefix(want, cut.content) || len(cut.content) < 100_000 {
				t.Errorf("cut: %d bytes, fault %q", len(cut.content), cut.fault)
			}
			rubbish := all(t, "x", append(bytes.Clone(packed), "rubbish behind the end"...), Limits{})[0]
			if rubbish.content != want || rubbish.fault == "" {
				t.Errorf("rubbish behind the end: %d bytes, fault %q", len(rubbish.content), rubbish.fault)
			}
		})
	}
}

type file struct {
	name, content string
	kind          byte // of tar
}

func tarOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o600, Size: int64(len(f.content)), Typeflag: f.kind, ModTime: time.Unix(1e9, 0)}
		if f.kind == tar.TypeSymlink || f.kind == tar.TypeLink {
			h.Linkname = "/etc/passwd"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		out, err := w.Create(f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Names that would do harm where a program unpacks to disk are refused, each with its reason.
func TestHostileNames(t *testing.T) {
	hostile := []file{
		{name: "good.txt", content: "good"},
		{name: "./dir/good.txt", content: "good"},
		{name: "../up", content: "x"}, {name: "a/../../up", content: "x"}, {name: "/abs", content: "x"}, {name: `C:\win`, content: "x"},
		{name: "C:win", content: "x"}, {name: `back\slash`, content: "x"},
		{name: "good.txt", content: "again"}, {name: "GOOD.TXT", content: "other case"},
		{name: "e\u0301", content: "first"}, {name: "\u00e9", content: "the same, composed"},
		{name: "\u202egnp.exe", content: "bidi"}, {name: "\x1b[2J", content: "terminal"},
	}
	want := []outcome{
		{name: "good.txt", content: "good"},
		{name: "dir/good.txt", content: "good"},
		{name: "../up", refused: "leads out"}, {name: "a/../../up", refused: "leads out"}, {name: "/abs", refused: "absolute"},
		{name: `C:\\win`, refused: "backslash"}, {name: "C:win", refused: "absolute"}, {name: `back\\slash`, refused: "backslash"},
		{name: "good.txt", refused: "earlier member"}, {name: "GOOD.TXT", refused: "earlier member"},
		{name: "e\u0301", content: "first"}, {name: "\u00e9", refused: "earlier member"},
		{name: `\u202egnp.exe`, content: "bidi"}, {name: `\x1b[2J`, content: "terminal"},
	}
	for kind, packed := range map[string][]byte{"zip": zipOf(t, hostile...), "tar": tarOf(t, hostile...)} {
		t.Run(kind, func(t *testing.T) {
			list := all(t, "x", packed, Limits{})
			if len(list) != len(want) {
				t.Fatalf("%d members, want %d: %+v", len(list), len(want), list)
			}
			for i, w := range want {
				g := list[i]
				if g.name != w.name || g.content != w.content || (g.refused == "") != (w.refused == "") || !strings.Contains(g.refused, w.refused) {
					t.Errorf("got %+v, want %+v", g, w)
				}
			}
		})
	}
	t.Run("links and devices", func(t *testing.T) {
		list := all(t, "x", tarOf(t, file{name: "s", kind: tar.TypeSymlink}, file{name: "h", kind: tar.TypeLink}, file{name: "c", kind: tar.TypeChar}, file{name: "b", kind: tar.TypeBlock},
			file{name: "f", kind: tar.TypeFifo}, file{name: "d/", kind: tar.TypeDir}, file{name: "good", content: "good"}), Limits{})
		if len(list) != 6 || list[5].content != "good" {
			t.Fatalf("%+v", list)
		}
		for _, o := range list[:5] {
			if o.refused == "" {
				t.Errorf("%s is not refused", o.name)
			}
		}
	})
	t.Run("NUL in a zip", func(t *testing.T) {
		packed := bytes.ReplaceAll(zipOf(t, file{name: "a?b", content: "x"}), []byte("a?b"), []byte("a\x00b"))
		if list := all(t, "x", packed, Limits{}); !strings.Contains(list[0].refused, "NUL") || list[0].name != `a\x00b` {
			t.Errorf("%+v", list)
		}
	})
}

func gz(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestLimits(t *testing.T) {
	zeros := make([]byte, 10<<20)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, packed := range map[string][]byte{"x.gz": gz(t, zeros), "x.zst": enc.EncodeAll(zeros, nil), "x.zip": zipOf(t, file{name: "z", content: string(zeros)})} {
		if o := all(t, name, packed, Limits{})[0]; !strings.Contains(o.limit, "100 times") {
			t.Errorf("%s of %d bytes: %+v", name, len(packed), o.refused)
		}
		if o := all(t, name, packed, Limits{Ratio: 100_000})[0]; len(o.content) != len(zeros) {
			t.Errorf("%s with another limit: %d bytes, %s", name, len(o.content), o.limit)
		}
	}
	t.Run("a dump at 20:1 passes", func(t *testing.T) {
		var b strings.Builder
		rng := rand.New(rand.NewPCG(1, 1))
		for b.Len() < 8<<20 {
			fmt.Fprintf(&b, "(%d,'2021-03-01 10:00:00','SIP/account-0001','ANSWER','outbound call through trunk number one',NULL,NULL,NULL,0.00000),\n", rng.IntN(1e5))
		}
		packed := gz(t, []byte(b.String()))
		if ratio := b.Len() / len(packed); ratio < 20 {
			t.Errorf("the test packs %d:1 only", ratio)
		}
		if o := all(t, "x.gz", packed, Limits{})[0]; len(o.content) != b.Len() {
			t.Errorf("%d bytes, %s", len(o.content), o.limit)
		}
	})
	t.Run("many small members", func(t *testing.T) {
		var files []file
		for i := range 64 { // 1 MiB is free for each, not for all together
			files = append(files, file{name: fmt.Sprint(i), content: string(zeros[:1<<20])})
		}
		list := all(t, "x", zipOf(t, files...), Limits{})
		if last := list[63]; last.limit == "" {
			t.Errorf("64 members of 1 MiB of zeros pass: %+v", last.refused)
		}
	})
	t.Run("members", func(t *testing.T) {
		list := all(t, "x", tarOf(t, file{name: "a"}, file{name: "b"}, file{name: "c"}, file{name: "d"}), Limits{Members: 2})
		if len(list) != 3 || !strings.Contains(list[2].refused, "more than 2 members") {
			t.Errorf("%+v", list)
		}
	})
	t.Run("expanded", func(t *testing.T) {
		list := all(t, "x", tarOf(t, file{name: "a", content: "1234"}, file{name: "b", content: "1234"}), Limits{Expanded: 5})
		if list[0].content != "1234" || !strings.Contains(list[1].limit, "5 bytes") {
			t.Errorf("%+v", list)
		}
	})
	t.Run("overlapping members", func(t *testing.T) {
		one := zipOf(t, file{name: "a", content: string(text(1000))})
		dir := bytes.Index(one, []byte("PK\x01\x02"))
		end := bytes.Index(one, []byte("PK\x05\x06"))
		entry := bytes.Clone(one[dir:end])
		var b bytes.Buffer // the directory names the same bytes twice
		b.Write(one[:end])
		entry[46] = 'b'
		b.Write(entry)
		tail := bytes.Clone(one[end:])
		tail[8], tail[10] = 2, 2
		size := 2 * len(entry)
		tail[12], tail[13] = byte(size), byte(size>>8)
		b.Write(tail)
		list := all(t, "x", b.Bytes(), Limits{})
		if len(list) != 2 || list[0].refused+list[1].refused == "" {
			t.Errorf("%+v", list)
		}
	})
}

func TestDamagedZip(t *testing.T) {
	content := string(text(100_000))
	good := zipOf(t, file{name: "a", content: content}, file{name: "b", content: "second"})
	bad := bytes.Clone(good)
	bad[6000] ^= 0xff // in the first member
	list := all(t, "x", bad, Limits{})
	if len(list) != 2 || list[0].fault == "" || list[1].content != "second" {
		t.Errorf("a corrupt member: %d members, fault %q", len(list), list[0].fault)
	}
	list = all(t, "x", good[:len(good)-30], Limits{})
	if len(list) != 1 || list[0].name != "" || !strings.Contains(list[0].refused, "cannot be read") {
		t.Errorf("no directory: %+v", list)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	raw, err := w.CreateRaw(&zip.FileHeader{Name: "secret", Flags: 1, Method: zip.Store, CRC32: crc32.ChecksumIEEE([]byte("x")), CompressedSize64: 13, UncompressedSize64: 1})
	if err == nil {
		_, err = raw.Write(make([]byte, 13))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if list := all(t, "x", b.Bytes(), Limits{}); list[0].refused != errEncrypted {
		t.Errorf("encrypted: %+v", list)
	}
}

func TestTarTools(t *testing.T) {
	dir := t.TempDir()
	out, err := exec.Command("sh", "-c", "cd "+dir+" && mkdir d && echo one > d/one && truncate -s 20M sparse && echo end >> sparse && tar -cSf x.tar d sparse && cat x.tar").Output()
	if err != nil {
		t.Skip("no tar here", err)
	}
	list := all(t, "x", out, Limits{})
	if len(list) != 2 || list[0].content != "one\n" || list[1].limit == "" {
		t.Errorf("a sparse file of 20 MiB in a tar of %d bytes: %d members, %q", len(out), len(list), list[1].limit)
	}
}

// A cancelled context ends a decompression.
func TestCancel(t *testing.T) {
	packed := gz(t, bytes.Repeat(text(1<<20), 12))
	r := Open(Gzip, "x", bytes.NewReader(packed), int64(len(packed)), &Budget{Limits: Limits{}.WithDefaults()}, 1)
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := r.Next(ctx); err != nil {
		t.Fatal(err)
	}
	c := r.Content(ctx)
	if _, err := io.ReadFull(c, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if n, err := io.Copy(io.Discard, c); err == nil {
		t.Errorf("%d bytes and no error", n)
	}
}

// Whatever the bytes, nothing crashes or hangs and memory stays small.
func FuzzContainer(f *testing.F) {
	f.Add(gz(f, []byte("hello")))
	f.Add(zipOf(f, file{name: "a", content: "hello"}))
	f.Add(tarOf(f, file{name: "a", content: "hello"}))
	f.Add([]byte("7z\xbc\xaf\x27\x1c\x00\x04\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x26\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00h" +
		"\x01\x04\x06\x00\x01\x09\x01\x00\x07\x0b\x01\x00\x01\x01\x00\x0c\x01\x00\x00\x05\x01\x11\x05\x00a\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Detect("x", b) != "" {
			all(t, "x", b, Limits{Members: 100, Expanded: 8 << 20})
		}
	})
}
