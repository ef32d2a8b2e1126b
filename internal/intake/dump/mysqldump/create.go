package mysqldump

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/segment"
)

// Definition is a table as a CREATE TABLE statement declares it, with what is of use only where
// the server wrote the rows itself, as for mysqldump --tab.
type Definition struct {
	*dump.Table
	Charsets []string // the character set of each column's text, by MySQL's name; empty: none is declared
	Bits     []int    // of how many bits each column is that is declared BIT; 0: it is none
}

// ParseDefinition reads a statement that a reading gave; nil when it defines no table.
func ParseDefinition(statement []byte) *Definition {
	text := unwrap(statement)
	if !segment.HasPrefixFold(text, "CREATE TABLE") {
		return nil
	}
	d, err := parseCreate(text)
	if err != nil {
		return nil // said where it was read
	}
	return d
}

var (
	bitType        = regexp.MustCompile(`(?i)^\s*bit\b\s*(?:\(\s*(\d+)\s*\))?`)
	columnCharset  = regexp.MustCompile(`(?i)\b(?:CHARACTER\s+SET|CHARSET)\s+(\w+)`)
	defaultCharset = regexp.MustCompile(`(?i)\bDEFAULT\s+(?:CHARACTER\s+SET|CHARSET)\s*=\s*(\w+)`)
)

// parseCreate reads a CREATE TABLE statement's name and columns.
func parseCreate(text []byte) (*Definition, error) {
	i := len("CREATE TABLE")
	i = segment.SkipSpace(text, i)
	if segment.HasPrefixFold(text[i:], "IF NOT EXISTS") {
		i = segment.SkipSpace(text, i+len("IF NOT EXISTS"))
	}
	name, i, ok := identifier(text, i)
	for ok && i < len(text) && text[i] == '.' {
		name, i, ok = identifier(text, i+1)
	}
	if !ok {
		return nil, errors.New("it names no table")
	}
	i = segment.SkipSpace(text, i)
	if i >= len(text) || text[i] != '(' {
		return nil, fmt.Errorf("table %q has no column list", name)
	}
	t := &Definition{Table: &dump.Table{Name: name}}
	byDefault := ""
	if m := defaultCharset.FindSubmatch(quotedText.ReplaceAll(text, nil)); m != nil {
		byDefault = string(m[1])
	}
	for _, item := range splitItems(text[i+1:]) {
		col, next, ok := identifier(item, segment.SkipSpace(item, 0))
		if !ok {
			continue
		}
		if item[segment.SkipSpace(item, 0)] != '`' && item[segment.SkipSpace(item, 0)] != '"' && isKeyword(col) {
			if key := primaryKey(item); key != nil {
				t.Key = key
			}
			continue
		}
		c := columnType(string(item[next:]))
		c.Name = col
		words := quotedText.ReplaceAll(item[next:], nil)
		if inlineKey.Match(words) {
			t.Key = []string{col}
		}
		charset, bits := byDefault, 0
		if m := columnCharset.FindSubmatch(words); m != nil {
			charset = string(m[1])
		}
		if m := bitType.FindSubmatch(words); m != nil {
			bits = 1
			if n, err := strconv.Atoi(string(m[1])); err == nil && n > 0 && n <= 64 { // no server takes more
				bits = n
			}
		}
		t.Columns, t.Charsets, t.Bits = append(t.Columns, c), append(t.Charsets, charset), append(t.Bits, bits)
	}
	if len(t.Columns) == 0 {
		return nil, fmt.Errorf("table %q has no columns", name)
	}
	return t, nil
}

var (
	keyHead    = regexp.MustCompile("(?is)^\\s*(?:CONSTRAINT\\s+(?:`[^`]*`\\s+|[^\\s`]+\\s+)?)?PRIMARY\\s+KEY\\s*(?:USING\\s+\\w+\\s*)?\\(")
	inlineKey  = regexp.MustCompile(`(?i)\bPRIMARY\s+KEY\b`)
	quotedText = regexp.MustCompile(`'(?:[^'\\]|\\.)*'`)
)

// primaryKey gives the columns of a PRIMARY KEY item of a column list; nil when the item is
// none, or when the key is over the beginning of a column only.
func primaryKey(item []byte) (columns []string) {
	head := keyHead.Find(item)
	if head == nil {
		return nil
	}
	for _, part := range splitItems(item[len(head):]) {
		name, next, ok := identifier(part, segment.SkipSpace(part, 0))
		if !ok || bytes.ContainsRune(part[next:], '(') {
			return nil
		}
		columns = append(columns, name)
	}
	return columns
}

// addKey notes the primary key that an ALTER TABLE .. ADD PRIMARY KEY declares, as phpMyAdmin
// writes it behind the rows.
func (p *reader) addKey(text []byte) {
	name, i, ok := identifier(text, segment.SkipSpace(text, len("ALTER TABLE")))
	for ok && i < len(text) && text[i] == '.' {
		name, i, ok = identifier(text, i+1)
	}
	t := p.tables[p.key(name)]
	if !ok || t == nil {
		return
	}
	for _, item := range splitItems(bytes.TrimRight(text[i:], "; \r\n")) {
		if item = bytes.TrimSpace(item); segment.HasPrefixFold(item, "ADD ") {
			if key := primaryKey(item[len("ADD "):]); key != nil {
				t.Key = key
			}
		}
	}
}

// splitItems cuts the body of a column list at its top-level commas, up to the closing
// parenthesis.
func splitItems(b []byte) (items [][]byte) {
	depth, start := 0, 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '(':
			depth++
		case ')':
			if depth == 0 {
				return append(items, b[start:i])
			}
			depth--
		case ',':
			if depth == 0 {
				items = append(items, b[start:i])
				start = i + 1
			}
		case '\'', '`', '"':
			for i++; i < len(b) && b[i] != c; i++ {
				if b[i] == '\\' && c == '\'' {
					i++
				}
			}
		}
	}
	return append(items, b[start:])
}

// isKeyword tells a key or constraint from a column.
func isKeyword(word string) bool {
	switch strings.ToUpper(word) {
	case "PRIMARY", "KEY", "UNIQUE", "CONSTRAINT", "FULLTEXT", "SPATIAL", "INDEX", "CHECK", "FOREIGN", "PERIOD":
		return true
	}
	return false
}

// columnType reads a column's declared type. Types with no better home are text.
func columnType(declared string) dump.Column {
	s := strings.ToLower(strings.TrimSpace(declared))
	end := strings.IndexFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(s)
	}
	word, rest := s[:end], strings.TrimSpace(s[end:])
	c := dump.Column{Declared: word}
	var args string
	if strings.HasPrefix(rest, "(") {
		// An ENUM's values may hold parentheses; only numbers matter here.
		if j := strings.IndexByte(rest, ')'); j > 0 {
			args = rest[1:j]
			rest = rest[j+1:]
		}
	}
	unsigned := strings.Contains(before(rest, "comment"), "unsigned")
	switch word {
	case "tinyint", "smallint", "mediumint", "int", "integer", "bigint", "year", "bit", "bool", "boolean", "serial":
		c.Kind = dump.Int
		if unsigned && word == "bigint" || word == "serial" {
			c.Kind = dump.Uint
		}
		if word == "bit" {
			c.Declared = "bit"
			if n, _ := strconv.Atoi(args); n == 64 {
				c.Kind = dump.Uint
			}
		}
	case "decimal", "numeric", "dec", "fixed":
		c.Kind = dump.Decimal
		c.Precision = 10
		p, sc, _ := strings.Cut(args, ",")
		if n, err := strconv.Atoi(strings.TrimSpace(p)); err == nil {
			c.Precision = n
		}
		c.Scale, _ = strconv.Atoi(strings.TrimSpace(sc)) // absent: zero
		if c.Precision > 18 || c.Scale > c.Precision {
			c.Kind = dump.Text
		}
	case "float", "double", "real":
		c.Kind = dump.Float
	case "date":
		c.Kind = dump.Date
	case "datetime", "timestamp":
		c.Kind = dump.DateTime
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob",
		"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection":
		c.Kind = dump.Binary
	}
	return c
}

func before(s, mark string) string {
	if i := strings.Index(s, mark); i >= 0 {
		return s[:i]
	}
	return s
}
