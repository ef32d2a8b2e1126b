package mapping

import (
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/unspoof/unspoof/internal/store"
)

// Coverage is what became of one source column.
type Coverage struct {
	Table      string   `json:"table"`
	Column     string   `json:"column"`
	Fate       string   `json:"fate"` // mapped, secret, aside, unknown
	To         []string `json:"to,omitempty"`
	Reason     string   `json:"reason,omitempty"`
	Confidence float64  `json:"confidence,omitempty"`
}

// reference finds alias.column and alias."column" in a mapping's SQL.
var reference = regexp.MustCompile(`[A-Za-z_]+\.(?:[A-Za-z_][A-Za-z0-9_]*|"[^"]+")`)

// Cover tells of every column of a source's tables whether it is mapped, secret, set aside
// with a reason, or unknown.
func (m *Mapping) Cover(tables map[string]store.Manifest) []Coverage {
	to := map[string][]string{} // table.column -> case columns
	why := map[string]string{}
	use := func(table, column, target, reason string) {
		key := strings.ToLower(table + "." + column)
		if !slices.Contains(to[key], target) {
			to[key] = append(to[key], target)
		}
		if reason != "" {
			why[key] = reason
		}
	}
	for caseTable, sources := range m.Tables {
		for _, s := range sources {
			table := s.From
			if table == "*" {
				for name := range tables {
					table = name
				}
			}
			alias := map[string]string{"t": table}
			texts := map[string]string{"(join)": ""}
			for _, j := range s.Join {
				alias[j.As] = j.Table
				texts["(join)"] += " " + j.On
				for _, ref := range reference.FindAllString(j.Select, -1) {
					if column, ok := strings.CutPrefix(ref, "s."); ok {
						use(j.Table, strings.Trim(column, `"`), "(join)", "")
					}
				}
			}
			for target, c := range s.Columns {
				if c.From != "" {
					use(table, c.From, caseTable+"."+target, c.Why)
				}
				texts[caseTable+"."+target] = c.SQL
			}
			for target, text := range texts {
				for _, ref := range reference.FindAllString(text, -1) {
					a, column, _ := strings.Cut(ref, ".")
					if alias[a] != "" {
						use(alias[a], strings.Trim(column, `"`), target, "")
					}
				}
			}
		}
	}
	var list []Coverage
	for name, t := range tables {
		for _, col := range t.Columns {
			if strings.HasPrefix(col.Name, "ref_") {
				continue
			}
			key := strings.ToLower(name + "." + col.Name)
			c := Coverage{Table: name, Column: col.Name, Fate: "unknown"}
			switch {
			case to[key] != nil:
				c.Fate, c.To, c.Reason, c.Confidence = "mapped", to[key], why[key], 1
				sort.Strings(c.To)
			case slices.Contains(m.Secret[name], col.Name), secretName(col.Name):
				c.Fate, c.Reason = "secret", "stays in the sealed source"
			case m.Aside[name+"."+col.Name] != "":
				c.Fate, c.Reason = "aside", m.Aside[name+"."+col.Name]
			case m.Aside[name] != "":
				c.Fate, c.Reason = "aside", m.Aside[name]
			}
			list = append(list, c)
		}
	}
	sort.Slice(list, func(i, j int) bool {
		if list[i].Table != list[j].Table {
			return list[i].Table < list[j].Table
		}
		return list[i].Column < list[j].Column
	})
	return list
}
