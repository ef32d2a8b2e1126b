package dumptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// File is one file of a source that a test writes.
type File struct {
	Name    string // without a folder
	Content []byte
}

// Case is what a reader's author gives the suite: one undamaged source and the rows in it. A
// reader of several styles of file calls [Conform] once for each, in subtests.
type Case struct {
	Format dump.Format
	// Write makes the source. The first file is read; the others lie beside it.
	Write func(t testing.TB) []File
	// Want are the source's rows in the order in which they are found. Their Offset is not
	// compared.
	Want []Row

	// Segment gives the same reader with segments of so many bytes; nil when it has none.
	Segment func(size int) dump.Format
	// Large writes a source much larger than Memory at path and tells how many rows it has;
	// nil: memory and cancelling are not checked.
	Large func(t testing.TB, path string) (rows int64)
	// Memory is the most that reading it may take beyond what was in use: 0 is 64 MiB. The
	// reader gets segments of 1 MiB where it has segments.
	Memory uint64

	// Virtual says that offsets are not byte offsets in the file that is read.
	Virtual bool
	// Joined says that a row may be put together from several places of the file.
	Joined bool
	// Unmarked says that the format cannot tell a file that was cut between two rows, or
	// inside its last value, from a whole one.
	Unmarked bool
}

// Conform checks a reader against the promises of package dump.
func Conform(t *testing.T, c Case) {
	s := &suite{Case: c, dir: t.TempDir()}
	files := c.Write(t)
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(s.dir, f.Name), f.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.file, s.beside = files[0], map[string]string{}
	for _, f := range files[1:] {
		for _, ending := range c.Format.Beside {
			if f.Name == dump.BesideName(s.file.Name, ending) {
				s.beside[ending] = filepath.Join(s.dir, f.Name)
			}
		}
	}
	if !t.Run("rows", s.rows) {
		return
	}
	t.Run("again", s.again)
	t.Run("pieces", s.pieces)
	t.Run("sink error", s.sinkError)
	t.Run("cancelled", s.cancelled)
	t.Run("cut", s.cut)
	t.Run("flipped", s.flipped)
	t.Run("one bit", s.oneBit)
	if c.Large != nil {
		t.Run("large", s.large)
	}
}

type suite struct {
	Case
	dir    string
	file   File
	beside map[string]string // paths of the files that lie beside it and are read with it
	full   Collector         // what the undamaged source gives
}

// read reads content as the source, and turns a panic into an error.
func (s *suite) read(ctx context.Context, f dump.Format, content []byte, sink dump.Sink) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{fmt.Sprintf("%v\n%s", p, debug.Stack())}
		}
	}()
	if f.Stream != nil {
		return f.Stream(ctx, bytes.NewReader(content), s.file.Name, sink)
	}
	path := filepath.Join(s.dir, s.file.Name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	return f.File(ctx, dump.Sealed{Path: path, Beside: s.beside, Name: s.file.Name, Temp: s.dir}, sink)
}

type panicked struct{ what string }

func (p *panicked) Error() string { return "panic: " + p.what }

// quick is the reader for a small source that is read often: making a large segment each time
// takes longer than the reading.
func (s *suite) quick() dump.Format {
	if s.Segment != nil {
		return s.Segment(16 << 10)
	}
	return s.Format
}

// row reads one row again.
func (s *suite) row(content []byte, r Row) (found dump.Found, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{fmt.Sprintf("%v\n%s", p, debug.Stack())}
		}
	}()
	src := dump.Sealed{Path: filepath.Join(s.dir, s.file.Name), Beside: s.beside, Name: s.file.Name, At: bytes.NewReader(content), Size: int64(len(content)), Temp: s.dir}
	return s.Format.Row(context.Background(), src, r.Table, r.Ordinal, r.Offset)
}

func (s *suite) rows(t *testing.T) {
	if (s.Format.Stream == nil) == (s.Format.File == nil) {
		t.Error("exactly one of Stream and File is set")
	}
	if s.Format.Name == "" || s.Format.Version == "" || s.Format.About == "" || s.Format.Row == nil {
		t.Error("Name, Version, About and Row are set")
	}
	if !s.Format.Match(s.file.Name, s.file.Content[:min(len(s.file.Content), 64<<10)]) {
		t.Error("the format does not match its own file")
	}
	if err := s.read(context.Background(), s.Format, s.file.Content, &s.full); err != nil {
		t.Fatal(err)
	}
	if err := s.account(&s.full, s.file.Content); err != nil {
		t.Fatalf("%v\n%s", err, &s.full)
	}
	if n := s.full.In() - int64(len(s.full.Found)); n != 0 {
		t.Fatalf("%d rows of an undamaged source are damaged:\n%s", n, &s.full)
	}
	for i, want := range s.Want {
		if i >= len(s.full.Found) {
			t.Fatalf("%d rows, want %d", len(s.full.Found), len(s.Want))
		}
		got := s.full.Found[i]
		if got.Table != want.Table || got.Ordinal != want.Ordinal || !slices.Equal(got.Cells, want.Cells) {
			t.Errorf("row %d is\n%s %d %q, want\n%s %d %q", i, got.Table, got.Ordinal, got.Cells, want.Table, want.Ordinal, want.Cells)
		}
	}
	if len(s.full.Found) != len(s.Want) {
		t.Errorf("%d rows, want %d", len(s.full.Found), len(s.Want))
	}
}

// account checks the books: the ordinals of each table's rows and damaged rows are 1..n, each
// once; damage lies in the source, and no row lies in damage.
func (s *suite) account(c *Collector, content []byte) error {
	type span struct{ from, n int64 }
	spans := map[string][]span{}
	last := int64(-1)
	for _, r := range c.Found {
		spans[r.Table] = append(spans[r.Table], span{r.Ordinal, 1})
		if !s.Virtual && (r.Offset <= last || r.Offset >= int64(len(content))) {
			return fmt.Errorf("row %d of %q is at offset %d, behind one at %d in %d bytes", r.Ordinal, r.Table, r.Offset, last, len(content))
		}
		last = r.Offset
	}
	for _, d := range c.Damages {
		if d.Rows < 0 || d.Length < 0 || d.Offset < 0 || d.Reason == "" {
			return fmt.Errorf("damage %+v", d)
		}
		if d.Rows > 0 {
			spans[d.Table] = append(spans[d.Table], span{d.Row, d.Rows})
		}
		if s.Virtual {
			continue
		}
		if d.Offset+d.Length > int64(len(content)) || d.Rows > 0 && d.Length == 0 {
			return fmt.Errorf("damage lies outside the source of %d bytes: %+v", len(content), d)
		}
		if i := sort.Search(len(c.Found), func(i int) bool { return c.Found[i].Offset >= d.Offset }); d.Rows > 0 && i < len(c.Found) && c.Found[i].Offset < d.Offset+d.Length {
			return fmt.Errorf("row %+v lies in damage %+v", c.Found[i], d)
		}
	}
	for table, list := range spans {
		slices.SortFunc(list, func(a, b span) int { return int(a.from - b.from) })
		next := int64(1)
		for _, x := range list {
			if x.from != next {
				return fmt.Errorf("table %q: ordinal %d stands where %d should", table, x.from, next)
			}
			next += x.n
		}
	}
	if !s.Virtual {
		damages := slices.DeleteFunc(slices.Clone(c.Damages), func(d dump.Damage) bool { return d.Rows == 0 })
		for i := 1; i < len(damages); i++ {
			if a, b := damages[i-1], damages[i]; b.Offset < a.Offset+a.Length {
				return fmt.Errorf("damages overlap: %+v and %+v", a, b)
			}
		}
	}
	return nil
}

// again reads every row again by its reference.
func (s *suite) again(t *testing.T) {
	columns := map[string][]dump.Column{}
	for _, tab := range s.full.Tables {
		columns[tab.Name] = tab.Columns
	}
	for _, r := range s.full.Found {
		found, err := s.row(s.file.Content, r)
		if err != nil {
			t.Fatalf("%s %d@%d: %v", r.Table, r.Ordinal, r.Offset, err)
		}
		if got := cellsOf(found, columns[r.Table]); !slices.Equal(got, r.Cells) {
			t.Errorf("%s %d@%d read again is %q, was %q", r.Table, r.Ordinal, r.Offset, got, r.Cells)
		}
	}
}

// cellsOf puts the cells of a row read again in the order of the table's columns.
func cellsOf(f dump.Found, columns []dump.Column) (cells []string) {
	if f.Columns == nil {
		for _, c := range f.Cells {
			cells = append(cells, Decode(c, f.Text))
		}
		return cells
	}
	for _, c := range columns {
		v := "<null>"
		for i, name := range f.Columns {
			if strings.EqualFold(name, c.Name) && i < len(f.Cells) {
				v = Decode(f.Cells[i], f.Text)
			}
		}
		cells = append(cells, v)
	}
	return cells
}

// pieces reads with small segments, and from a reader that gives few bytes at a time.
func (s *suite) pieces(t *testing.T) {
	whole := s.full.String()
	if s.Segment != nil {
		for _, size := range []int{1, 7, 64, 251, 1000, 4096} {
			var c Collector
			if err := s.read(context.Background(), s.Segment(size), s.file.Content, &c); err != nil {
				t.Fatalf("segments of %d bytes: %v", size, err)
			}
			if c.String() != whole {
				t.Errorf("segments of %d bytes give other rows:\n%.4000s\nthan\n%.4000s", size, &c, whole)
			}
		}
	}
	if s.Format.Stream == nil {
		return
	}
	for name, wrap := range map[string]func(io.Reader) io.Reader{"one byte": iotest.OneByteReader, "data with EOF": iotest.DataErrReader} {
		var c Collector
		if err := s.Format.Stream(context.Background(), wrap(bytes.NewReader(s.file.Content)), s.file.Name, &c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c.String() != whole {
			t.Errorf("%s: other rows:\n%s", name, &c)
		}
	}
	broken := errors.New("the disk is broken")
	if err := s.Format.Stream(context.Background(), io.MultiReader(bytes.NewReader(s.file.Content[:len(s.file.Content)/2]), iotest.ErrReader(broken)), s.file.Name, &Collector{}); !errors.Is(err, broken) {
		t.Errorf("an error of the stream is lost: %v", err)
	}
}

// stopper is a sink that refuses the first row.
type stopper struct{ Collector }

var errStop = errors.New("the sink is full")

func (*stopper) Rows(*dump.Batch) error { return errStop }

func (s *suite) sinkError(t *testing.T) {
	if err := s.read(context.Background(), s.Format, s.file.Content, &stopper{}); len(s.Want) > 0 && !errors.Is(err, errStop) {
		t.Errorf("the sink's error is lost: %v", err)
	}
}

func (s *suite) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.read(ctx, s.Format, s.file.Content, &Collector{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled reading ends with %v", err)
	}
}

// cut reads the source cut at many places.
func (s *suite) cut(t *testing.T) {
	n := len(s.file.Content)
	cuts := 600
	if s.Format.File != nil {
		cuts = 120
	}
	step := max(1, n/cuts)
	for at := 0; at < n; at += step {
		content := s.file.Content[:at]
		var c Collector
		err := s.read(context.Background(), s.quick(), content, &c)
		var p *panicked
		if errors.As(err, &p) {
			t.Fatalf("cut at %d: %v", at, p)
		}
		if err := s.account(&c, content); err != nil {
			t.Fatalf("cut at %d: %v\n%s", at, err, &c)
		}
		if err := s.checkCut(&c, at, err); err != nil {
			t.Fatalf("cut at %d: %v\n%s", at, err, &c)
		}
	}
	if s.Format.File != nil { // the whole file is there again for what follows
		if err := os.WriteFile(filepath.Join(s.dir, s.file.Name), s.file.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *suite) checkCut(c *Collector, at int, readErr error) error {
	full := s.full.Found
	if !s.Virtual {
		whole := 0
		for whole+1 < len(full) && full[whole+1].Offset <= int64(at) {
			whole++
		}
		if len(c.Found) < whole {
			return fmt.Errorf("%d rows are found and %d lie before the cut (%v)", len(c.Found), whole, readErr)
		}
	}
	for i, r := range c.Found {
		if s.Unmarked && i == len(c.Found)-1 {
			break
		}
		if !slices.ContainsFunc(full, func(f Row) bool {
			return f.Table == r.Table && slices.Equal(f.Cells, r.Cells) && (s.Virtual || f.Offset == r.Offset)
		}) {
			return fmt.Errorf("row %+v is none of the source's", r)
		}
	}
	if len(c.Found) < len(full) && len(c.Damages) == 0 && readErr == nil && !s.Unmarked {
		return errors.New("rows are lost and nothing says so")
	}
	return nil
}

// flipped reads the source with random bytes changed.
func (s *suite) flipped(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	rounds := 400
	if s.Format.File != nil || len(s.file.Content) > 1<<20 {
		rounds = 120
	}
	for round := range rounds {
		content := slices.Clone(s.file.Content)
		for range 1 + rng.IntN(4) {
			content[rng.IntN(len(content))] = byte(rng.IntN(256))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		var c Collector
		err := s.read(ctx, s.quick(), content, &c)
		cancel()
		var p *panicked
		if errors.As(err, &p) || errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := s.account(&c, content); err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, &c)
		}
		for i := 0; i < len(c.Found); i += max(1, len(c.Found)/16) {
			if _, err := s.row(content, c.Found[i]); errors.As(err, &p) {
				t.Fatalf("round %d: row %d read again: %v", round, i, err)
			}
		}
	}
	if s.Format.File != nil {
		if err := os.WriteFile(filepath.Join(s.dir, s.file.Name), s.file.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// oneBit flips one bit of each of a thousand bytes of the source, one at a time. Every row that
// does not hold the byte, nor stand right behind it, is found with its values, or lies in what
// is reported as damage: a row that is neither is lost, and nothing may be. A byte of a table's
// name takes the rows behind it to another table. Only a byte before the first row, in what says
// how to read the rest, may change what the rows are.
func (s *suite) oneBit(t *testing.T) {
	n := len(s.file.Content)
	step := max(1, n/1000)
	unmoved, inDamage := 0, 0
	for at := 0; at < n; at += step {
		content := slices.Clone(s.file.Content)
		content[at] ^= 1 << (at / step % 8)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		var c Collector
		err := s.read(ctx, s.quick(), content, &c)
		cancel()
		var p *panicked
		if errors.As(err, &p) || errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("byte %d: %v", at, err)
		}
		if err := s.account(&c, content); err != nil {
			t.Fatalf("byte %d: %v\n%s", at, err, &c)
		}
		if s.Virtual || len(s.full.Found) == 0 || int64(at) < s.full.Found[0].Offset || err != nil {
			continue
		}
		if s.Joined {
			// the packet with the byte may have become one of another protocol
			if len(c.Found) < len(s.full.Found)-1 && slices.Equal(c.Damages, s.full.Damages) {
				t.Errorf("byte %d: rows are lost and nothing says so\n%.2000s", at, &c)
			}
			continue
		}
		found := map[int64]Row{}
		for _, r := range c.Found {
			found[r.Offset] = r
		}
		for i, r := range s.full.Found {
			end := int64(n)
			if i+1 < len(s.full.Found) {
				end = s.full.Found[i+1].Offset
			}
			before := int64(0)
			if i > 0 {
				before = s.full.Found[i-1].Offset
			}
			if int64(at) >= before && int64(at) < end {
				continue
			}
			if f, ok := found[r.Offset]; ok && (sameValues(f.Cells, r.Cells) || f.Table != r.Table) {
				unmoved++
			} else if slices.ContainsFunc(c.Damages, func(d dump.Damage) bool { return d.Offset <= r.Offset && r.Offset < d.Offset+d.Length }) {
				inDamage++
			} else {
				t.Errorf("byte %d (%q for %q): row %d of %q at %d is lost: %q\n%.2000s", at, content[at], s.file.Content[at], r.Ordinal, r.Table, r.Offset, f.Cells, &c)
				return
			}
		}
	}
	if !s.Virtual {
		t.Logf("of the rows beside a flipped bit %d are as they were and %d lie in damage", unmoved, inDamage)
	}
	if s.Format.File != nil {
		if err := os.WriteFile(filepath.Join(s.dir, s.file.Name), s.file.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// sameValues compares cells whose columns may stand in another order: a format without declared
// columns has them in the order in which they are first seen.
func sameValues(a, b []string) bool {
	values := func(cells []string) []string {
		v := slices.DeleteFunc(slices.Clone(cells), func(c string) bool { return c == "<null>" })
		slices.Sort(v)
		return v
	}
	return slices.Equal(values(a), values(b))
}

// counter is a sink that keeps nothing.
type counter struct {
	rows, damaged, remarks int64
	onRows                 func()
}

func (c *counter) Rows(b *dump.Batch) error {
	c.rows += int64(len(b.Rows))
	if c.onRows != nil {
		c.onRows()
	}
	if b.Release != nil {
		b.Release()
	}
	return nil
}

func (c *counter) Damage(d dump.Damage) error {
	c.damaged += d.Rows
	if d.Rows == 0 {
		c.remarks++
	}
	return nil
}

func (c *counter) Statement(dump.Statement) error { return nil }

// large reads a source larger than memory may grow, and cancels the reading of it.
func (s *suite) large(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	format := s.Format
	if s.Segment != nil {
		format = s.Segment(1 << 20)
	}
	limit := s.Memory
	if limit == 0 {
		limit = 64 << 20
	}
	path := filepath.Join(t.TempDir(), s.file.Name)
	rows := s.Large(t, path)
	run := func(ctx context.Context, sink dump.Sink) error {
		if format.File != nil {
			return format.File(ctx, dump.Sealed{Path: path, Beside: s.beside, Name: s.file.Name, Temp: filepath.Dir(path)}, sink)
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return format.Stream(ctx, f, s.file.Name, sink)
	}

	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	peak, stop, stopped := uint64(0), make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		var m runtime.MemStats
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
	}()
	var c counter
	start := time.Now()
	err := run(context.Background(), &c)
	took := time.Since(start)
	close(stop)
	<-stopped
	if err != nil || c.rows != rows || c.damaged != 0 {
		t.Fatalf("%d rows, %d damaged, want %d: %v", c.rows, c.damaged, rows, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	used := int64(peak) - int64(before.HeapAlloc)
	t.Logf("%d MiB, %d rows: %v, %.0f MB/s, %d MiB of memory", info.Size()>>20, rows, took.Round(time.Millisecond), float64(info.Size())/1e6/took.Seconds(), used>>20)
	if used > int64(limit) {
		t.Errorf("reading %d MiB took %d MiB of memory, more than %d", info.Size()>>20, used>>20, limit>>20)
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var cut counter
	var at time.Time
	cut.onRows = func() {
		if at.IsZero() {
			at = time.Now()
			cancel()
		}
	}
	if err := run(ctx, &cut); !errors.Is(err, context.Canceled) {
		t.Errorf("a reading cancelled at its first rows ends with %v after %d of %d rows", err, cut.rows, rows)
	}
	if late := time.Since(at); late > 2*time.Second {
		t.Errorf("a cancelled reading goes on for %v", late)
	}
}
