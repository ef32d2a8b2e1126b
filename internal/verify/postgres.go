package verify

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
)

// pgScanner reads what pg_dump and pg_dumpall write as SQL text, by the PostgreSQL manual
// ("COPY", File Formats; "Lexical Structure", String Constants): the lines of COPY .. FROM stdin
// and the rows of INSERT. Both begin a line there; what else stands in the dump is passed over.
type pgScanner struct {
	*scanner
	in       *input
	damage   []stretch
	std      bool   // a backslash in '..' stands for itself
	database string // of the last \connect
	schema   string // of the last SET search_path
}

func (s *scanner) postgres(in *input, damage []stretch) error {
	p := &pgScanner{scanner: s, in: in, damage: damage, std: true}
	for {
		for p.overDamage() {
		}
		if !in.has(0) {
			return in.failed()
		}
		var err error
		switch c := in.at(0); {
		case isSpace(c), c == ';':
			in.skip(1)
		case c == '\\', c == '-' && in.at(1) == '-':
			p.line()
		case p.lineBegins("COPY "):
			err = p.copy()
		case p.lineBegins("INSERT INTO "):
			err = p.insert()
		default:
			p.statement()
		}
		if err != nil {
			return err
		}
	}
}

// overDamage passes over a recorded stretch that begins here, or began before.
func (p *pgScanner) overDamage() bool {
	if len(p.damage) == 0 || p.damage[0].offset > p.in.offset() {
		return false
	}
	d := p.damage[0]
	p.damage = p.damage[1:]
	if end := d.offset + d.length; end > p.in.offset() {
		p.in.skipTo(end)
		p.damaged(d, false)
	}
	return true
}

func (p *pgScanner) lineBegins(word string) bool {
	if p.in.pos > 0 && p.in.buf[p.in.pos-1] != '\n' || !p.in.has(len(word)) {
		return false
	}
	return strings.EqualFold(string(p.in.buf[p.in.pos:p.in.pos+len(word)]), word)
}

// line passes over a line that is a comment or a command of psql.
func (p *pgScanner) line() {
	n := 0
	for p.in.has(n) && p.in.at(n) != '\n' {
		n++
	}
	text := strings.TrimSpace(string(p.in.buf[p.in.pos : p.in.pos+n]))
	if name, ok := strings.CutPrefix(text, `\connect `); ok {
		p.schema = ""
		name = strings.TrimPrefix(strings.Trim(name, `'`), "-reuse-previous=on ")
		p.database = strings.Trim(strings.TrimPrefix(strings.Trim(name, `"`), "dbname="), `'"`)
	}
	p.in.skip(n)
}

var (
	pgEncoding = regexp.MustCompile(`(?im)^SET client_encoding (?:=|TO) '?([^';]*)'?;`)
	pgStrings  = regexp.MustCompile(`(?i)^SET standard_conforming_strings (?:=|TO) '?off`)
	pgPath     = regexp.MustCompile(`(?i)^SET search_path (?:=|TO) ("[^"]*"|[^",; ]*)`)
)

// statement passes over a statement, minding quotes, dollar quotes and comments.
func (p *pgScanner) statement() {
	in := p.in
	in.has(256)
	head := in.buf[in.pos:min(in.pos+256, len(in.buf))]
	if pgStrings.Match(head) {
		p.std = false
	} else if m := pgPath.FindSubmatch(head); m != nil {
		p.schema = strings.Trim(string(m[1]), `"'`)
	}
	for in.has(0) {
		switch c := in.at(0); {
		case c == ';':
			in.skip(1)
			return
		case c == '\'' || c == '"':
			in.skip(1)
			for escapes := c == '\'' && p.escapes(); in.has(0) && in.at(0) != c; in.skip(1) {
				if escapes && in.at(0) == '\\' && in.has(1) {
					in.skip(1)
				}
			}
			in.skip(min(1, len(in.buf)-in.pos))
		case c == '-' && in.at(1) == '-':
			for in.has(0) && in.at(0) != '\n' {
				in.skip(1)
			}
		case c == '$':
			n := 1
			for n < 70 && isWord(in.at(n)) && in.at(n) != '$' {
				n++
			}
			if in.at(n) != '$' {
				in.skip(1)
				continue
			}
			tag := string(in.buf[in.pos : in.pos+n+1])
			for in.skip(len(tag)); in.has(0) && !p.starts(tag); {
				in.skip(1)
			}
			in.skip(min(len(tag), len(in.buf)-in.pos))
		default:
			in.skip(1)
		}
	}
}

// escapes tells whether backslashes escape in the string whose quote was just passed.
func (p *pgScanner) escapes() bool {
	return !p.std || p.in.pos > 1 && p.in.buf[p.in.pos-2]|0x20 == 'e'
}

func (p *pgScanner) starts(s string) bool {
	return p.in.has(len(s)-1) && string(p.in.buf[p.in.pos:p.in.pos+len(s)]) == s
}

func (p *pgScanner) space() {
	for p.in.has(0) && isSpace(p.in.at(0)) {
		p.in.skip(1)
	}
}

// name passes over an identifier.
func (p *pgScanner) name() (string, bool) {
	p.space()
	n := 0
	if p.in.at(0) == '"' {
		for n = 1; p.in.has(n) && n < 4096 && (p.in.at(n) != '"' || p.in.at(n+1) == '"'); n++ {
			if p.in.at(n) == '"' {
				n++
			}
		}
		n++
	} else {
		for n < 4096 && isWord(p.in.at(n)) {
			n++
		}
	}
	if n == 0 || !p.in.has(n-1) {
		return "", false
	}
	name, _, ok := takeName(p.in.buf[p.in.pos : p.in.pos+n])
	p.in.skip(n)
	p.space()
	return name, ok
}

// head passes over a table's name and the columns that are listed behind it, and gives what
// the case calls the table: by its name alone unless the case has it with schema or database.
func (p *pgScanner) head() (table string, columns []string, ok bool) {
	var parts []string
	for {
		name, ok := p.name()
		if !ok {
			return "", nil, false
		}
		if parts = append(parts, name); p.in.at(0) != '.' {
			break
		}
		p.in.skip(1)
	}
	table = parts[len(parts)-1]
	schema := p.schema
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	for _, full := range []string{schema + "." + table, p.database + "." + schema + "." + table} {
		if p.tables[full] != nil {
			table = full
		}
	}
	if p.in.at(0) != '(' {
		return table, nil, true
	}
	columns = []string{}
	for p.in.at(0) != ')' {
		p.in.skip(1) // the parenthesis or a comma
		name, ok := p.name()
		if c := p.in.at(0); !ok || c != ',' && c != ')' {
			return "", nil, false
		}
		columns = append(columns, name)
	}
	p.in.skip(1)
	p.space()
	return table, columns, true
}

// copy holds the lines of a COPY against its table.
func (p *pgScanner) copy() error {
	p.in.skip(len("COPY "))
	table, columns, ok := p.head()
	if !ok || !p.starts("FROM stdin;") {
		p.statement()
		return nil
	}
	p.in.skip(len("FROM stdin;"))
	for p.in.at(0) == '\r' {
		p.in.skip(1)
	}
	if p.in.at(0) != '\n' {
		return nil
	}
	p.in.skip(1)
	for {
		for len(p.damage) > 0 && p.damage[0].offset <= p.in.offset() {
			unmarked := p.damage[0].length == 0 && p.damage[0].offset == p.in.offset()
			p.overDamage()
			if unmarked { // the rows end without their mark
				return nil
			}
		}
		offset := p.in.offset()
		line, ok := readCopyLine(p.in)
		if !ok || string(line) == `\.` {
			return nil // a cut file's last line is damage
		}
		p.cells = splitCopyLine(line, p.cells)
		if err := p.take(table, columns, offset, p.cells); err != nil {
			return err
		}
	}
}

// insert holds the rows of an INSERT against its table.
func (p *pgScanner) insert() error {
	p.in.skip(len("INSERT INTO "))
	table, columns, ok := p.head()
	for ok && !strings.EqualFold(p.word(), "VALUES") {
		_, ok = p.name() // OVERRIDING SYSTEM VALUE
	}
	if !ok {
		p.statement()
		return nil
	}
	for p.in.skip(len("VALUES")); ; {
		p.space()
		if p.overDamage() {
			continue
		}
		switch p.in.at(0) {
		case ',':
			p.in.skip(1)
		case '(':
			offset := p.in.offset()
			text, err := p.tuple()
			if err != nil {
				return &casefile.Problem{Where: casefile.Where{Table: table, Offset: offset, HasOffset: true}, Err: err}
			}
			p.cells = p.cells[:0]
			for _, word := range pgItems(text[1:len(text)-1], p.std) {
				p.cells = append(p.cells, readPGValue(word, p.std))
			}
			if err := p.take(table, columns, offset, p.cells); err != nil {
				return err
			}
		case ';':
			p.in.skip(1)
			return nil
		default: // ON CONFLICT, or the statement behind damage
			if !p.in.has(0) || p.in.buf[p.in.pos-1] == '\n' {
				return nil
			}
			p.statement()
			return nil
		}
	}
}

func (p *pgScanner) word() string {
	n := 0
	for n < 64 && isWord(p.in.at(n)) {
		n++
	}
	return string(p.in.buf[p.in.pos : p.in.pos+n])
}

// take holds one row against its table.
func (p *pgScanner) take(table string, columns []string, offset int64, cells []cell) error {
	ordinal := p.count(table, 1)
	if p.only != nil && !p.only[offset] {
		return nil
	}
	t := p.known(table, offset)
	if t == nil {
		return nil
	}
	placed, err := t.arrange(cells, columns, p.placed)
	if err != nil {
		p.c.fail("sources/"+string(p.src.id), t.where(ordinal, offset), "%v, and the case records no damage there", err)
		return nil
	}
	if columns != nil {
		p.placed = placed
	}
	t.pgBytes(placed)
	return p.compare(t, ordinal, offset, placed, "", map[string]bool{})
}

// pgBytes decodes the text of bytea columns: \x and hexadecimal digits, or the older escape
// form ("Binary Data Types").
func (s *sourceTable) pgBytes(cells []cell) {
	for i, c := range s.columns {
		v := cells[i].value
		if c.kind != "BLOB" || cells[i].form != formQuoted {
			continue
		}
		if bytes.HasPrefix(v, []byte(`\x`)) && len(v)%2 == 0 && isDigits(v[2:], 'x') {
			cells[i].value = digits(v[2:], 'x')
		} else if escaped.Match(v) {
			cells[i].value = escape.ReplaceAllFunc(v, func(e []byte) []byte {
				if e[1] == '\\' {
					return e[1:]
				}
				return []byte{(e[1]-'0')<<6 | (e[2]-'0')<<3 | (e[3] - '0')}
			})
		}
	}
}

var (
	escape  = regexp.MustCompile(`\\(?:\\|[0-3][0-7][0-7])`)
	escaped = regexp.MustCompile(`(?s)^(?:[^\\]|\\\\|\\[0-3][0-7][0-7])*$`)
)

// readCopyLine gives a line of COPY data without its end and passes over it; false where the
// end is missing. A line end behind a backslash is data. The text is valid until the next read.
func readCopyLine(in *input) ([]byte, bool) {
	for n := 0; in.has(n); n++ {
		switch in.at(n) {
		case '\\':
			n++
		case '\n':
			line := in.buf[in.pos : in.pos+n]
			in.skip(n + 1)
			if k := len(line); k > 0 && line[k-1] == '\r' && (k < 2 || line[k-2] != '\\') {
				line = line[:k-1]
			}
			return line, true
		}
	}
	return nil, false
}

func splitCopyLine(line []byte, cells []cell) []cell {
	cells = cells[:0]
	for {
		end := 0
		for end < len(line) && line[end] != '\t' {
			if line[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(line))
		c := cell{form: formQuoted, text: line[:end]}
		if string(c.text) == `\N` {
			c.form = formNull
		} else {
			c.value = unescapePG(c.text, true)
		}
		cells = append(cells, c)
		if end == len(line) {
			return cells
		}
		line = line[end+1:]
	}
}

// unescapePG undoes backslash escapes, those of COPY data or of E'..'.
func unescapePG(s []byte, copied bool) []byte {
	if bytes.IndexByte(s, '\\') < 0 {
		return s
	}
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		number := func(base byte, most, from int) {
			n, k := 0, 0
			for ; k < most && from+k < len(s); k++ {
				d := bytes.IndexByte([]byte("0123456789abcdef"), s[from+k]|0x20)
				if s[from+k] < 'A' {
					d = int(s[from+k]) - '0'
				}
				if d < 0 || d >= int(base) {
					break
				}
				n = n*int(base) + d
			}
			if k == 0 {
				out = append(out, s[i])
				return
			}
			out, i = append(out, byte(n)), from+k-1
		}
		switch c := s[i]; {
		case c == 'v' && !copied:
			out = append(out, c)
		case bytes.IndexByte([]byte("bfnrtv"), c) >= 0:
			out = append(out, "\b\f\n\r\t\v"[bytes.IndexByte([]byte("bfnrtv"), c)])
		case c == 'x':
			number(16, 2, i+1)
		case c >= '0' && c <= '7':
			number(8, 3, i)
		case (c == 'u' || c == 'U') && !copied:
			var r rune
			width := 4 + 4*int(('u'-c)/0x20)
			if _, err := fmt.Sscanf(string(s[i+1:min(i+1+width, len(s))]), "%x", &r); err == nil {
				out = append(out, string(r)...)
				i += width
			} else {
				out = append(out, c)
			}
		default:
			out = append(out, c)
		}
	}
	return out
}

// tuple gives the text of the parenthesised row that begins here and passes over it.
func (p *pgScanner) tuple() ([]byte, error) {
	for n, depth := 0, 0; p.in.has(n); n++ {
		switch c := p.in.at(n); c {
		case '(', '[':
			depth++
		case ')', ']':
			if depth--; depth == 0 {
				text := p.in.buf[p.in.pos : p.in.pos+n+1]
				p.in.skip(n + 1)
				return text, nil
			}
		case '\'', '"':
			escapes := c == '\'' && (!p.std || p.in.at(n-1)|0x20 == 'e')
			for n++; p.in.has(n) && p.in.at(n) != c; n++ {
				if escapes && p.in.at(n) == '\\' {
					n++
				}
			}
		}
	}
	return nil, errRow
}

// pgItems cuts a row's text at the commas between its values.
func pgItems(text []byte, std bool) (items [][]byte) {
	start, depth := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		case ',':
			if depth == 0 {
				items = append(items, bytes.TrimSpace(text[start:i]))
				start = i + 1
			}
		case '\'', '"':
			escapes := c == '\'' && (!std || i > 0 && text[i-1]|0x20 == 'e')
			for i++; i < len(text) && text[i] != c; i++ {
				if escapes && text[i] == '\\' {
					i++
				}
			}
		}
	}
	return append(items, bytes.TrimSpace(text[min(start, len(text)):]))
}

var (
	pgLiteral = regexp.MustCompile(`(?s)^([EeBbXx]?)'((?:[^'\\]|\\.|'')*)'(::.*)?$`)
	pgPlain   = regexp.MustCompile(`(?s)^([BbXx]?)'((?:[^']|'')*)'(::.*)?$`)
	pgNumber  = regexp.MustCompile(`^([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)(::.*)?$`)
)

// readPGValue reads one value of an INSERT. A cast behind a literal does not change what is
// written; TRUE and FALSE are words.
func readPGValue(word []byte, std bool) cell {
	c := cell{text: word, form: formExpr}
	if bytes.EqualFold(word, []byte("NULL")) {
		c.form = formNull
	} else if bytes.EqualFold(word, []byte("TRUE")) || bytes.EqualFold(word, []byte("FALSE")) {
		c.form, c.value = formBare, word
	} else if m := pgNumber.FindSubmatch(word); m != nil {
		c.form, c.value = formBare, m[1]
	} else if m := pgPlain.FindSubmatch(word); m != nil && std {
		c.form, c.value = formQuoted, bytes.ReplaceAll(m[2], []byte("''"), []byte("'"))
	} else if m := pgLiteral.FindSubmatch(word); m != nil {
		c.form, c.value = formQuoted, unescapePG(bytes.ReplaceAll(m[2], []byte("''"), []byte("'")), false)
	}
	return c
}
