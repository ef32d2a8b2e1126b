// Package suspects says which accounts matter and why: what each payment was worth on its
// day (payment_value), the language of each script (script_language), what each account did (suspect), which country it concerns (allocation),
// and how it fares under every ranking policy of the case (policy_result), with how many each
// requirement removed (policy_step) and who fell just below it (near_miss).
//
// A policy is a versioned, human-approved rule in YAML: requirements on the columns of
// suspect, and an order. Every account is told which requirement it failed first, or its
// rank. met-2022 is shipped; a unit puts its own into the case's policies folder, where an
// older version may stay beside the new one.
package suspects

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/unspoof/unspoof/internal/analysis/step"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

var (
	//go:embed payment_value.sql
	paymentValueSQL string
	//go:embed script_language.sql
	scriptLanguageSQL string
	//go:embed account_activity.sql
	accountActivitySQL string
	//go:embed account_country.sql
	accountCountrySQL string
	//go:embed suspect.sql
	suspectSQL string
	//go:embed allocation.sql
	allocationSQL string
	//go:embed policies/met-2022.yaml
	met2022 []byte
)

// Policy is one ranking policy.
type Policy struct {
	ID         string    `yaml:"policy" json:"policy"`
	Version    int       `yaml:"version" json:"version"`
	Title      string    `yaml:"title" json:"title"`
	Source     string    `yaml:"source" json:"source"`
	ApprovedBy string    `yaml:"approved_by" json:"approved_by"`
	ApprovedOn string    `yaml:"approved_on" json:"approved_on"`
	Require    []Require `yaml:"require" json:"require"`
	Order      []string  `yaml:"order" json:"order"` // column, or column desc
	latest     bool      // of the versions in the case
}

// Require is one requirement on a column of suspect.
type Require struct {
	Field string `yaml:"field" json:"field"`
	Is    string `yaml:"is" json:"is"` // =, <>, <, <=, >, >=
	Value string `yaml:"value" json:"value"`
	Why   string `yaml:"why" json:"why"` // in words, for the reasons
}

// Steps lists the steps in order.
func Steps() []step.Step {
	return []step.Step{
		{Table: "payment_value", About: "one payment and its worth on its day", Inputs: []string{"payment", "rate"}, SQL: paymentValueSQL},
		{Table: "script_language", About: "one recorded or synthesised message whose language is known", Inputs: []string{"script"}, Version: "languages-1",
			SQL: scriptLanguageSQL, Prepare: detectLanguages},
		{Table: "account_activity", About: "one account and what its calls add up to",
			Inputs: []string{"call_verdict", "number_call"}, SQL: accountActivitySQL, Params: step.Zone, Grow: &step.Grow{Of: []string{"call_verdict", "number_call"},
				Was: "account_id VARCHAR, calls BIGINT, answered BIGINT, long_calls BIGINT, calls_uk BIGINT, long_calls_uk BIGINT, victims BIGINT, victims_uk BIGINT, first_at TIMESTAMPTZ, last_at TIMESTAMPTZ, active_days BIGINT"}},
		{Table: "account_country", About: "one account and one country to which it made calls that were answered",
			Inputs: []string{"call_verdict"}, SQL: accountCountrySQL, Grow: &step.Grow{Of: []string{"call_verdict"},
				Was: "account_id VARCHAR, country VARCHAR, answered BIGINT"}},
		{Table: "suspect", About: "one account of a user or reseller",
			Inputs: []string{"account", "account_activity", "account_country", "account_institution", "payment_value", "report_link", "passcode_call", "campaign", "script_language", "account_session"}, SQL: suspectSQL},
		{Table: "allocation", About: "one country that an account may concern, and why", Inputs: []string{"suspect"}, SQL: allocationSQL},
		{Table: "policy_result", About: "one account under one policy", Inputs: []string{"suspect"}, Version: "policies-2",
			SQL: "SELECT * FROM policy_outcome ORDER BY policy, policy_version, rank NULLS LAST, account_id", Params: policyParams,
			Prepare: prepare("policy_outcome", `policy VARCHAR, policy_version INTEGER, latest BOOLEAN, account_id VARCHAR, passed BOOLEAN, rank BIGINT,
				reasons VARCHAR, ranked_by VARCHAR, failed_rule VARCHAR`, Policy.SQL)},
		{Table: "policy_step", About: "one requirement of a policy and how many accounts it removed", Inputs: []string{"suspect"}, Version: "policies-2",
			SQL: "SELECT * FROM policy_removal ORDER BY policy, policy_version, place", Params: policyParams,
			Prepare: prepare("policy_removal", `policy VARCHAR, policy_version INTEGER, latest BOOLEAN, title VARCHAR, approved_by VARCHAR, approved_on VARCHAR, place BIGINT,
				rule VARCHAR, why VARCHAR, before BIGINT, removed BIGINT, "left" BIGINT`, Policy.removedSQL)},
		{Table: "near_miss", About: "one account just below one requirement of a policy", Inputs: []string{"suspect"}, Version: "policies-2",
			SQL: "SELECT * FROM policy_near ORDER BY policy, policy_version, field, place", Params: policyParams,
			Prepare: prepare("policy_near", `policy VARCHAR, policy_version INTEGER, latest BOOLEAN, field VARCHAR, rule VARCHAR, place BIGINT, account_id VARCHAR, value DOUBLE,
				short_by DOUBLE, reasons VARCHAR, ref_source VARCHAR, ref_table VARCHAR, ref_row BIGINT, ref_offset BIGINT`, Policy.nearSQL)},
	}
}

// Shipped is the policy every case begins with.
func Shipped() (Policy, error) { return ParsePolicy(met2022) }

// WriteShipped puts the shipped policy into a new case.
func WriteShipped(c *store.Case) error {
	return store.WriteFile(filepath.Join(c.Dir, "policies", "met-2022.yaml"), met2022, 0o640)
}

var (
	fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	orderTerm = regexp.MustCompile(`^[a-z][a-z0-9_]*( desc)?$`)
)

// ParsePolicy reads and checks a policy.
func ParsePolicy(text []byte) (Policy, error) {
	var p Policy
	if err := yaml.UnmarshalWithOptions(text, &p, yaml.Strict()); err != nil {
		return p, err
	}
	if !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(p.ID) || p.Version < 1 || len(p.Require) == 0 || len(p.Order) == 0 {
		return p, errors.New("a policy needs an id (a-z, 0-9, -), a version from 1, require and order")
	}
	if p.ApprovedBy == "" || p.ApprovedOn == "" {
		return p, fmt.Errorf("policy %s: a policy names who approved it and when", p.ID)
	}
	for _, r := range p.Require {
		if !fieldName.MatchString(r.Field) || !strings.Contains(" = <> < <= > >= ", " "+r.Is+" ") || r.Why == "" {
			return p, fmt.Errorf("policy %s: requirement %+v: a field, one of = <> < <= > >=, a value and why", p.ID, r)
		}
	}
	for _, o := range p.Order {
		if !orderTerm.MatchString(o) {
			return p, fmt.Errorf("policy %s: order %q is not a column, or a column and desc", p.ID, o)
		}
	}
	return p, nil
}

// Policies are the case's policies, by file name.
func Policies(c *store.Case) ([]Policy, string, error) {
	paths, err := filepath.Glob(filepath.Join(c.Dir, "policies", "*.yaml"))
	if err != nil {
		return nil, "", err
	}
	sort.Strings(paths)
	h := sha256.New()
	var list []Policy
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, "", err
		}
		p, err := ParsePolicy(text)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", path, err)
		}
		for _, other := range list {
			if other.ID == p.ID && other.Version == p.Version {
				return nil, "", fmt.Errorf("%s: policy %s is there twice with version %d: a changed policy has another version", path, p.ID, p.Version)
			}
		}
		list = append(list, p)
		h.Write(text)
		h.Write([]byte{0})
	}
	for i := range list {
		list[i].latest = !slices.ContainsFunc(list, func(o Policy) bool { return o.ID == list[i].ID && o.Version > list[i].Version })
	}
	return list, hex.EncodeToString(h.Sum(nil)), nil
}

func policyParams(c *store.Case) (map[string]string, error) {
	_, sum, err := Policies(c)
	return map[string]string{"policies": sum}, err
}

// prepare fills a temporary table with the rows that a query gives for each policy; empty for
// a policy that has none.
func prepare(table, columns string, query func(Policy) string) func(context.Context, *store.Case, *duckdb.Engine) error {
	return func(ctx context.Context, c *store.Case, e *duckdb.Engine) error {
		policies, _, err := Policies(c)
		if err != nil {
			return err
		}
		if _, err := e.DB.ExecContext(ctx, "CREATE OR REPLACE TABLE "+table+" ("+columns+")"); err != nil {
			return err
		}
		for _, p := range policies {
			q := query(p)
			if q == "" {
				continue
			}
			if _, err := e.DB.ExecContext(ctx, "INSERT INTO "+table+" "+q); err != nil {
				return fmt.Errorf("policy %s version %d: %w", p.ID, p.Version, err)
			}
		}
		return nil
	}
}

// value is the requirement's value as SQL, and whether it is a number.
func (r Require) value() (string, bool) {
	if _, err := strconv.ParseFloat(r.Value, 64); err == nil {
		return r.Value, true
	}
	return duckdb.Literal(r.Value), false
}

// holds is the requirement as SQL over suspect; an unknown value never holds.
func (r Require) holds() string {
	value, _ := r.value()
	return fmt.Sprintf("coalesce(%s %s %s, false)", duckdb.Ident(r.Field), r.Is, value)
}

func (r Require) String() string { return r.Field + " " + r.Is + " " + r.Value }

// head is what every row about a policy begins with.
func (p Policy) head() string {
	return fmt.Sprintf("%s, %d, %v", duckdb.Literal(p.ID), p.Version, p.latest)
}

// SQL is the query that applies the policy to every row of suspect.
func (p Policy) SQL() string {
	var failed, reasons []string
	for _, r := range p.Require {
		failed = append(failed, fmt.Sprintf("WHEN NOT %s THEN %s", r.holds(), duckdb.Literal(r.Why)))
		reasons = append(reasons, fmt.Sprintf("%s || ' (' || %s || ' ' || coalesce(CAST(%s AS VARCHAR), 'unknown') || ')'", duckdb.Literal(r.Why), duckdb.Literal(r.Field), duckdb.Ident(r.Field)))
	}
	order, ranked := make([]string, len(p.Order)), make([]string, len(p.Order))
	for i, o := range p.Order {
		column, desc, _ := strings.Cut(o, " ")
		order[i] = duckdb.Ident(column) + " " + desc
		ranked[i] = fmt.Sprintf("%s || ' ' || coalesce(CAST(%s AS VARCHAR), 'unknown')", duckdb.Literal(o), duckdb.Ident(column))
	}
	return fmt.Sprintf(`WITH judged AS (SELECT *, CASE %s END AS failed FROM suspect)
SELECT %s, account_id, failed IS NULL, CASE WHEN failed IS NULL THEN row_number() OVER (PARTITION BY failed IS NULL ORDER BY %s) END,
 %s, CASE WHEN failed IS NULL THEN %s END, failed FROM judged`,
		strings.Join(failed, " "), p.head(), strings.Join(order, ", "), strings.Join(reasons, " || '; ' || "), strings.Join(ranked, " || ', ' || "))
}

// removedSQL counts, requirement by requirement, the accounts that are left.
func (p Policy) removedSQL() string {
	var rules []string
	before := "true"
	for i, r := range p.Require {
		left := before + " AND " + r.holds()
		rules = append(rules, fmt.Sprintf(`SELECT %s, %s, %s, %s, %d, %s, %s, count(*) FILTER (WHERE %[8]s), count(*) FILTER (WHERE (%[8]s) AND NOT (%[9]s)), count(*) FILTER (WHERE %[9]s) FROM suspect`,
			p.head(), duckdb.Literal(p.Title), duckdb.Literal(p.ApprovedBy), duckdb.Literal(p.ApprovedOn), i+1, duckdb.Literal(r.String()), duckdb.Literal(r.Why), before, left))
		before = left
	}
	return strings.Join(rules, "\nUNION ALL\n")
}

// nearest is how many accounts below a threshold are told.
const nearest = 20

// nearSQL finds, for each requirement that is a threshold, the accounts that meet all others
// and miss it by least.
func (p Policy) nearSQL() string {
	var near []string
	for i, r := range p.Require {
		value, number := r.value()
		if !number || !strings.ContainsAny(r.Is, "<>") || r.Is == "<>" {
			continue
		}
		others := []string{"true"}
		for k, o := range p.Require {
			if k != i {
				others = append(others, o.holds())
			}
		}
		field := duckdb.Ident(r.Field)
		near = append(near, fmt.Sprintf(`SELECT %s, %s, %s, place, account_id, value, short_by, 'met all other requirements; %s is ' || short || ' from ' || %s, ref_source, ref_table, ref_row, ref_offset FROM (
  SELECT *, CAST(%[6]s AS DOUBLE) AS value, CAST(abs(%[6]s - %[7]s) AS DOUBLE) AS short_by, CAST(abs(%[6]s - %[7]s) AS VARCHAR) AS short, row_number() OVER (ORDER BY abs(%[6]s - %[7]s), account_id) AS place
  FROM suspect WHERE %[8]s AND %[6]s IS NOT NULL AND NOT %[9]s) WHERE place <= %[10]d`,
			p.head(), duckdb.Literal(r.Field), duckdb.Literal(r.String()), r.Field, value, field, value, strings.Join(others, " AND "), r.holds(), nearest))
	}
	return strings.Join(near, "\nUNION ALL\n")
}
