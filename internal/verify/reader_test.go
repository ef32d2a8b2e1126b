package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// texts are a row's values, for reading: nil as NULL, quoted as is, literals in hexadecimal.
func texts(cells []cell) (out []string) {
	for _, c := range cells {
		switch c.form {
		case formNull:
			out = append(out, "NULL")
		case formLiteral:
			out = append(out, fmt.Sprintf("%x", c.value))
		case formExpr:
			out = append(out, "expr:"+string(c.text))
		default:
			out = append(out, string(c.value))
		}
	}
	return out
}

func TestSplitTuple(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{`(1,-2.50,'a',NULL,null)`, []string{"1", "-2.50", "a", "NULL", "NULL"}},
		{`( 1 , 'a' ,` + "\n" + `NULL )`, []string{"1", "a", "NULL"}},
		{`('it''s','a\'b','\\','\n\r\t\0\Z\b\q\%\_')`, []string{"it's", "a'b", `\`, "\n\r\t\x00\x1a\bq\\%\\_"}},
		{`('',"x""y",'a,b','(c)')`, []string{"", `x"y`, "a,b", "(c)"}},
		{`(0x00FF,0xF,x'4d',X'4D',b'101',B'1',0b11,b'100000001')`, []string{"00ff", "0f", "4d", "4d", "05", "01", "03", "0101"}},
		{`(_binary 'ab',_utf8mb4'é',_binary 0x41,'NULL')`, []string{"ab", "é", "41", "NULL"}},
		{`(now(),1e30,-0,TRUE,'a' 'b',ST_GeomFromText('POINT(1 1)'))`, []string{"expr:now()", "1e30", "-0", "expr:TRUE", "expr:'a' 'b'", "expr:ST_GeomFromText('POINT(1 1)')"}},
		{`(0x,b'2',x'G')`, []string{"expr:0x", "expr:b'2'", "expr:x'G'"}},
		{"('\xff\xfe raw')", []string{"\xff\xfe raw"}},
	} {
		in := newInput(iotest.OneByteReader(strings.NewReader(c.in+",rest")), 0)
		text, err := readTuple(in)
		if err != nil || string(text) != c.in || in.offset() != int64(len(c.in)) {
			t.Errorf("readTuple(%q) = %q at %d, %v", c.in, text, in.offset(), err)
			continue
		}
		cells, err := splitTuple(text, nil)
		if got := texts(cells); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("splitTuple(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "1,2)", "(1,2", "('a", "(1,,2)", "()", "(1,)"} {
		text, err := readTuple(newInput(strings.NewReader(bad), 0))
		if err == nil {
			_, err = splitTuple(text, nil)
		}
		if err == nil {
			t.Errorf("%q reads as a row", bad)
		}
	}
}

func TestRecords(t *testing.T) {
	in := newInput(iotest.OneByteReader(strings.NewReader("a,b\r\n\"x,\"\"y\"\"\r\nz\",\n,\"\"\nlast")), 0)
	var got [][]string
	for {
		text, err := readRecord(in, ',')
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, texts(splitRecord(text, ',', nil)))
	}
	want := [][]string{{"a", "b"}, {"x,\"y\"\r\nz", ""}, {"", ""}, {"last"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := readRecord(newInput(strings.NewReader(`"open`), 0), ','); err == nil {
		t.Error("a quote that does not close reads as a record")
	}
	for head, want := range map[string]byte{"a,b;c,d": ',', "a;b;c,d": ';', "a\tb": '\t', `"x;y;z",b`: ',', "a": ','} {
		if got := findComma([]byte(head)); got != want {
			t.Errorf("findComma(%q) = %q", head, got)
		}
	}
}

func TestValues(t *testing.T) {
	quoted := func(s string) cell { return cell{form: formQuoted, value: []byte(s), text: []byte(s)} }
	bare := func(s string) cell { return cell{form: formBare, value: []byte(s), text: []byte(s)} }
	literal := func(b ...byte) cell { return cell{form: formLiteral, value: b} }
	for _, c := range []struct {
		kind string
		cell cell
		got  any
		want string // same, differs, misfit
	}{
		{"BIGINT", bare("-5"), int64(-5), "same"},
		{"BIGINT", bare("00042"), int64(42), "same"},
		{"BIGINT", bare("42"), int64(43), "differs"},
		{"BIGINT", bare("42"), nil, "differs"},
		{"BIGINT", cell{}, nil, "same"},
		{"BIGINT", cell{}, int64(0), "differs"},
		{"BIGINT", bare("9223372036854775808"), nil, "misfit"},
		{"BIGINT", bare("-9223372036854775808"), int64(-1 << 63), "same"},
		{"BIGINT", bare("1.5"), nil, "misfit"},
		{"UBIGINT", bare("18446744073709551615"), uint64(1<<64 - 1), "same"},
		{"UBIGINT", bare("-1"), nil, "misfit"},
		{"BIGINT", literal(1, 0), int64(256), "same"},
		{"BIGINT", literal(1, 2, 3, 4, 5, 6, 7, 8, 9), nil, "misfit"},
		{"DECIMAL(15,5)", bare("1.23456"), "1.23456", "same"},
		{"DECIMAL(15,5)", bare("-1.00000"), "-1.00000", "same"},
		{"DECIMAL(15,5)", bare("1"), "1.00000", "same"},
		{"DECIMAL(15,5)", bare("1.234567"), nil, "misfit"},
		{"DECIMAL(3,1)", bare("1234"), nil, "misfit"},
		{"DECIMAL(15,5)", bare("1.2"), "1.20001", "differs"},
		{"DOUBLE", bare("0.1"), 0.1, "same"},
		{"DOUBLE", bare("1e400"), nil, "misfit"},
		{"DOUBLE", quoted("nan"), nil, "misfit"},
		{"DATE", quoted("2022-02-28"), "2022-02-28", "same"},
		{"DATE", quoted("2022-02-29"), nil, "misfit"},
		{"DATE", quoted("0000-00-00"), nil, "misfit"},
		{"TIMESTAMP", quoted("1970-01-01 00:00:01.5"), int64(1_500_000), "same"},
		{"TIMESTAMP", quoted("1970-01-02"), int64(86_400_000_000), "same"},
		{"TIMESTAMP", quoted("1970-01-01 25:00:00"), nil, "misfit"},
		{"VARCHAR", quoted("x"), "x", "same"},
		{"VARCHAR", quoted("x"), "y", "differs"},
		{"VARCHAR", quoted(""), nil, "differs"},
		{"VARCHAR", quoted("\xff"), nil, "misfit"},
		{"VARCHAR", bare("12"), "12", "same"},
		{"VARCHAR", cell{form: formExpr, text: []byte("now()")}, nil, "misfit"},
		{"BLOB", quoted("\xff"), []byte{0xff}, "same"},
		{"BLOB", literal(0xff), []byte{0xfe}, "differs"},
	} {
		col, err := newColumn("c", c.kind)
		if err != nil {
			t.Fatal(err)
		}
		same, err := col.same(c.cell, c.got, "utf8mb4", false, false)
		got := map[bool]string{true: "same", false: "differs"}[same]
		if err != nil {
			got = "misfit"
		}
		if got != c.want {
			t.Errorf("%s: source %q, table %v: %s, want %s", c.kind, c.cell.value, c.got, got, c.want)
		}
	}
	for charset, want := range map[string]string{"latin1": "é€\u0081", "cp1251": "йЂЃ"} {
		if text, ok := decodeText([]byte{0xe9, 0x80, 0x81}, charset); !ok || string(text) != want {
			t.Errorf("%s: %q, want %q", charset, text, want)
		}
	}
	if isOriginal(json.RawMessage(`{"hex":"ff"}`), quoted("\xfe"), "utf8mb4") || !isOriginal(json.RawMessage(`{"hex":"ff"}`), quoted("\xff"), "utf8mb4") {
		t.Error("isOriginal does not tell bytes apart")
	}
}

// fixturesDir holds dumps that a real mariadb-dump wrote.
const fixturesDir = "../../../shared/data/telecom/dump-fixtures"

func TestRealDumps(t *testing.T) {
	if _, err := os.Stat(fixturesDir); err != nil {
		t.Skipf("the dump fixtures are not here: %v", err)
	}
	// The three styles of one table's dump, and what its rows mean.
	note := "O'Brien said \"hi\"; back\\slash\nnew\tline \x1a \x00 end"
	rows := func(emoji, rec, bits string) [][]string {
		return [][]string{
			{"4", "2022-07-01 11:00:00", "2022-07-01 12:00:00", "+443457404404", note, rec, "0.1", "1.23456", bits, `{"a":1}`},
			{"5", "0000-00-00 00:00:00", "2022-07-01 13:00:00", "café", emoji, "", "1e30", "NULL", "NULL", "NULL"},
			{"6", "2021-12-31 23:00:00", "NULL", "NULL", "NULL", "NULL", "0", "-1.00000", strings.Replace(strings.Replace(bits, "\n", "\x00", 1), "0a", "00", 1), ""},
		}
	}
	for name, want := range map[string][][]string{
		"d_default.sql": rows("emoji 😀 £", "\x00\xff'\"\\\n\x1a", "\n"),
		"d_latin1.sql":  rows("emoji ? £", "\x00ÿ'\"\\\n\x1a", "\n"),
		"d_hex.sql":     rows("emoji 😀 £", "00ff27225c0a1a", "0a"),
	} {
		var got [][]string
		scanFile(t, name, func(row scannedRow, cells []cell) {
			values := texts(cells)
			for i := range values {
				if text, ok := decodeText([]byte(values[i]), row.def.charset); ok {
					values[i] = string(text)
				}
			}
			got = append(got, values)
			if row.table != "c" || len(row.def.columns) != 10 || !row.def.bits["b"] || row.def.bits["j"] {
				t.Errorf("%s: table %q, definition %+v", name, row.table, row.def)
			}
		})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%q\nwant\n%q", name, got, want)
		}
	}
	n := 0
	scanFile(t, "magnus_pkg_cdr_2000_synthetic.sql", func(row scannedRow, cells []cell) {
		if n++; row.table != "pkg_cdr" || len(cells) != 19 || string(cells[0].value) != fmt.Sprint(n) {
			t.Fatalf("row %d: table %q, %d cells", n, row.table, len(cells))
		}
	})
	if n != 2000 {
		t.Errorf("%d rows, want 2000", n)
	}
}

func scanFile(t *testing.T, name string, row func(scannedRow, []cell)) {
	t.Helper()
	f, err := os.Open(filepath.Join(fixturesDir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := &dumpScanner{in: newInput(f, 0), row: func(r scannedRow) error {
		cells, err := splitTuple(r.text, nil)
		row(r, cells)
		return err
	}}
	if err := d.scan(context.Background()); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// FuzzRows reads hostile dumps: no panic, an end, and every row found again at its offset.
func FuzzRows(f *testing.F) {
	f.Add([]byte("INSERT INTO `a` (`x`) VALUES (1),('b\\'');\nDELIMITER ;;\nx;;\nDELIMITER ;\n/*!1 REPLACE a VALUES (0x1)*/;"))
	f.Add([]byte("CREATE TABLE t (a bit(1), KEY (a)); INSERT t VALUES (b'1',_binary 'x',now()), (,);"))
	f.Fuzz(func(t *testing.T, dump []byte) {
		d := &dumpScanner{in: newInput(iotest.HalfReader(bytes.NewReader(dump)), 0), damage: []stretch{{offset: 40, length: 5, rows: 1}},
			passed: func(stretch, bool) {}, row: func(r scannedRow) error {
				text, err := readTuple(newInput(bytes.NewReader(dump[r.offset:]), r.offset))
				if err != nil || !bytes.Equal(text, r.text) {
					t.Errorf("the row at %d reads %q, then %q (%v)", r.offset, r.text, text, err)
				}
				if cells, err := splitTuple(r.text, nil); err == nil {
					for _, kind := range []string{"BIGINT", "DECIMAL(15,5)", "DOUBLE", "DATE", "TIMESTAMP", "VARCHAR", "BLOB"} {
						col, _ := newColumn("c", kind)
						for _, c := range cells {
							_, _ = col.same(c, "x", r.def.charset, false, false)
						}
					}
				}
				return nil
			}}
		_ = d.scan(context.Background()) // a dump may be as broken as it likes
		in := newInput(bytes.NewReader(dump), 0)
		for range len(dump) + 2 {
			text, err := readRecord(in, ',')
			if err != nil {
				return
			}
			if splitRecord(text, ',', nil) == nil {
				t.Errorf("record %q has no field", text)
			}
		}
		t.Error("more records than bytes")
	})
}
