package mapping_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The invented platforms of the proposer's measurement: real tables and columns
// (testdata/platforms), values made up here. Numbers are from the ranges that Ofcom keeps for
// drama. What an important column holds is said by its meaning in a truth table
// (propose_test.go); every other column gets values by its declared type and, for the usual
// personal fields, its name, so that there are other phones, times and amounts to mistake.

type column struct{ name, typ string }

type table struct {
	name    string
	columns []column
}

// platform reads a platform's tables.
func platformTables(t *testing.T, name string) (tables []table) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "platforms", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		words := splitTop(lines.Text())
		tab := table{name: words[0]}
		for _, w := range words[1:] {
			c, typ, _ := strings.Cut(w, ":")
			tab.columns = append(tab.columns, column{c, typ})
		}
		tables = append(tables, tab)
	}
	return tables
}

// splitTop splits at spaces outside parentheses.
func splitTop(s string) (list []string) {
	depth, start := 0, 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s), s[i] == ' ' && depth == 0:
			if i > start {
				list = append(list, s[start:i])
			}
			start = i + 1
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		}
	}
	return list
}

// call is one invented call.
type call struct {
	n, account            int
	presented, name       string
	called                string
	start                 time.Time // UTC
	ring, talk            int
	answered              bool
	cause                 int // 1 answered, 2 busy, 3 no answer, 4 cancelled, 5 failed
	uuid, unique, channel string
}

const accounts = 60

var london = func() *time.Location {
	l, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err)
	}
	return l
}()

func phone(r *rand.Rand) string {
	d := [...]string{"7700900%03d", "2079460%03d", "1134960%03d", "8081570%03d", "1632960%03d"}[r.IntN(5)]
	d = fmt.Sprintf(d, r.IntN(1000))
	return [...]string{"44", "+44", "0", "0044", "44"}[r.IntN(5)] + d
}

func username(n int) string {
	return fmt.Sprintf("%s%d", [...]string{"fox", "wolf", "lima", "delta", "kilo"}[n%5], 1000+n*7)
}

// newCall invents a call. One in eight is in the hours about a change of the clocks.
func newCall(r *rand.Rand, n int) call {
	c := call{n: n, account: 1 + r.IntN(accounts-1), presented: phone(r), called: phone(r)}
	from := time.Date(2021, 1, 4, 0, 0, 0, 0, time.UTC)
	c.start = from.Add(time.Duration(r.IntN(700*86400)) * time.Second)
	if r.IntN(8) == 0 {
		change := [...]time.Time{time.Date(2021, 3, 28, 1, 0, 0, 0, time.UTC), time.Date(2022, 3, 27, 1, 0, 0, 0, time.UTC)}[r.IntN(2)]
		c.start = change.Add(time.Duration(r.IntN(6*3600)-3*3600) * time.Second)
	}
	if r.IntN(4) == 0 {
		c.name = [...]string{"Example Bank", "Fraud Team", "Example Bank Security", "HMRC"}[r.IntN(4)]
	}
	c.ring = 2 + r.IntN(30)
	c.cause = 2 + r.IntN(4)
	if r.IntN(10) < 7 {
		c.answered, c.cause, c.talk = true, 1, 1+r.IntN(1500)
	}
	c.unique = fmt.Sprintf("%d.%d", c.start.Unix(), n)
	c.uuid = fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.IntN(65536), r.IntN(4096), r.IntN(4096), r.Int64N(1<<48))
	c.channel = fmt.Sprintf("SIP/%s-%08x", username(c.account), r.Uint32())
	return c
}

func (c call) clid() string {
	if c.name == "" {
		return c.presented
	}
	return fmt.Sprintf("%q <%s>", c.name, c.presented)
}
func (c call) answer() time.Time { return c.start.Add(time.Duration(c.ring) * time.Second) }
func (c call) end() time.Time    { return c.answer().Add(time.Duration(c.talk) * time.Second) }
func (c call) sip() string {
	return [...]string{"", "ANSWERED", "BUSY", "NO ANSWER", "NO ANSWER", "FAILED"}[c.cause]
}
func (c call) q850() string {
	return [...]string{"", "NORMAL_CLEARING", "USER_BUSY", "NO_ANSWER", "ORIGINATOR_CANCEL", "NORMAL_TEMPORARY_FAILURE"}[c.cause]
}

const stamp = "2006-01-02 15:04:05"

// null is a value that is NULL in a dump, and an empty field in CSV.
const null = "\x00"

// callValue is the value of a call for a meaning.
func callValue(c call, meaning string) string {
	when := func(t time.Time, form string) string {
		switch form {
		case "utc":
			return t.UTC().Format(stamp)
		case "wall":
			return t.In(london).Format(stamp)
		case "epoch":
			return fmt.Sprint(t.Unix())
		case "us":
			return fmt.Sprint(t.UnixMicro())
		case "zone":
			return t.In(london).Format("2006-01-02 15:04:05-07")
		}
		panic(form)
	}
	m, form, _ := strings.Cut(meaning, "/")
	switch m {
	case "id":
		return fmt.Sprint(c.n + 1)
	case "uuid":
		return c.uuid
	case "unique":
		return c.unique
	case "account":
		return fmt.Sprint(c.account)
	case "username":
		return username(c.account)
	case "presented":
		return c.presented
	case "clid":
		return c.clid()
	case "name":
		return c.name
	case "called":
		return c.called
	case "calledraw":
		return "9" + strings.TrimPrefix(c.called, "+")
	case "start":
		return when(c.start, form)
	case "answer":
		if !c.answered {
			switch form {
			case "epoch", "us":
				return "0"
			}
			return null
		}
		return when(c.answer(), form)
	case "end":
		return when(c.end(), form)
	case "talk":
		return fmt.Sprint(c.talk)
	case "talkms":
		return fmt.Sprint(c.talk*1000 + c.n%1000)
	case "billed":
		return fmt.Sprint((c.talk + 5) / 6 * 6)
	case "total":
		return fmt.Sprint(c.talk + c.ring)
	case "totalms":
		return fmt.Sprint((c.talk+c.ring)*1000 + c.n%1000)
	case "cause":
		return fmt.Sprint(c.cause)
	case "disposition":
		return c.sip()
	case "q850":
		return c.q850()
	case "channel":
		return c.channel
	case "dstchannel":
		return fmt.Sprintf("SIP/trunk1-%08x", c.n)
	case "trunk":
		return fmt.Sprint(1 + c.n%3)
	case "money":
		return fmt.Sprintf("%.5f", float64(c.talk)*0.0007)
	case "app":
		return "Dial"
	case "lastdata":
		return "SIP/trunk1/" + c.called + ",60"
	case "context":
		return "from-internal"
	case "ip":
		return fmt.Sprintf("198.51.100.%d", c.account)
	case "digits":
		if c.n%3 == 0 {
			return fmt.Sprint(100000 + c.n*37%900000)
		}
		return ""
	case "ama":
		return "DOCUMENTATION"
	case "empty":
		return ""
	case "null":
		return null
	}
	if v, ok := strings.CutPrefix(meaning, "="); ok {
		return v
	}
	panic("no meaning " + meaning)
}

// plain is a value of a column that has no meaning here.
func plain(r *rand.Rand, t table, c column, row int) string {
	name, typ := strings.ToLower(c.name), strings.SplitN(c.typ, "(", 2)[0]
	has := func(list ...string) bool {
		for _, w := range list {
			if strings.Contains(name, w) {
				return true
			}
		}
		return false
	}
	at := time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(900*86400)) * time.Second)
	switch typ {
	case "timestamp", "datetime":
		return at.Format(stamp)
	case "date":
		return at.Format(time.DateOnly)
	case "time":
		return "08:00:00"
	case "enum":
		return strings.Trim(strings.SplitN(strings.TrimPrefix(c.typ, "enum("), ",", 2)[0], "')")
	case "decimal", "float", "double", "numeric":
		return fmt.Sprintf("%d.%02d", r.IntN(90), r.IntN(100))
	case "int", "bigint", "smallint", "tinyint", "mediumint", "integer":
		switch {
		case name == "id":
			return fmt.Sprint(row + 1)
		case has("id_", "_id"):
			return fmt.Sprint(1 + r.IntN(5))
		case strings.HasPrefix(typ, "tiny"), strings.Contains(c.typ, "(1)"), has("status", "active", "type"):
			return fmt.Sprint(r.IntN(2))
		}
		return fmt.Sprint(r.IntN(500))
	case "blob", "bytea":
		return "x"
	}
	switch {
	case has("email"):
		return username(r.IntN(accounts)) + "@example.com"
	case name == "username", name == "login", name == "accountcode":
		return username(row)
	case has("phone", "mobile", "fax", "number", "callerid", "did", "redial", "cid") && !has("cc_", "account", "invoice"):
		return phone(r)
	case has("firstname", "first_name"):
		return [...]string{"Alex", "Sam", "Kim", "Lee"}[r.IntN(4)]
	case has("lastname", "last_name"):
		return [...]string{"Example", "Sample", "Probe", "Muster"}[r.IntN(4)]
	case has("country"):
		return [...]string{"United Kingdom", "GB", "NLD", "Germany"}[r.IntN(4)]
	case has("currency"):
		return "GBP"
	case has("ipaddr", "ip_address") || name == "ip":
		return fmt.Sprintf("203.0.113.%d", r.IntN(250))
	case has("useragent", "user_agent"):
		return "Zoiper rv2.10." + fmt.Sprint(r.IntN(9))
	case has("passw", "uipass", "secret", "loginkey", "passwd"):
		return fmt.Sprintf("Zq%xk", r.Uint32())
	case has("cc_number"):
		return "4111111111111111"
	case has("cvv"):
		return fmt.Sprint(100 + r.IntN(900))
	case strings.HasSuffix(typ, "text"):
		return [...]string{"a note that somebody wrote about it", "changed by the office", "nothing to say here today"}[r.IntN(3)]
	case has("name", "label", "title"):
		return [...]string{"standard", "premium", "basic plan", "gold"}[r.IntN(4)]
	case strings.HasPrefix(c.typ, "char(1)"):
		return fmt.Sprint(r.IntN(2))
	}
	return [...]string{"", "all", "default", "x"}[r.IntN(4)]
}

// dump writes a platform as mysqldump would. meanings gives tables' columns their meaning;
// rows says how many rows a table has.
func dumpText(tables []table, meanings map[string]map[string]string, r *rand.Rand) []byte {
	var b strings.Builder
	b.WriteString("-- MySQL dump 10.13  Distrib 8.0\n\n/*!40103 SET TIME_ZONE='+00:00' */;\n\n")
	for _, t := range tables {
		fmt.Fprintf(&b, "CREATE TABLE `%s` (\n", t.name)
		for i, c := range t.columns {
			typ := c.typ
			if typ == "" {
				typ = "varchar(255)"
			}
			if i > 0 {
				b.WriteString(",\n")
			}
			fmt.Fprintf(&b, "  `%s` %s", c.name, typ)
		}
		b.WriteString("\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\n")
		fmt.Fprintf(&b, "INSERT INTO `%s` VALUES ", t.name)
		for i, row := range rowsOf(t, meanings[t.name], r) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteByte('(')
			for k, v := range row {
				if k > 0 {
					b.WriteByte(',')
				}
				typ := strings.SplitN(t.columns[k].typ, "(", 2)[0]
				switch {
				case v == null:
					b.WriteString("NULL")
				case strings.HasSuffix(typ, "int"), typ == "decimal", typ == "float", typ == "integer":
					b.WriteString(v)
				default:
					b.WriteString("'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(v) + "'")
				}
			}
			b.WriteByte(')')
		}
		b.WriteString(";\n\n")
	}
	b.WriteString("-- Dump completed on 2022-11-08 12:00:00\n")
	return []byte(b.String())
}

// rowsOf invents a table's rows: calls where a meaning is of a call, else sixty plain ones.
func rowsOf(t table, meanings map[string]string, r *rand.Rand) (rows [][]string) {
	n := accounts
	isCalls := false
	for _, m := range meanings {
		if m == "called" {
			n, isCalls = 3000, true
		}
	}
	failed := strings.Contains(t.name, "fail")
	for i := range n {
		c := newCall(r, i)
		if failed {
			for c.answered {
				c = newCall(r, i)
			}
		}
		row := make([]string, len(t.columns))
		for k, col := range t.columns {
			m := meanings[col.name]
			switch {
			case m == "":
				row[k] = plain(r, t, col, i)
			case isCalls:
				row[k] = callValue(c, m)
			default:
				row[k] = otherValue(r, m, i)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// otherValue is a value of a table that is not of calls.
func otherValue(r *rand.Rand, m string, row int) string {
	at := time.Date(2021, 1, 4, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(600*86400)) * time.Second)
	switch m {
	case "account":
		return fmt.Sprint(1 + r.IntN(accounts-1))
	case "username":
		return username(row)
	case "account.username":
		return username(r.IntN(accounts))
	case "coin":
		return fmt.Sprintf("0.%08d", r.IntN(99999999))
	case "btc":
		return "BTC"
	case "tts":
		return "Hello, this is the security department of your bank. Press one to confirm a payment."
	case "sms":
		return "Your account has been locked, please call us today"
	case "audio":
		return fmt.Sprintf("/var/audio/%d.wav", row)
	case "phone":
		return phone(r)
	case "name":
		return [...]string{"Alex Example", "Sam Sample", "Kim Probe"}[r.IntN(3)]
	case "ip":
		return fmt.Sprintf("198.51.100.%d", 1+r.IntN(200))
	case "utc":
		return at.Format(stamp)
	case "wall":
		return at.In(london).Format(stamp)
	case "money":
		return fmt.Sprintf("%d.%02d", 5+r.IntN(400), r.IntN(100))
	case "agentid":
		return fmt.Sprint(1 + r.IntN(3))
	}
	if v, ok := strings.CutPrefix(m, "="); ok {
		return v
	}
	panic("no meaning " + m)
}
