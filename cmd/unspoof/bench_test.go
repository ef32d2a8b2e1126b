package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/synth/mariadbtest"
)

var (
	benchScale = flag.Float64("bench.scale", 0, "scale of the seizure that TestBench measures; 0: it does not run")
	benchDir   = flag.String("bench.dir", "", "folder for the seizure and the case (kept); empty: a temporary one")
	benchOut   = flag.String("bench.out", "", "file to write the table to")
)

// roomy is MariaDB at its best: tables and indexes fit into its memory. With a buffer pool of
// 256 MiB the first nine of fifteen million calls took 17 minutes.
var roomy = []string{"--innodb-buffer-pool-size=8G", "--innodb-log-file-size=4G"}

// phase is one measured command.
type phase struct {
	name   string
	took   time.Duration
	cpu    time.Duration
	memory int64 // peak resident set, bytes
	events []map[string]any
}

// stored is how many rows the command's `add` stored.
func (p phase) stored() float64 {
	for _, e := range p.events {
		if e["event"] == "added" {
			return e["totals"].(map[string]any)["rows_stored"].(float64)
		}
	}
	return 0
}

// meter runs commands of a fresh binary, each as its own process, and measures them.
type meter struct {
	t      *testing.T
	bin    string
	phases []phase
}

func newMeter(t *testing.T) *meter {
	m := &meter{t: t, bin: filepath.Join(t.TempDir(), "unspoof")}
	if out, err := exec.Command("go", "build", "-o", m.bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return m
}

func (m *meter) run(name string, args ...string) phase {
	m.t.Helper()
	return m.measure(name, exec.Command(m.bin, args...))
}

func (m *meter) measure(name string, cmd *exec.Cmd) phase {
	m.t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	p := phase{name: name}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		event := map[string]any{}
		if json.Unmarshal(lines.Bytes(), &event) == nil {
			p.events = append(p.events, event)
		}
	}
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != exitDamage {
		m.t.Fatalf("%s: %v", name, err)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	p.took, p.cpu, p.memory = time.Since(begun), cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), usage.Maxrss*1024
	m.phases = append(m.phases, p)
	m.t.Logf("%-24s %8.1f s wall  %8.1f s CPU  %5d MiB", name, p.took.Seconds(), p.cpu.Seconds(), p.memory>>20)
	return p
}

// seizure makes the synthetic seizure of a scale in dir, unless it is there.
func (m *meter) seizure(dir string, scale float64) string {
	m.t.Helper()
	seizure := filepath.Join(dir, fmt.Sprintf("seizure-%v", scale))
	if _, err := os.Stat(filepath.Join(seizure, "truth", "truth.json")); err != nil {
		m.run("synth", "synth", "--out", seizure, "--scale", fmt.Sprint(scale))
	}
	return seizure
}

// addLists adds a seizure's lists to a case.
func (m *meter) addLists(caseDir, seizure string) {
	m.t.Helper()
	for _, list := range []string{"loss_reports", "registry", "rates", "numbering"} {
		m.run("add "+list, "add", "--json", "--case", caseDir, "--list", list, filepath.Join(seizure, "lists", list+".csv"))
	}
}

// benchFolder is where a benchmark works.
func benchFolder(t *testing.T) string {
	if *benchDir != "" {
		return *benchDir
	}
	return t.TempDir()
}

// The whole job at scale, each command as its own process, beside the import of the same dump
// into a real MariaDB server in the same run. `make bench` runs it; it asserts nothing about
// time, because these machines are noisy: what counts is the ratio.
func TestBench(t *testing.T) {
	if *benchScale == 0 {
		t.Skip("run by make bench")
	}
	dir := benchFolder(t)
	m := newMeter(t)
	seizure, caseDir := m.seizure(dir, *benchScale), filepath.Join(dir, "case")
	if err := os.RemoveAll(caseDir); err != nil {
		t.Fatal(err)
	}
	dump := filepath.Join(seizure, "mbilling.sql")
	info, err := os.Stat(dump)
	if err != nil {
		t.Fatal(err)
	}
	m.run("init", "init", "--case", caseDir, "--name", "bench", "--reference", "bench")
	add := m.run("add", "add", "--json", "--case", caseDir, dump)
	m.addLists(caseDir, seizure)
	mapped := m.run("map", "map", "--json", "--case", caseDir)
	built := m.run("build", "build", "--json", "--case", caseDir)
	m.run("build again", "build", "--json", "--case", caseDir)
	m.run("verify", "verify", "--case", caseDir)

	server := mariadbtest.Start(t, roomy...)
	begun := time.Now()
	server.Load(dump)
	imported := time.Since(begun)

	rows := add.stored()
	var peak int64
	for _, p := range m.phases {
		peak = max(peak, p.memory)
	}
	mib := float64(info.Size()) / (1 << 20)
	both := add.took + mapped.took
	var b strings.Builder
	fmt.Fprintf(&b, "Scale %v: %.0f rows, %.0f MiB.\n\n| what | s | rows/s | MiB/s | CPU s | peak MiB |\n|---|---|---|---|---|---|\n", *benchScale, rows, mib)
	line := func(name string, d, cpu time.Duration, memory int64) {
		fmt.Fprintf(&b, "| %s | %.1f | %.0f | %.0f | %.1f | %d |\n", name, d.Seconds(), rows/d.Seconds(), mib/d.Seconds(), cpu.Seconds(), memory>>20)
	}
	line("add (seal, read, source tables)", add.took, add.cpu, add.memory)
	line("map (case tables)", mapped.took, mapped.cpu, mapped.memory)
	line("add + map", both, add.cpu+mapped.cpu, max(add.memory, mapped.memory))
	line("build (findings, figures)", built.took, built.cpu, built.memory)
	line("the same dump into MariaDB", imported, 0, 0)
	fmt.Fprintf(&b, "\nadd alone is %.1f times MariaDB's rows/s, add + map %.1f times. Peak memory of any command: %d MiB.\n\n", imported.Seconds()/add.took.Seconds(), imported.Seconds()/both.Seconds(), peak>>20)
	fmt.Fprintf(&b, "| step | s | rows |\n|---|---|---|\n")
	for _, e := range append(mapped.events, built.events...) {
		if (e["event"] == "mapped" || e["event"] == "built") && e["fresh"] != true {
			fmt.Fprintf(&b, "| %v | %.2f | %.0f |\n", e["table"], e["seconds"], e["rows"])
		}
	}
	t.Log("\n" + b.String())
	if *benchOut != "" {
		if err := os.WriteFile(*benchOut, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
