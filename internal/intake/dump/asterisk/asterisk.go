// Package asterisk reads the call records Asterisk writes as text without a header line:
//
//   - cdr-csv/Master.csv and the files of single accounts beside it (cdr/cdr_csv.c): strings
//     quoted, numbers bare, a time that is not set an empty field without quotes; 16 fields,
//     and up to five more as cdr.conf has them: uniqueid (loguniqueid), userfield
//     (loguserfield), then peeraccount, linkedid, sequence (newcdrcolumns), so 16 to 21;
//   - cdr-custom/Master.csv as the sample configuration writes it: clid first, accountcode
//     16th, then uniqueid, userfield, sequence; 18 or 19 fields, all quoted but the last;
//   - cel-custom/Master.csv as the sample configuration writes it: eventtype, eventtime, the
//     caller's numbers, the channel, ... ; 19 or 20 fields, with a literal behind the first
//     where the sample's "My Literal" was left in.
//
// They are told apart by content, never by place alone: a record of a call has a disposition
// and its three times where its order says; one of an event begins with an event's name and a
// time. Which order the first record that fits has is the file's; a record of another is
// damage where its number of fields does not fit. The number of fields may grow within one
// file, as it does when somebody changes cdr.conf: missing columns are null.
//
// Which of uniqueid and userfield a 17th field is, and whether the last three stand behind
// none, one or both of them, is told from the first records' content.
//
// Times stand as written: the exchange's local wall clock, unless cdr.conf says usegmtime=yes.
// eventtime is text, because its format is configured; by default it is seconds since 1970
// with six digits behind the point. With accountlogs=yes each call stands in two files; both
// are kept, for duplicates are found later, by uniqueid and sequence.
//
// Not read: orders of other configurations, which the csv reader takes with columns c1, c2,
// ...; JSON (the json reader takes it); tables in databases.
package asterisk

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/delimited"
)

// Format is the reader of Asterisk's CSV files. It is asked before the csv reader.
func Format() dump.Format {
	return dump.Format{
		Name: "asterisk", Version: "1", About: "call records and channel events of Asterisk, as CSV without a header",
		Match: func(_ string, head []byte) bool {
			_, ok := recognise(head)
			return ok
		},
		Stream: func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
			return Read(ctx, r, sink, 0)
		},
		Row: func(_ context.Context, src dump.Sealed, _ string, _, offset int64) (dump.Found, error) {
			head := make([]byte, headSize)
			n, err := src.At.ReadAt(head, 0)
			if err != nil && err != io.EOF {
				return dump.Found{}, err
			}
			order, _ := recognise(head[:n])
			return delimited.ReadRow(src.At, &order.Layout, offset)
		},
	}
}

const headSize = 64 << 10

// Read reads a file and hands its records to sink. Segment is as in [delimited.Options].
func Read(ctx context.Context, r io.Reader, sink dump.Sink, segment int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	head, err := io.ReadAll(io.LimitReader(r, headSize))
	if err != nil {
		return err
	}
	order, _ := recognise(head)
	return delimited.Read(ctx, io.MultiReader(strings.NewReader(string(head)), r), sink,
		delimited.Options{Table: order.table, Layout: &order.Layout, Segment: segment})
}

// order is one of the orders fields stand in.
type order struct {
	table string
	delimited.Layout
}

func columns(names string) (list []dump.Column) {
	for _, name := range strings.Fields(names) {
		c := dump.Column{Name: name, Kind: dump.Text, Declared: "string"}
		switch name {
		case "start", "answer", "end":
			c.Kind, c.Declared = dump.DateTime, "local time"
		case "duration", "billsec", "sequence":
			c.Kind, c.Declared = dump.Int, "int"
		}
		list = append(list, c)
	}
	return list
}

const (
	cdrHead = "accountcode src dst dcontext clid channel dstchannel lastapp lastdata start answer end duration billsec disposition amaflags"
	custom  = "clid src dst dcontext channel dstchannel lastapp lastdata start answer end duration billsec disposition amaflags accountcode uniqueid userfield sequence"
	cel     = "eventtime cid_name cid_num cid_ani cid_rdnis cid_dnid exten context channame appname appdata amaflags accountcode uniqueid linkedid peer userfield userdeftype eventextra"
)

// recognise tells which order a file's records have. Where none fits it gives that of
// cdr-csv with all columns.
func recognise(head []byte) (order, bool) {
	if len(head) < headSize && len(head) > 0 && head[len(head)-1] != '\n' {
		head = append(slices.Clone(head), '\n') // the whole file: its last record is whole
	}
	records := delimited.Records(head, ',', false, 50)
	for _, r := range records {
		switch {
		case call(r, 9) && len(r) >= 16 && len(r) <= 21:
			return cdrOrder(records), true
		case call(r, 8) && (len(r) == 18 || len(r) == 19):
			cols := columns(custom)
			return order{table: "cdr_custom", Layout: delimited.Layout{Columns: cols, Sep: ',', Least: 18}}, true
		case len(r) >= 19 && len(r) <= 21 && events[r[0]]:
			cols := columns("eventtype " + cel)
			if !eventTime(r[1]) && eventTime(r[2]) {
				cols = columns("eventtype literal " + cel)
			} else if !eventTime(r[1]) {
				continue
			}
			if len(r) > len(cols) {
				continue
			}
			return order{table: "cel", Layout: delimited.Layout{Columns: cols, Sep: ',', Least: len(cols) - 1}}, true
		}
	}
	return cdrOrder(nil), false
}

// call reports whether a record has the three times at the given place and what belongs
// behind them.
func call(r []string, times int) bool {
	if len(r) < times+7 {
		return false
	}
	some := false
	for _, v := range r[times : times+3] {
		if _, ok := dump.ParseDateTime([]byte(v)); ok {
			some = true
		} else if v != "" {
			return false
		}
	}
	for _, v := range r[times+3 : times+5] {
		if !number(v) {
			return false
		}
	}
	return some && dispositions[r[times+5]]
}

// cdrOrder tells what the columns behind the sixteenth are, from the longest of the records.
func cdrOrder(records [][]string) order {
	var longest []string
	for _, r := range records {
		if call(r, 9) && len(r) <= 21 && len(r) > len(longest) {
			longest = r
		}
	}
	tail := []string{"uniqueid", "userfield", "peeraccount", "linkedid", "sequence"}
	switch n := len(longest); {
	case n == 17 && !unique(longest[16]):
		tail = []string{"userfield"}
	case n == 19 && number(longest[18]) && unique(longest[17]):
		tail = tail[2:]
	case n == 20 && !unique(longest[16]):
		tail = tail[1:]
	case n == 20 && unique(longest[18]) && number(longest[19]):
		tail = []string{"uniqueid", "peeraccount", "linkedid", "sequence"}
	}
	return order{table: "cdr", Layout: delimited.Layout{Columns: columns(cdrHead + " " + strings.Join(tail, " ")), Sep: ',', Least: 16}}
}

// unique reports whether v looks as Asterisk's uniqueid does: [system name-]epoch.number.
func unique(v string) bool {
	v = v[strings.LastIndexByte(v, '-')+1:]
	whole, part, ok := strings.Cut(v, ".")
	return ok && len(whole) >= 9 && number(whole) && number(part)
}

// number reports whether v is digits, perhaps with a fraction.
func number(v string) bool {
	for _, c := range []byte(v) {
		if (c < '0' || c > '9') && c != '.' {
			return false
		}
	}
	return v != ""
}

// eventTime reports whether v is a time as cel.conf may have it.
func eventTime(v string) bool {
	if number(v) && len(v) >= 10 {
		return true
	}
	_, ok := dump.ParseDateTime([]byte(v[:min(len(v), 19)]))
	return ok && len(v) >= 19
}

var dispositions = map[string]bool{"ANSWERED": true, "NO ANSWER": true, "BUSY": true, "FAILED": true, "CONGESTION": true, "NOANSWER": true}

var events = func() map[string]bool {
	m := map[string]bool{}
	for _, e := range strings.Fields("CHAN_START CHAN_END HANGUP ANSWER APP_START APP_END BRIDGE_START BRIDGE_END BRIDGE_ENTER BRIDGE_EXIT CONF_ENTER CONF_EXIT CONF_START CONF_END " +
		"PARK_START PARK_END BLINDTRANSFER ATTENDEDTRANSFER TRANSFER PICKUP FORWARD 3WAY_START 3WAY_END HOOKFLASH LINKEDID_END LOCAL_OPTIMIZE LOCAL_OPTIMIZE_BEGIN " +
		"USER_DEFINED STREAM_BEGIN STREAM_END DTMF") {
		m[e] = true
	}
	return m
}()
