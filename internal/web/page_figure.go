package web

import (
	"net/http"

	"github.com/unspoof/unspoof/internal/desk"
)

func (s *server) figure(r *http.Request, p desk.Person) (answer, error) {
	f, err := s.desk.Figure(r.Context(), p, r.URL.Query().Get("name"))
	return answer{Template: "figure", Title: visible(f.Figure.Title), Data: f}, err
}
