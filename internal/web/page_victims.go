package web

import (
	"net/http"
	"net/url"

	"github.com/unspoof/unspoof/internal/desk"
)

// victimsPage is a page of called numbers with the address that its pager adds to.
type victimsPage struct {
	desk.VictimList
	Base string
}

func (s *server) victims(r *http.Request, p desk.Person) (answer, error) {
	number, err := pageNumber(r, "page")
	if err != nil {
		return answer{}, err
	}
	batch := r.URL.Query().Get("batch")
	l, err := s.desk.Victims(r.Context(), p, number, batch)
	base := "/victims"
	if batch != "" {
		base = batchURL(batch)
	}
	return answer{Template: "victims", Title: "Called numbers", Data: victimsPage{l, base}}, err
}

func batchURL(id string) string { return "/victims?batch=" + url.QueryEscape(id) }
