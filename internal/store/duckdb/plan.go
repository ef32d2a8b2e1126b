package duckdb

import (
	_ "embed"
	"os"
	"path/filepath"
)

// planData is the British number plan, as Parquet: for all numbers from number_from up to
// the next row's, in E.164 with ten national digits,
//
//   - status: allocated (to a provider), unallocated (listed without a provider, or never
//     opened: national numbers in 4 and 6), drama (Ofcom's numbers for plays), or unknown (not
//     listed, or Guernsey's, Jersey's or the Isle of Man's without a listed provider)
//   - kind: geographic, mobile, pager, personal, freephone, special (03, 084, 087, 09), location
//     independent, corporate, or ”
//   - provider: to whom the block was given; a number may since have been ported
//   - area: of a geographic number, or ”
//
// Origin: Ofcom's numbering data in the state of PlanState, through Debian's
// libnumber-phone-perl; the longest listed prefix counts. TestPlanIsItsOrigin makes it and
// compares it (docs/numbers.md).
//
//go:embed uk_block.parquet
var planData []byte

// PlanState is the month of which the number plan in the program is.
const PlanState = "2023-03"

// planTable writes the plan where the engine may read it (measured: 1 ms), and gives the SQL of
// its view. Where it cannot be written, on a full disk, a query that asks for the plan says so, and
// all others go on.
func (e *Engine) planTable() (string, error) {
	path, err := filepath.Abs(filepath.Join(e.temp, "uk_block.parquet"))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, planData, 0o600); err != nil {
		os.Remove(path) // what there is of it
		return "CREATE OR REPLACE VIEW uk_block AS SELECT CAST(error(" + Literal("the number plan: "+err.Error()) +
			") AS BIGINT) AS number_from, '' AS status, '' AS kind, '' AS provider, '' AS area", nil
	}
	return "CREATE OR REPLACE VIEW uk_block AS SELECT * FROM read_parquet(" + Literal(path) + ")", nil
}
