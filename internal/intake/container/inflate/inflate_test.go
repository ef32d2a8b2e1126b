package inflate

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"
)

// The standard library is the reference: the same bytes, and a fault of the same kind.
func compare(t *testing.T, what string, packed []byte) {
	t.Helper()
	want, wantErr := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	got, err := io.ReadAll(NewReader(bytes.NewReader(packed)))
	same(t, what, got, want, err, wantErr)
}

func compareGzip(t *testing.T, what string, packed []byte) {
	t.Helper()
	read := func(r io.Reader, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	ours, err := NewGzip(bytes.NewReader(packed))
	got, err := read(ours, err)
	theirs, wantErr := gzip.NewReader(bytes.NewReader(packed))
	want, wantErr := read(theirs, wantErr)
	if wantErr == io.EOF {
		wantErr = io.ErrUnexpectedEOF // what it says of an empty file
	}
	same(t, what, got, want, err, wantErr)
}

func same(t *testing.T, what string, got, want []byte, err, wantErr error) {
	t.Helper()
	if err == io.ErrUnexpectedEOF && len(got) <= len(want)+longestCode*258 {
		// The library wants as many bits as an end of block has before it decodes a symbol.
		got = got[:min(len(got), len(want))]
	}
	if !bytes.Equal(got, want) {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		t.Fatalf("%s: %d bytes, want %d; other ones from %d; %v, theirs %v", what, len(got), len(want), i, err, wantErr)
	}
	var corrupt *CorruptError
	switch {
	case (err == nil) != (wantErr == nil), errors.Is(err, io.ErrUnexpectedEOF) != errors.Is(wantErr, io.ErrUnexpectedEOF),
		err != nil && err != io.ErrUnexpectedEOF && !errors.As(err, &corrupt):
		t.Fatalf("%s: %v, theirs %v", what, err, wantErr)
	}
}

// contents are of every kind that decides how a stream is coded.
func contents() map[string][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	var rows bytes.Buffer
	for rows.Len() < 700_000 {
		fmt.Fprintf(&rows, "(%d,'447700900%03d','2021-03-%02d 10:%02d:%02d',%d.%05d,'ANSWER'),\n", rng.IntN(1e6), rng.IntN(1000), rng.IntN(28), rng.IntN(60), rng.IntN(60), rng.IntN(9), rng.IntN(1e5))
	}
	skewed := make([]byte, 400_000) // codes of every length up to 15
	for i := range skewed {
		for skewed[i] < 200 && rng.IntN(2) == 0 {
			skewed[i]++
		}
		if rng.IntN(50) == 0 {
			skewed[i] = byte(rng.Uint32())
		}
	}
	return map[string][]byte{
		"nothing": nil, "one": []byte("x"), "noise": noise, "rows": rows.Bytes(), "skewed": skewed, "zeros": make([]byte, 1_000_000),
		"pairs": bytes.Repeat([]byte("ab"), 150_000), "sevens": bytes.Repeat([]byte("abcdefg"), 60_000), "nines": bytes.Repeat([]byte("abcdefghi"), 60_000),
		"mixed":    bytes.Join([][]byte{noise[:70_000], rows.Bytes()[:200_000], make([]byte, 70_000), noise[:70_000], rows.Bytes()[:200_000]}, nil),
		"farthest": bytes.Join([][]byte{noise[:32768], noise[:32768], noise[:32768]}, nil),
	}
}

var levels = []int{flate.HuffmanOnly, flate.NoCompression, 1, 6, 9}

func deflated(t testing.TB, content []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(content); i += 50_000 {
		if _, err := w.Write(content[i:min(len(content), i+50_000)]); err != nil {
			t.Fatal(err)
		}
		if i%100_000 == 0 { // an empty stored block, in the middle of a byte
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestContents(t *testing.T) {
	for name, content := range contents() {
		for _, level := range levels {
			packed := deflated(t, content, level)
			for how, src := range map[string]io.Reader{"whole": bytes.NewReader(packed), "bytes": iotest.OneByteReader(bytes.NewReader(packed)),
				"data with its error": iotest.DataErrReader(bytes.NewReader(packed))} {
				got, err := io.ReadAll(iotest.HalfReader(NewReader(src)))
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s at level %d, %s: %d bytes, %v", name, level, how, len(got), err)
				}
			}
		}
	}
}

// A stream that is cut anywhere gives what is there, to the last symbol.
func TestCut(t *testing.T) {
	for name, content := range contents() {
		content = content[:min(len(content), 300)]
		for _, level := range levels {
			packed := deflated(t, content, level)
			for n := range packed {
				what := fmt.Sprint(name, " at level ", level, " cut at ", n)
				compare(t, what, packed[:n])
				if got, _ := io.ReadAll(NewReader(bytes.NewReader(packed[:n]))); !bytes.HasPrefix(content, got) {
					t.Errorf("%s: more than there is", what)
				}
			}
		}
	}
	packed := deflated(t, contents()["mixed"], 6)
	for n := inputSize - 100; n < inputSize+100; n++ {
		compare(t, fmt.Sprint("cut at ", n), packed[:n])
	}
}

// A flipped bit gives the same bytes and the same kind of fault as with the standard library.
func TestFlipped(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, content := range contents() {
		content = content[:min(len(content), 5000)]
		for _, level := range levels {
			packed := deflated(t, content, level)
			for range 100 {
				bad := bytes.Clone(packed)
				bit := rng.IntN(min(len(bad)*8, 3000))
				bad[bit/8] ^= 1 << (bit % 8)
				compare(t, fmt.Sprint(name, " at level ", level, " bit ", bit), bad)
			}
		}
	}
}

// What the source fails with is handed on, behind what was there.
func TestSourceFails(t *testing.T) {
	content := contents()["rows"]
	packed := deflated(t, content, 6)
	broken := errors.New("broken")
	got, err := io.ReadAll(NewReader(io.MultiReader(bytes.NewReader(packed[:len(packed)/2]), iotest.ErrReader(broken))))
	if err != broken || len(got) < len(content)/3 || !bytes.HasPrefix(content, got) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestCorruptSaysWhere(t *testing.T) {
	packed := deflated(t, contents()["rows"], flate.NoCompression)
	packed[50_000+5+1] ^= 1 // the length of the second block
	_, err := io.ReadAll(NewReader(bytes.NewReader(packed)))
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.Offset != 50_000+5+5 {
		t.Error(err)
	}
}

// gzipped is a file of two members whose header has everything.
func gzipped(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	for i, text := range []string{"one", strings.Repeat("two ", 1000)} {
		w := gzip.NewWriter(&b)
		if i > 0 {
			w.Name, w.Comment, w.Extra = "a name", "a comment", []byte("more")
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestGzip(t *testing.T) {
	packed := gzipped(t)
	compareGzip(t, "whole", packed)
	compareGzip(t, "zeros behind it", append(bytes.Clone(packed), make([]byte, 512)...))
	compareGzip(t, "no gzip", []byte("no gzip at all, but long enough for a header"))
	for n := range packed {
		compareGzip(t, fmt.Sprint("cut at ", n), packed[:n])
	}
	for bit := range len(packed) * 8 {
		bad := bytes.Clone(packed)
		bad[bit/8] ^= 1 << (bit % 8)
		compareGzip(t, fmt.Sprint("bit ", bit), bad)
	}
	sum := []byte("\x1f\x8b\x08\x02\x00\x00\x00\x00\x00\x03\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00") // a wrong checksum of the header
	compareGzip(t, "header's checksum", sum)
}

// What the program gzip packs.
func TestGzipProgram(t *testing.T) {
	if _, err := exec.LookPath("gzip"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for name, content := range contents() {
		for _, level := range []string{"-1", "-6", "-9"} {
			cmd := exec.Command("gzip", "-c", level)
			cmd.Stdin = bytes.NewReader(content)
			packed, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			r, err := NewGzip(bytes.NewReader(packed))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s %s: %d bytes, %v", name, level, len(got), err)
			}
		}
	}
}

func FuzzInflate(f *testing.F) {
	for _, content := range contents() {
		for _, level := range levels {
			f.Add(deflated(f, content[:min(len(content), 2000)], level))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 1<<16 {
			compare(t, "fuzzed", b)
		}
	})
}

func FuzzGzip(f *testing.F) {
	f.Add(gzipped(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) <= 512 { // the library refuses a name longer than that
			compareGzip(t, "fuzzed", b)
		}
	})
}

func BenchmarkGzip(b *testing.B) {
	content := contents()["rows"]
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(content); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	for name, open := range map[string]func(io.Reader) (io.Reader, error){
		"ours":     func(r io.Reader) (io.Reader, error) { return NewGzip(r) },
		"standard": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				r, err := open(bytes.NewReader(packed.Bytes()))
				if err == nil {
					_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 1<<16))
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
