package intake

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/mapping"
	"github.com/unspoof/unspoof/internal/intake/snapshot"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Mapped is what mapping came to for one case table.
type Mapped struct {
	Table string        `json:"table"`
	Rows  int64         `json:"rows"`
	Fresh bool          `json:"fresh"` // nothing had changed
	Took  time.Duration `json:"took_ns"`
}

// Recognised is the mapping of one source.
type Recognised struct {
	Source  store.Source
	Mapping *mapping.Mapping // nil: none is applied and no shipped one fits
	New     bool
}

// Recognise gives every source without a mapping the shipped one that fits, and records it.
func (in *Intake) Recognise(ctx context.Context) ([]Recognised, error) {
	sources, err := in.Case.Sources()
	if err != nil {
		return nil, err
	}
	shipped, err := mapping.Shipped()
	if err != nil {
		return nil, err
	}
	var list []Recognised
	slices.SortStableFunc(sources, func(a, b store.Source) int { // a mapping that is applied to the first counts for its snapshots
		return cmp.Compare(a.SnapshotOf, b.SnapshotOf)
	})
	for _, s := range sources {
		m, err := mapping.Applied(in.Case, s.ID)
		if err != nil {
			return nil, fmt.Errorf("source %s: its mapping: %w", s.ID.Short(), err)
		}
		r := Recognised{Source: s, Mapping: m}
		if m == nil && s.SnapshotOf == "" { // a snapshot has the mapping of the first of its series
			tables, err := mapping.SourceTables(in.Case, s.ID)
			if err != nil {
				return nil, err
			}
			for _, m := range shipped {
				if m.Recognises(s, tables) {
					if err := in.Apply(ctx, s.ID, m); err != nil {
						return nil, err
					}
					r.Mapping, r.New = m, true
					break
				}
			}
		}
		list = append(list, r)
	}
	return list, nil
}

// Apply makes m the mapping of a source, and so of the series that it begins, and records it.
func (in *Intake) Apply(ctx context.Context, id casefile.SourceID, m *mapping.Mapping) error {
	if first, err := in.Case.First(id); err != nil {
		return err
	} else if first != id {
		return fmt.Errorf("source %s is a snapshot: apply the mapping to the first source of its series, %s", id.Short(), first.Short())
	}
	if err := in.Hand.Record(ctx, "map", "source:"+string(id), map[string]any{
		"mapping": m.Name, "version": m.Version, "mapping_sha256": sha256Hex(m.Text()),
	}); err != nil {
		return err
	}
	return mapping.Save(in.Case, id, m)
}

// Map computes the case tables that are stale.
func (in *Intake) Map(ctx context.Context, e *duckdb.Engine, tell func(Mapped)) error {
	if err := e.Refresh(ctx); err != nil {
		return err
	}
	if err := in.snapshots(ctx, e, tell); err != nil {
		return err
	}
	plans, err := mapping.Plans(ctx, in.Case, e)
	if err != nil {
		return err
	}
	// The look-ups stand on the right of their joins and are the side to build: rows then keep
	// the order of their source, and the look-ups, not the calls, are held in memory.
	if _, err := e.DB.ExecContext(ctx, "SET disabled_optimizers = 'build_side_probe_side'"); err != nil {
		return err
	}
	defer e.DB.ExecContext(context.WithoutCancel(ctx), "RESET disabled_optimizers") // only speed depends on it
	var said sync.Mutex
	run, running := errgroup.WithContext(ctx)
	run.SetLimit(2) // a small table beside the large one: each leaves the machine idle at its ends
	for _, p := range plans {
		run.Go(func() error {
			start := time.Now()
			done := Mapped{Table: p.Manifest.Table, Fresh: !p.Stale(in.Case)}
			var m store.Manifest
			var err error
			if done.Fresh {
				m, err = in.Case.Table(p.Manifest.Table)
			} else {
				m, err = p.Run(running, in.Case, e, in.publisher(nil))
			}
			if err != nil {
				return err
			}
			if done.Rows = m.Rows; !done.Fresh {
				done.Took = time.Since(start)
			}
			said.Lock()
			defer said.Unlock()
			tell(done)
			return nil
		})
	}
	if err := run.Wait(); err != nil {
		return err
	}
	return e.Refresh(ctx)
}

// snapshots computes what changed between the snapshots of a source, when it is stale.
func (in *Intake) snapshots(ctx context.Context, e *duckdb.Engine, tell func(Mapped)) error {
	plan, ok, err := snapshot.Plan(in.Case)
	if err != nil || !ok {
		return err
	}
	start := time.Now()
	m, err := in.Case.Table(plan.Table)
	done := Mapped{Table: plan.Table, Fresh: err == nil && m.Version == plan.Version}
	if !done.Fresh {
		if m, err = snapshot.Run(ctx, in.Case, e, plan, in.publisher(nil)); err != nil {
			return err
		}
		done.Took = time.Since(start)
	}
	done.Rows = m.Rows
	tell(done)
	return nil
}
