package web

import (
	"net/http"

	"github.com/unspoof/unspoof/internal/desk"
)

func (s *server) batches(r *http.Request, p desk.Person) (answer, error) {
	number, err := pageNumber(r, "page")
	if err != nil {
		return answer{}, err
	}
	l, err := s.desk.Batches(r.Context(), p, number)
	return answer{Template: "batches", Title: "Contact batches", Data: l}, err
}
