package verify

import (
	"fmt"
	"strings"
	"testing"
)

// Every altered value, offset and number of a table made from JSON is found, by a sample and
// by the comparison of all rows, and what is not compared is said.
func TestJSONRows(t *testing.T) {
	const text = "{\"who\":\"O\\u0027Brien\",\"n\":1,\"deep\":{\"x\":[1]}}\n{\"n\":2,\"who\":null,\"at\":{\"$date\":0}}\n"
	second := strings.Index(text, "\n") + 1
	rows := func(who, n, deep, row string, offset int) string {
		return fmt.Sprintf(`SELECT * FROM (VALUES (1::BIGINT, 0::BIGINT, '%s', %s::BIGINT, '%s', NULL::TIMESTAMP, NULL::VARCHAR), (%s, %d, NULL, 2, NULL, TIMESTAMP '1970-01-01', NULL)) v(ref_row, ref_offset, who, n, deep, "at", ref_misfit)`,
			strings.ReplaceAll(who, "'", "''"), n, deep, row, offset)
	}
	for _, c := range []struct {
		name, query string
		all         bool // only a comparison of all rows finds it
		word        string
	}{
		{"as it was", rows("O'Brien", "1", `{"x":[1]}`, "2", second), false, ""},
		{"another name", rows("O'Brian", "1", `{"x":[1]}`, "2", second), false, `column "who"`},
		{"another number", rows("O'Brien", "10", `{"x":[1]}`, "2", second), false, `column "n"`},
		{"another object", rows("O'Brien", "1", `{"x":[2]}`, "2", second), false, `column "deep"`},
		{"another place", rows("O'Brien", "1", `{"x":[1]}`, "2", second+1), false, "offset"},
		{"another row number", rows("O'Brien", "1", `{"x":[1]}`, "3", second), true, "row"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			id := f.seal("calls.json", "json", []byte(text))
			f.publish(manifest{Table: "source." + id[:12] + ".calls", Kind: "source", Source: id, SourceTable: "calls"}, c.query)
			f.act("read", "source:"+id, map[string]any{"rows_in": 2, "rows_stored": 2, "rows_damaged": 0, "tables": 1})
			f.finish()
			for _, opt := range []Options{{Sample: 10}, {All: true}} {
				r := f.run(opt)
				switch found := !r.OK(); {
				case c.all && !opt.All:
				case found != (c.word != ""), found && !named(r, c.word):
					t.Errorf("%+v:\n%s", opt, r)
				case !found && !strings.Contains(r.String(), "1 values of its rows are not compared"):
					t.Errorf("it is not said what was not compared:\n%s", r)
				}
			}
		})
	}
}

// No text makes the reader of JSON fail badly, or read on for ever.
func FuzzSplitObject(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"b":"\ud83d\ude00"}`, `{"a":{"$oid":"x"}}`, `{"a":`, `{"a" "b"}`, `{"a":}`, `{:}`, `{"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) < 2 {
			return
		}
		if names, cells, err := splitObject(text); err == nil && len(names) != len(cells) {
			t.Errorf("%d names, %d cells", len(names), len(cells))
		}
	})
}
