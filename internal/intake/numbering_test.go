package intake

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"

	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// A number plan comes in as this project's list and as Ofcom's files of all layouts.
func TestNumberPlans(t *testing.T) {
	dir := write(t, map[string][]byte{
		"ours.csv": []byte("prefix,status,note\n447700900,drama,plays\n"),
		"S1.csv": []byte("\xef\xbb\xbfNMS Number Block: Number Block,Block Status,CP Name,Geographic Number Length,Allocation Date,Notes\r\n" +
			"1134 96 0,Protected,,3+7,,\r\n1134 96 1,Free,,3+7,,\r\n1134 96 2,Allocated,\"Example, Telecom Ltd\",3+7,15/07/1994,\r\n1134 96 3,Quarantined,,3+7,,\r\n"),
		"S7.csv":   []byte("NMS Number Block: Number Block,Block Status,CP Name,Non Geo Number Length,Allocation Date\n7700 90,Allocated(Closed Range),Example Mobile Ltd,10 digit numbers,06/11/1995\n7700 9x,Free,,10 digit numbers,\n"),
		"old7.csv": []byte("SABC,D/DE,Status,Date,Communications Provider,Use,Notes,Change\n7700,09,Allocated,N/A,Example Mobile Ltd,Mobile Services,10 Digit Numbers,01/2015\n7700,1,Free,N/A,,Mobile Services,10 Digit Numbers,02/2016\n"),
		"old1.csv": []byte("SABC,D/DE,F,Status,Date,Communications Provider,Number Length,Change,Notes\n1632,96,,Reserved,N/A,,4+6,01/2015,\n1632,97,0,Free for National Dialling Only,N/A,,4+6,01/2015,\n"),
		"else.csv": []byte("block,holder\n7700,Example Mobile Ltd\n"),
	})
	in := newIntake(t)
	added(t, in, AddOptions{List: "numbering"}, dir)
	list, err := in.Recognise(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fits := map[string]string{}
	for _, r := range list {
		if r.Mapping != nil {
			fits[filepath.Base(r.Source.Name)] = r.Mapping.Name
		}
	}
	for name, want := range map[string]string{"ours.csv": "list-numbering", "S1.csv": "list-numbering-ofcom", "S7.csv": "list-numbering-ofcom",
		"old7.csv": "list-numbering-ofcom-sabc", "old1.csv": "list-numbering-ofcom-f", "else.csv": ""} {
		if fits[name] != want {
			t.Errorf("%s is mapped by %q, want %q", name, fits[name], want)
		}
	}
	e, err := duckdb.Open(t.Context(), in.Case, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := in.Map(t.Context(), e, func(Mapped) {}); err != nil {
		t.Fatal(err)
	}
	rows, err := e.DB.Query("SELECT coalesce(prefix, '-') || ' ' || status || coalesce(' (' || note || ')', '') FROM number_block WHERE ref_row IS NOT NULL ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var s sql.NullString
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		got = append(got, s.String)
	}
	if want := []string{"- unallocated (Free)", "441134960 unknown (Protected)", "441134961 unallocated (Free)", "441134962 allocated (Allocated, Example, Telecom Ltd)",
		"441134963 unknown (Quarantined)", "44163296 unknown (Reserved)", "441632970 unallocated (Free for National Dialling Only)", "44770009 allocated (Allocated)",
		"4477001 unallocated (Free)", "44770090 allocated (Allocated(Closed Range), Example Mobile Ltd)", "447700900 drama (plays)"}; !slices.Equal(got, want) {
		t.Errorf("blocks\n%q, want\n%q", got, want)
	}
}
