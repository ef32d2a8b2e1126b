// Package verify is the independent checker of a case folder: given the folder alone, it
// says whether the evidence in it is whole, whether the ledger is, and whether every stored
// row still says what the sealed file says. It shares no code with the packages that write a
// case (store, intake, ledger): it knows the formats from docs/formats only, reads SQLite and
// the Merkle log by its own code, reads Parquet with DuckDB where source tables are written
// by another library, and reads dumps, CSV and JSON with its own small readers.
//
// It changes nothing and trusts nothing. A folder may have been prepared by an adversary:
// links are refused, sizes are bounded, unreadable things become problems of the report and
// never a panic. An error is returned only where the check could not be run at all.
//
// Words: a [Check] is one family of questions with the number of objects looked at; a
// [Problem] is one thing that is wrong and where; a warning is one that an honest case can
// show (entries not signed yet, a table that is older than its inputs).
//
// The package is over 3,000 lines long because it writes down a second time, on purpose, what
// the writers of a case do. What is proven, what is not, and how a tampered entry is named: DESIGN.md.
//
// Reading order: verify.go (the run and its report), folder.go (hostile files), sources.go,
// merkle.go and ledger.go (the log), tables.go (manifests), rows.go, scan.go (tables against
// sealed files), dump.go, delimited.go, json.go and value.go (the readers), refs.go (references),
// exhibit.go (what left the case).
package verify

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
)

// Options say how deep a run goes.
type Options struct {
	Sample int    // rows of source tables compared with their sealed files; 0: 1000
	All    bool   // read every sealed file whole and compare every row
	Seed   uint64 // of the sample; 0: random, and named in the report so that a run can be repeated

	// Progress, when set, is called now and then with the stage's name and how far it is.
	Progress func(stage string, done, total int64)

	// TrustedCheckpoint is a checkpoint of this case that was kept elsewhere (printed in an
	// exhibit's report, held by another party). The ledger must contain it.
	TrustedCheckpoint []byte

	// Exhibit is the folder of an exhibit of this case that is to be checked too: recomputed from
	// the versions of tables that its manifest names.
	Exhibit string
}

// Problem is one thing that is wrong.
type Problem struct {
	What    string         `json:"what"` // the object: a file, an entry, a table
	Where   casefile.Where `json:"where"`
	Message string         `json:"message"`
}

func (p Problem) String() string {
	s := p.What
	if at := p.Where.String(); at != "" {
		s += " (" + at + ")"
	}
	return s + ": " + p.Message
}

// maxListed bounds the problems a check lists; the rest is counted.
const maxListed = 100

// Check is the outcome of one family of questions.
type Check struct {
	Name     string    `json:"name"`
	OK       bool      `json:"ok"`
	Objects  int64     `json:"objects"` // how many were looked at
	Unit     string    `json:"unit"`    // what they are
	Problems []Problem `json:"problems,omitempty"`
	Warnings []Problem `json:"warnings,omitempty"`
	Unlisted int64     `json:"unlisted,omitempty"` // problems and warnings beyond the listed ones
}

func (c *Check) fail(what string, at casefile.Where, format string, args ...any) {
	c.OK = false
	c.Problems = c.list(c.Problems, Problem{what, at, fmt.Sprintf(format, args...)})
}

func (c *Check) warn(what string, at casefile.Where, format string, args ...any) {
	c.Warnings = c.list(c.Warnings, Problem{what, at, fmt.Sprintf(format, args...)})
}

func (c *Check) list(to []Problem, p Problem) []Problem {
	if len(to) >= maxListed {
		c.Unlisted++
		return to
	}
	if len(p.Message) > 2000 {
		p.Message = p.Message[:2000] + " ..."
	}
	p.Message = strings.ToValidUTF8(p.Message, "\uFFFD")
	return append(to, p)
}

// Report is what a run found.
type Report struct {
	Dir        string   `json:"dir"`
	Exhibit    string   `json:"exhibit,omitempty"` // the folder of the exhibit that was checked
	Seed       uint64   `json:"seed"`
	All        bool     `json:"all"`
	Entries    int64    `json:"ledger_entries"`
	Unsigned   int64    `json:"ledger_entries_unsigned"` // after the last checkpoint
	LedgerRoot string   `json:"ledger_root,omitempty"`   // hash of the tree of all entries, hexadecimal
	Checks     []*Check `json:"checks"`
}

// OK reports whether no check found a problem.
func (r Report) OK() bool {
	for _, c := range r.Checks {
		if !c.OK {
			return false
		}
	}
	return len(r.Checks) > 0
}

// String is the report for a person.
func (r Report) String() string {
	var b strings.Builder
	for _, c := range r.Checks {
		word := "ok"
		if !c.OK {
			word = "FAILED"
		}
		fmt.Fprintf(&b, "%-8s %-11s %d %s\n", word, c.Name, c.Objects, c.Unit)
		for _, p := range c.Problems {
			fmt.Fprintf(&b, "    problem: %s\n", p)
		}
		for _, p := range c.Warnings {
			fmt.Fprintf(&b, "    warning: %s\n", p)
		}
		if c.Unlisted > 0 {
			fmt.Fprintf(&b, "    and %d more\n", c.Unlisted)
		}
	}
	fmt.Fprintf(&b, "ledger: %d entries, root %s\n", r.Entries, r.LedgerRoot)
	verdict := "the case is whole"
	if r.Exhibit != "" {
		verdict = "the case is whole, and the exhibit follows from it"
	}
	if !r.OK() {
		verdict = "THE CASE IS NOT AS IT WAS RECORDED"
		if others := r.Checks[:len(r.Checks)-1]; r.Exhibit != "" && !slices.ContainsFunc(others, func(c *Check) bool { return !c.OK }) {
			verdict = "THE EXHIBIT DOES NOT FOLLOW FROM THE CASE"
		}
	}
	depth := fmt.Sprintf("rows sampled with seed %d", r.Seed)
	if r.All {
		depth = "every row compared"
	}
	fmt.Fprintf(&b, "%s (%s)\n", verdict, depth)
	return b.String()
}

// run is the state of one run: what earlier checks learnt and later ones need.
type run struct {
	ctx     context.Context
	opt     Options
	dir     folder
	report  *Report
	sources map[casefile.SourceID]*source // sealed files whose content is as named
	acts    acts                          // what the ledger says
	tables  map[string]*table             // published tables that are as recorded
	engine  *engine

	exhibit    *exhibit // to be checked; nil when there is none, or its manifest cannot be read
	exhibitErr error    // why
}

// Run checks the case folder dir.
func Run(ctx context.Context, dir string, opt Options) (Report, error) {
	if opt.Sample == 0 {
		opt.Sample = 1000
	}
	for opt.Seed == 0 {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return Report{}, err
		}
		opt.Seed = binary.LittleEndian.Uint64(b[:]) >> 11 // fits a JSON number exactly
	}
	info, err := os.Stat(dir)
	if err != nil {
		return Report{}, err
	}
	if !info.IsDir() {
		return Report{}, fmt.Errorf("%s is not a folder", dir)
	}
	root, err := openFolder(dir)
	if err != nil {
		return Report{}, err
	}
	defer root.close()
	unlock, busy := root.lockShared()
	defer unlock()
	engine, err := openEngine(ctx, root.path)
	if err != nil {
		return Report{}, err
	}
	defer engine.close()

	r := &run{
		ctx: ctx, opt: opt, dir: root, engine: engine,
		report:  &Report{Dir: dir, Exhibit: opt.Exhibit, Seed: opt.Seed, All: opt.All},
		sources: map[casefile.SourceID]*source{},
		tables:  map[string]*table{},
	}
	type check struct {
		name, unit string
		do         func(*Check)
	}
	checks := []check{
		{"ledger", "entries", r.checkLedger},
		{"sources", "sealed files", r.checkSources},
		{"tables", "published tables", r.checkTables},
		{"rows", "rows compared with their sealed files", r.checkRows},
		{"references", "rows referring to source rows", r.checkRefs},
	}
	if opt.Exhibit != "" {
		if r.exhibit, r.exhibitErr = openExhibit(opt.Exhibit); r.exhibit != nil {
			defer r.exhibit.dir.close()
		}
		checks = append(checks, check{"exhibit", "rows and figures computed again", r.checkExhibit})
	}
	// The ledger comes first: it says what the others are held against.
	for _, check := range checks {
		c := &Check{Name: check.name, Unit: check.unit, OK: true}
		r.report.Checks = append(r.report.Checks, c)
		check.do(c)
		if err := ctx.Err(); err != nil {
			return *r.report, err
		}
	}
	if busy {
		r.report.Checks[0].warn(".lock", casefile.Where{}, "another command is writing to this case: what it changes meanwhile shows as problems; run again when it is done")
	}
	return *r.report, nil
}

func (r *run) progress(stage string, done, total int64) {
	if r.opt.Progress != nil {
		r.opt.Progress(stage, done, total)
	}
}
