package desk

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/unspoof/unspoof/internal/casefile"
)

// Hit is one thing a search found.
type Hit struct {
	Kind  string // account, number, call, institution, row
	ID    string
	Label string
	Why   string // what matched
}

// Found is one page of what a search found.
type Found struct {
	Term string
	Page Page
	Hits []Hit
}

// searchParts are the queries of a search, each with the tables it needs and which of its
// arguments it takes: t the term, n the term as a number.
var searchParts = []struct {
	needs []string
	args  string
	query string
}{
	{[]string{"account"}, "t", "SELECT 1 AS place, 'account' AS kind, account_id AS id, COALESCE(username, '') AS label, 'account id' AS why FROM account WHERE account_id = ?"},
	{[]string{"account"}, "t", "SELECT 2, 'account', account_id, COALESCE(username, ''), 'user name' FROM account WHERE lower(username) = lower(?)"},
	{[]string{"account"}, "t", "SELECT 2, 'account', account_id, COALESCE(username, ''), 'e-mail' FROM account WHERE lower(email) = lower(?)"},
	{[]string{"account"}, "n", "SELECT 2, 'account', account_id, COALESCE(username, ''), 'phone' FROM account WHERE phone_e164 = ?"},
	{[]string{"identifier", "account"}, "tt", "SELECT 3, 'account', i.account_id, COALESCE(a.username, ''), 'identifier: ' || i.kind FROM identifier i LEFT JOIN account a ON a.account_id = i.account_id " +
		"WHERE lower(i.value) = lower(?) OR lower(i.value_norm) = lower(?)"},
	{[]string{"number_call"}, "n", "SELECT DISTINCT 2, 'number', CAST(called_e164 AS VARCHAR), '+' || CAST(called_e164 AS VARCHAR), 'called number' FROM number_call WHERE called_e164 = ?"},
	{[]string{"loss_report"}, "n", "SELECT DISTINCT 2, 'number', CAST(victim_phone_e164 AS VARCHAR), '+' || CAST(victim_phone_e164 AS VARCHAR), 'number of a loss report' FROM loss_report WHERE victim_phone_e164 = ?"},
	{[]string{"call_verdict"}, "t", "SELECT 1, 'call', call_id, call_id, 'call id' FROM call_verdict WHERE call_id = ?"},
	{[]string{"institution"}, "tt", "SELECT 2, 'institution', institution_id, COALESCE(name, ''), 'institution' FROM institution WHERE institution_id = ? OR lower(name) = lower(?)"},
	{[]string{"account"}, "tt", "SELECT 4, 'account', account_id, COALESCE(username, ''), 'part of the user name or e-mail' FROM account WHERE length(?) >= 3 AND contains(lower(COALESCE(username, '') || ' ' || COALESCE(email, '')), lower(?))"},
}

// Search finds accounts, numbers, calls, institutions and original rows by what a person typed.
func (d *Desk) Search(ctx context.Context, p Person, term string, number int) (Found, error) {
	term = strings.TrimSpace(term)
	a := Asked{Action: SeePeople, Object: "search:" + d.digest(strings.ToLower(term)), Details: map[string]any{"page": number}}
	return look(ctx, d, p, a, func(ctx context.Context) (_ Found, err error) {
		f := Found{Term: term, Page: page(number)}
		if term == "" {
			return f, nil
		}
		if ref, err := casefile.ParseRowRef(term); err == nil {
			f.Page.Total = 1
			f.Hits = []Hit{{Kind: "row", ID: ref.String(), Label: ref.String(), Why: "row reference"}}
			return f, nil
		}
		n, isNumber := ParseNumber(term)
		var queries []string
		var args []any
		for _, part := range searchParts {
			if len(d.missing(part.needs)) > 0 || (part.args == "n" && !isNumber) {
				continue
			}
			queries = append(queries, part.query)
			for _, c := range part.args {
				if c == 'n' {
					args = append(args, int64(n))
				} else {
					args = append(args, term)
				}
			}
		}
		if len(queries) == 0 {
			return f, &NotBuilt{d.missing([]string{"account", "call_verdict"})}
		}
		// One line for each thing found, under the best of its reasons.
		query := fmt.Sprintf("SELECT kind, id, label, why FROM (SELECT *, row_number() OVER (PARTITION BY kind, id ORDER BY place, why) AS nth FROM (\n%s\n) AS h) AS r WHERE nth = 1 ORDER BY place, kind, id",
			strings.Join(queries, "\nUNION ALL\n"))
		f.Hits, err = paged(ctx, d, &f.Page, query, func(r *sql.Rows, h *Hit) error {
			return r.Scan(&h.Kind, &h.ID, &h.Label, &h.Why)
		}, args...)
		return f, err
	})
}

// ParseNumber reads a telephone number as a person writes it: with a plus sign or 00, or, with
// a single 0 in front, as a British one. Spaces, hyphens, dots and brackets do not count.
func ParseNumber(s string) (casefile.E164, bool) {
	s = strings.NewReplacer(" ", "", "-", "", ".", "", "(0)", "", "(", "", ")", "").Replace(strings.TrimSpace(s))
	switch {
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	case strings.HasPrefix(s, "00"):
		s = s[2:]
	case strings.HasPrefix(s, "0"):
		s = "44" + s[1:]
	}
	if len(s) < 5 || len(s) > 15 || strings.Trim(s, "0123456789") != "" || s[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return casefile.E164(n), err == nil
}
