package main

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/synth/mariadbtest"
)

// What a real server holds is what the source tables say, cell by cell, whatever options the
// dump was made with. The server's own tables are the truth; its dumps are added by the
// program; DuckDB reads the Parquet files.
func TestMariaDBFidelity(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	server := mariadbtest.Start(t)
	server.Exec("SET GLOBAL time_zone = '+05:30'") // what --skip-tz-utc writes must not be UTC by chance
	server.Load(filepath.Join(seizure(t, 0.001, 1), "mbilling.sql"))
	server.Load("testdata/awkward.sql")
	server.Exec("CREATE TRIGGER awk_trigger BEFORE INSERT ON awk_num FOR EACH ROW SET NEW.note = 'x;'")
	truth := serverTables(server, "+00:00", "%")
	local := serverTables(server, "+05:30", "awk%")
	var except, awkward []string // dump options
	for _, table := range truth {
		if !table.latin1 {
			except = append(except, "--ignore-table="+mariadbtest.Database+"."+table.name)
		}
		if !strings.HasPrefix(table.name, "awk") {
			awkward = append(awkward, "--ignore-table="+mariadbtest.Database+"."+table.name)
		}
	}
	var onlyUsers []string
	for _, table := range truth {
		if table.name != "pkg_user" {
			onlyUsers = append(onlyUsers, "--ignore-table="+mariadbtest.Database+"."+table.name)
		}
	}
	onlyUsers = append(onlyUsers, "--ignore-table="+mariadbtest.Database+".awk_view")

	for _, style := range []struct {
		name    string
		args    []string
		truth   []serverTable
		tables  func(serverTable) bool // nil: all
		code    int
		unnamed bool // the dump has no column names
	}{
		{name: "default"},
		{name: "hex, column lists, one row a statement", args: append([]string{"--hex-blob", "--complete-insert", "--skip-extended-insert", "--routines", "--events"}, awkward...), tables: isAwkward},
		{name: "latin1", args: append([]string{"--default-character-set=latin1"}, except...), tables: func(s serverTable) bool { return s.latin1 }},
		{name: "replace", args: append([]string{"--replace"}, awkward...), tables: isAwkward},
		{name: "insert ignore", args: append([]string{"--insert-ignore"}, awkward...), tables: isAwkward},
		{name: "skip tz utc", args: append([]string{"--skip-tz-utc"}, awkward...), truth: local, tables: isAwkward},
		{name: "compact", args: append([]string{"--compact"}, awkward...), tables: isAwkward, code: exitDamage}, // it has no closing line
		{name: "ansi", args: append([]string{"--compatible=ansi", "--default-character-set=utf8mb4"}, awkward...), tables: isAwkward},
		{name: "no options", args: append([]string{"--skip-opt", "--default-character-set=utf8mb4"}, awkward...), tables: isAwkward},
		// In latin1 without saying so: what is not UTF-8 is kept as bytes, with a remark.
		{name: "no options, latin1", args: append([]string{"--skip-opt", "--default-character-set=latin1"}, append(except, awkward...)...), tables: func(s serverTable) bool { return s.latin1 && isAwkward(s) }, code: exitDamage},
		{name: "databases", args: append([]string{"--routines"}, append(awkward, "--databases")...), tables: isAwkward},
		{name: "xml", args: []string{"--xml"}},
		{name: "xml, hex", args: append([]string{"--xml", "--hex-blob"}, awkward...), tables: isAwkward},
		{name: "no table definitions", args: append([]string{"--no-create-info", "--complete-insert"}, onlyUsers...), tables: func(s serverTable) bool { return s.name == "pkg_user" }},
		{name: "no definitions, no names", args: append([]string{"--no-create-info", "--compact", "--insert-ignore", "--skip-triggers"}, onlyUsers...), tables: func(s serverTable) bool { return s.name == "pkg_user" }, code: exitDamage, unnamed: true},
	} {
		t.Run(style.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dump.sql")
			must(t, os.WriteFile(path, server.Dump(style.args...), 0o640))
			want := truth
			if style.truth != nil {
				want = style.truth
			}
			if style.tables != nil {
				want = slices.DeleteFunc(slices.Clone(want), func(s serverTable) bool { return !style.tables(s) })
			}
			sameAsServer(t, path, want, style.code, style.unnamed)
		})
	}
	// A folder of pairs: NAME.txt, which the server writes itself, and NAME.sql.
	for _, style := range []struct {
		name   string
		args   []string
		truth  []serverTable
		tables func(serverTable) bool // nil: all
		lost   func(serverColumn) bool
	}{
		{name: "tab"}, // text as each column declares it, times in UTC
		// With this option MariaDB's server writes a ? for every byte of a blob or BIT that is not UTF-8.
		{name: "tab, utf8mb4", args: append([]string{"--default-character-set=utf8mb4"}, awkward...), tables: isAwkward,
			lost: func(c serverColumn) bool { return c.parquet() == "BLOB" || c.typ == "bit" }},
		{name: "tab, latin1", args: append([]string{"--default-character-set=latin1"}, append(except, awkward...)...), tables: func(s serverTable) bool { return s.latin1 && isAwkward(s) }},
		{name: "tab, skip tz utc", args: append([]string{"--skip-tz-utc"}, awkward...), truth: local, tables: isAwkward},
	} {
		t.Run(style.name, func(t *testing.T) {
			want := truth
			if style.truth != nil {
				want = style.truth
			}
			if style.tables != nil {
				want = slices.DeleteFunc(slices.Clone(want), func(s serverTable) bool { return !style.tables(s) })
			}
			sameAsServer(t, server.DumpTab(style.args...), without(want, style.lost), exitDone, false)
		})
	}
	// One server for them all: to start one takes long.
	t.Run("web", func(t *testing.T) { webExports(t, server) })
	t.Run("two databases", func(t *testing.T) { twoDatabases(t, server) })
	t.Run("fixtures", func(t *testing.T) { fixtures(t, server) })
}

// webExports wants of the programs with web pages, as Debian has them, that their exports of
// the awkward tables say what the server holds.
func webExports(t *testing.T, server *mariadbtest.Server) {
	empty(server)
	server.Load("testdata/awkward.sql")
	server.Exec("CREATE TABLE awk_many (id int PRIMARY KEY, t varchar(90)) SELECT seq AS id, concat('it''s \\\\ ', md5(seq)) AS t FROM seq_1_to_5000")
	// What the programs themselves do not write: invisible columns, the highest bit of 64.
	server.Exec("ALTER TABLE awk_gen MODIFY inv int DEFAULT 7; UPDATE awk_num SET bit64 = bit64 >> 1")
	truth := serverTables(server, "+00:00", "awk%")
	// Where phpMyAdmin names no columns it leaves the generated ones out, which no server reads back.
	plain := slices.DeleteFunc(slices.Clone(truth), func(s serverTable) bool { return s.name == "awk_gen" })
	var listed []string
	for _, table := range plain {
		listed = append(listed, table.name)
	}
	for _, program := range []struct {
		name  string
		start func(*testing.T, *mariadbtest.Server) webExporter
		sets  []url.Values
	}{
		{"phpMyAdmin", phpMyAdmin, []url.Values{
			{},
			{"sql_insert_syntax": {"extended"}, "sql_drop_table": {"something"}, "sql_hex_for_binary": nil, "table_select[]": listed, "table_data[]": listed},
			{"sql_insert_syntax": {"complete"}, "sql_type": {"REPLACE"}, "sql_create_database": {"something"}},
			{"sql_insert_syntax": {"none"}, "sql_ignore": {"something"}, "sql_if_not_exists": {"something"}, "table_select[]": listed, "table_data[]": listed},
			{"sql_include_comments": nil, "sql_use_transaction": nil},
		}},
		{"Adminer", adminer, []url.Values{
			{},
			{"table_style": {"CREATE"}, "auto_increment": {"1"}, "db_style": {"USE"}, "data_style": {"TRUNCATE+INSERT"}},
			{"data_style": {"INSERT+UPDATE"}},
		}},
	} {
		t.Run(program.name, func(t *testing.T) {
			exporter := program.start(t, server)
			for i, set := range program.sets {
				t.Run(strconv.Itoa(i), func(t *testing.T) {
					want := truth
					if set.Has("table_select[]") {
						want = plain
					}
					if i > 0 {
						set.Set("quick_or_custom", "custom")
					}
					path := filepath.Join(t.TempDir(), "export.sql")
					must(t, os.WriteFile(path, exporter.export(t, set), 0o640))
					sameAsServer(t, path, want, exitDone, false)
				})
			}
		})
	}
}

func empty(server *mariadbtest.Server) {
	server.Exec("SET GLOBAL time_zone = '+00:00'; DROP DATABASE " + mariadbtest.Database + "; CREATE DATABASE " + mariadbtest.Database)
}

// Two databases of one dump may have a table of the same name: their rows are not one table's.
func twoDatabases(t *testing.T, server *mariadbtest.Server) {
	empty(server)
	server.Exec("CREATE TABLE login (id int, who varchar(9)); INSERT INTO login VALUES (1,'a'),(2,'b');" +
		"CREATE DATABASE other; CREATE TABLE other.login (id int, ip varchar(9)); INSERT INTO other.login VALUES (7,'1.2.3.4');")
	path := filepath.Join(t.TempDir(), "dump.sql")
	if err := os.WriteFile(path, server.Dump("--databases", "other"), 0o640); err != nil {
		t.Fatal(err)
	}
	dir := newCase(t)
	added := unspoof(t, "add", "--case", dir, path)
	c, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := c.Tables()
	if err != nil {
		t.Fatal(err)
	}
	var rows []int64
	for _, m := range tables {
		if m.SourceTable != "" {
			rows = append(rows, m.Rows)
		}
	}
	slices.Sort(rows)
	// Either two tables, or a refusal that says so: never three rows in one.
	if fmt.Sprint(rows) != "[1 2]" && (added.code == exitDone || !strings.Contains(added.errOut, "login")) {
		t.Errorf("source tables with %d rows: %s", rows, added)
	}
}

// The dumps that were made elsewhere say the same as a server that has read them.
func fixtures(t *testing.T, server *mariadbtest.Server) {
	dir := "../../../shared/data/telecom/dump-fixtures"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the fixtures are not here: ", err)
	}
	for _, name := range []string{"d_default.sql", "d_hex.sql", "d_latin1.sql", "magnus_pkg_cdr_2000_synthetic.sql"} {
		t.Run(name, func(t *testing.T) {
			empty(server)
			server.Load(filepath.Join(dir, name))
			sameAsServer(t, filepath.Join(dir, name), serverTables(server, "+00:00", "%"), 0, false)
		})
	}
}

func isAwkward(s serverTable) bool { return strings.HasPrefix(s.name, "awk") }

// serverTable is a table as the server holds it.
type serverTable struct {
	name    string
	columns []serverColumn
	rows    int64
	latin1  bool        // all its text can be written in latin1
	cells   [][]*string // of a small table: every cell, in the order of the primary key
	sums    []string    // of a large one: a checksum for each column
}

type serverColumn struct {
	name, typ string
	generated bool
	lost      bool // its values are not in the dump as they are: not compared
	unsigned  bool
	full      string
}

// without marks the columns that a dump does not have as they are; lost may be nil.
func without(tables []serverTable, lost func(serverColumn) bool) []serverTable {
	tables = slices.Clone(tables)
	for i := range tables {
		tables[i].columns = slices.Clone(tables[i].columns)
		for j := range tables[i].columns {
			c := &tables[i].columns[j]
			c.lost = lost != nil && lost(*c)
		}
	}
	return tables
}

// expr is the column's value as bytes: text in UTF-8, numbers and times as the server prints
// them.
func (c serverColumn) expr() string {
	q := "`" + strings.ReplaceAll(c.name, "`", "``") + "`"
	switch c.typ {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "bit", "year":
		return "CAST(" + q + " + 0 AS CHAR)"
	case "decimal":
		if strings.Contains(c.full, "zerofill") {
			q += " + 0"
		}
		return "CAST(" + q + " AS CHAR)"
	case "float", "double":
		return "CONCAT(" + q + ")"
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "geometry", "point":
		return q
	case "date", "datetime", "timestamp", "time", "uuid", "inet6", "inet4":
		return "CAST(" + q + " AS CHAR)"
	}
	return "CONVERT(" + q + " USING utf8mb4)"
}

// parquet is the type the format promises for the column (docs/formats/case-folder.md).
func (c serverColumn) parquet() string {
	switch c.typ {
	case "tinyint", "smallint", "mediumint", "int", "bit", "year":
		if c.full == "bit(64)" {
			return "UBIGINT"
		}
		return "BIGINT"
	case "bigint":
		if c.unsigned {
			return "UBIGINT"
		}
		return "BIGINT"
	case "decimal":
		ps := strings.TrimPrefix(c.full[:strings.IndexByte(c.full, ')')+1], "decimal")
		if p, _ := strconv.Atoi(ps[1:strings.IndexByte(ps, ',')]); p > 18 {
			return "VARCHAR"
		}
		return "DECIMAL" + ps
	case "float", "double":
		return "DOUBLE"
	case "date":
		return "DATE"
	case "datetime", "timestamp":
		return "TIMESTAMP"
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "geometry", "point":
		return "BLOB"
	}
	return "VARCHAR"
}

// small is how many rows are compared cell by cell.
const small = 100

// serverTables reads what the server holds in tables of such names, with TIMESTAMPs shown in a zone.
func serverTables(server *mariadbtest.Server, zone, like string) []serverTable {
	set := "SET SESSION time_zone = '" + zone + "', sql_mode = ''; "
	const of = " FROM information_schema."
	where := " WHERE table_schema = DATABASE() AND table_name LIKE '" + like + "'"
	columns := map[string][][]string{} // by table
	for _, c := range server.Query("SELECT HEX(table_name), HEX(column_name), data_type, extra LIKE '%GENERATED%', HEX(column_type), column_key, COALESCE(character_set_name, '')" + of + "columns" + where + " ORDER BY table_name, ordinal_position") {
		columns[c[0]] = append(columns[c[0]], c[1:])
	}
	var list []serverTable
	for _, r := range server.Query("SELECT HEX(table_name)" + of + "tables" + where + " AND table_type = 'BASE TABLE' ORDER BY 1") {
		name := unhex(r[0])
		table := serverTable{name: name}
		var key, sums, cells []string
		latin := []string{"0"}
		for _, c := range columns[r[0]] {
			col := serverColumn{name: unhex(c[0]), typ: c[1], generated: c[2] == "1", full: unhex(c[3])}
			col.unsigned = strings.Contains(col.full, "unsigned")
			table.columns = append(table.columns, col)
			cells = append(cells, "HEX("+col.expr()+")")
			sums = append(sums, "CONCAT(COUNT("+col.expr()+"), '/', COALESCE(SUM(CAST(CONV(LEFT(MD5("+col.expr()+"),8),16,10) AS UNSIGNED)), 0))")
			if c[4] == "PRI" {
				key = append(key, "`"+col.name+"`")
			}
			if c[5] != "" {
				latin = append(latin, "COALESCE(SUM(CONVERT(CONVERT("+col.expr()+" USING latin1) USING utf8mb4) COLLATE utf8mb4_bin <> "+col.expr()+" COLLATE utf8mb4_bin), 0)")
			}
		}
		q := "`" + name + "`"
		got := server.Query(set + "SELECT COUNT(*), " + strings.Join(latin, " + ") + ", " + strings.Join(sums, ", ") + " FROM " + q)[0]
		table.rows, _ = strconv.ParseInt(got[0], 10, 64)
		table.latin1 = got[1] == "0"
		table.sums = got[2:]
		if table.rows > 0 && table.rows <= small {
			order := ""
			if len(key) > 0 {
				order = " ORDER BY " + strings.Join(key, ", ")
			}
			for _, row := range server.Query(set + "SELECT " + strings.Join(cells, ", ") + " FROM " + q + order) {
				var out []*string
				for _, cell := range row {
					if cell == "NULL" {
						out = append(out, nil)
						continue
					}
					v := unhex(cell)
					out = append(out, &v)
				}
				table.cells = append(table.cells, out)
			}
		}
		list = append(list, table)
	}
	return list
}

func unhex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(fmt.Sprintf("%q: %v", s, err)) // the server's HEX()
	}
	return string(b)
}
