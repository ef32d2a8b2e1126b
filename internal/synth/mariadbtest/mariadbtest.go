// Package mariadbtest starts a private MariaDB server for tests: data in a temporary folder,
// a unix socket, no network, gone with the test. It is the real server that the platform's
// dumps are made by and checked against.
//
// A test that needs it is skipped where MariaDB is not installed, and fails there when the
// environment says CI=true, so that no pipeline passes by skipping.
package mariadbtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Server is a running server with one empty database, named mbilling.
type Server struct {
	// Socket is the path of the unix socket; the user is root, without a password.
	Socket string
	// Data is its data directory.
	Data  string
	t     testing.TB
	kill  func() error
	ended chan error // holds how it ended
}

// Database is the database that statements, loads and dumps work on.
const Database = "mbilling"

// Start starts a server that ends with the test, with these further options, which its data
// directory is made with too.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	install, daemon := find(t, "mariadb-install-db"), find(t, "mariadbd")
	find(t, "mariadb")
	find(t, "mariadb-dump")
	// A socket's path has at most 107 bytes, which t.TempDir may exceed.
	dir, err := os.MkdirTemp("", "mariadbtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data := filepath.Join(dir, "data")
	if out, err := exec.Command(install, append([]string{"--no-defaults", "--datadir=" + data, "--user=" + userName(),
		"--auth-root-authentication-method=normal", "--skip-test-db"}, options...)...).CombinedOutput(); err != nil {
		t.Fatalf("mariadb-install-db: %v\n%s", err, out)
	}
	s := &Server{Socket: filepath.Join(dir, "sock"), Data: data, t: t, ended: make(chan error, 1)}
	var log bytes.Buffer
	server := exec.Command(daemon, append([]string{"--no-defaults", "--user=" + userName(), "--datadir=" + data, "--socket=" + s.Socket,
		"--skip-networking", "--pid-file=" + filepath.Join(dir, "pid"), "--max-allowed-packet=64M",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=256M", "--skip-log-bin"}, options...)...)
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	s.kill = server.Process.Kill
	ended := s.ended
	go func() { ended <- server.Wait() }()
	t.Cleanup(func() {
		server.Process.Kill() // nothing of it is kept
		<-ended
	})
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if _, err := s.client(nil, "", "-e", "CREATE DATABASE IF NOT EXISTS "+Database); err == nil {
			return s
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("mariadbd ended: %v\n%s", err, log.String())
		default:
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("mariadbd did not answer within a minute\n%s", log.String())
		}
	}
}

// Stop shuts the server down and waits until its data directory is complete.
func (s *Server) Stop() {
	s.t.Helper()
	s.Exec("SHUTDOWN")
	s.wait()
}

// Kill ends the server as a power failure does, with what was committed in its log only.
func (s *Server) Kill() {
	s.t.Helper()
	s.Exec("SET GLOBAL innodb_flush_log_at_trx_commit = 1; FLUSH ENGINE LOGS") // with 0, a flush does nothing
	if err := s.kill(); err != nil {
		s.t.Fatal(err)
	}
	s.wait()
}

func (s *Server) wait() {
	s.t.Helper()
	select {
	case err := <-s.ended:
		s.ended <- err
	case <-time.After(time.Minute):
		s.t.Fatal("mariadbd did not end within a minute")
	}
}

// find is the path of a MariaDB program, or the end of the test.
func find(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if path := "/usr/sbin/" + name; exists(path) {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI=true lets no test be skipped for that", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// userName is the system user the server runs as: root must name itself.
func userName() string {
	if os.Getuid() == 0 {
		return "root"
	}
	return os.Getenv("USER")
}

func (s *Server) client(stdin *os.File, database string, args ...string) ([]byte, error) {
	all := append([]string{"--no-defaults", "--socket=" + s.Socket, "--user=root", "--default-character-set=utf8mb4", "--comments"}, args...)
	if database != "" {
		all = append(all, database)
	}
	c := exec.Command("mariadb", all...)
	var problem bytes.Buffer
	c.Stderr = &problem
	if stdin != nil {
		c.Stdin = stdin
	}
	out, err := c.Output()
	if err != nil {
		return out, fmt.Errorf("mariadb: %w\n%s", err, problem.String())
	}
	return out, nil
}

// Exec runs SQL statements.
func (s *Server) Exec(sql string) {
	s.t.Helper()
	s.Query(sql)
}

// Query runs SQL and returns the rows' values as text: NULL is the text NULL, and control
// bytes are escaped as the client's batch mode does.
func (s *Server) Query(sql string) [][]string {
	s.t.Helper()
	out, err := s.client(nil, Database, "--batch", "--skip-column-names", "-e", sql)
	if err != nil {
		s.t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows
}

// Load runs the statements of a file: a dump.
func (s *Server) Load(path string) {
	s.t.Helper()
	f, err := os.Open(path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	if _, err := s.client(f, Database); err != nil {
		s.t.Fatal(err)
	}
}

// Dump is what mariadb-dump writes of the database with these further options.
func (s *Server) Dump(args ...string) []byte {
	s.t.Helper()
	return s.dump(append(args, Database)...)
}

// DumpTables is what mariadb-dump writes of some tables of the database.
func (s *Server) DumpTables(tables ...string) []byte {
	s.t.Helper()
	return s.dump(append([]string{Database}, tables...)...)
}

// DumpTab has mariadb-dump --tab write the database with these further options: for each table
// a .sql file with its definition and a .txt file with its rows, which the server writes itself.
// It gives their folder, which ends with the test.
func (s *Server) DumpTab(args ...string) string {
	s.t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(s.Socket), "tab")
	if err == nil {
		err = os.Chmod(dir, 0o777) // the server may be another user
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.dump(append(append([]string{"--tab=" + dir}, args...), Database)...)
	return dir
}

func (s *Server) dump(args ...string) []byte {
	s.t.Helper()
	c := exec.Command("mariadb-dump", append([]string{"--no-defaults", "--socket=" + s.Socket, "--user=root"}, args...)...)
	var problem bytes.Buffer
	c.Stderr = &problem
	out, err := c.Output()
	if err != nil {
		s.t.Fatalf("mariadb-dump %s: %v\n%s", strings.Join(args, " "), err, problem.String())
	}
	return out
}
