package verify

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
)

// dumpScanner reads a dump from its beginning, statement by statement, and hands on every
// row of its INSERT and REPLACE statements. It is the checker's own reading of what
// mysqldump, mariadb-dump and phpMyAdmin write; memory is bounded by the longest row and the
// tables' definitions.
type dumpScanner struct {
	in      *input
	charset string
	defs    map[string]*definition
	damage  []stretch // what the case records as damaged, by offset: passed over
	row     func(scannedRow) error
	passed  func(stretch, bool) // called for each of them; true: it begins like a good row

	delimiter string
	database  string            // of the last USE
	called    map[string]string // what the case calls a table, by database and name
	taken     map[string]bool   // the names in use
	counted   map[string]bool   // tables that have had a row
	table     string            // of the statement being read, as the case calls it
	columns   []string          // named by it; nil: as declared
}

// definition is what matters of a CREATE TABLE.
type definition struct {
	charset string
	columns []string
	bits    map[string]bool // columns declared BIT
}

// scannedRow is one row as it lies in the dump.
type scannedRow struct {
	table   string
	columns []string // in the order of the values; nil: as declared
	def     *definition
	offset  int64
	text    []byte // valid during the call
}

// stretch is a damaged part of a source.
type stretch struct {
	offset, length int64
	table          string
	row, rows      int64
}

// maxDefinition bounds a CREATE TABLE statement that is looked into.
const maxDefinition = 4 << 20

// scan reads the whole dump.
func (d *dumpScanner) scan(ctx context.Context) error {
	d.delimiter, d.defs = ";", map[string]*definition{}
	if d.in.at(0) == 0xEF && d.in.at(1) == 0xBB && d.in.at(2) == 0xBF {
		d.in.skip(3)
	}
	for d.blank() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.overDamage() {
			if c := d.in.at(0); d.table != "" && (c == ',' || c == '(') { // the rest of a list
				if err := d.rows(ctx); err != nil {
					return err
				}
			}
			continue
		}
		if d.startsWith(d.delimiter) {
			d.in.skip(len(d.delimiter))
			continue
		}
		switch d.word(0) {
		case "INSERT", "REPLACE":
			if d.delimiter == ";" && d.insertHead() {
				if err := d.rows(ctx); err != nil {
					return err
				}
				continue
			}
		case "CREATE":
			d.define()
		case "SET":
			d.setNames()
		case "USE":
			d.use()
		case "DELIMITER":
			d.newDelimiter()
			continue
		}
		d.table = ""
		d.skipStatement()
	}
	return d.in.failed()
}

// rows hands on the rows of a statement whose head was passed.
func (d *dumpScanner) rows(ctx context.Context) error {
	def := d.defs[d.table]
	if def == nil { // not defined in this dump: the first statement's charset and columns count
		def = &definition{charset: d.charset, columns: d.columns}
		d.defs[d.table] = def
	}
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for isSpace(d.in.at(0)) {
			d.in.skip(1)
		}
		if d.overDamage() {
			if c := d.in.at(0); c != ',' && c != '(' {
				return nil // a new statement
			}
			continue
		}
		switch c := d.in.at(0); {
		case c == ',':
			d.in.skip(1)
		case c == '(':
			at := d.in.offset()
			text, err := readTuple(d.in)
			if err != nil {
				return &casefile.Problem{Where: casefile.Where{Table: d.table, Offset: at, HasOffset: true}, Err: err}
			}
			d.counted[d.table] = true
			if err := d.row(scannedRow{d.table, d.columns, def, at, text}); err != nil {
				return err
			}
		default: // the delimiter, ON DUPLICATE KEY UPDATE
			d.skipStatement()
			return nil
		}
	}
}

// overDamage passes over a recorded stretch that begins here, or began before.
func (d *dumpScanner) overDamage() bool {
	for len(d.damage) > 0 && d.damage[0].offset <= d.in.offset() {
		s := d.damage[0]
		d.damage = d.damage[1:]
		end := s.offset + s.length
		if end <= d.in.offset() {
			continue
		}
		reads := false
		if s.offset == d.in.offset() && d.in.at(0) == '(' && s.rows > 0 {
			if text, err := readTuple(d.in); err == nil {
				d.in.skip(-len(text))
				cells, err := splitTuple(text, nil)
				reads = err == nil && len(cells) == d.width() && int64(len(text)) <= s.length
			}
		}
		d.passed(s, reads)
		d.in.skipTo(end)
		return true
	}
	return false
}

// width is how many values a row of the current statement has, -1 when unknown.
func (d *dumpScanner) width() int {
	if d.columns != nil {
		return len(d.columns)
	}
	if def := d.defs[d.table]; def != nil && def.columns != nil {
		return len(def.columns)
	}
	return -1
}

// blank passes over white space, comments and the opening of conditional ones; it is false
// at the end of the dump.
func (d *dumpScanner) blank() bool {
	for d.in.has(0) {
		switch c := d.in.at(0); {
		case isSpace(c) || c == 0:
			d.in.skip(1)
		case d.startsWith("*/"):
			d.in.skip(2)
		case !d.comment():
			return true
		}
	}
	return false
}

// comment passes over the comment that begins here, or over the opening of a conditional
// comment, whose content a server runs; it is false where there is none.
func (d *dumpScanner) comment() bool {
	switch c := d.in.at(0); {
	case c == '#', c == '-' && d.in.at(1) == '-' && d.in.at(2) <= ' ':
		for d.in.has(0) && d.in.at(0) != '\n' {
			d.in.skip(1)
		}
	case c != '/' || d.in.at(1) != '*':
		return false
	case d.startsWith("/*!") && !d.startsWith("/*!999999"), d.startsWith("/*M!") && !d.startsWith("/*M!999999"):
		for d.in.at(0) != '!' {
			d.in.skip(1)
		}
		for d.in.skip(1); d.in.at(0) >= '0' && d.in.at(0) <= '9'; {
			d.in.skip(1)
		}
	default:
		for d.in.has(0) && !d.startsWith("*/") {
			d.in.skip(1)
		}
		d.in.skip(min(2, len(d.in.buf)-d.in.pos))
	}
	return true
}

// skipStatement passes over the statement up to behind its delimiter.
func (d *dumpScanner) skipStatement() {
	for d.in.has(0) {
		switch c := d.in.at(0); {
		case d.startsWith(d.delimiter):
			d.in.skip(len(d.delimiter))
			return
		case c == '\'' || c == '"' || c == '`':
			d.quoted(c)
		case (c == '/' || c == '-' || c == '#') && d.comment():
		default:
			d.in.skip(1)
		}
	}
}

func (d *dumpScanner) quoted(quote byte) {
	for d.in.skip(1); d.in.has(0); d.in.skip(1) {
		switch c := d.in.at(0); {
		case c == quote:
			d.in.skip(1)
			return
		case c == '\\' && quote != '`' && d.in.has(1):
			d.in.skip(1)
		}
	}
}

func (d *dumpScanner) startsWith(s string) bool {
	for i := range len(s) {
		if d.in.at(i) != s[i] || !d.in.has(i) {
			return false
		}
	}
	return true
}

// word gives the word at byte i from here in capitals, without passing over it.
func (d *dumpScanner) word(i int) string {
	n := i
	for n-i < 64 && isWord(d.in.at(n)) {
		n++
	}
	return strings.ToUpper(string(d.in.buf[d.in.pos+i : d.in.pos+n]))
}

// insertHead passes over INSERT INTO t (columns) VALUES; it is false, at a place inside the
// statement, when that is not what stands here.
func (d *dumpScanner) insertHead() bool {
	for {
		switch w := d.word(0); w {
		case "INSERT", "REPLACE", "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO":
			d.in.skip(len(w))
			d.blank()
			continue
		}
		break
	}
	name, ok := d.name()
	if !ok {
		return false
	}
	d.table, d.columns = d.call(name, false), nil
	if d.in.at(0) == '(' {
		text, err := readTuple(d.in)
		if err != nil {
			return false
		}
		d.columns = []string{}
		for rest := text[1 : len(text)-1]; ; {
			column, after, ok := takeName(bytes.TrimSpace(rest))
			if !ok {
				return false
			}
			d.columns = append(d.columns, column)
			after = bytes.TrimSpace(after)
			if len(after) == 0 {
				break
			}
			if after[0] != ',' {
				return false
			}
			rest = after[1:]
		}
		d.blank()
	}
	if w := d.word(0); w == "VALUES" || w == "VALUE" {
		d.in.skip(len(w))
		return true
	}
	return false
}

// name passes over a table's name, with or without its database, and the blanks behind it.
func (d *dumpScanner) name() (string, bool) {
	for {
		i := 0
		if q := d.in.at(0); q == '`' || q == '"' {
			for i = 1; d.in.has(i) && i < 4096 && (d.in.at(i) != q || d.in.at(i+1) == q); i++ {
				if d.in.at(i) == q {
					i++
				}
			}
			i++
		} else {
			for i < 4096 && isWord(d.in.at(i)) {
				i++
			}
		}
		if !d.in.has(i - 1) {
			return "", false
		}
		name, _, ok := takeName(d.in.buf[d.in.pos : d.in.pos+i])
		if !ok {
			return "", false
		}
		d.in.skip(i)
		d.blank()
		if d.in.at(0) != '.' {
			return name, true
		}
		d.in.skip(1)
	}
}

// takeName reads a name in backticks, double quotes or bare, and gives what follows.
func takeName(s []byte) (name string, rest []byte, ok bool) {
	if len(s) == 0 {
		return "", s, false
	}
	if q := s[0]; q == '`' || q == '"' {
		var b []byte
		for i := 1; i < len(s); i++ {
			if s[i] == q {
				if i+1 == len(s) || s[i+1] != q {
					return string(b), s[i+1:], len(b) > 0
				}
				i++
			}
			b = append(b, s[i])
		}
		return "", nil, false
	}
	n := 0
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return string(s[:n]), s[n:], n > 0
}

// define notes the columns of a CREATE TABLE, without passing over it.
func (d *dumpScanner) define() {
	n, quote := 0, byte(0)
	for ; n < maxDefinition && d.in.has(n); n++ {
		c := d.in.at(n)
		if quote != 0 {
			if c == '\\' && quote != '`' {
				n++
			} else if c == quote {
				quote = 0
			}
		} else if c == '\'' || c == '"' || c == '`' {
			quote = c
		} else if c == d.delimiter[0] {
			break
		}
	}
	name, columns, bits, ok := readDefinition(d.in.buf[d.in.pos:min(d.in.pos+n, len(d.in.buf))])
	if !ok || len(d.defs) >= 100_000 {
		return
	}
	name = d.call(name, true)
	if _, again := d.defs[name]; !again {
		d.defs[name] = &definition{d.charset, columns, bits}
	}
}

// call gives what the case calls a table of the current database. Where the dump's own name
// is taken by another table, that is database.name, or name#2, name#3 ...; a table defined
// anew after it had rows is another table.
func (d *dumpScanner) call(name string, defined bool) string {
	if d.called == nil {
		d.called, d.taken, d.counted = map[string]string{}, map[string]bool{}, map[string]bool{}
	}
	key := d.database + "\x00" + name
	if is, known := d.called[key]; known && !(defined && d.counted[is]) {
		return is
	}
	free := name
	for n := 1; d.taken[free]; n++ {
		if free = fmt.Sprintf("%s#%d", name, n+1); n == 1 && d.database != "" {
			free = d.database + "." + name
		}
	}
	d.called[key], d.taken[free] = free, true
	return free
}

// use notes the database that USE names.
func (d *dumpScanner) use() {
	d.in.skip(len("USE"))
	d.blank()
	if name, ok := d.name(); ok {
		d.database = name
	}
}

var createTable = regexp.MustCompile(`(?i)^CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?`)

// keyWords begin a line of a definition that is not a column.
const keyWords = " PRIMARY KEY UNIQUE CONSTRAINT FULLTEXT SPATIAL INDEX CHECK FOREIGN PERIOD "

func readDefinition(text []byte) (name string, columns []string, bits map[string]bool, ok bool) {
	head := createTable.Find(text)
	if head == nil {
		return
	}
	rest := text[len(head):]
	for {
		if name, rest, ok = takeName(bytes.TrimSpace(rest)); !ok {
			return
		}
		if rest = bytes.TrimSpace(rest); len(rest) == 0 || rest[0] != '.' {
			break
		}
		rest = rest[1:]
	}
	if len(rest) == 0 || rest[0] != '(' {
		return name, nil, nil, false
	}
	bits = map[string]bool{}
	for i := 1; ; {
		end := itemEnd(rest, i)
		if end < 0 {
			return name, nil, nil, false
		}
		item := bytes.TrimSpace(rest[i:end])
		if column, after, isName := takeName(item); isName &&
			(item[0] == '`' || item[0] == '"' || !strings.Contains(keyWords, " "+strings.ToUpper(column)+" ")) {
			columns = append(columns, column)
			kind, _, _ := takeName(bytes.TrimSpace(after))
			bits[column] = strings.EqualFold(kind, "bit")
		}
		if rest[end] == ')' {
			break
		}
		i = end + 1
	}
	return name, columns, bits, len(columns) > 0
}

var setNames = regexp.MustCompile(`(?i)\bSET\s+NAMES\s+['"]?([a-z0-9_]+)`)

// setNames notes the character set a SET NAMES declares, without passing over it.
func (d *dumpScanner) setNames() {
	d.in.has(128)
	if m := setNames.FindSubmatchIndex(d.in.buf[d.in.pos:min(d.in.pos+128, len(d.in.buf))]); m != nil && m[0] == 0 {
		if name, known := knownCharset(string(d.in.buf[d.in.pos+m[2] : d.in.pos+m[3]])); known {
			d.charset = name
		}
	}
}

// newDelimiter reads a DELIMITER line.
func (d *dumpScanner) newDelimiter() {
	d.in.skip(len("DELIMITER"))
	n := 0
	for n < 256 && d.in.has(n) && d.in.at(n) != '\n' {
		n++
	}
	d.delimiter = strings.TrimSpace(string(d.in.buf[d.in.pos : d.in.pos+n]))
	if d.delimiter == "" {
		d.delimiter = ";"
	}
	d.in.skip(n)
}
