package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/analysis/suspects"
	"github.com/unspoof/unspoof/internal/store"
)

func initCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init --case DIR --name NAME --reference REF",
		Short: "Make a new, empty case",
		Args:  cobra.NoArgs,
	}
	dir := caseFlag(cmd)
	var cfg store.Config
	f := cmd.Flags()
	f.StringVar(&cfg.Name, "name", "", "the investigation's name")
	f.StringVar(&cfg.Reference, "reference", "", "the investigation's reference")
	f.StringVar(&cfg.TimeZone, "timezone", "Europe/London", "zone of wall-clock times in sources, and of days in figures (IANA name)")
	f.StringVar(&cfg.LegalBasis, "legal-basis", "", "authority under which the evidence is held")
	f.StringVar(&cfg.RetainTo, "retain-to", "", "date until which the data may be kept (YYYY-MM-DD)")
	for _, name := range []string{"name", "reference"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was defined above
		}
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if cfg.RetainTo != "" {
			if _, err := time.Parse(time.DateOnly, cfg.RetainTo); err != nil {
				return &coded{exitUsage, fmt.Errorf("--retain-to %q is not a date (YYYY-MM-DD)", cfg.RetainTo)}
			}
		}
		if _, err := time.LoadLocation(cfg.TimeZone); err != nil || cfg.TimeZone == "" || cfg.TimeZone == "Local" {
			return &coded{exitUsage, fmt.Errorf("--timezone %q is not an IANA zone name such as Europe/London", cfg.TimeZone)}
		}
		w, err := createCase(cmd.Context(), *dir, cfg)
		if err != nil {
			return err
		}
		defer w.Close()
		fmt.Fprintf(cmd.OutOrStdout(), "case %s in %s\nledger key (print it in your notes): %s\n", cfg.Name, *dir, w.key.Public)
		return w.sign(cmd.Context())
	}
	return cmd
}

// createCase makes a case, records that, and opens it for writing.
func createCase(ctx context.Context, dir string, cfg store.Config) (*workspace, error) {
	cfg.ID = strings.ToLower(rand.Text())
	cfg.Created = time.Now().UTC().Truncate(time.Second)
	c, err := store.Create(dir, cfg)
	if err != nil {
		return nil, err
	}
	if err := suspects.WriteShipped(c); err != nil {
		return nil, err
	}
	w, err := openCase(ctx, dir, true)
	if err != nil {
		return nil, err
	}
	if err := w.hand.Record(ctx, "init", "case:"+cfg.ID, map[string]any{
		"name_sha256": digest(cfg.Name), "reference_sha256": digest(cfg.Reference), "timezone": cfg.TimeZone,
	}); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
