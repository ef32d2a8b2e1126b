package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/ledger"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Asked is one request for evidence, as the ledger will tell it.
type Asked struct {
	Action  Action
	Object  string         // what is looked at: ids, references, digests
	Details map[string]any // which part of it: the page, the policy
	Needs   []string       // tables without which there is nothing to show
}

// look is the one way to evidence: permit, record, do.
func look[T any](ctx context.Context, d *Desk, p Person, a Asked, read func(context.Context) (T, error)) (T, error) {
	var none T
	act := ledger.Act{Actor: actor(p), Role: string(p.Role), Action: "view", Object: a.Object, Outcome: ledger.Done, Details: a.Details}
	if !p.May(a.Action) {
		act.Outcome = ledger.Refused
		if err := d.record(ctx, act, nil); err != nil {
			return none, err
		}
		return none, ErrForbidden
	}
	if err := d.record(ctx, act, nil); err != nil {
		return none, err
	}
	if err := d.refresh(ctx); err != nil {
		return none, err
	}
	d.reading.RLock()
	defer d.reading.RUnlock()
	if missing := d.missing(a.Needs); len(missing) > 0 {
		return none, &NotBuilt{Tables: missing}
	}
	return read(ctx)
}

func actor(p Person) string {
	if p.Name == "" {
		return "nobody"
	}
	return "user:" + p.Name
}

// record commits the entry and the change that belongs to it, or neither.
func (d *Desk) record(ctx context.Context, act ledger.Act, change func(*ledger.Tx) error) error {
	entry, err := d.log.Append(ctx, act, change)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoRecord, err)
	}
	if r, ok := ctx.Value(receiptKey{}).(*Receipt); ok {
		r.Seq, r.Recorded = entry.Seq, true
	}
	return nil
}

// Receipt is the number of the ledger entry that a request wrote last, for the foot of its page.
type Receipt struct {
	Seq      int64
	Recorded bool
}

type receiptKey struct{}

// WithReceipt gives a context in which the number of the entry is noted.
func WithReceipt(ctx context.Context) (context.Context, *Receipt) {
	r := new(Receipt)
	return context.WithValue(ctx, receiptKey{}, r), r
}

// digest names personal data in the ledger without saying it.
func (d *Desk) digest(value string) string { return ledger.Digest(d.key, value) }

// id names a thing in the ledger.
func id(kind, value string) string { return kind + ":" + quoted(value) }

// quoted writes a value from outside in plain ASCII and at most so long that an entry can hold it.
func quoted(value string) string { return strings.Trim(fmt.Sprintf("%+.500q", value), `"`) }

// missing lists the tables that are not published. The caller holds d.reading.
func (d *Desk) missing(need []string) (list []string) {
	for _, t := range need {
		if !d.has(t) {
			list = append(list, t)
		}
	}
	return list
}

// has tells whether a table is published. The caller holds d.reading.
func (d *Desk) has(table string) bool { _, ok := d.tables[table]; return ok }

// together does independent reads of one page, as many at a time as there are processors: most of them are short
// and keep one busy.
func together(reads ...func() error) error {
	errs := make([]error, len(reads))
	var some errgroup.Group
	some.SetLimit(runtime.GOMAXPROCS(0))
	for i, read := range reads {
		some.Go(func() error {
			errs[i] = read()
			return nil
		})
	}
	some.Wait() //nolint:errcheck // every error is in errs
	return errors.Join(errs...)
}

// Page is one part of a list.
type Page struct {
	Number int   // from 1
	Size   int   // rows on a full page
	Total  int64 // rows in all
}

// pageSize is how many rows a page of a list has.
const pageSize = 50

func page(number int) Page { return Page{Number: max(number, 1), Size: pageSize} }

func (p Page) offset() int64 { return int64(p.Number-1) * int64(p.Size) }

// Last is the number of the last page.
func (p Page) Last() int { return max(1, int((p.Total+int64(p.Size)-1)/int64(p.Size))) }

// First is the ordinal of the page's first row.
func (p Page) First() int64 { return min(p.offset()+1, p.Total) }

// Final is the ordinal of the page's last row.
func (p Page) Final() int64 { return min(p.offset()+int64(p.Size), p.Total) }

// collect runs a query and scans every row of its answer.
func collect[T any](ctx context.Context, d *Desk, query string, scan func(*sql.Rows, *T) error, args ...any) ([]T, error) {
	rows, err := d.engine.DB.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// paged fills in the page's total and collects its rows. The query must order its rows fully.
func paged[T any](ctx context.Context, d *Desk, pg *Page, query string, scan func(*sql.Rows, *T) error, args ...any) ([]T, error) {
	total, err := d.number(ctx, "SELECT count(*) FROM ("+query+") AS q", args...)
	if err != nil {
		return nil, err
	}
	pg.Total = total
	if pg.Number > pg.Last() {
		return nil, ErrNotFound
	}
	return collect(ctx, d, query+fmt.Sprintf("\nLIMIT %d OFFSET %d", pg.Size, pg.offset()), scan, args...)
}

// number runs a query that answers with one number.
func (d *Desk) number(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = d.engine.DB.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}

// first runs a query for at most one row and gives [ErrNotFound] when there is none.
func first[T any](ctx context.Context, d *Desk, query string, scan func(*sql.Rows, *T) error, args ...any) (T, error) {
	list, err := collect(ctx, d, query, scan, args...)
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return list[0], nil
}

// Keys are the columns by which pages look rows up; an engine that holds small tables in memory should have them indexed.
var Keys = []string{"account_id", "call_id", "called_e164", "campaign_id", "payment_id", "value_norm", "victim_phone_e164"}

// found gives the rows of a table for which conditions hold, however large the table is: the query has %s for where they are.
func found[T any](ctx context.Context, d *Desk, query, table string, scan func(*sql.Rows, *T) error, where ...duckdb.Where) ([]T, error) {
	x, err := d.engine.Find(ctx, d.tables[table], where...)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	return collect(ctx, d, fmt.Sprintf(query, "("+x.SQL+")"), scan)
}

// refColumns are the columns of a row reference; scan them into the four of [refInto].
const refColumns = "COALESCE(ref_source, ''), COALESCE(ref_table, ''), COALESCE(ref_row, 0), COALESCE(ref_offset, 0)"

func refInto(r *casefile.RowRef) []any { return []any{&r.Source, &r.Table, &r.Row, &r.Offset} }
