package web

import (
	"net/http"

	"github.com/unspoof/unspoof/internal/desk"
)

func (s *server) victims(r *http.Request, p desk.Person) (answer, error) {
	number, err := pageNumber(r, "page")
	if err != nil {
		return answer{}, err
	}
	l, err := s.desk.Victims(r.Context(), p, number)
	return answer{Template: "victims", Title: "Called numbers", Data: l}, err
}
