package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/desk"
)

const (
	pageTime = 60 * time.Second // the longest a page may take
	maxBody  = 16 << 10         // bytes; a sign-in form is the largest thing sent to us
)

// policy is the content security policy of every answer.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guard is what every request passes before it is routed.
func (s *server) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.plain(w, http.StatusForbidden, "Refused", "This request came from another site and was refused.")
	}))
	next = origin.Handler(next)
	hosts := s.hosts()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		if s.opt.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !hosts[hostOf(r.Host)] {
			s.plain(w, http.StatusMisdirectedRequest, "Wrong address", "This server does not answer under that name.")
			return
		}
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				s.log.Error("panic", "path", r.URL.Path, "value", v, "stack", string(debug.Stack()))
				s.plain(w, http.StatusInternalServerError, "Something went wrong", "The server could not answer. The details are in its log.")
			}
		}()
		ctx, cancel := context.WithTimeout(r.Context(), pageTime)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// hosts are the names under which this server answers: the one it listens on and this machine's own.
func (s *server) hosts() map[string]bool {
	return map[string]bool{hostOf(s.opt.Listen): true, "localhost": true, "127.0.0.1": true, "::1": true}
}

// hostOf is the host without its port, in lower case.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		addr = host
	}
	return strings.ToLower(strings.Trim(addr, "[]"))
}

func (s *server) cookieName() string {
	if s.opt.Secure {
		return "__Host-unspoof"
	}
	return "unspoof"
}

func (s *server) setCookie(w http.ResponseWriter, token string) {
	c := &http.Cookie{Name: s.cookieName(), Value: token, Path: "/", HttpOnly: true, Secure: s.opt.Secure, SameSite: http.SameSiteStrictMode}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func (s *server) token(r *http.Request) string {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

// signedIn makes a handler of a page: it finds the person or sends them to sign in.
func signedIn(p page) func(*server, http.ResponseWriter, *http.Request) {
	return func(s *server, w http.ResponseWriter, r *http.Request) {
		who, err := s.desk.Who(r.Context(), s.token(r))
		if errors.Is(err, desk.ErrNotSignedIn) {
			to := "/sign-in"
			if r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/data/") && r.URL.RequestURI() != "/" {
				to += "?next=" + url.QueryEscape(r.URL.RequestURI())
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
		if err != nil { // who is asking could not be told: nothing is shown
			s.problem(w, r, desk.Person{}, fmt.Errorf("%w: session: %w", desk.ErrNoRecord, err))
			return
		}
		ctx, receipt := desk.WithReceipt(r.Context())
		a, err := p(s, r.WithContext(ctx), who)
		if err != nil {
			s.problem(w, r, who, err)
			return
		}
		s.give(w, r, who, a, receipt)
	}
}
