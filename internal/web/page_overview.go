package web

import (
	"net/http"

	"github.com/unspoof/unspoof/internal/desk"
)

// headline names the figures that the overview shows large, in order.
var headline = []string{"calls_world", "calls_uk", "people_long_calls_uk", "institutions_impersonated", "suspects_met_2022", "numbers_to_warn_uk", "revenue_gbp_20_months", "reported_loss_gbp"}

// overviewPage is the overview with its headline figures picked out.
type overviewPage struct {
	desk.Overview
	Headline []desk.Figure
	Months   []desk.Day // days added up by month
}

func (s *server) overview(r *http.Request, p desk.Person) (answer, error) {
	o, err := s.desk.Overview(r.Context(), p)
	if err != nil {
		return answer{}, err
	}
	page := overviewPage{Overview: o, Months: months(o.Days)}
	for _, name := range headline {
		for _, f := range o.Figures {
			if f.Name == name {
				page.Headline = append(page.Headline, f)
			}
		}
	}
	return answer{Template: "overview", Title: "Overview", Data: page}, nil
}

// months adds days up, for a table that can be read where there is no chart.
func months(days []desk.Day) (list []desk.Day) {
	for _, d := range days {
		month := d.Day[:min(7, len(d.Day))]
		if n := len(list); n == 0 || list[n-1].Day != month {
			list = append(list, desk.Day{Day: month})
		}
		m := &list[len(list)-1]
		m.Calls += d.Calls
		m.Answered += d.Answered
		m.CallsUK += d.CallsUK
		m.LongCallsUK += d.LongCallsUK
	}
	return list
}
