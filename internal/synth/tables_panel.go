package synth

import (
	"strconv"
	"strings"
)

// login is the truth of one row of panel_login.
type login struct {
	id, at    int64
	ambiguous bool
}

// tables lists the tables of the dump in its order, which is the order of their names.
func (w *world) tables(truth *truth) []table {
	users := int64(len(w.accounts))
	campaigns := int64(len(w.campaignOwner))
	polls := max(1, campaigns/4)
	books := max(1, campaigns/2)
	logins := newCurve(w.seed, 4, dayWeights(monthlyCalls), w.rows(loginRows))
	logs := newCurve(w.seed, 5, dayWeights(monthlyCalls), w.rows(logRows))
	sms := newCurve(w.seed, 6, dayWeights(monthlyCalls), w.rows(smsRows))
	answers := newCurve(w.seed, 7, dayWeights(monthlyCalls), w.rows(pollRows))
	list := []table{
		{name: "panel_login", rows: logins.total(), row: w.loginRow(logins), seen: truth.seeLogins},
		{name: "pkg_callerid", rows: campaigns, row: w.callerIDRow},
		followed(table{name: "pkg_campaign", rows: campaigns, row: w.campaignRow, seen: truth.seeScripts}, len(w.plan.scripts), w.plannedScriptRow),
		{name: "pkg_campaign_phonebook", rows: books, row: campaignPhonebookRow, noAutoIncrement: true},
		followed(table{name: "pkg_campaign_poll", rows: polls, row: w.pollRow}, len(w.plan.scripts), w.plannedPollRow),
		followed(table{name: "pkg_campaign_poll_info", rows: answers.total(), row: w.pollInfoRow(answers, polls)}, len(w.plan.presses),
			func(b *block, i int64, k int) { w.plannedPressRow(b, i, k, polls) }),
		w.answeredTable(truth),
		{name: "pkg_cdr_archive"},
		w.failedTable(truth),
		{name: "pkg_cryptocurrency", rows: int64(len(w.payments)), row: w.cryptoRow},
		fixed("pkg_group_user", groupRows),
		{name: "pkg_log", rows: logs.total(), row: w.logRow(logs)},
		fixed("pkg_log_actions", logActionRows),
		{name: "pkg_phonebook", rows: books, row: w.phonebookRow},
		{name: "pkg_phonenumber"},
		fixed("pkg_plan", planRows),
		{name: "pkg_refill", rows: int64(len(w.refills())), row: w.refillRow()},
		{name: "pkg_sip", rows: users, row: w.sipRow},
		followed(table{name: "pkg_sms", rows: sms.total(), row: w.smsRow(sms)}, len(w.plan.texts), w.plannedTextRow),
		{name: "pkg_trunk", rows: trunks, row: w.trunkRow},
		{name: "pkg_user", rows: users, row: w.userRow},
		fixed("pkg_user_type", userTypeRows),
	}
	// The users' target lists hold whatever is missing to the total.
	total := int64(0)
	for _, t := range list {
		total += t.rows
	}
	for k := range list {
		if list[k].name == "pkg_phonenumber" {
			numbers := newCurve(w.seed, 8, dayWeights(monthlyCalls), max(0, w.rows(allRows)-total))
			list[k].rows, list[k].row = numbers.total(), w.phoneNumberRow(numbers, books)
		}
	}
	return list
}

// fixed is a table of a few constant rows.
func fixed(name string, rows []string) table {
	return table{name: name, rows: int64(len(rows)), row: func(b *block, i int64) {
		b.begin()
		b.lit(rows[i])
		b.end()
	}}
}

var (
	groupRows = []string{"1,'Administrator',1,0,0,0", "2,'Agent',2,0,0,0", "3,'Client',3,0,0,0",
		"4,'VIP Client',3,0,0,0", "5,'Support',1,0,0,0"}
	userTypeRows  = []string{"1,'Admin'", "2,'Agent'", "3,'Client'"}
	logActionRows = []string{"1,'Login'", "2,'Edit'", "3,'Delete'", "4,'New'", "5,'Import'", "6,'UpdateAll'", "7,'Export'", "8,'Logout'"}
	planRows      = []string{
		"1,1,'World',0,'2020-11-28 10:00:00',0,1,0,0,0.50000,'',0,0",
		"2,1,'UK bank pack \\'gold\\'',0,'2021-02-03 12:30:00',0,0,0,0,0.00000,'1010',0,0",
	}
)

const trunks = 6

func (w *world) trunkRow(b *block, i int64) {
	n := strconv.FormatInt(i+1, 10)
	r := key(w.seed, streamTrunk, i)
	b.begin()
	b.lit(n + ",1,NULL,'carrier-" + n + "','198.19.0." + n + "','','','sip','','',0,0,0,'2020-11-28 10:00:00','',0,-1,1,NULL," +
		"'trunk" + n + "','" + hexText(&r, 12) + "','ulaw,alaw','','no','billing','RFC2833','port,invite','force_rport','yes','peer','all','',0,'en'," +
		"0,0,'','','udp','no','5060','no',NULL,0,NULL,NULL")
	b.end()
}

// loginRow writes panel_login, a table of the operators' own: logged_at is the server's wall
// clock in London, created an instant. A few rows are moved into the hours the clock showed
// twice.
func (w *world) loginRow(c *curve) func(*block, int64) {
	moved := map[int64]int64{}
	for _, change := range autumnChanges {
		first := c.cum[(change-opening)/daySeconds]
		for k := range int64(8) {
			if first+k < c.total() {
				moved[first+k] = change - 3300 + k*900
			}
		}
	}
	return func(b *block, i int64) {
		day := c.day(i)
		at := c.at(i, day)
		if m, ok := moved[i]; ok {
			at = m
		}
		r := key(w.seed, streamLogin, i)
		k := w.logins[day/7].pick(&r)
		b.begin()
		b.int(i + 1)
		b.int(int64(k) + 1)
		b.time(london(at))
		if r.chance(15) {
			b.lit(zeroTime)
		} else {
			b.time(at)
		}
		b.addressOf(&w.accounts[k], &r)
		b.plain(userAgents[(int(k)+r.n(20)/18)%len(userAgents)])
		b.lit([]string{"1", "0"}[r.n(12)/11])
		b.end()
		b.logins = append(b.logins, login{i + 1, at, ambiguous(at)})
	}
}

// addressOf appends an IP address: mostly the account's home. All are from the ranges for
// documentation and benchmarks.
func (b *block) addressOf(a *account, r *rng) {
	b.buf = append(b.buf, '\'')
	b.buf = appendAddress(b.buf, a, r)
	b.buf = append(b.buf, '\'', ',')
}

func appendAddress(buf []byte, a *account, r *rng) []byte {
	n := int(a.ip)
	switch r.n(20) {
	case 0, 1, 2: // a proxy
		n = 120_000 + r.n(500)
	case 3:
		buf = append(buf, "2001:db8:"...)
		buf = strconv.AppendInt(buf, int64(n%9973), 16)
		return strconv.AppendInt(append(buf, "::"...), int64(1+n%65_000), 16)
	}
	buf = append(buf, "198."...)
	buf = strconv.AppendInt(buf, int64(18+n>>16), 10)
	buf = strconv.AppendInt(append(buf, '.'), int64(n>>8&255), 10)
	return strconv.AppendInt(append(buf, '.'), int64(n&255), 10)
}

func (w *world) logRow(c *curve) func(*block, int64) {
	return func(b *block, i int64) {
		day := c.day(i)
		r := key(w.seed, streamLog, i)
		k := w.logins[day/7].pick(&r)
		if r.chance(10) {
			k = int32(r.n(admins))
		}
		a := &w.accounts[k]
		action := 1 + r.n64(8)
		b.begin()
		b.int(i + 1)
		b.int(int64(k) + 1)
		b.int(action)
		switch x := r.n(50); {
		case x == 0:
			b.str(pick(&r, oddTexts))
		case x < 25:
			b.lit(`'Username User ` + a.username + ` logged in'`)
		default:
			b.buf = append(b.buf, `'{\"module\":\"sip\",\"id\":`...)
			b.buf = strconv.AppendInt(b.buf, int64(k)+1, 10)
			b.buf = append(b.buf, `,\"callerid\":\"`...)
			b.buf = appendPresented(b.buf, ordinaryNumber(&r), &r)
			b.buf = append(b.buf, `\"}',`...)
		}
		b.plain(a.username)
		b.time(c.at(i, day))
		if a.role == roleAdmin {
			b.plain("127.0.0.1")
		} else {
			b.addressOf(a, &r)
		}
		b.end()
	}
}

func (w *world) smsRow(c *curve) func(*block, int64) {
	return func(b *block, i int64) {
		day := c.day(i)
		r := key(w.seed, streamSMS, i)
		k := w.logins[day/7].pick(&r)
		in := &institutions[r.n(ukInstitutions)]
		b.begin()
		b.int(i + 1)
		b.int(int64(k) + 1)
		b.lit("44")
		b.time(c.at(i, day))
		b.buf = append(b.buf, '\'')
		b.buf = appendCalled(b.buf, w.people.ukMobile.number(r.n64(w.people.ukMobile.n)), 0, &r)
		b.buf = append(b.buf, '\'', ',')
		if r.n(100) == 0 {
			b.str(pick(&r, oddTexts))
		} else {
			b.str(strings.Replace(pick(&r, smsTexts), "%s", in.aliases[0], 1))
		}
		b.lit([]string{"1,0.04000", "1,0.04000", "1,0.04000", "0,0.00000"}[r.n(4)])
		if r.n(3) == 0 {
			b.null()
		} else {
			b.str(in.aliases[0])
		}
		b.lit([]string{"'OK'", "'{\\\"status\\\":\\\"sent\\\"}'", "NULL", "'NULL'"}[r.n(4)])
		b.end()
	}
}

// anyone draws a person from the whole world.
func (w *world) anyone(r *rng) int64 { return r.n64(w.people.total) }

func (w *world) phoneNumberRow(c *curve, books int64) func(*block, int64) {
	return func(b *block, i int64) {
		day := c.day(i)
		r := key(w.seed, streamPhoneNumber, i)
		first, last := pick(&r, firstNames), pick(&r, lastNames)
		b.begin()
		b.int(i + 1)
		b.int(1 + r.n64(books))
		b.buf = append(b.buf, '\'')
		b.buf = strconv.AppendInt(b.buf, w.people.number(w.anyone(&r)), 10)
		b.buf = append(b.buf, '\'', ',')
		switch r.n(40) {
		case 0:
			b.null()
		case 1:
			b.plain("NULL")
		default:
			b.str(first + " " + last)
		}
		if r.n(3) == 0 {
			b.buf = append(b.buf, '\'')
			b.buf = strconv.AppendInt(append(b.buf, "target"...), r.n64(90_000_000), 10)
			b.buf = append(b.buf, "@example.org',"...)
		} else {
			b.plain("")
		}
		b.plain("")
		b.time(c.at(i, day))
		b.int(r.n64(4))
		if r.n(200) == 0 {
			b.str(pick(&r, oddTexts))
		} else {
			b.null()
		}
		b.int(r.n64(3))
		b.plain(pick(&r, cities))
		b.end()
	}
}
