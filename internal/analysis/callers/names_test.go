package callers

import (
	"fmt"
	"testing"
)

func TestNormalName(t *testing.T) {
	for name, want := range map[string]string{
		"HSBC": "hsbc", "H S B C": "hsbc", "h.s.b.c fraud": "hsbc fraud", "B4rc1ays": "barciays", "Bаrсlаys": "barciays", "Trésor Public": "tresor pubiic",
		"HM Revenue & Customs": "hm revenue customs", "£100": "100", "$$": "", "  ": "", "a\u200bb c d": "ab cd", "\xff": "",
	} {
		if got := NormalName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

var someNames = NewMatcher(map[string][]string{
	"barclays": {"Barclays", "Barclays Bank"}, "barclaycard": {"Barclaycard"}, "nationwide": {"Nationwide"}, "tsb": {"TSB"}, "ato": {"ATO", "Australian Taxation Office"},
	"chase": {"Chase"}, "dgfip": {"Direction générale des Finances publiques", "Impots.gouv"}, "sparkasse": {"Sparkasse"}, "lloyds": {"Lloyds", "Lloyds Bank"},
})

// Institutions in texts, and words that only look like them.
func TestInText(t *testing.T) {
	for text, want := range map[string]string{
		"Hello, this is Barclays fraud prevention.":                 "[{barclays Barclays}]",
		"this is barclays bank":                                     "[{barclays Barclays Bank}]",
		"your Barclaycard is blocked":                               "[{barclaycard Barclaycard}]",
		"From Lloyds Bank and Barclays.":                            "[{lloyds Lloyds Bank} {barclays Barclays}]",
		"We deliver nationwide. Press 1.":                           "[]",
		"Nationwide delivery in two days":                           "[{nationwide Nationwide}]", // delivery is a word of a trade
		"Nationwide we install windows":                             "[]",                        // a capital because it opens the sentence
		"This is Nationwide. Press 1.":                              "[{nationwide Nationwide}]",
		"this is nationwide building society":                       "[{nationwide Nationwide}]",
		"WE INSTALL NATIONWIDE":                                     "[]",
		"THIS IS THE NATIONWIDE FRAUD TEAM":                         "[{nationwide Nationwide}]",
		"the police will chase you":                                 "[]",
		"calling from the ATO about you":                            "[{ato ATO}]",
		"go ato b":                                                  "[]",
		"the ato tax refund":                                        "[{ato ATO}]",
		"this is tsb bank":                                          "[{tsb TSB}]",
		"Bonjour, ici la direction generale des finances publiques": "[{dgfip Direction générale des Finances publiques}]",
		"Guten Tag, hier ist Ihre Sparkasse":                        "[{sparkasse Sparkasse}]",
		"":                                                          "[]", "press one": "[]",
	} {
		if got := fmt.Sprint(someNames.InText(text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestNear(t *testing.T) {
	for name, want := range map[string]string{
		"Barclay": "barclays", "Barclayss": "barclays", "Braclays": "barclays", "Barkleys": "", "Nation Wide": "nationwide", "Nationwlde UK": "nationwide", "Sparkase": "sparkasse",
		"TSC": "", "Chasse": "", "Lloyd": "lloyds", "Loyds": "lloyds", "Mum": "", "Lloyds": "lloyds", "Australian Taxation Ofice": "ato",
	} {
		if got, _, _ := someNames.Near(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestRole(t *testing.T) {
	for name, want := range map[string]string{
		"Fraud Team": "fraud team", "FR4UD DEPT": "fraud team", "Betrugsabteilung": "fraud team", "Service Fraude": "fraud team", "service des fraudes": "fraud team",
		"Your Bank": "bank", "Ihre Bank": "bank", "Finanzamt": "tax office", "Service des Impôts": "tax office", "Polizei": "police", "Votre colis": "delivery", "Mum": "family", "Dr Patel": "", "Bankside": "",
	} {
		if got := Role(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
