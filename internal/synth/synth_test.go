package synth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// published are the figures of the reference case at scale 1, and how far a world of a
// hundredth may be from a hundredth of them.
var published = map[string]struct{ value, tolerance float64 }{
	"accounts":                 {59_000, 0.001},
	"source_rows":              {70_000_000, 0},
	"calls_world":              {10_000_000, 0.01},
	"calls_uk":                 {3_500_000, 0.02},
	"long_calls_uk":            {350_000, 0.04},
	"people_long_calls_uk":     {200_000, 0.06},
	"revenue_gbp_20_months":    {3_200_000, 0.03},
	"revenue_eur_16_months":    {3_700_000, 0.03},
	"reports":                  {4_785, 0.01},
	"reported_loss_gbp":        {48_000_000, 0.02},
	"reported_loss_linked_gbp": {43_000_000, 0.02},
	"suspects_met_2022":        {3_000, 0.25},
	"numbers_to_warn_uk":       {70_000, 0.15},
}

func TestFiguresHaveThePublishedShape(t *testing.T) {
	_, s := seizure(t, 0.01, 1)
	for name, p := range published {
		want := p.value * 0.01
		if got := s.Figures[name]; math.Abs(got-want) > p.tolerance*want+0.5 {
			t.Errorf("%s = %v, want %v within %v %%", name, got, want, p.tolerance*100)
		}
	}
	if got := s.Figures["institutions_impersonated"]; got != float64(len(institutions)) {
		t.Errorf("institutions_impersonated = %v, want all %d", got, len(institutions))
	}
	if got := s.Figures["calls_per_minute_mean"] / 0.01; got < 18.5 || got > 19.5 {
		t.Errorf("calls_per_minute_mean = %v at scale 1, want 19", got)
	}
	if len(s.Suspects) != int(s.Figures["suspects_met_2022"]) {
		t.Errorf("%d suspects are listed, the figure says %v", len(s.Suspects), s.Figures["suspects_met_2022"])
	}
}

// The same scale and seed give the same bytes, however many processors take part.
func TestDeterministic(t *testing.T) {
	a, _ := seizure(t, MinScale, 9)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b, _ := seizure(t, MinScale, 9)
	runtime.GOMAXPROCS(5)
	c, _ := seizure(t, MinScale, 9)
	other, _ := seizure(t, MinScale, 10)
	files := 0
	err := filepath.WalkDir(a, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		name, _ := filepath.Rel(a, path)
		want := read(t, path)
		for _, dir := range []string{b, c} {
			if !bytes.Equal(want, read(t, filepath.Join(dir, name))) {
				t.Errorf("%s differs between two runs", name)
			}
		}
		if fixed := filepath.Base(name); fixed != "registry.csv" && fixed != "numbering.csv" &&
			bytes.Equal(want, read(t, filepath.Join(other, name))) {
			t.Errorf("%s does not depend on the seed", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files != 14 {
		t.Errorf("%d files, want 14", files)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTruthJSON(t *testing.T) {
	dir, s := seizure(t, MinScale, 2)
	var got struct {
		Scale    float64
		Seed     uint64
		Figures  map[string]float64
		Suspects []string `json:"suspects_met_2022"`
	}
	if err := json.Unmarshal(read(t, filepath.Join(dir, "truth", "truth.json")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Scale != MinScale || got.Seed != 2 || len(got.Figures) != len(s.Figures) || len(got.Figures) < 15 || len(got.Suspects) != len(s.Suspects) {
		t.Errorf("truth.json holds %+v", got)
	}
}

func TestRefusals(t *testing.T) {
	dir, _ := seizure(t, MinScale, 1)
	if _, err := Write(t.Context(), Config{Out: dir, Scale: MinScale}); err == nil {
		t.Error("a seizure was overwritten")
	}
	for _, scale := range []float64{0, -1, 1.5, math.NaN()} {
		if _, err := Write(t.Context(), Config{Out: t.TempDir(), Scale: scale}); err == nil {
			t.Errorf("scale %v was taken", scale)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := t.TempDir()
	_, err := Write(ctx, Config{Out: out, Scale: 0.005, Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled write ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(out, "truth", "truth.json")); err == nil {
		t.Error("a cancelled write left a truth.json")
	}
}

func TestProgress(t *testing.T) {
	last, all := int64(0), int64(0)
	s, err := Write(t.Context(), Config{Out: t.TempDir(), Scale: MinScale, Progress: func(done, total int64) {
		if done < last {
			t.Errorf("progress went back from %d to %d", last, done)
		}
		last, all = done, total
	}})
	if err != nil {
		t.Fatal(err)
	}
	if last != s.Rows || all != s.Rows {
		t.Errorf("progress ended at %d of %d, rows are %d", last, all, s.Rows)
	}
}

// BenchmarkWrite writes a whole seizure of a hundredth; MB/s counts the dump's bytes.
func BenchmarkWrite(b *testing.B) {
	for b.Loop() {
		_, s := seizure(b, 0.01, 1)
		b.SetBytes(s.Bytes)
	}
}
