package etsi

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/build"
)

var columns = func() (list []dump.Column) {
	for _, name := range strings.Fields("record_number record_kind record_type start_time end_time duration " +
		"calling_number calling_imsi calling_imei calling_cell called_number called_imsi called_imei called_cell forwarded_number other_numbers parties other_information record") {
		c := dump.Column{Name: name, Kind: dump.Text, Declared: "xml text"}
		if name == "parties" {
			c.Kind, c.Declared = dump.Int, "count"
		}
		list = append(list, c)
	}
	return list
}()

var columnIndex = func() map[string]int {
	m := map[string]int{}
	for i, c := range columns {
		m[c.Name] = i
	}
	return m
}()

// party is one TelephonyPartyInformation, or what stands for one in another shape of record.
type party struct{ role, number, imsi, imei, cell string }

// put parses a record and sets the cells of a row begun.
func put(r *build.Rows, text []byte) error {
	whole := text
	if !utf8.Valid(text) {
		text, _ = dump.Charset("latin1").Decode(text)
	}
	values := map[string]string{}
	first := func(name, v string) {
		if _, ok := values[name]; !ok && v != "" {
			values[name] = v
		}
	}
	var parties []party
	d := xml.NewDecoder(bytes.NewReader(text))
	var path []string
	var value strings.Builder
	inParty := 0 // depth of the party's element
	for {
		tok, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("the record is not well-formed: %w", err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			path = append(path, tok.Name.Local)
			value.Reset()
			switch n := len(path); {
			case n == 3 && path[1] == "recordPayload":
				first("record_kind", path[2])
			case n == 4 && path[1] == "recordPayload":
				first("record_type", path[3])
			}
			if strings.EqualFold(tok.Name.Local, "TelephonyPartyInformation") && inParty == 0 {
				inParty = len(path)
				parties = append(parties, party{})
			}
		case xml.CharData:
			value.Write(tok)
		case xml.EndElement:
			if len(path) == 0 || path[len(path)-1] != tok.Name.Local {
				return fmt.Errorf("the record is not well-formed: </%s> closes what is not open", tok.Name.Local)
			}
			v := strings.TrimSpace(value.String())
			value.Reset()
			var p *party
			if inParty > 0 {
				p = &parties[len(parties)-1]
			}
			leaf(tok.Name.Local, v, len(path), first, p)
			if len(path) == inParty {
				inParty = 0
			}
			path = path[:len(path)-1]
		}
	}
	if len(path) > 0 {
		return errors.New("the record is not well-formed: an element does not close")
	}
	var others []string
	for _, p := range parties {
		var prefix string
		switch role(p.role) {
		case originating:
			prefix = "calling"
		case terminating:
			prefix = "called"
		case forwarded:
			if values["forwarded_number"] == "" {
				values["forwarded_number"] = p.number
				continue
			}
		}
		if _, taken := values[prefix+"_number"]; prefix == "" || taken {
			if p.number != "" {
				others = append(others, p.number)
			}
			continue
		}
		values[prefix+"_number"] = p.number
		first(prefix+"_imsi", p.imsi)
		first(prefix+"_imei", p.imei)
		first(prefix+"_cell", p.cell)
	}
	values["other_numbers"] = strings.Join(others, " ")
	values["parties"] = fmt.Sprint(len(parties))
	for i, c := range columns {
		if v := values[c.Name]; v != "" {
			r.PutString(i, v)
		}
	}
	r.Put(columnIndex["record"], dump.Quoted, whole)
	return nil
}

// leaf takes an element's text.
func leaf(name, v string, depth int, first func(name, v string), p *party) {
	if v == "" {
		return
	}
	set := func(field *string) {
		if *field == "" {
			*field = v
		}
	}
	switch strings.ToLower(name) {
	case "recordnumber":
		if depth == 2 {
			first("record_number", v)
		}
	case "starttime":
		first("start_time", v)
	case "endtime":
		first("end_time", v)
	case "durationtime", "duration":
		first("duration", v)
	case "otherinformation":
		first("other_information", v)
	}
	if p == nil {
		return
	}
	switch strings.ToLower(name) {
	case "partyrole", "partytype", "role":
		set(&p.role)
	case "partynumber":
		set(&p.number)
	case "imsi":
		set(&p.imsi)
	case "imei":
		set(&p.imei)
	case "globalcellid", "cellid", "userlocationinformation", "cellinformation":
		set(&p.cell)
	}
}

type partyRole int

const (
	another partyRole = iota
	originating
	terminating
	forwarded
)

// role reads a party's role: the standard's name for it, however written, or its number.
func role(v string) partyRole {
	v = strings.ToLower(v)
	switch {
	case v == "0" || strings.HasPrefix(v, "originating") || v == "calling" || v == "caller":
		return originating
	case v == "1" || strings.HasPrefix(v, "terminating") || v == "called" || v == "callee":
		return terminating
	case v == "2" || strings.HasPrefix(v, "forwarded"):
		return forwarded
	}
	return another
}
