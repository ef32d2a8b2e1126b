package web

import (
	"net/http"
	"net/url"

	"github.com/unspoof/unspoof/internal/desk"
)

func (s *server) institutions(r *http.Request, p desk.Person) (answer, error) {
	number, err := pageNumber(r, "page")
	if err != nil {
		return answer{}, err
	}
	l, err := s.desk.Institutions(r.Context(), p, number)
	return answer{Template: "institutions", Title: "Institutions", Data: l}, err
}

// institutionPage is an institution with the address that its pager adds to.
type institutionPage struct {
	desk.Institution
	Base string
}

func (s *server) institution(r *http.Request, p desk.Person) (answer, error) {
	number, err := pageNumber(r, "page")
	if err != nil {
		return answer{}, err
	}
	id := r.URL.Query().Get("id")
	i, err := s.desk.Institution(r.Context(), p, id, number)
	return answer{Template: "institution", Title: visible(i.Use.Name), Data: institutionPage{i, "/institution?id=" + url.QueryEscape(id)}}, err
}
