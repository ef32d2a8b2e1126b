package web

import (
	"net/http"
	"net/url"

	"github.com/unspoof/unspoof/internal/desk"
)

// searchPage is what was found with the address that its pager adds to.
type searchPage struct {
	desk.Found
	Base string
}

// maxTerm is the longest thing that can be searched for, in bytes.
const maxTerm = 400

func (s *server) search(r *http.Request, p desk.Person) (answer, error) {
	number, err := pageNumber(r, "page")
	if err != nil {
		return answer{}, err
	}
	term := r.URL.Query().Get("q")
	if len(term) > maxTerm {
		return answer{}, errBadRequest
	}
	f, err := s.desk.Search(r.Context(), p, term, number)
	if err == nil && f.Page.Total == 1 {
		return answer{Goto: hitURL(f.Hits[0])}, nil // its own page says all there is
	}
	return answer{Template: "search", Title: "Search", Data: searchPage{f, "/search?q=" + url.QueryEscape(term)}}, err
}
