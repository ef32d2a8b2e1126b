package step

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// What is cast to a column's words, sorted and written is read back as the texts it was, whatever they
// hold; a column without a text has a type too.
func TestWords(t *testing.T) {
	c, e := empty(t)
	texts := []string{"'); DROP TABLE said; --", "A", "A ", "a", strings.Repeat("long ", 20_000), "\u202e\"\\", "żółć"}
	rows := make([][]string, len(texts))
	for i, text := range texts {
		rows[i] = []string{text, "nul\x00" + text, ""}
	}
	if err := Fill(t.Context(), e, "said", []string{"text", "nul", "nothing"}, append(rows, []string{"", "", ""}, []string{"A", "", ""})); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the types are made anew
		if err := Words("said", "text", "nul", "nothing")(t.Context(), c, e); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(c.Dir, "tables", "said.parquet")
	_, columns, err := e.Write(t.Context(), "SELECT text::text_word AS text, nul::nul_word AS nul, nothing::nothing_word AS nothing FROM said ORDER BY text::text_word", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range columns {
		if c.Type != "VARCHAR" {
			t.Errorf("%s is %s in the file, want VARCHAR", c.Name, c.Type)
		}
	}
	var got, want []string
	read := func(into *[]string, query string) {
		if err := Each(t.Context(), e, query, func(a, b string) { *into = append(*into, a+"|"+b) }); err != nil {
			t.Fatal(err)
		}
	}
	read(&got, "SELECT concat(text, '/', nul), coalesce(nothing, 'none') FROM read_parquet("+duckdb.Literal(path)+")")
	read(&want, "SELECT concat(text, '/', nul), 'none' FROM said ORDER BY text")
	if len(got) != len(texts)+2 || !reflect.DeepEqual(got, want) {
		t.Errorf("read back %.200q, want %.200q", got, want)
	}
	var kind string
	if err := e.DB.QueryRow("SELECT typeof(CAST('A' AS text_word))").Scan(&kind); err != nil || !strings.HasPrefix(kind, "ENUM(") {
		t.Errorf("the type of texts is %.40q (%v), want an enumerated one", kind, err)
	}
}
