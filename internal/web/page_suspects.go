package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/unspoof/unspoof/internal/desk"
)

// suspectsPage is a page of suspects with the address that its pager adds to.
type suspectsPage struct {
	desk.SuspectList
	Base string
}

func (s *server) suspects(r *http.Request, p desk.Person) (answer, error) {
	number, err := pageNumber(r, "page")
	if err != nil {
		return answer{}, err
	}
	policy := r.URL.Query().Get("policy")
	l, err := s.desk.Suspects(r.Context(), p, number, policy)
	base := "/suspects"
	if policy != "" {
		base += "?policy=" + url.QueryEscape(policy)
	}
	return answer{Template: "suspects", Title: "Suspects", Data: suspectsPage{l, base}}, err
}

// pageNumber reads the number of a list's page from the address; none means the first.
func pageNumber(r *http.Request, param string) (int, error) {
	text := r.URL.Query().Get(param)
	if text == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1<<31 {
		return 0, errBadRequest
	}
	return n, nil
}
