package verify

import (
	"fmt"
	"strings"
	"testing"
)

// Every altered value, offset and number of a table made from a dump of PostgreSQL is found, in
// COPY and in INSERT, by a sample and by the comparison of all rows.
func TestPostgresRows(t *testing.T) {
	const head = "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\n" +
		"CREATE FUNCTION public.f() RETURNS integer LANGUAGE sql AS $_$\nCOPY public.t (who) FROM stdin;\nno row\n$_$;\n\n" +
		"CREATE TABLE public.t (\n    id integer,\n    who text,\n    raw bytea,\n    at timestamp without time zone\n);\n\n"
	for style, body := range map[string]string{
		"copy":   "COPY public.t (id, raw, who, at) FROM stdin;\n1\t\\\\x00ff\tO'Brien\\t\\\\\\x41\t2022-02-30 10:00:00\n2\t\\N\t(1, 'x')\t2022-07-01 10:00:00.5\n\\.\n",
		"insert": "INSERT INTO public.t (id, who, raw, at) VALUES (1, E'O''Brien\\t\\\\A', '\\x00ff', '2022-02-30 10:00:00');\nINSERT INTO public.t VALUES (2, '(1, ''x'')', NULL, '2022-07-01 10:00:00.5'::timestamp);\n",
	} {
		text := head + body + "\n--\n-- PostgreSQL database dump complete\n--\n"
		first, second := strings.Index(text, "1\t\\\\x00"), strings.Index(text, "2\t\\N")
		if style == "insert" {
			first, second = strings.Index(text, "(1, E"), strings.Index(text, "(2, '(")
		}
		rows := func(who, raw, at, misfit, row string, offset int) string {
			return fmt.Sprintf(`SELECT * FROM (VALUES (1::BIGINT, %d::BIGINT, 1::BIGINT, '%s', '%s'::BLOB, NULL::TIMESTAMP, '{"at":"%s"}'), (%s, %d, 2, '(1, ''x'')', NULL, TIMESTAMP '%s', NULL)) v(ref_row, ref_offset, id, who, raw, "at", ref_misfit)`,
				first, strings.ReplaceAll(who, "'", "''"), raw, misfit, row, offset, at)
		}
		const who, raw, at, misfit = "O'Brien\t\\A", `\x00\xFF`, "2022-07-01 10:00:00.5", "2022-02-30 10:00:00"
		for _, c := range []struct {
			name, query string
			all         bool // only a comparison of all rows finds it
			word        string
		}{
			{"as it was", rows(who, raw, at, misfit, "2", second), false, ""},
			{"another name", rows("O'Brian\t\\A", raw, at, misfit, "2", second), false, `column "who"`},
			{"other bytes", rows(who, `\x00`, at, misfit, "2", second), false, `column "raw"`},
			{"another time", rows(who, raw, "2022-07-01 10:00:00", misfit, "2", second), false, `column "at"`},
			{"another misfit", rows(who, raw, at, "2022-02-28 10:00:00", "2", second), false, `column "at"`},
			{"another place", rows(who, raw, at, misfit, "2", second+1), false, "offset"},
			{"another row number", rows(who, raw, at, misfit, "3", second), true, "row"},
		} {
			t.Run(style+"/"+c.name, func(t *testing.T) {
				f := newFixture(t)
				id := f.seal("x.sql", "pgdump", []byte(text))
				f.publish(manifest{Table: "source." + id[:12] + ".t", Kind: "source", Source: id, SourceTable: "t"}, c.query)
				f.act("read", "source:"+id, map[string]any{"rows_in": 2, "rows_stored": 2, "rows_damaged": 0, "tables": 1})
				f.finish()
				for _, opt := range []Options{{Sample: 10}, {All: true}} {
					r := f.run(opt)
					if found := !r.OK(); found != (c.word != "") && (opt.All || !c.all) || found && !named(r, c.word) {
						t.Errorf("%+v:\n%s", opt, r)
					}
				}
			})
		}
	}
}

// No text makes the reader of PostgreSQL's dumps fail badly, or read on for ever.
func FuzzPostgres(f *testing.F) {
	f.Add("COPY public.t (a, \"b\"\"\") FROM stdin;\n1\t\\N\n\\.\nINSERT INTO t VALUES (1, E'\\\\x', B'01', f(2)), (2);\nSELECT $$;\n$$;", uint8(3), uint8(9))
	f.Add("COPY t FROM stdin;\r\n\\x4\t\\7\t\\u00e9\r\n", uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, text string, from, length uint8) {
		s := &scanner{tables: map[string]*sourceTable{}, next: map[string]int64{}, unknown: map[string]bool{}, c: &Check{}, src: &source{}}
		if err := s.postgres(newInput(strings.NewReader(text), 0), []stretch{{offset: int64(from), length: int64(length)}}); err != nil && len(text) == 0 {
			t.Error(err)
		}
		line, _ := readCopyLine(newInput(strings.NewReader(text), 0))
		splitCopyLine(line, nil)
		for _, std := range []bool{true, false} {
			for _, word := range pgItems([]byte(text), std) {
				readPGValue(word, std)
			}
		}
	})
}
