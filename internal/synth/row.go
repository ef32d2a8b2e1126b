package synth

import "strconv"

// block is a run of rows of one table while they are written as the text of an INSERT
// statement. Every field method appends one value and a comma; end closes the row.
type block struct {
	lo, hi int64 // row ordinals, half-open
	buf    []byte
	ends   []int32 // offset in buf just behind each row's closing parenthesis

	facts   []fact // what the rows of a call table mean (truth)
	logins  []login
	scripts []scriptFact
	scratch []byte
	date    [10]byte // the text of day dateDay
	dateDay int64
}

func (b *block) reset(lo, hi int64) {
	b.lo, b.hi = lo, hi
	b.buf, b.ends, b.facts, b.logins = b.buf[:0], b.ends[:0], b.facts[:0], b.logins[:0]
	b.scripts = b.scripts[:0]
}

func (b *block) begin() { b.buf = append(b.buf, '(') }

func (b *block) end() {
	b.buf[len(b.buf)-1] = ')'
	b.ends = append(b.ends, int32(len(b.buf)))
	b.buf = append(b.buf, ",\n"...)
}

func (b *block) int(v int64) { b.buf = append(strconv.AppendInt(b.buf, v, 10), ',') }

// lit appends text that is already in SQL form: numbers, NULL, several fields with commas.
func (b *block) lit(s string) { b.buf = append(append(b.buf, s...), ',') }

func (b *block) null() { b.lit("NULL") }

// dec appends v / 10^places with all its decimals, as the server prints DECIMAL.
func (b *block) dec(v int64, places int) { b.buf = append(appendDecimal(b.buf, v, places), ',') }

// float appends v / 10^places without trailing zeros, as the server prints FLOAT. At most
// six significant digits are exact.
func (b *block) float(v int64, places int) {
	b.buf = appendDecimal(b.buf, v, places)
	if places > 0 {
		n := len(b.buf)
		for b.buf[n-1] == '0' {
			n--
		}
		if b.buf[n-1] == '.' {
			n--
		}
		b.buf = b.buf[:n]
	}
	b.buf = append(b.buf, ',')
}

func appendDecimal(buf []byte, v int64, places int) []byte {
	if v < 0 {
		buf, v = append(buf, '-'), -v
	}
	unit := int64(1)
	for range places {
		unit *= 10
	}
	buf = strconv.AppendInt(buf, v/unit, 10)
	if places == 0 {
		return buf
	}
	buf = append(buf, '.')
	for frac := v % unit; unit > 1; {
		unit /= 10
		buf = append(buf, byte('0'+frac/unit))
		frac %= unit
	}
	return buf
}

// plain appends a quoted string that holds nothing to escape.
func (b *block) plain(s string) {
	b.buf = append(b.buf, '\'')
	b.buf = append(b.buf, s...)
	b.buf = append(b.buf, '\'', ',')
}

// str appends a quoted string, escaped the way mariadb-dump escapes.
func (b *block) str(s string) {
	b.buf = append(b.buf, '\'')
	for i := 0; i < len(s); i++ {
		b.buf = appendEscaped(b.buf, s[i])
	}
	b.buf = append(b.buf, '\'', ',')
}

func (b *block) bytes(s []byte) {
	b.buf = append(b.buf, '\'')
	for _, c := range s {
		b.buf = appendEscaped(b.buf, c)
	}
	b.buf = append(b.buf, '\'', ',')
}

func appendEscaped(buf []byte, c byte) []byte {
	switch c {
	case '\'', '"', '\\':
		return append(buf, '\\', c)
	case '\n':
		return append(buf, '\\', 'n')
	case '\r':
		return append(buf, '\\', 'r')
	case 0:
		return append(buf, '\\', '0')
	case 0x1a:
		return append(buf, '\\', 'Z')
	}
	return append(buf, c)
}

const zeroTime = "'0000-00-00 00:00:00'"

// time appends an instant, in seconds, as a quoted date and time; zero is the zero date.
func (b *block) time(at int64) {
	if at == 0 {
		b.lit(zeroTime)
		return
	}
	b.buf = append(b.buf, '\'')
	b.buf = b.appendTime(b.buf, at)
	b.buf = append(b.buf, '\'', ',')
}

func (b *block) appendTime(buf []byte, at int64) []byte {
	day := at / daySeconds
	if day != b.dateDay {
		b.dateDay = day
		y, m, d := civil(day)
		copy(b.date[:], []byte{
			byte('0' + y/1000), byte('0' + y/100%10), byte('0' + y/10%10), byte('0' + y%10), '-',
			byte('0' + m/10), byte('0' + m%10), '-', byte('0' + d/10), byte('0' + d%10)})
	}
	buf = append(buf, b.date[:]...)
	s := at % daySeconds
	h, m := s/3600, s/60%60
	s %= 60
	return append(buf, ' ', byte('0'+h/10), byte('0'+h%10), ':', byte('0'+m/10), byte('0'+m%10), ':',
		byte('0'+s/10), byte('0'+s%10))
}

// civil turns days since 1970-01-01 into a date of the Gregorian calendar.
func civil(day int64) (y, m, d int64) {
	day += 719468
	era := day / 146097
	doe := day % 146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = mp + 3
	if m > 12 {
		m -= 12
	}
	y = yoe + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}
