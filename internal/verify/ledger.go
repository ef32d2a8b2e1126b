package verify

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/unspoof/unspoof/internal/casefile"
)

const (
	maxBody = 65535      // of an entry, by the format
	maxNote = 1 << 20    // of a stored checkpoint
	page    = int64(512) // rows read at a time
)

// checkLedger recomputes the log from the entries' bodies and holds against it everything
// that was stored or signed.
func (r *run) checkLedger(c *Check) {
	r.acts = newActs()
	db, done, err := r.openLedger()
	if err != nil {
		c.fail("case.db", casefile.Where{}, "the ledger cannot be opened: %v", err)
		return
	}
	defer done()
	l := &log{ctx: r.ctx, db: db, c: c}
	if !l.plainTables() {
		return
	}
	trusted := map[string][]byte{"trusted checkpoint": r.opt.TrustedCheckpoint}
	if r.exhibit != nil {
		trusted["the exhibit's checkpoint"] = []byte(r.exhibit.Checkpoint)
	}
	heads := l.checkpoints(r.dir, trusted)
	l.walk(heads, &r.acts, r.progress)
	r.acts.finish(c)
	r.report.Entries, r.report.LedgerRoot = l.tree.size, hex.EncodeToString(l.root[:])
	r.report.Unsigned = l.tree.size - l.signed
	c.Objects = l.tree.size
	if r.report.Unsigned > 0 {
		c.warn("case.db", casefile.Where{}, "%d entries after the last checkpoint are covered by no signature", r.report.Unsigned)
	}
	if l.tree.size == 0 {
		c.fail("case.db", casefile.Where{}, "the ledger has no entry")
	}
	r.checkInit(c)
}

// openLedger opens case.db so that it cannot change. With no write-ahead log the file is
// all there is and is opened as immutable, which creates nothing beside it. With one, the
// two are copied to a temporary folder and the copy is opened: reading in place would write
// into the evidence folder.
func (r *run) openLedger() (db *sql.DB, done func(), err error) {
	if _, err := r.dir.plain("case.db", false); err != nil {
		return nil, nil, err
	}
	path, query, done := filepath.Join(r.dir.path, "case.db"), "mode=ro&immutable=1", func() {}
	wal, err := r.dir.plain("case.db-wal", false)
	if err == nil && wal.Size() > 0 {
		temp, err := os.MkdirTemp("", "unspoof-verify-*")
		if err != nil {
			return nil, nil, err
		}
		done = func() { os.RemoveAll(temp) }
		if err := r.copyStill(temp, "case.db", "case.db-wal"); err != nil {
			done()
			return nil, nil, err
		}
		path, query = filepath.Join(temp, "case.db"), "mode=rw"
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("case.db-wal: %w", err)
	}
	query += "&_pragma=query_only(1)&_pragma=trusted_schema(0)&_pragma=cell_size_check(1)"
	db, err = sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: query}).String())
	if err != nil {
		done()
		return nil, nil, err
	}
	db.SetMaxOpenConns(4)
	remove := done
	return db, func() { db.Close(); remove() }, nil
}

// copyStill copies files that belong together, again when one changed meanwhile: half of a
// transaction must not look like tampering.
func (r *run) copyStill(to string, names ...string) error {
	state := func() (s string) {
		for _, name := range names {
			if info, err := r.dir.plain(name, false); err == nil {
				s += fmt.Sprintln(info.Size(), info.ModTime().UnixNano())
			}
		}
		return s
	}
	for range 10 {
		before := state()
		for _, name := range names {
			if err := r.copyOut(name, filepath.Join(to, name)); err != nil {
				return err
			}
		}
		if state() == before {
			return nil
		}
	}
	return errors.New("it is being written to all the time: stop the server, or run again")
}

func (r *run) copyOut(name, to string) (err error) {
	from, err := r.dir.open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	return errors.Join(err, out.Close())
}

// log is the ledger being read.
type log struct {
	ctx    context.Context
	db     *sql.DB
	c      *Check
	tree   tree
	root   hash
	signed int64 // size of the last good checkpoint
}

// plainTables makes sure that the three tables are tables, and that SQLite finds the file sound.
func (l *log) plainTables() bool {
	for _, name := range []string{"ledger_entry", "ledger_hash", "ledger_checkpoint"} {
		var kind, text string
		err := l.db.QueryRowContext(l.ctx, `SELECT type, coalesce(sql, '') FROM sqlite_schema WHERE name = ?`, name).Scan(&kind, &text)
		if err != nil {
			l.c.fail("case.db", casefile.Where{Table: name}, "cannot be read: %v", err)
			return false
		}
		if upper := strings.ToUpper(text); kind != "table" || strings.Contains(upper, "VIRTUAL") || strings.Contains(upper, "GENERATED") {
			l.c.fail("case.db", casefile.Where{Table: name}, "is not an ordinary table: %s", text)
			return false
		}
	}
	var said string
	if err := l.db.QueryRowContext(l.ctx, `PRAGMA integrity_check(1)`).Scan(&said); err != nil || said != "ok" {
		if err != nil {
			said = err.Error()
		}
		l.c.fail("case.db", casefile.Where{}, "SQLite finds the file damaged: %s", said)
	}
	return true
}

// each calls do for every row of a table in the order of its key; blobs beyond max come as nil.
func (l *log) each(table, key, blob string, max int64, do func(id int64, b []byte) error) error {
	query := fmt.Sprintf(`SELECT %[2]s, CASE WHEN length(%[3]s) <= %[4]d THEN CAST(%[3]s AS BLOB) END FROM %[1]s
		WHERE %[2]s > ? ORDER BY %[2]s LIMIT %[5]d`, table, key, blob, max, page)
	for last, more := int64(-1<<63), true; more; {
		rows, err := l.db.QueryContext(l.ctx, query, last)
		if err != nil {
			return err
		}
		n := int64(0)
		for ; rows.Next(); n++ {
			var b []byte
			if err = rows.Scan(&last, &b); err == nil {
				err = do(last, b)
			}
			if err != nil {
				break
			}
		}
		if err = errors.Join(err, rows.Err(), rows.Close()); err != nil {
			return err
		}
		more = n == page
	}
	return nil
}

// head is a signed statement of the tree's size and root.
type head struct {
	what string
	size int64
	root hash
}

// checkpoints opens every stored checkpoint and those from elsewhere, and gives those whose
// signature and name are right, by size.
func (l *log) checkpoints(dir folder, trusted map[string][]byte) map[int64][]head {
	const pub = "checkpoints/ledger.pub"
	text, err := dir.read(pub, 4096)
	var key verifierKey
	if err == nil {
		key, err = parseKey(strings.TrimSpace(string(text)))
	}
	if err != nil {
		l.c.fail(pub, casefile.Where{}, "the ledger's public key: %v", err)
		return nil
	}
	heads := map[int64][]head{}
	open := func(what string, signed []byte) (head, bool) {
		h, err := key.open(signed)
		if err != nil {
			l.c.fail(what, casefile.Where{}, "%v", err)
			return head{}, false
		}
		h.what = what
		heads[h.size] = append(heads[h.size], h)
		return h, true
	}
	count := 0
	err = l.each("ledger_checkpoint", "size", "note", maxNote, func(size int64, signed []byte) error {
		count++
		what := fmt.Sprintf("checkpoint of size %d", size)
		if h, ok := open(what, signed); ok {
			if h.size != size {
				l.c.fail(what, casefile.Where{}, "its signed text says size %d: it stands in another's place", h.size)
			}
		}
		return nil
	})
	if err != nil {
		l.c.fail("case.db", casefile.Where{Table: "ledger_checkpoint"}, "cannot be read: %v", err)
	}
	if count == 0 {
		l.c.warn("case.db", casefile.Where{}, "no checkpoint has been signed yet: nothing shows a change of the whole ledger")
	}
	for what, signed := range trusted {
		if len(signed) > 0 {
			open(what, signed)
		}
	}
	return heads
}

// walk reads the entries in order, grows its own tree and holds it against the stored hashes
// and the signed heads.
//
// How a tampered entry is named. An entry that was changed, and whose stored leaf hash was
// not, is named by that hash; one that was moved or follows a removed one carries another seq
// in its body or leaves a gap in the numbers. Where an insider made hashes and numbers anew,
// only a signed root tells: then the entries between the last root that agrees and the first
// that does not are named as a range.
func (l *log) walk(heads map[int64][]head, acts *acts, progress func(string, int64, int64)) {
	var total int64
	if err := l.db.QueryRowContext(l.ctx, `SELECT count(*) FROM ledger_entry`).Scan(&total); err != nil {
		l.c.fail("case.db", casefile.Where{Table: "ledger_entry"}, "cannot be read: %v", err)
		return
	}
	stored := &storedList{log: l}
	var firstBad *head
	goodBefore := int64(0)
	seen := map[int64]bool{}
	compare := func() {
		seen[l.tree.size] = true
		for _, h := range heads[l.tree.size] {
			if h.root == l.tree.root() {
				l.signed = h.size
			} else if firstBad == nil {
				firstBad, goodBefore = &h, l.signed
			}
		}
	}
	index, gap, leafBad := int64(0), false, false
	grow := func(h hash) {
		if !gap && !leafBad {
			if was, ok := stored.at(index); !ok || was != h {
				leafBad = true
				l.c.fail("case.db", casefile.Where{Table: "ledger_hash"}, "stored hash %d is missing or not the one the entries give", index)
			}
		}
		index++
	}
	if _, some := heads[0]; some {
		compare()
	}
	err := l.each("ledger_entry", "id", "body", maxBody, func(id int64, body []byte) error {
		n, what := l.tree.size, fmt.Sprintf("entry %d", id)
		if id != n && !gap {
			gap = true
			if id < 0 {
				l.c.fail(what, casefile.Where{}, "has a negative number")
			} else {
				l.c.fail(fmt.Sprintf("entry %d", n), casefile.Where{}, "was removed: the next entry is %d", id)
			}
		}
		leaf := leafHash(body)
		if was, ok := stored.at(storedHashes(id)); ok && was != leaf {
			leafBad = true
			why := "its content is not the one whose hash was stored"
			if next, ok := stored.at(storedHashes(id + 1)); ok && next == leaf {
				why += fmt.Sprintf(": this is what entry %d was, so an entry before it was removed", id+1)
			}
			l.c.fail(what, casefile.Where{}, "%s", why)
		}
		a, err := readAct(body)
		switch {
		case body == nil:
			l.c.fail(what, casefile.Where{}, "has no body or one longer than %d bytes", maxBody)
		case err != nil:
			l.c.fail(what, casefile.Where{}, "%v", err)
		case a.Seq != id:
			l.c.fail(what, casefile.Where{}, "its body is that of entry %d: it was moved here, or entries before it were removed or added", a.Seq)
		default:
			acts.note(id, a)
		}
		l.tree.add(leaf, grow)
		if n%4096 == 0 {
			progress("ledger", n, total)
		}
		if _, some := heads[l.tree.size]; some {
			compare()
		}
		return nil
	})
	if err != nil {
		l.c.fail("case.db", casefile.Where{Table: "ledger_entry"}, "cannot be read to its end: %v", err)
	}
	l.root = l.tree.root()
	if n, err := stored.count(); err != nil || n != storedHashes(l.tree.size) {
		l.c.fail("case.db", casefile.Where{Table: "ledger_hash"}, "%d hashes are stored where %d entries need %d (%v)", n, l.tree.size, storedHashes(l.tree.size), err)
	}
	if firstBad != nil {
		l.c.fail(firstBad.what, casefile.Where{}, "the first %d entries are not the ones it signed: from entry %d to %d one was changed, removed, added or moved; those before are as signed",
			firstBad.size, goodBefore, firstBad.size-1)
	}
	for size, list := range heads {
		for _, h := range list {
			if !seen[size] {
				l.c.fail(h.what, casefile.Where{}, "it signed %d entries, %d are here: the end of the ledger was cut off, or the database was set back", h.size, l.tree.size)
			}
		}
	}
}

// storedList reads the stored hashes a page at a time; they are asked for nearly in order.
type storedList struct {
	log  *log
	from int64
	page []hash // zero: not there
	got  bool
}

// at gives stored hash i.
func (s *storedList) at(i int64) (hash, bool) {
	if i < 0 {
		return hash{}, false
	}
	const size = 4096
	if from := i / size * size; !s.got || from != s.from {
		s.from, s.page, s.got = from, make([]hash, size), true
		rows, err := s.log.db.QueryContext(s.log.ctx, `SELECT id, CAST(h AS BLOB) FROM ledger_hash WHERE id >= ? AND id < ? AND length(h) = 32`, from, from+size)
		if err != nil {
			return hash{}, false // the count, taken at the end, reports it
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var b []byte
			if rows.Scan(&id, &b) == nil && id >= from && id < from+size && len(b) == len(hash{}) {
				s.page[id-from] = hash(b)
			}
		}
	}
	h := s.page[i-s.from]
	return h, h != hash{}
}

func (s *storedList) count() (n int64, err error) {
	err = s.log.db.QueryRowContext(s.log.ctx, `SELECT count(*) FROM ledger_hash WHERE id >= 0 AND length(h) = 32`).Scan(&n)
	return n, err
}

// act is what an entry says, as far as the checker asks.
type act struct {
	Action  string         `json:"action"`
	Actor   string         `json:"actor"`
	At      string         `json:"at"`
	Object  string         `json:"object"`
	Outcome string         `json:"outcome"`
	Details map[string]any `json:"details"`
	Answers *int64         `json:"answers"`
	Seq     int64          `json:"seq"`
	V       int            `json:"v"`
}

// readAct reads an entry's body, which must be the canonical JSON of itself: keys sorted and
// given once, no white space.
func readAct(body []byte) (act, error) {
	a := act{Seq: -1}
	var tree any
	for _, into := range []any{&tree, &a} {
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if err := dec.Decode(into); err != nil {
			return a, fmt.Errorf("its body is not an act in JSON: %v", err)
		}
	}
	var again bytes.Buffer
	enc := json.NewEncoder(&again)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil || !bytes.Equal(bytes.TrimSuffix(again.Bytes(), []byte("\n")), body) {
		return a, errors.New("its body is not canonical JSON")
	}
	if a.V != 1 || a.Action == "" || a.Actor == "" || a.At == "" || a.Outcome == "" || a.Seq < 0 {
		return a, errors.New("its body lacks v 1, seq, action, actor, at or outcome")
	}
	return a, nil
}

// detail is a text detail, empty when absent.
func (a act) detail(name string) string {
	s, _ := a.Details[name].(string)
	return s
}

// number is a whole-number detail.
func (a act) number(name string) (int64, bool) {
	n, ok := a.Details[name].(json.Number)
	if !ok {
		return 0, false
	}
	v, err := n.Int64()
	return v, err == nil
}
