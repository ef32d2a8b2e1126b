package desk

import "github.com/unspoof/unspoof/internal/desk/auth"

// Person is a signed-in user.
type Person struct {
	Name string
	Role auth.Role
}

// Action is a kind of thing a person may do.
type Action string

// The actions.
const (
	SeeFigures Action = "see-figures" // figures, institutions, days: no person in them
	SeePeople  Action = "see-people"  // accounts, numbers, calls, reports
	SeeRow     Action = "see-row"     // an original row of a source
	SeeTables  Action = "see-tables"  // which tables there are and what they were computed from
	SeeLedger  Action = "see-ledger"  // who did what
)

// allowed is deny by default: what is not written here is refused.
var allowed = map[auth.Role]map[Action]bool{
	auth.Reader:     {SeeFigures: true, SeeTables: true},
	auth.Analyst:    {SeeFigures: true, SeeTables: true, SeePeople: true, SeeRow: true},
	auth.Supervisor: {SeeFigures: true, SeeTables: true, SeePeople: true, SeeRow: true, SeeLedger: true},
}

// May tells whether the person's role allows the action.
func (p Person) May(act Action) bool { return p.Name != "" && allowed[p.Role][act] }

// For templates, which know methods and not constants.

// SeesPeople reports whether the person may see accounts, numbers and calls.
func (p Person) SeesPeople() bool { return p.May(SeePeople) }

// SeesRows reports whether the person may see original rows.
func (p Person) SeesRows() bool { return p.May(SeeRow) }

// SeesLedger reports whether the person may see the ledger.
func (p Person) SeesLedger() bool { return p.May(SeeLedger) }
