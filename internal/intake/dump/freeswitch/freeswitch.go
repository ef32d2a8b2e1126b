// Package freeswitch reads the call records FreeSWITCH writes to files.
//
// mod_json_cdr and mod_xml_cdr write one object or element a call, a file each or one behind
// another; both become rows of table fs_cdr. Its columns are what an investigation asks for
// first, picked from the caller profile of the first call flow, its times (microseconds since
// 1970, 0 for none), and the channel variables; and then, so that nothing is left out, the
// whole of the variables and the call flow and whatever else the record holds, as text:
// JSON from JSON, XML from XML. Channel variables are URL-encoded when so configured; that is
// told from each record's own variables (%XX in one of them, and in none a character that
// would have been encoded), and then the picked columns are decoded and the whole is not.
//
// mod_cdr_csv writes lines by a template without a header. The shipped templates example (15
// fields), asterisk (18), opencdrrate (13), linksys (17) and snom (20) are recognised by
// content and become table fs_cdr_csv; its quotes are not escaped, so one inside a field is
// read as text. The template sql writes INSERT statements: the mysqldump reader's. Where the
// configuration says legs=ab each call stands twice, once for each leg.
//
// start_stamp and its like are the exchange's local wall clock. The columns digits_dialed,
// pin_number, variables and call_flow, and what other variables hold, can be passcodes: this
// is a source table and keeps them as they are; who may see them is not decided here.
//
// A row's address is the offset of its object's brace, its element's tag or its line. Read
// again, a row's text is the picked values, not the record's bytes (of CSV it is the line).
//
// Records are as the sources of signalwire/freeswitch and published examples have them; not
// tested on a seized exchange. FusionPBX keeps the same in its database: other readers' work.
//
// Reading order: freeswitch.go (the format, the columns), record.go (JSON and XML records),
// template.go (CSV).
package freeswitch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/build"
	"github.com/unspoof/unspoof/internal/intake/dump/delimited"
	"github.com/unspoof/unspoof/internal/intake/dump/jsonl"
)

// Format is the reader of FreeSWITCH's call records. It is asked before the readers of JSON
// and CSV.
func Format() dump.Format {
	return dump.Format{
		Name: "freeswitch", Version: "2", About: "call records of FreeSWITCH: JSON, XML or CSV",
		Match: func(_ string, head []byte) bool {
			kind, _ := recognise(head)
			return kind != none
		},
		Stream: func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
			return Read(ctx, r, sink, 0)
		},
		Row: readRow,
	}
}

const headSize = 64 << 10

type kind int

const (
	none kind = iota
	isJSON
	isXML
	isCSV
)

func recognise(head []byte) (kind, *delimited.Layout) {
	switch b := bytes.TrimLeft(head, "\xef\xbb\xbf \t\r\n"); {
	case jsonl.Match(head):
		if bytes.Contains(head, []byte(`"variables"`)) && (bytes.Contains(head, []byte(`"core-uuid"`)) || bytes.Contains(head, []byte(`"channel_data"`))) {
			return isJSON, nil
		}
	case len(b) > 0 && b[0] == '<':
		if bytes.Contains(head, []byte("<cdr")) && (bytes.Contains(head, []byte("<channel_data>")) || bytes.Contains(head, []byte("<variables>")) || bytes.Contains(head, []byte("<callflow"))) {
			return isXML, nil
		}
	default:
		if l := template(head); l != nil {
			return isCSV, l
		}
	}
	return none, nil
}

// Read reads a file and hands its records to sink. segment is how many bytes are read at a
// time; 0 leaves it to the reader.
func Read(ctx context.Context, r io.Reader, sink dump.Sink, segment int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	head, err := io.ReadAll(io.LimitReader(r, headSize))
	if err != nil {
		return err
	}
	what, layout := recognise(head)
	r = io.MultiReader(bytes.NewReader(head), r)
	if what == isCSV {
		return delimited.Read(ctx, r, sink, delimited.Options{Table: "fs_cdr_csv", Layout: layout, Segment: segment})
	}
	rows := build.New(sink, cdrTable())
	found := false
	put := func(text []byte, offset, length int64, damage string, fill func(*build.Rows, []byte) error) error {
		found = true
		if damage == "" {
			rows.Begin(offset)
			err := fill(rows, text)
			if err == nil {
				return rows.End()
			}
			rows.Cancel()
			damage, length = err.Error(), int64(len(text))
		}
		return rows.Damage(offset, length, 1, damage)
	}
	if what == isXML {
		err = build.Elements(ctx, r, "cdr", segment, 0, func(e build.Element) error {
			return put(e.Text, e.Offset, e.Length, e.Damage, fromXML)
		})
	} else {
		err = jsonl.Scan(ctx, r, jsonl.Options{Segment: segment}, func(o jsonl.Object) error {
			return put(o.Text, o.Offset, o.Length, o.Damage, fromJSON)
		})
	}
	if err == nil && !found {
		return sink.Damage(dump.Damage{Reason: "the file holds no call record"})
	}
	return errors.Join(err, rows.Flush())
}

func readRow(ctx context.Context, src dump.Sealed, _ string, _, offset int64) (dump.Found, error) {
	head := make([]byte, headSize)
	n, err := src.At.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return dump.Found{}, err
	}
	what, layout := recognise(head[:n])
	switch what {
	case isCSV:
		return delimited.ReadRow(src.At, layout, offset)
	case isXML:
		var found dump.Found
		stop := errors.New("found")
		err := build.Elements(ctx, io.NewSectionReader(src.At, offset, src.Size-offset), "cdr", 64<<10, 0, func(e build.Element) error {
			if e.Damage != "" || e.Offset != 0 {
				return fmt.Errorf("no call record begins at offset %d %s", offset, e.Damage)
			}
			var err error
			if found, err = build.One(cdrTable(), nil, func(r *build.Rows) error { r.Begin(offset); return fromXML(r, e.Text) }); err != nil {
				return err
			}
			return stop
		})
		if err == stop {
			return found, nil
		} else if err == nil {
			err = fmt.Errorf("no call record begins at offset %d", offset)
		}
		return dump.Found{}, err
	}
	text, err := jsonl.ObjectAt(src.At, offset)
	if err != nil {
		return dump.Found{}, err
	}
	return build.One(cdrTable(), nil, func(r *build.Rows) error { r.Begin(offset); return fromJSON(r, text) })
}

// What the columns of fs_cdr are picked from, in their order. A name that stands in two lists
// is taken from the first that has it.
var (
	fromTop       = strings.Fields("core_uuid switchname")
	fromProfile   = strings.Fields("uuid username dialplan caller_id_name caller_id_number callee_id_name callee_id_number ani aniii network_addr rdnis destination_number source context chan_name")
	fromTimes     = strings.Fields("created_time profile_created_time progress_time progress_media_time answered_time bridged_time last_hold_time hold_accum_time hangup_time resurrect_time transfer_time")
	fromVariables = strings.Fields("uuid call_uuid bridge_uuid direction accountcode user_name domain_name start_stamp answer_stamp end_stamp start_epoch answer_epoch end_epoch duration billsec " +
		"hangup_cause hangup_cause_q850 sip_hangup_disposition sip_term_status originate_disposition sip_call_id sip_network_ip sip_received_ip remote_media_ip sip_from_user sip_from_host sip_from_display " +
		"sip_to_user sip_req_user sip_contact_user sip_contact_host sip_auth_username sip_user_agent sip_P-Asserted-Identity sip_h_P-Asserted-Identity sip_Remote-Party-ID sip_cid_type sip_Privacy " +
		"effective_caller_id_name effective_caller_id_number origination_caller_id_name origination_caller_id_number outbound_caller_id_name outbound_caller_id_number " +
		"last_app last_arg record_path record_name digits_dialed pin_number")
	whole = strings.Fields("variables call_flow rest")
)

// column is the place of each name of fs_cdr.
var column, names = func() (map[string]int, []string) {
	place, list := map[string]int{}, []string(nil)
	for _, part := range [][]string{fromTop, fromProfile, fromTimes, fromVariables, whole} {
		for _, name := range part {
			if _, ok := place[name]; !ok {
				place[name] = len(list)
				list = append(list, name)
			}
		}
	}
	return place, list
}()

// numeric are the columns that hold whole numbers.
var numeric = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range append(strings.Fields("start_epoch answer_epoch end_epoch duration billsec hangup_cause_q850 sip_term_status"), fromTimes...) {
		m[name] = true
	}
	return m
}()

// columnOf gives a column by its name: numbers and local times are known by it.
func columnOf(name string) dump.Column {
	switch {
	case numeric[name]:
		return dump.Column{Name: name, Kind: dump.Int, Declared: "number"}
	case strings.HasSuffix(name, "_stamp"):
		return dump.Column{Name: name, Kind: dump.DateTime, Declared: "local time"}
	}
	return dump.Column{Name: name, Kind: dump.Text, Declared: "string"}
}

func cdrTable() *dump.Table {
	t := &dump.Table{Name: "fs_cdr"}
	for _, name := range names {
		t.Columns = append(t.Columns, columnOf(name))
	}
	return t
}
