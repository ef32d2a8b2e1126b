package pgdump

import (
	"regexp"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

// heads are the heads of a dump's COPY and INSERT statements, with the line end before them.
var heads = regexp.MustCompile(`\n(?:COPY [^;]*;\n|INSERT INTO [^(]*(?:\([^)]*\) )?VALUES\s*\()`)

// Whichever bit of a head, or of what stands before the first row, is flipped: every row is
// found or counted as damaged, in segments of any size.
func TestDamagedHead(t *testing.T) {
	body := strings.Index(head0, "$$BEGIN")
	for name, text := range styles() {
		t.Run(name, func(t *testing.T) {
			inHead := make([]bool, len(text))
			for _, h := range heads.FindAllStringIndex(text, -1) {
				for at := h[0]; at < h[1]; at++ {
					inHead[at] = true
				}
			}
			n := 0
			for at := range text {
				if !inHead[at] && at >= len(head0) {
					continue
				}
				// A function whose body is no longer quoted there ends at its first semicolon, and what follows
				// is an INSERT.
				if at == body || at == body+1 {
					continue
				}
				for bit := range 8 {
					flipped := []byte(text)
					flipped[at] ^= 1 << bit
					whole := readText(t, string(flipped), 4096)
					if whole.In() != 4 {
						t.Fatalf("byte %d is %q for %q: %d rows\n%s", at, flipped[at], text[at], whole.In(), whole)
					}
					if cut := readText(t, string(flipped), 37); withoutReasons(cut) != withoutReasons(whole) {
						t.Fatalf("byte %d is %q for %q: segments change the rows:\n%s\n%s", at, flipped[at], text[at], cut, whole)
					}
					n++
				}
			}
			t.Logf("%d flips", n)
		})
	}
}

// withoutReasons is what was found, without the words that a message shows of it.
func withoutReasons(c *dumptest.Collector) string {
	for i := range c.Damages {
		c.Damages[i].Reason = ""
	}
	return c.String()
}

// Rows without a head, their table where it is known, and where they end.
func TestLost(t *testing.T) {
	const rows, behind = "1\ta\n2\tb\\\nc\n3\tSELECT 1;\n", "COPY u (a) FROM stdin;\n9\n\\.\n"
	const table = "CREATE TABLE public.t (\n    id integer,\n    s text\n);\n"
	for name, c := range map[string]struct {
		text   string
		table  string
		lost   int64
		found  int
		reason string
	}{
		"first word":        {table + "CQPY public.t (id, s) FROM stdin;\n" + rows + "\\.\n" + behind, "t", 3, 1, "not the beginning"},
		"its space":         {table + "COPY(public.t (id, s) FROM stdin;\n" + rows + "\\.\n" + behind, "", 3, 1, "is not known"},
		"table":             {table + "COPY public.\x14 (id, s) FROM stdin;\n" + rows + "\\.\n" + behind, "", 3, 1, "is not known"},
		"column":            {table + "INSERT INTO public.t VALUES (0, '');\nCOPY public.t (id, q) FROM stdin;\n" + rows + "\\.\n" + behind, "t", 3, 2, `no column "q"`},
		"last word":         {table + "COPY public.t (id, s) FROM stdi\xee;\n" + rows + "\\.\n" + behind, "t", 3, 1, "does not know"},
		"semicolon":         {table + "COPY public.t (id, s) FROM stdin:\n" + rows + "\\.\n" + behind, "t", 3, 1, ""},
		"line end":          {table + "COPY public.t (id, s) FROM stdin;" + rows + "\\.\n" + behind, "t", 3, 1, "no rows follow"},
		"quote":             {table + "COPY public.t (id, \"s) FROM stdin;\n" + rows + "\\.\n" + behind, "t", 3, 1, ""},
		"and no mark":       {table + "COPY public.t (id, s) FROM stdi\xee;\n" + rows + behind, "t", 3, 1, ""},
		"and cut":           {table + "COPY public.t (id, s) FROM stdi\xee;\n" + rows + "4\td", "t", 4, 0, ""},
		"no rows":           {table + "COPY public.t (id, s) FROM stdi\xee;\n\\.\n" + behind, "", 0, 1, ""},
		"a file":            {table + "COPY public.t (id, s) FROM '/tmp/x';\n\n\n--\n-- x\n--\n\n" + behind, "", 0, 1, ""},
		"one column":        {"CREATE TABLE t (\n    s text\n);\nCOPY t (s) FROM stdi\xee;\n\nit's\n\n\n\\.\n" + behind, "t", 4, 1, ""},
		"statement before":  {table + "ALTER TABLE public.t OWNER TO x:\n\nCOPY public.t (id, s) FROM stdin;\n" + rows + "\\.\n" + behind, "", 0, 4, "does not end before the rows"},
		"quote before":      {table + "ALTER TABLE public.t ALTER s SET DEFAULT 'x;\n\nINSERT INTO public.t VALUES (1, 'a');\nINSERT INTO public.t VALUES (2, 'a');\n" + behind, "", 0, 3, ""},
		"INSERT":            {table + "INSEQT INTO public.t VALUES\n\t(1, 'it''s (2, ''x''), '),\n\t(2, NULL);\n" + behind, "", 2, 1, "is not known"},
		"INTO":              {table + "INSERT IN\\O public.t VALUES (1, 'a'), (2, 'b') ON CONFLICT DO NOTHING;\n" + behind, "", 2, 1, "without INTO"},
		"VALUES":            {table + "INSERT INTO public.t VALUE\x13 (1, 'a');\n" + behind, "t", 1, 1, "without VALUES"},
		"parenthesis":       {table + "INSERT INTO public.t VALUES\n\t81, 'a'),\n\t(2, 'b');\n" + behind, "t", 2, 1, "without rows"},
		"only parenthesis":  {table + "INSERT INTO public.t VALUES 81, 'a');\n" + behind, "t", 1, 1, "without rows"},
		"other columns":     {strings.Replace(table, "    id integer,\n", "", 1) + "INSERT INTO public.t VALUES (1, 'a'), (2, 'b'),\n(3, 'c');\n" + behind, "t", 3, 1, "2 cells where 1 belong"},
		"definition":        {strings.Replace(table, "CREATE", "CR\x00ATE", 1) + behind, "", 0, 1, "not the beginning"},
		"a function's text": {"CREATE FUNCTION f() RETURNS text\n    LANGUAGE sql\n    AS $_$\nCOPY t FROM stdin;\n1\n\\.\n$_$;\n" + behind, "", 0, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{4096, 37, 1} {
				got := readText(t, c.text+foot0, size)
				var lost int64
				table, reason := "", ""
				for _, d := range got.Damages {
					if reason += d.Reason + "; "; d.Rows > 0 {
						lost, table = lost+d.Rows, d.Table
					}
				}
				if len(got.Found) != c.found || lost != c.lost || table != c.table || !strings.Contains(reason, c.reason) {
					t.Errorf("segments of %d: %d rows of %q are lost, want %d of %q and %d found\n%s", size, lost, table, c.lost, c.table, c.found, got)
				}
			}
		})
	}
}

// A row without a head that is longer than may be is one row, and is not kept in memory.
func TestLostLongRow(t *testing.T) {
	text := "COPY t (a, b) FROM stdi\xee;\n1\ta\n2\t" + strings.Repeat("x", 5000) + "\n3\tc\n\\.\nCOPY u (a) FROM stdin;\n9\n\\.\n" + foot0
	var c dumptest.Collector
	if err := Read(t.Context(), strings.NewReader(text), &c, Options{Segment: 64, MaxRow: 500}); err != nil {
		t.Fatal(err)
	}
	if len(c.Found) != 1 || c.In() != 4 || len(c.Damages) != 1 {
		t.Errorf("%s", &c)
	}
}
