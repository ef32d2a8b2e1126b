package web

import (
	"net/http"

	"github.com/unspoof/unspoof/internal/desk"
)

// point is one figure of the funnel chart.
type point struct {
	Name  string  `json:"name"`
	Title string  `json:"title"`
	Value float64 `json:"value"`
}

// dayPoint is one day of the calls-by-day chart.
type dayPoint struct {
	Day         string `json:"day"`
	Answered    int64  `json:"answered"`
	CallsUK     int64  `json:"calls_uk"`
	LongCallsUK int64  `json:"long_calls_uk"`
}

// gradePoint is one institution of the chart of grades.
type gradePoint struct {
	Name  string `json:"name"`
	AStar int64  `json:"a_star"`
	A     int64  `json:"a"`
	B     int64  `json:"b"`
	C     int64  `json:"c"`
	D     int64  `json:"d"`
}

func (s *server) dataDays(r *http.Request, p desk.Person) (answer, error) {
	days, err := s.desk.Days(r.Context(), p)
	list := make([]dayPoint, len(days))
	for i, d := range days {
		list[i] = dayPoint{d.Day, d.Answered, d.CallsUK, d.LongCallsUK}
	}
	return answer{JSON: list}, err
}

func (s *server) dataFunnel(r *http.Request, p desk.Person) (answer, error) {
	steps, err := s.desk.Funnel(r.Context(), p)
	list := make([]point, len(steps))
	for i, f := range steps {
		list[i] = point{f.Figure.Name, visible(f.Figure.Title), f.Figure.Value}
	}
	return answer{JSON: list}, err
}

func (s *server) dataInstitutions(r *http.Request, p desk.Person) (answer, error) {
	use, err := s.desk.InstitutionChart(r.Context(), p)
	list := make([]gradePoint, len(use))
	for i, u := range use {
		list[i] = gradePoint{visible(u.Name), u.AStar, u.A, u.B, u.C, u.D}
	}
	return answer{JSON: list}, err
}
