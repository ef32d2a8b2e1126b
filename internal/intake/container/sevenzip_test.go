package container

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sevenZip packs files with the real program, in the order given.
func sevenZip(t testing.TB, args []string, files ...file) []byte {
	t.Helper()
	const program = "7z"
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(program, "is not installed, and CI=true lets no test be skipped for that")
		}
		t.Skip(program, "is not here")
	}
	dir := t.TempDir()
	names := []string{}
	for _, f := range files {
		path := filepath.Join(dir, "in", f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		if f.kind == 'l' {
			err = os.Symlink(f.content, path)
		} else {
			err = os.WriteFile(path, []byte(f.content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, f.name)
	}
	out := filepath.Join(dir, "out.7z")
	cmd := exec.Command(program, append(append([]string{"a", "-bd", "-mmt1", "-snl", out}, args...), names...)...)
	cmd.Dir = filepath.Join(dir, "in")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSevenZip(t *testing.T) {
	dump := string(text(1_200_000))
	files := []file{{name: "a/dump.sql", content: dump}, {name: "empty.txt"}, {name: "z é.csv", content: "a,b\n1,2\n"}}
	for name, args := range map[string][]string{
		"default": nil, "one stream each": {"-ms=off"}, "LZMA": {"-m0=lzma"}, "PPMd": {"-m0=ppmd"}, "bzip2": {"-m0=bzip2"}, "deflate": {"-m0=deflate"},
		"copy": {"-mx0"}, "delta": {"-m0=delta:4", "-m1=lzma2"}, "programs": {"-mf=bcj"}, "plain directory": {"-mhc=off"},
	} {
		t.Run(name, func(t *testing.T) {
			packed := sevenZip(t, args, files...)
			got := map[string]string{}
			for _, o := range all(t, "x.7z", packed, Limits{}) {
				if o.refused+o.fault+o.limit != "" {
					t.Errorf("%+v", outcome{o.name, "", o.refused, o.fault, o.limit})
				}
				got[o.name] = o.content
			}
			for _, f := range files {
				if got[f.name] != f.content {
					t.Errorf("%s: %d bytes, want %d", f.name, len(got[f.name]), len(f.content))
				}
			}
			if len(got) != len(files) {
				t.Errorf("%d members", len(got))
			}
		})
	}
}

func TestSevenZipHostile(t *testing.T) {
	small := file{name: "b.csv", content: "a,b\n1,2\n"}
	find := func(list []outcome, name string) outcome {
		for _, o := range list {
			if o.name == name {
				return o
			}
		}
		t.Errorf("no member %q in %+v", name, list)
		return outcome{}
	}
	t.Run("link", func(t *testing.T) {
		list := all(t, "x", sevenZip(t, nil, file{name: "l", content: "/etc/passwd", kind: 'l'}, small), Limits{})
		if find(list, "l").refused != "is a link or a device" || find(list, "b.csv").content != small.content {
			t.Errorf("%+v", list)
		}
	})
	t.Run("encrypted", func(t *testing.T) {
		if o := find(all(t, "x", sevenZip(t, []string{"-psecret"}, small), Limits{}), "b.csv"); o.refused != errEncrypted {
			t.Errorf("%+v", o)
		}
		if list := all(t, "x", sevenZip(t, []string{"-psecret", "-mhe=on"}, small), Limits{}); len(list) != 1 || !strings.Contains(list[0].refused, "directory is encrypted") {
			t.Errorf("%+v", list)
		}
	})
	t.Run("names", func(t *testing.T) {
		packed := sevenZip(t, []string{"-mhc=off", "-mx0"}, file{name: "xx/evil", content: "x"}, small)
		wide := func(s string) []byte {
			var b []byte
			for i := range len(s) {
				b = append(b, s[i], 0)
			}
			return b
		}
		packed = bytes.Replace(packed, wide("xx/evil"), wide("../evil"), 1)
		list := all(t, "x", resign(packed), Limits{})
		if o := find(list, `../evil`); !strings.Contains(o.refused, "leads out") || find(list, "b.csv").content != small.content {
			t.Errorf("%+v", list)
		}
	})
	zeros := file{name: "a", content: strings.Repeat("\x00", 64<<20)}
	t.Run("bomb", func(t *testing.T) {
		list := all(t, "x", sevenZip(t, nil, zeros, small), Limits{})
		if o := find(list, "a"); !strings.Contains(o.limit, "100 times") || o.content != "" {
			t.Errorf("%q %q %d", o.limit, o.refused, len(o.content))
		}
	})
	t.Run("a bomb that is passed over", func(t *testing.T) {
		packed := sevenZip(t, []string{"-mhc=off", "-ms=on", "-mqs=off"}, zeros, small)
		r := Open(Seven, "x", bytes.NewReader(packed), int64(len(packed)), &Budget{Limits: Limits{}.WithDefaults()}, 1)
		defer r.Close()
		for {
			m, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if m.Name != small.name {
				continue // not read, as one with a hostile name would not be
			}
			var buf [10]byte
			if _, err := r.Content(t.Context()).Read(buf[:]); err == nil || !strings.Contains(err.Error(), "100 times") {
				t.Errorf("%q, %v", buf, err)
			}
			return
		}
	})
	t.Run("damaged", func(t *testing.T) {
		packed := sevenZip(t, []string{"-mx0"}, file{name: "a", content: string(text(3_000_000))}, small)
		flipped := bytes.Clone(packed)
		flipped[2_000_000] ^= 1
		if o := find(all(t, "x", flipped, Limits{}), "a"); !strings.Contains(o.fault, "checksum") || len(o.content) != 3_000_000 {
			t.Errorf("fault %q, %d bytes", o.fault, len(o.content))
		}
		if list := all(t, "x", packed[:1000], Limits{}); len(list) != 1 || list[0].refused == "" {
			t.Errorf("cut: %+v", list)
		}
	})
	t.Run("members", func(t *testing.T) {
		packed := sevenZip(t, nil, small, file{name: "c"}, file{name: "d"}, file{name: "e"})
		if list := all(t, "x", packed, Limits{Members: 2}); !strings.Contains(list[len(list)-1].refused, "entries") {
			t.Errorf("%+v", list)
		}
	})
	t.Run("counts", func(t *testing.T) { // would make the library ask for gigabytes
		for _, directory := range []string{
			"\x01\x05\xf0\xff\xff\xff\xff", "\x01\x04\x06\x00\xf0\xff\xff\xff\xff", "\x01\x04\x07\x0b\xf0\xff\xff\xff\xff\x00",
			"\x01\x04\x07\x0b\x01\x00\x01\x21\x21\xf0\xff\xff\xff\xff", "\x17\x06\x00\x01\x09\x05\x00\x07\x0b\x01\x00\x01\x23\x03\x01\x01\x05\x5d\xff\xff\xff\xff\x0c\xf0\xff\xff\xff\xff\x00\x00",
		} {
			packed := append([]byte("7z\xbc\xaf\x27\x1c\x00\x04"), make([]byte, 24)...)
			binary.LittleEndian.PutUint64(packed[20:], uint64(len(directory)))
			list := all(t, "x", resign(append(packed, directory...)), Limits{})
			if len(list) != 1 || !strings.Contains(list[0].refused, "directory") {
				t.Errorf("%q: %+v", directory, list)
			}
		}
	})
}

// resign puts right the checksums of a 7z file whose directory was changed.
func resign(packed []byte) []byte {
	at := 32 + binary.LittleEndian.Uint64(packed[12:])
	binary.LittleEndian.PutUint32(packed[28:], crc32.ChecksumIEEE(packed[at:at+binary.LittleEndian.Uint64(packed[20:])]))
	binary.LittleEndian.PutUint32(packed[8:], crc32.ChecksumIEEE(packed[12:32]))
	return packed
}
