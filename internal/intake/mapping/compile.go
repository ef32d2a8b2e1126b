package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// conversions are the words of a column's `as`, and the SQL each stands for over a source
// column x. Z is the time zone.
var conversions = map[string]string{
	"text":        "CAST(x AS VARCHAR)",
	"trimmed":     "nullif(trim(CAST(x AS VARCHAR)), '')",
	"lower":       "lower(trim(CAST(x AS VARCHAR)))",
	"number":      "TRY_CAST(x AS BIGINT)",
	"seconds":     "TRY_CAST(x AS BIGINT)",
	"utc":         "make_timestamptz(epoch_us(TRY_CAST(x AS TIMESTAMP)))",                          // a time of no zone that is UTC
	"wall":        "wall_time(TRY_CAST(x AS TIMESTAMP), Z)",                                        // wall clock of zone Z
	"instant":     "TRY_CAST(CAST(x AS VARCHAR) AS TIMESTAMP WITH TIME ZONE)",                      // with its distance from UTC
	"epoch_s":     "TRY(make_timestamptz(CAST(TRY_CAST(x AS DECIMAL(38,6)) * 1000000 AS BIGINT)))", // seconds since 1970 UTC, with a fraction or not
	"epoch_ms":    "TRY(make_timestamptz(TRY_CAST(x AS BIGINT) * 1000))",
	"epoch_us":    "TRY(make_timestamptz(TRY_CAST(x AS BIGINT)))",
	"date":        "TRY_CAST(nullif(CAST(x AS VARCHAR), '') AS DATE)",
	"e164":        "e164(CAST(x AS VARCHAR))",
	"clid_number": "clid_number(CAST(x AS VARCHAR))",
	"clid_e164":   "clid_e164(CAST(x AS VARCHAR))",
	"clid_name":   "clid_name(CAST(x AS VARCHAR))",
	"country":     "(SELECT country FROM country_name WHERE name = upper(trim(CAST(x AS VARCHAR))))",
	"money":       "minor_units(x)",
	"btc":         "TRY(CAST(TRY_CAST(x AS DECIMAL(38,8)) * 100000000 AS BIGINT))",
	"flag":        "(TRY_CAST(x AS BIGINT) <> 0)",
	"truth":       "TRY_CAST(x AS BOOLEAN)",
	"upper":       "upper(trim(CAST(x AS VARCHAR)))",
	"masked":      "masked(CAST(x AS VARCHAR))", // free text without card numbers, codes, passwords
	"millis":      "TRY_CAST(x AS BIGINT) // 1000",
}

// maskedColumns are the case columns that carry text as people wrote it. Whatever a mapping
// says, card numbers, codes and passwords in them are replaced by their kind and length
// (macros.sql); a number as written loses only what is too long for a telephone number.
var maskedColumns = map[string]string{
	"message.text": "masked", "message.outcome": "masked", "message.sender_id": "masked_number", "message.recipient_raw": "masked_number",
	"script.text": "masked", "script.file": "masked", "loss_report.narrative": "masked", "loss_report.victim_phone_raw": "masked_number",
	"account.display_name": "masked", "account.username": "masked", "account.phone_raw": "masked_number", "account.country_claimed_raw": "masked",
	"call.presented_name": "masked", "call.presented_raw": "masked_number", "call.received_cli_raw": "masked_number", "call.called_raw": "masked_number", "keypress.number_raw": "masked_number",
	"session.event": "masked", "session.user_agent": "masked", "payment.status": "masked", "wallet.label": "masked", "watch_entry.name": "masked",
}

// expr is the SQL expression that fills the column.
func (c Column) expr(zone string) (string, error) {
	given := 0
	for _, is := range []bool{c.From != "", c.Const != nil, c.SQL != "", c.CountryOf != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		return "", errors.New("give exactly one of from, const, sql and country_of")
	}
	switch {
	case c.Const != nil:
		return duckdb.Literal(*c.Const), nil
	case c.SQL != "":
		return "(" + withZone(c.SQL, zone) + ")", nil
	case c.CountryOf != "":
		return "NULL", nil // Select puts it in
	}
	x := "t." + duckdb.Ident(c.From)
	if c.Strip != nil {
		if c.As != "e164" || slices.Contains(c.Strip, "") || strings.ContainsAny(strings.Join(c.Strip, ""), "\n \t") {
			return "", errors.New("strip lists what is dialled before a number, without spaces; it goes with as: e164")
		}
		return "dialled_e164(CAST(" + x + " AS VARCHAR), " + duckdb.Literal(strings.Join(c.Strip, "\n")) + ")", nil
	}
	if c.Values != nil {
		keys := make([]string, 0, len(c.Values))
		for k := range c.Values {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		var b strings.Builder
		fmt.Fprintf(&b, "CASE CAST(%s AS VARCHAR)", x)
		for _, k := range keys {
			fmt.Fprintf(&b, " WHEN %s THEN %s", duckdb.Literal(k), duckdb.Literal(c.Values[k]))
		}
		if c.Else != "" {
			fmt.Fprintf(&b, " ELSE %s", duckdb.Literal(c.Else))
		}
		return b.String() + " END", nil
	}
	as := c.As
	if as == "" {
		as = "text"
	}
	form, ok := conversions[as]
	if !ok {
		return "", fmt.Errorf("as %q is not a conversion", as)
	}
	if c.Zone != "" {
		zone = c.Zone
	}
	expr := withZone(inPlace(form, 'x', x), zone)
	if c.Prefix != "" {
		return duckdb.Literal(c.Prefix) + " || " + expr, nil
	}
	return expr, nil
}

// inPlace puts SQL in the place of a letter that stands alone, never inside a word.
func inPlace(form string, letter byte, sql string) string {
	var b strings.Builder
	for i := 0; i < len(form); i++ {
		if form[i] == letter && (i == 0 || !isWord(form[i-1])) && (i+1 == len(form) || !isWord(form[i+1])) {
			b.WriteString(sql)
		} else {
			b.WriteByte(form[i])
		}
	}
	return b.String()
}

// withZone puts the time zone in the place of Z, outside quotes.
func withZone(sql, zone string) string {
	parts := strings.Split(sql, "'")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = inPlace(parts[i], 'Z', duckdb.Literal(zone))
	}
	return strings.Join(parts, "'")
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// costly are the conversions that read text with regular expressions. They are worked out
// once for each distinct value of their source column, and looked up for each row: call
// tables repeat their numbers (measured: docs/performance.md).
// A column that only needs a cheap one is not worth the look-up.
var costly = map[string]bool{"clid_number": true, "clid_name": true, "masked": true}

// distinct is the look-up of one source column's distinct values.
type distinct struct {
	alias  string
	column string   // of the source table
	first  []string // SQL of the first stage of each field, over t.column
	fields []string // SQL of each field, over the first stage
}

// Select is the SQL that fills one case table from one source table of a source, whose
// tables are given by the source's own names.
func (s Source) Select(model casefile.ModelTable, id casefile.SourceID, zone string, tables map[string]store.Manifest) (string, error) {
	given := func(table string) (relation, bool) {
		t, ok := tables[table]
		return plain(t, id), ok
	}
	return s.fill(model, zone, given, given)
}

// relation is a source table as SQL reads it, see series.go.
type relation struct {
	rows    string // FROM item: the rows that count
	values  string // FROM item with at least the values that rows has
	source  string // SQL of the source; of a whole series there is none
	columns []string
}

// fill is Select over a source or a state of a series: part gives the table whose rows it
// takes, tables those that it joins to them.
func (s Source) fill(model casefile.ModelTable, zone string, part, tables func(table string) (relation, bool)) (string, error) {
	from, err := needed(part, s.From, s.Optional)
	if err != nil {
		return "", err
	}
	if err := s.check(model.Name, tables); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("SELECT ")
	var lookups []*distinct
	lookup := func(column string) *distinct {
		for _, d := range lookups {
			if d.column == column {
				return d
			}
		}
		lookups = append(lookups, &distinct{alias: fmt.Sprintf("v%d", len(lookups)+1), column: column})
		return lookups[len(lookups)-1]
	}
	looked := map[string]bool{} // source columns that are worth a look-up
	for _, c := range model.Columns {
		if how := s.Columns[c.Name]; costly[how.As] || maskedColumns[model.Name+"."+c.Name] == "masked" {
			looked[how.From] = true
		}
	}
	for _, c := range model.Columns {
		how, filled := s.Columns[c.Name]
		expr := "NULL"
		if filled {
			if expr, err = how.expr(zone); err != nil {
				return "", fmt.Errorf("%s.%s: %w", model.Name, c.Name, err)
			}
		}
		name, mask := duckdb.Ident(c.Name), maskedColumns[model.Name+"."+c.Name]
		masked := func(expr string) string {
			if mask == "" || expr == "NULL" {
				return expr
			}
			return mask + "(CAST(" + expr + " AS VARCHAR))"
		}
		if how.From != "" && how.Values == nil && how.Prefix == "" && looked[how.From] && (mask != "" || costly[how.As] || how.As == "e164" || how.As == "clid_e164") {
			// In two stages, because a macro repeats the expression it is given.
			d := lookup(how.From)
			d.first = append(d.first, expr+" AS "+name)
			d.fields = append(d.fields, fmt.Sprintf("CAST(%s AS %s) AS %s", masked(name), c.Type, name))
			expr = d.alias + "." + name
		} else {
			expr = masked(expr)
		}
		fmt.Fprintf(&b, "CAST(%s AS %s) AS %s,\n  ", expr, c.Type, duckdb.Ident(c.Name))
	}
	fmt.Fprintf(&b, "%s AS ref_source, %s AS ref_table, t.ref_row, t.ref_offset\nFROM %s t", from.source, duckdb.Literal(s.From), from.rows)
	for _, j := range s.Join {
		r, err := needed(tables, j.Table, j.Optional)
		if err != nil {
			return "", err
		}
		table := r.rows
		if j.Select != "" {
			table = "(WITH s AS (FROM " + table + ")\n" + j.Select + ")"
		}
		fmt.Fprintf(&b, "\nLEFT JOIN %s %s ON %s", table, duckdb.Ident(j.As), j.On)
	}
	for _, d := range lookups {
		column := duckdb.Ident(d.column)
		fmt.Fprintf(&b, "\nLEFT JOIN (SELECT value, %s FROM (SELECT t.%s AS value, %s FROM (SELECT DISTINCT %s FROM %s) t)) %s ON %s.value = t.%s",
			strings.Join(d.fields, ", "), column, strings.Join(d.first, ", "), column, from.values, d.alias, d.alias, column)
	}
	if s.Where != "" {
		fmt.Fprintf(&b, "\nWHERE %s", s.Where)
	}
	return s.countries(model, b.String()), nil
}

// check reports a source column that the mapping names and its table does not have.
func (s Source) check(model string, tables func(table string) (relation, bool)) error {
	type known struct {
		table   string
		columns []string
	}
	of := map[string]known{}
	has := func(alias, column string) error {
		k, ok := of[alias]
		if !ok || slices.ContainsFunc(k.columns, func(c string) bool { return strings.EqualFold(c, column) }) {
			return nil
		}
		own := slices.DeleteFunc(slices.Clone(k.columns), func(c string) bool { return strings.HasPrefix(c, "ref_") })
		return fmt.Errorf("source table %q has no column %q; it has %s", k.table, column, strings.Join(own, ", "))
	}
	know := func(alias, table string, optional []string) {
		r, ok := tables(table)
		if ok { // a table that may be missing has the columns that are asked of it
			of[alias] = known{table, slices.Concat([]string{"ref_row", "ref_offset", "ref_misfit"}, r.columns, optional)}
		}
	}
	text := func(where, sql string) error {
		for i, part := range strings.Split(sql, "'") {
			for _, ref := range reference.FindAllString(part, -1) {
				if i%2 == 1 {
					break // quoted
				}
				alias, column, _ := strings.Cut(ref, ".")
				if err := has(alias, strings.Trim(column, `"`)); err != nil {
					return fmt.Errorf("case table %s, %s: %w", model, where, err)
				}
			}
		}
		return nil
	}
	know("t", s.From, s.Optional)
	for _, j := range s.Join {
		if j.Select == "" {
			know(j.As, j.Table, j.Optional)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Columns)) {
		c := s.Columns[name]
		err := text("column "+name, c.SQL)
		if c.From != "" && err == nil {
			if err = has("t", c.From); err != nil {
				err = fmt.Errorf("case table %s, column %s: %w", model, name, err)
			}
		}
		if err != nil {
			return err
		}
	}
	err := text("where", s.Where)
	for _, j := range s.Join {
		if j.Select != "" {
			know("s", j.Table, j.Optional)
			err = errors.Join(err, text("select of join "+j.As, j.Select))
			delete(of, "s")
		}
		err = errors.Join(err, text("join "+j.As, j.On))
	}
	return err
}

// needed is a source table with a null for each optional column that it lacks; without rows
// when only optional columns are wanted of it and it is not there at all.
func needed(tables func(table string) (relation, bool), table string, optional []string) (relation, error) {
	r, ok := tables(table)
	if !ok && len(optional) == 0 {
		return r, fmt.Errorf("the source has no table %q", table)
	}
	var lacks []string
	for _, name := range optional {
		if !ok || !slices.ContainsFunc(r.columns, func(c string) bool { return strings.EqualFold(c, name) }) {
			lacks = append(lacks, "NULL AS "+duckdb.Ident(name))
		}
	}
	switch {
	case !ok:
		r.rows = "(SELECT " + strings.Join(lacks, ", ") + " WHERE false)"
		r.values = r.rows
	case lacks != nil:
		r.rows = "(SELECT *, " + strings.Join(lacks, ", ") + " FROM " + r.rows + ")"
		r.values = "(SELECT *, " + strings.Join(lacks, ", ") + " FROM " + r.values + ")"
	}
	return r, nil
}

// countries fills the columns that are the country of another column's number, by a look-up
// of the number's first digits.
func (s Source) countries(model casefile.ModelTable, rows string) string {
	var replace []string
	var joins strings.Builder
	for _, c := range model.Columns {
		of := s.Columns[c.Name].CountryOf
		if of == "" {
			continue
		}
		d, number := fmt.Sprintf("d%d", len(replace)+1), "m."+duckdb.Ident(of)
		fmt.Fprintf(&joins, "\nLEFT JOIN dial_country %s ON %s.prefix = dial_prefix(%s)", d, d, number)
		replace = append(replace, fmt.Sprintf("CASE WHEN %s.country = 'GB' THEN british_country(%s) ELSE %s.country END AS %s", d, number, d, duckdb.Ident(c.Name)))
	}
	if replace == nil {
		return rows
	}
	return "SELECT m.* REPLACE (" + strings.Join(replace, ", ") + ")\nFROM (" + rows + ") m" + joins.String()
}
