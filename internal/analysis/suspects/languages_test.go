package suspects

import "testing"

// Texts that tell their language, and texts that do not.
func TestTextLanguage(t *testing.T) {
	for text, want := range map[string]string{
		"Your subscription will renew today and £40 will be taken from your bank card.":                                            "en",
		"Bonjour, ici le service des fraudes de votre banque, tapez le code que vous avez reçu.":                                   "fr",
		"Guten Tag, hier spricht die Sicherheitsabteilung Ihrer Bank. Bitte geben Sie jetzt den Code ein, den Sie erhalten haben.": "de",
		"您好，这里是您的银行。您的账户有异常交易，请按一键转接人工服务，谢谢您的配合。":                                                                                  "zh",
		"Press 1":                          "", // too short
		"":                                 "",
		"\xff\xfe\x00\x01":                 "",
		"0123456789 0123456789 0123456789": "",
	} {
		if got, confidence := textLanguage(text); got != want || (got == "") != (confidence == 0) {
			t.Errorf("%q: %q with %v, want %q", text, got, confidence, want)
		}
	}
}

func FuzzTextLanguage(f *testing.F) {
	f.Add("Your subscription will renew today.")
	f.Fuzz(func(t *testing.T, text string) {
		if code, confidence := textLanguage(text); (code != "") != (confidence > 0) || confidence > 1 || len(code) > 2 {
			t.Errorf("%q: %q, %v", text, code, confidence)
		}
	})
}
