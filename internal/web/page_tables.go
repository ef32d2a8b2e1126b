package web

import (
	"net/http"

	"github.com/unspoof/unspoof/internal/desk"
)

func (s *server) tables(r *http.Request, p desk.Person) (answer, error) {
	l, err := s.desk.Tables(r.Context(), p)
	return answer{Template: "tables", Title: "Sources and tables", Data: l}, err
}

func (s *server) table(r *http.Request, p desk.Person) (answer, error) {
	t, err := s.desk.Table(r.Context(), p, r.URL.Query().Get("name"))
	return answer{Template: "table", Title: "Table " + visible(t.Manifest.Table), Data: t}, err
}
