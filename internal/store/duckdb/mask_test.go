package duckdb

import "testing"

// TestMasked tells what is taken out of free text and what stays.
func TestMasked(t *testing.T) {
	e := engine(t)
	for text, want := range map[string]string{
		"card 4929 1234 5678 9012 no":                          "card 4929 1234 5678 9012 no", // fails Luhn
		"my card is 4111111111111111 ok":                       "my card is [card 16] ok",
		"4111-1111-1111-1111":                                  "[card 16]",
		"amex 3782 822463 10005.":                              "amex [card 15].",
		"call +4111111111111111":                               "call +4111111111111111",
		"Your code is 483920":                                  "Your code is [code 6]",
		"483920 is your NatWest security code":                 "[code 6] is your NatWest security code",
		"OTP: 4821. Do not share":                              "OTP: [code 4]. Do not share",
		"passcode for the payment of GBP 1,250.00 is 48392011": "passcode for the payment of GBP 1,250.00 is [code 8]",
		`{"pin":"4821","cvv":"123","ok":1}`:                    `{"pin":"[code 4]","cvv":"[code 3]","ok":1}`,
		"codes: 1111, 2222":                                    "codes: [code 4], [code 4]",
		"callingcard_pin=991188":                               "callingcard_pin=[code 6]",
		"shopping 2021 was good":                               "shopping 2021 was good",
		"code or call 02079460123":                             "code or call 02079460123",
		"password: hunter2! thanks":                            "password: [password 8] thanks",
		`{"password":"a b;c d","x":"1"}`:                       `{"password":"[password 7]","x":"1"}`,
		"Press 1 to speak to the fraud team on 0800 123 4567":  "Press 1 to speak to the fraud team on 0800 123 4567",
		"":                      "",
		"IMEI 490154203237518x": "IMEI [card 15]x",
	} {
		if got := one[string](t, e, "SELECT masked(?)", text); got != want {
			t.Errorf("masked(%q) = %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"+447700900123": "+447700900123", "4915112345678": "4915112345678", "\"Bank OTP 445566\" <02079460123>": "\"Bank OTP [code 6]\" <02079460123>",
		"4111111111111111": "[card 16]", "1234#00447700900123": "1234#00447700900123",
	} {
		if got := one[string](t, e, "SELECT masked_number(?)", text); got != want {
			t.Errorf("masked_number(%q) = %q, want %q", text, got, want)
		}
	}
}
