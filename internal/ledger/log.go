package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	groupLimit = 512                   // acts in one transaction, at most
	groupTime  = 20 * time.Millisecond // after which a transaction takes in no more acts
	// DefaultCheckpointEvery is how many entries lie between automatic checkpoints unless WithCheckpointEvery says
	// otherwise.
	DefaultCheckpointEvery = 1000
)

// Log writes the ledger of one case. All its methods may be called from many goroutines, and several processes may
// have a Log on the same database: each transaction reads the tree's size anew under the write lock.
//
// One goroutine writes. It takes the acts that wait, runs each under a savepoint, and commits the group with one
// sync of the disk; that is where the throughput comes from.
type Log struct {
	*Reader
	signer Signer
	app    string
	every  int64
	now    func() time.Time

	conn  *sql.Conn
	guard *guard
	own   *statements // the writer's, prepared with the guard down
	acts  *statements // those of acts, prepared with the guard up; the two must not mix

	queue   chan *request
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when the writer has ended
	once    sync.Once
	failure atomic.Pointer[error]
}

// Option changes how a Log works.
type Option func(*Log)

// WithApp sets the application version that entries carry.
func WithApp(version string) Option { return func(l *Log) { l.app = version } }

// WithCheckpointEvery makes a checkpoint whenever the number of entries passes a multiple of n, in the same
// transaction; 0 turns this off.
func WithCheckpointEvery(n int) Option { return func(l *Log) { l.every = int64(n) } }

// WithClock sets the clock for acts that carry no time.
func WithClock(now func() time.Time) Option { return func(l *Log) { l.now = now } }

// Open starts a Log on a database opened by OpenDB, and makes its tables if need be. Origin names the log, as in
// unspoof/case/<id>, and must be the signer's name. Open refuses a database whose entries no longer contain what
// its last checkpoint signed. The Log keeps one of the pool's connections until Close; the database stays the
// caller's to close.
func Open(ctx context.Context, db *sql.DB, origin string, signer Signer, options ...Option) (*Log, error) {
	if err := checkOrigin(origin); err != nil {
		return nil, err
	}
	if signer == nil || signer.Name() != origin {
		return nil, fmt.Errorf("open ledger %s: %w: the signer must carry the origin as its name", origin, ErrInvalid)
	}
	if db.Stats().MaxOpenConnections == 1 {
		return nil, fmt.Errorf("open ledger %s: %w: the pool needs more than the one connection that the log keeps", origin, ErrInvalid)
	}
	l := &Log{
		Reader: &Reader{db: db, origin: origin}, signer: signer, every: DefaultCheckpointEvery, now: time.Now,
		guard: new(guard), queue: make(chan *request, groupLimit), closing: make(chan struct{}), done: make(chan struct{}),
	}
	for _, o := range options {
		o(l)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", origin, err)
	}
	l.conn, l.own, l.acts = conn, newStatements(conn), newStatements(conn)
	if err := l.prepare(ctx); err != nil {
		l.own.close()
		conn.Close()
		return nil, fmt.Errorf("open ledger %s: %w", origin, err)
	}
	go l.run()
	return l, nil
}

// prepare makes the connection safe and ready, and checks the stored tree against the last checkpoint.
func (l *Log) prepare(ctx context.Context) error {
	var mode string
	if err := l.conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode == "off" || mode == "memory" {
		return fmt.Errorf("%w: journal mode %q would not survive a crash", ErrInvalid, mode)
	}
	if _, err := l.conn.ExecContext(ctx, "PRAGMA synchronous=FULL"); err != nil {
		return err
	}
	if err := createSchema(ctx, l.conn); err != nil {
		return err
	}
	size, err := treeSize(ctx, l.conn)
	if err != nil {
		return err
	}
	tree, err := loadFrontier(size, storedHashes(ctx, l.conn))
	if err != nil {
		return err
	}
	last, _, err := lastStored(ctx, l.conn, l.origin, 0)
	if err == nil {
		err = extends(tree, last, storedHashes(ctx, l.conn))
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return l.guard.install(l.conn)
}

// Close ends the Log after the acts that are being written. Acts still waiting get ErrUnwritable.
func (l *Log) Close() error {
	l.once.Do(func() { close(l.closing) })
	<-l.done
	return nil
}

// Err gives the reason why the last write failed, or nil if it succeeded. While it is not nil, a service must not
// hand out evidence.
func (l *Log) Err() error {
	if p := l.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Append records an act. If do is not nil, it makes the act's own changes in the same transaction: both are kept,
// or neither. If do returns an error, Append returns it, and nothing is kept; the caller then records
// that the act was refused or failed. An error that wraps ErrUnwritable means that the record could not be written, so
// the act has not happened.
//
// When Append returns without error, the entry is on the disk. When ctx ends while the act waits, the act
// is withdrawn; once begun, it is finished, and Append tells how. Do runs on the writer's goroutine and holds up all
// other writers: keep it short, and never call the Log from within.
func (l *Log) Append(ctx context.Context, act Act, do func(*Tx) error) (Entry, error) {
	if act.At.IsZero() {
		act.At = l.now()
	}
	if act.App == "" {
		act.App = l.app
	}
	head, err := act.head()
	if err != nil {
		return Entry{}, err
	}
	res := l.submit(ctx, &request{head: head, do: do})
	if res.panicked != nil {
		panic(res.panicked)
	}
	return res.entry, res.err
}

// Checkpoint signs the present tree, stores the checkpoint and returns it. If there is one of this size, it
// returns that one.
func (l *Log) Checkpoint(ctx context.Context) (Checkpoint, error) {
	res := l.submit(ctx, &request{})
	return res.checkpoint, res.err
}

// Export signs a checkpoint of the present tree and exports it; see Reader.Export.
func (l *Log) Export(ctx context.Context, dir string) (Checkpoint, error) {
	if _, err := l.Checkpoint(ctx); err != nil {
		return Checkpoint{}, err
	}
	return l.Reader.Export(ctx, dir)
}

// request is one act on its way to the writer; without a head it asks for a checkpoint.
type request struct {
	head   []byte
	do     func(*Tx) error
	taken  atomic.Bool // by the writer or by a caller who withdraws it
	result chan result
}

type result struct {
	entry      Entry
	checkpoint Checkpoint
	err        error
	panicked   any
}

func (r *request) answer(res result) { r.result <- res }

func (l *Log) submit(ctx context.Context, r *request) result {
	r.result = make(chan result, 1)
	closed := result{err: fmt.Errorf("%w: the log is closed", ErrUnwritable)}
	select {
	case <-l.closing:
		return closed
	default:
	}
	select {
	case l.queue <- r:
	case <-ctx.Done():
		return result{err: context.Cause(ctx)}
	case <-l.done:
		return closed
	}
	select {
	case res := <-r.result:
		return res
	case <-ctx.Done():
		if r.taken.CompareAndSwap(false, true) {
			return result{err: context.Cause(ctx)}
		}
	case <-l.done:
	}
	select { // the writer has it: its word is final
	case res := <-r.result:
		return res
	case <-l.done:
	}
	select {
	case res := <-r.result:
		return res
	default:
		return closed
	}
}

// run is the writer.
func (l *Log) run() {
	defer close(l.done)
	defer l.conn.Close()
	defer l.own.close()
	defer l.acts.close()
	// Only an act that ends its goroutine (runtime.Goexit) leaves a transaction open here.
	defer l.conn.ExecContext(context.Background(), "ROLLBACK")
	for {
		select {
		case <-l.closing:
			return
		default:
		}
		select {
		case r := <-l.queue:
			l.writeGroup(r)
		case <-l.closing:
			return
		}
	}
}

// writeGroup writes the first act and those that wait behind it in one transaction, and answers them all.
func (l *Log) writeGroup(first *request) {
	g := &group{log: l}
	err := g.begin()
	for r := first; err == nil && r != nil; {
		if r.taken.CompareAndSwap(false, true) {
			err = g.add(r)
		}
		r = nil
		if err == nil { // or an act taken from the queue would never be answered
			r = g.next()
		}
	}
	if err == nil {
		err = g.commit()
	}
	if err == nil {
		if g.wrote {
			l.failure.Store(nil)
		}
		for _, m := range g.members {
			m.r.answer(m.res)
		}
		return
	}
	// A rollback fails only where SQLite has already rolled back.
	_, _ = l.conn.ExecContext(context.Background(), "ROLLBACK")
	err = fmt.Errorf("%w: %w", ErrUnwritable, err)
	l.failure.Store(&err)
	for _, m := range g.members {
		m.r.answer(result{err: err})
	}
	if first.taken.CompareAndSwap(false, true) { // begin failed: it was never added
		first.answer(result{err: err})
	}
}

// group is one transaction of the writer.
type group struct {
	log     *Log
	start   time.Time
	base    int64 // entries before this group
	tree    *frontier
	hashes  []byte // those that the group's entries complete, one after the other
	members []member
	want    bool // somebody asks for a checkpoint
	wrote   bool // there is something to commit
}

type member struct {
	r   *request
	res result
}

// begin takes the write lock and reads where the tree stands.
func (g *group) begin() error {
	ctx, own := context.Background(), g.log.own
	if _, err := own.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	g.start = time.Now()
	size, err := treeSize(ctx, own)
	if err != nil {
		return err
	}
	g.base = size
	g.tree, err = loadFrontier(size, storedHashes(ctx, own))
	return err
}

// next gives the next act that waits, or nil if the group should be committed.
func (g *group) next() *request {
	if len(g.members) >= groupLimit || time.Since(g.start) > groupTime {
		return nil
	}
	select {
	case r := <-g.log.queue:
		return r
	default:
		return nil
	}
}

// add runs one act and inserts its entry. An act that fails is answered at once and leaves nothing; an error
// returned is one of the whole group.
func (g *group) add(r *request) error {
	own := g.log.own
	if r.head == nil {
		g.want = true
		g.members = append(g.members, member{r: r})
		return nil
	}
	e := Entry{Seq: g.tree.n, Body: bodyFromHead(r.head, g.tree.n)}
	if len(e.Body) > MaxBody {
		r.answer(result{err: fmt.Errorf("act: %w: an entry of %d bytes is over the limit of %d", ErrInvalid, len(e.Body), MaxBody)})
		return nil
	}
	g.members = append(g.members, member{r, result{entry: e}})
	if r.do != nil {
		if _, err := own.exec("SAVEPOINT act"); err != nil {
			return fmt.Errorf("savepoint: %w", err)
		}
		t := &Tx{conn: g.log.conn, stmts: g.log.acts, guard: g.log.guard, seq: e.Seq}
		panicked, err := t.run(r.do)
		if err != nil || panicked != nil {
			if _, rerr := own.exec("ROLLBACK TO act"); rerr != nil {
				return fmt.Errorf("take back entry %d: %w", e.Seq, errors.Join(rerr, err))
			}
			if _, rerr := own.exec("RELEASE act"); rerr != nil {
				return fmt.Errorf("take back entry %d: %w", e.Seq, errors.Join(rerr, err))
			}
			g.members = slices.Delete(g.members, len(g.members)-1, len(g.members))
			r.answer(result{err: err, panicked: panicked})
			return nil
		}
		if _, err := own.exec("RELEASE act"); err != nil {
			return fmt.Errorf("keep the act of entry %d: %w", e.Seq, err)
		}
	}
	if _, err := own.exec(`INSERT INTO ledger_entry (id, body) VALUES (?, ?)`, e.Seq, e.Body); err != nil {
		return fmt.Errorf("insert entry %d: %w", e.Seq, err)
	}
	g.wrote = true
	for _, h := range g.tree.push(e.Hash()) {
		g.hashes = append(g.hashes, h[:]...)
	}
	return nil
}

// commit inserts the tree hashes and, when due, a checkpoint, and makes the group durable.
func (g *group) commit() error {
	own := g.log.own
	if n := len(g.hashes) / tlog.HashSize; n > 0 {
		// Cut one blob into ?3 hashes, numbered from ?1.
		if _, err := own.exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?3)
			INSERT INTO ledger_hash (id, h) SELECT ?1 + i, substr(?2, 1 + 32 * i, 32) FROM n`, tlog.StoredHashCount(g.base), g.hashes, n); err != nil {
			return fmt.Errorf("insert tree hashes: %w", err)
		}
	}
	every := g.log.every
	if g.want || every > 0 && g.base/every != g.tree.n/every {
		c, err := g.sign(context.Background())
		if err != nil {
			return err
		}
		for i := range g.members {
			if g.members[i].r.head == nil {
				g.members[i].res.checkpoint = c
			}
		}
	}
	if _, err := own.exec("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// sign makes the checkpoint of the group's tree, unless it is stored already. It never signs a tree that does not
// start with the one signed last.
func (g *group) sign(ctx context.Context) (Checkpoint, error) {
	l := g.log
	last, sigs, err := lastStored(ctx, l.conn, l.origin, 0)
	if err == nil {
		err = extends(g.tree, last, storedHashes(ctx, l.conn))
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Checkpoint{}, err
	}
	if err == nil && last.Size == g.tree.n {
		if !slices.ContainsFunc(sigs, func(s note.Signature) bool { return s.Name == l.signer.Name() && s.Hash == l.signer.KeyHash() }) {
			return Checkpoint{}, fmt.Errorf("%w: the checkpoint of size %d is signed by another key: record the change of key as an act, then sign again",
				ErrInvalid, last.Size)
		}
		return last, nil
	}
	c := Checkpoint{Origin: l.origin, Size: g.tree.n, Hash: g.tree.root()}
	if c.Note, err = note.Sign(&note.Note{Text: c.text()}, l.signer); err != nil {
		return Checkpoint{}, fmt.Errorf("sign the checkpoint of size %d: %w", c.Size, err)
	}
	if _, err := l.own.exec(`INSERT INTO ledger_checkpoint (size, note) VALUES (?, ?)`, c.Size, c.Note); err != nil {
		return Checkpoint{}, fmt.Errorf("store the checkpoint of size %d: %w", c.Size, err)
	}
	g.wrote = true
	return c, nil
}
