package callers

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/unspoof/unspoof/internal/analysis/step"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// Mention is an institution that a text names, by the alias it first names it by.
type Mention struct{ Institution, Alias string }

// InText lists the institutions that a text names, in the order in which it does. An alias
// must stand in it as whole words; where one lies in another, the longer counts. Two kinds of
// alias are too easily found in a text that means something else:
//
//   - one word of fewer than four letters (ATO, TSB) counts as the registry writes it, capitals
//     included;
//   - a word of everyday language (nationwide, chase) counts with a capital letter inside a
//     sentence.
//
// Both also count with a word of their trade (bank, account, card, fraud ...) among the four
// words before or behind, and only so in a text written in capitals throughout.
func (m *Matcher) InText(text string) []Mention {
	words := wordsOf(text)
	capitals := !strings.ContainsFunc(text, unicode.IsLower)
	var out []Mention
	for i := 0; i < len(words); {
		var best alias
		for _, a := range m.byWord[words[i].normal] {
			end := i + len(a.words)
			if end > len(words) || !slices.EqualFunc(words[i:end], a.words, func(w word, s string) bool { return w.normal == s }) {
				continue
			}
			if a.doubtful() && (capitals || !a.written(words[i])) && !slices.ContainsFunc(words[max(0, i-4):min(len(words), end+4)], func(w word) bool { return trade[w.normal] }) {
				continue
			}
			if longer := len(a.normal) - len(best.normal); longer > 0 || longer == 0 && (a.institution < best.institution || a.institution == best.institution && a.text < best.text) {
				best = a
			}
		}
		if best.institution == "" {
			i++
			continue
		}
		i += len(best.words)
		if !slices.ContainsFunc(out, func(o Mention) bool { return o.Institution == best.institution }) {
			out = append(out, Mention{best.institution, best.text})
		}
	}
	return out
}

func (a alias) doubtful() bool { return len(a.words) == 1 && len(a.normal) < 4 || everyday[a.normal] }

// written reports whether a doubtful alias's (first) word is written as a name is.
func (a alias) written(w word) bool {
	if everyday[a.normal] {
		return !w.opens && unicode.IsUpper([]rune(w.text)[0])
	}
	return w.text == strings.TrimSpace(a.text) && strings.ContainsFunc(w.text, unicode.IsUpper)
}

// everyday are names of usual targets that are also words or places, normalised.
var everyday = normalSet("nationwide", "halifax", "chase", "smile", "three", "orange", "sky", "apple", "post office", "post", "ally", "discover", "tide", "yodel", "target", "shell", "santander", "monument", "first", "direct", "police", "social security")

// trade are words that stand beside an institution's name when it is meant: English, French,
// German, Spanish, Dutch, Italian.
var trade = normalSet("bank", "banking", "banks", "building", "society", "account", "accounts", "card", "cards", "fraud", "payment", "payments", "transaction", "loan", "mortgage", "customer", "tax", "refund", "security",
	"delivery", "parcel", "order", "subscription", "administration", "officer",
	"banque", "compte", "carte", "fraude", "paiement", "impots", "colis", "konto", "karte", "betrug", "zahlung", "uberweisung", "kundenservice", "paket",
	"banco", "cuenta", "tarjeta", "pago", "rekening", "kaart", "betaling", "pakket", "banca", "conto", "carta", "frode")

func normalSet(list ...string) map[string]bool {
	set := map[string]bool{}
	for _, s := range list {
		set[NormalName(s)] = true
	}
	return set
}

// roles are what callers pretend to be without naming an institution, in six languages. The
// first that stands in a name as whole words is its role.
var roles = []struct {
	role    string
	phrases []string
}{
	{"fraud team", []string{"fraud", "anti fraud", "antifraud", "fraud team", "security team", "security dept", "security department", "service fraude", "service des fraudes", "service antifraude", "anti fraude", "antifraude",
		"fraude", "betrugsabteilung", "betrugspravention", "sicherheitsabteilung", "equipo de seguridad", "fraudedesk", "fraudeafdeling", "fraudehelpdesk", "ufficio frodi", "antifrode"}},
	{"police", []string{"police", "policia", "polizei", "politie", "polizia", "gendarmerie", "detective", "kriminalpolizei", "guardia civil", "carabinieri"}},
	{"tax office", []string{"tax", "tax office", "revenue", "finanzamt", "impots", "service des impots", "hacienda", "agenzia delle entrate"}},
	{"court", []string{"court", "bailiff", "bailiffs", "huissier", "tribunal", "gerichtsvollzieher", "gericht", "deurwaarder"}},
	{"card services", []string{"card services", "card service", "credit card", "kartenservice", "service cartes", "servicio de tarjetas", "visa", "mastercard"}},
	{"bank", []string{"bank", "your bank", "banking", "banque", "votre banque", "banco", "banca", "conseiller bancaire", "bankberater", "kundenberater"}},
	{"delivery", []string{"delivery", "parcel", "courier", "livraison", "colis", "paket", "paketdienst", "zustellung", "bezorging", "pakket", "consegna", "entrega"}},
	{"technical support", []string{"tech support", "technical support", "it support", "support technique", "technischer support", "soporte tecnico"}},
	{"customer service", []string{"customer service", "customer services", "customer care", "service client", "kundenservice", "kundendienst", "atencion al cliente", "klantenservice", "servizio clienti", "help desk", "helpdesk"}},
	{"family", []string{"mum", "mom", "mama", "maman", "dad", "papa"}},
}

// Role is the role that a name gives its caller ("Fraud Team", "Betrugsabteilung"): what it
// pretends to be, of no institution in particular. Empty when it gives none.
func Role(name string) string {
	normal := " " + NormalName(name) + " "
	for _, r := range roles {
		for _, phrase := range r.phrases {
			if strings.Contains(normal, " "+NormalName(phrase)+" ") {
				return r.role
			}
		}
	}
	return ""
}

// matchScripts fills the temporary table script_found with every script whose text names an
// institution.
func matchScripts(ctx context.Context, _ *store.Case, e *duckdb.Engine) error {
	m, err := registered(ctx, e)
	if err != nil {
		return err
	}
	var rows [][]string
	err = step.Each(ctx, e, "SELECT script_id, string_agg(text, chr(10) ORDER BY text) FROM script WHERE text IS NOT NULL AND script_id IS NOT NULL GROUP BY script_id ORDER BY script_id", func(id, text string) {
		list := m.InText(text)
		if len(list) == 0 {
			return
		}
		named := make([]string, len(list))
		for i, n := range list {
			named[i] = n.Institution
		}
		one := Mention{}
		if len(list) == 1 {
			one = list[0]
		}
		rows = append(rows, []string{id, one.Institution, one.Alias, strings.Join(named, ", ")})
	})
	if err != nil {
		return err
	}
	return step.Fill(ctx, e, "script_found", []string{"script_id", "institution_id", "alias", "named"}, rows)
}
