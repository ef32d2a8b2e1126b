package mapping_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/mapping"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

const dialledYAML = `mapping: exchange
version: 1
title: An exchange behind an outside line
recognise: [cdr.dst]
tables:
  call:
    - from: cdr
      columns:
        called_raw: {from: dst}
        called_e164: {from: dst, as: e164, strip: ["9,", "*67", "'"], why: "its outside line and its service code"}
`

// A prefix that the mapping names is taken away; the raw value keeps it.
func TestStrip(t *testing.T) {
	m, err := mapping.Parse([]byte(dialledYAML))
	if err != nil {
		t.Fatal(err)
	}
	c, err := store.Create(filepath.Join(t.TempDir(), "case"), store.Config{ID: "t", Name: "t", TimeZone: "Europe/London", Created: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	e, err := duckdb.Open(t.Context(), c, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.DB.Exec(`CREATE TABLE cdr AS SELECT dst, i AS ref_row, 0 AS ref_offset FROM (VALUES
		(1, '9,00442079460123'), (2, '*6707700900123'), (3, '8,00442079460123'), (4, '''02079460123'), (5, '*67'), (6, NULL)) t(i, dst)`); err != nil {
		t.Fatal(err)
	}
	for _, model := range casefile.Model() {
		if model.Name != "call" {
			continue
		}
		query, err := m.Tables["call"][0].Select(model, "s", "UTC", map[string]store.Manifest{"cdr": {Table: "cdr", Columns: []store.Column{{Name: "dst", Type: "VARCHAR"}}}})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := e.DB.Query("SELECT called_raw, called_e164 FROM (" + query + ") ORDER BY ref_row")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		want := []struct {
			raw    string
			number int64
		}{{"9,00442079460123", 442079460123}, {"*6707700900123", 447700900123}, {"8,00442079460123", 0}, {"'02079460123", 442079460123}, {"*67", 0}, {"", 0}}
		for _, w := range want {
			var raw sql.NullString
			var number sql.NullInt64
			if !rows.Next() {
				t.Fatal("a row is missing")
			}
			if err := rows.Scan(&raw, &number); err != nil || raw.String != w.raw || number.Int64 != w.number {
				t.Errorf("%q is %d, %v, want %q %d", raw.String, number.Int64, err, w.raw, w.number)
			}
		}
	}
	for _, bad := range []string{`["9 "]`, `[""]`, `["a\nb"]`} {
		if _, err := mapping.Parse([]byte(strings.Replace(dialledYAML, `["9,", "*67", "'"]`, bad, 1))); err == nil {
			t.Errorf("strip: %s is taken", bad)
		}
	}
	if _, err := mapping.Parse([]byte(strings.Replace(dialledYAML, "as: e164", "as: text", 1))); err == nil {
		t.Error("strip is taken without as: e164")
	}
}
