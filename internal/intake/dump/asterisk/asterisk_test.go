package asterisk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

const head = `"acc1","447700900001","442079460000","from-spoof","""HSBC Fraud Team"" <+443457404404>","SIP/1001-0000001a","SIP/trunk-0000001b","Dial","SIP/trunk/442079460000,60","2022-07-01 10:00:00","2022-07-01 10:00:09","2022-07-01 10:03:00",180,171,"ANSWERED","DOCUMENTATION"`
const missed = `"acc1","1001","442079460001","from-spoof","","SIP/1001-0000001c","","Dial","x","2022-07-01 10:05:00",,"2022-07-01 10:05:30",30,0,"NO ANSWER","DOCUMENTATION"`

func read(t *testing.T, text string) *dumptest.Collector {
	t.Helper()
	var c dumptest.Collector
	if err := Read(context.Background(), strings.NewReader(text), &c, 0); err != nil {
		t.Fatal(err)
	}
	return &c
}

func names(c *dumptest.Collector) string {
	var list []string
	for _, col := range c.Tables[0].Columns {
		list = append(list, col.Name)
	}
	return strings.Join(list, " ")
}

func TestTails(t *testing.T) {
	const uid, linked = `,"1656669600.26"`, `,"peer","1656669600.26",77`
	for tail, want := range map[string]string{
		"":                         "",
		uid:                        "uniqueid",
		`,"note"`:                  "userfield",
		uid + `,"note"`:            "uniqueid userfield",
		linked:                     "peeraccount linkedid sequence",
		uid + linked:               "uniqueid peeraccount linkedid sequence",
		`,"note"` + linked:         "userfield peeraccount linkedid sequence",
		uid + `,"note"` + linked:   "uniqueid userfield peeraccount linkedid sequence",
		`,"host-1656669600.26"`:    "uniqueid",
		`,"host-1656669600.26",""`: "uniqueid userfield",
	} {
		text := missed + "\n" + head + tail + "\n" // the first record is older and shorter
		if !Format().Match("Master.csv", []byte(text)) {
			t.Errorf("%q is not recognised", tail)
		}
		c := read(t, text)
		if len(c.Found) != 2 || len(c.Damages) != 0 {
			t.Fatalf("%q:\n%s", tail, c)
		}
		got := strings.TrimSpace(strings.TrimPrefix(names(c), cdrHead))
		if !strings.HasPrefix(got, want) || want != "" && len(tail) > 2 && got != want && !strings.HasPrefix(got, want+" ") {
			t.Errorf("%q: columns %q, want %q", tail, got, want)
		}
		first, second := c.Found[0].Cells, c.Found[1].Cells
		if second[4] != `"HSBC Fraud Team" <+443457404404>` || second[12] != "180" || first[10] != "<null>" || first[4] != "" || first[len(first)-1] != "<null>" {
			t.Errorf("%q:\n%s", tail, c)
		}
	}
	if k := columns("start duration src"); k[0].Kind != dump.DateTime || k[1].Kind != dump.Int || k[2].Kind != dump.Text {
		t.Error(k)
	}
}

func TestOtherOrders(t *testing.T) {
	custom := `"""HSBC"" <+443457404404>","+443457404404","442079460000","ctx","SIP/1","SIP/2","Dial","x","2022-07-01 10:00:00","","2022-07-01 10:03:00","180","0","BUSY","DOCUMENTATION","acc1","1656669600.26","",5` + "\n"
	c := read(t, custom)
	if c.Found[0].Table != "cdr_custom" || c.Found[0].Cells[15] != "acc1" || c.Found[0].Cells[9] != "<null>" {
		t.Errorf("%s", c)
	}
	event := `"APP_START","%s1656669600.123456","HSBC","+443457404404","","","","s","ivr","SIP/1","Read","code,/press,6","DOCUMENTATION","acc1","1656669600.26","1656669600.26","","","",""` + "\n"
	for _, literal := range []string{"", `My Literal","`} {
		text := fmt.Sprintf(event, literal)
		if !Format().Match("", []byte(text)) {
			t.Error("not recognised")
		}
		c := read(t, text)
		got := map[string]string{}
		for i, col := range c.Tables[0].Columns {
			got[col.Name] = c.Found[0].Cells[i]
		}
		if c.Found[0].Table != "cel" || got["eventtime"] != "1656669600.123456" || got["appdata"] != "code,/press,6" || got["linkedid"] != "1656669600.26" {
			t.Errorf("%s %v", names(c), c)
		}
	}
	for _, text := range []string{"", "a,b,c\n1,2,3\n", strings.Replace(missed, "NO ANSWER", "MAYBE", 1), strings.Replace(missed, "2022-07-01 10:05:00", "x", 1), `"CHAN_START","x"` + strings.Repeat(`,""`, 18)} {
		if Format().Match("Master.csv", []byte(text)) {
			t.Errorf("%q is recognised", text)
		}
	}
}

func TestConform(t *testing.T) {
	cells := func(s string) []string { return strings.Split(s, "|") }
	dumptest.Conform(t, dumptest.Case{
		Format: Format(), Unmarked: true,
		Write: func(testing.TB) []dumptest.File {
			return []dumptest.File{{Name: "Master.csv", Content: []byte(head + `,"1656669600.26",""` + "\n" + missed + `,"1656669900.28","n"` + "\n")}}
		},
		Want: []dumptest.Row{
			{Table: "cdr", Ordinal: 1, Cells: cells(`acc1|447700900001|442079460000|from-spoof|"HSBC Fraud Team" <+443457404404>|SIP/1001-0000001a|SIP/trunk-0000001b|Dial|SIP/trunk/442079460000,60|2022-07-01 10:00:00|2022-07-01 10:00:09|2022-07-01 10:03:00|180|171|ANSWERED|DOCUMENTATION|1656669600.26||<null>|<null>|<null>`)},
			{Table: "cdr", Ordinal: 2, Cells: cells(`acc1|1001|442079460001|from-spoof||SIP/1001-0000001c||Dial|x|2022-07-01 10:05:00|<null>|2022-07-01 10:05:30|30|0|NO ANSWER|DOCUMENTATION|1656669900.28|n|<null>|<null>|<null>`)},
		},
		Segment: func(size int) dump.Format {
			f := Format()
			f.Stream = func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
				return Read(ctx, r, sink, size)
			}
			return f
		},
		Large: func(t testing.TB, path string) int64 {
			part := strings.Repeat(head+"\n"+missed+"\n", 1000)
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for range 200 {
				if _, err := f.WriteString(part); err != nil {
					t.Fatal(err)
				}
			}
			return 400000
		},
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(head+"\n"+missed+",\"1656669900.28\"\n"), uint8(3))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		Format().Match("", text)
		var whole, cut dumptest.Collector
		errWhole := Read(context.Background(), bytes.NewReader(text), &whole, 1<<16)
		errCut := Read(context.Background(), bytes.NewReader(text), &cut, int(size)+1)
		if fmt.Sprint(errWhole) != fmt.Sprint(errCut) || whole.String() != cut.String() {
			t.Fatalf("segments change the rows: %v, %v\n%s\n%s", errWhole, errCut, &whole, &cut)
		}
	})
}
