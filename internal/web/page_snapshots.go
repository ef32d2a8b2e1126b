package web

import (
	"net/http"
	"net/url"

	"github.com/unspoof/unspoof/internal/desk"
)

// snapshotsPage is the comparison with the address that its pager adds to.
type snapshotsPage struct {
	desk.Snapshots
	Base string
}

func (s *server) snapshots(r *http.Request, p desk.Person) (answer, error) {
	number, err := pageNumber(r, "page")
	if err != nil {
		return answer{}, err
	}
	table, change := r.URL.Query().Get("table"), r.URL.Query().Get("change")
	l, err := s.desk.Snapshots(r.Context(), p, table, change, number)
	return answer{Template: "snapshots", Title: "Snapshots", Data: snapshotsPage{l, snapshotsURL(table, change)}}, err
}

func snapshotsURL(table, change string) string {
	return "/snapshots?" + url.Values{"table": {table}, "change": {change}}.Encode()
}
