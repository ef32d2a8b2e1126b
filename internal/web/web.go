// Package web shows a case to the people who work on it: pages made on the server, readable
// without any script, with charts as an addition. It asks package desk for everything, so no
// page can pass by the permission check or the ledger.
//
// All routes stand in one table ([routes]); one page is one file (page_*.go) and one template.
// A page asks the desk, gives its answer a title and a template, and returns; errors are turned
// into plain pages in one place (answer.go), and what went wrong in detail goes to the
// server's log only.
//
// What comes from a seized database is hostile. html/template escapes it for the place where
// it stands, nothing here converts text to trusted markup, and [visible] shows control and
// direction characters as marks. The content security policy allows the program's own files
// and nothing else: no inline script or style, no other host. Numbers that come from rows
// link to their row, figures to their definition, times carry their zone.
//
// Requests are refused when their Host is not this server's (DNS rebinding), when they
// change something on behalf of another site, when they are too large. Nothing that holds
// evidence may be cached. Every page with evidence says in its foot which ledger entry
// recorded that it was seen.
//
// Reading order: web.go (routes), guard.go (what every request passes), answer.go (pages and
// errors), format.go (how values are written), page_*.go. The charts are in the folder ui.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/unspoof/unspoof/internal/desk"
)

// Options are the server's surroundings.
type Options struct {
	Listen  string       // host:port that people open in their browser; names the hosts that are answered
	Secure  bool         // served over HTTPS, here or by a proxy in front: cookies say so
	Version string       // of the program, for the foot of each page
	Log     *slog.Logger // nil: slog.Default()
}

type server struct {
	desk *desk.Desk
	opt  Options
	log  *slog.Logger
	tmpl templates
}

// page answers a signed-in person.
type page func(*server, *http.Request, desk.Person) (answer, error)

// route is one line of the table: a page for signed-in people, or an open handler.
type route struct {
	Method, Path string
	Page         page
	Open         func(*server, http.ResponseWriter, *http.Request)
}

// routes is every address that is answered.
func routes() []route {
	return []route{
		{"GET", "/{$}", (*server).overview, nil},
		{"GET", "/figure", (*server).figure, nil},
		{"GET", "/suspects", (*server).suspects, nil},
		{"GET", "/account", (*server).account, nil},
		{"GET", "/victims", (*server).victims, nil},
		{"GET", "/batches", (*server).batches, nil},
		{"GET", "/number", (*server).number, nil},
		{"GET", "/campaigns", (*server).campaigns, nil},
		{"GET", "/campaign", (*server).campaign, nil},
		{"GET", "/call", (*server).call, nil},
		{"GET", "/institutions", (*server).institutions, nil},
		{"GET", "/institution", (*server).institution, nil},
		{"GET", "/row", (*server).row, nil},
		{"GET", "/tables", (*server).tables, nil},
		{"GET", "/table", (*server).table, nil},
		{"GET", "/snapshots", (*server).snapshots, nil},
		{"GET", "/ledger", (*server).ledger, nil},
		{"GET", "/search", (*server).search, nil},
		{"GET", "/method", (*server).method, nil},
		{"GET", "/data/calls-by-day", (*server).dataDays, nil},
		{"GET", "/data/funnel", (*server).dataFunnel, nil},
		{"GET", "/data/institutions", (*server).dataInstitutions, nil},
		{"POST", "/sign-out", (*server).signOut, nil},
		{"GET", "/sign-in", nil, (*server).signInForm},
		{"POST", "/sign-in", nil, (*server).signIn},
		{"GET", "/static/{name}", nil, (*server).static},
	}
}

// New makes the handler of all routes.
func New(d *desk.Desk, opt Options) http.Handler {
	s := &server{desk: d, opt: opt, log: opt.Log}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.tmpl = parseTemplates(d.Zone())
	mux := http.NewServeMux()
	for _, r := range routes() {
		h := r.Open
		if r.Page != nil {
			h = signedIn(r.Page)
		}
		mux.HandleFunc(r.Method+" "+r.Path, func(w http.ResponseWriter, q *http.Request) { h(s, w, q) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		who, err := s.desk.Who(r.Context(), s.token(r))
		if err != nil {
			who = desk.Person{} // the page is the same for a stranger, without its head
		}
		s.problem(w, r, who, desk.ErrNotFound)
	})
	return s.guard(mux)
}

// Serve answers requests until the context ends, then lets those under way finish.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      pageTime + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := srv.Shutdown(grace)
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
