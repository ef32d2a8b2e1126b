package profile

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// maxKeyRows bounds the exact test of a key: a table of more rows is tested in its sample.
const maxKeyRows = 20_000_000

// idName tells a column that may point into another table.
var idName = regexp.MustCompile(`(?i)^id$|^id_?[a-z]|_?id$|(^|_)uuid$|account|card|user|login|customer|client|subscriber|agent|peer`)

// keyName tells a text column that other tables may give instead of a number.
var keyName = regexp.MustCompile(`(?i)user|login|account|alias|^name$|^email$|uuid$|^id$|_id$|card`)

// relate finds keys, joins, spans and orders.
func (m *measurer) relate(ctx context.Context, p *Profile) error {
	for i := range p.Tables {
		if err := m.keys(ctx, &p.Tables[i]); err != nil {
			return fmt.Errorf("keys of table %s: %w", p.Tables[i].Name, err)
		}
		if err := m.spans(ctx, &p.Tables[i]); err != nil {
			return fmt.Errorf("spans of table %s: %w", p.Tables[i].Name, err)
		}
	}
	for i := range p.Tables {
		if err := m.joins(ctx, p, &p.Tables[i]); err != nil {
			return fmt.Errorf("joins of table %s: %w", p.Tables[i].Name, err)
		}
	}
	return nil
}

// keySource is where a table's whole columns are read: the sample where that is the whole table, or
// the table is too large.
func (t *Table) keySource() string {
	if t.Sampled == t.Rows || t.Rows > maxKeyRows {
		return t.sample
	}
	return t.view
}

// keys marks the columns whose values are all there and all different.
func (m *measurer) keys(ctx context.Context, t *Table) error {
	if t.Sampled < 2 {
		return nil
	}
	from := t.keySource()
	for i := range t.Columns {
		c := &t.Columns[i]
		if !c.Filled() || c.Nulls > 0.02 || float64(c.Distinct) < 0.85*float64(t.Sampled) || c.Has(Text) > 0.3 || strings.HasPrefix(c.Type, "D") || c.Type == "TIMESTAMP" {
			continue
		}
		n, err := m.numbers(ctx, fmt.Sprintf("SELECT count(*), count(%[1]s), count(DISTINCT %[1]s) FROM %[2]s", duckdb.Ident(c.Name), from))
		if err != nil {
			return err
		}
		if c.Unique = n[0] == n[2] && n[0] == n[1]; c.Unique && (t.Key == "" || strings.EqualFold(c.Name, "id")) {
			t.Key = c.Name
		}
	}
	return nil
}

// joins tests columns whose names allow it against the unique columns of other tables.
func (m *measurer) joins(ctx context.Context, p *Profile, t *Table) error {
	for i := range t.Columns {
		c := &t.Columns[i]
		if !c.Filled() || !idName.MatchString(c.Name) || c.Distinct < 2 || strings.EqualFold(c.Name, "id") || c.IsTime() {
			continue
		}
		for j := range p.Tables {
			other := &p.Tables[j]
			if other.Name == t.Name || other.Rows < 2 {
				continue
			}
			for k := range other.Columns {
				key := &other.Columns[k]
				named := pointsTo(c.Name, other.Name, key.Name)
				if !key.Unique || key.IsNumber() != c.IsNumber() || float64(c.Distinct) > 1.2*float64(other.Rows)+1 {
					continue
				}
				if !named && (c.IsNumber() || c.MaxLen < 3 || !keyName.MatchString(key.Name) || c.Has(E164, National, Text, IP) > 0.5) { // small numbers are among any table's numbers
					continue
				}
				n, err := m.numbers(ctx, fmt.Sprintf(`SELECT count(*), count(*) FILTER (WHERE v IN (SELECT CAST(%s AS VARCHAR) FROM %s))
FROM (SELECT DISTINCT CAST(%s AS VARCHAR) v FROM %s WHERE %s IS NOT NULL) WHERE v NOT IN ('', '0', '-1')`,
					duckdb.Ident(key.Name), other.keySource(), duckdb.Ident(c.Name), t.sample, duckdb.Ident(c.Name)))
				if err != nil {
					return err
				}
				if s := share(n[1], n[0]); n[0] > 0 && s >= 0.8 {
					t.Joins = append(t.Joins, Join{Column: c.Name, Table: other.Name, Key: key.Name, Share: s, Named: named})
				}
			}
		}
	}
	return nil
}

// pointsTo tells whether a column's name says that it holds a key of a table: id_user or
// user_id of xx_user (or users), card_id and id_cc_card of cc_card.
func pointsTo(column, table, key string) bool {
	c := strings.ToLower(column)
	stem := strings.Trim(strings.TrimSuffix(strings.TrimPrefix(c, "id_"), "id"), "_")
	if strings.HasPrefix(c, "id") && stem == c {
		stem = c[2:]
	}
	if len(stem) < 3 || stem == c {
		return false
	}
	k := strings.ToLower(key)
	if k != "id" && k != c && k != stem+"_id" && k != "id_"+stem && k != "uuid" && k != stem+"_uuid" {
		return false
	}
	name := strings.ToLower(table)
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		name = name[dot+1:]
	}
	name = strings.TrimSuffix(name, "s")
	stem = strings.TrimSuffix(stem, "s")
	return name == stem || strings.HasSuffix(name, "_"+stem)
}

// spans tests which number columns are the seconds between two time columns, and which number
// of seconds is never more than another.
func (m *measurer) spans(ctx context.Context, t *Table) error {
	var times, numbers []*Column
	for i := range t.Columns {
		c := &t.Columns[i]
		switch {
		case !c.Filled():
		case c.IsTime() && len(times) < 6 && timeSQL(c, "") != "":
			times = append(times, c)
		case c.Has(Seconds) > 0.95 && c.Distinct > 4 && len(numbers) < 10 && !c.Unique:
			numbers = append(numbers, c)
		}
	}
	if t.Sampled < 20 || len(numbers) == 0 {
		return nil
	}
	type test struct {
		from, to, column string
		less             bool
	}
	var tests []test
	var q strings.Builder
	q.WriteString("SELECT count(*)")
	for _, a := range times {
		for _, b := range times {
			if a == b {
				continue
			}
			for _, n := range numbers {
				tests = append(tests, test{a.Name, b.Name, n.Name, false})
				span := fmt.Sprintf("abs(epoch(%s) - epoch(%s) - TRY_CAST(%s AS BIGINT))", timeSQL(b, ""), timeSQL(a, ""), duckdb.Ident(n.Name))
				fmt.Fprintf(&q, ", count(%[1]s), count(*) FILTER (WHERE %[1]s <= 1)", span)
			}
		}
	}
	for _, a := range numbers {
		for _, b := range numbers {
			if a != b {
				tests = append(tests, test{a.Name, "", b.Name, true})
				fmt.Fprintf(&q, ", count(%[1]s - %[2]s), count(*) FILTER (WHERE %[1]s <= %[2]s)", "TRY_CAST("+duckdb.Ident(a.Name)+" AS BIGINT)", "TRY_CAST("+duckdb.Ident(b.Name)+" AS BIGINT)")
			}
		}
	}
	if len(tests) == 0 {
		return nil
	}
	n, err := m.numbers(ctx, q.String()+" FROM "+t.sample)
	if err != nil {
		return err
	}
	for i, x := range tests {
		all, hit := n[1+2*i], n[2+2*i]
		s := share(hit, all)
		switch {
		case all < 20:
		case x.less && s >= 0.995:
			t.Within = append(t.Within, Within{x.from, x.column, s})
		case !x.less && s >= 0.8:
			t.Spans = append(t.Spans, Span{x.from, x.to, x.column, s})
		}
	}
	return nil
}

// timeSQL is the SQL of a time column as a timestamp without zone; empty where there is none.
func timeSQL(c *Column, alias string) string {
	x := alias + duckdb.Ident(c.Name)
	switch {
	case c.Type == "TIMESTAMP":
		return x
	case c.Type == "TIMESTAMP WITH TIME ZONE":
		return "timezone('UTC', " + x + ")"
	case c.Has(EpochS) > 0.9:
		return "TRY(make_timestamp(TRY_CAST(" + x + " AS BIGINT) * 1000000))"
	case c.Has(EpochMS) > 0.9:
		return "TRY(make_timestamp(TRY_CAST(" + x + " AS BIGINT) * 1000))"
	case c.Has(EpochUS) > 0.9:
		return "TRY(make_timestamp(TRY_CAST(" + x + " AS BIGINT)))"
	case c.Has(DateTimeZone) > 0.9:
		return "timezone('UTC', TRY_CAST(" + x + " AS TIMESTAMP WITH TIME ZONE))"
	case c.Has(DateTime) > 0.9:
		return "TRY_CAST(" + x + " AS TIMESTAMP)"
	}
	return ""
}
