package datadir

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Tools are the programs of a MariaDB installation.
type Tools struct{ server, client, dump string }

// ErrNotInstalled says that no server is there to open a data directory.
type ErrNotInstalled struct{ Program string }

func (e *ErrNotInstalled) Error() string {
	return "no MariaDB server is installed here (" + e.Program + " was not found): install one (Debian and Ubuntu: apt install mariadb-server), stop its service, and run the same command again"
}

// Lookup finds the programs, in PATH and where servers lie.
func Lookup() (t Tools, err error) {
	for _, p := range []struct {
		name string
		to   *string
	}{{"mariadbd", &t.server}, {"mariadb", &t.client}, {"mariadb-dump", &t.dump}} {
		if *p.to, err = exec.LookPath(p.name); err == nil {
			continue
		}
		if path := "/usr/sbin/" + p.name; executable(path) {
			*p.to = path
			continue
		}
		return t, &ErrNotInstalled{p.name}
	}
	return t, nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// The bounds of the server.
const (
	bufferPool = 256 << 20 // InnoDB's cache
	memory     = 8 << 30   // address space, most of which it never uses
	growth     = 4 << 30   // bytes by which a file may outgrow the largest of the copy: logs, temporary tables
	messages   = 64 << 10  // bytes of what a program says that are kept
	slowest    = 2 << 20   // bytes a second, the slowest that a directory is worked through
	patience   = 10 * time.Minute
)

// Timeout is how long opening and dumping a directory may take.
func Timeout(size int64) time.Duration {
	return patience + time.Duration(size/slowest)*time.Second
}

// options are what the server is told, apart from paths. Nothing else tells it anything:
// --no-defaults comes first, and its environment is empty.
func options(d Dir, recovery int) []string {
	list := []string{"--skip-networking", "--skip-grant-tables", "--skip-symbolic-links", "--skip-log-bin", "--skip-slave-start", "--skip-name-resolve",
		"--skip-external-locking", "--local-infile=0", "--performance-schema=OFF", "--lower-case-table-names=0", "--max-connections=10", "--max-allowed-packet=1G",
		"--key-buffer-size=16M", "--innodb-buffer-pool-size=" + strconv.Itoa(bufferPool), "--innodb-use-native-aio=0", "--innodb-flush-log-at-trx-commit=0"}
	if d.pageSize != 0 && d.pageSize != 16<<10 {
		list = append(list, "--innodb-page-size="+strconv.Itoa(d.pageSize))
	}
	if len(d.ibdata) > 1 {
		list = append(list, "--innodb-data-file-path="+d.dataFilePath())
	}
	if recovery > 0 {
		list = append(list, "--innodb-force-recovery="+strconv.Itoa(recovery))
	}
	return list
}

// dumpOptions are those of mariadb-dump.
var dumpOptions = []string{"--skip-lock-tables", "--routines", "--events", "--triggers", "--hex-blob", "--default-character-set=utf8mb4", "--skip-dump-date", "--force", "--max-allowed-packet=1G"}

// Server is a private server on a copy of a data directory.
type Server struct {
	Version  string   // as the server says it
	Options  []string // it was started with, apart from paths
	Dump     []string // options of mariadb-dump
	Recovery int      // innodb_force_recovery; 0: none

	tools  Tools
	dir    string
	socket string
	as     *syscall.SysProcAttr
	said   *tail
	ended  chan struct{}
	stop   context.CancelFunc
}

// Levels are the values of innodb_force_recovery, in the order in which they are tried: each
// leaves more out than the one before.
var Levels = []int{0, 1, 2, 3, 4, 5, 6}

// Open copies a directory and starts a server on the copy. An error that is a *Refusal is
// the server's; another is the machine's. Temporary files lie where TMPDIR says.
func Open(ctx context.Context, t Tools, d Dir, recovery int, copied func(n int64)) (s *Server, err error) {
	dir, err := os.MkdirTemp("", "unspoof-")
	if err != nil {
		return nil, err
	}
	s = &Server{tools: t, dir: dir, Options: options(d, recovery), Dump: dumpOptions, Recovery: recovery, said: &tail{}, ended: make(chan struct{})}
	defer func() {
		if err != nil {
			s.Close()
			s = nil
		}
	}()
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return s, err
	}
	if free := int64(stat.Bavail) * stat.Bsize; free < d.Size()+d.Size()/8+512<<20 {
		return s, fmt.Errorf("a copy of the data directory needs %d MiB in %s, which has %d MiB: set TMPDIR to a folder with more room", (d.Size()+d.Size()/8)>>20+512, filepath.Dir(dir), free>>20)
	}
	if s.as, err = unprivileged(); err != nil {
		return s, err
	}
	if err := s.copy(ctx, d, copied); err != nil {
		return s, err
	}
	return s, s.start(ctx, d)
}

// unprivileged is who the programs run as: when this program is run by root, nobody.
func unprivileged() (*syscall.SysProcAttr, error) {
	as := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		return as, nil
	}
	u, err := user.Lookup("nobody") // not the user of MariaDB, who may read other databases of this machine
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return as, err
}

// copy makes the server's folder: data, tmp, and empty folders for plugins and files.
func (s *Server) copy(ctx context.Context, d Dir, copied func(int64)) error {
	for _, name := range []string{"data", "tmp", "plugins", "files"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			return err
		}
	}
	for _, f := range d.Files {
		to := filepath.Join(s.dir, "data", filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := copyFile(ctx, to, f.Content); err != nil {
			return err
		}
		copied(f.Size)
	}
	if s.as.Credential == nil {
		return nil
	}
	return filepath.WalkDir(s.dir, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, int(s.as.Credential.Uid), int(s.as.Credential.Gid))
	})
}

func copyFile(ctx context.Context, to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.CopyN(out, in, 64<<20); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Refusal is a server's no: it cannot open the directory, or it died on it.
type Refusal struct{ Why string }

func (e *Refusal) Error() string { return e.Why }

// start starts the server and waits until it answers.
func (s *Server) start(ctx context.Context, d Dir) error {
	in := func(name string) string { return filepath.Join(s.dir, name) }
	s.socket = in("socket")
	if len(s.socket) > 100 { // a socket's path has at most 107 bytes
		return fmt.Errorf("the path of the folder for temporary files is too long for a socket: set TMPDIR to a shorter one than %s", filepath.Dir(s.dir))
	}
	args := append([]string{"--no-defaults", "--datadir=" + in("data"), "--socket=" + s.socket, "--pid-file=" + in("pid"), "--tmpdir=" + in("tmp"),
		"--plugin-dir=" + in("plugins"), "--secure-file-priv=" + in("files")}, s.Options...)
	ctx, s.stop = context.WithCancel(ctx)
	largest := slices.MaxFunc(append([]File{{}}, d.Files...), func(a, b File) int { return int(min(max(a.Size-b.Size, -1), 1)) }).Size
	// A process may always lower its own limits: a shell does, and becomes the server.
	limits := fmt.Sprintf(`ulimit -c 0 && ulimit -v %d && ulimit -f %d && exec "$0" "$@"`, memory>>10, (largest+growth)>>9)
	c := s.command(ctx, "/bin/sh", append([]string{"-c", limits, s.tools.server}, args...)...)
	c.Stdout, c.Stderr = s.said, s.said
	started := make(chan error, 1)
	go func() {
		// The server ends with the thread that started it, so that it does not outlive this program.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.ended)
		err := c.Start()
		started <- err
		if err == nil {
			_ = c.Wait() // how it ended is told by what it said
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	for {
		out, err := s.query(ctx, "SELECT hex(version())")
		if err == nil && len(out) == 1 {
			s.Version = out[0]
			return nil
		}
		select {
		case <-ctx.Done():
			return timedOut(ctx)
		case <-s.ended:
			if err := ctx.Err(); err != nil {
				return timedOut(ctx)
			}
			return &Refusal{s.said.reason()}
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func timedOut(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Refusal{"it was given up because it took too long"}
	}
	return ctx.Err()
}

func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = s.dir, []string{"HOME=" + s.dir, "TZ=UTC", "LC_ALL=C", "PATH=/usr/bin:/bin"}
	as := *s.as
	c.SysProcAttr = &as
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	return c
}

func (s *Server) connection() []string {
	return []string{"--no-defaults", "--protocol=socket", "--socket=" + s.socket, "--user=root"}
}

// query gives the values of a query that has one column, which it writes in hexadecimal.
func (s *Server) query(ctx context.Context, sql string) ([]string, error) {
	c := s.command(ctx, s.tools.client, append(s.connection(), "--default-character-set=utf8mb4", "--batch", "--skip-column-names", "-e", sql)...)
	out, err := c.Output()
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(out)) {
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			return nil, err
		}
		list = append(list, string(b))
	}
	return list, nil
}

// system databases hold the server's own affairs, or are views of its state.
var system = []string{"mysql", "sys", "information_schema", "performance_schema", "#mysql50#lost+found"}

// Databases lists the databases to dump.
func (s *Server) Databases(ctx context.Context) ([]string, error) {
	list, err := s.query(ctx, "SELECT hex(schema_name) FROM information_schema.schemata")
	if err != nil {
		if ctx.Err() != nil {
			return nil, timedOut(ctx)
		}
		return nil, &Refusal{"it does not tell its databases: " + s.said.reason()}
	}
	list = slices.DeleteFunc(list, func(name string) bool { return slices.Contains(system, name) })
	slices.Sort(list)
	return list, nil
}

// DumpOf dumps a database.
func (s *Server) DumpOf(ctx context.Context, database string) (*Dumping, error) {
	ctx, stop := context.WithCancel(ctx)
	args := append(append(s.connection(), dumpOptions...), "--", database)
	p := &Dumping{s: s, stop: stop, c: s.command(ctx, s.tools.dump, args...), said: &tail{}, ctx: ctx}
	p.c.Stderr = p.said
	out, err := p.c.StdoutPipe()
	if err == nil {
		err = p.c.Start()
	}
	if err != nil {
		stop()
		return nil, err
	}
	p.out = out
	return p, nil
}

// Dumping is a dump on its way. Reading ends with a *Refusal when the server died.
type Dumping struct {
	s    *Server
	c    *exec.Cmd
	ctx  context.Context
	stop context.CancelFunc
	out  io.Reader
	said *tail
	once sync.Once
	err  error
	code int
}

func (p *Dumping) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if err == nil {
		return n, nil
	}
	p.once.Do(func() {
		p.err = io.EOF
		werr := p.c.Wait()
		var exit *exec.ExitError
		switch {
		case p.ctx.Err() != nil:
			p.err = timedOut(p.ctx)
		case errors.As(werr, &exit):
			p.code = exit.ExitCode()
			if !p.s.alive() {
				p.err = &Refusal{p.s.said.reason()}
			}
		case werr != nil:
			p.err = werr
		}
	})
	return n, p.err
}

// Errors are what mariadb-dump could not dump, after the end.
func (p *Dumping) Errors() []string {
	lines := p.said.lines()
	if len(lines) == 0 && p.code != 0 {
		lines = []string{fmt.Sprintf("mariadb-dump ended with code %d", p.code)}
	}
	return lines
}

// Close ends the dump.
func (p *Dumping) Close() {
	p.stop()
	_, _ = io.Copy(io.Discard, p) // until it has ended
}

// alive reports whether the server still answers.
func (s *Server) alive() bool {
	select {
	case <-s.ended:
		return false
	case <-time.After(500 * time.Millisecond): // one that dies takes a moment to write why
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	_, err := s.query(ctx, "SELECT hex('alive')")
	return err == nil
}

// Close ends the server and removes its copy.
func (s *Server) Close() {
	if s.stop != nil {
		s.stop() // nothing of it is kept
		<-s.ended
	}
	_ = os.RemoveAll(s.dir) // what stays is a copy in the folder for temporary files
}

// tail keeps the end of what a program says.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if len(t.buf) > 2*messages {
		t.buf = append([]byte(nil), t.buf[len(t.buf)-messages:]...)
	}
	return len(b), nil
}

func (t *tail) lines() (list []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range bytes.Lines(t.buf) {
		if line := strings.TrimSpace(string(line)); line != "" && len(list) < 1000 {
			list = append(list, line)
		}
	}
	return list
}

// reason is the first error that a server wrote into its log, which the others follow from.
func (t *tail) reason() string {
	lines := t.lines()
	for _, line := range lines {
		if _, why, ok := strings.Cut(line, "[ERROR] "); ok {
			return why
		}
	}
	if len(lines) > 0 {
		return lines[len(lines)-1]
	}
	return "it ended without a word"
}
