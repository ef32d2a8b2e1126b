package web

import (
	"net/http"

	"github.com/unspoof/unspoof/internal/desk"
)

func (s *server) ledger(r *http.Request, p desk.Person) (answer, error) {
	number, err := pageNumber(r, "page")
	if err != nil {
		return answer{}, err
	}
	l, err := s.desk.Ledger(r.Context(), p, number)
	return answer{Template: "ledger", Title: "Ledger", Data: l}, err
}
