// Package xlsx reads Excel workbooks (.xlsx, .xlsm): every sheet is a table.
//
// The header is the first row that is nearly as wide as the widest of the sheet's first rows;
// what stands above it, a title or a search's terms, is kept as statements. A sheet whose
// first row clearly holds data has no header; its columns are c1, c2, ... Rows that are wider
// than the header get such columns too. An empty row is no row; an empty cell is null.
//
// Every column is text. What a workbook stores is not what it shows, and both lose something:
// a time is stored as a number of days and may be shown without its year, a telephone number
// may be shown as 4.477E+11. So a number that is shown as a number is given as stored; a
// number shown as a date is given as YYYY-MM-DD hh:mm:ss, after making sure that the parts
// shown are parts of that date; anything else is given as shown. Formulas (their last result
// is read), formats, colours, comments, hidden marks and merged cells are not kept: the
// workbook itself is sealed and has them.
//
// Offsets are sheet row numbers from 1. A row read again is made anew from the sheet, so that
// takes as long as reading the sheet up to there; its text is the cells' values.
//
// The library (xuri/excelize) takes a broken sheet for one that ends, so each sheet's XML is
// first passed over here to be sure that it is well-formed and to count its rows. Large parts
// are unpacked into temporary files in the case, which are removed behind the reading.
//
// Not read: .xls, .xlsb, .ods, encrypted workbooks, chart sheets.
//
// Reading order: xlsx.go (the format, the sheets), part.go (a sheet's XML), value.go (what a
// cell is).
package xlsx

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/build"
	"github.com/unspoof/unspoof/internal/intake/dump/delimited"
)

// Format is the reader of Excel workbooks.
func Format() dump.Format {
	return dump.Format{
		Name: "xlsx", Version: "1", About: "Excel workbook (.xlsx)",
		Match: match,
		File: func(ctx context.Context, src dump.Sealed, sink dump.Sink) error {
			return Read(ctx, src.Path, src.Temp, sink)
		},
		Row: func(ctx context.Context, src dump.Sealed, table string, _, offset int64) (dump.Found, error) {
			return readRow(ctx, src.Path, src.Temp, table, offset)
		},
	}
}

func match(name string, head []byte) bool {
	if !bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return false
	}
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".xlsx" || ext == ".xlsm" || bytes.Contains(head, []byte("xl/work")) || bytes.Contains(head, []byte("xl/styles"))
}

// options keep a workbook from filling memory or the disk; parts of more than 16 MiB are
// unpacked into files in temp.
func options(temp string) excelize.Options {
	return excelize.Options{UnzipSizeLimit: 8 << 30, UnzipXMLSizeLimit: 16 << 20, TmpDir: temp}
}

// Read reads the workbook at path and hands its rows to sink. temp is a folder for temporary
// files; empty: the system's.
func Read(ctx context.Context, path, temp string, sink dump.Sink) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	parts, err := sheets(ctx, path)
	if err != nil {
		return err
	}
	f, err := excelize.OpenFile(path, options(temp))
	if err != nil {
		return err
	}
	defer f.Close() // removes temporary files; nothing was written
	if len(parts) == 0 {
		return sink.Damage(dump.Damage{Reason: "the workbook has no sheet with rows"})
	}
	for _, p := range parts {
		if err := readSheet(ctx, f, p, sink); err != nil {
			return fmt.Errorf("sheet %q: %w", p.name, err)
		}
	}
	return nil
}

// layout is where a sheet's table begins and what its columns are.
type layout struct {
	header int // row number; 0: none
	table  *dump.Table
}

// readSheet reads one sheet.
func readSheet(ctx context.Context, f *excelize.File, p part, sink dump.Sink) error {
	l, err := layoutOf(ctx, f, p)
	if err != nil {
		return err
	}
	rows := build.New(sink, l.table)
	seen, last := int64(0), int64(0)
	err = each(ctx, f, p.name, func(number int, cells []string) (bool, error) {
		seen, last = seen+1, int64(number)
		if number < l.header {
			return true, sink.Statement(dump.Statement{Offset: int64(number), Text: fmt.Appendf(nil, "sheet %s, row %d: %s", p.name, number, strings.Join(cells, "\t"))})
		}
		if number == l.header {
			return true, nil
		}
		rows.Begin(int64(number))
		put(rows, cells)
		return true, rows.End()
	})
	if err != nil {
		return err
	}
	// What the check saw and the library did not give is lost to this reader.
	if why := p.broken; why != "" {
		return rows.Damage(last+1, 1, 1, why)
	}
	if seen < p.filled {
		return rows.Damage(last+1, 1, p.filled-seen, fmt.Sprintf("the sheet has %d rows with content and only %d could be read", p.filled, seen))
	}
	return rows.Flush()
}

func put(rows *build.Rows, cells []string) {
	for i, v := range cells[:min(len(cells), len(rows.Table().Columns))] {
		if v != "" {
			rows.PutString(i, v)
		}
	}
}

// layoutOf finds a sheet's header among its first rows.
func layoutOf(ctx context.Context, f *excelize.File, p part) (layout, error) {
	const look = 50
	var first [][]string
	var numbers []int
	width, most := p.width, 0
	err := each(ctx, f, p.name, func(number int, cells []string) (bool, error) {
		first, numbers = append(first, cells), append(numbers, number)
		most = max(most, filled(cells))
		return len(first) < look, nil
	})
	l := layout{table: &dump.Table{Name: p.name}}
	if err != nil || len(first) == 0 {
		return l, err
	}
	at := 0
	for filled(first[at])*10 < most*7 {
		at++
	}
	var names []string
	if delimited.HoldsData(first[at:min(at+2, len(first))]) {
		l.header = 0
	} else {
		l.header, names = numbers[at], first[at]
	}
	for i := range max(width, len(names)) {
		c := dump.Column{Name: fmt.Sprintf("c%d", i+1), Kind: dump.Text, Declared: "cell"}
		if i < len(names) && strings.TrimSpace(names[i]) != "" {
			c.Name = strings.Join(strings.Fields(names[i]), " ")
		}
		l.table.Columns = append(l.table.Columns, c)
	}
	return l, nil
}

func filled(cells []string) (n int) {
	for _, v := range cells {
		if strings.TrimSpace(v) != "" {
			n++
		}
	}
	return n
}

// each gives a sheet's rows that have content, in order, until yield returns false.
func each(ctx context.Context, f *excelize.File, sheet string, yield func(number int, cells []string) (bool, error)) error {
	props, err := f.GetWorkbookProps()
	if err != nil {
		return err
	}
	since1904 := props.Date1904 != nil && *props.Date1904
	shown, err := f.Rows(sheet)
	if err != nil {
		return err
	}
	defer shown.Close()
	stored, err := f.Rows(sheet)
	if err != nil {
		return err
	}
	defer stored.Close()
	for number := 1; shown.Next() && stored.Next(); number++ {
		if number%256 == 1 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		cells, err := shown.Columns()
		if err != nil {
			return err
		}
		raw, err := stored.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return err
		}
		for i := range cells {
			if i < len(raw) {
				cells[i] = value(raw[i], cells[i], since1904)
			}
		}
		if filled(cells) == 0 {
			continue
		}
		if more, err := yield(number, cells); err != nil || !more {
			return err
		}
	}
	return shown.Error()
}

// readRow reads one row of one sheet again.
func readRow(ctx context.Context, path, temp, table string, offset int64) (dump.Found, error) {
	parts, err := names(path)
	if err != nil {
		return dump.Found{}, err
	}
	f, err := excelize.OpenFile(path, options(temp))
	if err != nil {
		return dump.Found{}, err
	}
	defer f.Close() // removes temporary files; nothing was written
	for _, p := range parts {
		if p.name != table {
			continue
		}
		var cells []string
		if err := each(ctx, f, table, func(number int, c []string) (bool, error) {
			if int64(number) == offset {
				cells = c
			}
			return int64(number) < offset, nil
		}); err != nil {
			return dump.Found{}, err
		}
		if cells == nil {
			return dump.Found{}, fmt.Errorf("sheet %q has no row %d", table, offset)
		}
		if err := p.pass(ctx, path); err != nil {
			return dump.Found{}, err
		}
		l, err := layoutOf(ctx, f, p)
		if err != nil {
			return dump.Found{}, err
		}
		return build.One(l.table, nil, func(r *build.Rows) error { r.Begin(offset); put(r, cells); return nil })
	}
	return dump.Found{}, fmt.Errorf("the workbook has no sheet %q", table)
}

// open opens the workbook as the zip file it is.
func open(path string) (*zip.ReadCloser, error) { return zip.OpenReader(path) }
