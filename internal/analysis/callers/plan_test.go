package callers

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/unspoof/unspoof/internal/analysis/step"
)

// Rung X by the program's plan, and by a list of the case, which takes its place.
func TestImpossibleByPlan(t *testing.T) {
	w := newBench(t)
	e, exec := w.e, w.exec
	w.build()
	params, err := verdictParams(w.c)
	if err != nil {
		t.Fatal(err)
	}
	plan := "Ofcom's number plan of 2023-03"
	for number, want := range map[string]string{
		"447700900123": "X the presented number is in a range kept for fiction (" + plan + ")",
		"441632960123": "X the presented number is in a range kept for fiction (" + plan + ")",
		"447104000123": "X the presented number is in a block that is not allocated (" + plan + ")", // no provider had 07104
		"444123456789": "X the presented number is in a block that is not allocated (" + plan + ")", // 04 was never opened
		"441481000123": "U the number is in no registry",                                            // Guernsey's; its status is unknown
		"12025550123":  "U the number is in no registry",
		"33199001234":  "U the number is in no registry",
		"allocated":    "U the number is in no registry",
		"unknown":      "U the number is in no registry",
	} {
		if number == "allocated" || number == "unknown" { // the first number of the first such block
			if err := e.DB.QueryRow("SELECT min(number_from) FROM uk_block WHERE status = ? AND number_from > 441000000000", number).Scan(&number); err != nil {
				t.Fatal(err)
			}
		}
		exec("DELETE FROM call")
		exec("INSERT INTO call (call_id, presented_e164, presented_raw) VALUES ('1', " + number + ", 'x')")
		var grade, reasons string
		if err := e.DB.QueryRow("SELECT grade, reasons FROM ("+step.Expand(callVerdictSQL, params)+")").Scan(&grade, &reasons); err != nil {
			t.Fatal(err)
		}
		if got := grade + " " + reasons; got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
	}

	exec(`INSERT INTO number_block (prefix, status) VALUES ('447700900', 'allocated'), ('4477009001', 'unallocated'), ('441', 'unknown'),
		('441632960', 'unallocated'), ('441632960', 'drama'), ('441632960', 'unknown'), ('447700900', 'drama')`)
	exec("DELETE FROM call")
	exec("INSERT INTO call (call_id, presented_e164) VALUES ('1', 447700900023), ('2', 447700900123), ('3', 441632960123), ('4', 444123456789)")
	rows, err := e.DB.Query("SELECT call_id, grade, reasons FROM (" + step.Expand(callVerdictSQL, params) + ") ORDER BY call_id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	want := []string{"1 U the number is in no registry", "2 X the presented number is in a block that is not allocated (the case's number plan)",
		"3 X the presented number is in a range kept for fiction (the case's number plan)", "4 U the number is in no registry"}
	for _, w := range want {
		var id, grade string
		var reasons sql.NullString
		if !rows.Next() {
			t.Fatal("a call is missing")
		}
		if err := rows.Scan(&id, &grade, &reasons); err != nil || fmt.Sprint(id, " ", grade, " ", reasons.String) != w {
			t.Errorf("%s %s %s, %v, want %s", id, grade, reasons.String, err, w)
		}
	}
}
