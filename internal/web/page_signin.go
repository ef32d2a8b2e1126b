package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/desk"
)

// signInPage is what the sign-in form shows.
type signInPage struct {
	Name, Next, Problem string
}

// local is the address to go to after signing in: one of this server's, or the overview.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

func (s *server) signInForm(w http.ResponseWriter, r *http.Request) {
	s.render(w, http.StatusOK, "signin", s.view(r, desk.Person{}, "Sign in", signInPage{Next: local(r.URL.Query().Get("next"))}))
}

func (s *server) signIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.problem(w, r, desk.Person{}, errBadRequest)
		return
	}
	form := signInPage{Name: r.PostForm.Get("name"), Next: local(r.PostForm.Get("next"))}
	token, err := s.desk.SignIn(r.Context(), form.Name, r.PostForm.Get("password"), hostOf(r.RemoteAddr))
	status := http.StatusUnauthorized
	var throttled *desk.Throttled
	switch {
	case errors.Is(err, desk.ErrNoRecord):
		s.problem(w, r, desk.Person{}, err)
		return
	case errors.Is(err, desk.ErrWrongPassword):
		form.Problem = "The name or the password is wrong."
	case errors.As(err, &throttled):
		status, form.Problem = http.StatusTooManyRequests, "Too many wrong passwords for this name. Try again in "+throttled.Wait.Round(time.Second).String()+"."
	case err != nil:
		s.problem(w, r, desk.Person{}, err)
		return
	default:
		s.setCookie(w, token)
		http.Redirect(w, r, form.Next, http.StatusSeeOther)
		return
	}
	s.render(w, status, "signin", s.view(r, desk.Person{}, "Sign in", form))
}

func (s *server) signOut(r *http.Request, p desk.Person) (answer, error) {
	return answer{Goto: "/sign-in", EndsSession: true}, s.desk.SignOut(r.Context(), p, s.token(r))
}
