package web

import (
	"net/http"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/desk"
)

func (s *server) row(r *http.Request, p desk.Person) (answer, error) {
	ref, err := casefile.ParseRowRef(r.URL.Query().Get("ref"))
	if err != nil {
		return answer{}, errBadRequest
	}
	row, err := s.desk.Row(r.Context(), p, ref)
	return answer{Template: "row", Title: "Original row", Data: row}, err
}
