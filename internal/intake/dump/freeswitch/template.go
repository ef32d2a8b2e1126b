package freeswitch

import (
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/delimited"
)

// templates are the shipped ones (conf/vanilla/autoload_configs/cdr_csv.conf.xml) that differ
// in what their records look like.
var templates = func() (list [][]string) {
	const example = "caller_id_name caller_id_number destination_number context start_stamp answer_stamp end_stamp duration billsec hangup_cause uuid bleg_uuid accountcode read_codec write_codec"
	for _, t := range []string{
		example,
		example + " sip_user_agent sip_p_rtp_stat",
		example + " sip_user_agent call_clientcode sip_rtp_rxstat sip_rtp_txstat sofia_record_file",
		"accountcode caller_id_number destination_number context caller_id channel_name bridge_channel last_app last_arg start_stamp answer_stamp end_stamp duration billsec hangup_cause amaflags uuid userfield",
		"uuid signal_bond direction ani destination_number answer_stamp end_stamp billsec accountcode userfield network_addr original_caller_id_name sip_gateway_name",
	} {
		list = append(list, strings.Fields(t))
	}
	return list
}()

// template tells which template a file's records follow; nil for none of these.
func template(head []byte) *delimited.Layout {
	if len(head) < headSize && len(head) > 0 && head[len(head)-1] != '\n' {
		head = append(slices.Clone(head), '\n') // the whole file: its last record is whole
	}
	for _, r := range delimited.Records(head, ',', true, 50) {
		for _, t := range templates {
			if !follows(r, t) {
				continue
			}
			l := &delimited.Layout{Sep: ',', Lenient: true}
			for _, name := range t {
				l.Columns = append(l.Columns, columnOf(name))
			}
			return l
		}
	}
	return nil
}

// follows reports whether a record's fields look like their names.
func follows(r, t []string) bool {
	if len(r) != len(t) {
		return false
	}
	times := false
	for i, v := range r {
		switch name := t[i]; {
		case strings.HasSuffix(name, "_stamp"):
			_, ok := dump.ParseDateTime([]byte(v))
			if !ok && v != "" {
				return false
			}
			times = times || ok
		case numeric[name]:
			if _, ok := dump.ParseInt([]byte(v)); !ok && v != "" {
				return false
			}
		case name == "uuid":
			if len(v) != 36 || v[8] != '-' || v[23] != '-' {
				return false
			}
		case name == "hangup_cause":
			if strings.Trim(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != "" {
				return false
			}
		}
	}
	return times
}
