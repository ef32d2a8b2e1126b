package xlsx

import (
	"archive/zip"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/xuri/excelize/v2"
)

// part is one sheet and the file of the workbook that holds it.
type part struct {
	name, file string
	filled     int64  // rows with a value in them
	width      int    // its widest row
	broken     string // why its XML cannot be read to the end
}

// names lists a workbook's sheets in their order (ECMA-376 part 1, 18.2.20 and part 2, 9.3).
func names(file string) ([]part, error) {
	z, err := open(file)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var book struct {
		Sheets []struct {
			Name string     `xml:"name,attr"`
			Attr []xml.Attr `xml:",any,attr"`
		} `xml:"sheets>sheet"`
	}
	var rels struct {
		List []struct {
			ID     string `xml:"Id,attr"`
			Type   string `xml:"Type,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	// The workbook itself is what the package's own relationships name.
	main := "xl/workbook.xml"
	if err := decode(&z.Reader, "_rels/.rels", &rels); err != nil {
		return nil, err
	}
	for _, r := range rels.List {
		if strings.HasSuffix(r.Type, "/officeDocument") {
			main = target("", r.Target)
		}
	}
	if err := decode(&z.Reader, main, &book); err != nil {
		return nil, err
	}
	rels.List = nil
	if err := decode(&z.Reader, path.Dir(main)+"/_rels/"+path.Base(main)+".rels", &rels); err != nil {
		return nil, err
	}
	var list []part
	for _, s := range book.Sheets {
		id := ""
		for _, a := range s.Attr {
			if a.Name.Local == "id" {
				id = a.Value
			}
		}
		for _, r := range rels.List {
			if r.ID == id && strings.HasSuffix(r.Type, "/worksheet") {
				list = append(list, part{name: s.Name, file: target(path.Dir(main), r.Target)})
			}
		}
	}
	return list, nil
}

// target gives the file a relationship names from a folder.
func target(folder, name string) string {
	if strings.HasPrefix(name, "/") {
		return strings.TrimPrefix(path.Clean(name), "/")
	}
	return path.Join(folder, name)
}

func decode(z *zip.Reader, name string, into any) error {
	f, err := z.Open(name)
	if err != nil {
		return fmt.Errorf("the workbook lacks a part: %w", err)
	}
	defer f.Close()
	if err := xml.NewDecoder(io.LimitReader(f, 64<<20)).Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// sheets passes over each sheet's XML.
func sheets(ctx context.Context, file string) ([]part, error) {
	list, err := names(file)
	for i := range list {
		if err == nil {
			err = list[i].pass(ctx, file)
		}
	}
	return list, err
}

// pass reads a sheet's XML to its end, counts and measures its rows, and notes where it breaks.
func (p *part) pass(ctx context.Context, file string) error {
	z, err := open(file)
	if err != nil {
		return err
	}
	defer z.Close()
	f, err := z.Open(p.file)
	if err != nil {
		p.broken = "the workbook lacks the sheet's part " + p.file
		return nil
	}
	defer f.Close()
	d := xml.NewDecoder(f)
	has, column, value := false, 0, false
	for n := 0; ; n++ {
		if n%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		tok, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			p.broken = fmt.Sprintf("the sheet's XML breaks at byte %d: %v", d.InputOffset(), err)
			return nil
		}
		switch t := tok.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "row":
				has, column = false, 0
			case "c":
				column++
				for _, a := range t.Attr {
					if a.Name.Local == "r" {
						if c, _, err := excelize.CellNameToCoordinates(a.Value); err == nil {
							column = c
						}
					}
				}
			case "v", "t":
				value = true
			}
		case xml.CharData:
			if value && strings.TrimSpace(string(t)) != "" {
				has = true
				p.width = max(p.width, column)
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "v", "t":
				value = false
			case "row":
				if has {
					p.filled++
				}
			}
		}
	}
}
