// Package suspects says which accounts matter and why: what each payment was worth on its
// day (payment_value), what each account did (suspect), and how it fares under every ranking
// policy of the case (policy_result).
//
// A policy is a versioned, human-approved rule in YAML: requirements on the columns of
// suspect, and an order. Every account is told which requirement it failed first, or its
// rank. met-2022 is shipped; a unit puts its own into the case's policies folder.
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
	//go:embed suspect.sql
	suspectSQL string
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
		{Table: "suspect", About: "one account of a user or reseller", Inputs: []string{"account", "call_verdict", "payment_value", "report_link"}, SQL: suspectSQL,
			Params: func(c *store.Case) (map[string]string, error) {
				return map[string]string{"zone": c.Config.TimeZone}, nil
			}},
		{Table: "policy_result", About: "one account under one policy", Inputs: []string{"suspect"}, Version: "policies-1",
			SQL:     "SELECT policy, policy_version, account_id, passed, rank, reasons, failed_rule FROM policy_outcome ORDER BY policy, rank NULLS LAST, account_id",
			Params:  policyParams,
			Prepare: runPolicies},
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
			if other.ID == p.ID {
				return nil, "", fmt.Errorf("%s: policy %s is there twice", path, p.ID)
			}
		}
		list = append(list, p)
		h.Write(text)
		h.Write([]byte{0})
	}
	return list, hex.EncodeToString(h.Sum(nil)), nil
}

func policyParams(c *store.Case) (map[string]string, error) {
	_, sum, err := Policies(c)
	return map[string]string{"policies": sum}, err
}

// runPolicies fills the temporary table policy_outcome.
func runPolicies(ctx context.Context, c *store.Case, e *duckdb.Engine) error {
	policies, _, err := Policies(c)
	if err != nil {
		return err
	}
	if _, err := e.DB.ExecContext(ctx, `CREATE OR REPLACE TABLE policy_outcome (policy VARCHAR, policy_version INTEGER, account_id VARCHAR,
		passed BOOLEAN, rank BIGINT, reasons VARCHAR, failed_rule VARCHAR)`); err != nil {
		return err
	}
	for _, p := range policies {
		if _, err := e.DB.ExecContext(ctx, "INSERT INTO policy_outcome "+p.SQL()); err != nil {
			return fmt.Errorf("policy %s: %w", p.ID, err)
		}
	}
	return nil
}

// SQL is the query that applies the policy to every row of suspect.
func (p Policy) SQL() string {
	var failed, reasons []string
	for _, r := range p.Require {
		value := duckdb.Literal(r.Value)
		if _, err := strconv.ParseFloat(r.Value, 64); err == nil {
			value = r.Value
		}
		holds := fmt.Sprintf("coalesce(%s %s %s, false)", duckdb.Ident(r.Field), r.Is, value)
		failed = append(failed, fmt.Sprintf("WHEN NOT %s THEN %s", holds, duckdb.Literal(r.Why)))
		reasons = append(reasons, fmt.Sprintf("%s || ' (' || %s || ' ' || coalesce(CAST(%s AS VARCHAR), 'unknown') || ')'", duckdb.Literal(r.Why), duckdb.Literal(r.Field), duckdb.Ident(r.Field)))
	}
	order := make([]string, len(p.Order))
	for i, o := range p.Order {
		column, desc, _ := strings.Cut(o, " ")
		order[i] = duckdb.Ident(column) + " " + desc
	}
	return fmt.Sprintf(`WITH judged AS (SELECT *, CASE %s END AS failed FROM suspect)
SELECT %s, %d, account_id, failed IS NULL, CASE WHEN failed IS NULL THEN row_number() OVER (PARTITION BY failed IS NULL ORDER BY %s) END,
 %s, failed FROM judged`, strings.Join(failed, " "), duckdb.Literal(p.ID), p.Version, strings.Join(order, ", "), strings.Join(reasons, " || '; ' || "))
}
