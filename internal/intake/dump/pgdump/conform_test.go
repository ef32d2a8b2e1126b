package pgdump

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

const create = `CREATE TABLE public.t (
    id integer NOT NULL,
    "Note" text DEFAULT 'a, (b'::text,
    raw bytea,
    ok boolean
);`

const head0 = "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\nSELECT pg_catalog.set_config('search_path', '', false);\n\n" + create +
	"\n\nCREATE FUNCTION public.wipe() RETURNS trigger\n    LANGUAGE plpgsql\n    AS $$BEGIN\n DELETE FROM t; INSERT INTO t VALUES (9);\nEND$$;\n\n"

const foot0 = "\n\n--\n-- PostgreSQL database dump complete\n--\n\n"

const copyRows = "1\tit''s; tab\\t, nl\\n, vt\\v, bs\\\\, oct\\101\\x42\t\\\\x00ff27\tt\n2\t\\N\t\\N\t\\N\n3\t\tabc\\\\001\\\\\\\\\tf\n4\tcaf\xc3\xa9 (1, 'x')\t\\\\x\tt\n"

func rowsOf(yes, no string) []dumptest.Row {
	return []dumptest.Row{
		{Table: "t", Ordinal: 1, Cells: []string{"1", "it''s; tab\t, nl\n, vt\v, bs\\, octAB", "\x00\xff'", yes}},
		{Table: "t", Ordinal: 2, Cells: []string{"2", "<null>", "<null>", "<null>"}},
		{Table: "t", Ordinal: 3, Cells: []string{"3", "", "abc\x01\\", no}},
		{Table: "t", Ordinal: 4, Cells: []string{"4", "café (1, 'x')", "", yes}},
	}
}

// values are the same rows as INSERT writes them.
var values = []string{
	"(1, 'it''''s; tab\t, nl\n, vt\v, bs\\, octAB', '\\x00ff27', true)",
	"(2, NULL, NULL, NULL)",
	"(3, '', 'abc\\001\\\\', false)",
	"(4, 'café (1, ''x'')', '\\x', true)",
}

func styles() map[string]string {
	each, columns, order := "", "", ""
	for _, v := range values {
		each += "INSERT INTO public.t VALUES " + v + ";\n"
		columns += "INSERT INTO public.t (id, \"Note\", raw, ok) VALUES " + v + ";\n"
	}
	order = "INSERT INTO public.t (ok, \"Note\", id, raw) VALUES\n\t(true, E'it''''s; tab\\t, nl\\n, vt\\x0b, bs\\\\, oct\\101\\u0042', 1, '\\x00ff27'::bytea),\n\t(NULL, NULL, 2, NULL);\n" +
		"INSERT INTO public.t (id, raw, ok, \"Note\") VALUES (3, 'abc\\001\\\\', false, ''), (4, E'\\\\x', true, 'café (1, ''x'')') ON CONFLICT DO NOTHING;\n"
	return map[string]string{
		"copy":            head0 + "COPY public.t (id, \"Note\", raw, ok) FROM stdin;\n" + copyRows + "\\.\n" + foot0,
		"copy, no list":   head0 + "COPY public.t FROM stdin;\n" + copyRows + "\\.\n" + foot0,
		"inserts":         head0 + each + foot0,
		"column inserts":  head0 + columns + foot0,
		"rows per insert": head0 + "INSERT INTO public.t VALUES\n\t" + values[0] + ",\n\t" + values[1] + ",\n\t" + values[2] + ",\n\t" + values[3] + ";\n" + foot0,
		"other order":     head0 + order + foot0,
		"line a row":      head0 + "INSERT INTO public.t (id, \"Note\", raw, ok) VALUES\n" + values[0] + ",\n" + values[1] + ",\n" + values[2] + ",\n" + values[3] + ";\n" + foot0,
	}
}

func segmented(read func(context.Context, io.Reader, dump.Sink, Options) error, f dump.Format) func(int) dump.Format {
	return func(size int) dump.Format {
		f.Stream = func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
			return read(ctx, r, sink, Options{Segment: size})
		}
		return f
	}
}

func TestConform(t *testing.T) {
	for name, text := range styles() {
		t.Run(name, func(t *testing.T) {
			yes, no := "true", "false"
			if name[:4] == "copy" {
				yes, no = "t", "f"
			}
			c := dumptest.Case{
				Format:  Format(),
				Write:   func(testing.TB) []dumptest.File { return []dumptest.File{{Name: "fp.sql", Content: []byte(text)}} },
				Want:    rowsOf(yes, no),
				Segment: segmented(Read, Format()),
			}
			if name == "copy" || name == "inserts" {
				c.Large = func(t testing.TB, path string) int64 { return large(t, path, name) }
			}
			dumptest.Conform(t, c)
		})
	}
}

// large writes a dump of about 90 MB.
func large(t testing.TB, path, style string) int64 {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	const n = 1_500_000
	fmt.Fprint(w, head0)
	if style == "copy" {
		fmt.Fprintln(w, "COPY public.t FROM stdin;")
	}
	for i := range n {
		if style == "copy" {
			fmt.Fprintf(w, "%d\t+44%010d rang and left a word\t\\\\x00%02x\t\\N\n", i, i, i%256)
		} else {
			fmt.Fprintf(w, "INSERT INTO public.t VALUES (%d, '+44%010d', '\\x00%02x', NULL);\n", i, i, i%256)
		}
	}
	if style == "copy" {
		fmt.Fprintln(w, `\.`)
	}
	fmt.Fprint(w, foot0)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

// archiveWriter writes archives as pg_dump does, for versions and compressions that the
// installed one has not.
type archiveWriter struct {
	bytes.Buffer
	version   int
	algorithm compression
}

func (w *archiveWriter) int(n int) {
	sign := byte(0)
	if n < 0 {
		sign, n = 1, -n
	}
	w.Write([]byte{sign, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
}

func (w *archiveWriter) str(s string) {
	w.int(len(s))
	w.WriteString(s)
}

func (w *archiveWriter) entry(id, data int, tag, desc, defn, copy string) {
	w.int(id)
	w.int(data)
	w.str("1259")
	w.str("16385")
	w.str(tag)
	w.str(desc)
	if w.version >= 11 {
		w.int(2)
	}
	w.str(defn)
	w.str("")
	w.str(copy)
	w.str("public")
	w.str("")
	if w.version >= 14 {
		w.str("heap")
	}
	if w.version >= 16 {
		w.int('r')
	}
	w.str("postgres")
	w.str("false")
	w.int(-1)
	w.Write(make([]byte, 9))
}

func (w *archiveWriter) data(id int, data string) {
	w.WriteByte(1)
	w.int(id)
	var b bytes.Buffer
	var z io.WriteCloser
	switch w.algorithm {
	case gzipped:
		z = zlib.NewWriter(&b)
	case lz4ed:
		z = lz4.NewWriter(&b)
	case zstded:
		z, _ = zstd.NewWriter(&b)
	}
	if z != nil {
		io.WriteString(z, data)
		z.Close()
	} else {
		b.WriteString(data)
	}
	for b.Len() > 0 {
		chunk := b.Next(50)
		w.int(len(chunk))
		w.Write(chunk)
	}
	w.int(0)
}

func (w *archiveWriter) archive(copy, data string) []byte {
	w.WriteString(magic)
	w.Write([]byte{1, byte(w.version), 0, 4, 8, 1})
	if w.version >= 15 {
		w.WriteByte(byte(w.algorithm))
	} else {
		w.int(map[compression]int{gzipped: -1}[w.algorithm])
	}
	for range 7 {
		w.int(1)
	}
	w.str("fp")
	w.str("15.18")
	w.str("15.18")
	w.int(5)
	w.entry(1, 0, "ENCODING", "ENCODING", "SET client_encoding = 'UTF8';\n", "")
	w.entry(2, 0, "STDSTRINGS", "STDSTRINGS", "SET standard_conforming_strings = 'on';\n", "")
	w.entry(3, 0, "t", "TABLE", create+"\n", "")
	w.entry(4, 1, "BLOBS", "BLOBS", "", "")
	w.entry(5, 1, "t", "TABLE DATA", "", copy)
	w.WriteByte(3) // large objects
	w.int(4)
	w.int(16400)
	w.int(3)
	w.WriteString("obj")
	w.int(0)
	w.int(0)
	w.data(5, data)
	return w.Bytes()
}

func TestConformCustom(t *testing.T) {
	for _, version := range []int{10, 12, 14, 15, 16} {
		for _, algorithm := range []compression{uncompressed, gzipped, lz4ed, zstded} {
			if version < 15 && algorithm > gzipped || version%2 == 0 && version < 16 && algorithm == uncompressed {
				continue
			}
			t.Run(fmt.Sprintf("1.%d, %d", version, algorithm), func(t *testing.T) {
				w := archiveWriter{version: version, algorithm: algorithm}
				content := w.archive("COPY public.t (id, \"Note\", raw, ok) FROM stdin;\n", copyRows+"\\.\n\n\n")
				c := dumptest.Case{
					Format:  CustomFormat(),
					Write:   func(testing.TB) []dumptest.File { return []dumptest.File{{Name: "fp.dump", Content: content}} },
					Want:    rowsOf("t", "f"),
					Segment: segmented(ReadCustom, CustomFormat()),
					Virtual: true,
				}
				if version == 16 && algorithm == gzipped {
					c.Large = func(t testing.TB, path string) int64 {
						var b bytes.Buffer
						for i := range 1_000_000 {
							fmt.Fprintf(&b, "%d\t+44%010d rang and left a word\t\\\\x00%02x\t\\N\n", i, i, i%256)
						}
						w := archiveWriter{version: version, algorithm: algorithm}
						if err := os.WriteFile(path, w.archive("COPY public.t (id, \"Note\", raw, ok) FROM stdin;\n", b.String()+"\\.\n\n\n"), 0o600); err != nil {
							t.Fatal(err)
						}
						return 1_000_000
					}
				}
				dumptest.Conform(t, c)
			})
		}
	}
	t.Run("inserts", func(t *testing.T) {
		w := archiveWriter{version: 14, algorithm: gzipped}
		text := ""
		for _, v := range values {
			text += "INSERT INTO public.t VALUES " + v + ";\n"
		}
		content := w.archive("", text+"\n\n")
		dumptest.Conform(t, dumptest.Case{
			Format:  CustomFormat(),
			Write:   func(testing.TB) []dumptest.File { return []dumptest.File{{Name: "fp.dump", Content: content}} },
			Want:    rowsOf("true", "false"),
			Segment: segmented(ReadCustom, CustomFormat()),
			Virtual: true,
		})
	})
}

// What is damage does not depend on where segments end, and no row behind it is lost.
func TestDamageAcrossSegments(t *testing.T) {
	text := head0 + "INSERT INTO public.t VALUES (1,'a',NULL,NULL),(2,'b'),(3,'c',NULL,NULL),(4,'d',NULL,NULL);\nINSERT INTO public.t VALUES\n\t(5,'e',NULL,NULL),\n\t(6 'f',NULL,NULL),\n\t(7,'g',NULL,NULL),\n\t(8,'h',NULL,NULL);\n" + foot0
	quotes := regexp.MustCompile(`Reason:"(\\.|[^"\\])*"`)
	read := func(size int) (string, int) {
		var c dumptest.Collector
		if err := Read(t.Context(), strings.NewReader(text), &c, Options{Segment: size}); err != nil {
			t.Fatal(err)
		}
		return quotes.ReplaceAllString(c.String(), ""), len(c.Found) // a message's quote ends with the segment
	}
	whole, rows := read(1 << 20)
	if rows != 6 {
		t.Fatalf("found:\n%s", whole)
	}
	for size := 1; size < 300; size++ {
		if c, _ := read(size); c != whole {
			t.Fatalf("segments of %d:\n%s\nin one:\n%s", size, c, whole)
		}
	}
}

// What looks like the beginning of a row again and again is not each time read to its end.
func TestManyUnclosedRows(t *testing.T) {
	for _, text := range []string{
		"INSERT INTO public.t VALUES (1,'a',NULL,NULL)," + strings.Repeat("),(a(b(", 200_000),
		"INSERT IN public.t VALUES " + strings.Repeat("(a(b(", 200_000),
		"INSERT IN public.t VALUES " + strings.Repeat(" (a 'b',(", 200_000),
		strings.Repeat("COPY \"t (\n", 200_000),
		strings.Repeat("CQPY t FROM stdin;\n", 100_000),
	} {
		begin := time.Now()
		var c dumptest.Collector
		if err := Read(t.Context(), strings.NewReader(head0+text), &c, Options{}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%.40s...: %d bytes took %v", text, len(text), took)
		}
	}
}
