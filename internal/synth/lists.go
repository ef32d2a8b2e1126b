package synth

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// writeCSV writes one list: a header line and records.
func writeCSV(path, header string, records [][]string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	w.Write(strings.Split(header, ",")) // the writer keeps its first error
	w.WriteAll(records)
	if err := w.Error(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func (w *world) writeLists(dir string, reports []report) error {
	dir = filepath.Join(dir, "lists")
	for _, l := range []struct {
		name, header string
		records      [][]string
	}{
		{"loss_reports.csv", "report_id,reported_at,incident_from,incident_to,victim_name,victim_phone,victim_postcode," +
			"victim_dob,institution,amount,currency,narrative,force_area", reportRecords(reports)},
		{"registry.csv", "institution_id,institution,sector,country,aliases,number_from,number_to,inbound_only," +
			"valid_from,valid_to,source_url,seen_on", registryRecords()},
		{"rates.csv", "asset,currency,date,price,source_url", w.rates.records()},
		{"numbering.csv", "prefix,status,note", w.people.blocks()},
	} {
		if err := writeCSV(filepath.Join(dir, l.name), l.header, l.records); err != nil {
			return err
		}
	}
	return nil
}

func reportRecords(reports []report) [][]string {
	clock := func(at int64) string { return time.Unix(london(at), 0).UTC().Format("2006-01-02 15:04") }
	out := make([][]string, len(reports))
	for k := range reports {
		r := &reports[k]
		out[k] = []string{r.id(), clock(r.reported), clock(r.from), clock(r.to), r.person, r.phone, r.postcode, r.born,
			r.institution, string(appendDecimal(nil, r.pence, 2)), r.currency, r.narrative, r.force}
	}
	return out
}

func registryRecords() [][]string {
	day := func(at int64) string {
		if at == 0 {
			return ""
		}
		return time.Unix(at, 0).UTC().Format(time.DateOnly)
	}
	var out [][]string
	for _, in := range institutions {
		head := []string{in.id, in.name, in.sector, in.country, strings.Join(in.aliases, ";")}
		tail := []string{"https://example.org/" + in.id + "/contact", "2022-11-10"}
		if len(in.numbers) == 0 {
			out = append(out, slices.Concat(head, []string{"", "", "", "", ""}, tail))
		}
		for _, n := range in.numbers {
			out = append(out, slices.Concat(head, []string{"+" + strconv.FormatInt(n.from, 10), "+" + strconv.FormatInt(n.to, 10),
				strconv.FormatBool(n.inbound), day(n.validFrom), day(n.validTo)}, tail))
		}
	}
	return out
}

func (q *rates) records() [][]string {
	var out [][]string
	for _, c := range []struct {
		code   string
		prices []int64
	}{{"GBP", q.gbp}, {"EUR", q.eur}} {
		for d, price := range c.prices {
			date := time.Unix(firstRateDay+int64(d)*daySeconds, 0).UTC().Format(time.DateOnly)
			out = append(out, []string{"BTC", c.code, date, string(appendDecimal(nil, price, 2)), "https://example.org/rates"})
		}
	}
	for d, price := range q.euro {
		date := time.Unix(firstRateDay+int64(d)*daySeconds, 0).UTC().Format(time.DateOnly)
		out = append(out, []string{"EUR", "GBP", date, string(appendDecimal(nil, price, 4)), "https://example.org/rates"})
	}
	return out
}

// blocks is the number plan of this world.
func (p *people) blocks() [][]string {
	var out [][]string
	add := func(prefix, status, note string) { out = append(out, []string{prefix, status, note}) }
	seen := map[string]bool{}
	for _, q := range []*pool{p.ukMobile, p.ukLand, p.users} {
		for _, prefix := range q.prefixes {
			if !seen[prefix] {
				seen[prefix] = true
				add(prefix, "allocated", "people")
			}
		}
	}
	if !seen[dramaMobiles[0]] {
		add(dramaMobiles[0], "allocated", "other mobiles")
	}
	add(officeBlock, "allocated", "institutions and offices")
	add(registryBlock, "allocated", "institutions")
	add(freephoneBlock, "allocated", "institutions")
	add("4429", "allocated", "area 029")
	add(unallocatedBlock, "unallocated", "no provider")
	add(islandBlock, "allocated", "offices")
	add(dramaBlock, "drama", "fiction only")
	return out
}
