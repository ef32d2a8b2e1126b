package inflate

import "math/bits"

// An entry of a table says what the next bits are:
//
//	bits 0-5    how many to take: the code and the extra bits behind it
//	bits 8-11   how many of these are the code
//	bits 12-15  the kinds below; none of them: a length or distance, and what the extra bits
//	            say is added to it
//	bits 16-31  the literal, the length or distance, or where the subtable begins
//
// In an entry that leads to a subtable, bits 8-11 are how many bits select in it.
type entry = uint32

const (
	literal    entry = 1 << 12
	subtable   entry = 1 << 13
	endOfBlock entry = 1 << 14
	noCode     entry = 1 << 15
)

// A table is indexed by the next bits, its width. Behind these 2^width entries lie subtables
// for longer codes: at least two of them in each, since codes are complete.
const (
	longestCode = 15
	litlenBits  = 11
	litlenSize  = 1<<litlenBits + 286/2<<(longestCode-litlenBits)
	distBits    = 9
	distSize    = 1<<distBits + 30/2<<(longestCode-distBits)
	codeBits    = 7 // no longer ones
)

// build makes a table from the lengths of the codes of symbols 0, 1, 2 ... (RFC 1951, 3.2.2);
// of gives a symbol's entry without its code. It reports whether the code is one: complete, of
// one symbol that takes one bit, or without symbols.
func build(table []entry, width int, lengths []uint8, of func(symbol int) entry) bool {
	var count, next [longestCode + 1]int
	for _, l := range lengths {
		count[l]++
	}
	count[0] = 0
	code, longest := 0, 0
	for l := 1; l <= longestCode; l++ {
		code = (code + count[l-1]) << 1
		next[l] = code
		if count[l] > 0 {
			longest = l
		}
	}
	if used := next[longest] + count[longest]; used != 1<<longest && (longest > 1 || used != longest) {
		return false
	}
	for i := range table[:1<<width] {
		table[i] = noCode | entry(min(longest, 1)) // what no symbol takes
	}
	end, more := 1<<width, max(0, longest-width)
	for symbol, l8 := range lengths {
		l := int(l8)
		if l == 0 {
			continue
		}
		index := int(bits.Reverse16(uint16(next[l])) >> (16 - l)) // codes lie with their first bit lowest
		next[l]++
		part := table[:1<<width]
		if l > width {
			lead := &part[index&(1<<width-1)]
			if *lead&subtable == 0 {
				*lead = subtable | entry(end)<<16 | entry(more)<<8
				end += 1 << more
			}
			begin := int(*lead >> 16)
			part = table[begin : begin+1<<more]
			index >>= width
			l -= width
		}
		e := of(symbol) + entry(l)<<8 + entry(l)
		for ; index < len(part); index += 1 << l {
			part[index] = e
		}
	}
	return true
}

// litlenEntry and distEntry are the tables of RFC 1951, 3.2.5.
func litlenEntry(symbol int) entry {
	switch {
	case symbol < 256:
		return literal | entry(symbol)<<16
	case symbol == 256:
		return endOfBlock
	case symbol < 265:
		return entry(symbol-254) << 16
	case symbol < 285:
		extra := (symbol - 261) / 4
		return entry(3+(4+(symbol-261)%4)<<extra)<<16 | entry(extra)
	case symbol == 285:
		return 258 << 16
	}
	return noCode
}

func distEntry(symbol int) entry {
	switch {
	case symbol < 4:
		return entry(symbol+1) << 16
	case symbol < 30:
		extra := symbol/2 - 1
		return entry(1+(2+symbol%2)<<extra)<<16 | entry(extra)
	}
	return noCode
}

// The fixed codes (RFC 1951, 3.2.6).
var fixedLitlen, fixedDist = func() (l [288]uint8, d [32]uint8) {
	for i := range l {
		switch {
		case i < 144, i >= 280:
			l[i] = 8
		case i < 256:
			l[i] = 9
		default:
			l[i] = 7
		}
	}
	for i := range d {
		d[i] = 5
	}
	return l, d
}()

// codeOrder is the order in which the lengths of the codes for code lengths come.
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// codes reads the codes of a block (RFC 1951, 3.2.7).
func (d *Reader) codes() error {
	if err := d.load(); err != nil {
		return err
	}
	const wrong = "codes that are none"
	litlens, dists, n := 257+d.take(5), 1+d.take(5), 4+d.take(4)
	if litlens > 286 || dists > 30 {
		return d.corrupt(wrong)
	}
	var first [len(codeOrder)]uint8
	for _, symbol := range codeOrder[:n] {
		if err := d.load(); err != nil {
			return err
		}
		first[symbol] = uint8(d.take(3))
	}
	var table [1 << codeBits]entry
	if !build(table[:], codeBits, first[:], func(symbol int) entry { return literal | entry(symbol)<<16 }) {
		return d.corrupt(wrong)
	}
	var lengths [286 + 30]uint8
	for i := 0; i < litlens+dists; {
		if err := d.load(); err != nil {
			return err
		}
		e := table[d.bits&(1<<codeBits-1)]
		if d.take(uint(e & 63)); e&noCode != 0 {
			return d.corrupt(wrong)
		}
		length, times := uint8(0), 1
		switch symbol := e >> 16; {
		case symbol < 16:
			length = uint8(symbol)
		case symbol == 16 && i == 0:
			return d.corrupt(wrong)
		case symbol == 16:
			length, times = lengths[i-1], 3+d.take(2)
		case symbol == 17:
			times = 3 + d.take(3)
		default:
			times = 11 + d.take(7)
		}
		if i+times > litlens+dists {
			return d.corrupt(wrong)
		}
		for range times {
			lengths[i] = length
			i++
		}
	}
	if !build(d.litlen[:], litlenBits, lengths[:litlens], litlenEntry) || !build(d.dist[:], distBits, lengths[litlens:litlens+dists], distEntry) {
		return d.corrupt(wrong)
	}
	return nil
}
