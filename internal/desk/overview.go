package desk

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/unspoof/unspoof/internal/store"
)

// Overview is the case at a glance.
type Overview struct {
	Case         store.Config
	Sources      int
	Tables       int
	Missing      []string // tables of this page that have not been built
	Figures      []Figure
	Breakdowns   []Breakdown
	Funnel       []FunnelStep
	Days         []Day
	Institutions []InstitutionUse // the most impersonated
	InUse        int64            // institutions in all
}

// FunnelStep is one narrowing from all calls to the people who reported.
type FunnelStep struct {
	Figure Figure
	Share  float64 // of the step before; 0: not to be compared
}

// funnel names the figures from all calls to reports, in order.
var funnel = []string{"calls_world", "calls_uk", "long_calls_uk", "people_long_calls_uk", "numbers_to_warn_uk", "reports"}

// Day is one day's calls, in the case's time zone.
type Day struct {
	Day                                   string
	Calls, Answered, CallsUK, LongCallsUK int64
}

// overviewTables are what the overview is made from; it shows what there is of them.
var overviewTables = []string{"figure", "calls_by_day", "institution_use"}

// shownInstitutions is how many institutions the overview names; its list page has them all.
const shownInstitutions = 10

// Overview gives what there is; a case with nothing built yet has an overview too.
func (d *Desk) Overview(ctx context.Context, p Person) (Overview, error) {
	return look(ctx, d, p, Asked{Action: SeeFigures, Object: "page:overview"}, func(ctx context.Context) (Overview, error) {
		o := Overview{Case: d.c.Config, Tables: len(d.tables), Missing: d.missing(overviewTables)}
		sources, err1 := d.c.Sources()
		o.Sources = len(sources)
		var err2, err3, err4 error
		if d.has("figure") {
			var all []Figure
			all, err2 = collect(ctx, d, figureSQL, scanFigure)
			o.Figures, o.Breakdowns = apart(all)
			o.Funnel = funnelOf(o.Figures)
		}
		if d.has("calls_by_day") {
			o.Days, err3 = collect(ctx, d, daysSQL, scanDay)
		}
		if d.has("institution_use") {
			pg := Page{Number: 1, Size: shownInstitutions}
			o.Institutions, err4 = paged(ctx, d, &pg, institutionUseSQL+institutionOrder, scanInstitutionUse)
			o.InUse = pg.Total
		}
		return o, errors.Join(err1, err2, err3, err4)
	})
}

// Breakdown is the figures of one kind, one for each key: calls by month, by country.
type Breakdown struct {
	Kind, Title string
	Figures     []Figure // their titles are the keys
}

// apart takes the figures that are part of a breakdown (KIND.KEY, titled TITLE: KEY) from the others.
func apart(all []Figure) (figures []Figure, list []Breakdown) {
	for _, f := range all {
		kind, key, by := strings.Cut(f.Name, ".")
		if !by {
			figures = append(figures, f)
			continue
		}
		if n := len(list); n == 0 || list[n-1].Kind != kind {
			list = append(list, Breakdown{Kind: kind, Title: strings.TrimSuffix(f.Title, ": "+key)})
		}
		f.Title = key
		list[len(list)-1].Figures = append(list[len(list)-1].Figures, f)
	}
	return figures, list
}

func funnelOf(figures []Figure) (steps []FunnelStep) {
	byName := map[string]Figure{}
	for _, f := range figures {
		byName[f.Name] = f
	}
	for _, name := range funnel {
		f, ok := byName[name]
		if !ok {
			continue
		}
		s := FunnelStep{Figure: f}
		if n := len(steps); n > 0 && steps[n-1].Figure.Value > 0 {
			s.Share = f.Value / steps[n-1].Figure.Value
		}
		steps = append(steps, s)
	}
	return steps
}

const daysSQL = `
SELECT CAST(day AS VARCHAR), CAST(calls AS BIGINT), CAST(answered AS BIGINT), CAST(calls_uk AS BIGINT), CAST(long_calls_uk AS BIGINT)
FROM calls_by_day WHERE day IS NOT NULL ORDER BY day`

func scanDay(r *sql.Rows, v *Day) error {
	return r.Scan(&v.Day, &v.Calls, &v.Answered, &v.CallsUK, &v.LongCallsUK)
}

// Days is every day's calls, for a chart.
func (d *Desk) Days(ctx context.Context, p Person) ([]Day, error) {
	a := Asked{Action: SeeFigures, Object: "data:calls-by-day", Needs: []string{"calls_by_day"}}
	return look(ctx, d, p, a, func(ctx context.Context) ([]Day, error) { return collect(ctx, d, daysSQL, scanDay) })
}

// Funnel is the way from all calls to reports, for a chart.
func (d *Desk) Funnel(ctx context.Context, p Person) ([]FunnelStep, error) {
	a := Asked{Action: SeeFigures, Object: "data:funnel", Needs: []string{"figure"}}
	return look(ctx, d, p, a, func(ctx context.Context) ([]FunnelStep, error) {
		figures, err := collect(ctx, d, figureSQL, scanFigure)
		return funnelOf(figures), err
	})
}
