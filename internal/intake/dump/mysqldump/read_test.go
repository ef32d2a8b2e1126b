package mysqldump

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

func read(t *testing.T, text string, opt Options) *dumptest.Collector {
	t.Helper()
	var c dumptest.Collector
	if err := Read(context.Background(), strings.NewReader(text), &c, opt); err != nil {
		t.Fatal(err)
	}
	return &c
}

const fixtures = "../../../../../shared/data/telecom/dump-fixtures"

func fixture(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Skipf("fixture is absent: %v", err)
	}
	return string(b)
}

// Awkward values as the real mariadb-dump writes them.
func TestFixtureValues(t *testing.T) {
	for _, name := range []string{"d_default.sql", "d_hex.sql"} {
		t.Run(name, func(t *testing.T) {
			c := read(t, fixture(t, name), Options{})
			if len(c.Damages) != 0 || len(c.Found) != 3 {
				t.Fatalf("found:\n%s", c)
			}
			want := []string{"4", "2022-07-01 11:00:00", "2022-07-01 12:00:00", "+443457404404",
				"O'Brien said \"hi\"; back\\slash\nnew\tline \x1a \x00 end", "", "0.1", "1.23456", "\n", `{"a":1}`}
			got := c.Found[0].Cells
			for i := range want {
				if i != 5 && got[i] != want[i] {
					t.Errorf("cell %d = %q, want %q", i, got[i], want[i])
				}
			}
			if c.Found[2].Cells[3] != "NULL" || c.Found[2].Cells[2] != "<null>" {
				t.Errorf("the string 'NULL' and NULL: %q", c.Found[2].Cells)
			}
		})
	}
}

func TestFixtureCalls(t *testing.T) {
	c := read(t, fixture(t, "magnus_pkg_cdr_2000_synthetic.sql"), Options{})
	if len(c.Found) != 2000 || len(c.Damages) != 0 {
		t.Fatalf("%d rows, damage %v", len(c.Found), c.Damages)
	}
	// However small the segments, the rows, their ordinals and offsets are the same.
	for _, size := range []int{64, 1000, 4096, 99991} {
		if small := read(t, fixture(t, "magnus_pkg_cdr_2000_synthetic.sql"), Options{Segment: size}); small.String() != c.String() {
			t.Errorf("segments of %d bytes give other rows", size)
		}
	}
	for i, r := range c.Found {
		text, cells, err := ReadRow(strings.NewReader(fixture(t, "magnus_pkg_cdr_2000_synthetic.sql")), r.Offset)
		if err != nil {
			t.Fatal(err)
		}
		for j, f := range cells {
			if got := dumptest.Decode(f, text); got != r.Cells[j] {
				t.Fatalf("row %d cell %d read again: %q, was %q", i, j, got, r.Cells[j])
			}
		}
	}
}

const head = "-- MySQL dump\n/*!40101 SET NAMES utf8mb4 */;\nCREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n  `s` varchar(40) DEFAULT NULL,\n  KEY `k` (`s`)\n);\n"
const foot = "-- Dump completed on 2022-11-08\n"

func TestStyles(t *testing.T) {
	for name, body := range map[string]string{
		"line a row":     "INSERT INTO `t` VALUES\n(1,'a'),\n(2,NULL);\n",
		"one line":       "INSERT INTO `t` VALUES (1,'a'),(2,NULL);\n",
		"one row each":   "INSERT INTO `t` VALUES (1,'a');\nINSERT INTO `t` VALUES (2,NULL);\n",
		"column list":    "INSERT INTO `t` (`s`, `id`) VALUES ('a',1),(NULL,2);\n",
		"part of it":     "INSERT INTO `t` (`id`,`s`) VALUES (1,'a');\nINSERT INTO t (id) VALUES (2);\n",
		"replace":        "REPLACE INTO `t` VALUES (1,'a'),(2,NULL);\n",
		"ignore":         "INSERT IGNORE INTO `db`.`t` VALUES (1,'a') , ( 2,NULL) ;\n",
		"doubled quotes": "insert into t values (1,'a'),(2,null);\n",
		"introducer":     "INSERT INTO `t` VALUES (1,_binary 'a'),(2,NULL);\n",
		"hex":            "INSERT INTO `t` VALUES (1,0x61),(2,NULL);\n",
		"x literal":      "INSERT INTO `t` VALUES (1,x'61'),(2,NULL);\n",
		"on duplicate":   "INSERT INTO `t` VALUES (1,'a'),(2,NULL) ON DUPLICATE KEY UPDATE s=';';\n",
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.ReplaceAll(body, "( 2", "(2")
			for _, size := range []int{0, 24, 61} {
				c := read(t, head+body+foot, Options{Segment: size})
				if len(c.Found) != 2 || len(c.Damages) != 0 {
					t.Fatalf("segment %d:\n%s", size, c)
				}
				if got := c.Found; got[0].Cells[0] != "1" || got[0].Cells[1] != "a" || got[1].Cells[0] != "2" || got[1].Cells[1] != "<null>" || got[1].Ordinal != 2 {
					t.Fatalf("segment %d:\n%s", size, c)
				}
			}
		})
	}
}

func TestTriggersAreKept(t *testing.T) {
	trigger := "DELIMITER ;;\n/*!50003 CREATE*/ /*!50003 TRIGGER wipe BEFORE DELETE ON t FOR EACH ROW BEGIN\n INSERT INTO t VALUES (9,'x');\n DELETE FROM log;\nEND */;;\nDELIMITER ;\n"
	c := read(t, head+"INSERT INTO `t` VALUES (1,'a');\n"+trigger+"INSERT INTO `t` VALUES (2,'b');\n"+foot, Options{})
	if len(c.Found) != 2 || len(c.Damages) != 0 {
		t.Fatalf("found:\n%s", c)
	}
	if len(c.Statements) != 2 || !strings.Contains(c.Statements[1], "TRIGGER wipe") {
		t.Fatalf("statements: %q", c.Statements)
	}
}

func TestDamage(t *testing.T) {
	row := func(n string) string { return "(" + n + ",'r" + n + "')" }
	lines := "INSERT INTO `t` VALUES\n" + row("1") + ",\n" + row("2") + ",\n" + row("3") + ",\n" + row("4") + ";\n"
	one := strings.ReplaceAll(lines, "\n", "")
	for name, c := range map[string]struct {
		text    string
		rows    string // found ordinals
		damaged int64
		reason  string
	}{
		"cut in a row":            {head + lines[:len(lines)-8], "1 2 3", 1, "ends inside a row"},
		"cut between rows":        {head + lines[:strings.Index(lines, "(3")], "1 2", 0, "ends between the rows"},
		"cut behind a statement":  {head + lines, "1 2 3 4", 0, "closing line"},
		"garbage for a row":       {head + strings.Replace(lines, "2,'r2'", "\x00\xff\xfe junk ( ' , ", 1) + foot, "1 3 4", 1, "not a cell"},
		"a quote lost":            {head + strings.Replace(lines, "'r2'", "'r2", 1) + foot, "1 3 4", 1, ""},
		"a cell too many":         {head + strings.Replace(lines, "2,'r2'", "2,2,'r2'", 1) + foot, "1 3 4", 1, "3 cells where 2 belong"},
		"one line, garbage":       {head + strings.Replace(one, "2,'r2'", "2,\x01'r2'", 1) + "\n" + foot, "1 3 4", 1, "not a cell"},
		"garbage over two rows":   {head + strings.Replace(lines, "'r2'),\n(3,'r3'", "\x00\x00\x00", 1) + foot, "1 3", 1, "not a cell"},
		"garbage before a table":  {"\x00\x01\x02\n" + head + lines + foot, "1 2 3 4", 0, "not the beginning"},
		"to the statement's end":  {head + strings.Replace(lines, "4,'r4');", "4,'r4'", 1) + "\nINSERT INTO `t` VALUES (5,'r5');\n" + foot, "1 2 3 5", 1, ""},
		"unknown column":          {head + "INSERT INTO `t` (`zz`) VALUES (1);\n" + lines + foot, "1 2 3 4", 1, `no column "zz"`},
		"a quote in a definition": {strings.Replace(head, "DEFAULT NULL", "DEFAULT NULL COMMENT 'x", 1) + lines + foot, "1 2 3 4", 0, "a quote in it may be damaged"},
		"a table nobody declared": {head + "INSERT INTO `u` VALUES (1,'a',NULL);\n" + foot, "1", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{0, 37, 100} {
				got := read(t, c.text, Options{Segment: size})
				var ordinals []string
				for _, r := range got.Found {
					ordinals = append(ordinals, r.Cells[0])
				}
				var damaged int64
				var reasons string
				for _, d := range got.Damages {
					damaged += d.Rows
					reasons += d.Reason + "; "
					if d.Offset < 0 || d.Offset+d.Length > int64(len(c.text)) || d.Rows > 0 && d.Length == 0 {
						t.Errorf("segment %d: damage lies outside the source: %+v", size, d)
					}
				}
				want := c.rows
				if name == "garbage over two rows" {
					want = "1 4"
				}
				if strings.Join(ordinals, " ") != want || damaged != c.damaged || !strings.Contains(reasons, c.reason) {
					t.Errorf("segment %d: rows %v, want %s; %d damaged, want %d; reasons %q, want %q\n%s", size, ordinals, want, damaged, c.damaged, reasons, c.reason, got)
				}
				for _, r := range got.Found {
					if _, _, err := ReadRow(strings.NewReader(c.text), r.Offset); err != nil {
						t.Errorf("row %d at %d does not read again: %v", r.Ordinal, r.Offset, err)
					}
				}
			}
		})
	}
}

func TestColumnTypes(t *testing.T) {
	tab, err := parseCreate([]byte("CREATE TABLE `x``y` (\n `a` bigint(20) unsigned NOT NULL COMMENT 'not unsigned, (really)',\n `b` decimal(15,8),\n `c` enum('a,b','(c)') DEFAULT 'a,b',\n d double, `e` timestamp(6) NULL, `f` date, `g` varbinary(20), `h` bit(1), `key` text, `i` int(11) DEFAULT 0 COMMENT 'unsigned', `j` decimal(40,2), PRIMARY KEY (`a`))"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]dump.Kind{"a": dump.Uint, "b": dump.Decimal, "c": dump.Text, "d": dump.Float, "e": dump.DateTime, "f": dump.Date, "g": dump.Binary, "h": dump.Int, "key": dump.Text, "i": dump.Int, "j": dump.Text}
	if tab.Name != "x`y" || len(tab.Columns) != len(kinds) {
		t.Fatalf("table %q, columns %+v", tab.Name, tab.Columns)
	}
	for _, c := range tab.Columns {
		if want, ok := kinds[c.Name]; !ok || c.Kind != want {
			t.Errorf("column %q has kind %d, want %d", c.Name, c.Kind, want)
		}
	}
}

// No input makes the reader panic, hang, or lose count of a byte range.
func FuzzRead(f *testing.F) {
	f.Add([]byte(head+"INSERT INTO `t` VALUES\n(1,'a'),\n(2,NULL);\n"+foot), uint16(50))
	f.Add([]byte(head+"INSERT INTO `t` (`id`) VALUES (1),(x'41'),(b'1'),(_binary 'a'),(NOW());\nDELIMITER ;;\nCREATE TRIGGER;;\n"), uint16(20))
	f.Add([]byte("INSERT INTO t VALUES ('\\"), uint16(3))
	f.Fuzz(func(t *testing.T, text []byte, size uint16) {
		var whole, cut dumptest.Collector
		if err := Read(context.Background(), bytes.NewReader(text), &whole, Options{Segment: 1 << 16}); err != nil {
			t.Fatal(err)
		}
		if err := Read(context.Background(), bytes.NewReader(text), &cut, Options{Segment: int(size)%512 + 1}); err != nil {
			t.Fatal(err)
		}
		end := int64(0)
		for _, r := range whole.Found {
			if r.Offset < end {
				t.Fatalf("row offsets do not rise: %d after %d", r.Offset, end)
			}
			end = r.Offset
			if _, _, err := ReadRow(bytes.NewReader(text), r.Offset); err != nil {
				t.Fatalf("row at %d: %v", r.Offset, err)
			}
		}
		for _, d := range whole.Damages {
			if d.Offset < 0 || d.Offset+d.Length > int64(len(text)) {
				t.Fatalf("damage outside the source: %+v", d)
			}
		}
		if len(whole.Damages) == 0 && len(cut.Damages) == 0 && whole.String() != cut.String() {
			t.Fatalf("segments change the rows:\n%s\n%s", &whole, &cut)
		}
	})
}

// A table's primary key, however it is declared.
func TestKeys(t *testing.T) {
	c := read(t, "CREATE TABLE a (`x` int COMMENT 'the PRIMARY KEY', y int PRIMARY KEY);\nINSERT INTO a VALUES (1,2);\n"+
		"CREATE TABLE b (x int, `y,z` varchar(9), CONSTRAINT `p (q)` PRIMARY KEY USING BTREE (`y,z` DESC, x));\nINSERT INTO b VALUES (1,'a');\n"+
		"CREATE TABLE c (x int, y int, UNIQUE KEY `PRIMARY KEY` (x));\nINSERT INTO c VALUES (1,2);\n"+
		"CREATE TABLE d (x varchar(90), PRIMARY KEY (x(10)));\nINSERT INTO d VALUES ('a');\n"+
		"CREATE TABLE `e` (x int, y int);\nINSERT INTO e VALUES (1,2);\nALTER TABLE `e`\n  ADD PRIMARY KEY (`x`,`y`),\n  ADD KEY `k` (`y`);\n", Options{})
	want := map[string]string{"a": "y", "b": "y,z|x", "c": "", "d": "", "e": "x|y"}
	for _, table := range c.Tables {
		if got := strings.Join(table.Key, "|"); got != want[table.Name] {
			t.Errorf("the key of %s is %q, want %q", table.Name, got, want[table.Name])
		}
	}
	if len(c.Tables) != len(want) {
		t.Errorf("%d tables, want %d", len(c.Tables), len(want))
	}
}

// A table without rows is there; what stood for a view in an old dump is not.
func TestEmptyTables(t *testing.T) {
	c := read(t, "CREATE TABLE `full` (x int);\nINSERT INTO `full` VALUES (1);\nDROP TABLE IF EXISTS `empty`;\nCREATE TABLE `empty` (x int, y int, PRIMARY KEY (y));\n"+
		"/*!50001 CREATE TABLE `view` (x tinyint NOT NULL) ENGINE=MyISAM */;\n/*!50001 DROP TABLE IF EXISTS `view`*/;\n/*!50001 CREATE VIEW `view` AS select 1 AS x */;\n-- Dump completed\n", Options{})
	var names []string
	for _, table := range c.Tables {
		names = append(names, table.Name)
	}
	if strings.Join(names, " ") != "full empty" || len(c.Found) != 1 || len(c.Damages) != 0 {
		t.Errorf("tables %q\n%s", names, c)
	}
}

// A dump that does not say its character set is read as UTF-8, and a remark says so where it
// is not.
func TestUnstatedCharset(t *testing.T) {
	const rows = "CREATE TABLE t (x varchar(9));\nINSERT INTO t VALUES ('%s');\n-- Dump completed\n"
	for text, remark := range map[string]bool{
		fmt.Sprintf(rows, "caf\xc3\xa9"): false, fmt.Sprintf(rows, "caf\xe9"): true,
		"/*!40101 SET NAMES latin1 */;\n" + fmt.Sprintf(rows, "caf\xe9"): false,
	} {
		c := read(t, text, Options{})
		if said := len(c.Damages) == 1 && strings.Contains(c.Damages[0].Reason, "character set"); said != remark || len(c.Damages) > 1 || len(c.Found) != 1 {
			t.Errorf("%q:\n%s", text, c)
		}
	}
}

// Rows of an INSERT whose head cannot be read have no table, and are counted.
func TestDamagedHead(t *testing.T) {
	for damaged, want := range map[string]int64{
		"INSDRT INTO `t` VALUES (1,'a'),(2,'it\\'s; (3,\\n'),(3,NULL);\n":                              3,
		"INSERT INTO 't` VALUES\n(1,'a'),\n(2,'b');\n":                                                 2,
		"INSERT INTO `t` VALUDS (1,'a'),(2,'b'),\n(3,'c')\nON DUPLICATE KEY UPDATE id = VALUES(id);\n": 3,
		"INSERT INTO `t` (`id`, s`) VALUES (1, 'a'), (2, 'b');\n":                                      2,
		"CR\x00ATE TABLE `u` (\n  `a` decimal(5,2),\n  `b` enum('x','y')\n);\n":                        0,
	} {
		text := head + "INSERT INTO `t` VALUES (1,'before');\n" + damaged + "INSERT INTO `t` VALUES (2,'behind');\n" + foot
		var first string
		for _, size := range []int{1 << 20, 16, 33, 64, 150} {
			c := readPlain(t, text, size)
			if first == "" {
				first = c.String()
			}
			rows := int64(0)
			for _, d := range c.Damages {
				rows += d.Rows
			}
			if len(c.Found) != 2 || rows != want || c.String() != first {
				t.Errorf("segments of %d: %d rows found and %d damaged, want 2 and %d:\n%s", size, len(c.Found), rows, want, c)
			}
		}
	}
}

// readPlain reads in segments of a size and leaves out what messages quote, which ends with them.
func readPlain(t *testing.T, text string, size int) *dumptest.Collector {
	c := read(t, text, Options{Segment: size})
	for i := range c.Damages {
		c.Damages[i].Reason = quotes.ReplaceAllString(c.Damages[i].Reason, "")
	}
	return c
}

var quotes = regexp.MustCompile(`^"(\\.|[^"\\])*"`)

// What is damage does not depend on where segments end, and no row behind it is lost.
func TestDamageAcrossSegments(t *testing.T) {
	text := head + "INSERT INTO `t` VALUES (1,'a'),(2,'b','c'),(3,'d'),(4,'e');\nINSERT INTO `t` VALUES\n(5,'f'),\n(6 'g'),\n(7,'h'),\n(8,'i');\n" + foot
	whole := readPlain(t, text, 1<<20)
	if len(whole.Found) != 6 {
		t.Fatalf("found:\n%s", whole)
	}
	for size := 1; size < 300; size++ {
		if c := readPlain(t, text, size); c.String() != whole.String() {
			t.Fatalf("segments of %d:\n%s\nin one:\n%s", size, c, whole)
		}
	}
}

// What looks like the beginning of a row again and again is not each time read to its end.
func TestManyUnclosedRows(t *testing.T) {
	begin := time.Now()
	read(t, "CREATE TABLE `t` (`a` int);\nINSERT INTO `t` VALUES (1),"+strings.Repeat("),(a(b(", 200_000), Options{})
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("1.4 MB took %v", took)
	}
}
