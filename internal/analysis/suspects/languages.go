package suspects

import (
	"context"
	"strconv"
	"unicode"

	"github.com/abadojack/whatlanggo"

	"github.com/unspoof/unspoof/internal/analysis/step"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// textLetters is how many letters a text has at least that tells its language.
const textLetters = 20

// textLanguage is the language of a text as its trigrams tell it (Cavnar and Trenkle 1994; an
// ISO 639-1 code), with a confidence from 0 to 1. Empty: the text is too short, or does not tell it
// reliably, or the language has no such code.
func textLanguage(text string) (code string, confidence float64) {
	letters := 0
	for _, r := range text {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	if letters < textLetters {
		return "", 0
	}
	if d := whatlanggo.Detect(text); d.IsReliable() {
		return d.Lang.Iso6391(), d.Confidence
	}
	return "", 0
}

// detectLanguages fills the temporary table script_text_language, a row a text that tells its
// language.
func detectLanguages(ctx context.Context, _ *store.Case, e *duckdb.Engine) error {
	var rows [][]string
	err := step.Each(ctx, e, "SELECT DISTINCT text, '' FROM script WHERE coalesce(trim(language), '') = '' AND text IS NOT NULL ORDER BY text", func(text, _ string) {
		if code, confidence := textLanguage(text); code != "" {
			rows = append(rows, []string{text, code, strconv.FormatFloat(confidence, 'f', 2, 64)})
		}
	})
	if err != nil {
		return err
	}
	return step.Fill(ctx, e, "script_text_language", []string{"text", "language", "confidence"}, rows)
}
