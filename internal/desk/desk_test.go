package desk_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/desk"
	"github.com/unspoof/unspoof/internal/desk/auth"
	"github.com/unspoof/unspoof/internal/desk/desktest"
	"github.com/unspoof/unspoof/internal/ledger"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

var supervisor = desk.Person{Name: "supervisor", Role: auth.Supervisor}

// asks is every question there is, for tests of what holds for all of them.
func asks(k *desktest.Case) map[string]func(context.Context, desk.Person) error {
	d := k.Desk
	return map[string]func(context.Context, desk.Person) error{
		"overview": func(ctx context.Context, p desk.Person) error { _, err := d.Overview(ctx, p); return err },
		"days":     func(ctx context.Context, p desk.Person) error { _, err := d.Days(ctx, p); return err },
		"funnel":   func(ctx context.Context, p desk.Person) error { _, err := d.Funnel(ctx, p); return err },
		"chart":    func(ctx context.Context, p desk.Person) error { _, err := d.InstitutionChart(ctx, p); return err },
		"figure":   func(ctx context.Context, p desk.Person) error { _, err := d.Figure(ctx, p, "accounts"); return err },
		"suspects": func(ctx context.Context, p desk.Person) error { _, err := d.Suspects(ctx, p, 1, ""); return err },
		"account": func(ctx context.Context, p desk.Person) error {
			_, err := d.Account(ctx, p, k.Account(), 1, 1)
			return err
		},
		"victims": func(ctx context.Context, p desk.Person) error {
			_, err := d.Victims(ctx, p, 1, "gb.mobile.2")
			return err
		},
		"batches": func(ctx context.Context, p desk.Person) error { _, err := d.Batches(ctx, p, 1); return err },
		"campaigns": func(ctx context.Context, p desk.Person) error {
			_, err := d.Campaigns(ctx, p, k.Account(), 1, 1)
			return err
		},
		"campaign": func(ctx context.Context, p desk.Person) error {
			_, err := d.Campaign(ctx, p, k.Campaign(), 1, 1)
			return err
		},
		"number":       func(ctx context.Context, p desk.Person) error { _, err := d.Number(ctx, p, k.Number(), 1); return err },
		"call":         func(ctx context.Context, p desk.Person) error { _, err := d.Call(ctx, p, k.Call(), 0); return err },
		"institutions": func(ctx context.Context, p desk.Person) error { _, err := d.Institutions(ctx, p, 1); return err },
		"institution": func(ctx context.Context, p desk.Person) error {
			_, err := d.Institution(ctx, p, k.Institution(), 1)
			return err
		},
		"row":    func(ctx context.Context, p desk.Person) error { _, err := d.Row(ctx, p, k.Ref()); return err },
		"tables": func(ctx context.Context, p desk.Person) error { _, err := d.Tables(ctx, p); return err },
		"snapshots": func(ctx context.Context, p desk.Person) error {
			_, err := d.Snapshots(ctx, p, k.Ref().Table, "", 1)
			return err
		},
		"table":  func(ctx context.Context, p desk.Person) error { _, err := d.Table(ctx, p, "victim"); return err },
		"ledger": func(ctx context.Context, p desk.Person) error { _, err := d.Ledger(ctx, p, 1); return err },
		"search": func(ctx context.Context, p desk.Person) error { _, err := d.Search(ctx, p, "smith", 1); return err },
	}
}

func TestNobodyIsRefusedAndRecorded(t *testing.T) {
	k := desktest.New(t, desktest.Options{})
	for name, ask := range asks(k) {
		for _, p := range []desk.Person{{}, {Name: "x"}, {Role: auth.Supervisor}, {Name: "x", Role: "admin"}} {
			if err := ask(t.Context(), p); !errors.Is(err, desk.ErrForbidden) {
				t.Errorf("%s by %+v: %v, want ErrForbidden", name, p, err)
			}
			if last := k.Last(t, 1)[0]; last.Outcome != ledger.Refused || last.Action != "view" {
				t.Errorf("%s by %+v: last entry %+v", name, p, last)
			}
		}
		ctx, receipt := desk.WithReceipt(t.Context())
		if err := ask(ctx, supervisor); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		size, err := k.Log.Size(ctx)
		if err != nil || !receipt.Recorded || receipt.Seq != size-1 {
			t.Errorf("%s: receipt %+v with %d entries, %v", name, receipt, size, err)
		}
	}
}

// TestTheEntryComesFirst closes the engine's door instead of the ledger's: what could not be
// read was asked for all the same, and that is recorded.
func TestTheEntryComesFirst(t *testing.T) {
	k := desktest.New(t, desktest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := asks(k)["victims"](ctx, supervisor); err == nil {
		t.Fatal("a cancelled question was answered")
	}
	if err := k.Log.Close(); err != nil {
		t.Fatal(err)
	}
	for name, ask := range asks(k) {
		if err := ask(t.Context(), supervisor); !errors.Is(err, desk.ErrNoRecord) || !errors.Is(err, ledger.ErrUnwritable) {
			t.Errorf("%s without a ledger: %v", name, err)
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	for _, hostile := range []bool{false, true} {
		k := desktest.New(t, desktest.Options{Hostile: hostile})
		row, err := k.Desk.Row(t.Context(), supervisor, k.Ref())
		if err != nil {
			t.Fatal(err)
		}
		if row.Hidden != 1 || !strings.Contains(string(row.Row.Text), "'[masked]'") || strings.Contains(string(row.Row.Text), "hunter2") {
			t.Errorf("text %q with %d masked", row.Row.Text, row.Hidden)
		}
		for _, c := range row.Row.Cells {
			if c.Secret && (c.Value != "" || c.Length != len(desktest.Secret)) {
				t.Errorf("secret cell %+v", c)
			}
		}
	}
}

func TestPagesHaveNoCap(t *testing.T) {
	k := desktest.New(t, desktest.Options{})
	seen := map[string]bool{}
	for n := 1; ; n++ {
		l, err := k.Desk.Suspects(t.Context(), supervisor, n, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range l.List {
			seen[s.AccountID] = true
		}
		if n == l.Page.Last() {
			if int64(len(seen)) != l.Page.Total || l.Page.Total != 69 {
				t.Fatalf("%d accounts on %d pages, total %d", len(seen), n, l.Page.Total)
			}
			break
		}
	}
	if _, err := k.Desk.Suspects(t.Context(), supervisor, 3, ""); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("the page after the last: %v", err)
	}
}

// publish publishes a table from another engine, and waits until the desk looks again.
func publish(t *testing.T, k *desktest.Case, table, kind, query string) {
	t.Helper()
	engine, err := duckdb.Open(t.Context(), k.Store, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	stage, err := k.Store.Stage()
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Discard()
	rows, cols, err := engine.Write(t.Context(), query, filepath.Join(stage.Dir, "p.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = stage.Publish(t.Context(), store.Manifest{Table: table, Kind: kind, Step: "s", StepVersion: "1", Columns: cols,
		Files: []store.File{{Name: "p.parquet", Rows: rows}}}, func(context.Context, store.Manifest, string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
}

// TestNewTablesAppear publishes a table from another engine, as another process would.
func TestNewTablesAppear(t *testing.T) {
	k := desktest.New(t, desktest.Options{Empty: true})
	var notBuilt *desk.NotBuilt
	if _, err := k.Desk.Days(t.Context(), supervisor); !errors.As(err, &notBuilt) || len(notBuilt.Tables) != 1 {
		t.Fatalf("before: %v", err)
	}
	publish(t, k, "calls_by_day", store.KindFinding, "SELECT DATE '2022-01-01' AS day, 4::BIGINT AS calls, 3::BIGINT AS answered, 2::BIGINT AS calls_uk, 1::BIGINT AS long_calls_uk")
	days, err := k.Desk.Days(t.Context(), supervisor)
	if err != nil || len(days) != 1 || days[0] != (desk.Day{Day: "2022-01-01", Calls: 4, Answered: 3, CallsUK: 2, LongCallsUK: 1}) {
		t.Fatalf("after: %+v, %v", days, err)
	}
}

func TestManyAtOnce(t *testing.T) {
	k := desktest.New(t, desktest.Options{})
	var wg sync.WaitGroup
	for name, ask := range asks(k) {
		for range 3 {
			wg.Go(func() {
				if err := ask(context.Background(), supervisor); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	wg.Wait()
}

func TestParseNumber(t *testing.T) {
	for in, want := range map[string]casefile.E164{
		"+44 7700 900001": 447700900001, "0044 7700 900001": 447700900001, "07700 900001": 447700900001, "447700900001": 447700900001,
		"+44 (0)20 7946 0123": 442079460123, "020-7946-0123": 442079460123, "a1": 0, "": 0, "+": 0, "12": 0, "0": 0, "12345678901234567890": 0, "+0123456": 0,
	} {
		if got, ok := desk.ParseNumber(in); got != want || ok != (want != 0) {
			t.Errorf("ParseNumber(%q) = %d, %v; want %d", in, got, ok, want)
		}
	}
}

func TestDemoUser(t *testing.T) {
	k := desktest.New(t, desktest.Options{Empty: true})
	name, first, err := k.Desk.EnsureDemoUser(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := k.Desk.EnsureDemoUser(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Desk.SignIn(t.Context(), name, first, ""); !errors.Is(err, desk.ErrWrongPassword) {
		t.Errorf("the old password: %v", err)
	}
	token, err := k.Desk.SignIn(t.Context(), name, second, "")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := k.Desk.Who(t.Context(), token); err != nil || p != (desk.Person{Name: "demo", Role: auth.Supervisor}) {
		t.Errorf("who: %+v, %v", p, err)
	}
}

// The tables that know where an account's and a number's calls lie only make them quicker to
// find: without them the same calls are found.
func TestPlacesOfCalls(t *testing.T) {
	k := desktest.New(t, desktest.Options{})
	ctx := t.Context()
	pages := func() (list []any) {
		for page := 1; page <= 3; page++ {
			a, err := k.Desk.Account(ctx, supervisor, k.Account(), page, 1)
			if err != nil || len(a.Calls) == 0 {
				t.Fatalf("page %d of the account's calls: %d, %v", page, len(a.Calls), err)
			}
			list = append(list, a.Page, a.Calls)
		}
		n, err := k.Desk.Number(ctx, supervisor, k.Number(), 1)
		if err != nil || len(n.Calls) == 0 {
			t.Fatalf("the number's calls: %d, %v", len(n.Calls), err)
		}
		return append(list, n.Page, n.Callers, n.Calls)
	}
	with := pages()
	for _, table := range []string{"account_call", "number_call"} {
		if err := k.Store.Withdraw(ctx, table, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(1100 * time.Millisecond) // what the desk knows of the tables may be a second old
	if without := pages(); !reflect.DeepEqual(with, without) {
		t.Errorf("with %v\nwithout %v", with, without)
	}
}

// The calls that a page lists by their places are those that call_verdict has, in every column; and a
// call is found whatever row number is given with its id.
func TestCallsByPlace(t *testing.T) {
	k := desktest.New(t, desktest.Options{})
	account, err := k.Desk.Account(t.Context(), supervisor, k.Account(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	number, err := k.Desk.Number(t.Context(), supervisor, k.Number(), 1)
	if err != nil {
		t.Fatal(err)
	}
	campaign, err := k.Desk.Campaign(t.Context(), supervisor, k.Campaign(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, calls := range map[string][]desk.Call{"account": account.Calls, "number": number.Calls, "campaign": campaign.Calls} {
		if len(calls) == 0 {
			t.Errorf("%s: no calls", name)
		}
		for _, c := range calls {
			for _, row := range []int64{c.Ref.Row, 0, c.Ref.Row + 1, -1} {
				page, err := k.Desk.Call(t.Context(), supervisor, c.ID, row)
				if err != nil {
					t.Fatalf("%s, call %q, row %d: %v", name, c.ID, row, err)
				}
				if page.Call != c {
					t.Errorf("%s lists\n%+v, and the call's page, row %d, has\n%+v", name, c, row, page.Call)
				}
			}
		}
	}
}

// A call mapped anew, whose row has another number, is shown whole before its verdict is built anew.
func TestCallMappedAnew(t *testing.T) {
	k := desktest.New(t, desktest.Options{})
	before, err := k.Desk.Call(t.Context(), supervisor, k.Call(), 0)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, k, "call", store.KindCase, "SELECT * REPLACE (ref_row + 1000 AS ref_row) FROM call")
	after, err := k.Desk.Call(t.Context(), supervisor, k.Call(), before.Call.Ref.Row)
	if err != nil {
		t.Fatal(err)
	}
	if after.Detail != before.Detail {
		t.Errorf("%+v, before: %+v", after.Detail, before.Detail)
	}
}
