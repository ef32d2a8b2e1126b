// Package step runs the named steps that turn case tables into findings. A step makes one
// table from named inputs by one SQL query, or by a little Go that prepares what SQL cannot
// say (matching names) followed by a query. A step is stale when its table is missing, or was
// made by another version of the step or from other versions of its inputs; only stale steps
// run, and each run says why.
//
// What a step need not compute again, because only files came to its inputs, is in grow.go.
//
// Steps are plain values in a list, in an order in which inputs come first; [Check] proves
// the order. The wings callers, victims, suspects and figures each give their steps.
package step

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/ledger"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Step makes one table.
type Step struct {
	Table  string
	About  string   // what one row is, for people
	Inputs []string // tables it reads
	// InputsOf names further inputs that depend on the case (its source tables); may be nil.
	InputsOf func(*store.Case) ([]string, error)
	// Version tags the step's Go code; SQL is part of the version by its text.
	Version string
	SQL     string
	// Params are values the SQL takes as variables: $name in the text is replaced by the
	// quoted value. They are part of the version.
	Params  func(*store.Case) (map[string]string, error)
	Prepare Prepare // may be nil
	Sought  bool    // pages look single rows of it up among very many
	// What makes the table again quickly when only little of its inputs is new (grow.go).
	PerFile string          // an input of whose files the table has one file each; empty: none
	Grow    *Grow           // may be nil
	Rests   map[string]Rest // what the table, or a file of it, rests on in inputs of which that is not all
}

// Ran is what running one step came to.
type Ran struct {
	Table string        `json:"table"`
	Rows  int64         `json:"rows"`
	Kept  int64         `json:"kept"`          // rows of them that were taken from the table's earlier version
	Fresh bool          `json:"fresh"`         // it was not stale
	Why   string        `json:"why,omitempty"` // why it was
	Took  time.Duration `json:"took_ns,omitempty"`
}

// Check reports a step that reads a table no earlier step makes and that is not given.
func Check(steps []Step, given []string) error {
	made := map[string]bool{}
	for _, g := range given {
		made[g] = true
	}
	for _, s := range steps {
		for _, in := range s.Inputs {
			if !made[in] {
				return fmt.Errorf("step %s reads %s, which no earlier step makes", s.Table, in)
			}
		}
		if made[s.Table] {
			return fmt.Errorf("two steps make %s", s.Table)
		}
		made[s.Table] = true
	}
	return nil
}

// Build runs the stale ones of steps, and of those that only names list when it is not
// empty, together with the steps they need. tell hears of each step as it ends, start as it
// begins.
func Build(ctx context.Context, c *store.Case, e *duckdb.Engine, hand ledger.Hand, steps []Step, names []string, start func(table, why string), tell func(Ran)) error {
	wanted, err := closure(steps, names)
	if err != nil {
		return err
	}
	if err := e.Refresh(ctx); err != nil {
		return err
	}
	for _, s := range steps {
		if !wanted[s.Table] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		begun := time.Now()
		m, now, err := s.manifest(c)
		if err != nil {
			return fmt.Errorf("step %s: %w", s.Table, err)
		}
		why := s.stale(c, m)
		if why == "" {
			t, err := c.Table(s.Table)
			if err != nil {
				return err
			}
			tell(Ran{Table: s.Table, Rows: t.Rows, Fresh: true})
			continue
		}
		start(s.Table, why)
		r := &run{Step: s, c: c, e: e, m: m, now: now, past: s.past(c, m)}
		rows, kept, err := r.publish(ctx, hand)
		if err != nil {
			return fmt.Errorf("step %s: %w", s.Table, err)
		}
		tell(Ran{Table: s.Table, Rows: rows, Kept: kept, Why: why, Took: time.Since(begun)})
	}
	return nil
}

// ErrUnknown is the error of a step name that none of steps has.
func ErrUnknown(name string, steps []Step) error {
	all := make([]string, len(steps))
	for i, s := range steps {
		all[i] = s.Table
	}
	return fmt.Errorf("there is no step %q; the steps are %s", name, strings.Join(all, ", "))
}

// closure is the named steps and all that they stand on; all steps when there are no names.
func closure(steps []Step, names []string) (map[string]bool, error) {
	wanted := map[string]bool{}
	for _, n := range names {
		if !slices.ContainsFunc(steps, func(s Step) bool { return s.Table == n }) {
			return nil, ErrUnknown(n, steps)
		}
		wanted[n] = true
	}
	for i := len(steps) - 1; i >= 0; i-- {
		if len(names) == 0 {
			wanted[steps[i].Table] = true
		}
		if wanted[steps[i].Table] {
			for _, in := range steps[i].Inputs {
				wanted[in] = true
			}
		}
	}
	return wanted, nil
}

// manifest is what the table's manifest would say if the step ran now; inputs are those of the
// tables it would read.
func (s Step) manifest(c *store.Case) (m store.Manifest, inputs map[string]store.Manifest, err error) {
	m = store.Manifest{Table: s.Table, Kind: store.KindFinding, Step: s.Table, Inputs: []store.TableVersion{}}
	names := slices.Clone(s.Inputs)
	if s.InputsOf != nil {
		more, err := s.InputsOf(c)
		if err != nil {
			return m, nil, err
		}
		names = append(names, more...)
	}
	inputs = map[string]store.Manifest{}
	for _, name := range names {
		t, err := c.Table(name)
		if errors.Is(err, store.ErrNoTable) {
			return m, nil, fmt.Errorf("it needs table %s (run `unspoof map`): %w", name, err)
		}
		if err != nil {
			return m, nil, err
		}
		m.Inputs, inputs[name] = append(m.Inputs, store.TableVersion{Name: name, Version: t.Version}), t
	}
	if s.Params != nil {
		if m.Params, err = s.Params(c); err != nil {
			return m, nil, err
		}
	}
	sum := sha256.Sum256([]byte(s.Version + "\x00" + s.SQL + "\x00" + duckdb.MacrosVersion()))
	m.StepVersion = hex.EncodeToString(sum[:])
	m.Version = m.VersionOf()
	return m, inputs, nil
}

// stale says why the published table is not what the step would make; empty when it is.
func (s Step) stale(c *store.Case, m store.Manifest) string {
	was, err := c.Table(s.Table)
	if err != nil {
		return "not built yet"
	}
	if was.Version == m.Version {
		return ""
	}
	if was.StepVersion != m.StepVersion {
		return "the step has changed"
	}
	old := map[string]string{}
	for _, in := range was.Inputs {
		old[in.Name] = in.Version
	}
	var changed []string
	for _, in := range m.Inputs {
		if old[in.Name] != in.Version {
			changed = append(changed, in.Name)
		}
	}
	if len(changed) > 3 {
		changed = append(changed[:3], "...")
	}
	if len(changed) > 0 {
		return "changed: " + strings.Join(changed, ", ")
	}
	return "its parameters have changed"
}

// publish runs the step and publishes what it makes.
func (r *run) publish(ctx context.Context, hand ledger.Hand) (rows, kept int64, err error) {
	stage, err := r.c.Stage()
	if err != nil {
		return 0, 0, err
	}
	defer stage.Discard()
	m := r.m
	if m.Files, m.Columns, kept, err = r.write(ctx, stage); err != nil {
		return 0, 0, err
	}
	m, err = stage.Publish(ctx, m, func(ctx context.Context, m store.Manifest, sum string) error {
		return hand.Record(ctx, "publish", "table:"+m.Table, map[string]any{"version": m.Version, "manifest_sha256": sum, "rows": m.Rows})
	})
	if err != nil {
		return 0, 0, err
	}
	return m.Rows, kept, r.e.Show(ctx, m)
}

// Zone gives a step the case's time zone as $zone.
func Zone(c *store.Case) (map[string]string, error) {
	return map[string]string{"zone": c.Config.TimeZone}, nil
}

// Expand replaces $name in SQL by the quoted value of the parameter.
func Expand(sql string, params map[string]string) string {
	names := make([]string, 0, len(params))
	for n := range params {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) }) // $ab before $a
	for _, n := range names {
		sql = strings.ReplaceAll(sql, "$"+n, duckdb.Literal(params[n]))
	}
	return sql
}
