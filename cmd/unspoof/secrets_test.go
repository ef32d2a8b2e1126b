package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// planted are the secrets of a dump. The long ones can be looked for anywhere; a short one is
// looked for in the case rows that came from its row, where nothing else has its digits.
type planted struct {
	long  []string            // card numbers as written, and passwords
	short map[string][]string // table/row: codes of three to eight digits
	n     int
}

func (p *planted) code(table string, row int, digits string) string {
	key := table + "/" + strconv.Itoa(row)
	p.short[key] = append(p.short[key], digits)
	p.n++
	return digits
}

func (p *planted) word(s string) string {
	p.long = append(p.long, s)
	p.n++
	return s
}

// cardNumber makes a number with a right check digit.
func cardNumber(r *rand.Rand, digits int) string {
	b := []byte(strconv.Itoa([...]int{4929, 5212, 6011, 4556, 3528}[r.IntN(5)]))
	if digits == 15 {
		b = []byte("3742")
	}
	for len(b) < digits-1 {
		b = append(b, byte('0'+r.IntN(10)))
	}
	sum := 0
	for i := range b {
		d := int(b[len(b)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return string(append(b, byte('0'+(10-sum%10)%10)))
}

func digits(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + r.IntN(10))
	}
	if b[0] == '0' {
		b[0] = '7'
	}
	return string(b)
}

func password(r *rand.Rand) string {
	const letters = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!$%&*+_-"
	b := make([]byte, 12)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return "q" + string(b)
}

// writeSecrets writes a dump of a platform that nobody knows, with secrets where they should
// not be.
func writeSecrets(t *testing.T, path string, rows int) *planted {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 1))
	p := &planted{short: map[string][]string{}}
	phone := func() string { return fmt.Sprintf("+447700900%03d", r.IntN(1000)) }
	grouped := func(c string) string {
		return c[:4] + [...]string{" ", "-"}[r.IntN(2)] + c[4:8] + " " + c[8:12] + " " + c[12:]
	}
	at := func() string {
		return fmt.Sprintf("202%d-%02d-%02d %02d:%02d:%02d", 1+r.IntN(2), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60))
	}
	var b bytes.Buffer
	write := func(table, columns string, row func(i int) []string) {
		fmt.Fprintf(&b, "CREATE TABLE `%s` (%s);\nINSERT INTO `%s` VALUES ", table, columns, table)
		for i := 1; i <= rows; i++ {
			if i > 1 {
				b.WriteString(",\n")
			}
			b.WriteByte('(')
			for k, v := range row(i) {
				if k > 0 {
					b.WriteByte(',')
				}
				b.WriteString("'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(v) + "'")
			}
			b.WriteByte(')')
		}
		b.WriteString(";\n")
	}
	b.WriteString("-- MySQL dump 10.13\n")
	write("members", "`id` int, `nick` varchar(40), `mail` varchar(90), `tel` varchar(30), `full_name` varchar(90), `country` varchar(40), `created` timestamp, `credit` decimal(12,2), `pwd` varchar(90), `pin4` varchar(8), `x7` varchar(40), `f9` varchar(90)", func(i int) []string {
		name := "Alex Example"
		if i%4 == 0 {
			name += " " + p.word(cardNumber(r, 16))
		}
		return []string{strconv.Itoa(i), fmt.Sprintf("member%d", i), fmt.Sprintf("m%d@example.com", i), phone(), name, "United Kingdom", at(), "10.00",
			p.word(password(r)), p.code("members", i, digits(r, 4)), p.word(cardNumber(r, 16)), p.word(password(r))}
	})
	write("calls", "`id` int, `member_id` int, `shown_callerid` varchar(80), `dialled_number` varchar(40), `start_time` datetime, `end_time` datetime, `duration` int, `status` varchar(20), `digits_dialed` varchar(20), `agent_note` text, `extra` text", func(i int) []string {
		shown := phone()
		if i%3 == 0 {
			shown = fmt.Sprintf("\"Bank PIN %s\" <%s>", p.code("calls", i, digits(r, 4)), shown)
		}
		return []string{strconv.Itoa(i), strconv.Itoa(1 + r.IntN(rows)), shown, phone(), at(), at(), strconv.Itoa(r.IntN(900)), [...]string{"ANSWERED", "BUSY", "NO ANSWER"}[r.IntN(3)],
			p.code("calls", i, digits(r, 6)), "she read out " + p.word(grouped(cardNumber(r, 16))) + " to the agent",
			fmt.Sprintf(`{"pin":"%s","cvv":"%s","card":"%s","password":"%s"}`, p.code("calls", i, digits(r, 4)), p.code("calls", i, digits(r, 3)), p.word(cardNumber(r, 16)), p.word(password(r)))}
	})
	write("sms_outbox", "`id` int, `member_id` int, `recipient` varchar(30), `body` text, `sent_at` timestamp, `sender` varchar(20), `result` varchar(200)", func(i int) []string {
		body := ""
		switch i % 8 {
		case 0:
			body = "Your Example Bank one-time passcode for a payment is " + p.code("sms_outbox", i, digits(r, 6)) + ". Do not share it."
		case 1:
			body = p.code("sms_outbox", i, digits(r, 6)) + " is your verification code"
		case 2:
			body = "card " + p.word(grouped(cardNumber(r, 16))) + " cvv " + p.code("sms_outbox", i, digits(r, 3)) + " ok"
		case 3:
			body = "log in with password: " + p.word(password(r)) + " today"
		case 4:
			body = "OTP:" + p.code("sms_outbox", i, digits(r, 5)) + " PIN " + p.code("sms_outbox", i, digits(r, 4))
		case 5:
			body = "amex " + p.word(cardNumber(r, 15)) + " and " + p.word(cardNumber(r, 16)) + " please"
		case 6:
			body = `{"passcode":"` + p.code("sms_outbox", i, digits(r, 8)) + `","pass":"` + p.word(password(r)) + `"}`
		case 7:
			body = "Passcode\n" + p.code("sms_outbox", i, digits(r, 4)) + "\nthank you"
		}
		return []string{strconv.Itoa(i), strconv.Itoa(1 + r.IntN(rows)), phone(), body, at(), "ExampleBank", `{"ok":1,"token":"x","password":"` + p.word(password(r)) + `"}`}
	})
	write("deposits", "`id` int, `member_id` int, `amount` decimal(12,2), `currency` varchar(4), `created` timestamp, `reference` varchar(40), `cvv2` varchar(4), `memo` text", func(i int) []string {
		return []string{strconv.Itoa(i), strconv.Itoa(1 + r.IntN(rows)), "25.00", "GBP", at(), p.word(cardNumber(r, 16)), p.code("deposits", i, digits(r, 3)), "paid with " + p.word(cardNumber(r, 16))}
	})
	write("campaigns", "`id` int, `member_id` int, `tts_text` text, `created` timestamp", func(i int) []string {
		return []string{strconv.Itoa(i), strconv.Itoa(1 + r.IntN(rows)), "Hello, this is the fraud team of your bank. The security code " + p.code("campaigns", i, digits(r, 6)) + " was used. Press one now.", at()}
	})
	write("login_log", "`id` int, `member_id` int, `ip` varchar(45), `login_time` timestamp, `user_agent` varchar(200), `action` varchar(90)", func(i int) []string {
		agent := "Mozilla/5.0 (X11; Linux)"
		if i%2 == 0 {
			agent += " otp=" + p.code("login_log", i, digits(r, 6))
		}
		return []string{strconv.Itoa(i), strconv.Itoa(1 + r.IntN(rows)), "198.51.100." + strconv.Itoa(r.IntN(250)), at(), agent, "login"}
	})
	// A damaged row, and amounts out of all bounds, with secrets in them.
	fmt.Fprintf(&b, "INSERT INTO `deposits` VALUES ('1','2','%s');\n", p.word(cardNumber(r, 16)))
	fmt.Fprintf(&b, "INSERT INTO `deposits` VALUES ('900001','2','%s','GBP','not a time %s','x','1','y');\n", p.word(cardNumber(r, 19)), p.word(cardNumber(r, 16)))
	b.WriteString("-- Dump completed on 2022-11-08\n")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSecretsStayInTheSource plants passwords, cards, PINs and passcodes in odd columns, texts
// and JSON, maps the dump with a proposal, and looks for them everywhere but in the sealed
// source and its source tables.
func TestSecretsStayInTheSource(t *testing.T) {
	dir, temp := newCase(t), t.TempDir()
	dump, proposal := filepath.Join(temp, "tellco.sql"), filepath.Join(temp, "proposal.yaml")
	p := writeSecrets(t, dump, 700)
	if p.n < 10_000 {
		t.Fatalf("only %d secrets planted", p.n)
	}
	seizure := seizure(t, 0.001, 1)
	commands := [][]string{{"add", "--case", dir, dump}}
	for _, l := range lists {
		commands = append(commands, []string{"add", "--case", dir, "--list", l, filepath.Join(seizure, "lists", l+".csv")})
	}
	source := sourceOf(t, dir, commands[0])
	commands = append(commands[1:], []string{"map", "--case", dir, "--propose", "--source", source, "--out", proposal},
		[]string{"map", "--case", dir, "--apply", proposal, "--source", source}, []string{"map", "--case", dir, "--review"}, []string{"map", "--case", dir, "--show"},
		[]string{"map", "--case", dir, "--show", "--json"}, []string{"build", "--case", dir},
		[]string{"export", "--case", dir, "suspects", "--out", filepath.Join(temp, "suspects")}, []string{"export", "--case", dir, "victims", "--out", filepath.Join(temp, "victims")},
		[]string{"status", "--case", dir}, []string{"ledger", "--case", dir})
	places := map[string]string{"add, output": lastOutput}
	for _, args := range commands {
		e := unspoof(t, args...)
		if e.code != exitDone && args[0] != "status" && args[0] != "ledger" {
			t.Fatalf("want exit 0:\n%s", e)
		}
		places[strings.Join(args[:min(len(args), 4)], " ")+" output "+args[len(args)-1]] = e.out + e.errOut
	}
	text, err := os.ReadFile(proposal)
	if err != nil {
		t.Fatal(err)
	}
	places["proposal"] = string(text)
	for _, table := range []string{"members", "calls", "sms_outbox", "campaigns", "login_log", "deposits"} {
		if !strings.Contains(string(text), "from: "+table+"\n") {
			t.Errorf("the proposal maps nothing from %s, so the test shows nothing for it", table)
		}
	}

	// Whatever else was written: the ledger, mappings, exports.
	for _, root := range []string{dir, filepath.Join(temp, "suspects"), filepath.Join(temp, "victims")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, _ := filepath.Rel(root, path)
			if strings.HasPrefix(name, "sources/") || strings.HasPrefix(name, "tables/") {
				return nil // source tables may; case tables are read below, decoded
			}
			text, err := os.ReadFile(path)
			places[path] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	// Case tables and findings, row by row.
	c, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Tables()
	if err != nil {
		t.Fatal(err)
	}
	e, err := duckdb.Open(t.Context(), c, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mine, rows := map[string][]string{}, 0
	for _, m := range list {
		if m.Kind == store.KindSource {
			continue
		}
		var cells, key []string
		for _, col := range m.Columns {
			cells = append(cells, "coalesce(CAST("+duckdb.Ident(col.Name)+" AS VARCHAR), '')")
			if col.Name == "ref_table" || col.Name == "ref_row" {
				key = append(key, duckdb.Ident(col.Name))
			}
		}
		var texts []string // numbers of other kinds may have a code's digits by chance
		for _, col := range m.Columns {
			if col.Type == "VARCHAR" && !strings.HasPrefix(col.Name, "ref_") && !strings.HasSuffix(col.Name, "_id") && !strings.HasSuffix(col.Name, "_raw") || col.Name == "presented_raw" {
				texts = append(texts, "coalesce("+duckdb.Ident(col.Name)+", '')")
			}
		}
		if len(key) < 2 || len(texts) == 0 {
			key, texts = []string{"''", "0"}, []string{"''"}
		}
		r, err := e.DB.Query("SELECT concat_ws(chr(31), " + strings.Join(cells, ", ") + "), concat_ws(chr(31), " + strings.Join(texts, ", ") + "), CAST(" + key[0] + " AS VARCHAR), CAST(" + key[1] + " AS VARCHAR) FROM " + duckdb.Ident(m.Table))
		if err != nil {
			t.Fatalf("%s: %v", m.Table, err)
		}
		var all strings.Builder
		for r.Next() {
			var row, text, table, n string
			if err := r.Scan(&row, &text, &table, &n); err != nil {
				t.Fatal(err)
			}
			rows++
			all.WriteString(row + "\n")
			if m.Kind == store.KindCase { // findings are counts of what case tables hold, and counts have digits
				mine[table+"/"+n] = append(mine[table+"/"+n], m.Table+": "+text)
			}
		}
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		places["table "+m.Table] = all.String()
	}
	for _, kind := range []string{"[code 4]", "[code 6]", "[card 15]", "[card 16]", "[password 13]"} {
		if !strings.Contains(places["table message"], kind) {
			t.Errorf("no message has %s: its secrets were not carried over, so their masking was not tested", kind)
		}
	}
	leaks := 0
	for where, text := range places {
		squeezed := strings.NewReplacer(" ", "", "-", "").Replace(text)
		for _, s := range p.long {
			if strings.Contains(text, s) || strings.Contains(squeezed, strings.NewReplacer(" ", "", "-", "").Replace(s)) && regexp.MustCompile(`^[0-9 -]+$`).MatchString(s) {
				if leaks++; leaks < 20 {
					t.Errorf("a secret of %d characters is in %s", len(s), where)
				}
			}
		}
	}
	for key, codes := range p.short {
		for _, text := range mine[key] {
			for _, code := range codes {
				if regexp.MustCompile(`(^|[^0-9])` + code + `([^0-9]|$)`).MatchString(text) {
					if leaks++; leaks < 20 {
						t.Errorf("a code of %d digits from row %s is in %s", len(code), key, strings.SplitN(text, ":", 2)[0])
					}
				}
			}
		}
	}
	t.Logf("%d secrets planted (%d long, %d codes); %d places and %d rows of case tables searched; %d found", p.n, len(p.long), p.n-len(p.long), len(places), rows, leaks)
}

var lastOutput string

// sourceOf adds a file and gives the hash of its source.
func sourceOf(t *testing.T, dir string, add []string) string {
	t.Helper()
	e := unspoof(t, add...)
	lastOutput = e.out + e.errOut
	files, err := filepath.Glob(filepath.Join(dir, "sources", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no source: %v\n%s", err, e)
	}
	return strings.TrimSuffix(filepath.Base(files[0]), ".json")
}
