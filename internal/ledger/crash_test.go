package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

// child appends from eight goroutines and prints each acknowledged entry as "seq hash". It ends when it has
// acknowledged LEDGER_TEST_ACTS entries, or is killed.
func child(dir string) int {
	acts, err := strconv.Atoi(os.Getenv("LEDGER_TEST_ACTS"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	w, err := openWorld(dir, WithCheckpointEvery(100))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	const clients = 8
	fails := make(chan error, clients)
	for c := range clients {
		go func() {
			for i := c; i < acts; i += clients {
				what := fmt.Sprintf("%d/%d", os.Getpid(), i)
				e, err := w.log.Append(context.Background(), act(what), mark(what))
				if err != nil {
					fails <- err
					return
				}
				fmt.Fprintf(os.Stdout, "%d %s\n", e.Seq, e.Hash()) // one unbuffered write: printed means acknowledged
			}
			fails <- nil
		}()
	}
	for range clients {
		if err := <-fails; err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if err := w.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process is a running child and what it has acknowledged.
type process struct {
	cmd   *exec.Cmd
	acked map[int64]string
	read  chan error
}

func startChild(t *testing.T, dir string, acts int) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0]), acked: map[int64]string{}, read: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), "LEDGER_TEST_CHILD="+dir, "LEDGER_TEST_ACTS="+strconv.Itoa(acts))
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.read <- p.listen(out) }()
	return p
}

func (p *process) listen(out io.Reader) error {
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			return nil // a line cut by the kill was not acknowledged
		}
		if err != nil {
			return err
		}
		var seq int64
		var hash string
		if _, err := fmt.Sscan(line, &seq, &hash); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		if _, twice := p.acked[seq]; twice {
			return fmt.Errorf("entry %d was acknowledged twice", seq)
		}
		p.acked[seq] = hash
	}
}

// wait gives all that was acknowledged, and the process's own result.
func (p *process) wait(t *testing.T) (map[int64]string, error) {
	t.Helper()
	if err := <-p.read; err != nil {
		t.Error(err)
	}
	return p.acked, p.cmd.Wait()
}

func (w *world) holds(t *testing.T, acked map[int64]string) {
	t.Helper()
	for e, err := range w.log.Entries(context.Background(), 0, -1) {
		if err != nil {
			t.Fatal(err)
		}
		if hash, ok := acked[e.Seq]; ok && hash != e.Hash().String() {
			t.Fatalf("entry %d was changed after it was acknowledged", e.Seq)
		}
		delete(acked, e.Seq)
	}
	if len(acked) > 0 {
		t.Fatalf("%d acknowledged entries are lost", len(acked))
	}
	if a, b := w.count(t, `SELECT count(*) FROM mark`), w.count(t, `SELECT count(*) FROM ledger_entry WHERE
		json_extract(CAST(body AS TEXT), '$.action') = 'judge'`); a != b {
		t.Fatalf("%d acts and %d entries", a, b)
	}
}

// TestKill kills a writing process with SIGKILL at random moments. Nothing acknowledged may be lost or changed, acts and
// entries must agree, and the tree must continue every checkpoint held from before.
func TestKill(t *testing.T) {
	rounds := 15
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	var held [][]byte
	total := 0
	for round := range rounds {
		p := startChild(t, dir, 1<<40)
		time.Sleep(time.Duration(60+rand.IntN(340)) * time.Millisecond)
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		acked, err := p.wait(t)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Exited() {
			t.Fatalf("round %d: the child ended by itself: %v", round, err)
		}
		total += len(acked)
		w, err := openWorld(dir)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		w.holds(t, acked)
		w.sound(t, held...)
		c, err := w.log.Checkpoint(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c.Note)
		if ok := ""; w.db.QueryRow(`PRAGMA integrity_check`).Scan(&ok) != nil || ok != "ok" {
			t.Fatal(ok)
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
	}
	if total == 0 {
		t.Fatal("no entry was ever acknowledged: the test tests nothing")
	}
	t.Logf("%d rounds, %d acknowledged entries, none lost or changed", rounds, total)
}

// TestTwoProcesses lets two processes and this one append to one case at the same time.
func TestTwoProcesses(t *testing.T) {
	const acts = 1500
	w := newWorld(t, WithCheckpointEvery(100))
	ps := []*process{startChild(t, w.dir, acts), startChild(t, w.dir, acts)}
	own := map[int64]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			for i := range acts / 4 {
				what := fmt.Sprintf("own/%d/%d", c, i)
				e, err := w.log.Append(context.Background(), act(what), mark(what))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				own[e.Seq] = e.Hash().String()
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	all := own
	mine, between := len(own), 0
	for _, p := range ps {
		acked, err := p.wait(t)
		if err != nil {
			t.Fatal(err)
		}
		if len(acked) != acts {
			t.Fatalf("%d acknowledged of %d", len(acked), acts)
		}
		for seq, hash := range acked {
			if _, twice := all[seq]; twice {
				t.Fatalf("entry %d was given to two processes", seq)
			}
			all[seq] = hash
			if seq < acts {
				between++
			}
		}
	}
	if size, err := w.log.Size(context.Background()); err != nil || size != int64(mine+2*acts) {
		t.Fatal(size, err)
	}
	w.holds(t, all)
	rep := w.sound(t)
	t.Logf("%d entries, %d checkpoints; %d of the first %d are the children's", rep.Entries, rep.Checkpoints, between, acts)
}

// TestDiskFull fills the database up to its page limit. The log must refuse, keep nothing of what it refused, say so
// until a write succeeds again, and go on when there is space.
func TestDiskFull(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.fill(t, 50)
	limit := func(pages int) {
		t.Helper()
		var got int
		if err := w.log.conn.QueryRowContext(ctx, fmt.Sprintf("PRAGMA max_page_count=%d", pages)).Scan(&got); err != nil {
			t.Fatal(err)
		}
	}
	limit(100)
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked, refused := map[int64]string{}, 0
	for c := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				what := fmt.Sprintf("%d/%d", c, i)
				a := act(what)
				a.Purpose = fmt.Sprintf("%0*d", rand.IntN(3000), 0)
				e, err := w.log.Append(ctx, a, mark(what))
				mu.Lock()
				if err == nil {
					acked[e.Seq] = e.Hash().String()
					mu.Unlock()
					continue
				}
				refused++
				mu.Unlock()
				if !errors.Is(err, ErrUnwritable) && i > 0 {
					// The act's own statement may be the one that meets the full disk; then the group is lost with it.
					t.Error(err)
				}
				return
			}
		})
	}
	wg.Wait()
	if refused != 8 || len(acked) == 0 {
		t.Fatalf("%d refused, %d acknowledged", refused, len(acked))
	}
	a := act("big")
	a.Purpose = fmt.Sprintf("%060000d", 0)
	for range 3 { // it keeps refusing
		if _, err := w.log.Append(ctx, a, mark("big")); !errors.Is(err, ErrUnwritable) || !errors.Is(w.log.Err(), ErrUnwritable) {
			t.Fatal(err, w.log.Err())
		}
	}
	n := len(acked)
	size, err := w.log.Size(ctx)
	if err != nil || size != int64(50+n) {
		t.Fatalf("%d entries, %d acknowledged: %v", size, n, err)
	}
	w.sound(t)
	limit(1 << 30)
	e, err := w.log.Append(ctx, a, mark("big"))
	if err != nil || w.log.Err() != nil || e.Seq != size {
		t.Fatal(err, w.log.Err())
	}
	acked[e.Seq] = e.Hash().String()
	if marks := w.count(t, `SELECT count(*) FROM mark`); marks != int64(n+1) {
		t.Fatalf("%d marks, %d acknowledged", marks, n+1)
	}
	for seq, hash := range acked {
		if e, err := w.log.Entry(ctx, seq); err != nil || e.Hash().String() != hash {
			t.Fatalf("entry %d: %v", seq, err)
		}
	}
	w.sound(t)
}
