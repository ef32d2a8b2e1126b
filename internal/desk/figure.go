package desk

import (
	"context"
	"database/sql"

	"github.com/unspoof/unspoof/internal/store"
)

// Figure is one published number with all that is needed to read it rightly.
type Figure struct {
	Name, Title, Definition string
	From, To                string // half-open, in the case's time zone; empty: the whole case
	Value                   float64
	Low, High               sql.Null[float64]
	Unit, Step              string
	Published, PublishedBy  string
}

const figureSQL = `
SELECT name, COALESCE(title, ''), COALESCE(definition, ''),
       COALESCE(CAST(period_from AS VARCHAR), ''), COALESCE(CAST(period_to AS VARCHAR), ''),
       COALESCE(CAST(value AS DOUBLE), 0), CAST(low AS DOUBLE), CAST(high AS DOUBLE), COALESCE(unit, ''), COALESCE(step, ''),
       COALESCE(CAST(published AS VARCHAR), ''), COALESCE(published_by, '')
FROM figure`

func scanFigure(r *sql.Rows, f *Figure) error {
	return r.Scan(&f.Name, &f.Title, &f.Definition, &f.From, &f.To, &f.Value, &f.Low, &f.High, &f.Unit, &f.Step, &f.Published, &f.PublishedBy)
}

// FigurePage is a figure with the table versions it was computed from.
type FigurePage struct {
	Figure Figure
	Table  store.Manifest
}

// Figure is one figure by its name.
func (d *Desk) Figure(ctx context.Context, p Person, name string) (FigurePage, error) {
	a := Asked{Action: SeeFigures, Object: id("figure", name), Needs: []string{"figure"}}
	return look(ctx, d, p, a, func(ctx context.Context) (FigurePage, error) {
		f, err := first(ctx, d, figureSQL+" WHERE name = ?", scanFigure, name)
		return FigurePage{f, d.tables["figure"]}, err
	})
}
