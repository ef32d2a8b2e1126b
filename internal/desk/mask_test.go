package desk

import (
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	secret := func(v string) OriginalCell { return OriginalCell{Column: "password", Value: v, Secret: true} }
	for _, c := range []struct {
		text, want string
		cells      []OriginalCell
	}{
		{`(1,'pass-word','x')`, `(1,'[masked]','x')`, []OriginalCell{secret("pass-word")}},
		{`(1,'it\'s "so"\\','x')`, `(1,'[masked]','x')`, []OriginalCell{secret(`it's "so"\`)}},
		{`(1,'it''s','x')`, `(1,'[masked]','x')`, []OriginalCell{secret(`it's`)}},
		{`1,"say ""hi""",x`, `1,"[masked]",x`, []OriginalCell{secret(`say "hi"`)}},
		{`(12,'1234','91234')`, `(12,'[masked]','9[masked]')`, []OriginalCell{secret("1234")}},
		{`(12,'1','21')`, `(12,'[masked]','21')`, []OriginalCell{secret("1")}},
		{`(1,0x6162,'x')`, ``, []OriginalCell{secret("ab")}}, // written in another form: nothing is shown
		{`(1,'a','bbbb')`, ``, []OriginalCell{secret("a"), secret("cccc")}},
		{`(1,'','x')`, `(1,'','x')`, []OriginalCell{secret("")}},
		{`(1,NULL)`, `(1,NULL)`, []OriginalCell{{Column: "p", Null: true, Secret: true}}},
		{`(1,'plain')`, `(1,'plain')`, []OriginalCell{{Column: "p", Value: "plain"}}},
	} {
		got, _ := mask(OriginalRow{Text: []byte(c.text), Cells: c.cells})
		if string(got) != c.want {
			t.Errorf("mask of %s: %s, want %s", c.text, got, c.want)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("secret'", "(1,'secret\\'')")
	f.Fuzz(func(t *testing.T, value, text string) {
		got, _ := mask(OriginalRow{Text: []byte(text), Cells: []OriginalCell{{Value: value, Secret: true}}})
		if len(value) >= short && !strings.Contains(masked, value) && strings.Contains(strings.ReplaceAll(string(got), masked, "\x01"), value) {
			t.Fatalf("mask of %q in %q left %q", value, text, got)
		}
	})
}
