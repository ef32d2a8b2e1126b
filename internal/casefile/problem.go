package casefile

import (
	"fmt"
	"strings"
)

// Where is the place a problem was met. Zero fields are left out when it is printed;
// Row counts from 1, and Offset is meaningful only where HasOffset is set.
type Where struct {
	Source    string // file name or source id
	Table     string
	Row       int64
	Offset    int64
	HasOffset bool
}

// String lists what is known, in the order source, table, row, offset.
func (w Where) String() string {
	var parts []string
	if w.Source != "" {
		parts = append(parts, "source "+w.Source)
	}
	if w.Table != "" {
		parts = append(parts, fmt.Sprintf("table %q", w.Table))
	}
	if w.Row > 0 {
		parts = append(parts, fmt.Sprintf("row %d", w.Row))
	}
	if w.HasOffset {
		parts = append(parts, fmt.Sprintf("offset %d", w.Offset))
	}
	return strings.Join(parts, ", ")
}

// Problem is an error that says where in the evidence it was met.
type Problem struct {
	Where Where
	Err   error
}

func (p *Problem) Error() string {
	if at := p.Where.String(); at != "" {
		return at + ": " + p.Err.Error()
	}
	return p.Err.Error()
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Err }
