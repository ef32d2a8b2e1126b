package intake

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/container"
	"github.com/unspoof/unspoof/internal/intake/evidence"
	"github.com/unspoof/unspoof/internal/ledger"
	"github.com/unspoof/unspoof/internal/store"
)

// newIntake makes an empty case.
func newIntake(t testing.TB) *Intake {
	t.Helper()
	c, err := store.Create(t.TempDir(), store.Config{ID: "test", Name: "Test", TimeZone: "Europe/London"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ledger.LoadOrCreateKey(filepath.Join(c.Dir, "checkpoints"), "unspoof/case/test")
	if err != nil {
		t.Fatal(err)
	}
	db, err := ledger.OpenDB(c.ActsPath())
	if err != nil {
		t.Fatal(err)
	}
	log, err := ledger.Open(context.Background(), db, "unspoof/case/test", key.Signer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close(); db.Close() })
	return &Intake{Case: c, Hand: ledger.Hand{Log: log, Reader: log.Reader, Actor: "tester"}}
}

// dumpOf is a dump of n rows.
func dumpOf(table string, n int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "-- MySQL dump\nCREATE TABLE `%s` (\n  `id` int NOT NULL,\n  `num` varchar(20) DEFAULT NULL\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\n", table)
	for i := 1; i <= n; i++ {
		switch {
		case i%500 == 1:
			fmt.Fprintf(&b, "INSERT INTO `%s` VALUES ", table)
		default:
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(%d,'+4477%08d')", i, i*7919%100000000)
		if i%500 == 0 || i == n {
			b.WriteString(";\n")
		}
	}
	return b.Bytes()
}

func gz(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b) //nolint:errcheck // into memory
	w.Close()  //nolint:errcheck
	return out.Bytes()
}

type file struct{ name, content string }

func tarOf(files ...file) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		kind := byte(tar.TypeReg)
		if f.content == "LINK" {
			kind = tar.TypeSymlink
			f.content = ""
		}
		w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o600, Size: int64(len(f.content)), Typeflag: kind, Linkname: "/etc/passwd"}) //nolint:errcheck // into memory
		io.WriteString(w, f.content)                                                                                                //nolint:errcheck
	}
	w.Close() //nolint:errcheck
	return b.Bytes()
}

func zipOf(files ...file) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		out, err := w.Create(f.name)
		if err == nil {
			io.WriteString(out, f.content) //nolint:errcheck // into memory
		}
	}
	w.Close() //nolint:errcheck
	return b.Bytes()
}

// write writes files into a new folder.
func write(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// added adds paths; it gives the account and what became of each file by its path.
func added(t testing.TB, in *Intake, opt AddOptions, paths ...string) (Account, map[string]Added) {
	t.Helper()
	by := map[string]Added{}
	account, err := in.AddAll(t.Context(), paths, opt, func(a Added) { by[a.Path] = a })
	if err != nil {
		t.Fatal(err)
	}
	check(t, in)
	return account, by
}

// check holds the case against itself: every sealed file has a record and a seal entry with
// its hash, every record a file, and nothing is left over.
func check(t testing.TB, in *Intake) {
	t.Helper()
	seals := map[string]string{}
	for e, err := range in.Hand.Reader.Entries(t.Context(), 0, -1) {
		if err != nil {
			t.Fatal(err)
		}
		act, err := e.Act()
		if err != nil {
			t.Fatal(err)
		}
		if act.Action == "seal" {
			seals[act.Object], _ = act.Details["record_sha256"].(string)
		}
	}
	entries, err := os.ReadDir(filepath.Join(in.Case.Dir, "sources"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		id, isRecord := strings.CutSuffix(e.Name(), ".json")
		if isRecord {
			continue
		}
		text, err := os.ReadFile(filepath.Join(in.Case.Dir, "sources", id))
		if err != nil {
			t.Fatal(err)
		}
		if sha256Hex(text) != id {
			t.Errorf("left over or altered: sources/%s", e.Name())
			continue
		}
		record, err := os.ReadFile(in.Case.SourceRecordPath(casefile.SourceID(id)))
		if err != nil || seals["source:"+id] != sha256Hex(record) {
			t.Errorf("source %s: its record is not the one sealed (%v)", id, err)
		}
	}
}

func TestFolder(t *testing.T) {
	dump := dumpOf("cdr", 1000)
	bomb := gz(make([]byte, 10<<20))
	dir := write(t, map[string][]byte{
		"cdr.sql":              dump,
		"same.txt":             dump,
		"a/cdr.sql.gz":         gz(dumpOf("other", 700)),
		"a/photo.jpg":          append([]byte("\xff\xd8\xff\xe0\x00\x10JFIF"), make([]byte, 600)...),
		"a/empty":              nil,
		"a/rates.csv":          []byte("prefix,price\n44,1\n33,2\n"),
		"a/noname":             []byte("number;name\n1;a\n2;b\n3;c\n"),
		"a/letter.txt":         []byte("Dear Sir, I write,\nwith regards, to you.\n"),
		"b/nested.tar.gz":      gz(tarOf(file{"x/cdr.sql", string(dump)}, file{"x/mine.csv", "a,b\n1,2\n"}, file{"link", "LINK"})),
		"b/bomb.zip":           zipOf(file{"inner.gz", string(bomb)}, file{"ok.csv", "a,b\n3,4\n"}),
		"b/old.rar":            []byte("Rar!\x1a\x07\x00rest"),
		"b/binary.csv":         append([]byte("a,b\x00"), make([]byte, 100)...),
		"b/caf\xe9\x1b[2J.sql": []byte("INSERT INTO `t` VALUES (1,'a'),(2,'b');\n"),
	})
	if err := errors.Join(os.Symlink("/etc/passwd", filepath.Join(dir, "link")), syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600)); err != nil {
		t.Fatal(err)
	}
	in := newIntake(t)
	account, by := added(t, in, AddOptions{Exhibit: "X/1"}, dir)
	want := map[string]Outcome{
		"cdr.sql": Read, "same.txt": Read, "a/cdr.sql.gz": Unpacked, "a/cdr.sql.gz!cdr.sql": Read, "a/photo.jpg": Attached, "a/empty": Attached,
		"a/rates.csv": Read, "a/noname": Read, "a/letter.txt": Attached, "b/nested.tar.gz": Unpacked, "b/nested.tar.gz!nested.tar": Unpacked,
		"b/nested.tar.gz!nested.tar!x/cdr.sql": Read, "b/nested.tar.gz!nested.tar!x/mine.csv": Read, "b/nested.tar.gz!nested.tar!link": Refused,
		"b/bomb.zip": Unpacked, "b/bomb.zip!inner.gz": Unpacked, "b/bomb.zip!inner.gz!inner": Refused, "b/bomb.zip!ok.csv": Read, "b/old.rar": Unreadable,
		"b/binary.csv": Attached, `b/caf\xe9\x1b[2J.sql`: Read, "link": Refused, "fifo": Refused,
	}
	for path, outcome := range want {
		if by[path].Outcome != outcome {
			t.Errorf("%s: %q (%s), want %q", path, by[path].Outcome, by[path].Reason, outcome)
		}
	}
	if len(by) != len(want) || account.Found != len(want) {
		t.Errorf("%d files told, %d counted, want %d", len(by), account.Found, len(want))
	}
	if !by["same.txt"].Known || by["same.txt"].Source.ID != by["cdr.sql"].Source.ID {
		t.Error("the same content under another name is not recognised")
	}
	if account.Stored != 1000+700+2+3+1+1+2 || account.Damaged != 0 || account.Refused != 4 || account.Unreadable != 1 || account.Whole() {
		t.Errorf("account %+v", account)
	}
	member := by["b/nested.tar.gz!nested.tar!x/mine.csv"].Source
	if member.Parent != by["b/nested.tar.gz!nested.tar"].Source.ID || member.Member != "x/mine.csv" || member.Exhibit != "X/1" || member.Name != "mine.csv" {
		t.Errorf("the record of a member: %+v", member)
	}

	t.Run("a row of a member is read again", func(t *testing.T) {
		src := by["a/cdr.sql.gz!cdr.sql"].Source
		offset := int64(bytes.Index(dumpOf("other", 700), []byte("(650,")))
		o, err := ReadRow(t.Context(), in.Case, casefile.RowRef{Source: src.ID, Table: "other", Row: 650, Offset: offset})
		if err != nil || o.Cells[0].Value != "650" || !bytes.HasPrefix(o.Text, []byte("(650,'+4477")) {
			t.Errorf("%+v %v", o, err)
		}
	})
	t.Run("again", func(t *testing.T) {
		size, err := in.Hand.Reader.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, again := added(t, in, AddOptions{Exhibit: "X/1"}, dir)
		if second.Sealed != 0 || second.Found != account.Found || second.Stored != account.Stored || second.Refused != account.Refused || second.Read != account.Read {
			t.Errorf("account %+v, before %+v", second, account)
		}
		for path, a := range again {
			if a.Outcome != want[path] || !a.Known && a.Outcome != Refused {
				t.Errorf("%s: %s, known %v", path, a.Outcome, a.Known)
			}
		}
		if now, err := in.Hand.Reader.Size(t.Context()); now != size || err != nil {
			t.Errorf("%d entries were recorded (%v)", now-size, err)
		}
	})
	t.Run("listings and acts", func(t *testing.T) {
		act, ok, err := in.Hand.Said(t.Context(), "unpack", "source:"+string(by["b/bomb.zip!inner.gz"].Source.ID))
		if err != nil || !ok || fmt.Sprint(act.Details["refused"]) != "1" || fmt.Sprint(act.Details["limited"]) != "1" {
			t.Fatalf("unpack act: %v %v %v", act.Details, ok, err)
		}
		text, err := os.ReadFile(in.Case.SourcePath(casefile.SourceID(act.Details["listing"].(string))))
		if err != nil || !bytes.Contains(text, []byte(`"path":"inner"`)) || !bytes.Contains(text, []byte("100 times")) {
			t.Errorf("listing %s %v", text, err)
		}
	})
	t.Run("with another limit", func(t *testing.T) {
		account, by := added(t, in, AddOptions{Limits: container.Limits{Ratio: 1_000_000}}, dir)
		if a := by["b/bomb.zip!inner.gz!inner"]; a.Outcome != Attached || a.Source.Size != 10<<20 || account.Refused != 3 {
			t.Errorf("%s %s, account %+v", a.Outcome, a.Reason, account)
		}
	})
}

func TestTruncated(t *testing.T) {
	dump := dumpOf("cdr", 60_000)
	packed := gz(dump)
	dir := write(t, map[string][]byte{"cut.sql.gz": packed[:len(packed)/2], "cut.txt.gz": gz([]byte(strings.Repeat("no table ", 10_000)))[:100]})
	in := newIntake(t)
	account, by := added(t, in, AddOptions{}, filepath.Join(dir, "cut.sql.gz"), filepath.Join(dir, "cut.txt.gz"))
	a := by["cut.sql.gz!cut.sql"]
	if a.Outcome != Read || a.Totals.Stored < 10_000 || a.Totals.Stored >= 60_000 || !strings.HasPrefix(a.Source.Note, incomplete) {
		t.Fatalf("%s %+v %+v", a.Outcome, a.Totals, a.Source)
	}
	last := a.Damages[len(a.Damages)-1]
	if last.Offset != a.Source.Size || !strings.Contains(last.Reason, "cut or corrupt") {
		t.Errorf("damage %+v", a.Damages)
	}
	if text, err := os.ReadFile(in.Case.SourcePath(a.Source.ID)); err != nil || !bytes.HasPrefix(dump, text) {
		t.Errorf("what was sealed is not the beginning of the dump (%v)", err)
	}
	if account.Whole() || account.Incomplete != 1 {
		t.Errorf("account %+v", account)
	}
	again, _ := added(t, in, AddOptions{}, filepath.Join(dir, "cut.sql.gz"), filepath.Join(dir, "cut.txt.gz"))
	if again.Whole() || again.Damages != account.Damages || again.Incomplete != 1 {
		t.Errorf("again: %+v", again)
	}
}

// An interruption at any moment costs nothing but time: the same call comes to the same
// sources and tables.
func TestInterrupted(t *testing.T) {
	dir := write(t, map[string][]byte{
		"a.sql":   dumpOf("one", 3000),
		"b.zip":   zipOf(file{"one.sql", string(dumpOf("two", 3000))}, file{"two.sql", string(dumpOf("three", 3000))}, file{"x.bin", "attached"}),
		"c.tgz":   gz(tarOf(file{"d.sql", string(dumpOf("four", 3000))})),
		"d.notes": []byte("hello"),
	})
	state := func(in *Intake) map[string]string {
		m := map[string]string{}
		tables, err := in.Case.Tables()
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range tables {
			m[x.Table] = x.Version + fmt.Sprint(x.Files)
		}
		sources, err := in.Case.Sources()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sources {
			if s.Format == store.FormatListing && s.Parent == "" {
				continue
			}
			m[string(s.ID)] = s.Format + " " + s.Member + " " + string(s.Parent)
		}
		return m
	}
	whole := newIntake(t)
	added(t, whole, AddOptions{}, dir)
	want := state(whole)

	for stop := 1; stop <= 9; stop++ {
		in := newIntake(t)
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		_, err := in.AddAll(ctx, []string{dir}, AddOptions{}, func(Added) {
			if n++; n == stop {
				cancel()
			}
		})
		if stop < 9 && !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped after %d: %v", stop, err)
		}
		cancel()
		_, by := added(t, in, AddOptions{}, dir)
		known := 0
		for _, a := range by {
			if a.Known {
				known++
			}
		}
		if known < stop-3 { // containers that were not finished are gone through again, but not what was read
			t.Errorf("stopped after %d files: %d were recognised", stop, known)
		}
		if got := state(in); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("stopped after %d: \n%v\nwant\n%v", stop, got, want)
		}
	}
}

// A source that was sealed and not read, as a crash leaves it, is read from the sealed copy.
func TestSealedNotRead(t *testing.T) {
	in := newIntake(t)
	dir := write(t, map[string][]byte{"z.zip": zipOf(file{"d.sql", string(dumpOf("x", 50))})})
	s := &set{in: in, counted: map[casefile.SourceID]bool{}, unpacking: map[casefile.SourceID]bool{}}
	s.opt.Limits = s.opt.Limits.WithDefaults()
	if err := s.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	content := dumpOf("x", 50)
	src := store.Source{ID: casefile.SourceID(sha256Hex(content)), Name: "d.sql", Size: int64(len(content)), Format: "mysqldump", SealedBy: "tester"}
	if err := errors.Join(os.WriteFile(in.Case.SourcePath(src.ID), content, 0o400), s.makeKnown(t.Context(), src)); err != nil {
		t.Fatal(err)
	}
	_, by := added(t, in, AddOptions{}, filepath.Join(dir, "z.zip"))
	if a := by["z.zip!d.sql"]; a.Outcome != Read || a.Totals.Stored != 50 {
		t.Errorf("%+v", a)
	}
}

// A stream is made known before its member, though they are read in one pass; when it changes
// meanwhile, neither is.
func TestStreamBeforeMember(t *testing.T) {
	dir := write(t, map[string][]byte{"a.sql.gz": gz(dumpOf("a", 1000))})
	path := filepath.Join(dir, "a.sql.gz")
	in := newIntake(t)
	_, by := added(t, in, AddOptions{}, path)
	stream, member := by["a.sql.gz"].Source, by["a.sql.gz!a.sql"].Source
	if member.Parent != stream.ID || stream.ID == "" {
		t.Errorf("the member's container is %q, want %q", member.Parent, stream.ID)
	}
	var acts []string
	for e, err := range in.Hand.Reader.Entries(t.Context(), 0, -1) {
		if err != nil {
			t.Fatal(err)
		}
		act, err := e.Act()
		if err != nil {
			t.Fatal(err)
		}
		if id, ok := strings.CutPrefix(act.Object, "source:"); ok {
			acts = append(acts, act.Action+" "+strings.NewReplacer(string(stream.ID), "stream", string(member.ID), "member").Replace(id))
		}
	}
	if len(acts) != 5 || fmt.Sprint(acts[:3]) != "[seal stream seal member read member]" || acts[4] != "unpack stream" {
		t.Errorf("acts in the order %q", acts)
	}

	in = newIntake(t)
	s := &set{in: in, counted: map[casefile.SourceID]bool{}, unpacking: map[casefile.SourceID]bool{}}
	s.opt.Limits = s.opt.Limits.WithDefaults()
	if err := s.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	sealing, err := evidence.Open(t.Context(), in.Case, path, false)
	if err == nil {
		defer sealing.Close()
		err = os.Chtimes(path, time.Time{}, time.Unix(1e9, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	at := place{label: "a.sql.gz", depth: 1, factor: 1, packed: stream.Size}
	_, err = s.take(t.Context(), sealing, nature{container: container.Gzip}, store.Source{Name: "a.sql.gz"}, at, func() {})
	var original *evidence.OriginalError
	if !errors.As(err, &original) {
		t.Errorf("it changed: %v", err)
	}
	if sources, err := in.Case.Sources(); err != nil || len(sources) > 0 {
		t.Errorf("%d sources are known, %v", len(sources), err)
	}
}

func TestDepth(t *testing.T) {
	packed := []byte("a,b\n1,2\n")
	name := "x.csv"
	for range 7 {
		packed = gz(packed)
		name += ".gz"
	}
	dir := write(t, map[string][]byte{name: packed})
	in := newIntake(t)
	account, by := added(t, in, AddOptions{}, filepath.Join(dir, name))
	if account.Containers != 6 || account.Refused != 1 || account.Read != 0 {
		t.Errorf("%+v %v", account, by)
	}
	account, _ = added(t, in, AddOptions{Limits: container.Limits{Depth: 7}}, filepath.Join(dir, name))
	if account.Containers != 7 || account.Refused != 0 || account.Read != 1 || account.Stored != 1 {
		t.Errorf("deeper: %+v", account)
	}
}

func TestList(t *testing.T) {
	dir := write(t, map[string][]byte{"rates.csv": []byte("prefix,price\n44,1\n"), "readme": []byte("hello"), "more.csv.gz": gz([]byte("prefix,price\n1,2\n"))})
	_, by := added(t, newIntake(t), AddOptions{List: "rates"}, dir)
	for path, want := range map[string]string{"rates.csv": "rates", "readme": "", "more.csv.gz": "", "more.csv.gz!more.csv": "rates"} {
		if got := by[path].Source.List; got != want {
			t.Errorf("%s: list %q, want %q", path, got, want)
		}
	}
	dir = write(t, map[string][]byte{"list": []byte("prefix,price\n45,1\n"), "none.csv": []byte("prefix,price\n")})
	_, by = added(t, newIntake(t), AddOptions{List: "rates"}, filepath.Join(dir, "list"), filepath.Join(dir, "none.csv"))
	if by["list"].Source.List != "rates" || by["none.csv"].Outcome != Unreadable || by["none.csv"].Source.List != "" {
		t.Errorf("%+v", by)
	}
}

// A longer name than a folder can have, and one that is a path to a reader, still make a table.
func TestLongNames(t *testing.T) {
	name := strings.Repeat("\u0436", 100) + ".csv"
	dir := write(t, map[string][]byte{"x.tar": tarOf(file{strings.Repeat("long", 200) + ".csv", "a,b\n1,2\n"}, file{name, "a,b\n3,4\n"})})
	account, _ := added(t, newIntake(t), AddOptions{}, filepath.Join(dir, "x.tar"))
	if account.Read != 2 || account.Stored != 2 {
		t.Errorf("%+v", account)
	}
}

// A container that contains itself does not go on for ever: here by hand, as the known ones
// (zip and gzip quines) cannot be made in a few lines.
func TestContainsItself(t *testing.T) {
	in := newIntake(t)
	s := &set{in: in, counted: map[casefile.SourceID]bool{}, unpacking: map[casefile.SourceID]bool{"x": true}}
	s.opt.Limits = s.opt.Limits.WithDefaults()
	if err := s.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.unpack(t.Context(), store.Source{ID: "x", Format: store.FormatContainer}, container.Zip, place{label: "x"})
	if err != nil || s.account.Refused != 1 {
		t.Errorf("%+v %v", s.account, err)
	}
}

func TestProgress(t *testing.T) {
	in := newIntake(t)
	dir := write(t, map[string][]byte{"a.sql.gz": gz(dumpOf("a", 200_000))})
	var last, total int64
	in.Progress = func(_ string, done, all int64) {
		if done < last || done > all {
			t.Errorf("%d of %d after %d", done, all, last)
		}
		last, total = done, all
	}
	added(t, in, AddOptions{}, filepath.Join(dir, "a.sql.gz"))
	if last != total || total == 0 {
		t.Errorf("ended at %d of %d", last, total)
	}
}

// BenchmarkAdd reads the same dump plain and packed. The packed ones should take the longer of
// the reader's time and the decompressor's.
func BenchmarkAdd(b *testing.B) {
	dump := dumpOf("cdr", 3_000_000)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		file []byte
	}{{"dump.sql", dump}, {"dump.sql.gz", gz(dump)}, {"dump.sql.zst", enc.EncodeAll(dump, nil)}} {
		dir := write(b, map[string][]byte{c.name: c.file})
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(dump)))
			before := cpu(b)
			for range b.N {
				in := newIntake(b)
				if _, err := in.AddAll(b.Context(), []string{filepath.Join(dir, c.name)}, AddOptions{}, nil); err != nil {
					b.Fatal(err)
				}
				os.RemoveAll(in.Case.Dir) //nolint:errcheck // a temporary folder
			}
			b.ReportMetric((cpu(b)-before)/float64(b.N), "cpu-s/op")
			b.ReportMetric(float64(len(c.file))/(1<<20), "MiB-packed")
		})
	}
}

// cpu is the processor time used so far, in seconds: what stays comparable on a busy machine.
func cpu(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func TestListingIsJSON(t *testing.T) {
	l := listing{of: "ab", kind: container.Zip, entries: []entry{{Path: "a<b>", SHA256: "cd"}}}
	text, err := l.text()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		if !json.Valid(line) {
			t.Errorf("%s", line)
		}
	}
}
