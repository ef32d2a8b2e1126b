package suspects

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

const strict = `policy: met-2022
version: 2
title: the same from GBP 200
approved_by: A Lead
approved_on: "2023-01-01"
require:
  - {field: country, is: "=", value: GB, why: UK user}
  - {field: spend_btc_gbp_minor, is: ">=", value: "20000", why: spent at least GBP 200}
order: [spend_btc_gbp_minor desc, account_id]
`

// Two versions of a policy side by side: who passes each, in which rank and by what, how many
// each requirement removed, and who fell just below.
func TestPolicyVersions(t *testing.T) {
	ctx := t.Context()
	c, err := store.Create(filepath.Join(t.TempDir(), "case"), store.Config{ID: "t", Name: "t", TimeZone: "Europe/London", Created: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteShipped(c); err != nil {
		t.Fatal(err)
	}
	_, before, err := Policies(c)
	if err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(c.Dir, "policies", "met-2022-2.yaml")
	if err := os.WriteFile(second, []byte(strict), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, after, err := Policies(c); err != nil || after == before {
		t.Fatalf("another policy is the same version of the step: %v", err)
	}
	e, err := duckdb.Open(ctx, c, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	exec := func(q string) {
		t.Helper()
		if _, err := e.DB.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE suspect AS SELECT *, 1 AS long_calls_uk, CASE WHEN account_id = 'lost' THEN NULL ELSE 'GB' END AS country_claimed, 'US' AS country_phone, 'FR' AS country_target,
		CASE account_id WHEN 'just' THEN 0.5 ELSE 0.4 END AS target_share, 's' AS ref_source, 't' AS ref_table, 1::BIGINT AS ref_row, 0::BIGINT AS ref_offset
		FROM (VALUES ('rich', 'GB', 30000), ('just', 'GB', 10000), ('penny', 'GB', 9999), ('poor', 'GB', 1), ('away', 'US', 50000), ('lost', NULL, 50000)) v(account_id, country, spend_btc_gbp_minor)`)
	lines := func(table, columns string) string {
		t.Helper()
		for _, s := range Steps() {
			if s.Table == table {
				if s.Prepare != nil {
					if err := s.Prepare(ctx, c, e); err != nil {
						t.Fatal(err)
					}
				}
				var text sql.NullString
				if err := e.DB.QueryRow("SELECT string_agg(concat_ws(' ', " + columns + "), '\n') FROM (" + s.SQL + ")").Scan(&text); err != nil {
					t.Fatal(err)
				}
				return text.String
			}
		}
		t.Fatal("no step " + table)
		return ""
	}
	for _, w := range []struct{ table, columns, want string }{
		{"policy_result", "policy_version, latest, account_id, rank, ranked_by", `1 false rich 1 spend_btc_gbp_minor desc 30000, long_calls_uk desc 1, account_id rich
1 false just 2 spend_btc_gbp_minor desc 10000, long_calls_uk desc 1, account_id just
1 false away
1 false lost
1 false penny
1 false poor
2 true rich 1 spend_btc_gbp_minor desc 30000, account_id rich
2 true away
2 true just
2 true lost
2 true penny
2 true poor`},
		{"policy_step", "policy_version, latest, place, rule, before, removed, \"left\"", `1 false 1 country = GB 6 2 4
1 false 2 spend_btc_gbp_minor >= 10000 4 2 2
2 true 1 country = GB 6 2 4
2 true 2 spend_btc_gbp_minor >= 20000 4 3 1`},
		{"near_miss", "policy_version, place, account_id, value, short_by", "1 1 penny 9999.0 1.0\n1 2 poor 1.0 9999.0\n2 1 just 10000.0 10000.0\n2 2 penny 9999.0 10001.0\n2 3 poor 1.0 19999.0"},
		{"allocation", "account_id, country, basis, decides", "away GB claimed true\naway US phone false\njust GB claimed true\njust US phone false\njust FR targets false\nlost US phone true\n" +
			"penny GB claimed true\npenny US phone false\npoor GB claimed true\npoor US phone false\nrich GB claimed true\nrich US phone false"},
	} {
		if got := lines(w.table, w.columns); got != w.want {
			t.Errorf("%s:\n%s\nwant:\n%s", w.table, got, w.want)
		}
	}
	// one version is one text
	if err := os.WriteFile(second, []byte(strings.Replace(strict, "version: 2", "version: 1", 1)), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Policies(c); err == nil || !strings.Contains(err.Error(), "there twice with version 1") {
		t.Errorf("two texts of one version: %v", err)
	}
}
