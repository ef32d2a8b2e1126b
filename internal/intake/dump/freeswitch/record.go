package freeswitch

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/build"
	"github.com/unspoof/unspoof/internal/intake/dump/jsonl"
)

// record is one call record taken apart.
type record struct {
	values    map[string]string // by column, from the top, the profile and the times
	variables []pair
}

type pair struct{ name, value string }

// put sets the picked columns.
func (rec *record) put(r *build.Rows) {
	decode := encoded(rec.variables)
	for _, v := range rec.variables {
		if _, ok := column[v.name]; !ok {
			continue
		}
		if _, taken := rec.values[v.name]; taken {
			continue
		}
		if decode {
			if plain, err := url.PathUnescape(v.value); err == nil {
				v.value = plain
			}
		}
		rec.values[v.name] = v.value
	}
	for i, name := range names {
		v, ok := rec.values[name]
		if !ok || v == "" && columnOf(name).Kind != dump.Text {
			continue
		}
		r.PutString(i, v)
	}
}

// set keeps the first value of a column.
func (rec *record) set(list []string, name, value string) {
	for _, n := range list {
		if n == name {
			if _, ok := rec.values[name]; !ok {
				rec.values[name] = value
			}
			return
		}
	}
}

// encoded tells whether a record's variables are URL-encoded.
func encoded(list []pair) bool {
	some := false
	for _, v := range list {
		if strings.ContainsAny(v.value, " \"#<>[\\]^`{|}") {
			return false
		}
		if i := strings.IndexByte(v.value, '%'); i >= 0 {
			if _, err := url.PathUnescape(v.value); err != nil {
				return false
			}
			some = true
		}
	}
	return some
}

func fromJSON(r *build.Rows, obj []byte) error {
	rec := record{values: map[string]string{}}
	var variables, flow []byte
	rest := []byte{'{'}
	err := jsonl.Members(obj, func(key string, raw []byte) error {
		switch {
		case key == "variables" && raw[0] == '{' && variables == nil:
			variables = raw
		case (key == "callflow" || key == "call_flow") && flow == nil:
			flow = raw
		case key == "core-uuid":
			rec.set(fromTop, "core_uuid", textOf(raw))
		case key == "switchname":
			rec.set(fromTop, "switchname", textOf(raw))
		default:
			if len(rest) > 1 {
				rest = append(rest, ',')
			}
			rest = append(append(append(rest, quote(key)...), ':'), raw...)
			if key == "channel_data" && raw[0] == '{' {
				return jsonl.Members(raw, func(key string, raw []byte) error {
					if key == "direction" {
						rec.values["direction"] = textOf(raw)
					}
					return nil
				})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if variables == nil && flow == nil {
		return errors.New("the object is no call record: it has neither variables nor a call flow")
	}
	if err := rec.flow(flow); err != nil {
		return err
	}
	if variables != nil {
		if err := jsonl.Members(variables, func(key string, raw []byte) error {
			rec.variables = append(rec.variables, pair{key, textOf(raw)})
			return nil
		}); err != nil {
			return err
		}
		r.Put(column["variables"], dump.Quoted, variables)
	}
	rec.put(r)
	if flow != nil {
		r.Put(column["call_flow"], dump.Quoted, flow)
	}
	if len(rest) > 1 {
		r.Put(column["rest"], dump.Quoted, append(rest, '}'))
	}
	return nil
}

// flow takes the caller's profile and the times of the first call flow, which is the last in
// time. It is an array of objects, or one object.
func (rec *record) flow(raw []byte) error {
	if len(raw) > 0 && raw[0] == '[' {
		raw = bytes.TrimLeft(raw[1:], " \t\r\n")
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	return jsonl.Members(raw, func(key string, raw []byte) error {
		list := fromProfile
		switch {
		case raw[0] != '{':
			return nil
		case key == "times":
			list = fromTimes
		case key != "caller_profile":
			return nil
		}
		return jsonl.Members(raw, func(key string, raw []byte) error {
			rec.set(list, key, textOf(raw))
			return nil
		})
	})
}

// textOf gives a JSON string decoded, and any other value as written; null is empty.
func textOf(raw []byte) string {
	if s, ok := jsonl.Text(raw); ok {
		return s
	}
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}

func quote(key string) string {
	var b bytes.Buffer
	for _, r := range key {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}

func fromXML(r *build.Rows, text []byte) error {
	if !utf8.Valid(text) {
		text, _ = dump.Charset("latin1").Decode(text)
	}
	rec := record{values: map[string]string{}}
	d := xml.NewDecoder(bytes.NewReader(text))
	d.Strict = true
	var path []string
	var value []byte
	parts := map[string][2]int64{} // variables, callflow: where they lie
	var open int64
	var rest []byte
	for {
		before := d.InputOffset()
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
			value = value[:0]
			switch len(path) {
			case 1:
				for _, a := range tok.Attr {
					rec.set(fromTop, strings.ReplaceAll(a.Name.Local, "-", "_"), a.Value)
				}
			case 2:
				open = before
			}
		case xml.CharData:
			value = append(value, tok...)
		case xml.EndElement:
			if len(path) == 0 || path[len(path)-1] != tok.Name.Local {
				return fmt.Errorf("the record is not well-formed: </%s> closes what is not open", tok.Name.Local)
			}
			rec.leaf(path, string(value), parts)
			if len(path) == 2 {
				if _, had := parts[path[1]]; !had && (path[1] == "variables" || path[1] == "callflow") {
					parts[path[1]] = [2]int64{open, d.InputOffset()}
				} else {
					rest = append(rest, text[open:d.InputOffset()]...)
				}
			}
			value = value[:0]
			path = path[:len(path)-1]
		}
	}
	if len(path) > 0 {
		return errors.New("the record is not well-formed: an element does not close")
	}
	if len(parts) == 0 {
		return errors.New("the element is no call record: it has neither variables nor a call flow")
	}
	rec.put(r)
	for _, p := range []pair{{"variables", "variables"}, {"callflow", "call_flow"}} {
		if at, ok := parts[p.name]; ok {
			r.Put(column[p.value], dump.Quoted, text[at[0]:at[1]])
		}
	}
	if rest != nil {
		r.Put(column["rest"], dump.Quoted, rest)
	}
	return nil
}

// leaf takes the text of an element that closes. done are the parts that have closed.
func (rec *record) leaf(path []string, value string, done map[string][2]int64) {
	if len(path) < 3 {
		return
	}
	_, had := done[path[1]]
	switch {
	case path[1] == "variables" && len(path) == 3 && !had:
		rec.variables = append(rec.variables, pair{path[2], value})
	case path[1] == "channel_data" && path[2] == "direction":
		rec.values["direction"] = value
	case path[1] == "callflow" && len(path) == 4 && path[2] == "caller_profile" && !had:
		rec.set(fromProfile, path[3], value)
	case path[1] == "callflow" && len(path) == 4 && path[2] == "times" && !had:
		rec.set(fromTimes, path[3], value)
	}
}
