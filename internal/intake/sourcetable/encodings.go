package sourcetable

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow-go/v18/parquet"
)

// The encodings most columns are written in, and the levels that say where a value is missing:
// DELTA_BINARY_PACKED, DELTA_BYTE_ARRAY, dictionaries and the RLE / bit-packing hybrid of the
// Parquet format's document "Encodings". They are ours because the library's go value by
// value and took two fifths of the time of reading a dump; the library reads them again in
// the tests, and writes everything else of a file.

const (
	deltaBlock = 128 // differences that share a minimum
	miniBlock  = 32  // of them, those that share a bit width
)

// deltas packs integers as differences, each from the one before it.
type deltas struct {
	count       int
	first, last int64
	n           int // differences in block
	block       [deltaBlock]int64
	packed      []byte // blocks that are full
}

func (d *deltas) put(values []int64) {
	if len(values) == 0 {
		return
	}
	if d.count == 0 {
		d.first, d.last = values[0], values[0]
		d.count, values = 1, values[1:]
	}
	d.count += len(values)
	for len(values) > 0 {
		into := d.block[d.n:]
		into = into[:min(len(into), len(values))]
		last := d.last
		for i, v := range values[:len(into)] {
			into[i] = v - last // wraps, as the format has it
			last = v
		}
		d.last = last
		d.n += len(into)
		values = values[len(into):]
		if d.n == deltaBlock {
			d.pack()
		}
	}
}

// pack writes the block.
func (d *deltas) pack() {
	if d.n == 0 {
		return
	}
	least := d.block[0]
	for _, v := range d.block[1:d.n] {
		least = min(least, v)
	}
	d.packed = binary.AppendVarint(d.packed, least)
	widths := len(d.packed)
	d.packed = append(d.packed, make([]byte, deltaBlock/miniBlock)...)
	for from := 0; from < d.n; from += miniBlock {
		mini := d.block[from : from+miniBlock]
		have := min(miniBlock, d.n-from)
		var all uint64
		for i := range mini[:have] {
			mini[i] -= least
			all |= uint64(mini[i])
		}
		clear(mini[have:])
		width := bits.Len64(all)
		d.packed[widths+from/miniBlock] = byte(width)
		d.packed = packBits(d.packed, mini, uint(width))
	}
	d.n = 0
}

// packBits appends 32 numbers of width bits, the lowest bit first.
func packBits(to []byte, numbers []int64, width uint) []byte {
	if width == 0 {
		return to
	}
	at := len(to)
	to = append(to, make([]byte, miniBlock/8*width)...)
	var word uint64
	var used uint // bits of word
	for _, v := range numbers {
		word |= uint64(v) << (used & 63)
		if used += width; used >= 64 {
			binary.LittleEndian.PutUint64(to[at:], word)
			at += 8
			used -= 64
			word = uint64(v) >> (width - used)
		}
	}
	if used > 0 { // half a word
		binary.LittleEndian.PutUint32(to[at:], uint32(word))
	}
	return to
}

// finish appends what was put and begins anew.
func (d *deltas) finish(to []byte) []byte {
	d.pack()
	to = binary.AppendUvarint(to, deltaBlock)
	to = binary.AppendUvarint(to, deltaBlock/miniBlock)
	to = binary.AppendUvarint(to, uint64(d.count))
	to = binary.AppendVarint(to, d.first)
	to = append(to, d.packed...)
	d.count, d.first, d.packed = 0, 0, d.packed[:0]
	return to
}

// texts writes of each value only what it does not share with the beginning of the one before.
type texts struct {
	prefixes, suffixes deltas // their lengths
	bytes              []byte // of the suffixes
	last               []byte
	lengths            [2][block]int64
}

// put takes at most block values.
func (t *texts) put(values []parquet.ByteArray) {
	last := t.last
	for i, v := range values {
		n := shared(last, v)
		t.lengths[0][i], t.lengths[1][i] = int64(n), int64(len(v)-n)
		t.bytes = append(t.bytes, v[n:]...)
		last = v
	}
	t.prefixes.put(t.lengths[0][:len(values)])
	t.suffixes.put(t.lengths[1][:len(values)])
	t.last = append(t.last[:0], last...)
}

// shared is how many bytes a and b begin with in common.
func shared(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func (t *texts) finish(to []byte) []byte {
	to = t.prefixes.finish(to)
	to = t.suffixes.finish(to)
	to = append(to, t.bytes...)
	t.bytes, t.last = t.bytes[:0], t.last[:0]
	return to
}

// dictionary writes each different value once, and then its number in a few bits.
type dictionary struct {
	numbers map[string]uint32
	entries []byte // the values, by number
	n       int
	full    bool    // further values stand for themselves
	indices []int64 // of the page
	plain   []byte  // of the page, when it is full
	last    []byte
	lastAt  uint32
}

// maxDictionary is about how many bytes the values of a dictionary have.
const maxDictionary = 1 << 20

func (d *dictionary) begin() {
	if d.numbers == nil {
		d.numbers = map[string]uint32{}
	}
	clear(d.numbers)
	d.entries, d.n, d.full, d.last = d.entries[:0], 0, false, d.last[:0]
}

func (d *dictionary) put(values []parquet.ByteArray) {
	if d.full {
		for _, v := range values {
			d.plain = appendPlain(d.plain, v)
		}
		return
	}
	for _, v := range values {
		at := d.lastAt
		if d.n == 0 || !bytes.Equal(v, d.last) {
			var known bool
			if at, known = d.numbers[string(v)]; !known {
				at = uint32(d.n)
				d.numbers[string(v)] = at
				d.entries = appendPlain(d.entries, v)
				d.n++
			}
			d.last, d.lastAt = append(d.last[:0], v...), at
		}
		d.indices = append(d.indices, int64(at))
	}
}

// appendPlain appends a value as it stands by itself.
func appendPlain(to []byte, v []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(to, uint32(len(v))), v...)
}

// finish appends a page of values and says how they are written. One without values, before
// there are any, needs no dictionary.
func (d *dictionary) finish(to []byte) ([]byte, parquet.Encoding) {
	if d.full || d.n == 0 {
		to = append(to, d.plain...)
		d.plain = d.plain[:0]
		return to, parquet.Encodings.Plain
	}
	width := max(1, bits.Len(uint(d.n-1)))
	to = append(to, byte(width))
	if count := len(d.indices); count > 0 {
		groups := (count + 7) / 8
		to = binary.AppendUvarint(to, uint64(groups)<<1|1)
		end := len(to) + groups*width
		d.indices = append(d.indices, make([]int64, (miniBlock-count%miniBlock)%miniBlock)...)
		for from := 0; from < len(d.indices); from += miniBlock {
			to = packBits(to, d.indices[from:from+miniBlock], uint(width))
		}
		to = to[:end]
		d.indices = d.indices[:0]
	}
	return to, parquet.Encodings.RLEDict
}

// levels are the definition levels of an optional column: 0 null, 1 value.
type levels struct {
	runs  []byte
	level byte // of the run that is open
	run   int  // its length; 0: none is open
}

// same takes n equal levels.
func (l *levels) same(level byte, n int) {
	if level != l.level {
		l.close()
	}
	l.level = level
	l.run += n
}

// mixed takes levels as they stand. Only the last of a page may be no multiple of eight.
func (l *levels) mixed(levels []int16) {
	l.close()
	l.runs = binary.AppendUvarint(l.runs, uint64((len(levels)+7)/8)<<1|1)
	for ; len(levels) > 0; levels = levels[min(8, len(levels)):] {
		var eight byte
		for i, level := range levels[:min(8, len(levels))] {
			eight |= byte(level) << i
		}
		l.runs = append(l.runs, eight)
	}
}

func (l *levels) close() {
	if l.run > 0 {
		l.runs = append(binary.AppendUvarint(l.runs, uint64(l.run)<<1), l.level)
	}
	l.run = 0
}

func (l *levels) finish(to []byte) []byte {
	l.close()
	to = binary.LittleEndian.AppendUint32(to, uint32(len(l.runs)))
	to = append(to, l.runs...)
	l.runs = l.runs[:0]
	return to
}
