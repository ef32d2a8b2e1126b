package duckdb

import (
	"compress/gzip"
	"database/sql"
	"encoding/csv"
	"flag"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the number plan anew from its origin")

// originDir holds Ofcom's blocks and area names, as Debian's libnumber-phone-perl has them.
const originDir = "../../../../shared/data/telecom"

// planBlock is one row of the origin: all British numbers that begin with prefix.
type planBlock struct{ kind, provider, island string }

// origin reads the plan's origin: blocks by national prefix, area names by area prefix.
func origin(t *testing.T) (map[string]planBlock, map[string]string) {
	t.Helper()
	f, err := os.Open(filepath.Join(originDir, "uk_number_blocks_2023-03.csv.gz"))
	if os.IsNotExist(err) {
		t.Skip("the origin of the number plan is not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	areaFile, err := os.Open(filepath.Join(originDir, "uk_areanames.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer areaFile.Close()
	blocks, areas := map[string]planBlock{}, map[string]string{}
	read := func(r io.Reader, header string, row func([]string)) {
		c := csv.NewReader(r)
		records, err := c.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(records[0], ","); got != header {
			t.Fatalf("the origin's columns are %s", got)
		}
		for _, r := range records[1:] {
			row(r)
		}
	}
	read(unpacked, "national_prefix,types,operator,format,subclass", func(r []string) {
		blocks[r[0]] = planBlock{r[1], html.UnescapeString(r[2]), r[4]}
	})
	read(areaFile, "area_prefix,area_name", func(r []string) { areas[r[0]] = r[1] })
	return blocks, areas
}

// kinds are the plan's words for the origin's.
var kinds = map[string]string{"geo": "geographic", "mobile": "mobile", "pager": "pager", "personal": "personal", "free": "freephone",
	"special": "special", "adult|special": "special", "ip": "location independent", "corporate": "corporate", "": ""}

// drama are the numbers that Ofcom keeps for radio and television plays ("Telephone numbers
// for use in TV and radio drama programmes"): a thousand each.
var drama = strings.Fields(`1134960 1144960 1154960 1164960 1174960 1184960 1214960 1314960 1414960 1514960 1614960
	2079460 1914980 2896496 2920180 8081570 9098790 3069990 1632960 7700900`)

// planRow says what is so of the numbers that begin with digits, by the origin: the longest
// prefix counts.
func planRow(digits string, blocks map[string]planBlock, areas map[string]string) [4]string {
	row := [4]string{"unknown", "", "", ""} // status, kind, provider, area
	if digits[0] == '4' || digits[0] == '6' {
		row[0] = "unallocated" // never opened: not one block of them
	}
	found, island := false, false
	for k := min(len(digits), 8); k > 0; k-- {
		b, ok := blocks[digits[:k]]
		island = island || b.island != ""
		if !ok || found {
			continue
		}
		found, row[1], row[2] = true, kinds[b.kind], b.provider
	}
	switch {
	case row[2] != "":
		row[0] = "allocated"
	case found && !island: // the islands may have given it out themselves
		row[0] = "unallocated"
	}
	if row[1] == "geographic" {
		for k := len(digits); k > 0; k-- {
			if name, ok := areas[digits[:k]]; ok {
				row[3] = name
				break
			}
		}
	}
	for _, d := range drama {
		if strings.HasPrefix(digits, d) {
			row[0] = "drama"
		}
	}
	return row
}

// The plan in the program is what its origin says: the whole of it, block by block.
func TestPlanIsItsOrigin(t *testing.T) {
	blocks, areas := origin(t)
	e := engine(t)
	// Where something may change: at the beginning and behind the end of each prefix.
	at := map[int64]bool{0: true}
	put := func(prefix string) {
		size := int64(1)
		for range 10 - len(prefix) {
			size *= 10
		}
		from, err := strconv.ParseInt(prefix, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		at[from*size], at[(from+1)*size] = true, true
	}
	for p := range blocks {
		put(p)
	}
	for p := range areas {
		put(p)
	}
	for _, p := range append(drama, "4", "6") {
		put(p)
	}
	var b strings.Builder
	for from := range at {
		if from < 1e10 {
			r := planRow(fmt.Sprintf("%010d", from), blocks, areas)
			fmt.Fprintf(&b, "%d\t%s\n", 44e10+from, strings.Join(r[:], "\t"))
		}
	}
	text := filepath.Join(e.temp, "origin.tsv")
	if err := os.WriteFile(text, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := e.DB.Exec(`CREATE TABLE origin AS SELECT * EXCLUDE (before) FROM (
		SELECT *, lag((status, kind, provider, area)) OVER (ORDER BY number_from) AS before
		FROM read_csv(` + Literal(text) + `, delim='\t', header=false, quote='', nullstr='none', columns={number_from: 'BIGINT', status: 'VARCHAR', kind: 'VARCHAR', provider: 'VARCHAR', area: 'VARCHAR'}))
		WHERE before IS DISTINCT FROM (status, kind, provider, area)`); err != nil {
		t.Fatal(err)
	}
	if *update {
		file := filepath.Join(e.temp, "uk_block.parquet")
		if _, err := e.DB.Exec(`COPY (SELECT * FROM origin ORDER BY number_from) TO ` + Literal(file) + ` (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 19,
			KV_METADATA {origin: 'Ofcom numbering data, through Debian''s libnumber-phone-perl', state: '` + PlanState + `', drama: 'Ofcom, Telephone numbers for use in TV and radio drama programmes'})`); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("uk_block.parquet", data, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Skipf("uk_block.parquet has %d bytes; run again without -update", len(data))
	}
	if n := one[int](t, e, "SELECT count(*) FROM ((FROM origin EXCEPT ALL FROM uk_block) UNION ALL (FROM uk_block EXCEPT ALL FROM origin))"); n != 0 {
		t.Fatalf("%d rows differ from the origin; go test ./internal/store/duckdb -run PlanIsItsOrigin -update", n)
	}
	t.Logf("%d rows of %d blocks", one[int](t, e, "SELECT count(*) FROM uk_block"), len(blocks))

	// Any number: what the longest prefix of the origin says.
	rnd := rand.New(rand.NewPCG(5, 5))
	var numbers []string
	for range 20_000 {
		digits := fmt.Sprintf("%010d", rnd.Int64N(1e10))
		if rnd.IntN(2) == 0 {
			digits = fmt.Sprintf("%d%09d", 1+rnd.IntN(2), rnd.Int64N(1e9))
		}
		numbers = append(numbers, "(44"+digits+")")
	}
	rows, err := e.DB.Query("SELECT n, status, kind, provider, area FROM (VALUES " + strings.Join(numbers, ",") + ") t(n) ASOF LEFT JOIN uk_block ON british_key(n) >= number_from")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	looked := 0
	for rows.Next() {
		var n string
		var got [4]string
		if err := rows.Scan(&n, &got[0], &got[1], &got[2], &got[3]); err != nil {
			t.Fatal(err)
		}
		looked++
		if want := planRow(n[2:], blocks, areas); got != want {
			t.Errorf("+%s is %v, the origin says %v", n, got, want)
		}
	}
	if err := rows.Err(); err != nil || looked != len(numbers) {
		t.Fatalf("%d of %d numbers, %v", looked, len(numbers), err)
	}
}

// What the plan says of numbers everybody can check.
func TestPlan(t *testing.T) {
	e := engine(t)
	for number, want := range map[int64]string{
		442079460123: "drama geographic London", 441632960123: "drama geographic ", 447700900123: "drama mobile ", 443069990123: "drama special ",
		448081570123: "drama freephone ", 442896496123: "drama geographic Belfast", 442920180123: "drama geographic Cardiff",
		441134950000: "allocated geographic Leeds", 441219460000: "unallocated geographic Birmingham",
		444123456789: "unallocated  ", 446123456789: "unallocated  ", // not opened
		441481000000: "unknown geographic Guernsey", 447781000000: "allocated mobile ", // Guernsey's own
		44800111100: "allocated freephone ", // 9 digits: 0800 111 100
		12025550123: "", 33199001234: "", 0: "",
	} {
		var got sql.NullString
		if err := e.DB.QueryRow("SELECT status || ' ' || kind || ' ' || area FROM (SELECT CAST(? AS BIGINT) AS n) ASOF LEFT JOIN uk_block ON british_key(n) >= number_from", number).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got.String != want {
			t.Errorf("%d is %q, want %q", number, got.String, want)
		}
	}
}

// A plan that cannot be written is an error of the queries that ask for it, and of no other.
func TestPlanNotWritten(t *testing.T) {
	e := engine(t)
	path := filepath.Join(e.temp, "uk_block.parquet")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	view, err := e.planTable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.DB.Exec(view); err != nil {
		t.Fatal(err)
	}
	var n int64
	if err := e.DB.QueryRow("SELECT count(area) FROM (SELECT 442079460123 AS n) ASOF LEFT JOIN uk_block ON british_key(n) >= number_from").Scan(&n); err == nil || !strings.Contains(err.Error(), "the number plan: open "+path) {
		t.Errorf("%d, %v", n, err)
	}
	if got := one[int64](t, e, "SELECT e164('020 7946 0123')"); got != 442079460123 {
		t.Errorf("%d", got)
	}
}

// A million distinct numbers are looked up in less than two seconds.
func BenchmarkPlan(b *testing.B) {
	e := engine(b)
	if _, err := e.DB.Exec("CREATE TABLE called AS SELECT 441000000000 + (i * 7919 * 1131) % 9000000000 AS n FROM range(1000000) t(i)"); err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	for b.Loop() {
		var found int64
		if err := e.DB.QueryRow("SELECT count(*) FILTER (WHERE status <> '' AND area IS NOT NULL) FROM called ASOF LEFT JOIN uk_block ON british_key(n) >= number_from").Scan(&found); err != nil || found != 1_000_000 {
			b.Fatalf("%d found, %v", found, err)
		}
	}
	b.ReportMetric(float64(b.N)*1e6/time.Since(begin).Seconds()/1e6, "Mnumbers/s")
}
