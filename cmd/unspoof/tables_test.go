package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
)

// Every case table and finding is in docs/formats/tables.md with its columns in their order, and
// nothing is there that is not made.
func TestTablesAreDocumented(t *testing.T) {
	documented := documentedTables(t)
	c, err := store.Open(builtCase(t, seizure(t, 0.0005, 1)))
	must(t, err)
	list, err := c.Tables()
	must(t, err)
	made := map[string][]string{}
	for _, m := range casefile.Model() {
		for _, col := range append(m.Columns, casefile.RefColumns()...) {
			made[m.Name] = append(made[m.Name], col.Name)
		}
	}
	for _, m := range list {
		if m.Kind != store.KindFinding {
			continue
		}
		for _, col := range m.Columns {
			made[m.Table] = append(made[m.Table], col.Name)
		}
	}
	for name, columns := range made {
		if want := documented[name]; !slices.Equal(want, columns) {
			t.Errorf("docs/formats/tables.md says of %s\n%v, and it has\n%v", name, want, columns)
		}
	}
	for name := range documented {
		if made[name] == nil && name != "snapshot_change" { // which only a case with snapshots has
			t.Errorf("docs/formats/tables.md has %s, which nothing makes", name)
		}
	}
}

// documentedTables reads the columns of every table that docs/formats/tables.md lists.
func documentedTables(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/formats/tables.md")
	must(t, err)
	aside, name := regexp.MustCompile(`\([^()]*(?:\([^()]*\)[^()]*)*\)`), regexp.MustCompile(`^[a-z][a-z0-9_]*\*?$`)
	tables := map[string][]string{}
	isCase := false
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "## ") {
			isCase = strings.HasPrefix(line, "## Case tables")
			if !isCase && !strings.HasPrefix(line, "## Findings") {
				break
			}
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		table, last := strings.TrimSpace(cells[0]), cells[len(cells)-1]
		if len(cells) < 2 || !name.MatchString(table) || table == "table" {
			continue
		}
		columns, _, _ := strings.Cut(aside.ReplaceAllString(strings.ReplaceAll(last, `\*`, "*"), ""), ":")
		for _, column := range strings.Split(columns, ",") {
			column = strings.TrimSpace(column)
			if !name.MatchString(column) {
				t.Errorf("docs/formats/tables.md: %s: %q is no column", table, column)
			}
			if before, is := strings.CutSuffix(column, "ref_*"); is {
				for _, r := range casefile.RefColumns() {
					tables[table] = append(tables[table], before+r.Name)
				}
				continue
			}
			tables[table] = append(tables[table], column)
		}
		if isCase {
			for _, r := range casefile.RefColumns() {
				tables[table] = append(tables[table], r.Name)
			}
		}
	}
	return tables
}
