package synth

import (
	"strconv"
	"strings"
)

func hexText(r *rng, digits int) string {
	var buf []byte
	for len(buf) < digits {
		buf = appendHex(buf, r.next(), min(16, digits-len(buf)))
	}
	return string(buf)
}

// userRow writes pkg_user, all 74 columns.
func (w *world) userRow(b *block, i int64) {
	a := &w.accounts[i]
	r := key(w.seed, streamUserRow, i)
	b.begin()
	b.int(i + 1)
	b.int(a.parent)
	b.int(a.group)
	b.lit("NULL,1,NULL")
	b.plain(a.username)
	b.plain(hexText(&r, 40)) // password
	b.dec(r.n64(2_000_000)-100_000, 4)
	b.lit([]string{"1", "1", "1", "1", "0", "2"}[r.n(6)])
	b.time(a.registered)
	if a.calls > 0 {
		b.time(a.registered + 3600 + r.n64(80_000))
	} else {
		b.lit(zeroTime)
	}
	b.lit(zeroTime + ",0,0")
	last, first := a.last, a.first
	switch r.n(60) {
	case 0:
		first = pick(&r, oddTexts)
	case 1:
		last = pick(&r, oddTexts)
	case 2:
		first, last = "NULL", "NULL"
	}
	b.str(last)
	b.str(first)
	b.str(strconv.Itoa(r.in(1, 180)) + " " + pick(&r, lastNames) + " Street")
	b.plain(pick(&r, cities))
	b.lit("'',''")
	if a.claimedNull {
		b.null()
	} else {
		b.str(a.claimed)
	}
	b.plain("ZZ" + strconv.Itoa(r.in(1, 99)) + " " + strconv.Itoa(r.n(10)) + "ZZ")
	b.plain(a.phone)
	b.plain(a.mobile)
	b.str(a.email)
	b.lit("'','','',NULL,NULL,NULL,NULL")
	b.time(a.lastCall)
	b.lit("0,0,'en','',''," + zeroTime + ",-1,0,0")
	b.int(100_000 + r.n64(900_000)) // callingcard_pin
	b.lit("'','0',NULL,0,0,0,NULL")
	switch r.n(8) {
	case 0:
		b.str(pick(&r, oddTexts))
	case 1:
		b.str("paid up til xmas, wants " + institutions[a.fav[0]].name + " pack\nsee ticket \"" + strconv.Itoa(r.in(100, 9999)) + "\"")
	case 2:
		b.null()
	default:
		b.plain("")
	}
	if a.lastCall > 0 {
		b.time(a.lastCall + r.n64(600))
	} else {
		b.null()
	}
	b.lit("0")
	if r.n(20) == 0 {
		b.plain(strings.ToUpper(hexText(&r, 16)))
	} else {
		b.plain("")
	}
	b.lit("'',NULL,-1,1,-1,-1,'403','gsm',0,0,0,0,0,0,0,0,0,0,0")
	b.end()
}

// sipRow writes pkg_sip, all 87 columns: one line an account.
func (w *world) sipRow(b *block, i int64) {
	a := &w.accounts[i]
	r := key(w.seed, streamSIP, i)
	b.begin()
	b.int(i + 1)
	b.int(i + 1)
	b.line(int32(i))
	b.plain(a.username)
	b.lit("NULL,NULL,NULL,'yes',0,'no','no','no',NULL")
	in := &institutions[a.fav[0]]
	b.scratch, _ = appendOrdinary(b.scratch[:0], &r, &r)
	if a.pays() && r.n(3) > 0 {
		b.scratch = appendQuoted(b.scratch[:0], pick(&r, in.brief), in.numbers[0].from, &r)
	}
	b.bytes(b.scratch)
	b.lit("'billing',NULL,'RFC2833',NULL,'','dynamic','no',NULL,NULL,'accept',1800,90,'uas',NULL,NULL,'force_rport,comedia'," +
		"NULL,NULL,NULL,5060,'yes',NULL,NULL")
	b.plain(hexText(&r, 12)) // secret
	b.lit("'friend','all','ulaw,alaw,g729'")
	if a.lastCall == 0 {
		b.lit("0,'','',NULL,NULL,NULL,NULL,NULL,NULL,NULL,''")
	} else {
		b.int(a.lastCall + 120)
		b.buf = append(b.buf, '\'')
		from := len(b.buf)
		b.buf = appendAddress(b.buf, a, &r)
		addr := string(b.buf[from:])
		b.buf = append(b.buf, '\'', ',')
		if strings.Contains(addr, ":") {
			addr = "[" + addr + "]"
		}
		b.buf = append(b.buf, "'sip:"...)
		b.buf = appendLine(b.buf, int32(i))
		b.buf = append(append(append(b.buf, '@'), addr...), ":5060',"...)
		b.lit("NULL,NULL")
		b.plain(strconv.Itoa(r.in(12, 320)))
		b.lit("NULL,NULL,NULL,NULL,''")
	}
	b.lit("NULL,NULL,NULL,NULL,NULL,NULL,'yes',NULL,NULL")
	if a.lastCall == 0 {
		b.plain("")
	} else {
		b.plain(pick(&r, sipAgents))
	}
	b.lit("0,1,'no',NULL,NULL,0,NULL,NULL,0,0,0")
	b.str(a.email)
	b.int(1000 + r.n64(9000)) // voicemail_password
	b.lit("'','',NULL,60,NULL,0,'',0")
	if r.n(40) == 0 {
		b.str(pick(&r, oddTexts))
	} else {
		b.null()
	}
	b.lit("'',NULL,NULL")
	b.end()
}

func (w *world) callerIDRow(b *block, i int64) {
	k := w.campaignOwner[i]
	a := &w.accounts[k]
	r := key(w.seed, streamCallerID, i)
	in := &institutions[pick(&r, a.fav[:])]
	b.begin()
	b.int(i + 1)
	b.scratch = appendPresented(b.scratch[:0], in.numbers[r.n(len(in.numbers))].from, &r)
	b.bytes(b.scratch)
	b.str(pick(&r, in.shown))
	if r.n(10) == 0 {
		b.str(pick(&r, oddTexts))
	} else {
		b.null()
	}
	b.int(int64(k) + 1)
	b.lit("'1'")
	b.end()
}

// toldByCampaigns lists the institution that the text of each ordinary campaign names, or -1.
func (w *world) toldByCampaigns() []int8 {
	told := make([]int8, len(w.campaignOwner))
	b := &block{}
	for i := range told {
		told[i] = -1
		b.reset(0, 0)
		w.campaignRow(b, int64(i))
		for _, s := range b.scripts {
			told[i] = s.told
		}
	}
	return told
}

func (w *world) campaignRow(b *block, i int64) {
	k := w.campaignOwner[i]
	a := &w.accounts[k]
	r := key(w.seed, streamCampaign, i)
	told := pick(&r, a.fav[:])
	in := &institutions[told]
	created := a.moment(&r)
	b.begin()
	b.int(i + 1)
	b.int(int64(k) + 1)
	b.lit("1")
	if r.n(15) == 0 {
		b.str(pick(&r, oddTexts))
	} else {
		b.str(in.aliases[0] + " blast " + strconv.Itoa(r.in(1, 60)))
	}
	b.scratch = appendQuoted(b.scratch[:0], pick(&r, in.brief), in.numbers[0].from, &r)
	b.bytes(b.scratch)
	b.time(created)
	b.time(created + 600)
	if r.n(2) == 0 {
		b.lit(zeroTime)
	} else {
		b.time(created + 30*daySeconds)
	}
	b.str(pick(&r, oddTexts))
	b.int(r.n64(90_000))
	b.int(r.n64(3_000))
	b.lit("1,30,0")
	b.buf = append(b.buf, "'sip|"...)
	b.buf = appendLine(b.buf, k)
	b.buf = append(b.buf, "','09:00:00','18:30:00',1,1,1,1,1,0,0,'idCampaign_"...)
	b.buf = strconv.AppendInt(b.buf, i+1, 10)
	b.buf = append(b.buf, ".gsm','',1,0,0,1,"...)
	if r.n(5) < 3 {
		n := r.n(len(scripts))
		b.str(strings.Replace(scripts[n], "%s", in.aliases[0], 1))
		if !strings.Contains(scripts[n], "%s") {
			told = -1
		}
		b.scripts = append(b.scripts, scriptFact{i + 1, len(families) + n, told})
	} else {
		b.plain("")
	}
	b.lit("'','','',0,'',0")
	b.end()
}

func campaignPhonebookRow(b *block, i int64) {
	b.begin()
	b.int(i + 1)
	b.int(i + 1)
	b.end()
}

func (w *world) pollRow(b *block, i int64) {
	k := w.campaignOwner[i]
	b.begin()
	b.int(i + 1)
	b.int(int64(k) + 1)
	b.int(i + 1)
	b.lit("'passcode','enter the 6 digits, then #','otp.gsm',1,'Repeat','Agent','','','','','','','','',1,1,0")
	b.end()
}

// pollInfoRow writes what called people keyed in: choices, and parts of passcodes.
func (w *world) pollInfoRow(c *curve, polls int64) func(*block, int64) {
	return func(b *block, i int64) {
		r := key(w.seed, streamPoll, i)
		b.begin()
		b.int(i + 1)
		b.int(1 + r.n64(polls))
		code := r.n(3) == 0
		if code {
			b.int(1000 + r.n64(9000))
		} else {
			b.int(r.n64(10))
		}
		b.buf = append(b.buf, '\'')
		b.buf = strconv.AppendInt(b.buf, w.people.number(r.n64(w.people.ukMobile.n)), 10)
		b.buf = append(b.buf, '\'', ',')
		b.time(c.at(i, c.day(i)))
		if code && r.n(2) == 0 {
			b.buf = append(b.buf, "'otp "...)
			b.buf = strconv.AppendInt(b.buf, 100_000+r.n64(900_000), 10)
			b.buf = append(b.buf, '\'', ',')
		} else {
			b.null()
		}
		b.lit("''")
		b.end()
	}
}

func (w *world) phonebookRow(b *block, i int64) {
	k := w.campaignOwner[i]
	r := key(w.seed, streamPhonebook, i)
	b.begin()
	b.int(i + 1)
	b.int(int64(k) + 1)
	b.plain("leads " + pick(&r, cities) + " " + strconv.Itoa(r.in(1, 30)))
	b.str(pick(&r, oddTexts))
	b.lit("1")
	b.end()
}

func (w *world) cryptoRow(b *block, i int64) {
	p := &w.payments[i]
	b.begin()
	b.int(i + 1)
	b.int(int64(p.account) + 1)
	b.int(p.status)
	b.plain(p.coin)
	b.dec(p.amount, 8)
	b.dec(p.pence*1_000_000, 8)
	b.time(p.at)
	b.end()
}

// refills are the payments that became credit, in their order.
func (w *world) refills() []int {
	var out []int
	for k := range w.payments {
		if w.payments[k].status == 1 {
			out = append(out, k)
		}
	}
	return out
}

func (w *world) refillRow() func(*block, int64) {
	list := w.refills()
	return func(b *block, i int64) {
		p := &w.payments[list[i]]
		r := key(w.seed, streamRefill, i)
		b.begin()
		b.int(i + 1)
		b.int(int64(p.account) + 1)
		b.time(p.at + 5)
		b.dec(p.pence*1000, 5)
		if r.n(50) == 0 {
			b.str(pick(&r, oddTexts))
		} else {
			b.buf = append(b.buf, '\'')
			b.buf = append(append(b.buf, p.coin...), ", Qty: "...)
			b.buf = appendDecimal(b.buf, p.amount, 8)
			b.buf = append(b.buf, ", ref "...)
			b.buf = strconv.AppendInt(b.buf, int64(list[i])+1, 10)
			b.buf = append(b.buf, '\'', ',')
		}
		b.lit("0,1,NULL,''")
		b.end()
	}
}
