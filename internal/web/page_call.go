package web

import (
	"net/http"

	"github.com/unspoof/unspoof/internal/desk"
)

func (s *server) call(r *http.Request, p desk.Person) (answer, error) {
	c, err := s.desk.Call(r.Context(), p, r.URL.Query().Get("id"))
	return answer{Template: "call", Title: "Call " + visible(c.Call.ID), Data: c}, err
}
