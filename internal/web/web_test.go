package web

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/unspoof/unspoof/docs"
	"github.com/unspoof/unspoof/internal/desk/auth"
	"github.com/unspoof/unspoof/internal/desk/desktest"
)

// forbidden says which pages a role may not see; what is not named here it may.
var forbidden = map[auth.Role]string{
	auth.Reader:     "/suspects /account /victims /batches /number /campaigns /campaign /call /institution /row /snapshots /search /ledger",
	auth.Analyst:    "/ledger",
	auth.Supervisor: "",
}

func TestEveryRouteNeedsASession(t *testing.T) {
	s := open(t, desktest.Options{})
	before := s.Last(t, 1000)
	for _, r := range routes() {
		if r.Open != nil {
			continue
		}
		path := s.addresses()[r.Path]
		if path == "" {
			path = r.Path
		}
		for _, token := range []string{"", "wrong", strings.Repeat("x", 5000)} {
			resp, body := s.ask(t, r.Method, path, token)
			to := resp.Header.Get("Location")
			if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/sign-in") || strings.Contains(body, "mrsmith") {
				t.Errorf("%s %s with token %.8q: %s to %q", r.Method, path, token, resp.Status, to)
			}
		}
	}
	for _, path := range []string{"/sign-in", "/nowhere"} {
		if _, body := s.ask(t, "GET", path, ""); strings.Contains(body, "Elaborate") || strings.Contains(body, "London") {
			t.Errorf("%s tells a stranger which case this is", path)
		}
	}
	if after := s.Last(t, 1000); len(after) != len(before) {
		t.Errorf("strangers wrote %d entries", len(after)-len(before))
	}
}

func TestRoles(t *testing.T) {
	s := open(t, desktest.Options{})
	for _, role := range desktest.Users {
		token := s.signInAs(t, role)
		no := strings.Fields(forbidden[role])
		for _, r := range routes() {
			if r.Page == nil || r.Method != "GET" {
				continue
			}
			path, want, outcome := s.addresses()[r.Path], http.StatusOK, "done"
			for _, p := range no {
				if p == r.Path {
					want, outcome = http.StatusForbidden, "refused"
				}
			}
			resp, body := s.ask(t, "GET", path, token)
			if resp.StatusCode != want {
				t.Errorf("%s, %s: %s, want %d\n%s", role, path, resp.Status, want, body)
			}
			last := s.Last(t, 1)[0]
			if last.Action != "view" || last.Actor != "user:"+string(role) || last.Role != string(role) || string(last.Outcome) != outcome || last.Object == "" {
				t.Errorf("%s, %s: the last entry is %+v", role, path, last)
			}
			if want == http.StatusForbidden && strings.Contains(body, "mrsmith") {
				t.Errorf("%s, %s: shown although refused", role, path)
			}
		}
	}
}

func TestEntriesHoldNoPersonalData(t *testing.T) {
	s := open(t, desktest.Options{})
	token := s.signInAs(t, auth.Supervisor)
	for _, path := range []string{"/number?n=447700900001", "/search?q=smith@example.com", "/search?q=07700+900001"} {
		s.ask(t, "GET", path, token)
	}
	for e, err := range s.Log.Entries(t.Context(), 0, -1) {
		if err != nil {
			t.Fatal(err)
		}
		for _, personal := range []string{"7700900001", "7700 900001", "smith"} {
			if strings.Contains(string(e.Body), personal) {
				t.Errorf("entry %d holds %q: %s", e.Seq, personal, e.Body)
			}
		}
	}
}

func TestNoLedgerNoData(t *testing.T) {
	s := open(t, desktest.Options{})
	token := s.signInAs(t, auth.Supervisor)
	if err := s.Log.Close(); err != nil {
		t.Fatal(err)
	}
	check := func(state string) {
		t.Helper()
		for _, r := range routes() {
			path, isPage := s.addresses()[r.Path], r.Page != nil
			if path == "" {
				path = r.Path
			}
			if !isPage || r.Path == "/method" { // which shows nothing of the case
				continue
			}
			resp, body := s.ask(t, r.Method, path, token)
			if resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s: %s %s: %s, want 503", state, r.Method, path, resp.Status)
			}
			for _, secret := range []string{"mrsmith", "447700900001", "10,012,345", "10012345", "sql", "ledger cannot"} {
				if strings.Contains(body, secret) {
					t.Errorf("%s: %s %s shows %q", state, r.Method, path, secret)
				}
			}
		}
		if resp, _ := s.post(t, "/sign-in", url.Values{"name": {"analyst"}, "password": {desktest.Password}}, ""); resp.StatusCode != http.StatusServiceUnavailable || len(resp.Cookies()) != 0 {
			t.Errorf("%s: signing in: %s", state, resp.Status)
		}
	}
	check("the ledger is closed")
	if err := s.DB.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", s.addresses()["/account"], "/data/funnel"} {
		if resp, body := s.ask(t, "GET", path, token); resp.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, "mrsmith") {
			t.Errorf("the database is closed: %s: %s", path, resp.Status)
		}
	}
}

func TestHeaders(t *testing.T) {
	s := open(t, desktest.Options{})
	token := s.signInAs(t, auth.Supervisor)
	paths := []string{"/nowhere", "/account?id=nobody"}
	for _, p := range s.addresses() {
		paths = append(paths, p)
	}
	for _, path := range paths {
		resp, body := s.ask(t, "GET", path, token)
		want := map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store"}
		for name, value := range want {
			if got := resp.Header.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", path, name, got, value)
			}
		}
		for _, inline := range []string{"<script>", " style=", " onclick=", "javascript:"} {
			if strings.Contains(body, inline) {
				t.Errorf("%s holds %q", path, inline)
			}
		}
	}
	css := strings.Split(strings.SplitN(func() string { _, body := s.ask(t, "GET", "/sign-in", ""); return body }(), `rel="stylesheet" href="`, 2)[1], `"`)[0]
	if resp, _ := s.ask(t, "GET", css, ""); resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%s: %s, %q", css, resp.Status, resp.Header.Get("Cache-Control"))
	}
}

func TestOtherSitesAndNamesAreRefused(t *testing.T) {
	s := open(t, desktest.Options{})
	token := s.signInAs(t, auth.Analyst)
	form := url.Values{"name": {"analyst"}, "password": {desktest.Password}}
	for name, header := range map[string][2]string{
		"cross-site": {"Sec-Fetch-Site", "cross-site"}, "same-site": {"Sec-Fetch-Site", "same-site"}, "origin": {"Origin", "http://evil.example"}, "null": {"Origin", "null"},
	} {
		for _, path := range []string{"/sign-in", "/sign-out"} {
			resp, _ := s.post(t, path, form, token, func(r *http.Request) { r.Header.Set(header[0], header[1]) })
			if resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) != 0 {
				t.Errorf("%s POST %s: %s", name, path, resp.Status)
			}
		}
	}
	for _, host := range []string{"evil.example", "127.0.0.1.evil.example", "evil.example:80", ""} {
		if resp, body := s.ask(t, "GET", "/", token, func(r *http.Request) { r.Host = host }); host != "" && (resp.StatusCode != http.StatusMisdirectedRequest || strings.Contains(body, "Elaborate")) {
			t.Errorf("Host %q: %s", host, resp.Status)
		}
	}
	for _, host := range []string{"localhost:1234", "127.0.0.1", "[::1]:99"} {
		if resp, _ := s.ask(t, "GET", "/", token, func(r *http.Request) { r.Host = host }); resp.StatusCode != http.StatusOK {
			t.Errorf("Host %q: %s", host, resp.Status)
		}
	}
	for _, m := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		if resp, _ := s.ask(t, m, "/suspects", token); resp.StatusCode == http.StatusOK {
			t.Errorf("%s /suspects: %s", m, resp.Status)
		}
	}
	if resp, _ := s.post(t, "/sign-in", url.Values{"name": {strings.Repeat("x", maxBody+1)}}, ""); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("too large a form: %s", resp.Status)
	}
}

func TestSigningInAndOut(t *testing.T) {
	s := open(t, desktest.Options{})
	try := func(name, password, next string) (*http.Response, string) {
		t.Helper()
		return s.post(t, "/sign-in", url.Values{"name": {name}, "password": {password}, "next": {next}}, "")
	}
	for next, want := range map[string]string{"/call?id=cdr:1": "/call?id=cdr:1", "//evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/", "": "/", "javascript:1": "/"} {
		resp, _ := try("Analyst", desktest.Password, next)
		if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != want {
			t.Errorf("next %q: %s to %q", next, resp.Status, resp.Header.Get("Location"))
		}
		if c := resp.Header.Get("Set-Cookie"); !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Strict") || !strings.Contains(c, "Path=/") {
			t.Errorf("cookie %q", c)
		}
	}
	token := s.signInAs(t, auth.Analyst)
	if resp, _ := s.ask(t, "POST", "/sign-out", token); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign out: %s", resp.Status)
	}
	if resp, _ := s.ask(t, "GET", "/", token); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("after signing out: %s", resp.Status)
	}
	if last := s.Last(t, 1)[0]; last.Action != "sign-out" {
		t.Errorf("last entry %+v", last)
	}
	unknown, known := "", ""
	for i := range 6 {
		resp, body := try("reader", "wrong", "/")
		want := http.StatusUnauthorized
		if i == 5 {
			want = http.StatusTooManyRequests
		}
		if resp.StatusCode != want || len(resp.Cookies()) != 0 {
			t.Fatalf("wrong password %d: %s", i+1, resp.Status)
		}
		if last := s.Last(t, 1)[0]; last.Action != "sign-in" || last.Outcome != "refused" {
			t.Fatalf("wrong password %d: last entry %+v", i+1, last)
		}
		if i == 0 {
			known = strings.ReplaceAll(body, "reader", "NAME")
		}
	}
	if _, unknown = try("nobody9", "wrong", "/"); strings.ReplaceAll(unknown, "nobody9", "NAME") != known {
		t.Error("an unknown name is answered differently from a wrong password")
	}
	if resp, _ := try("reader", desktest.Password, "/"); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the right password while throttled: %s", resp.Status)
	}
	secure := New(s.Desk, Options{Listen: "127.0.0.1", Secure: true})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, ln, secure) }()
	s.URL = "http://" + ln.Addr().String()
	resp, _ := try("supervisor", desktest.Password, "/")
	if c := resp.Header.Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-unspoof=") || !strings.Contains(c, "Secure") {
		t.Errorf("cookie over HTTPS %q", c)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("shutdown: %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Error("the server did not stop")
	}
}

func TestUnknownThings(t *testing.T) {
	s := open(t, desktest.Options{})
	token := s.signInAs(t, auth.Supervisor)
	for path, want := range map[string]int{
		"/nowhere": 404, "/account": 404, "/account?id=nobody": 404, "/account?id=a1&calls=4": 404, "/call?id=x": 404, "/number?n=1": 404, "/institution?id=x": 404,
		"/figure?name=x": 404, "/table?name=../../case.yaml": 404, "/suspects?policy=x": 404, "/suspects?page=99": 404, "/static/nothing.css": 404,
		"/static/..%2f..%2fgo.mod": 404, "/data/nothing": 404, "/row?ref=" + strings.Repeat("0", 64) + ":t:1@0": 404,
		"/row": 400, "/row?ref=x": 400, "/number": 400, "/number?n=-1": 400, "/number?n=1'--": 400, "/suspects?page=x": 400, "/suspects?page=0": 400,
		"/search?q=" + strings.Repeat("x", 500): 400, "/search?q=nothinghere": 200, "/search": 200, "/search?q=%27%20OR%201=1": 200,
		"/account?id=a1&calls=3": 200, "/account?id=a1&payments=2": 200, "/suspects?page=2": 200,
	} {
		if resp, body := s.ask(t, "GET", path, token); resp.StatusCode != want || strings.Contains(body, "Error:") {
			t.Errorf("%s: %s, want %d\n%s", path, resp.Status, want, body)
		}
	}
	for term, want := range map[string]string{
		"a1": "/account?id=a1", "MrSmith": "/account?id=a1", "+44 7700 900001": "/number?n=447700900001", "cdr:7": "/call?id=cdr%3A7", s.Ref().String(): "/row?ref=" + url.QueryEscape(s.Ref().String()),
	} {
		if resp, _ := s.ask(t, "GET", "/search?q="+url.QueryEscape(term), token); resp.Header.Get("Location") != want {
			t.Errorf("search %q: %s to %q, want %q", term, resp.Status, resp.Header.Get("Location"), want)
		}
	}
}

func TestACaseWithNothingBuilt(t *testing.T) {
	s := open(t, desktest.Options{Empty: true})
	token := s.signInAs(t, auth.Supervisor)
	for _, r := range routes() {
		if r.Page == nil || r.Method != "GET" || r.Path == "/row" || r.Path == "/table" || r.Path == "/method" || strings.HasPrefix(r.Path, "/data/") {
			continue
		}
		want := http.StatusNotFound
		switch r.Path {
		case "/{$}", "/tables", "/ledger":
			want = http.StatusOK
		}
		resp, body := s.ask(t, "GET", s.addresses()[r.Path], token)
		if resp.StatusCode != want || (r.Path != "/ledger" && !strings.Contains(body, "unspoof build")) {
			t.Errorf("%s: %s\n%s", r.Path, resp.Status, body)
		}
	}
}

// Each page about the method is shown whole, its links lead to pages that there are, and the
// rates stand beside what the rules found.
func TestMethod(t *testing.T) {
	s := open(t, desktest.Options{})
	token := s.signInAs(t, auth.Supervisor)
	link := regexp.MustCompile(`href="([^"]*)"`)
	for _, p := range docs.Pages() {
		resp, body := s.ask(t, "GET", "/method?page="+p.Name, token)
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, "<h1 id=") || strings.Contains(body, "<!-- raw HTML omitted") {
			t.Errorf("%s: %s", p.Name, resp.Status)
		}
		for _, m := range link.FindAllStringSubmatch(body, -1) {
			if to := m[1]; !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "#") && !strings.HasPrefix(to, "https://") {
				t.Errorf("%s links to %s", p.Name, to)
			}
		}
	}
	if resp, _ := s.ask(t, "GET", "/method?page=../README", token); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a page outside the list: %s", resp.Status)
	}
	for _, path := range []string{"/call", "/victims", "/suspects", "/institutions"} {
		to := s.addresses()[path]
		if to == "" {
			to = path
		}
		if _, body := s.ask(t, "GET", to, token); !strings.Contains(body, `class="rate"`) {
			t.Errorf("%s shows no measured rate", path)
		}
	}
}
