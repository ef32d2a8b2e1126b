package synth

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// audit holds a written seizure as somebody reads it who has only the files.
type audit struct {
	dir      string
	rows     map[string][][]string // by table; NULL is "\x00NULL"
	admin    map[string]bool       // accounts of administrators
	phone    map[string]string     // of accounts
	told     map[string]int8       // the institution that a campaign's text names
	answered []auditCall
	failed   []auditCall
}

type auditCall struct {
	id, account, presented string
	called                 int64
	at                     time.Time
	talk                   int64
	told                   int8 // by its campaign's text, or -1
}

func newAudit(t *testing.T, dir string) *audit {
	a := &audit{dir: dir, rows: readDump(t, filepath.Join(dir, "mbilling.sql")), admin: map[string]bool{}, phone: map[string]string{}, told: map[string]int8{}}
	for _, r := range a.rows["pkg_user"] {
		a.admin[r[0]] = r[2] == "1" || r[2] == "5"
		a.phone[r[0]] = strings.ReplaceAll(r[23]+r[24], "\x00NULL", "")
	}
	for _, r := range a.rows["pkg_campaign"] {
		for k, in := range institutions {
			if strings.Contains(" "+strings.NewReplacer(".", "", ",", "", ":", "", "?", "").Replace(r[30])+" ", " "+in.aliases[0]+" ") {
				a.told[r[0]] = int8(k)
			}
		}
	}
	call := func(prefix string, r []string, presented, called, started, talk int) auditCall {
		to := r[called]
		if _, rest, ok := strings.Cut(to, "#"); ok {
			to = rest
		}
		at, err := time.Parse(time.DateTime, r[started])
		if err != nil {
			t.Fatal(err)
		}
		c := auditCall{id: prefix + r[0], account: r[1], presented: r[presented], called: readNumber(to), at: at, told: -1}
		if talk > 0 {
			c.talk, _ = strconv.ParseInt(r[talk], 10, 64)
		}
		return c
	}
	for _, r := range a.rows["pkg_cdr"] {
		c := call("cdr:", r, 7, 11, 9, 16)
		if told, ok := a.told[r[6]]; ok {
			c.told = told
		}
		a.answered = append(a.answered, c)
	}
	for _, r := range a.rows["pkg_cdr_failed"] {
		a.failed = append(a.failed, call("failed:", r, 12, 9, 8, 0))
	}
	return a
}

// Everything the truth says of victims, reports, sessions and figures follows from the
// dump and the lists by the definitions of docs/figures.md.
func TestTruthFollowsFromTheFiles(t *testing.T) {
	dir, s := seizure(t, 0.002, 4)
	a := newAudit(t, dir)
	t.Run("victims", a.victims)
	t.Run("calls", func(t *testing.T) { a.calls(t, s) })
	t.Run("reports", func(t *testing.T) { a.reports(t, newLadder(newWorld(4, 0.002)), s) })
	t.Run("sessions", a.sessions)
	t.Run("numbers", a.numbers)
}

func (a *audit) victims(t *testing.T) {
	type sums struct{ calls, answered, long, talk int64 }
	got := map[int64]sums{}
	for _, r := range readParquet(t, filepath.Join(a.dir, "truth", "victims.parquet")) {
		n := func(k int) int64 { v, _ := strconv.ParseInt(r[k], 10, 64); return v }
		got[n(0)] = sums{n(1), n(2), n(3), n(4)}
	}
	want := map[int64]sums{}
	for k, list := range [][]auditCall{a.answered, a.failed} {
		for _, c := range list {
			if a.admin[c.account] || c.called == 0 {
				continue
			}
			v := want[c.called]
			v.calls++
			if k == 0 {
				v.answered++
				v.talk += c.talk
				if c.talk > 60 {
					v.long++
				}
			}
			want[c.called] = v
		}
	}
	for n, v := range want {
		if v.answered == 0 {
			delete(want, n)
		} else if got[n] != v {
			t.Fatalf("victim %d is %+v, the dump says %+v", n, got[n], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d victims, the dump says %d", len(got), len(want))
	}
}

func (a *audit) calls(t *testing.T, s Summary) {
	rows := readParquet(t, filepath.Join(a.dir, "truth", "calls.parquet"))
	if len(rows) != len(a.answered)+len(a.failed) {
		t.Fatalf("%d calls in the truth, %d in the dump", len(rows), len(a.answered)+len(a.failed))
	}
	for k, c := range append(a.answered[:len(a.answered):len(a.answered)], a.failed...) {
		if rows[k][0] != c.id {
			t.Fatalf("row %d of the truth is call %s, want %s", k, rows[k][0], c.id)
		}
		if (rows[k][2] != "") != (rows[k][1] < "E") {
			t.Fatalf("call %s: grade %s names %q", c.id, rows[k][1], rows[k][2])
		}
	}
	from, to := time.Unix(callsFrom, 0), time.Unix(callsTo, 0)
	var world, uk, long float64
	people := map[int64]bool{}
	for _, c := range a.answered {
		if a.admin[c.account] || c.at.Before(from) || !c.at.Before(to) {
			continue
		}
		world++
		if c.called/1e10 == 44 {
			uk++
			if c.talk > 60 {
				long++
				people[c.called] = true
			}
		}
	}
	for name, got := range map[string]float64{"calls_world": world, "calls_uk": uk, "long_calls_uk": long,
		"people_long_calls_uk": float64(len(people))} {
		if got != s.Figures[name] {
			t.Errorf("%s is %v, the dump says %v", name, s.Figures[name], got)
		}
	}
}

func (a *audit) reports(t *testing.T, l *ladder, s Summary) {
	f, err := os.Open(filepath.Join(a.dir, "lists", "loss_reports.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, r := range l.registry {
		names[strings.ToLower(r[1])] = r[0]
		for alias := range strings.SplitSeq(r[4], ";") {
			names[strings.ToLower(alias)] = r[0]
		}
	}
	truth := readParquet(t, filepath.Join(a.dir, "truth", "reports.parquet"))
	zone, _ := time.LoadLocation("Europe/London")
	clock := func(s string) time.Time {
		at, err := time.ParseInLocation("2006-01-02 15:04", s, zone)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	linked := int64(0)
	for k, r := range list[1:] {
		inst, ok := names[strings.ToLower(r[8])]
		if !ok {
			t.Errorf("report %s names %q, which is nobody's name or alias", r[0], r[8])
		}
		from, to := clock(r[2]), clock(r[3])
		strict, loose := map[string]bool{}, map[string]bool{}
		for _, c := range a.answered {
			if c.called != readNumber(r[5]) || a.admin[c.account] || c.at.Before(from) || c.at.After(to) {
				continue
			}
			loose[c.id] = true
			if _, named := l.verdict(c.presented, c.at.Unix(), a.phone[c.account], c.told); named == inst {
				strict[c.id] = true
			}
		}
		if truth[k][0] != r[0] {
			t.Fatalf("report %d of the truth is %s, want %s", k, truth[k][0], r[0])
		}
		want := fmt.Sprint(len(strict) > 0, len(loose) > 0)
		if got := truth[k][2] + " " + truth[k][3]; got != want {
			t.Errorf("report %s is linked strictly, loosely: %s; the files say %s", r[0], got, want)
		}
		if id := truth[k][1]; len(strict) > 0 && !strict[id] || len(strict) == 0 && len(loose) > 0 && !loose[id] || len(loose) == 0 && id != "" {
			t.Errorf("report %s is linked to call %q; strict are %v, loose %v", r[0], id, strict, loose)
		}
		if len(strict) > 0 && r[10] == "GBP" {
			pence, _ := strconv.ParseInt(strings.Replace(r[9], ".", "", 1), 10, 64)
			linked += pence
		}
	}
	if got := float64(linked) / 100; got != s.Figures["reported_loss_linked_gbp"] {
		t.Errorf("reported_loss_linked_gbp is %v, the files say %v", s.Figures["reported_loss_linked_gbp"], got)
	}
}

func (a *audit) sessions(t *testing.T) {
	truth := readParquet(t, filepath.Join(a.dir, "truth", "sessions.parquet"))
	rows := a.rows["panel_login"]
	if len(truth) != len(rows) {
		t.Fatalf("%d sessions in the truth, %d in the dump", len(truth), len(rows))
	}
	zone, _ := time.LoadLocation("Europe/London")
	twice := 0
	for k, r := range truth {
		micros, _ := strconv.ParseInt(r[1], 10, 64)
		wall := time.UnixMicro(micros).In(zone).Format(time.DateTime)
		if r[0] != rows[k][0] || rows[k][2] != wall {
			t.Fatalf("session %s at %s, the dump says %s at %s", r[0], wall, rows[k][0], rows[k][2])
		}
		if r[2] == "true" {
			twice++
		}
	}
	if twice < 10 {
		t.Errorf("only %d sessions in the hours the clock shows twice", twice)
	}
}

// allowed are the numbers a small world may hold: kept by regulators for fiction.
var allowed = []string{"441134960", "441144960", "441154960", "441164960", "441174960", "441184960", "441214960", "441314960",
	"441414960", "441514960", "441614960", "442079460", "441914980", "442896496", "442920180", "441632960", "447700900",
	"448081570", "449098790", "443069990", "332619", "333530", "334657", "335364", "336399", "331990", "61491570",
	"6125550", "6135550", "6137010", "6175550", "6177010", "6185550", "6187010", "6127010", "493023125", "494066969",
	"498999998", "496990009"}

func (a *audit) numbers(t *testing.T) {
	fiction := func(n int64) bool {
		s := strconv.FormatInt(n, 10)
		for _, p := range allowed {
			if strings.HasPrefix(s, p) {
				return true
			}
		}
		return len(s) == 11 && s[0] == '1' && s[4:9] == "55501"
	}
	check := func(what string, n int64) {
		if n != 0 && !fiction(n) {
			t.Errorf("%s %d is no number for fiction", what, n)
		}
	}
	for _, list := range [][]auditCall{a.answered, a.failed} {
		for _, c := range list {
			check("called", c.called)
			_, raw := splitPresented(c.presented)
			if n := readNumber(raw); n/1e10 == 44 || n/1e10 == 1 {
				check("presented", n)
			}
		}
	}
	for _, r := range a.rows["pkg_user"] {
		for _, col := range []int{23, 24} {
			check("telephone", readNumber(r[col]))
		}
	}
	for _, r := range a.rows["pkg_phonenumber"] {
		check("target", readNumber(r[2]))
	}
	for _, r := range a.rows["pkg_sms"] {
		check("sms to", readNumber(r[4]))
	}
}

// readDump reads the INSERT statements of a dump, one row a line.
func readDump(t *testing.T, path string) map[string][][]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, table := map[string][][]string{}, ""
	for line := range bytes.Lines(data) {
		s := strings.TrimSuffix(string(line), "\n")
		if rest, ok := strings.CutPrefix(s, "INSERT INTO `"); ok {
			table, _, _ = strings.Cut(rest, "`")
		} else if table != "" && strings.HasPrefix(s, "(") {
			rows[table] = append(rows[table], readRow(s))
			if strings.HasSuffix(s, ";") {
				table = ""
			}
		}
	}
	return rows
}

func readRow(s string) []string {
	var out []string
	var b strings.Builder
	quoted := false
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch {
		case quoted && c == '\\':
			i++
			if k := strings.IndexByte("n0rZ", s[i]); k >= 0 {
				b.WriteByte("\n\x00\r\x1a"[k])
			} else {
				b.WriteByte(s[i])
			}
		case c == '\'':
			quoted = !quoted
		case !quoted && (c == ',' || c == ')'):
			out = append(out, b.String())
			b.Reset()
			if c == ')' {
				return out
			}
		default:
			b.WriteByte(c)
		}
	}
	return out
}

// readParquet reads every value of a file as text; null is empty.
func readParquet(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out [][]string
	for g := range f.NumRowGroups() {
		rg := f.RowGroup(g)
		n := rg.NumRows()
		base := len(out)
		for range n {
			out = append(out, make([]string, f.MetaData().Schema.NumColumns()))
		}
		for k := range f.MetaData().Schema.NumColumns() {
			col, err := rg.Column(k)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range readColumn(t, col, n) {
				out[base+i][k] = v
			}
		}
	}
	return out
}

func readColumn(t *testing.T, col file.ColumnChunkReader, n int64) []string {
	var out []string
	defs := make([]int16, n)
	for int64(len(out)) < n && col.HasNext() {
		switch col := col.(type) {
		case *file.Int64ColumnChunkReader:
			v := make([]int64, n)
			_, k, err := col.ReadBatch(n, v, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range v[:k] {
				out = append(out, strconv.FormatInt(x, 10))
			}
		case *file.BooleanColumnChunkReader:
			v := make([]bool, n)
			_, k, err := col.ReadBatch(n, v, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range v[:k] {
				out = append(out, strconv.FormatBool(x))
			}
		case *file.ByteArrayColumnChunkReader:
			v := make([]parquet.ByteArray, n)
			total, _, err := col.ReadBatch(n, v, defs, nil)
			if err != nil {
				t.Fatal(err)
			}
			next := 0
			for _, d := range defs[:total] {
				if d == 0 {
					out = append(out, "")
					continue
				}
				out = append(out, string(v[next]))
				next++
			}
		}
	}
	return out
}
