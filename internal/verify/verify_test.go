package verify

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestWholeCase(t *testing.T) {
	f := standard(t)
	for _, opt := range []Options{{}, {Sample: 5}, {All: true}} {
		r := f.run(opt)
		if !r.OK() {
			t.Fatalf("%+v: a whole case fails:\n%s", opt, r)
		}
		for _, c := range r.Checks {
			if c.Objects == 0 {
				t.Errorf("%+v: check %s looked at nothing", opt, c.Name)
			}
			if len(c.Warnings) > 0 {
				t.Errorf("%+v: %s warns of a whole case: %v", opt, c.Name, c.Warnings)
			}
		}
		want := map[string]int64{"rows": 42}
		if opt.Sample == 5 {
			want["rows"] = 5
		}
		if got := r.Checks[3].Objects; got != want["rows"] {
			t.Errorf("%+v: %d rows compared, want %d", opt, got, want["rows"])
		}
		if b, err := json.Marshal(r); err != nil || !strings.Contains(string(b), `"ledger_root"`) {
			t.Errorf("report as JSON: %v %s", err, b)
		}
	}
}

func TestSampleRepeats(t *testing.T) {
	f := standard(t)
	r := f.run(Options{Sample: 3, Seed: 99})
	if again := f.run(Options{Sample: 3, Seed: 99}); again.String() != r.String() || r.Seed != 99 {
		t.Error("the same seed gives another report")
	}
	r, err := Run(t.Context(), f.dir, Options{})
	if err != nil || r.Seed == 0 {
		t.Errorf("no seed is named: %v", err)
	}
}

func TestNotACase(t *testing.T) {
	if _, err := Run(t.Context(), t.TempDir()+"/nothing", Options{}); err == nil {
		t.Error("a folder that is not there can be checked")
	}
	r, err := Run(t.Context(), t.TempDir(), Options{})
	if err != nil || r.OK() {
		t.Errorf("an empty folder is a whole case: %v %v", r, err)
	}
}
