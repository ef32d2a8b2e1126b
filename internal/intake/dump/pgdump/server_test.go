package pgdump

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

// server is a private PostgreSQL: data in a temporary folder, a unix socket, no network. It
// refuses to run as root, so it runs as another account then.
type server struct {
	t    testing.TB
	dir  string
	cred *syscall.Credential
}

// program finds a program of PostgreSQL, whose server's are not on Debian's path.
func program(t testing.TB, name string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		return found[len(found)-1]
	}
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, and CI=true lets no test be skipped for that", name)
		}
		t.Skipf("%s is not installed (Debian: apt-get install postgresql)", name)
	}
	return path
}

// unprivileged is an account that is not root's: PostgreSQL's own, or nobody's.
func unprivileged(t testing.TB) *user.User {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return u
		}
	}
	const why = "PostgreSQL does not run as root, and there is no account postgres or nobody"
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
	return nil
}

func startServer(t testing.TB) *server {
	t.Helper()
	initdb, postgres := program(t, "initdb"), program(t, "postgres")
	dir, err := os.MkdirTemp("", "pgtest") // a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{t: t, dir: dir}
	if os.Geteuid() == 0 {
		u := unprivileged(t)
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		s.cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := s.command(initdb, "-D", dir+"/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	var log bytes.Buffer
	cmd := s.command(postgres, "-D", dir+"/data", "-k", dir, "-c", "listen_addresses=", "-F")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // at once; nothing of it is kept
		<-ended
	})
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if err := s.command(program(t, "psql"), "-h", dir, "-U", "postgres", "-c", "SELECT 1").Run(); err == nil {
			return s
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("postgres ended: %v\n%s", err, log.String())
		default:
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("postgres did not answer within a minute\n%s", log.String())
		}
	}
}

func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	return cmd
}

// run runs a client of the server.
func (s *server) run(stdin, name string, args ...string) []byte {
	s.t.Helper()
	cmd := s.command(program(s.t, name), append([]string{"-h", s.dir, "-U", "postgres"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%s: %v\n%s", name, err, log.String())
	}
	return out.Bytes()
}

const calls = `
CREATE TYPE mood AS ENUM ('ok', 'it''s');
CREATE TABLE calls (
  id bigserial PRIMARY KEY, cli text, dst varchar(40), started timestamptz, local timestamp, day date,
  cost numeric(12,5), free numeric, f double precision, ok boolean, raw bytea, j jsonb, ip inet, u uuid, tags text[], m mood, bits bit(5),
  twice bigint GENERATED ALWAYS AS (id * 2) STORED
);
INSERT INTO calls (cli, dst, started, local, day, cost, free, f, ok, raw, j, ip, u, tags, m, bits)
SELECT CASE g % 7 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN E'tab\tnl\nbs\\q''"'' cr\r vt\x0b ff\f bell\x07' WHEN 3 THEN '\N' WHEN 4 THEN '\.' WHEN 5 THEN E'INSERT INTO calls VALUES (1);\nCOPY calls (id) FROM stdin;\n' ELSE '+44' || g END,
  'café €😀' || repeat('x', g % 9), timestamptz '2022-03-27 00:30:00.5+00' + g * interval '1 minute', timestamp '2022-03-27 00:30:00' + g * interval '1 second',
  date '2022-01-01' + g % 365, g / 7.0, CASE g % 11 WHEN 0 THEN 'NaN' ELSE g / 3.0 END, CASE g % 13 WHEN 0 THEN 'Infinity' ELSE g * 1.1 END, g % 2 = 0,
  decode(md5(g::text), 'hex') || '\x00275c0a'::bytea, jsonb_build_object('a', g, 'b', E'x\\y\n"'), ('10.0.0.' || g % 250)::inet, md5(g::text)::uuid,
  ARRAY['a,b', NULL, E'q"\\'], CASE g % 2 WHEN 0 THEN 'ok' ELSE 'it''s' END::mood, (g % 32)::bit(5)
FROM generate_series(1, 3000) g;
CREATE SCHEMA other;
CREATE TABLE other.one (v text);
INSERT INTO other.one VALUES (''), (NULL), ('x');
CREATE TABLE empty (a integer);
CREATE FUNCTION wipe() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM calls; RETURN NULL; END $$;
CREATE FUNCTION atomic(n bigint) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT n; END;
CREATE TRIGGER wiper AFTER DELETE ON calls EXECUTE FUNCTION wipe();
CREATE VIEW dear AS SELECT * FROM calls WHERE cost > 1;
SELECT lo_from_bytea(0, 'a recording');
`

// The real server's dumps in every style hold what the server holds, column by column.
func TestServer(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	s := startServer(t)
	odd := []string{`<script>alert(1)</script>`, `=cmd|' /C calc'!A0`, `'; DROP TABLE x; --`, `a"b`, `back\slash`, "new\nline", "tab\tbed", "esc\x1b[2J", `\.`, `);`, "é", "select", strings.Repeat("n", 63)}
	hostile := ""
	for _, name := range odd { // its own name is its column's and its value
		q := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		hostile += fmt.Sprintf("CREATE TABLE %s (%[1]s text);\nINSERT INTO %[1]s VALUES ('%s');\n", q, strings.ReplaceAll(name, "'", "''"))
	}
	s.run(calls+hostile, "psql", "-q", "-v", "ON_ERROR_STOP=1")
	columns := strings.Fields("id cli dst started local day cost free f ok raw j ip u tags m bits")
	for _, style := range []struct {
		name string
		args []string
	}{
		{"copy", nil},
		{"inserts", []string{"--inserts"}},
		{"column inserts", []string{"--column-inserts"}},
		{"rows per insert", []string{"--rows-per-insert=100"}},
		{"quoted", []string{"--quote-all-identifiers"}},
		{"custom", []string{"-Fc"}},
		{"custom, uncompressed", []string{"-Fc", "-Z0"}},
		{"custom inserts", []string{"-Fc", "--inserts"}},
		{"latin1", []string{"-E", "LATIN1", "--exclude-table-data=calls"}},
	} {
		t.Run(style.name, func(t *testing.T) {
			text := s.run("", "pg_dump", style.args...)
			format := Format()
			if bytes.HasPrefix(text, []byte(magic)) {
				format = CustomFormat()
			}
			if !format.Match("x", text[:min(len(text), 64<<10)]) {
				t.Error("the format does not match")
			}
			var c dumptest.Collector
			if err := format.Stream(context.Background(), bytes.NewReader(text), "x", &c); err != nil {
				t.Fatal(err)
			}
			for _, d := range c.Damages {
				if !strings.Contains(d.Reason, "large objects") {
					t.Errorf("damage %+v", d)
				}
			}
			kept := strings.Join(c.Statements, "\n")
			for _, want := range []string{"FUNCTION public.wipe", "TRIGGER wiper", "VIEW public.dear", "BEGIN ATOMIC"} {
				if !strings.Contains(strings.ReplaceAll(kept, `"`, ""), want) {
					t.Errorf("%s is not kept", want)
				}
			}
			found := map[string][]dumptest.Row{}
			for _, r := range c.Found {
				found[r.Table] = append(found[r.Table], r)
			}
			if len(found["one"]) != 3 || found["one"][0].Cells[0] != "" || found["one"][1].Cells[0] != "<null>" {
				t.Errorf("other.one: %+v", found["one"])
			}
			if style.name == "latin1" {
				return
			}
			for _, name := range odd {
				if len(found[name]) != 1 || found[name][0].Cells[0] != name {
					t.Errorf("table %q: %+v", name, found[name])
				}
			}
			compare(t, s, columns, found["calls"], strings.Contains(style.name, "insert"))
			again(t, format, text, &c)
		})
	}
}

// compare compares each column with the server's own checksum of it.
func compare(t *testing.T, s *server, columns []string, rows []dumptest.Row, words bool) {
	t.Helper()
	if len(rows) != 3000 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, name := range columns {
		h := md5.New()
		for _, r := range rows {
			v := r.Cells[i]
			switch {
			case v == "<null>":
				v = "NULL"
			case name == "raw":
				v = hex.EncodeToString([]byte(v))
			case name == "ok" && words:
				v = v[:1]
			}
			io.WriteString(h, v+"|")
		}
		expr := name + "::text"
		switch name {
		case "raw":
			expr = "encode(raw, 'hex')"
		case "ip":
			expr = "host(ip)" // the cast adds a mask
		case "ok":
			expr = "left(ok::text, 1)"
		}
		want := strings.TrimSpace(string(s.run("", "psql", "-At", "-c", "SELECT md5(string_agg(coalesce("+expr+", 'NULL') || '|', '' ORDER BY id)) FROM calls")))
		if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
			t.Errorf("column %s: checksum %s, the server's %s; first %q", name, got, want, rows[0].Cells[i])
		}
	}
}

// again reads some rows again.
func again(t *testing.T, format dump.Format, text []byte, c *dumptest.Collector) {
	t.Helper()
	src := dump.Sealed{At: bytes.NewReader(text), Size: int64(len(text))}
	for i := 0; i < len(c.Found); i += 97 {
		r := c.Found[i]
		f, err := format.Row(context.Background(), src, r.Table, r.Ordinal, r.Offset)
		if err != nil {
			t.Fatalf("row %d: %v", r.Ordinal, err)
		}
		for j, cell := range f.Cells {
			if got := dumptest.Decode(cell, f.Text); got != r.Cells[j] {
				t.Errorf("row %d cell %d read again is %q, was %q", r.Ordinal, j, got, r.Cells[j])
			}
		}
	}
}
