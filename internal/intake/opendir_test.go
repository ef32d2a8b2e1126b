package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/container"
	"github.com/unspoof/unspoof/internal/intake/mapping"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/synth/mariadbtest"
)

// held is what a server held when its directory was taken.
type held struct {
	dump   []byte
	counts map[string]int64
}

// fill makes a database with InnoDB, MyISAM and Aria tables, awkward values, a trigger, a
// routine, a view, a foreign key and a partitioned table, and a second one with a name to escape.
func fill(server *mariadbtest.Server) {
	server.Load("../../cmd/unspoof/testdata/awkward.sql")
	server.Exec(`CREATE TABLE im (id int PRIMARY KEY, note varchar(60), KEY (note)) ENGINE=MyISAM;
		INSERT INTO im SELECT seq, concat('INSERT INTO x VALUES ', seq) FROM seq_1_to_5000;
		CREATE TABLE ia (id int PRIMARY KEY, note text) ENGINE=Aria;
		INSERT INTO ia SELECT seq, repeat('a', seq % 100) FROM seq_1_to_1000;
		CREATE TABLE owner (id int PRIMARY KEY) ENGINE=InnoDB; INSERT INTO owner VALUES (1), (2);
		CREATE TABLE ii (id int PRIMARY KEY, of int, note varchar(60), FOREIGN KEY (of) REFERENCES owner (id)) ENGINE=InnoDB ROW_FORMAT=COMPRESSED;
		INSERT INTO ii SELECT seq, 1 + seq % 2, concat('n', seq) FROM seq_1_to_20000;
		CREATE TABLE parts (id int PRIMARY KEY) ENGINE=InnoDB PARTITION BY HASH (id) PARTITIONS 3; INSERT INTO parts SELECT seq FROM seq_1_to_100;
		CREATE TRIGGER tr BEFORE INSERT ON im FOR EACH ROW INSERT INTO ia VALUES (NEW.id + 100000, 'x');
		CREATE PROCEDURE pr() SELECT 1;
		CREATE VIEW vi AS SELECT count(*) AS n FROM im;
		CREATE DATABASE ` + "`odd db/é-1`" + `; CREATE TABLE ` + "`odd db/é-1`.`t a;b`" + ` (x int); INSERT INTO ` + "`odd db/é-1`.`t a;b`" + ` VALUES (7)`)
}

// take keeps what the server holds, ends it, and copies its directory.
func takeDir(t *testing.T, server *mariadbtest.Server, end func()) (dir string, h held) {
	t.Helper()
	h.dump = server.Dump("--skip-lock-tables", "--routines", "--events", "--triggers", "--hex-blob", "--default-character-set=utf8mb4", "--skip-dump-date", "--force", "--max-allowed-packet=1G")
	h.counts = map[string]int64{}
	for _, row := range server.Query("SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_type = 'BASE TABLE'") {
		n, err := strconv.ParseInt(server.Query("SELECT count(*) FROM `" + strings.ReplaceAll(row[0], "`", "``") + "`")[0][0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		h.counts[row[0]] = n
	}
	end()
	dir = filepath.Join(t.TempDir(), "mysql")
	if err := os.CopyFS(dir, os.DirFS(server.Data)); err != nil {
		t.Fatal(err)
	}
	return dir, h
}

// opened checks that a case holds what the server held, and gives the dump's source.
func opened(t *testing.T, in *Intake, h held) store.Source {
	t.Helper()
	all, err := in.Case.Sources()
	if err != nil {
		t.Fatal(err)
	}
	var found store.Source
	for _, s := range all {
		if s.Name == mariadbtest.Database+".sql" && s.Parent != "" {
			found = s
		}
	}
	if found.ID == "" {
		t.Fatal("the directory's database is no source of the case")
	}
	text, err := os.ReadFile(in.Case.SourcePath(found.ID))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, h.dump) {
		t.Errorf("the dump of the copy (%d bytes) is not that of the server (%d bytes)", len(text), len(h.dump))
	}
	tables, err := mapping.SourceTables(in.Case, found.ID)
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range h.counts {
		if got := tables[name].Rows; got != n {
			t.Errorf("table %q has %d rows, the server had %d", name, got, n)
		}
	}
	for _, want := range []string{"mariadb-dump", "MariaDB 10.", "--skip-grant-tables", "copy of the files that the listing " + string(found.Parent)} {
		if !strings.Contains(found.Note, want) {
			t.Errorf("its record does not say %q: %s", want, found.Note)
		}
	}
	listing, err := os.ReadFile(in.Case.SourcePath(found.Parent))
	if err != nil || !bytes.Contains(listing, []byte(`"listing":"data directory"`)) || !bytes.Contains(listing, []byte(`ibdata1"`)) || !bytes.Contains(listing, []byte(`im.MYD"`)) {
		t.Errorf("the listing of its files is not one: %v, %.200s", err, listing)
	}
	return found
}

func TestDataDirectory(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	ctx := context.Background()
	for name, end := range map[string]func(*mariadbtest.Server){"stopped": (*mariadbtest.Server).Stop, "killed": (*mariadbtest.Server).Kill} {
		t.Run(name, func(t *testing.T) {
			server := mariadbtest.Start(t)
			fill(server)
			dir, h := takeDir(t, server, func() { end(server) })
			// what a hostile directory may bring: a configuration, a plugin, links to files elsewhere
			hostile := map[string]string{"my.cnf": "[mysqld]\ninit-file=/nonexistent\nport=1\n", "evil.so": "\x7fELF", "mbilling/far.isl": "/etc/passwd", "init.sql": "DROP DATABASE mbilling;"}
			for name, text := range hostile {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink("/etc/passwd", filepath.Join(dir, "mbilling", "link.MYD")); err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			if err := os.Chmod(filepath.Dir(temp), 0o755); err != nil { // the server runs as a user without rights
				t.Fatal(err)
			}
			if err := os.Chmod(temp, 0o755); err != nil {
				t.Fatal(err)
			}
			in := newIntake(t)
			var told []string
			account, err := in.AddAll(ctx, []string{dir}, AddOptions{}, func(a Added) {
				if a.Outcome != Attached {
					told = append(told, fmt.Sprintf("%s %s %v %v", a.Outcome, a.Path, a.Reason, a.Damages))
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			src := opened(t, in, h)
			if account.Unreadable != 0 || account.Damages != 0 || account.Refused != 1 || account.Read < 2 {
				t.Errorf("account %+v\n%s", account, strings.Join(told, "\n"))
			}
			if tree(t, dir) != before {
				t.Error("the original was changed")
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("temporary files stay: %v %v", left, err)
			}
			statements, err := in.Case.Table(store.StatementTableName(src.ID))
			if err != nil || statements.Rows < 15 {
				t.Errorf("%d statements (%v), want the trigger, the routine and the views too", statements.Rows, err)
			}
			// again: nothing is new, no server is started
			t.Setenv("PATH", t.TempDir())
			again, err := in.AddAll(ctx, []string{dir}, AddOptions{}, nil)
			if err != nil || again.Sealed != 0 || again.Stored != account.Stored || again.Unreadable != 0 {
				t.Errorf("added again: %v, %+v", err, again)
			}
		})
	}
}

// A system tablespace of several files, and pages of another size, are told from the files.
func TestDataDirectoryLayout(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	server := mariadbtest.Start(t, "--innodb-page-size=8k", "--innodb-data-file-path=ibdata1:16M;ibdata2:12M:autoextend")
	server.Exec("CREATE TABLE t (id int PRIMARY KEY, note text) ENGINE=InnoDB; INSERT INTO t SELECT seq, repeat('y', 300) FROM seq_1_to_3000; CREATE TABLE im (id int) ENGINE=MyISAM; INSERT INTO im VALUES (1)")
	dir, h := takeDir(t, server, server.Kill)
	in := newIntake(t)
	account, err := in.AddAll(context.Background(), []string{dir}, AddOptions{}, nil)
	if err != nil || !account.Whole() {
		t.Errorf("%v, %+v", err, account)
	}
	if src := opened(t, in, h); !strings.Contains(src.Note, "--innodb-page-size=8192") || !strings.Contains(src.Note, "--innodb-data-file-path=ibdata1:16384K;ibdata2:12M:autoextend") {
		t.Errorf("the record says %s", src.Note)
	}
}

// Without a server the files are kept, and what to do is said; with one the same command goes on.
// A tar of a directory is opened like the directory.
func TestDataDirectoryWithoutServer(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	ctx := context.Background()
	server := mariadbtest.Start(t)
	server.Exec("CREATE TABLE t (id int PRIMARY KEY) ENGINE=InnoDB; INSERT INTO t VALUES (1), (2)")
	server.Exec("CREATE TABLE im (id int) ENGINE=MyISAM; INSERT INTO im VALUES (3)")
	dir, h := takeDir(t, server, server.Stop)
	tar := filepath.Join(t.TempDir(), "backup.tar")
	var files []file
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		rel, relErr := filepath.Rel(dir, p)
		files = append(files, file{"var/lib/mysql/" + rel, string(text)})
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tar, gz(tarOf(files...)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"folder": dir, "archive": tar} {
		t.Run(name, func(t *testing.T) {
			in := newIntake(t)
			opt := AddOptions{Limits: container.Limits{Ratio: 10_000}} // an empty system tablespace is mostly zeros
			programs := os.Getenv("PATH")
			t.Setenv("PATH", t.TempDir())
			var why []string
			account, err := in.AddAll(ctx, []string{path}, opt, func(a Added) {
				if a.Outcome == Unreadable {
					why = append(why, a.Path+": "+a.Reason)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if account.Whole() || len(why) != 1 || !strings.Contains(why[0], "no MariaDB server is installed here") || !strings.Contains(why[0], "apt install mariadb-server") {
				t.Errorf("without a server: %+v, %q", account, why)
			}
			if account.Attached < len(files)*9/10 || account.Refused > 0 {
				t.Errorf("of %d files %d are attachments and %d refused", len(files), account.Attached, account.Refused)
			}
			t.Setenv("PATH", programs)
			if account, err = in.AddAll(ctx, []string{path}, opt, nil); err != nil || !account.Whole() {
				t.Errorf("with a server: %v, %+v", err, account)
			}
			opened(t, in, h)
		})
	}
}

// What no server can open is said: a directory of MySQL 8, tables without their system
// tablespace, and a damaged directory, of which as much is saved as the server can.
func TestDataDirectoryDamaged(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	ctx := context.Background()
	server := mariadbtest.Start(t)
	server.Exec("CREATE TABLE t (id int PRIMARY KEY, note varchar(200)) ENGINE=InnoDB; INSERT INTO t SELECT seq, repeat('x', 200) FROM seq_1_to_5000")
	server.Exec("CREATE TABLE im (id int, note varchar(100)) ENGINE=MyISAM; INSERT INTO im SELECT seq, 'abc' FROM seq_1_to_1000")
	dir, _ := takeDir(t, server, server.Stop)
	add := func(t *testing.T, damage func(dir string)) (Account, *Intake, string) {
		t.Helper()
		broken := filepath.Join(t.TempDir(), "mysql")
		if err := os.CopyFS(broken, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		damage(broken)
		in := newIntake(t)
		var said []string
		account, err := in.AddAll(ctx, []string{broken}, AddOptions{}, func(a Added) {
			said = append(said, a.Reason)
			for _, d := range a.Damages {
				said = append(said, d.Reason)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return account, in, strings.Join(said, "\n")
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("mysql 8", func(t *testing.T) {
		account, _, said := add(t, func(dir string) { must(os.Rename(dir+"/mbilling/t.ibd", dir+"/mysql.ibd")) })
		if account.Unreadable != 1 || !strings.Contains(said, "it is of MySQL 8 or later") {
			t.Errorf("%+v %s", account, said)
		}
	})
	t.Run("no system tablespace", func(t *testing.T) {
		account, _, said := add(t, func(dir string) {
			for _, name := range []string{"ibdata1", "mbilling/im.MYI"} {
				must(os.Remove(filepath.Join(dir, name)))
			}
			must(os.RemoveAll(filepath.Join(dir, "mysql")))
			must(os.RemoveAll(filepath.Join(dir, "sys")))
		})
		if account.Unreadable != 1 || !strings.Contains(said, "without their system tablespace") {
			t.Errorf("%+v %s", account, said)
		}
	})
	t.Run("log destroyed", func(t *testing.T) {
		account, in, said := add(t, func(dir string) {
			f, err := os.OpenFile(filepath.Join(dir, "ib_logfile0"), os.O_WRONLY, 0)
			must(err)
			_, err = f.WriteAt(bytes.Repeat([]byte("garbage!"), 4096), 0)
			must(errors.Join(err, f.Close()))
		})
		// MyISAM tables at least must be there, and what was left out must be said.
		if account.Whole() || !strings.Contains(said, "innodb_force_recovery=") {
			t.Errorf("%+v %s", account, said)
		}
		rows := int64(0)
		all, err := in.Case.Tables()
		must(err)
		for _, m := range all {
			if m.SourceTable == "im" {
				rows = m.Rows
			}
		}
		if rows != 1000 {
			t.Errorf("%d rows of the MyISAM table, want 1000\n%s", rows, said)
		}
	})
	t.Run("table destroyed", func(t *testing.T) {
		account, in, said := add(t, func(dir string) {
			must(os.WriteFile(filepath.Join(dir, "mbilling", "t.ibd"), bytes.Repeat([]byte{0xa5}, 1<<20), 0o600))
		})
		if account.Whole() || !strings.Contains(said, "mariadb-dump: ") {
			t.Errorf("%+v %s", account, said)
		}
		all, err := in.Case.Tables()
		must(err)
		found := false
		for _, m := range all {
			found = found || m.SourceTable == "im" && m.Rows == 1000
		}
		if !found {
			t.Errorf("the other table is not there\n%s", said)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, stop := context.WithCancel(ctx)
		in := newIntake(t)
		_, err := in.AddAll(ctx, []string{dir}, AddOptions{}, func(a Added) {
			if a.Outcome == Unpacked {
				stop()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("%v", err)
		}
		if account, err := in.AddAll(context.Background(), []string{dir}, AddOptions{}, nil); err != nil || !account.Whole() {
			t.Errorf("the same again: %v, %+v", err, account)
		}
	})
}

// tree is a digest of all files of a folder, with their times.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Type()&os.ModeSymlink != 0 {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		info, serr := f.Stat()
		if err == nil && serr == nil {
			fmt.Fprintf(&b, "%s %s %v\n", p, sha256Hex(text), info.ModTime())
		}
		return errors.Join(err, serr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
