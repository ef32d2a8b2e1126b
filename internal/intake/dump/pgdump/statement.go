package pgdump

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/segment"
)

// firstWords are the words with which a statement of a dump begins.
var firstWords = words(`ALTER ANALYZE BEGIN CALL COMMENT COMMIT COPY CREATE DELETE DO DROP END GRANT
	IMPORT INSERT LOCK MERGE REFRESH REINDEX RESET REVOKE ROLLBACK SECURITY SELECT SET START TRUNCATE UPDATE VACUUM WITH`)

func words(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// beginsStatement tells whether b begins, in capitals as pg_dump writes them, like a
// statement or the comment before one.
func beginsStatement(b []byte) bool {
	if bytes.HasPrefix(b, []byte("--\n")) || bytes.HasPrefix(b, []byte("-- ")) || bytes.HasPrefix(b, []byte("--\r")) ||
		bytes.HasPrefix(b, []byte(`\unrestrict `)) || bytes.HasPrefix(b, []byte(`\connect `)) {
		return true
	}
	i := 0
	for i < len(b) && i < 12 && b[i] >= 'A' && b[i] <= 'Z' {
		i++
	}
	return i > 0 && i < len(b) && (b[i] == ' ' || b[i] == ';') && firstWords[string(b[:i])]
}

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
	if len(rest) < 32 && !p.EOF {
		return segment.ErrMore
	}
	switch {
	case bytes.HasPrefix(rest, []byte("--")), rest[0] == '\\':
		line := bytes.IndexByte(rest, '\n')
		if line < 0 {
			if !p.EOF {
				return segment.ErrMore
			}
			line = len(rest)
		}
		p.line(rest[:line])
		p.Pos += line
		return nil
	case bytes.HasPrefix(rest, []byte("/*")):
		end := bytes.Index(rest, []byte("*/"))
		if end < 0 {
			return segment.ErrMore
		}
		p.Pos += end + 2
		return nil
	case segment.HasPrefixFold(rest, "INSERT"):
		return p.insert()
	}
	w := 0
	for w < len(rest) && isLetter(rest[w]) {
		w++
	}
	if !firstWords[strings.ToUpper(string(rest[:w]))] {
		return p.strange(i)
	}
	if strings.EqualFold(string(rest[:w]), "COPY") {
		return p.copyStatement(i)
	}
	end, err := statementEnd(b, i, p.std)
	if err == nil && holdsRows(b[i:end]) {
		err = errWithin
	}
	if err == errWithin {
		if err := p.Flush(); err != nil {
			return err
		}
		p.startDamage(i, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	p.Pos = end
	return p.other(b[i:end], p.Base+int64(i))
}

// line deals with a comment or a command of psql.
func (p *reader) line(line []byte) {
	if bytes.HasPrefix(line, []byte("-- PostgreSQL database dump complete")) || bytes.HasPrefix(line, []byte("-- PostgreSQL database cluster dump complete")) {
		p.complete = true
	} else if bytes.HasPrefix(line, []byte(`\connect `)) {
		p.complete, p.head, p.schema = false, nil, ""
		for _, w := range bytes.Fields(line)[1:] { // \connect [-reuse-previous=on] name
			if w[0] != '-' {
				p.database = strings.Trim(string(w), `"'`)
				break
			}
		}
	}
}

// other deals with a statement that holds no rows.
func (p *reader) other(text []byte, offset int64) error {
	switch {
	case segment.HasPrefixFold(text, "SET client_encoding"):
		name := setting(text)
		charset, ok := encodings[strings.ToUpper(name)]
		if !ok {
			return p.Sink.Damage(dump.Damage{Offset: offset, Length: int64(len(text)), Reason: fmt.Sprintf("client_encoding %q is not one this program decodes: read as UTF8", name)})
		}
		p.charset = charset
		return nil
	case segment.HasPrefixFold(text, "SET standard_conforming_strings"):
		p.std = !strings.EqualFold(setting(text), "off")
		return nil
	case segment.HasPrefixFold(text, "SET search_path"):
		p.schema, p.head = searchPath(text), nil
		return nil
	case segment.HasPrefixFold(text, "SET "), segment.HasPrefixFold(text, "SELECT pg_catalog.set_config("), segment.HasPrefixFold(text, "BEGIN;"), segment.HasPrefixFold(text, "COMMIT;"):
		return nil
	case segment.HasPrefixFold(text, "CREATE ") && isCreateTable(text):
		if t, err := p.parseCreate(text); err == nil {
			p.define(t)
		} else if err := p.Sink.Damage(dump.Damage{Offset: offset, Length: int64(len(text)), Reason: "table definition: " + err.Error()}); err != nil {
			return err
		}
	case segment.HasPrefixFold(text, "ALTER TABLE "):
		p.addKey(text)
	}
	return p.Sink.Statement(dump.Statement{Offset: offset, Text: text})
}

// encodings are PostgreSQL's names of the character sets that package dump decodes. What is
// not valid in them becomes a misfit, so SQL_ASCII, which says nothing, is tried as UTF-8.
var encodings = map[string]dump.Charset{
	"UTF8": "utf8mb4", "UNICODE": "utf8mb4", "UTF-8": "utf8mb4", "SQL_ASCII": "utf8mb4",
	"LATIN1": "latin1", "WIN1252": "latin1", "WIN1251": "cp1251", "WIN": "cp1251", "GBK": "gbk",
}

// setting gives the value of SET name = 'value';
func setting(text []byte) string {
	_, v, ok := bytes.Cut(text, []byte("="))
	if !ok {
		_, v, _ = bytes.Cut(text, []byte(" TO "))
	}
	return strings.Trim(string(v), "'; \r\n\t")
}

// searchPath gives the first schema of SET search_path = schema, pg_catalog;
func searchPath(text []byte) string {
	i := bytes.IndexByte(text, '=')
	name, _, _ := identifier(text, segment.SkipSpace(text, i+1))
	return name
}

// head is the head of a COPY or INSERT.
type head struct {
	schema, name string
	columns      []string
	listed       bool // a column list is there
}

// parseHead reads the table and column list at b[i].
func parseHead(b []byte, i int) (h head, next int, ok bool) {
	if segment.HasPrefixFold(b[i:], "ONLY ") {
		i += len("ONLY ")
	}
	parts, i, ok := qualified(b, i)
	if !ok {
		return h, i, false
	}
	h.name = parts[len(parts)-1]
	if len(parts) > 1 {
		h.schema = parts[len(parts)-2]
	}
	i = segment.SkipSpace(b, i)
	if i == len(b) || b[i] != '(' {
		return h, i, true
	}
	if j := segment.SkipSpace(b, i+1); j < len(b) && b[j] == ')' {
		return h, j + 1, true
	}
	h.listed = true
	for {
		name, end, ok := identifier(b, segment.SkipSpace(b, i+1))
		if i = segment.SkipSpace(b, end); !ok || i >= len(b) || b[i] != ',' && b[i] != ')' {
			return h, i, false
		}
		h.columns = append(h.columns, name)
		if b[i] == ')' {
			return h, i + 1, true
		}
	}
}

// copyHead reads a COPY statement; ok is false with the reason when its rows cannot be read.
func copyHead(text []byte) (h head, why string) {
	if !segment.HasPrefixFold(text, "COPY ") {
		return h, "the head of a COPY cannot be read"
	}
	h, i, ok := parseHead(text, segment.SkipSpace(text, len("COPY ")))
	if !ok {
		return h, "the head of a COPY cannot be read"
	}
	words := strings.Fields(strings.ToUpper(strings.TrimRight(string(text[i:]), "; \r\n")))
	if len(words) > 2 && words[0] == "WITH" && words[1] == "OIDS" {
		h.columns, h.listed = append([]string{"oid"}, h.columns...), true
		words = words[2:]
	}
	if len(words) != 2 || words[0] != "FROM" || words[1] != "STDIN" {
		return h, fmt.Sprintf("a COPY with %q, which this reader does not know", segment.Clip([]byte(strings.Join(words, " "))))
	}
	return h, ""
}

// longHead is more than the head of a COPY or INSERT has; a column has at most 63 bytes of name
// and a table 1,600 columns.
const longHead = 256 << 10

// copyStatement begins the rows of the COPY at b[i].
func (p *reader) copyStatement(i int) error {
	end, err := statementEnd(p.Buf[:min(len(p.Buf), i+longHead)], i, p.std)
	line := -1
	if err == nil {
		line = bytes.IndexByte(p.Buf[end:], '\n')
	}
	if line < 0 && !p.EOF && len(p.Buf)-i < longHead {
		return segment.ErrMore
	}
	if err := p.Flush(); err != nil {
		return err
	}
	if line < 0 {
		return p.loseCopy(i, "the head of a COPY cannot be read")
	}
	h, why := copyHead(p.Buf[i:end])
	if why != "" || len(bytes.TrimSpace(p.Buf[end:end+line])) > 0 {
		return p.loseCopy(i, cmp.Or(why, "no rows follow a COPY"))
	}
	if h.schema == "" {
		h.schema = p.schema
	}
	next := end + line + 1
	first := 0
	if !h.listed {
		e, _, err := copyLine(p.Buf, next)
		if err == segment.ErrMore && !p.EOF {
			return segment.ErrMore
		}
		if err == nil {
			first = len(splitCopy(p.Buf, next, e, nil))
		}
	}
	if err := p.useTable(h, first); err != nil {
		return p.loseCopy(i, err.Error())
	}
	p.Pos, p.st, p.lines = next, atCopy, false
	return nil
}

// insertHead reads the head of the INSERT at b[i]; row is where its first row begins.
func insertHead(b []byte, i int) (h head, row int, why string) {
	if !segment.HasPrefixFold(b[i:], "INSERT INTO ") {
		return h, i, "an INSERT without INTO"
	}
	h, i, ok := parseHead(b, segment.SkipSpace(b, i+len("INSERT INTO ")))
	if !ok {
		return h, i, "the head of an INSERT cannot be read"
	}
	i = segment.SkipSpace(b, i)
	if segment.HasPrefixFold(b[i:], "OVERRIDING ") {
		j := bytes.Index(b[i:], []byte(" VALUE "))
		if j < 0 || j > 40 {
			return h, i, "an INSERT without VALUES"
		}
		i = segment.SkipSpace(b, i+j+len(" VALUE "))
	}
	if !segment.HasPrefixFold(b[i:], "VALUES") {
		return h, i, "an INSERT without VALUES"
	}
	if i = segment.SkipSpace(b, i+len("VALUES")); i >= len(b) || b[i] != '(' {
		return h, i, "an INSERT without rows"
	}
	return h, i, ""
}

// insert begins an INSERT: what follows is rows.
func (p *reader) insert() error {
	if n := len(p.head); n > 0 && len(p.Buf)-p.Pos > n && p.Buf[p.Pos+n] == '(' && bytes.HasPrefix(p.Buf[p.Pos:], p.head) {
		p.Pos, p.st, p.lines = p.Pos+n, atRow, false
		return nil
	}
	h, row, why := insertHead(p.Buf, p.Pos)
	if h.schema == "" {
		h.schema = p.schema
	}
	if why != "" && row >= len(p.Buf)-64 && !p.EOF {
		return segment.ErrMore
	}
	first := 0
	if why == "" && !h.listed {
		cells, _, err := scanRow(p.Buf, row, p.std, p.tmp[:0])
		p.tmp = cells[:0]
		if err == segment.ErrMore && !p.EOF {
			return segment.ErrMore
		}
		first = len(cells)
	}
	if p.cur == nil || p.cur.schema != h.schema || p.cur.name != h.name {
		if err := p.Flush(); err != nil {
			return err
		}
	}
	if why == "" {
		if err := p.useTable(h, first); err != nil {
			why = err.Error()
		}
	}
	if why != "" {
		if err := p.Flush(); err != nil {
			return err
		}
		p.startDamage(p.Pos, why)
		p.bad.lost = lost{kind: lostInsert, insert: true, of: p.tables[p.key(h.schema, h.name)]}
		return nil
	}
	p.head = append(p.head[:0], p.Buf[p.Pos:row]...)
	p.Pos, p.st, p.lines = row, atRow, false
	return nil
}

// identifier reads a name at b[i]; without quotes it is in lower case.
func identifier(b []byte, i int) (name string, next int, ok bool) {
	if i < len(b) && b[i] == '"' {
		var s []byte
		for i++; i < len(b); i++ {
			if b[i] == '"' {
				if i+1 < len(b) && b[i+1] == '"' {
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
	return strings.ToLower(string(b[s:i])), i, i > s
}

// qualified reads schema.name at b[i].
func qualified(b []byte, i int) (parts []string, next int, ok bool) {
	for {
		name, end, ok := identifier(b, i)
		if !ok {
			return nil, end, false
		}
		parts = append(parts, name)
		if end == len(b) || b[end] != '.' {
			return parts, end, true
		}
		i = end + 1
	}
}

func isRule(b []byte) bool {
	return segment.HasPrefixFold(b, "CREATE RULE") || segment.HasPrefixFold(b, "CREATE OR REPLACE RULE")
}

// statementEnd finds the end of the statement at b[i], behind its semicolon, minding strings,
// names, comments, dollar-quoted bodies, BEGIN ATOMIC bodies and a rule's parentheses. It gives
// errWithin where a COPY or INSERT begins before that.
func statementEnd(b []byte, i int, std bool) (end int, err error) {
	start := i
	begins, depth := 0, 0
	for i < len(b) {
		switch c := b[i]; {
		case c == ';' && begins == 0 && depth == 0:
			return i + 1, nil
		case c == '\'':
			f := doubled
			if !std || i > start && b[i-1]|0x20 == 'e' && (i-1 == start || !isLetter(b[i-2])) {
				f = escaped
			}
			if _, i, err = scanString(b, i, f); err != nil {
				return 0, err
			}
		case c == '"':
			j := bytes.IndexByte(b[i+1:], '"')
			if j < 0 {
				return 0, segment.ErrMore
			}
			i += j + 2
		case c == '-' && bytes.HasPrefix(b[i:], []byte("--")):
			j := bytes.IndexByte(b[i:], '\n')
			if j < 0 {
				return 0, segment.ErrMore
			}
			i += j + 1
		case c == '/' && bytes.HasPrefix(b[i:], []byte("/*")):
			j := bytes.Index(b[i:], []byte("*/"))
			if j < 0 {
				return 0, segment.ErrMore
			}
			i += j + 2
		case c == '$':
			j := i + 1
			for j < len(b) && (isLetter(b[j]) || b[j] == '_' || b[j] >= '0' && b[j] <= '9' && j > i+1) {
				j++
			}
			if j == len(b) {
				return 0, segment.ErrMore
			}
			if b[j] != '$' {
				i = j
				continue
			}
			tag := b[i : j+1]
			k := bytes.Index(b[j+1:], tag)
			if k < 0 {
				return 0, segment.ErrMore
			}
			i = j + 1 + k + len(tag)
		case c == '(' || c == ')':
			if isRule(b[start:]) {
				if c == '(' {
					depth++
				} else if depth > 0 {
					depth--
				}
			}
			i++
		case isLetter(c):
			if i > start && b[i-1] == '\n' && begins == 0 && depth == 0 && beginsRows(b[i:]) && !isRule(b[start:]) {
				return 0, errWithin
			}
			j := i
			for j < len(b) && (isLetter(b[j]) || b[j] == '_' || b[j] >= '0' && b[j] <= '9') {
				j++
			}
			if w := b[i:j]; begins > 0 {
				if bytes.EqualFold(w, []byte("BEGIN")) || bytes.EqualFold(w, []byte("CASE")) {
					begins++
				} else if bytes.EqualFold(w, []byte("END")) {
					begins--
				}
			} else if bytes.EqualFold(w, []byte("BEGIN")) && segment.HasPrefixFold(b[start:], "CREATE ") && segment.HasPrefixFold(b[segment.SkipSpace(b, j):], "ATOMIC") {
				begins++
			}
			i = j
		default:
			i++
		}
	}
	return 0, segment.ErrMore
}
