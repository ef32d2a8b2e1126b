package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/unspoof/unspoof/internal/synth/mariadbtest"
)

var (
	intakeScale = flag.Float64("bench.intake", 0, "scale of the seizure that TestBenchIntake measures; 0: it does not run")
	chdbModules = flag.String("bench.chdb", "", "node_modules folder with the npm package chdb")
)

// The reading of one dump, its call table, beside ClickHouse's own reader of MySQL dumps
// writing Parquet and MariaDB's import, all in one run; the same dump compressed, beside its
// decompressor; and a whole seizure sealed, read and mapped. `make bench-intake` runs it.
//
// The peers do less: they take the file as it is, keep no hash, no row references and no
// account of damage. ClickHouse reads one table of a dump only, so the dump has one.
func TestBenchIntake(t *testing.T) {
	if *intakeScale == 0 {
		t.Skip("run by make bench-intake")
	}
	dir := benchFolder(t)
	m := newMeter(t)
	seizure := m.seizure(dir, *intakeScale)
	whole, calls := filepath.Join(seizure, "mbilling.sql"), filepath.Join(dir, "pkg_cdr.sql")
	if err := cutTable(whole, calls, "pkg_cdr"); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	line := func(name string, p phase, rows, mib float64, remark string) {
		s := p.took.Seconds()
		memory := ""
		if p.memory > 0 {
			memory = fmt.Sprint(p.memory >> 20)
		}
		fmt.Fprintf(&b, "| %s | %.1f | %.0f | %.0f | %.1f | %s | %s |\n", name, s, rows/s, mib/s, p.cpu.Seconds(), memory, remark)
	}
	inCase := func(name string, args ...string) phase {
		t.Helper()
		caseDir := filepath.Join(dir, "case-intake")
		if err := os.RemoveAll(caseDir); err != nil {
			t.Fatal(err)
		}
		m.run("init", "init", "--case", caseDir, "--name", "bench", "--reference", "bench")
		return m.run(name, append([]string{"add", "--json", "--case", caseDir}, args...)...)
	}
	size := func(path string) float64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return float64(info.Size()) / (1 << 20)
	}

	mib := size(calls)
	var ours, peer phase
	var peerRows float64
	for turn := range turns {
		ours = quicker(ours, inCase(fmt.Sprint("add ", turn), calls))
		p, n := clickHouse(t, m, calls, filepath.Join(dir, "pkg_cdr.parquet"))
		peer, peerRows = quicker(peer, p), n
	}
	rows := ours.stored()
	server := mariadbtest.Start(t, roomy...)
	begun := time.Now()
	server.Load(calls)
	imported := phase{took: time.Since(begun)}

	fmt.Fprintf(&b, "The call table alone: %.0f rows, %.0f MiB; the best of %d runs, in turn.\n\n| what | s | rows/s | MiB/s | CPU s | peak MiB | |\n|---|---|---|---|---|---|---|\n", rows, mib, turns)
	line("unspoof add", ours, rows, mib, "")
	line("ClickHouse, MySQLDump to Parquet, 2 threads", peer, rows, mib, fmt.Sprintf("we are %.2f times as fast; it read %.0f rows", peer.took.Seconds()/ours.took.Seconds(), peerRows))
	line("MariaDB, import", imported, rows, mib, fmt.Sprintf("we are %.1f times as fast", imported.took.Seconds()/ours.took.Seconds()))
	for _, c := range compressors {
		packed := calls + c.suffix
		if err := c.pack(calls, packed); err != nil {
			t.Fatal(err)
		}
		var alone, p phase
		for range turns {
			begun := time.Now()
			if err := c.unpack(packed); err != nil {
				t.Fatal(err)
			}
			alone = quicker(alone, phase{took: time.Since(begun)})
			p = quicker(p, inCase("add "+c.suffix, packed))
		}
		line("decompressing "+c.suffix+" alone", alone, rows, mib, "")
		line("unspoof add "+c.suffix, p, rows, mib, fmt.Sprintf("%.2f times the slower of the two", p.took.Seconds()/max(alone.took, ours.took).Seconds()))
	}

	all := inCase("add whole", whole)
	caseDir := filepath.Join(dir, "case-intake")
	m.addLists(caseDir, seizure)
	mapped := m.run("map whole", "map", "--json", "--case", caseDir)
	rows, mib = all.stored(), size(whole)
	fmt.Fprintf(&b, "\nThe whole seizure, scale %v: %.0f rows, %.0f MiB.\n\n| what | s | rows/s | MiB/s | CPU s | peak MiB | |\n|---|---|---|---|---|---|---|\n", *intakeScale, rows, mib)
	line("add (seal, read, source tables)", all, rows, mib, "")
	line("map (case tables)", mapped, rows, mib, "")
	line("add + map", phase{took: all.took + mapped.took, cpu: all.cpu + mapped.cpu, memory: max(all.memory, mapped.memory)}, rows, mib, "")
	t.Log("\n" + b.String())
	if *benchOut != "" {
		if err := os.WriteFile(*benchOut, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// turns is how often each of what is compared runs, in turn: on a shared machine the best of
// a few says more than any one.
const turns = 5

// quicker is the phase that took less time; one that did not run takes none.
func quicker(a, b phase) phase {
	if a.took == 0 || b.took < a.took {
		return b
	}
	return a
}

// cutTable copies one table's statements of a dump as `synth` writes it (a statement ends a
// line with a semicolon), unless the copy is there.
func cutTable(from, to, table string) error {
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	w := bufio.NewWriterSize(out, 1<<20)
	create, insert, taking := []byte("CREATE TABLE `"+table+"` "), []byte("INSERT INTO `"+table+"` "), false
	r := bufio.NewReaderSize(in, 16<<20)
	for {
		line, err := r.ReadSlice('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		taking = taking || bytes.HasPrefix(line, create) || bytes.HasPrefix(line, insert)
		if taking {
			if _, err := w.Write(line); err != nil {
				return err
			}
			taking = !bytes.HasSuffix(line, []byte(";\n"))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return out.Close()
}

// clickHouse has ClickHouse read a one-table dump and write it as Parquet, and counts its rows.
func clickHouse(t *testing.T, m *meter, dump, out string) (phase, float64) {
	t.Helper()
	if *chdbModules == "" {
		t.Fatal("-bench.chdb names no folder with the npm package chdb")
	}
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	script := `const {query} = require("chdb"); const [dump, out] = process.argv.slice(1);
		query("SELECT * FROM file('" + dump + "', MySQLDump) INTO OUTFILE '" + out + "' FORMAT Parquet SETTINGS max_threads = 2");`
	cmd := exec.Command("node", "-e", script, dump, out)
	cmd.Env = append(os.Environ(), "NODE_PATH="+*chdbModules)
	p := m.measure("ClickHouse", cmd)
	count := exec.Command("node", "-e", `console.log(require("chdb").query("SELECT toFloat64(count()) AS n FROM file('" + process.argv[1] + "')", "JSONEachRow"))`, out)
	count.Env = cmd.Env
	text, err := count.Output()
	var row struct{ N float64 }
	if err == nil {
		err = json.Unmarshal(text, &row)
	}
	if err != nil {
		t.Fatalf("counting ClickHouse's rows: %v", err)
	}
	return p, row.N
}

// compressors are the formats the call table is added in beside plain.
var compressors = []struct {
	suffix string
	pack   func(from, to string) error
	unpack func(string) error
}{
	{".gz", func(from, to string) error {
		return packed(from, to, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.DefaultCompression) })
	}, func(path string) error {
		return unpacked(path, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })
	}},
	{".zst", func(from, to string) error {
		return packed(from, to, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	}, func(path string) error {
		return unpacked(path, func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) })
	}},
}

func packed(from, to string, writer func(io.Writer) (io.WriteCloser, error)) error {
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	w, err := writer(out)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, in); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Close()
}

func unpacked(path string, reader func(io.Reader) (io.Reader, error)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := reader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 1<<20))
	return err
}
