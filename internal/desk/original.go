package desk

import (
	"context"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake"
	"github.com/unspoof/unspoof/internal/store"
)

// readRow reads an original row the way it was read when its source was taken in.
func readRow(ctx context.Context, c *store.Case, ref casefile.RowRef) (OriginalRow, error) {
	o, err := intake.ReadRow(ctx, c, ref)
	if err != nil {
		return OriginalRow{}, err
	}
	row := OriginalRow{Ref: o.Ref, Text: o.Text, Source: OriginalSource{Name: o.Source.Name, Exhibit: o.Source.Exhibit,
		LegalBasis: o.Source.LegalBasis, SealedBy: o.Source.SealedBy, Size: o.Source.Size, SealedAt: o.Source.SealedAt}}
	for _, c := range o.Cells {
		row.Cells = append(row.Cells, OriginalCell{Column: c.Column, Value: c.Value, Null: c.Null, Secret: c.Secret})
	}
	return row, nil
}
