package mapping

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/profile"
)

// Proposal is a mapping for tables that nobody has described, for people to review. What it is
// unsure of it leaves out: a column without a proposal stays unknown, and stays in its source
// table.
type Proposal struct {
	Mapping *Mapping
	Tables  []Role // what each table was taken for, in the order of the profile
	profile *profile.Profile
}

// Role is what a source table was taken for.
type Role struct {
	Table string  `json:"table"`
	Rows  int64   `json:"rows"`
	Case  string  `json:"case,omitempty"` // case table it fills; empty: none
	Conf  float64 `json:"confidence"`
	Why   string  `json:"why"`
}

// proposer makes one proposal.
type proposer struct {
	p        *profile.Profile
	m        *Mapping
	roles    map[string]Role
	secret   map[string]map[string]bool // table, column
	accounts string                     // table of accounts
	key      string                     // its column that other tables give
}

// Propose makes a proposal from a profile. name becomes the mapping's name.
func Propose(p *profile.Profile, name string) (*Proposal, error) {
	x := &proposer{p: p, roles: map[string]Role{}, secret: map[string]map[string]bool{},
		m: &Mapping{Name: name, Version: 1, Title: "Proposed, not reviewed", Tables: map[string][]Source{}, Secret: map[string][]string{}, Aside: map[string]string{}}}
	for i := range p.Tables {
		x.secrets(&p.Tables[i])
	}
	for i := range p.Tables {
		if t := &p.Tables[i]; t.Rows == 0 {
			x.aside(t, "it has no rows")
		}
	}
	x.calls()
	x.account()
	for i := range p.Tables {
		t := &p.Tables[i]
		if _, done := x.roles[t.Name]; done {
			continue
		}
		switch {
		case x.summary(t), x.thirdParties(t), x.payments(t), x.messages(t), x.scripts(t), x.sessions(t), x.identifiers(t), x.wallets(t):
		default:
			x.roles[t.Name] = Role{Table: t.Name, Rows: t.Rows, Why: "nothing in it says what it is"}
		}
	}
	out := &Proposal{Mapping: x.m, profile: p}
	for _, t := range p.Tables {
		out.Tables = append(out.Tables, x.roles[t.Name])
		for _, c := range t.Columns {
			if x.secret[t.Name][c.Name] {
				x.m.Secret[t.Name] = append(x.m.Secret[t.Name], c.Name)
			}
		}
	}
	text := out.text()
	m, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the proposed mapping: %w", err)
	}
	out.Mapping = m
	return out, nil
}

// Text is the proposal as a mapping file with reasons as comments.
func (p *Proposal) Text() []byte { return p.Mapping.Text() }

func (x *proposer) aside(t *profile.Table, why string) {
	x.m.Aside[t.Name] = why
	x.roles[t.Name] = Role{Table: t.Name, Rows: t.Rows, Conf: 1, Why: "set aside: " + why}
}

// free are a table's columns that are not secret, for assign.
func (x *proposer) taken(t *profile.Table) map[string]bool { return x.secret[t.Name] }

func (x *proposer) fill(table string, t *profile.Table, s Source, conf float64, why string) {
	x.m.Tables[table] = append(x.m.Tables[table], s)
	x.roles[t.Name] = Role{Table: t.Name, Rows: t.Rows, Case: table, Conf: math.Round(conf*100) / 100, Why: why}
}

// from fills a case column from a found column.
func from(f found, as string) Column {
	return Column{From: f.column.Name, As: as, Confidence: f.conf, Why: f.why}
}

// when fills a time. The conversion says what clock wrote it: a MySQL TIMESTAMP is dumped in
// UTC, a DATETIME is the server's wall clock, an epoch and a time with its zone leave no
// question. What the values themselves show counts more than the type.
func (x *proposer) when(f found) Column {
	c := f.column
	col := Column{From: c.Name, Confidence: f.conf}
	sure := 1.0
	switch {
	case c.Type == "TIMESTAMP WITH TIME ZONE" || c.Has(profile.DateTimeZone) > 0.9 || strings.Contains(c.Declared, "with time zone") || c.Declared == "timestamptz":
		col.As, col.Why = "instant", "written with its distance from UTC"
	case c.Has(profile.EpochMS) > 0.9:
		col.As, col.Why = "epoch_ms", "milliseconds since 1970 UTC"
	case c.Has(profile.EpochUS) > 0.9:
		col.As, col.Why = "epoch_us", "microseconds since 1970 UTC"
	case c.Has(profile.EpochS) > 0.9:
		col.As, col.Why = "epoch_s", "seconds since 1970 UTC"
	case c.Declared == "timestamp":
		col.As, col.Why = "utc", "declared TIMESTAMP: a MySQL dump writes it in UTC"
	case c.Declared == "datetime":
		col.As, col.Why = "wall", "declared DATETIME: the server's wall clock, taken for the case's time zone"
	default:
		col.As, col.Why, sure = "wall", "no zone is stated: taken for wall clock of the case's time zone", 0.75
	}
	if k := c.Clock; k != nil && (col.As == "wall" || col.As == "utc") {
		switch {
		case k.Shifts != "":
			col.As, col.Why, sure = "wall", fmt.Sprintf("it runs ahead of %s in summer only, as %s does", k.Shifts, x.p.Zone), 1
		case k.Verdict == "local" && col.As == "wall":
			col.Why, sure = col.Why+fmt.Sprintf("; %d values in the hours that %s skips, where UTC would have about %.0f", k.Gap, x.p.Zone, k.Expected), 1
		case k.Verdict == "local" && col.As == "utc":
			col.Why, sure = col.Why+fmt.Sprintf("; BUT no value lies in the hours that %s skips, where UTC would have about %.0f: look at --skip-tz-utc", x.p.Zone, k.Expected), 0.5
		case k.Verdict == "utc" && col.As == "wall":
			col.As, col.Why, sure = "utc", fmt.Sprintf("%d values lie in hours that the clock of %s never showed: not its wall clock, taken for UTC", k.Gap, x.p.Zone), 0.8
		case k.Verdict == "utc":
			col.Why += fmt.Sprintf("; %d values lie in hours that %s skips", k.Gap, x.p.Zone)
		}
	}
	col.Why = f.why + "; " + col.Why
	col.Confidence = math.Round(f.conf*sure*100) / 100
	return col
}

// put adds a column where one was found.
func put(cols map[string]Column, name string, got map[string]found, slot, as string) {
	if f, ok := got[slot]; ok {
		cols[name] = from(f, as)
	}
}

// accountID is how a table names an account: by the accounts' key, or by a log-in name that is
// looked up. ok is false where neither is known.
func (x *proposer) accountID(t *profile.Table, f found, s *Source) Column {
	col := from(f, "")
	for _, j := range t.Joins {
		if j.Column == f.column.Name && j.Table == x.accounts {
			if strings.EqualFold(j.Key, x.key) {
				col.Confidence = max(col.Confidence, math.Round((0.5+0.5*j.Share)*f.conf*100)/100)
				col.Why += fmt.Sprintf("; %.0f %% of its values are in %s.%s", 100*j.Share, j.Table, j.Key)
				return col
			}
		}
	}
	for _, j := range t.Joins { // a name of the account instead of its key
		if j.Column == f.column.Name && j.Table == x.accounts && x.key != "" {
			s.Join = append(s.Join, Join{Table: x.accounts, As: "acc", On: fmt.Sprintf("CAST(acc.%s AS VARCHAR) = CAST(t.%s AS VARCHAR)", quote(j.Key), quote(f.column.Name))})
			return Column{SQL: fmt.Sprintf("coalesce(CAST(acc.%s AS VARCHAR), CAST(t.%s AS VARCHAR))", quote(x.key), quote(f.column.Name)), Confidence: col.Confidence,
				Why: col.Why + fmt.Sprintf("; %.0f %% of its values are in %s.%s, looked up there", 100*j.Share, j.Table, j.Key)}
		}
	}
	return col
}

// quote writes a name for SQL: as it is where it can stand bare, so that coverage finds it.
func quote(name string) string {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
	}
	if slices.Contains([]string{"end", "start", "order", "group", "user", "from", "to", "desc", "table", "column", "select", "where"}, strings.ToLower(name)) {
		return `"` + name + `"`
	}
	return name
}

// tableName is a table's name without schema, in words.
func tableName(t *profile.Table) []string {
	name := t.Name
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 && !strings.HasSuffix(strings.ToLower(name), ".csv") {
		name = name[dot+1:]
	}
	name = strings.TrimSuffix(name, ".csv")
	list := words(name)
	for i, w := range list {
		if len(w) > 4 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && w != "status" {
			list[i] = strings.TrimSuffix(w, "s")
		}
	}
	return list
}

// caseColumns lists a case table's columns in the model's order.
func caseColumns(table string) (list []string) {
	for _, t := range casefile.Model() {
		if t.Name == table {
			for _, c := range t.Columns {
				list = append(list, c.Name)
			}
		}
	}
	return list
}
