package web

import (
	"net/http"
	"strconv"

	"github.com/unspoof/unspoof/internal/desk"
)

func (s *server) call(r *http.Request, p desk.Person) (answer, error) {
	row, _ := strconv.ParseInt(r.URL.Query().Get("row"), 10, 64) // without it, or with a wrong one, the call is found too
	c, err := s.desk.Call(r.Context(), p, r.URL.Query().Get("id"), row)
	return answer{Template: "call", Title: "Call " + visible(c.Call.ID), Data: c}, err
}
