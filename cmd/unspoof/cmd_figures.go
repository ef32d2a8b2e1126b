package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/store"
)

// figure is a figure as `figures --json` prints it.
type figure struct {
	Name        string               `json:"name"`
	Title       string               `json:"title"`
	Definition  string               `json:"definition"`
	From        *string              `json:"from"`
	To          *string              `json:"to"`
	Value       float64              `json:"value"`
	Low         *float64             `json:"low"`
	High        *float64             `json:"high"`
	Unit        string               `json:"unit"`
	Step        string               `json:"step"`
	Tables      []store.TableVersion `json:"tables"`
	Published   *float64             `json:"published,omitempty"`
	PublishedBy string               `json:"published_by,omitempty"`
}

func figuresCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "figures --case DIR",
		Short: "The published figures, each with its definition and period",
		Args:  cobra.NoArgs,
	}
	dir := caseFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	limit := cmd.Flags().Int("limit", 0, "print at most this many (0: all)")
	published := cmd.Flags().Bool("published", false, "print those of which something was published of the reference case, and that beside them")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		w, err := openCase(ctx, *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		list, err := readFigures(ctx, w)
		if err != nil {
			return err
		}
		if *limit > 0 && *limit < len(list) {
			list = list[:*limit]
		}
		if err := w.hand.Record(ctx, "view", "figures", nil); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), map[string]any{"figures": list})
		}
		scale := 0.0
		if *published {
			scale = 1
		}
		printFigures(cmd.OutOrStdout(), list, scale)
		return nil
	}
	return cmd
}

func readFigures(ctx context.Context, w *workspace) ([]figure, error) {
	m, err := w.built("figure")
	if err != nil {
		return nil, err
	}
	versions := map[string]string{}
	for _, in := range m[0].Inputs {
		versions[in.Name] = in.Version
	}
	e, err := w.engine(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := e.DB.QueryContext(ctx, `SELECT name, title, definition, CAST(period_from AS VARCHAR), CAST(period_to AS VARCHAR), value, low, high, unit, step, published, published_by, tables FROM figure`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []figure
	for rows.Next() {
		var f figure
		var tables string
		if err := rows.Scan(&f.Name, &f.Title, &f.Definition, &f.From, &f.To, &f.Value, &f.Low, &f.High, &f.Unit, &f.Step, &f.Published, &f.PublishedBy, &tables); err != nil {
			return nil, err
		}
		if tables == "" { // source_rows rests on every source table
			for _, in := range m[0].Inputs {
				if strings.HasPrefix(in.Name, "source.") {
					f.Tables = append(f.Tables, in)
				}
			}
		}
		for _, t := range strings.Fields(tables) {
			f.Tables = append(f.Tables, store.TableVersion{Name: t, Version: versions[t]})
		}
		list = append(list, f)
	}
	return list, rows.Err()
}

// printFigures prints a table. With a scale it prints only figures that were published, and
// the published values times the scale beside them.
func printFigures(out io.Writer, list []figure, scale float64) {
	left := 0
	for _, f := range list {
		if scale != 0 && f.Published == nil {
			left++
			continue
		}
		period := "whole case"
		if f.From != nil && f.To != nil {
			period = *f.From + " .. " + *f.To
		}
		fmt.Fprintf(out, "%-34s %18s %-12s", f.Title, amount(f.Value, f.Unit), f.Unit)
		if scale != 0 {
			value := *f.Published * scale
			if f.Unit == "%" || strings.Contains(f.Unit, "/") && f.Unit != "calls/min" { // a ratio is the same at every scale
				value = *f.Published
			}
			fmt.Fprintf(out, " published %-30s", amount(value, f.Unit)+" ("+f.PublishedBy+")")
		}
		fmt.Fprintf(out, " %s\n", period)
	}
	if left > 0 {
		fmt.Fprintf(out, "and %d more, of which nothing was published: `unspoof figures`\n", left)
	}
}

func amount(v float64, unit string) string {
	switch unit {
	case "GBP", "EUR":
		return humanize.CommafWithDigits(v, 2)
	case "calls/min":
		return strconv.FormatFloat(v, 'f', 4, 64)
	case "%", "calls/number", "rows/account", "GBP/report":
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return humanize.Comma(int64(v + 0.5))
}
