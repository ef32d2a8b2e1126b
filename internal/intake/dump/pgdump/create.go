package pgdump

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/segment"
)

// isCreateTable tells CREATE [UNLOGGED|FOREIGN|TEMPORARY] TABLE.
func isCreateTable(text []byte) bool { return tableWord(text) > 0 }

// tableWord gives the place behind CREATE .. TABLE, 0 when the statement is none.
func tableWord(text []byte) int {
	i := len("CREATE ")
	for n := 0; n < 3; n++ {
		w, end, ok := identifier(text, segment.SkipSpace(text, i))
		if !ok {
			return 0
		}
		i = end
		switch w {
		case "table":
			i = segment.SkipSpace(text, i)
			if segment.HasPrefixFold(text[i:], "IF NOT EXISTS ") {
				i += len("IF NOT EXISTS ")
			}
			return i
		case "unlogged", "foreign", "temporary", "temp", "global", "local":
		default:
			return 0
		}
	}
	return 0
}

var addPrimaryKey = regexp.MustCompile(`(?is)^\s*ADD\s+CONSTRAINT\s+(?:"[^"]*"|\S+)\s+PRIMARY\s+KEY\s*`)

// addKey notes the primary key that an ALTER TABLE .. ADD CONSTRAINT declares: pg_dump writes
// it behind the rows.
func (p *reader) addKey(text []byte) {
	i := segment.SkipSpace(text, len("ALTER TABLE "))
	if segment.HasPrefixFold(text[i:], "ONLY ") {
		i = segment.SkipSpace(text, i+len("ONLY "))
	}
	parts, i, ok := qualified(text, i)
	if !ok {
		return
	}
	schema := p.schema
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	add := addPrimaryKey.Find(text[i:])
	t := p.tables[p.key(schema, parts[len(parts)-1])]
	if add == nil || t == nil {
		return
	}
	var key []string
	if i += len(add); i >= len(text) || text[i] != '(' {
		return
	}
	items, _ := splitItems(text, i+1)
	for _, item := range items {
		name, _, ok := identifier(item, segment.SkipSpace(item, 0))
		if !ok {
			return
		}
		key = append(key, name)
	}
	t.Key = key
}

// parseCreate reads a CREATE TABLE statement's name and columns. The columns of a parent it
// inherits from come first.
func (p *reader) parseCreate(text []byte) (*table, error) {
	parts, i, ok := qualified(text, tableWord(text))
	if !ok {
		return nil, fmt.Errorf("it names no table")
	}
	t := &table{Table: &dump.Table{}, schema: p.schema, name: parts[len(parts)-1], database: p.database, next: 1}
	if len(parts) > 1 {
		t.schema = parts[len(parts)-2]
	}
	if i = segment.SkipSpace(text, i); i >= len(text) || text[i] != '(' {
		return t, nil // PARTITION OF, OF type: the COPY names the columns
	}
	items, end := splitItems(text, i+1)
	rest := text[end:]
	if j := segment.SkipSpace(rest, 0); segment.HasPrefixFold(rest[j:], "INHERITS (") {
		parents, _ := splitItems(rest, j+len("INHERITS ("))
		for _, parent := range parents {
			if q, _, ok := qualified(parent, segment.SkipSpace(parent, 0)); ok {
				key := p.key(p.schema, q[len(q)-1])
				if len(q) > 1 {
					key = p.key(q[len(q)-2], q[len(q)-1])
				}
				if from := p.tables[key]; from != nil {
					t.Columns = append(t.Columns, from.Columns...)
				}
			}
		}
	}
	for _, item := range items {
		s := segment.SkipSpace(item, 0)
		name, next, ok := identifier(item, s)
		if !ok || item[s] != '"' && isConstraint(name) {
			continue
		}
		c := columnType(string(bytes.TrimSpace(item[next:])))
		c.Name = name
		t.Columns = append(t.Columns, c)
	}
	return t, nil
}

// splitItems cuts the body of a column list at its top-level commas, up to the closing
// parenthesis, behind which end is.
func splitItems(b []byte, i int) (items [][]byte, end int) {
	depth, start := 0, i
	for ; i < len(b); i++ {
		switch c := b[i]; c {
		case '(', '[':
			depth++
		case ')', ']':
			if depth == 0 {
				if len(bytes.TrimSpace(b[start:i])) > 0 {
					items = append(items, b[start:i])
				}
				return items, i + 1
			}
			depth--
		case ',':
			if depth == 0 {
				items = append(items, b[start:i])
				start = i + 1
			}
		case '\'', '"':
			for i++; i < len(b) && b[i] != c; i++ {
			}
		}
	}
	return append(items, b[min(start, len(b)):]), len(b)
}

func isConstraint(word string) bool {
	switch word {
	case "primary", "unique", "constraint", "check", "foreign", "exclude", "like":
		return true
	}
	return false
}

// columnType reads a column's declared type. Types with no better home are text.
func columnType(declared string) dump.Column {
	s := strings.ToLower(declared)
	if strings.HasPrefix(s, `"`) { // pg_dump --quote-all-identifiers
		if j := strings.IndexByte(s[1:], '"'); j > 0 {
			s = s[1:j+1] + s[j+2:]
		}
	}
	end := strings.IndexFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(s)
	}
	word, rest := s[:end], strings.TrimSpace(s[end:])
	c := dump.Column{Declared: word}
	if word == "" {
		c.Declared = "unknown"
		return c
	}
	args := ""
	if strings.HasPrefix(rest, "(") {
		if j := strings.IndexByte(rest, ')'); j > 0 {
			args, rest = rest[1:j], strings.TrimSpace(rest[j+1:])
		}
	}
	if strings.HasPrefix(rest, "with time zone") {
		c.Declared += " with time zone"
		return c
	}
	if strings.HasPrefix(rest, "without time zone") {
		rest = strings.TrimSpace(rest[len("without time zone"):])
	}
	if word == "double" {
		c.Declared, rest = "double precision", strings.TrimSpace(strings.TrimPrefix(rest, "precision"))
	}
	if strings.HasPrefix(rest, "[") || strings.HasPrefix(rest, "array") {
		c.Declared += "[]"
		return c
	}
	if strings.HasPrefix(rest, ".") { // a type of a schema
		c.Declared = strings.Fields(s)[0]
		return c
	}
	switch word {
	case "smallint", "integer", "bigint", "int", "int2", "int4", "int8", "serial", "bigserial", "smallserial", "oid":
		c.Kind = dump.Int
	case "numeric", "decimal":
		p, sc, _ := strings.Cut(args, ",")
		precision, err := strconv.Atoi(strings.TrimSpace(p))
		scale, _ := strconv.Atoi(strings.TrimSpace(sc)) // absent: zero
		if err == nil && precision > 0 && precision <= 18 && scale >= 0 && scale <= precision {
			c.Kind, c.Precision, c.Scale = dump.Decimal, precision, scale
		}
	case "real", "double", "float4", "float8", "float":
		c.Kind = dump.Float
	case "date":
		c.Kind = dump.Date
	case "timestamp":
		c.Kind = dump.DateTime
	case "bytea":
		c.Kind = dump.Binary
	}
	return c
}

func (p *reader) key(schema, name string) string {
	return p.database + "\x00" + schema + "\x00" + name
}

// define notes a table's columns. A second definition of a table that already has rows is
// ignored: the rows keep the columns they were read with.
func (p *reader) define(t *table) {
	key := p.key(t.schema, t.name)
	if old := p.tables[key]; old != nil && old.named {
		return
	}
	p.tables[key] = t
}

// name gives a table its name in the source, once.
func (p *reader) name(t *table) {
	if !t.named {
		t.Name, t.Charset, t.named = p.nameOf(t), p.charset, true
	}
}

// nameOf is what a table is called: its name, with schema and database where only they tell
// it from another table that is known.
func (p *reader) nameOf(t *table) string {
	schemas, databases, taken := 0, 0, map[string]bool{}
	for _, o := range p.tables {
		if o != t && o.name == t.name {
			if o.database == t.database {
				schemas++
			} else if o.schema == t.schema {
				databases++
			}
		}
		if o.named {
			taken[o.Name] = true
		}
	}
	full := strings.TrimPrefix(strings.TrimPrefix(t.database+".", ".")+t.schema+".", ".") + t.name
	options := []string{full}
	if databases == 0 {
		options = append([]string{strings.TrimPrefix(t.schema+".", ".") + t.name}, options...)
		if schemas == 0 {
			options = append([]string{t.name}, options...)
		}
	}
	for _, name := range options {
		if !taken[name] {
			return name
		}
	}
	for n := 2; ; n++ {
		if name := fmt.Sprintf("%s (%d)", full, n); !taken[name] {
			return name
		}
	}
}

// useTable makes the table of a head the current one. first is how many cells its first row
// has, when the head lists no columns. A column that no definition names is text; so are all
// of a table that is not defined.
func (p *reader) useTable(h head, first int) error {
	p.head = nil
	key := p.key(h.schema, h.name)
	t := p.tables[key]
	if t == nil {
		t = &table{Table: &dump.Table{}, database: p.database, schema: h.schema, name: h.name, next: 1}
		p.tables[key] = t
	}
	if len(t.Columns) == 0 && !t.named {
		names := h.columns
		if !h.listed {
			for i := range max(first, 1) {
				names = append(names, fmt.Sprintf("c%d", i+1))
			}
		}
		t.Columns = unknownTable(names).Columns
	}
	order := make([]int, len(h.columns))
	same := len(order) == len(t.Columns)
	for i, name := range h.columns {
		order[i] = -1
		for j := range t.Columns {
			if t.Columns[j].Name == name {
				order[i] = j
				break
			}
		}
		if order[i] < 0 {
			if t.named {
				return fmt.Errorf("table %q has no column %q", t.Name, name)
			}
			order[i] = len(t.Columns)
			t.Columns = append(t.Columns, unknownTable([]string{name}).Columns...)
			same = false
		}
		same = same && order[i] == i
	}
	p.name(t)
	p.cur, p.order, p.cells = t, nil, len(t.Columns)
	if h.listed && !same {
		p.order, p.cells = order, len(order)
	}
	return nil
}
