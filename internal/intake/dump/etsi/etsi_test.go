package etsi

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

const header = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rd:RetainedDataMessage xmlns:rd=\"http://uri.etsi.org/02657/v1.26.1#/RetainedData\"><rd:retainedDataHeader><rd:requestID><rd:requestNumber>R1</rd:requestNumber></rd:requestID></rd:retainedDataHeader><rd:retainedDataPayload>"

func partyXML(role, number, more string) string {
	return "<TelephonyPartyInformation><partyRole>" + role + "</partyRole><partyNumber>" + number + "</partyNumber>" + more + "</TelephonyPartyInformation>"
}

func record(n int, prefix, parties string) string {
	text := fmt.Sprintf("<ResponseRecord><recordNumber>%d</recordNumber><additionalInformation><otherInformation>Session-ID 1</otherInformation></additionalInformation><recordPayload><telephonyRecord><telephonyServiceUsage><partyInformation>%s</partyInformation></telephonyServiceUsage></telephonyRecord></recordPayload></ResponseRecord>", n, parties)
	if prefix != "" {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "<", "<"+prefix+":"), "<"+prefix+":/", "</"+prefix+":")
	}
	return text
}

func sample(prefix string) string {
	parties := partyXML("originating-Party", "443457404404", "<communicationTime><startTime>20220701100000Z</startTime><endTime>20220701100300Z</endTime><durationTime>180</durationTime></communicationTime><iMSI>234150000000001</iMSI><detailedLocation><cellInformation><cellID>1234</cellID></cellInformation></detailedLocation>") +
		partyXML("1", "447700900001", "<iMEI>350000000000001</iMEI>") + partyXML("2", "447700900009", "") + partyXML("connected-Party", "447700900008", "")
	return header + record(1, prefix, parties) + "\n" + record(2, prefix, partyXML("terminating-Party", "447700900002", "")) + "</rd:retainedDataPayload></rd:RetainedDataMessage>\n"
}

func read(t testing.TB, text string, segment int) *dumptest.Collector {
	t.Helper()
	var c dumptest.Collector
	if err := Read(context.Background(), strings.NewReader(text), &c, segment); err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestRecords(t *testing.T) {
	for _, prefix := range []string{"", "rd", "ns2"} {
		c := read(t, sample(prefix), 7)
		if len(c.Found) != 2 || len(c.Damages) != 0 || len(c.Statements) != 1 || !strings.Contains(c.Statements[0], "R1") {
			t.Fatalf("prefix %q: %s %q", prefix, c, c.Statements)
		}
		got := map[string]string{}
		for i, col := range c.Tables[0].Columns {
			got[col.Name] = c.Found[0].Cells[i]
		}
		for k, want := range map[string]string{"record_number": "1", "record_kind": "telephonyRecord", "record_type": "telephonyServiceUsage", "start_time": "20220701100000Z", "duration": "180", "calling_number": "443457404404",
			"calling_imsi": "234150000000001", "calling_cell": "1234", "called_number": "447700900001", "called_imei": "350000000000001", "called_imsi": "<null>", "forwarded_number": "447700900009", "other_numbers": "447700900008", "parties": "4", "other_information": "Session-ID 1"} {
			if got[k] != want {
				t.Errorf("prefix %q: %s is %q, want %q", prefix, k, got[k], want)
			}
		}
		if !strings.Contains(got["record"], "detailedLocation") {
			t.Errorf("prefix %q: the record is not kept", prefix)
		}
	}
}

func TestDamage(t *testing.T) {
	a, b := record(1, "", partyXML("0", "1", "")), record(3, "", partyXML("0", "3", ""))
	for bad, why := range map[string]string{
		strings.Replace(a, "</partyNumber>", "", 1):    "not well-formed",
		strings.Replace(a, "</ResponseRecord>", "", 1): "does not close",
		strings.Replace(a, "<partyRole>", "<&>", 1):    "not well-formed",
	} {
		c := read(t, header+a+bad+b, 0)
		if len(c.Found) != 2 || c.In() != 3 || c.Found[1].Ordinal != 3 || !strings.Contains(c.Damages[0].Reason, why) {
			t.Errorf("%s: %s", why, c)
		}
	}
	if c := read(t, header+a+b[:50], 0); len(c.Found) != 1 || c.In() != 2 {
		t.Errorf("%s", c)
	}
	if c := read(t, header, 0); len(c.Found) != 0 || len(c.Damages) != 1 {
		t.Errorf("%s", c)
	}
}

func TestConform(t *testing.T) {
	text := sample("rd")
	var want []dumptest.Row
	for _, r := range read(t, text, 0).Found {
		want = append(want, dumptest.Row{Table: r.Table, Ordinal: r.Ordinal, Cells: r.Cells})
	}
	dumptest.Conform(t, dumptest.Case{
		Format: Format(), Want: want, Unmarked: true,
		Write: func(testing.TB) []dumptest.File { return []dumptest.File{{Name: "x.xml", Content: []byte(text)}} },
		Segment: func(size int) dump.Format {
			f := Format()
			f.Stream = func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
				return Read(ctx, r, sink, size)
			}
			return f
		},
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(sample("")), uint8(3))
	f.Add([]byte(sample("rd")), uint8(200))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var whole, cut dumptest.Collector
		errWhole := Read(context.Background(), bytes.NewReader(text), &whole, 1<<16)
		errCut := Read(context.Background(), bytes.NewReader(text), &cut, int(size)+1)
		if fmt.Sprint(errWhole) != fmt.Sprint(errCut) || whole.String() != cut.String() {
			t.Fatalf("segments change the rows: %v, %v\n%s\n%s", errWhole, errCut, &whole, &cut)
		}
	})
}
