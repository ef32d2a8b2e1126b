package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/desk"
	"github.com/unspoof/unspoof/internal/web/ui"
)

// answer is what a page gives: a template and its data, a value for a chart, or another
// address to go to.
type answer struct {
	Template    string
	Title       string
	Data        any
	JSON        any
	Goto        string
	EndsSession bool
}

// view is what a template sees.
type view struct {
	Title   string
	Path    string
	Case    string
	Person  desk.Person
	Zone    string
	Version string
	Styles  string // address of the style sheet
	Scripts string // address of the charts; empty when they have not been built
	Receipt desk.Receipt
	Query   string // what is in the search box
	Data    any
}

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

// templates holds every page's template, joined with the layout.
type templates map[string]*template.Template

func parseTemplates(zone *time.Location) templates {
	base := template.Must(template.New("").Funcs(functions(zone)).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	t := templates{}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic(err) // the pattern is constant
	}
	for _, f := range files {
		name := strings.TrimSuffix(path.Base(f), ".html")
		if name != "layout" && name != "parts" {
			t[name] = template.Must(template.Must(base.Clone()).ParseFS(templateFiles, f))
		}
	}
	return t
}

func (s *server) view(r *http.Request, p desk.Person, title string, data any) view {
	v := view{Title: title, Path: r.URL.Path, Person: p, Version: s.opt.Version,
		Styles: "/static/unspoof.css?v=" + assetVersion("unspoof.css"), Data: data}
	if ui.Built() {
		v.Scripts = "/static/islands.js?v=" + assetVersion("islands.js")
	}
	if p.Name != "" { // a stranger is not told which case this is
		v.Case, v.Zone = s.desk.CaseName(), s.desk.Zone().String()
	}
	if r.URL.Path == "/search" {
		v.Query = r.URL.Query().Get("q")
	}
	return v
}

// give writes a page's answer.
func (s *server) give(w http.ResponseWriter, r *http.Request, p desk.Person, a answer, receipt *desk.Receipt) {
	switch {
	case a.EndsSession:
		s.setCookie(w, "")
		http.Redirect(w, r, a.Goto, http.StatusSeeOther)
	case a.Goto != "":
		http.Redirect(w, r, a.Goto, http.StatusSeeOther)
	case a.JSON != nil:
		text, err := json.Marshal(a.JSON)
		if err != nil {
			s.problem(w, r, p, err)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Write(text)
	default:
		v := s.view(r, p, a.Title, a.Data)
		v.Receipt = *receipt
		s.render(w, http.StatusOK, a.Template, v)
	}
}

// render executes a template in memory first, so that a failure shows no half page.
func (s *server) render(w http.ResponseWriter, status int, name string, v view) {
	var page bytes.Buffer
	if err := s.tmpl[name].ExecuteTemplate(&page, "layout", v); err != nil {
		s.log.Error("template", "name", name, "error", err)
		s.plain(w, http.StatusInternalServerError, "Something went wrong", "The page could not be made. The details are in the server's log.")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	page.WriteTo(w)
}

// trouble is what an error page says.
type trouble struct {
	Heading, Text string
	Run           string   // a command that helps
	Missing       []string // tables
}

// problem turns an error into a plain page. What a person reads holds no detail of the error.
func (s *server) problem(w http.ResponseWriter, r *http.Request, p desk.Person, err error) {
	status, t := http.StatusInternalServerError, trouble{Heading: "Something went wrong", Text: "The server could not answer. The details are in its log."}
	var notBuilt *desk.NotBuilt
	switch {
	case errors.Is(err, desk.ErrNoRecord):
		status, t = http.StatusServiceUnavailable, trouble{Heading: "Nothing can be shown now",
			Text: "The ledger could not record this request, and what is not recorded is not shown. Tell whoever runs this server."}
	case errors.Is(err, desk.ErrForbidden):
		status, t = http.StatusForbidden, trouble{Heading: "Not allowed", Text: "Your role does not allow this. The attempt was recorded."}
	case errors.As(err, &notBuilt):
		status, t = http.StatusNotFound, trouble{Heading: "Not built yet", Text: "This page is made from tables that this case does not have yet.",
			Run: "unspoof build", Missing: notBuilt.Tables}
	case errors.Is(err, desk.ErrNotFound):
		status, t = http.StatusNotFound, trouble{Heading: "Not found", Text: "There is nothing under this address in this case."}
	case errors.Is(err, errBadRequest):
		status, t = http.StatusBadRequest, trouble{Heading: "Not understood", Text: "The address of this page is not complete or not readable."}
	}
	if status >= 500 {
		s.log.Error("request", "path", r.URL.Path, "status", status, "error", err)
	}
	if strings.HasPrefix(r.URL.Path, "/data/") {
		s.plain(w, status, t.Heading, t.Text)
		return
	}
	s.render(w, status, "problem", s.view(r, p, t.Heading, t))
}

// plain answers where no page can be made.
func (s *server) plain(w http.ResponseWriter, status int, heading, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(heading + "\n\n" + text + "\n"))
}

var errBadRequest = errors.New("bad request")
