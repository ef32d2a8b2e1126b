package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/unspoof/unspoof/internal/desk"
)

// accountPage is an account with the addresses that its two pagers add to.
type accountPage struct {
	desk.Account
	CallsBase, PaymentsBase string
}

func (s *server) account(r *http.Request, p desk.Person) (answer, error) {
	calls, err := pageNumber(r, "calls")
	if err != nil {
		return answer{}, err
	}
	payments, err := pageNumber(r, "payments")
	if err != nil {
		return answer{}, err
	}
	id := r.URL.Query().Get("id")
	a, err := s.desk.Account(r.Context(), p, id, calls, payments)
	base := "/account?id=" + url.QueryEscape(id)
	return answer{Template: "account", Title: "Account " + visible(a.Profile.ID), Data: accountPage{a,
		base + "&payments=" + strconv.Itoa(payments), base + "&calls=" + strconv.Itoa(calls)}}, err
}
