package callers

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/casefile"
)

// Every line of the starter registry has a source, a day and a number that can be read.
func TestStarter(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(Starter())).ReadAll()
	if err != nil || len(rows) < 10 {
		t.Fatal(len(rows), err)
	}
	for _, r := range rows[1:] {
		if !strings.HasPrefix(r[10], "http") || r[11] == "" {
			t.Errorf("%s %s has no source or day", r[0], r[5])
		}
		if casefile.ReadE164(r[5]) == 0 {
			t.Errorf("%s: %q is not a number", r[0], r[5])
		}
	}
}
