package pgdump

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/segment"
)

// lostKind says by what rows are counted whose head cannot be read.
type lostKind uint8

const (
	lostNone   lostKind = iota
	lostCopy            // lines up to the mark of their end
	lostInsert          // parentheses
)

// lost are the rows of a COPY or INSERT whose head cannot be read.
type lost struct {
	kind lostKind
	of   *table // theirs; nil: not known
	rows int64

	insert bool // it is an INSERT for sure

	// Of a COPY:
	tabs  bool  // its rows have several cells
	blank int64 // blank lines that were not counted yet
	rest  bool  // it stands inside a row that is longer than may be
}

// countLost counts damaged rows without a head under their table, or else under none.
func (p *reader) countLost(d *dump.Damage) {
	l := p.bad.lost
	if d.Rows = l.rows; d.Rows == 0 && l.insert {
		d.Rows = 1 // none was found, and an INSERT has one
	}
	if d.Rows == 0 {
		return
	}
	if l.of != nil {
		p.name(l.of)
		d.Table, d.Row = l.of.Name, l.of.next
		l.of.next += d.Rows
		return
	}
	d.Row = p.homeless + 1
	d.Reason += "; which table its rows are of is not known"
	p.homeless += d.Rows
}

// strange deals with b[i:], which begins no statement: it may be the head of a COPY or INSERT
// whose first word is damaged.
func (p *reader) strange(i int) error {
	line := p.Buf[i:]
	if j := bytes.IndexByte(line, '\n'); j >= 0 {
		line = line[:j]
	} else if !p.EOF && len(line) < longHead {
		return segment.ErrMore
	}
	if err := p.Flush(); err != nil {
		return err
	}
	why := fmt.Sprintf("%q is not the beginning of a statement", segment.Clip(line))
	if copyTail.Match(line) {
		return p.loseCopy(i, why)
	}
	p.startDamage(i, why)
	if insertHint.Match(line[:min(len(line), longHead)]) {
		p.bad.lost.kind = lostInsert
	}
	return nil
}

var (
	stdin      = regexp.MustCompile(`(?i)\bstdin;`)
	copyTail   = regexp.MustCompile(`(?i) FROM stdin;\r?$`)
	insertHint = regexp.MustCompile(`(?i)^\W*INSERT\b|\bINTO\b|\bVALUES\b`)
)

// loseCopy begins the damage of a COPY whose head, at b[i], cannot be read. Its rows are the
// lines behind it.
func (p *reader) loseCopy(i int, why string) error {
	head := p.Buf[i:]
	next := len(p.Buf)
	if j := bytes.IndexByte(head, '\n'); j >= 0 {
		head, next = head[:j], i+j+1
	}
	l := lost{kind: lostCopy}
	if j := bytes.IndexByte(head, ' '); j >= 0 {
		if parts, _, ok := qualified(head, segment.SkipSpace(head, j)); ok {
			schema := p.schema
			if len(parts) > 1 {
				schema = parts[len(parts)-2]
			}
			l.of = p.tables[p.key(schema, parts[len(parts)-1])]
		}
	}
	if at := stdin.FindIndex(head); at != nil && len(bytes.TrimSpace(head[at[1]:])) > 0 { // a line end is lost
		l.rows = 1
	}
	p.startDamage(i, why)
	p.Pos, p.bad.lost = next, l
	return nil
}

// lostLines passes over the rows of a COPY without a head. They end at their mark, or, if that
// is lost too, where a line begins a statement and has not several cells as the others.
func (p *reader) lostLines() error {
	l := &p.bad.lost
	for p.Pos < len(p.Buf) {
		start := p.Pos
		end, next, err := copyLine(p.Buf, start)
		if err != nil {
			if p.EOF || len(p.Buf)-start > p.Opt.MaxRow {
				if !l.rest {
					l.count(1)
				}
				l.rest, p.Pos = true, len(p.Buf)
			}
			return err
		}
		line := p.Buf[start:end]
		p.Pos = next
		switch {
		case l.rest:
			l.rest = false
		case string(line) == `\.`:
			l.count(0)
			return p.endDamage(next)
		case len(line) == 0:
			l.blank++
		case bytes.IndexByte(line, '\t') >= 0:
			l.tabs = true
			l.count(1)
		case (l.tabs || l.rows == 0) && beginsStatement(p.Buf[start:min(next+1, len(p.Buf))]):
			p.Pos = start
			return p.endDamage(start)
		default:
			l.count(1)
		}
	}
	return segment.ErrMore
}

// count counts rows of a COPY, and as such the blank lines before them if rows have one cell.
func (l *lost) count(n int64) {
	if !l.tabs {
		n += l.blank
	}
	l.rows, l.blank = l.rows+n, 0
}

// lostRow counts the row whose parenthesis is b[i], if it is one of an INSERT without a head,
// and gives where to go on looking behind; ErrMore where the segment does not tell.
func (p *reader) lostRow(i int) (next int, err error) {
	l := &p.bad.lost
	behind := segment.BehindComma(p.Buf, i)
	if !behind && (l.rows > 0 || p.Base+int64(i)-p.bad.start > longHead) {
		return i, nil
	}
	cells, end, err := scanRow(p.Buf, i, p.std, p.tmp[:0])
	p.tmp = cells[:0]
	if (err == segment.ErrMore || err == nil && end+32 > len(p.Buf)) && !p.EOF && len(p.Buf)-i < p.Opt.MaxRow {
		return i, segment.ErrMore
	}
	if err != nil || !behindRow(p.Buf, end) {
		return i, nil
	}
	if l.rows == 0 && behind { // the first row's parenthesis is lost
		l.rows++
	}
	l.rows++
	return end - 1, nil
}

// behindRow reports whether what follows an INSERT's row that ends at i is what should.
func behindRow(b []byte, i int) bool {
	if i = segment.SkipSpace(b, i); i == len(b) || b[i] == ';' {
		return true
	}
	if b[i] == ',' {
		i = segment.SkipSpace(b, i+1)
		return i == len(b) || b[i] == '('
	}
	return segment.HasPrefixFold(b[i:], "ON CONFLICT") || segment.HasPrefixFold(b[i:], "RETURNING")
}

// errWithin says that a statement's end is lost, so that it would take rows for its own text.
var errWithin = errors.New("a statement does not end before the rows behind it")

// beginsRows reports whether b, at the beginning of a line, begins a COPY or INSERT.
func beginsRows(b []byte) bool {
	return bytes.HasPrefix(b, []byte("COPY ")) || bytes.HasPrefix(b, []byte("INSERT INTO "))
}

var rowsWithin = regexp.MustCompile(`\n(?:COPY [^\n]* FROM stdin;\r?\n|INSERT INTO [^\n]* VALUES)`)

var dollarQuoted = regexp.MustCompile(`(?s)\$(\w*)\$.*?\$\w*\$`)

// holdsRows reports whether rows stand in what is taken for a statement that holds none, nor
// text that could look like them: then a quote in it is damaged.
func holdsRows(statement []byte) bool {
	if !rowsWithin.Match(statement) {
		return false
	}
	for _, word := range []string{"COMMENT ", "DO ", "SECURITY "} {
		if segment.HasPrefixFold(statement, word) {
			return false
		}
	}
	rest := dollarQuoted.ReplaceAll(statement, nil) // bodies of functions
	if len(rest) == len(statement) && segment.HasPrefixFold(statement, "CREATE ") && !isCreateTable(statement) {
		return false // its body may be in quotes
	}
	return rowsWithin.Match(rest)
}
