package web

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/desk/auth"
	"github.com/unspoof/unspoof/internal/desk/desktest"
)

// site is a running server over a test case.
type site struct {
	*desktest.Case
	*httptest.Server
}

func open(t testing.TB, opt desktest.Options) *site {
	t.Helper()
	k := desktest.New(t, opt)
	s := httptest.NewServer(New(k.Desk, Options{Listen: "127.0.0.1", Version: "test", Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(s.Close)
	return &site{k, s}
}

// addresses gives a working address for every route that shows something.
func (s *site) addresses() map[string]string {
	return map[string]string{
		"/{$}":               "/",
		"/figure":            "/figure?name=calls_uk",
		"/suspects":          "/suspects?policy=" + url.QueryEscape(s.policy()),
		"/account":           "/account?id=" + url.QueryEscape(s.Account()),
		"/victims":           "/victims",
		"/number":            "/number?n=447700900001",
		"/batches":           "/batches",
		"/campaigns":         "/campaigns",
		"/campaign":          "/campaign?id=" + url.QueryEscape(s.Campaign()),
		"/call":              "/call?id=" + url.QueryEscape(s.Call()),
		"/institutions":      "/institutions",
		"/institution":       "/institution?id=" + url.QueryEscape(s.Institution()),
		"/row":               "/row?ref=" + url.QueryEscape(s.Ref().String()),
		"/tables":            "/tables",
		"/table":             "/table?name=call_verdict",
		"/snapshots":         "/snapshots?table=" + url.QueryEscape(s.Ref().Table),
		"/ledger":            "/ledger",
		"/search":            "/search?q=smith",
		"/data/calls-by-day": "/data/calls-by-day",
		"/data/funnel":       "/data/funnel",
		"/data/institutions": "/data/institutions",
		"/sign-in":           "/sign-in",
		"/static/{name}":     "/static/unspoof.css",
	}
}

func (s *site) policy() string { return strings.Replace(s.Account(), "a1", "met-2022", 1) }

// client follows no redirect.
func client() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask sends a request with a session token, if there is one.
func (s *site) ask(t testing.TB, method, path, token string, change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.AddCookie(&http.Cookie{Name: "unspoof", Value: token})
	}
	for _, f := range change {
		f(r)
	}
	resp, err := client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// signInAs gives a session token of the user that is named like their role.
func (s *site) signInAs(t testing.TB, role auth.Role) string {
	t.Helper()
	resp, body := s.post(t, "/sign-in", url.Values{"name": {string(role)}, "password": {desktest.Password}}, "")
	for _, c := range resp.Cookies() {
		if c.Name == "unspoof" {
			return c.Value
		}
	}
	t.Fatalf("signing in as %s: %s\n%s", role, resp.Status, body)
	return ""
}

func (s *site) post(t testing.TB, path string, form url.Values, token string, change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	return s.ask(t, "POST", path, token, append([]func(*http.Request){func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}}, change...)...)
}
