package freeswitch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

func read(t testing.TB, text string, segment int) *dumptest.Collector {
	t.Helper()
	var c dumptest.Collector
	if err := Read(context.Background(), strings.NewReader(text), &c, segment); err != nil {
		t.Fatal(err)
	}
	return &c
}

func row(c *dumptest.Collector, i int) map[string]string {
	m := map[string]string{}
	for k, col := range c.Tables[0].Columns {
		m[col.Name] = c.Found[i].Cells[k]
	}
	return m
}

const jsonCDR = `{"core-uuid":"c1","switchname":"pbx","channel_data":{"state":"CS_REPORTING","direction":"inbound"},"callStats":{"audio":{}},
"variables":{"uuid":"91353230-461f-11de-aa7f-b10b4edc0c92","accountcode":"acc1","sip_from_user":"1001","sip_from_uri":"1001%4010.0.0.1","sip_P-Asserted-Identity":"%2B443457404404","start_stamp":"2022-07-01%2010%3A00%3A00","answer_stamp":"","duration":"12","billsec":"0","hangup_cause":"NORMAL_CLEARING","digits_dialed":"482913","user_name":"1001"},
"app_log":{"applications":[]},"callflow":[{"dialplan":"XML","profile_index":"2","caller_profile":{"username":"1001","caller_id_name":"HSBC Fraud Team","caller_id_number":"+443457404404","ani":"1001","network_addr":"10.0.0.1","destination_number":"447700900001","uuid":"91353230-461f-11de-aa7f-b10b4edc0c92","context":"spoof"},"times":{"created_time":"1656669600000000","answered_time":"0","hangup_time":"1656669612000000"}},{"caller_profile":{"ani":"other"}}]}`

const xmlCDR = `<cdr core-uuid="c1" switchname="pbx"><channel_data><direction>inbound</direction></channel_data><variables><uuid>u1</uuid><sip_from_user>1001</sip_from_user><sip_from_uri>1001%40h</sip_from_uri><sip_P-Asserted-Identity>%2B443457404404</sip_P-Asserted-Identity><duration>12</duration><digits_dialed>482913</digits_dialed></variables>
<app_log><application app_name="bridge" app_data="a&amp;b"></application></app_log><callflow dialplan="XML"><extension name="x"></extension><caller_profile><caller_id_name>O&apos;Brien</caller_id_name><caller_id_number>+443457404404</caller_id_number><ani>1001</ani><originator><originator_caller_profile><ani>9</ani></originator_caller_profile></originator></caller_profile><times><created_time>1656669600000000</created_time></times></callflow><callflow><caller_profile><ani>older</ani></caller_profile></callflow></cdr>`

func TestRecords(t *testing.T) {
	flat := strings.ReplaceAll(jsonCDR, "\n", "")
	for name, text := range map[string]string{
		"json, one file": jsonCDR, "json, lines": flat + "\n" + flat + "\n", "json, array": "[" + flat + ",\n" + flat + "]",
		"xml": "<?xml version=\"1.0\"?>\n" + xmlCDR, "xml, several": xmlCDR + "\n" + xmlCDR + "\n",
	} {
		if !Format().Match("", []byte(text)) {
			t.Errorf("%s is not recognised", name)
		}
		for _, size := range []int{0, 1, 100} {
			c := read(t, text, size)
			if len(c.Damages) != 0 || len(c.Found) == 0 {
				t.Fatalf("%s: %s", name, c)
			}
			got := row(c, len(c.Found)-1)
			for k, want := range map[string]string{"core_uuid": "c1", "ani": "1001", "caller_id_number": "+443457404404", "sip_P-Asserted-Identity": "+443457404404",
				"duration": "12", "digits_dialed": "482913", "direction": "inbound", "created_time": "1656669600000000", "answer_stamp": "<null>", "transfer_time": "<null>"} {
				if got[k] != want {
					t.Errorf("%s: %s is %q, want %q", name, k, got[k], want)
				}
			}
			if !strings.Contains(got["variables"], "1001%40") || !strings.Contains(got["call_flow"], "caller_profile") || !strings.Contains(got["rest"], "app_log") {
				t.Errorf("%s: the whole is not kept: %v", name, got)
			}
			if strings.HasPrefix(name, "json") && (got["start_stamp"] != "2022-07-01 10:00:00" || got["caller_id_name"] != "HSBC Fraud Team") {
				t.Errorf("%s: %v", name, got)
			}
			if name == "xml" && (got["caller_id_name"] != "O'Brien" || !strings.Contains(got["rest"], "older")) {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
}

func TestEncoded(t *testing.T) {
	for want, list := range map[bool][][]pair{
		true:  {{{"a", "1%40h"}, {"b", "x"}}},
		false: {{{"a", "1@h"}}, {{"a", "100%"}}, {{"a", "1%40h"}, {"b", "two words"}}, nil},
	} {
		for _, l := range list {
			if encoded(l) != want {
				t.Errorf("%v: %v", l, !want)
			}
		}
	}
}

func TestDamage(t *testing.T) {
	flat := strings.ReplaceAll(jsonCDR, "\n", "")
	for text, want := range map[string]string{
		flat + "\n{\"a\":1}\n" + flat + "\n":                            "no call record",
		flat + "\n{\"variables\":\n" + flat:                             "not a JSON object",
		xmlCDR + strings.Replace(xmlCDR, "</ani>", "", 1) + xmlCDR:      "not well-formed",
		xmlCDR + strings.Replace(xmlCDR, "</cdr>", "", 1) + xmlCDR:      "does not close before",
		xmlCDR + strings.Replace(xmlCDR, "O&apos;", "\x01", 1) + xmlCDR: "not well-formed",
		xmlCDR + "<cdr><other/></cdr>" + xmlCDR:                         "no call record",
	} {
		c := read(t, text, 0)
		if len(c.Found) != 2 || c.In() != 3 || !strings.Contains(c.Damages[0].Reason, want) || c.Found[1].Ordinal != 3 {
			t.Errorf("%s: %.300s", want, c)
		}
	}
	// Text that is not UTF-8 is taken for Windows-1252.
	if c := read(t, strings.Replace(xmlCDR, "O&apos;", "\xc9", 1), 0); row(c, 0)["caller_id_name"] != "ÉBrien" {
		t.Errorf("%s", c)
	}
}

// A record that lacks parts is one still.
func TestBareXML(t *testing.T) {
	const text = `<?xml version="1.0"?><cdr><variables><uuid>u1</uuid><duration>12</duration></variables></cdr>`
	if !Format().Match("", []byte(text)) {
		t.Error("it is not recognised")
	}
	c := read(t, text, 0)
	if len(c.Found) != 1 || len(c.Damages) != 0 || row(c, 0)["uuid"] != "u1" || row(c, 0)["duration"] != "12" {
		t.Errorf("%s", c)
	}
}

func TestTemplates(t *testing.T) {
	const uuid = "91353230-461f-11de-aa7f-b10b4edc0c92"
	example := `"HSBC "Fraud" Team","+443457404404","447700900001","spoof","2022-07-01 10:00:00","","2022-07-01 10:03:00","180","0","NO_ANSWER","` + uuid + `","","acc1","PCMA","PCMA"`
	asterisk := `"acc1","1001","447700900001","spoof","""HSBC"" <1001>","sofia/a","sofia/b","bridge","x, y","2022-07-01 10:00:00","2022-07-01 10:00:09","2022-07-01 10:03:00","180","171","NORMAL_CLEARING","DOCUMENTATION","` + uuid + `","x"`
	rate := `"` + uuid + `","","inbound","1001","447700900001","2022-07-01 10:00:09","2022-07-01 10:03:00","171","acc1","","10.0.0.1","HSBC","gw"`
	for name, c := range map[string]struct{ text, key, want string }{
		"example": {example, "caller_id_name", `HSBC "Fraud" Team`}, "missed": {example, "answer_stamp", "<null>"},
		"linksys": {example + `,"agent","stat"`, "sip_p_rtp_stat", "stat"}, "asterisk": {asterisk, "last_arg", "x, y"}, "rate": {rate, "ani", "1001"},
	} {
		text := c.text + "\n" + c.text + "\n"
		if !Format().Match("Master.csv", []byte(text)) {
			t.Errorf("%s is not recognised", name)
			continue
		}
		got := read(t, text, 7)
		if len(got.Found) != 2 || row(got, 1)[c.key] != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, text := range []string{"", "a,b\n1,2\n", strings.Replace(example, uuid, "x", 1) + "\n", `{"a":1}`, "<a><cdr/></a>"} {
		if Format().Match("Master.csv", []byte(text)) {
			t.Errorf("%q is recognised", text)
		}
	}
}

func TestConform(t *testing.T) {
	flat := strings.ReplaceAll(jsonCDR, "\n", "")
	csv := `"HSBC","+443457404404","447700900001","spoof","2022-07-01 10:00:00","","2022-07-01 10:03:00","180","0","NO_ANSWER","91353230-461f-11de-aa7f-b10b4edc0c92","","acc1","PCMA","PCMA"` + "\n"
	for name, text := range map[string]string{"json": flat + "\n" + strings.ReplaceAll(flat, "447700900001", "447700900002") + "\n", "xml": xmlCDR + "\n" + strings.ReplaceAll(xmlCDR, "O&apos;", "Mc") + "\n", "csv": csv + csv} {
		t.Run(name, func(t *testing.T) {
			var want []dumptest.Row
			for _, r := range read(t, text, 0).Found {
				want = append(want, dumptest.Row{Table: r.Table, Ordinal: r.Ordinal, Cells: r.Cells})
			}
			dumptest.Conform(t, dumptest.Case{
				Format: Format(), Want: want, Unmarked: true,
				Write: func(testing.TB) []dumptest.File {
					return []dumptest.File{{Name: "cdr", Content: []byte(text)}}
				},
				Segment: func(size int) dump.Format {
					f := Format()
					f.Stream = func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
						return Read(ctx, r, sink, size)
					}
					return f
				},
			})
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(jsonCDR), uint8(3))
	f.Add([]byte(xmlCDR), uint8(3))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var whole, cut dumptest.Collector
		errWhole := Read(context.Background(), bytes.NewReader(text), &whole, 1<<16)
		errCut := Read(context.Background(), bytes.NewReader(text), &cut, int(size)+1)
		if fmt.Sprint(errWhole) != fmt.Sprint(errCut) || whole.String() != cut.String() {
			t.Fatalf("segments change the rows: %v, %v\n%s\n%s", errWhole, errCut, &whole, &cut)
		}
	})
}
