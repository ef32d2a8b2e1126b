package mapping

import (
	"sort"
	"strings"

	"github.com/unspoof/unspoof/internal/store"
)

// Line is a mapping as data: one source column and one thing that becomes of it.
type Line struct {
	Table      string  `json:"table"`
	Column     string  `json:"column"`
	Fate       string  `json:"fate"` // mapped, secret, aside, unknown
	CaseTable  string  `json:"case_table,omitempty"`
	CaseColumn string  `json:"case_column,omitempty"` // empty where the column only serves a look-up
	Confidence float64 `json:"confidence,omitempty"`  // of what is mapped; 1 where the mapping states none
	Reason     string  `json:"reason,omitempty"`
}

// Lines gives the mapping as data, by source table and column. A column that fills several
// case columns has a line for each.
func (m *Mapping) Lines(tables map[string]store.Manifest) []Line {
	var list []Line
	for _, c := range m.Cover(tables) {
		if c.Fate != "mapped" {
			list = append(list, Line{Table: c.Table, Column: c.Column, Fate: c.Fate, Reason: c.Reason})
			continue
		}
		for _, to := range c.To {
			l := Line{Table: c.Table, Column: c.Column, Fate: c.Fate, Confidence: 1, Reason: c.Reason}
			if table, column, ok := strings.Cut(to, "."); ok {
				l.CaseTable, l.CaseColumn = table, column
				for _, s := range m.Tables[table] {
					how, ok := s.Columns[column]
					if !ok || s.From != c.Table && s.From != "*" && how.From != "" {
						continue
					}
					if how.Confidence > 0 {
						l.Confidence = how.Confidence
					}
					if how.Why != "" {
						l.Reason = how.Why
					}
					if s.From == c.Table {
						break
					}
				}
			} else {
				l.Reason = "serves a look-up"
			}
			list = append(list, l)
		}
	}
	return list
}

// TableCover counts what became of one source table's columns.
type TableCover struct {
	Table   string   `json:"table"`
	Rows    int64    `json:"rows"`
	Cases   []string `json:"case_tables,omitempty"`
	Mapped  int      `json:"mapped"`
	Aside   int      `json:"aside"`
	Secret  int      `json:"secret"`
	Unknown int      `json:"unknown"`
	Low     int      `json:"low_confidence"` // mapped, with a confidence under 0.7
	Reasons []string `json:"reasons,omitempty"`
	Left    []string `json:"unknown_columns,omitempty"`
}

// Review counts, table by table, what is mapped, set aside with its reasons, secret and
// unknown.
func (m *Mapping) Review(tables map[string]store.Manifest) []TableCover {
	by := map[string]*TableCover{}
	low := map[string]bool{}
	for _, l := range m.Lines(tables) {
		if l.Fate == "mapped" && l.Confidence < 0.7 {
			low[l.Table+"."+l.Column] = true
		}
	}
	cases := map[string]map[string]bool{}
	for _, c := range m.Cover(tables) {
		t := by[c.Table]
		if t == nil {
			t = &TableCover{Table: c.Table, Rows: tables[c.Table].Rows}
			by[c.Table], cases[c.Table] = t, map[string]bool{}
		}
		switch c.Fate {
		case "mapped":
			t.Mapped++
			if low[c.Table+"."+c.Column] {
				t.Low++
			}
			for _, to := range c.To {
				if table, _, ok := strings.Cut(to, "."); ok && !cases[c.Table][table] {
					cases[c.Table][table] = true
					t.Cases = append(t.Cases, table)
				}
			}
		case "aside":
			t.Aside++
			if !hasString(t.Reasons, c.Reason) {
				t.Reasons = append(t.Reasons, c.Reason)
			}
		case "secret":
			t.Secret++
		default:
			t.Unknown++
			t.Left = append(t.Left, c.Column)
		}
	}
	list := make([]TableCover, 0, len(by))
	for _, t := range by {
		sort.Strings(t.Cases)
		list = append(list, *t)
	}
	sort.Slice(list, func(i, j int) bool {
		if (list[i].Mapped > 0) != (list[j].Mapped > 0) {
			return list[i].Mapped > 0
		}
		return list[i].Table < list[j].Table
	})
	return list
}
