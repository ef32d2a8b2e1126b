package web

import (
	"net/http"
	"strconv"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/desk"
)

// numberPage is a called number with the address that its pager adds to.
type numberPage struct {
	desk.Number
	Base string
}

func (s *server) number(r *http.Request, p desk.Person) (answer, error) {
	page, err := pageNumber(r, "page")
	if err != nil {
		return answer{}, err
	}
	n, err := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
	if err != nil || n < 1 {
		return answer{}, errBadRequest
	}
	v, err := s.desk.Number(r.Context(), p, casefile.E164(n), page)
	return answer{Template: "number", Title: "Number " + casefile.E164(n).String(), Data: numberPage{v, "/number?n=" + strconv.FormatInt(n, 10)}}, err
}
