package synth

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Config says which seizure to write and where.
type Config struct {
	Out   string  // folder to write; made when absent, must not hold a seizure yet
	Scale float64 // share of the reference case, from MinScale to 1
	Seed  uint64
	// Progress, where set, is told the rows of the dump written so far and in all. It is
	// called from one goroutine.
	Progress func(done, total int64)
}

// MinScale is the smallest world with something of everything in it.
const MinScale = 0.0005

// Summary tells what was written.
type Summary struct {
	Dump     string             // path of the dump
	Bytes    int64              // its size
	Rows     int64              // its rows
	Tables   []TableRows        // the same by table, in the dump's order
	Figures  map[string]float64 // truth.json's figures: money in pounds or euros
	Suspects []string           // account ids that pass the policy met-2022, in order of rank
}

// TableRows is the number of rows of one table.
type TableRows struct {
	Table string
	Rows  int64
}

// Write writes a synthetic seizure. What it writes depends on scale and seed alone. When it
// fails or is cancelled, the folder holds an incomplete seizure without truth/truth.json.
func Write(ctx context.Context, cfg Config) (Summary, error) {
	if !(cfg.Scale >= MinScale && cfg.Scale <= 1) {
		return Summary{}, fmt.Errorf("synth: scale %v: want %v to 1", cfg.Scale, MinScale)
	}
	dump := filepath.Join(cfg.Out, "mbilling.sql")
	if _, err := os.Stat(dump); err == nil {
		return Summary{}, fmt.Errorf("synth: %s exists already", dump)
	}
	for _, d := range []string{"lists", "truth"} {
		if err := os.MkdirAll(filepath.Join(cfg.Out, d), 0o777); err != nil {
			return Summary{}, fmt.Errorf("synth: %w", err)
		}
	}
	s, err := write(ctx, newWorld(cfg.Seed, cfg.Scale), cfg, dump)
	if err != nil {
		return Summary{}, fmt.Errorf("synth: %w", err)
	}
	return s, nil
}

func write(ctx context.Context, w *world, cfg Config, dump string) (Summary, error) {
	truth, err := newTruth(w, cfg.Out)
	if err != nil {
		return Summary{}, err
	}
	tables := w.tables(truth)
	s := Summary{Dump: dump}
	for _, t := range tables {
		s.Rows += t.rows
		s.Tables = append(s.Tables, TableRows{t.name, t.rows})
	}
	done := int64(0)
	d, err := newDumper(dump, func(n int64) {
		if done += n; cfg.Progress != nil {
			cfg.Progress(done, s.Rows)
		}
	})
	if err != nil {
		return Summary{}, err
	}
	sc := readSchema()
	for _, t := range tables {
		if err := d.table(ctx, sc[t.name], t); err != nil {
			d.close()
			return Summary{}, err
		}
	}
	if err := d.close(); err != nil {
		return Summary{}, err
	}
	s.Bytes = d.bytes
	reports := truth.reports()
	if err := w.writeLists(cfg.Out, reports); err != nil {
		return Summary{}, err
	}
	s.Figures, s.Suspects, err = truth.finish(s.Rows, reports)
	return s, err
}
