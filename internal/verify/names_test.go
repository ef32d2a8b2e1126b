package verify

import (
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/store"
)

// The checker and the store call a table the same, whatever its name is.
func TestEscapeName(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"cdr", "CDR", "cDr", "..", "../x", "a/b", "a%2Fb", "%damage", "é", "\xff", "~", "", strings.Repeat("a", 200), strings.Repeat("a", 201), strings.Repeat("A", 66),
		strings.Repeat("A", 67), strings.Repeat("a", 166) + "é" + strings.Repeat("a", 50), strings.Repeat("a", 165) + "é" + strings.Repeat("a", 50), strings.Repeat("\U0001f4de", 64), strings.Repeat("x", 4000) + "1", strings.Repeat("x", 4000) + "2"} {
		got := store.EscapeName(name)
		if mine := escapeName(name); got != mine {
			t.Errorf("%q is %q in the store and %q here", name, got, mine)
		}
		key := strings.ToLower(got)
		if other, ok := seen[key]; ok || len(got) > 200 || strings.ContainsAny(got, "./\\") {
			t.Errorf("%q is %q, as is %q", name, got, other)
		}
		seen[key] = name
	}
}
