package synth

import "strconv"

// fact is the truth of one call row.
type fact struct {
	at      int64
	person  int64
	account int32
	talk    int32
	grade   grade
	inst    int8
	uk      bool // the called person is British
	own     bool // the account's own telephone is shown
}

func (w *world) answeredTable(truth *truth) table {
	return table{name: "pkg_cdr", rows: w.answered.curve.total() + int64(len(w.plan.calls)), row: w.answeredRow,
		seen: func(b *block) error { return truth.seeCalls(b, true) }, trigger: cdrTrigger}
}

func (w *world) failedTable(truth *truth) table {
	return table{name: "pkg_cdr_failed", rows: w.failed.curve.total(), row: w.failedRow,
		seen: func(b *block) error { return truth.seeCalls(b, false) }}
}

// cdrTrigger keeps the operators' own calls from being charged. It stands behind the rows, as
// mariadb-dump puts it, and never ran on them.
const cdrTrigger = `/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;
/*!50003 SET character_set_client  = utf8mb4 */ ;
/*!50003 SET character_set_results = utf8mb4 */ ;
/*!50003 SET collation_connection  = utf8mb4_general_ci */ ;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = 'NO_AUTO_VALUE_ON_ZERO' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=` + "`root`@`localhost`" + `*/ /*!50003 TRIGGER free_tests BEFORE INSERT ON pkg_cdr FOR EACH ROW BEGIN
  IF NEW.id_user <= 3 THEN
    SET NEW.sessionbill = 0; -- it's on the house;
  END IF;
END 
*/;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50003 SET character_set_client  = @saved_cs_client */ ;
/*!50003 SET character_set_results = @saved_cs_results */ ;
/*!50003 SET collation_connection  = @saved_col_connection */ ;
`

// pricePer10000 is what a second costs the user, by region, in GBP/10000.
var pricePer10000 = [5]int64{123, 31, 98, 117, 109}

func (w *world) answeredRow(b *block, i int64) {
	if n := w.answered.curve.total(); i >= n {
		w.plannedRow(b, i, &w.plan.calls[i-n])
		return
	}
	c := w.call(&w.answered, i)
	talk := c.talk(&c.own)
	w.answeredHead(b, i, &c)
	a := &w.accounts[c.account]
	told := int8(-1)
	if a.campaigns > 0 && c.own.chance(400) {
		id := a.campaign + c.own.n64(a.campaigns)
		told = w.campaignTold[id-1]
		b.int(id)
	} else {
		b.null()
	}
	g, inst := w.presented(b, &c, told)
	w.answeredTail(b, i, &c, talk, g, inst)
}

// answeredHead appends the fields of pkg_cdr before id_campaign, answeredTail those behind
// callerid and the row's truth.
func (w *world) answeredHead(b *block, i int64, c *call) {
	b.begin()
	b.int(i + 1)
	b.int(int64(c.account) + 1)
	trunk := 1 + c.own.n64(trunks)
	b.buf = append(b.buf, "1,"...)
	b.int(trunk)
	b.lit("1")
	b.int(int64(c.region) + 1)
}

func (w *world) answeredTail(b *block, i int64, c *call, talk int64, g grade, inst int8) {
	billed := (talk + 5) / 6 * 6
	b.uniqueID(c.at, i)
	b.time(c.at)
	b.int(billed)
	w.dialled(b, c)
	price := pricePer10000[c.region]
	if w.accounts[c.account].role == roleAdmin {
		price = 0
	}
	b.float(billed*price, 4)
	b.lit("0")
	b.line(c.account)
	b.dec(billed*pricePer10000[c.region]*33, 6)
	b.int(talk)
	b.lit("1,0.000000")
	b.end()
	b.facts = append(b.facts, fact{at: c.at, person: c.person, account: c.account, talk: int32(talk),
		grade: g, inst: inst, uk: c.region == regionUK && c.person >= 0, own: c.ownNumber})
}

// ends lists terminatecauseid and hangupcause of calls nobody answered.
var ends = []string{"3,19", "3,19", "3,18", "2,17", "2,17", "4,16", "4,16", "5,34", "6,21", "6,1", "6,27", "8,0"}

func (w *world) failedRow(b *block, i int64) {
	c := w.call(&w.failed, i)
	b.begin()
	b.int(i + 1)
	b.int(int64(c.account) + 1)
	b.lit("1")
	b.int(1 + c.own.n64(trunks))
	b.int(int64(c.region) + 1)
	b.lit("1")
	b.buf = append(b.buf, "'SIP/"...)
	b.buf = appendLine(b.buf, c.account)
	b.buf = append(b.buf, '-')
	b.buf = appendHex(b.buf, c.own.next(), 8)
	b.buf = append(b.buf, '\'', ',')
	b.uniqueID(c.at, i)
	b.time(c.at)
	w.dialled(b, &c)
	b.lit("0")
	b.line(c.account)
	g, inst := w.presented(b, &c, -1)
	b.lit(ends[c.own.n(len(ends))])
	b.end()
	b.facts = append(b.facts, fact{at: c.at, person: c.person, account: c.account,
		grade: g, inst: inst, uk: c.region == regionUK && c.person >= 0, own: c.ownNumber})
}

// presented appends the callerid field.
func (w *world) presented(b *block, c *call, told int8) (grade, int8) {
	var g grade
	var inst int8
	b.scratch, g, inst = w.present(b.scratch[:0], c, told)
	b.bytes(b.scratch)
	return g, inst
}

// dialled appends the calledstation field: sometimes behind the prefix NNNN# that picks a
// route.
func (w *world) dialled(b *block, c *call) {
	if c.person < 0 {
		b.plain(pick(&c.own, noNumbers))
		return
	}
	tech := 0
	if c.own.chance(50) {
		tech = 1010 + c.own.n(4)*111
	}
	b.buf = append(b.buf, '\'')
	b.buf = appendCalled(b.buf, w.people.number(c.person), tech, &c.own)
	b.buf = append(b.buf, '\'', ',')
}

// uniqueID appends Asterisk's name of a channel: its start and a serial number.
func (b *block) uniqueID(at, i int64) {
	b.buf = append(b.buf, '\'')
	b.buf = strconv.AppendInt(b.buf, at, 10)
	b.buf = append(b.buf, '.')
	b.buf = strconv.AppendInt(b.buf, i+1, 10)
	b.buf = append(b.buf, '\'', ',')
}

// line appends the name of the account's SIP line.
func (b *block) line(account int32) {
	b.buf = append(b.buf, '\'')
	b.buf = appendLine(b.buf, account)
	b.buf = append(b.buf, '\'', ',')
}

func appendLine(buf []byte, account int32) []byte {
	return strconv.AppendInt(append(buf, 'L'), 20_000+int64(account)*7, 10)
}

func appendHex(buf []byte, v uint64, digits int) []byte {
	const hex = "0123456789abcdef"
	for k := range digits {
		buf = append(buf, hex[v>>(4*k)&15])
	}
	return buf
}
