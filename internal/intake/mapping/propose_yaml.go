package mapping

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// text writes a proposal as a mapping file: what each table was taken for, then the mapping
// with the confidence and the reason of every column beside it, then what stays unknown. It
// holds names of tables and columns and codes of call records, and no value of a source.
func (p *Proposal) text() []byte {
	var b strings.Builder
	m := p.Mapping
	b.WriteString("# A proposal made from the tables' names and what their columns hold. Review it: every line is a\n" +
		"# statement about evidence. Change what is wrong, delete what is doubtful, then run\n" +
		"# `unspoof map --apply FILE`. Columns that are not named here stay in the source tables.\n#\n")
	unknown := 0
	for _, r := range p.Tables {
		switch {
		case r.Case != "":
			fmt.Fprintf(&b, "# %-28s %9d rows  -> %s (%.2f) %s\n", line(r.Table), r.Rows, r.Case, r.Conf, line(r.Why))
		case !strings.HasPrefix(r.Why, "set aside"):
			unknown++
		}
	}
	fmt.Fprintf(&b, "# %d tables were not recognised and %d are set aside; see the end.\n", unknown, len(m.Aside))
	fmt.Fprintf(&b, "mapping: %s\nversion: %d\ntitle: %s\n\ntables:", str(m.Name), m.Version, str(m.Title))
	if len(m.Tables) == 0 {
		b.WriteString(" {}")
	}
	b.WriteString("\n")
	for _, table := range sortedKeys(m.Tables) {
		fmt.Fprintf(&b, "  %s:\n", table)
		for _, s := range m.Tables[table] {
			fmt.Fprintf(&b, "    - from: %s\n", str(s.From))
			if s.Where != "" {
				fmt.Fprintf(&b, "      where: %s\n", str(s.Where))
			}
			if len(s.Join) > 0 {
				b.WriteString("      join:\n")
				for _, j := range s.Join {
					fmt.Fprintf(&b, "        - {table: %s, as: %s, on: %s}\n", str(j.Table), str(j.As), str(j.On))
				}
			}
			b.WriteString("      columns:\n")
			for _, name := range caseColumns(table) {
				if c, ok := s.Columns[name]; ok {
					column(&b, name, c)
				}
			}
		}
	}
	b.WriteString("\nsecret:")
	if len(m.Secret) == 0 {
		b.WriteString(" {}")
	}
	b.WriteString("\n")
	for _, t := range sortedKeys(m.Secret) {
		list := make([]string, len(m.Secret[t]))
		for i, c := range m.Secret[t] {
			list[i] = str(c)
		}
		fmt.Fprintf(&b, "  %s: [%s]\n", str(t), strings.Join(list, ", "))
	}
	b.WriteString("\naside:")
	if len(m.Aside) == 0 {
		b.WriteString(" {}")
	}
	b.WriteString("\n")
	for _, t := range sortedKeys(m.Aside) {
		fmt.Fprintf(&b, "  %s: %s\n", str(t), str(m.Aside[t]))
	}
	p.unknown(&b)
	return []byte(b.String())
}

// column writes one column and, over it, how sure the proposal is.
func column(b *strings.Builder, name string, c Column) {
	sure := ""
	if c.Confidence > 0 && c.Confidence < 0.7 {
		sure = "  # look at this one"
	}
	fmt.Fprintf(b, "        %s:%s\n", name, sure)
	put := func(key, value string) {
		if value != "" {
			fmt.Fprintf(b, "          %s: %s\n", key, str(value))
		}
	}
	put("from", c.From)
	put("as", c.As)
	put("zone", c.Zone)
	if c.Const != nil {
		fmt.Fprintf(b, "          const: %s\n", str(*c.Const))
	}
	put("prefix", c.Prefix)
	if len(c.Values) > 0 {
		var list []string
		for _, k := range sortedKeys(c.Values) {
			list = append(list, str(k)+": "+str(c.Values[k]))
		}
		fmt.Fprintf(b, "          values: {%s}\n", strings.Join(list, ", "))
	}
	put("else", c.Else)
	put("country_of", c.CountryOf)
	put("sql", c.SQL)
	if c.Confidence > 0 {
		fmt.Fprintf(b, "          confidence: %.2f\n", c.Confidence)
	}
	put("why", c.Why)
}

// unknown lists, as comments, tables that no role was found for and columns of mapped tables
// that nothing is proposed for, with what they hold.
func (p *Proposal) unknown(b *strings.Builder) {
	used := map[string]bool{}
	for _, sources := range p.Mapping.Tables {
		for _, s := range sources {
			alias := map[string]string{"t": s.From}
			for _, j := range s.Join {
				alias[j.As] = j.Table
			}
			for _, c := range s.Columns {
				used[s.From+"."+c.From] = true
				for _, ref := range reference.FindAllString(strings.ReplaceAll(c.SQL, `"`, ""), -1) {
					a, col, _ := strings.Cut(ref, ".")
					used[alias[a]+"."+col] = true
				}
			}
		}
	}
	b.WriteString("\n# Unknown columns of the tables above, with what most of their values are:\n")
	for _, r := range p.Tables {
		t := p.profile.Table(r.Table)
		if r.Case == "" || t == nil {
			continue
		}
		for _, c := range t.Columns {
			if used[t.Name+"."+c.Name] || hasString(p.Mapping.Secret[t.Name], c.Name) || p.Mapping.Aside[t.Name+"."+c.Name] != "" {
				continue
			}
			type kind struct {
				name  string
				share float64
			}
			var kinds []kind
			for k, s := range c.Kinds {
				if s >= 0.2 {
					kinds = append(kinds, kind{k, s})
				}
			}
			sort.Slice(kinds, func(i, j int) bool {
				if kinds[i].share != kinds[j].share {
					return kinds[i].share > kinds[j].share
				}
				return kinds[i].name < kinds[j].name
			})
			says := "empty"
			if c.Filled() {
				says = "no known kind"
			}
			for i, k := range kinds[:min(3, len(kinds))] {
				if i == 0 {
					says = ""
				} else {
					says += ", "
				}
				says += fmt.Sprintf("%s %.0f %%", k.name, 100*k.share)
			}
			fmt.Fprintf(b, "#   %s.%s: %s\n", line(t.Name), line(c.Name), says)
		}
	}
	b.WriteString("# Tables that were not recognised:\n")
	for _, r := range p.Tables {
		if r.Case == "" && !strings.HasPrefix(r.Why, "set aside") {
			fmt.Fprintf(b, "#   %s (%d rows)\n", line(r.Table), r.Rows)
		}
	}
}

func hasString(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// line makes a text fit for a comment: what would end it, or does not show, is escaped.
func line(s string) string {
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// str writes a YAML string. What does not show is escaped; Go's escapes are YAML's.
func str(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == "" && s != "null" && s != "true" && s != "false" && s != "yes" && s != "no" && s != "on" && s != "off" && s != "y" && s != "n" {
		return s
	}
	return strconv.Quote(s)
}
