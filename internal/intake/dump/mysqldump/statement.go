package mysqldump

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/segment"
)

// statement reads one statement, comment or run of white space at p.Pos.
func (p *reader) statement() error {
	b := p.Buf
	i := segment.SkipSpace(b, p.Pos)
	for i < len(b) && b[i] == ';' { // an empty statement
		i = segment.SkipSpace(b, i+1)
	}
	p.Pos = i
	if i == len(b) {
		return segment.ErrMore
	}
	rest := b[i:]
	if len(rest) < 16 && !p.EOF {
		return segment.ErrMore
	}
	switch {
	case bytes.HasPrefix(rest, []byte("-- ")), bytes.HasPrefix(rest, []byte("--\n")), bytes.HasPrefix(rest, []byte("--\r")), rest[0] == '#':
		return p.lineComment(rest)
	case bytes.HasPrefix(rest, []byte("/*M!999999\\-")), bytes.HasPrefix(rest, []byte("/*")) && !bytes.HasPrefix(rest, []byte("/*!")) && !bytes.HasPrefix(rest, []byte("/*M!")):
		end := bytes.Index(rest, []byte("*/"))
		if end < 0 {
			return p.unfinished()
		}
		p.Pos += end + 2
		return nil
	case p.delimiter == ";" && (segment.HasPrefixFold(rest, "INSERT") || segment.HasPrefixFold(rest, "REPLACE")):
		return p.insert()
	case segment.HasPrefixFold(rest, "DELIMITER "):
		line := bytes.IndexByte(rest, '\n')
		if line < 0 && !p.EOF {
			return segment.ErrMore
		}
		if line < 0 {
			line = len(rest)
		}
		p.delimiter = strings.TrimSpace(string(rest[len("DELIMITER "):line]))
		if p.delimiter == "" {
			p.delimiter = ";"
		}
		p.Pos += line
		return nil
	case startsStatement(rest) != yes && p.delimiter == ";":
		if err := p.Flush(); err != nil {
			return err
		}
		p.startDamage(i, fmt.Sprintf("%q is not the beginning of a statement", segment.Clip(rest)))
		return nil
	}
	end, err := statementEnd(b, i, p.delimiter)
	if err != nil {
		end = len(b)
	}
	if p.delimiter == ";" && segment.HasPrefixFold(rest, "CREATE TABLE") && insertWithin.Match(b[i:end]) {
		if err := p.Flush(); err != nil {
			return err
		}
		p.startDamage(i, "a table definition does not end before the next INSERT: a quote in it may be damaged")
		return nil
	}
	if err != nil {
		return p.unfinished()
	}
	text := b[i:end]
	p.Pos = end
	return p.other(text, p.Base+int64(i))
}

// insertWithin finds the rows that a definition with a damaged quote would take for its own text.
// A definition holds no raw line end inside a string.
var insertWithin = regexp.MustCompile(`(?i)\n(INSERT|REPLACE) (IGNORE )?INTO `)

// unfinished is the answer to a statement the segment cuts: more bytes, or, at the end of
// the file, [reader.end] reports it.
func (p *reader) unfinished() error { return segment.ErrMore }

func (p *reader) lineComment(rest []byte) error {
	line := bytes.IndexByte(rest, '\n')
	if line < 0 {
		if !p.EOF {
			return segment.ErrMore
		}
		line = len(rest)
	}
	if closingLine.Match(rest[:line]) {
		p.complete = true
	}
	p.Pos += line
	return nil
}

// closingLine is what mysqldump ends a dump with, and Adminer.
var closingLine = regexp.MustCompile(`^-- (Dump completed|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\r?$)`)

// other deals with a statement that holds no rows.
func (p *reader) other(text []byte, offset int64) error {
	inner := unwrap(text)
	switch {
	case segment.HasPrefixFold(inner, "SET NAMES"):
		name := strings.Trim(strings.TrimSpace(string(inner[len("SET NAMES"):])), "'\"`; */")
		if i := strings.IndexAny(name, " \t"); i >= 0 {
			name = name[:i]
		}
		charset, err := dump.ParseCharset(name)
		if err != nil {
			return p.Sink.Damage(dump.Damage{Offset: offset, Length: int64(len(text)), Reason: err.Error() + "; read as utf8mb4"})
		}
		p.charset, p.stated = charset, true
		return nil
	case segment.HasPrefixFold(inner, "USE "):
		if name, _, ok := identifier(inner, segment.SkipSpace(inner, len("USE "))); ok {
			p.database = name
		}
		return nil
	case segment.HasPrefixFold(inner, "DROP TABLE IF EXISTS"):
		// Behind its definition it drops what stood for a view in old dumps.
		if name, _, ok := identifier(inner, segment.SkipSpace(inner, len("DROP TABLE IF EXISTS"))); ok {
			if t := p.tables[p.key(name)]; t != nil && t.next == 1 {
				delete(p.tables, p.key(name))
				delete(p.names, t.Name)
			}
		}
		return nil
	case segment.HasPrefixFold(inner, "SET COLLATION_CONNECTION=@OLD_"): // the last line of phpMyAdmin
		p.complete = true
		return nil
	case segment.HasPrefixFold(inner, "SET "), segment.HasPrefixFold(inner, "LOCK TABLES"), segment.HasPrefixFold(inner, "UNLOCK TABLES"),
		segment.HasPrefixFold(inner, "ALTER TABLE") && bytes.HasSuffix(bytes.TrimRight(inner, "; "), []byte(" KEYS")),
		segment.HasPrefixFold(inner, "START TRANSACTION"), segment.HasPrefixFold(inner, "COMMIT"), segment.HasPrefixFold(inner, "BEGIN"):
		return nil
	case segment.HasPrefixFold(inner, "CREATE TABLE"):
		if t, err := parseCreate(inner); err == nil {
			p.define(t.Table)
		} else if derr := p.Sink.Damage(dump.Damage{Offset: offset, Length: int64(len(text)), Reason: "table definition: " + err.Error()}); derr != nil {
			return derr
		}
	case segment.HasPrefixFold(inner, "ALTER TABLE"):
		p.addKey(inner)
	}
	return p.Sink.Statement(dump.Statement{Offset: offset, Text: text})
}

// define notes a table's columns. A name that another table of this dump has already, in
// another database or earlier in the file, gets the database in front or a number behind, so
// that rows of two tables never meet in one.
func (p *reader) define(t *dump.Table) {
	key := p.key(t.Name)
	if old := p.tables[key]; old != nil && old.next == 1 {
		t.Name = old.Name // defined again before it had rows
	} else {
		t.Name = p.unused(t.Name)
	}
	t.Charset = p.charset
	p.tables[key] = &table{Table: t, next: 1}
}

// key is what a table of the current database is known by.
func (p *reader) key(name string) string { return p.database + "\x00" + name }

// unused gives a table its name in the source: the dump's own where it is free.
func (p *reader) unused(name string) string {
	try := name
	for n := 1; p.names[try]; n++ {
		switch {
		case n == 1 && p.database != "":
			try = p.database + "." + name
		default:
			try = fmt.Sprintf("%s#%d", name, n+1)
		}
	}
	p.names[try] = true
	return try
}

// insertHead reads the head of the INSERT or REPLACE at b[i]: its table, its column list (nil
// when it has none) and where its first row begins. When it cannot be read, why says so, and name
// is empty where that cannot either.
func insertHead(b []byte, i int) (name string, cols []string, row int, why string) {
	word := func() string {
		i = segment.SkipSpace(b, i)
		s := i
		for i < len(b) && (isLetter(b[i]) || b[i] == '_') {
			i++
		}
		return strings.ToUpper(string(b[s:i]))
	}
	word() // INSERT or REPLACE
	for modifier := true; modifier; {
		at := i
		switch word() {
		case "IGNORE", "DELAYED", "LOW_PRIORITY", "HIGH_PRIORITY", "INTO":
		default:
			i, modifier = at, false
		}
	}
	name, i, ok := identifier(b, segment.SkipSpace(b, i))
	for ok && i < len(b) && b[i] == '.' { // database.table
		name, i, ok = identifier(b, i+1)
	}
	if !ok {
		return "", nil, i, "an INSERT names no table"
	}
	if i = segment.SkipSpace(b, i); i < len(b) && b[i] == '(' {
		for open := true; open; {
			c, end, ok := identifier(b, segment.SkipSpace(b, i+1))
			if i = segment.SkipSpace(b, end); !ok || i >= len(b) || b[i] != ',' && b[i] != ')' {
				return name, nil, i, "the column list of an INSERT cannot be read"
			}
			cols = append(cols, c)
			open = b[i] == ','
		}
		i++
	}
	if w := word(); w != "VALUES" && w != "VALUE" {
		return name, nil, i, "an INSERT without VALUES"
	}
	if i = segment.SkipSpace(b, i); i >= len(b) {
		return name, nil, i, "the file ends inside a statement"
	}
	if b[i] != '(' {
		return name, nil, i, "an INSERT without rows"
	}
	return name, cols, i, ""
}

// insert begins an INSERT or REPLACE: what follows is rows.
func (p *reader) insert() error {
	name, cols, row, why := insertHead(p.Buf, p.Pos)
	fail := func(why string) error {
		if row >= len(p.Buf)-64 && !p.EOF {
			return segment.ErrMore
		}
		if err := p.Flush(); err != nil {
			return err
		}
		p.startDamage(p.Pos, why)
		p.bad.of = p.tables[p.key(name)]
		return nil
	}
	if why != "" {
		return fail(why)
	}
	if p.cur == nil || p.tables[p.key(name)] != p.cur {
		if err := p.Flush(); err != nil {
			return err
		}
	}
	if err := p.useTable(name, cols, row); err != nil {
		return fail(err.Error())
	}
	p.Pos, p.st = row, atRow
	return nil
}

// useTable makes name the current table. A table the dump does not define gets its columns
// from the column list, or else from the number of cells of its first row, as text.
func (p *reader) useTable(name string, cols []string, row int) error {
	t := p.tables[p.key(name)]
	if t == nil {
		names := cols
		if names == nil {
			fields, _, err := scanRow(p.Buf, row, nil)
			if err != nil {
				return fmt.Errorf("table %q is not defined and its first row cannot be read: %w", name, err)
			}
			for i := range fields {
				names = append(names, fmt.Sprintf("c%d", i+1))
			}
		}
		t = &table{Table: &dump.Table{Name: p.unused(name), Charset: p.charset}, next: 1}
		for _, n := range names {
			t.Columns = append(t.Columns, dump.Column{Name: n, Kind: dump.Text, Declared: "unknown"})
		}
		p.tables[p.key(name)] = t
	}
	p.cur, p.order, p.cells = t, nil, len(t.Columns)
	if cols == nil {
		return nil
	}
	order := make([]int, len(cols))
	same := len(cols) == len(t.Columns)
	for i, c := range cols {
		order[i] = -1
		for j := range t.Columns {
			if strings.EqualFold(t.Columns[j].Name, c) {
				order[i] = j
				break
			}
		}
		if order[i] < 0 {
			return fmt.Errorf("table %q has no column %q", name, c)
		}
		same = same && order[i] == i
	}
	if !same {
		p.order, p.cells = order, len(cols)
	}
	return nil
}

// identifier reads a name at b[i], in backticks, double quotes or bare.
func identifier(b []byte, i int) (name string, next int, ok bool) {
	if i >= len(b) {
		return "", i, false
	}
	if q := b[i]; q == '`' || q == '"' {
		var s []byte
		for i++; i < len(b); i++ {
			if b[i] == q {
				if i+1 < len(b) && b[i+1] == q {
					i++
				} else {
					return string(s), i + 1, len(s) > 0
				}
			}
			s = append(s, b[i])
		}
		return "", i, false
	}
	s := i
	for i < len(b) && (isLetter(b[i]) || b[i] == '_' || b[i] == '$' || b[i] >= '0' && b[i] <= '9' || b[i] >= 0x80) {
		i++
	}
	return string(b[s:i]), i, i > s
}

// unwrap takes a statement out of a conditional comment: /*!40101 SET NAMES utf8 */.
func unwrap(text []byte) []byte {
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("/*!")) && !bytes.HasPrefix(text, []byte("/*M!")) {
		return text
	}
	text = text[bytes.IndexByte(text, '!')+1:]
	text = bytes.TrimLeft(text, "0123456789 ")
	if i := bytes.LastIndex(text, []byte("*/")); i >= 0 {
		text = text[:i]
	}
	return bytes.TrimSpace(text)
}

// statementEnd finds the end of the statement at b[i]: behind its delimiter, minding
// strings, names and comments.
func statementEnd(b []byte, i int, delimiter string) (end int, err error) {
	for i < len(b) {
		switch c := b[i]; {
		case bytes.HasPrefix(b[i:], []byte(delimiter)):
			return i + len(delimiter), nil
		case c == '\'' || c == '"' || c == '`':
			j := i + 1
			for j < len(b) && b[j] != c {
				if b[j] == '\\' && c != '`' {
					j++
				}
				j++
			}
			i = j + 1
		case c == '-' && bytes.HasPrefix(b[i:], []byte("-- ")), c == '#':
			j := bytes.IndexByte(b[i:], '\n')
			if j < 0 {
				return 0, segment.ErrMore
			}
			i += j + 1
		case c == '/' && bytes.HasPrefix(b[i:], []byte("/*")) && !bytes.HasPrefix(b[i:], []byte("/*!")) && !bytes.HasPrefix(b[i:], []byte("/*M!")):
			j := bytes.Index(b[i:], []byte("*/"))
			if j < 0 {
				return 0, segment.ErrMore
			}
			i += j + 2
		default:
			i++
		}
	}
	return 0, segment.ErrMore
}

type answer uint8

const (
	no answer = iota
	yes
	maybe // too few bytes to tell
)

// keywords are how statements of a dump begin.
var keywords = []string{"INSERT ", "REPLACE ", "CREATE ", "DROP ", "LOCK TABLES", "UNLOCK TABLES", "ALTER ", "SET ", "USE ",
	"DELIMITER ", "START TRANSACTION", "COMMIT", "BEGIN", "CHANGE ", "GRANT ", "FLUSH ", "TRUNCATE ", "DELETE ", "UPDATE ", "CALL ", "/*!", "/*M!", "-- "}

// startsStatement tells whether b begins like a statement or the comment before one.
func startsStatement(b []byte) answer {
	for _, k := range keywords {
		if segment.HasPrefixFold(b, k) {
			return yes
		}
		if len(b) < len(k) && strings.EqualFold(string(b), k[:len(b)]) {
			return maybe
		}
	}
	return no
}
