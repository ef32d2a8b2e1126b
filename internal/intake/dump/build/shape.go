package build

import (
	"strconv"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// Value is one value of an object, in the form of a cell.
type Value struct {
	Form     dump.Form
	Kind     dump.Kind
	Text     []byte
	Declared string // the source's own word for the type
}

// MaxColumns is how many columns a table gets before further keys go into [More].
const MaxColumns = 1000

// More is the column that holds, as one JSON object, what has no column of its own because
// the objects have more different keys than a table has columns.
const More = "%more"

// Shape is the columns of objects that declare none, in the order they are first seen.
type Shape struct {
	index map[string]int
	cols  []seen
	turn  int64 // of the object being read
}

// seen is what a column's values were.
type seen struct {
	name         string
	kinds        uint16 // bit 1<<dump.Kind
	whole, scale int    // digits before and behind the point, at most
	declared     string
	turn         int64 // the last object that had the key
}

// NewShape makes a shape without columns.
func NewShape() *Shape { return &Shape{index: map[string]int{}} }

// Object begins the next object.
func (s *Shape) Object() { s.turn++ }

// Column gives the column of a key of the current object. A key that the object repeats gets
// columns of its own: key#2, key#3. With MaxColumns columns there is no further one but More,
// and more is true.
func (s *Shape) Column(key []byte) (column int, more bool) {
	i, ok := s.index[string(key)]
	if !ok {
		return s.add(string(key))
	}
	for n := 2; s.cols[i].turn == s.turn; n++ {
		name := string(key) + "#" + strconv.Itoa(n)
		if i, ok = s.index[name]; !ok {
			return s.add(name)
		}
	}
	s.cols[i].turn = s.turn
	return i, i == MaxColumns
}

func (s *Shape) add(name string) (column int, more bool) {
	if len(s.cols) == MaxColumns {
		name = More
	}
	if len(s.cols) > MaxColumns {
		return MaxColumns, true
	}
	for _, taken := s.index[name]; taken; _, taken = s.index[name] {
		name += "_"
	}
	s.index[name] = len(s.cols)
	s.cols = append(s.cols, seen{name: name, turn: s.turn})
	return len(s.cols) - 1, len(s.cols) > MaxColumns
}

// See notes what kind of value a column has.
func (s *Shape) See(column int, v Value) {
	if v.Form == dump.Null {
		return
	}
	c := &s.cols[column]
	c.kinds |= 1 << v.Kind
	if c.declared == "" {
		c.declared = v.Declared
	} else if c.declared != v.Declared {
		c.declared = "mixed"
	}
	if v.Kind == dump.Int || v.Kind == dump.Decimal {
		whole, scale := digits(v.Text)
		c.whole, c.scale = max(c.whole, whole), max(c.scale, scale)
	}
}

// digits counts the digits of a plain decimal number before and behind its point.
func digits(b []byte) (whole, scale int) {
	point := false
	for _, c := range b {
		switch {
		case c == '.':
			point = true
		case c < '0' || c > '9':
		case point:
			scale++
		default:
			whole++
		}
	}
	return whole, scale
}

// Columns gives the columns, each with the narrowest kind that holds all its values exactly;
// where none does it is text.
func (s *Shape) Columns() []dump.Column {
	list := make([]dump.Column, len(s.cols))
	for i, c := range s.cols {
		list[i] = dump.Column{Name: c.name, Kind: dump.Text, Declared: c.declared}
		is := func(allowed ...dump.Kind) bool {
			rest := c.kinds
			for _, k := range allowed {
				rest &^= 1 << k
			}
			return rest == 0 && c.kinds != 0
		}
		switch {
		case is(dump.Int):
			list[i].Kind = dump.Int
		case is(dump.Int, dump.Decimal):
			if c.whole+c.scale <= 18 {
				list[i].Kind, list[i].Precision, list[i].Scale = dump.Decimal, max(c.whole+c.scale, 1), c.scale
			}
		case is(dump.Int, dump.Decimal, dump.Float):
			if c.whole+c.scale <= 15 { // a double gives 15 digits back as they were
				list[i].Kind = dump.Float
			}
		case is(dump.DateTime):
			list[i].Kind = dump.DateTime
		case is(dump.Binary):
			list[i].Kind = dump.Binary
		}
	}
	return list
}

// Name is a column's name.
func (s *Shape) Name(column int) string { return s.cols[column].name }
