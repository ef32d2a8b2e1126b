package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

func showCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show --case DIR REF",
		Short: "The original row behind a reference: its source, offset, hash and bytes",
		Long: `Read one original row again from its sealed source. REF is source:table:row@offset, as every
answer prints it; the source may be shortened to its first eight digits or more.

Cells that hold secrets are not shown; --secrets shows them, and the ledger says so.`,
		Args: cobra.ExactArgs(1),
	}
	dir := caseFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	secrets := cmd.Flags().Bool("secrets", false, "show cells that hold secrets (recorded)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		ref, err := casefile.ParseRowRef(args[0])
		if err != nil {
			return &coded{exitUsage, err}
		}
		w, err := openCase(ctx, *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		o, err := intake.ReadRow(ctx, w.Case, ref)
		if err == nil {
			err = isRow(ctx, w, o.Ref)
		}
		var file *fs.PathError
		if err != nil && ctx.Err() == nil && !errors.As(err, &file) {
			return &coded{exitUsage, err} // the reference names no row of this case
		}
		if err != nil {
			return err
		}
		if err := w.hand.Record(ctx, "view", "row:"+o.Ref.String(), map[string]any{"secrets": *secrets}); err != nil {
			return err
		}
		masked := false
		for i := range o.Cells {
			if o.Cells[i].Secret && !*secrets && !o.Cells[i].Null {
				o.Cells[i].Value = fmt.Sprintf("(secret, %d characters)", len(o.Cells[i].Value))
				masked = true
			}
		}
		out := cmd.OutOrStdout()
		if *asJSON {
			return printJSON(out, o)
		}
		fmt.Fprintf(out, "source   %s  sha256 %s  %s bytes\n", visible(o.Source.Name), o.Source.ID, humanize.Comma(o.Source.Size))
		if o.Source.Exhibit != "" {
			fmt.Fprintf(out, "exhibit  %s\n", visible(o.Source.Exhibit))
		}
		fmt.Fprintf(out, "table    %s  row %d  bytes %d to %d\n", visible(o.Ref.Table), o.Ref.Row, o.Ref.Offset, o.Ref.Offset+int64(o.Length)-1)
		for _, c := range o.Cells {
			value := visible(c.Value)
			if c.Null {
				value = "NULL"
			}
			fmt.Fprintf(out, "  %-24s %s\n", visible(c.Column), value)
		}
		if !masked {
			fmt.Fprintf(out, "original %s\n", visible(string(o.Text)))
		}
		return nil
	}
	return cmd
}

// isRow reports an error unless the source table has a row of that number at that offset.
// What merely looks like a row, in the middle of a text, must not be shown as one, nor a row
// under another's number.
func isRow(ctx context.Context, w *workspace, ref casefile.RowRef) error {
	e, err := w.engine(ctx)
	if err != nil {
		return err
	}
	var n int
	table := duckdb.Ident(store.SourceTableName(ref.Source, ref.Table))
	if err := e.DB.QueryRowContext(ctx, "SELECT count(*) FROM "+table+" WHERE ref_row = ? AND ref_offset = ?", ref.Row, ref.Offset).Scan(&n); err != nil {
		return err
	}
	if n != 1 {
		return &casefile.Problem{Where: casefile.Where{Source: ref.Source.Short(), Table: ref.Table, Row: ref.Row, Offset: ref.Offset, HasOffset: true},
			Err: errors.New("the source table has no row of this number at this offset")}
	}
	return nil
}

// visible writes control characters, direction overrides and bytes that are not text as
// escapes, so that hostile content cannot play with a terminal.
func visible(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02X`, s[i])
		case isHidden(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isHidden reports whether a character does not show, or changes how others do.
func isHidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}
