package main

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// hostileNames are names for tables, columns and files that somebody chose to do harm with, or
// that are merely in the way.
var hostileNames = []string{
	`<script>alert(1)</script>`, `=cmd|' /C calc'!A0`, `'; DROP TABLE x; --`, `a"b`, `back\slash`, `..\..\up`, "new\nline", "tab\tbed",
	"esc\x1b[2Jape", "right\u202Eleft", "e\u0301", "\u00e9", "Case", "case", "call", "account", "ref_row", "Ref_Source", "select", "%damage", "{x}", "$1", "?", "ä`ö", strings.Repeat("n", 60), strings.Repeat("m", 255),
}

// hostileTables cannot all be columns' names too.
var hostileTables = append(slices.Clone(hostileNames), "../../etc/passwd", "a.b", "x!y", strings.Repeat("ü", 31))

var hostileValues = []string{
	`<script>alert(1)</script>`, `=cmd|' /C calc'!A0`, `'; DROP TABLE x; --`, `"`, `'`, `\`, `\\'`, "`", "../../etc/passwd", "a\nb", "a\r\nb", "\x1b[2J\x1b]0;x\x07",
	"abc\u202Egnp.exe", "-- x", "/* x", "@SUM(1)", "+1", "-1", "e\u0301", "\u00e9", strings.Repeat("v", 255), "NULL", `\N`, " ", "a,b;c\td|e", "%s%n${x}", "]]>&amp;", "\u2028", "ключ", "0", "); --", "');", "a\x00b", "\x00",
}

// hostileCell is the value of row i (from 0) in column j.
func hostileCell(i, j int) string { return hostileValues[(i+j)%len(hostileValues)] }

// inRows gives the text of each row of hostile cells.
func inRows(columns []string, row func(i int, cells []string)) {
	for i := range hostileValues {
		cells := make([]string, len(columns))
		for j := range columns {
			cells[j] = hostileCell(i, j)
		}
		row(i, cells)
	}
}

// quotedAll quotes every one by doubling quotes, after escapes where there are any.
func quotedAll(list []string, quote string, escapes ...string) string {
	r := strings.NewReplacer(append(escapes, quote, quote+quote)...)
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = quote + r.Replace(s) + quote
	}
	return strings.Join(out, ",")
}

// hostileFormat writes a source in one format: by file name, what is in it. A table is named
// by the source where tables is nil.
type hostileFormat struct {
	name    string
	format  string // the reader's
	columns []string
	tables  []string // the names of tables, where a source has several
	write   func(t *testing.T, tables, columns []string) []byte
	ending  string
	loses   func(value string) bool // what the format itself cannot hold
}

func xmlText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#10;", "\r", "&#13;", "\t", "&#9;").Replace(s)
}

// hasControl tells what XML cannot hold.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' })
}

// withoutNUL writes the NUL bytes of SQL's strings as a call.
func withoutNUL(sql, call string) string { return strings.ReplaceAll(sql, "\x00", "'||"+call+"||'") }

// hasNUL tells what PostgreSQL cannot hold.
func hasNUL(s string) bool { return strings.ContainsRune(s, 0) }

func hostileFormats() []hostileFormat {
	shorter := slices.DeleteFunc(slices.Clone(hostileTables), func(s string) bool {
		return len([]rune(s)) > 31 || strings.ContainsAny(s, `[]:*?/\`) || strings.HasPrefix(s, "'") || hasControl(s) || strings.ContainsAny(s, "\n\t") || s == "case"
	})
	noXML := func(list []string) []string { return slices.DeleteFunc(slices.Clone(list), hasControl) }
	noDuplicate := slices.DeleteFunc(slices.Clone(hostileNames), func(s string) bool { return s == "case" }) // SQL's names are alike in any case of letters
	unnamed := append(slices.Clone(hostileNames), "")                                                        // gets a name
	return []hostileFormat{
		{name: "mysqldump", format: "mysqldump", columns: noDuplicate, tables: hostileTables, ending: ".sql", write: func(t *testing.T, tables, columns []string) []byte {
			b := bytes.NewBufferString("-- MySQL dump 10.13\n/*!40101 SET NAMES utf8mb4 */;\n")
			for _, table := range tables {
				fmt.Fprintf(b, "CREATE TABLE %s (%s text) ENGINE=InnoDB;\nINSERT INTO %[1]s VALUES ", quotedAll([]string{table}, "`"), strings.ReplaceAll(quotedAll(columns, "`"), "`,`", "` text,`"))
				inRows(columns, func(i int, cells []string) {
					fmt.Fprintf(b, "%s(%s)", ","[:min(i, 1)], quotedAll(cells, "'", `\`, `\\`, "\x00", `\0`))
				})
				b.WriteString(";\n")
			}
			b.WriteString("-- Dump completed on 2022-11-08 12:00:00\n")
			return b.Bytes()
		}},
		{name: "mysqldump --tab", format: "mysqltab", columns: []string{"c1", "c2", "c3"}, ending: ".txt", write: func(t *testing.T, _, columns []string) []byte {
			var b bytes.Buffer
			inRows(columns, func(i int, cells []string) {
				for j := range cells {
					cells[j] = strings.NewReplacer(`\`, `\\`, "\n", "\\\n", "\t", "\\\t", "\x00", `\0`).Replace(cells[j])
				}
				b.WriteString(strings.Join(cells, "\t") + "\n")
			})
			return b.Bytes()
		}},
		{name: "mysqldump --xml", format: "mysqlxml", columns: noXML(noDuplicate), tables: noXML(hostileTables), ending: ".xml", loses: hasControl, write: func(t *testing.T, tables, columns []string) []byte {
			b := bytes.NewBufferString("<?xml version=\"1.0\"?>\n<mysqldump xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n<database name=\"x\">\n")
			for _, table := range tables {
				fmt.Fprintf(b, "\t<table_data name=\"%s\">\n", xmlText(table))
				inRows(columns, func(i int, cells []string) {
					b.WriteString("\t<row>\n")
					for j, c := range cells {
						if hasControl(c) {
							c = ""
						}
						fmt.Fprintf(b, "\t\t<field name=\"%s\">%s</field>\n", xmlText(columns[j]), xmlText(c))
					}
					b.WriteString("\t</row>\n")
				})
				b.WriteString("\t</table_data>\n")
			}
			b.WriteString("</database>\n</mysqldump>\n")
			return b.Bytes()
		}},
		{name: "pg_dump", format: "pgdump", columns: hostileNames, tables: hostileTables, ending: ".sql", loses: hasNUL, write: func(t *testing.T, tables, columns []string) []byte {
			b := bytes.NewBufferString("--\n-- PostgreSQL database dump\n--\n\n-- Dumped by pg_dump version 15.1\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\n")
			for k, table := range tables {
				name := "public." + quotedAll([]string{table}, `"`)
				fmt.Fprintf(b, "CREATE TABLE %s (\n    %s text\n);\n\n", name, strings.ReplaceAll(quotedAll(columns, `"`), `","`, "\" text,\n    \""))
				if k%2 == 0 {
					fmt.Fprintf(b, "COPY %s (%s) FROM stdin;\n", name, quotedAll(columns, `"`))
				}
				inRows(columns, func(i int, cells []string) {
					for j := range cells {
						if hasNUL(cells[j]) {
							cells[j] = ""
						}
					}
					if k%2 == 1 {
						fmt.Fprintf(b, "INSERT INTO %s VALUES (%s);\n", name, quotedAll(cells, "'"))
						return
					}
					for j := range cells {
						cells[j] = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(cells[j])
					}
					b.WriteString(strings.Join(cells, "\t") + "\n")
				})
				if k%2 == 0 {
					b.WriteString("\\.\n\n\n")
				}
			}
			b.WriteString("--\n-- PostgreSQL database dump complete\n--\n\n")
			return b.Bytes()
		}},
		{name: "SQLite", format: "sqlite", columns: noDuplicate, tables: slices.DeleteFunc(slices.Clone(hostileTables), func(s string) bool { return s == "case" }), ending: ".csv", write: func(t *testing.T, tables, columns []string) []byte {
			path := filepath.Join(t.TempDir(), "x.db")
			db, err := sql.Open("sqlite", path)
			must(t, err)
			for _, table := range tables {
				name := quotedAll([]string{table}, `"`)
				_, err := db.Exec("CREATE TABLE " + name + " (" + strings.ReplaceAll(quotedAll(columns, `"`), `","`, `" text,"`) + " text)")
				must(t, err)
				inRows(columns, func(i int, cells []string) {
					_, err := db.Exec("INSERT INTO " + name + " VALUES (" + withoutNUL(quotedAll(cells, "'"), "char(0)") + ")")
					must(t, err)
				})
			}
			must(t, db.Close())
			b, err := os.ReadFile(path)
			must(t, err)
			return b
		}},
		{name: "JSON lines", format: "json", columns: unnamed, ending: ".json", write: func(t *testing.T, _, columns []string) []byte {
			var b bytes.Buffer
			inRows(columns, func(i int, cells []string) { b.Write(append(jsonObject(t, columns, cells), '\n')) })
			return b.Bytes()
		}},
		{name: "JSON array", format: "json", columns: hostileNames, ending: ".txt", write: func(t *testing.T, _, columns []string) []byte {
			var rows [][]byte
			inRows(columns, func(i int, cells []string) { rows = append(rows, jsonObject(t, columns, cells)) })
			return append(append([]byte("[\n"), bytes.Join(rows, []byte(",\n"))...), "]\n"...)
		}},
		{name: "BSON", format: "bson", columns: unnamed, ending: ".bson", write: func(t *testing.T, _, columns []string) []byte {
			var b bytes.Buffer
			inRows(columns, func(i int, cells []string) {
				var d bson.D
				for j, c := range cells {
					d = append(d, bson.E{Key: columns[j], Value: c})
				}
				text, err := bson.Marshal(d)
				must(t, err)
				b.Write(text)
			})
			return b.Bytes()
		}},
		{name: "CSV", format: "csv", columns: unnamed, ending: ".csv", write: func(t *testing.T, _, columns []string) []byte {
			b := bytes.NewBufferString(quotedAll(columns, `"`) + "\n")
			inRows(columns, func(i int, cells []string) { b.WriteString(quotedAll(cells, `"`) + "\n") })
			return b.Bytes()
		}},
		{name: "xlsx", format: "xlsx", columns: noXML(hostileNames), tables: shorter, ending: ".sql", loses: hasControl, write: func(t *testing.T, tables, columns []string) []byte {
			f := excelize.NewFile()
			for k, table := range tables {
				if k == 0 {
					must(t, f.SetSheetName("Sheet1", table))
				} else {
					_, err := f.NewSheet(table)
					must(t, err)
				}
				must(t, f.SetSheetRow(table, "A1", &columns))
				inRows(columns, func(i int, cells []string) {
					for j := range cells {
						if hasControl(cells[j]) {
							cells[j] = ""
						}
					}
					must(t, f.SetSheetRow(table, fmt.Sprint("A", i+2), &cells))
				})
			}
			var b bytes.Buffer
			must(t, f.Write(&b))
			return b.Bytes()
		}},
		{name: "Parquet", format: "parquet", columns: noDuplicate, ending: ".json", write: func(t *testing.T, _, columns []string) []byte {
			path := filepath.Join(t.TempDir(), "x.parquet")
			db, err := sql.Open("duckdb", "")
			must(t, err)
			defer db.Close()
			var rows []string
			inRows(columns, func(i int, cells []string) { rows = append(rows, "("+withoutNUL(quotedAll(cells, "'"), "chr(0)")+")") })
			_, err = db.Exec("COPY (SELECT * FROM (VALUES " + strings.Join(rows, ",") + ") v(" + quotedAll(columns, `"`) + ")) TO '" + path + "' (FORMAT parquet)")
			must(t, err)
			b, err := os.ReadFile(path)
			must(t, err)
			return b
		}},
	}
}

func jsonObject(t *testing.T, columns, cells []string) []byte {
	t.Helper()
	var b bytes.Buffer
	for j, c := range cells {
		pair, err := json.Marshal(map[string]string{columns[j]: c})
		must(t, err)
		b.WriteString("{,"[min(j, 1):][:1])
		b.Write(pair[1 : len(pair)-1])
	}
	return append(b.Bytes(), '}')
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Names and values that somebody chose to do harm with are data and nothing else, whatever the
// format: every row is stored as it was, is found again by its reference, and no command lets
// a control character out.
func TestHostileSources(t *testing.T) {
	for _, f := range hostileFormats() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			outside := t.TempDir()
			dir := filepath.Join(outside, "case")
			done(t, "init", "--case", dir, "--name", "Test", "--reference", "T/1")
			// The file has a hostile name, and for most formats the ending of another.
			path := filepath.Join(t.TempDir(), "a\x1b[2J<b>'; --\u202e"+f.ending)
			must(t, os.WriteFile(path, f.write(t, f.tables, f.columns), 0o640))
			done(t, "add", "--case", dir, path)
			sameHostileRows(t, dir, f)
			harmless(t, dir)
			for _, depth := range [][]string{{"--all"}, {"--sample", "100"}} {
				if e := quiet(t, append([]string{"verify", "--case", dir}, depth...)...); e.code != exitDone {
					t.Error(e)
				}
			}
			noLeftovers(t, dir)
			if list, err := os.ReadDir(outside); err != nil || len(list) != 1 {
				t.Errorf("beside the case: %v %v", list, err)
			}
		})
	}
}

// quiet runs a command and wants nothing in what it says that a terminal would obey.
func quiet(t *testing.T, args ...string) ended {
	t.Helper()
	e := unspoof(t, args...)
	for _, said := range []string{e.out, e.errOut} {
		if at := strings.IndexFunc(said, func(r rune) bool {
			return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028')
		}); at >= 0 {
			t.Errorf("says %q: unspoof %q", said[max(0, at-80):min(len(said), at+80)], args)
		}
		if !utf8.ValidString(said) {
			t.Errorf("says what is not UTF-8: unspoof %q", args)
		}
		if strings.Contains(said, "panic:") || strings.Contains(said, "goroutine ") {
			t.Error(e)
		}
	}
	return e
}

// harmless runs commands that tell of a case: all, where none are named.
func harmless(t *testing.T, dir string, commands ...[]string) {
	t.Helper()
	if commands == nil {
		commands = [][]string{{"status"}, {"status", "--json"}, {"map", "--review"}, {"map", "--show"}, {"map", "--show", "--json"}, {"map", "--propose"}, {"map"}, {"build"}, {"calls"}, {"suspects"}, {"victims"}, {"export", "suspects", "--out", filepath.Join(t.TempDir(), "out")}, {"ledger", "list"}}
	}
	for _, args := range commands {
		e := quiet(t, append(args, "--case", dir)...)
		if e.code != exitDone && e.code != exitNotBuilt && !strings.Contains(e.errOut, "every source has a mapping") {
			t.Error(e)
		}
	}
}

// sameHostileRows wants the planted cells in the source tables, and again by rows' references.
func sameHostileRows(t *testing.T, dir string, f hostileFormat) {
	t.Helper()
	c, err := store.Open(dir)
	must(t, err)
	list, err := c.Tables()
	must(t, err)
	e, err := duckdb.Open(t.Context(), c, duckdb.Options{})
	must(t, err)
	defer e.Close()
	var tables []string
	for _, m := range list {
		if m.SourceTable == "" {
			if strings.Contains(m.Table, "%damage") && m.Rows != 0 {
				t.Errorf("%s has %d rows", m.Table, m.Rows)
			}
			continue
		}
		if s, err := c.Source(m.Source); err != nil || s.Format != f.format {
			t.Fatalf("it was read as %q, %v", s.Format, err)
		}
		tables = append(tables, m.SourceTable)
		if int(m.Rows) != len(hostileValues) || len(m.Columns) != len(f.columns)+3 {
			t.Errorf("table %q: %d rows and %d columns, want %d and %d", m.SourceTable, m.Rows, len(m.Columns), len(hostileValues), len(f.columns)+3)
			continue
		}
		for j, name := range f.columns {
			if f.format == "xlsx" { // it takes line ends and tabs in a header for spaces
				name = strings.NewReplacer("\n", " ", "\t", " ").Replace(name)
			}
			if got := m.Columns[2+j].Name; name == "" && got != "" {
				continue
			} else if strings.TrimRight(got, "_") != strings.TrimRight(name, "_") {
				t.Errorf("table %q: column %q, want %q", m.SourceTable, got, name)
			}
		}
		rows, err := e.DB.Query("SELECT * FROM " + duckdb.Ident(m.Table) + " ORDER BY ref_row")
		must(t, err)
		every := 1
		if len(tables) > 4 {
			every = 5 // some readers look for a row from the beginning
		}
		var shown string
		for i := 0; rows.Next(); i++ {
			got, into := make([]any, len(m.Columns)), make([]any, len(m.Columns))
			for k := range got {
				into[k] = &got[k]
			}
			must(t, rows.Scan(into...))
			ref := casefile.RowRef{Source: m.Source, Table: m.SourceTable, Row: got[0].(int64), Offset: got[1].(int64)}
			var again intake.Original
			if i%every == 0 {
				if again, err = intake.ReadRow(t.Context(), c, ref); err != nil {
					t.Errorf("%q is not found again: %v", ref, err)
					continue
				}
			}
			for j := range f.columns {
				want := hostileCell(i, j)
				if f.loses != nil && f.loses(want) {
					want = ""
				}
				stored := fmt.Sprint(got[2+j])
				if got[2+j] == nil {
					stored = ""
				}
				if stored != want {
					t.Errorf("%q, column %q: %q, want %q", ref, f.columns[j], got[2+j], want)
				}
				if again.Cells != nil && again.Cells[j].Value != want {
					t.Errorf("%q, column %q, by its reference: %q, want %q", ref, f.columns[j], again.Cells[j].Value, want)
				}
			}
			shown = ref.String()
		}
		must(t, rows.Err())
		if len(tables) < 8 { // a process for each would take long
			args := []string{"show", "--case", dir, shown}
			if len(tables)%2 == 0 {
				args = append(args, "--json")
			}
			if s := quiet(t, args...); s.code != exitDone {
				t.Error(s)
			}
		}
	}
	if f.tables == nil {
		if len(tables) != 1 {
			t.Errorf("tables %q", tables)
		}
		return
	}
	for _, want := range f.tables {
		if !slices.Contains(tables, want) {
			t.Errorf("there is no table %q among %q", want, tables)
		}
	}
}

// Records of fixed columns hold hostile values too: they come back as they were written.
func TestHostileRecords(t *testing.T) {
	const uuid = "91353230-461f-11de-aa7f-b10b4edc0c92"
	value := strings.Join([]string{`<script>alert(1)</script>`, `=cmd|' /C calc'!A0`, `'; DROP TABLE x; --`, "abc\u202egnp", `\ ../../etc/passwd`}, " ")
	inXML := xmlText(value)
	inJSON, err := json.Marshal(value)
	must(t, err)
	for name, text := range map[string]string{
		"Master.csv": quotedAll([]string{"acc1", "+443457404404", "447700900001", "out", value, "SIP/1", "SIP/t", "Dial", value, "2022-03-01 10:00:00", "2022-03-01 10:01:00", "2022-03-01 10:02:00"}, `"`) + `,90,60,"ANSWERED","DOCUMENTATION","1646128800.1",""` + "\n",
		"cdr.csv":    `"` + value + `","+443457404404","447700900001","default","2022-03-01 10:00:00","2022-03-01 10:01:00","2022-03-01 10:02:00","120","60","NORMAL_CLEARING","` + uuid + `","","acc1","PCMA","PCMA"` + "\n",
		"sip.pcap": capture("INVITE sip:447700900001@trunk.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060\r\nFrom: <sip:+443457404404@pbx.example>;tag=a\r\nTo: <sip:447700900001@trunk.example>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nUser-Agent: " +
			value + "\r\nContent-Length: 0\r\n\r\n"),
		"a.json": `{"core-uuid":"c1","channel_data":{"state":"CS_REPORTING"},"variables":{"uuid":"` + uuid + `","duration":"12"},"callflow":[{"caller_profile":{"caller_id_name":` + string(inJSON) + `,"caller_id_number":"+443457404404","destination_number":"447700900001"}}]}`,
		"b.xml":  "<cdr core-uuid=\"c1\"><channel_data><direction>inbound</direction></channel_data><variables><uuid>" + uuid + "</uuid></variables><callflow><caller_profile><caller_id_name>" + inXML + "</caller_id_name><caller_id_number>+443457404404</caller_id_number></caller_profile></callflow></cdr>",
		"c.xml": "<?xml version=\"1.0\"?>\n<RetainedDataMessage xmlns=\"http://uri.etsi.org/02657/v1.26.1#/RetainedData\"><retainedDataPayload><ResponseRecord><recordNumber>1</recordNumber><additionalInformation><otherInformation>" + inXML +
			"</otherInformation></additionalInformation><recordPayload><telephonyRecord><telephonyServiceUsage><partyInformation/></telephonyServiceUsage></telephonyRecord></recordPayload></ResponseRecord></retainedDataPayload></RetainedDataMessage>",
	} {
		t.Run(name, func(t *testing.T) {
			dir := newCase(t)
			path := filepath.Join(t.TempDir(), name)
			must(t, os.WriteFile(path, []byte(text), 0o640))
			if e := quiet(t, "add", "--case", dir, path); e.code != exitDone && (name != "sip.pcap" || e.code != exitDamage) { // a capture's count is a remark
				t.Fatal(e)
			}
			c, err := store.Open(dir)
			must(t, err)
			e, err := duckdb.Open(t.Context(), c, duckdb.Options{})
			must(t, err)
			defer e.Close()
			list, err := c.Tables()
			must(t, err)
			found := false
			for _, m := range list {
				if m.SourceTable == "" {
					continue
				}
				ref := casefile.RowRef{Source: m.Source, Table: m.SourceTable}
				must(t, e.DB.QueryRow("SELECT ref_row, ref_offset FROM "+duckdb.Ident(m.Table)).Scan(&ref.Row, &ref.Offset))
				again, err := intake.ReadRow(t.Context(), c, ref)
				must(t, err)
				for _, cell := range again.Cells {
					if cell.Value != value {
						continue
					}
					found = true
					var stored string
					must(t, e.DB.QueryRow("SELECT "+duckdb.Ident(cell.Column)+" FROM "+duckdb.Ident(m.Table)).Scan(&stored))
					if stored != value {
						t.Errorf("%s is stored as %q", cell.Column, stored)
					}
				}
				if s := quiet(t, "show", "--case", dir, ref.String()); s.code != exitDone {
					t.Error(s)
				}
			}
			if !found {
				t.Errorf("no cell holds %q: %s", value, quiet(t, "status", "--case", dir))
			}
			harmless(t, dir, []string{"status"}, []string{"map"}, []string{"build"}, []string{"calls"})
			if e := quiet(t, "verify", "--case", dir, "--all"); e.code != exitDone {
				t.Error(e)
			}
		})
	}
}

// capture is a pcap file with one UDP packet.
func capture(payload string) string {
	b := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0} // Ethernet
	n := len(payload) + 8
	frame := append(make([]byte, 12), 8, 0) // IPv4
	frame = append(frame, 0x45, 0, byte((n+20)>>8), byte(n+20), 0, 7, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
	frame = append(frame, 0x13, 0xc4, 0x13, 0xc4, byte(n>>8), byte(n), 0, 0) // port 5060
	frame = append(frame, payload...)
	for _, v := range []uint32{1656669600, 0, uint32(len(frame)), uint32(len(frame))} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return string(append(b, frame...))
}

// A file whose text is not in the character set that it declares keeps its bytes: every row is
// stored, and what does not decode is beside it as it was.
func TestWrongCharset(t *testing.T) {
	const raw = "Caf\xe9 \x81\x9d\xff"
	create := "CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `s` varchar(40) DEFAULT NULL\n);\nINSERT INTO `t` VALUES (1,'plain'),(2,'" + raw + "'),(3,'more');\n"
	for name, text := range map[string]string{
		"utf8mb4.sql": "-- MySQL dump 10.13\n/*!40101 SET NAMES utf8mb4 */;\n" + create + "-- Dump completed\n",
		"gbk.sql":     "-- MySQL dump 10.13\n/*!40101 SET NAMES gbk */;\n" + create + "-- Dump completed\n",
		"none.sql":    "-- MySQL dump 10.13\n" + create + "-- Dump completed\n",
		"odd.sql":     "-- MySQL dump 10.13\n/*!40101 SET NAMES klingon */;\n" + create + "-- Dump completed\n",
		"pg.sql": "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\nCREATE TABLE public.t (\n    id integer,\n    s text\n);\n\nCOPY public.t (id, s) FROM stdin;\n1\tplain\n2\t" +
			raw + "\n3\tmore\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n",
		"t.txt": "1\tplain\n2\t" + raw + "\n3\tmore\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := newCase(t)
			path := filepath.Join(t.TempDir(), name)
			must(t, os.WriteFile(path, []byte(text), 0o640))
			if e := quiet(t, "add", "--case", dir, path); e.code != exitDone && e.code != exitDamage || !strings.Contains(e.errOut, "stored 3 + damaged 0") {
				t.Error(e)
			}
			c, err := store.Open(dir)
			must(t, err)
			list, err := c.Tables()
			must(t, err)
			e, err := duckdb.Open(t.Context(), c, duckdb.Options{})
			must(t, err)
			defer e.Close()
			for _, m := range list {
				if m.SourceTable == "" {
					continue
				}
				column := duckdb.Ident(m.Columns[3].Name)
				var plain string
				var text, misfit sql.NullString
				must(t, e.DB.QueryRow("SELECT "+column+" FROM "+duckdb.Ident(m.Table)+" WHERE ref_row = 1").Scan(&plain))
				must(t, e.DB.QueryRow("SELECT "+column+", CAST(ref_misfit AS VARCHAR) FROM "+duckdb.Ident(m.Table)+" WHERE ref_row = 2").Scan(&text, &misfit))
				if plain != "plain" || text.Valid || !strings.Contains(misfit.String, "436166e920819dff") {
					t.Errorf("%q, %+v, misfit %+v", plain, text, misfit)
				}
			}
			harmless(t, dir, []string{"status"})
			if e := quiet(t, "verify", "--case", dir, "--all"); e.code != exitDone {
				t.Error(e)
			}
		})
	}
}
