package synth

import (
	"strings"
	"unicode/utf8"
)

// displayNames lists the ways users write a name that names an institution: with a
// department, in capitals, in look-alike characters, with accents, spacing and signs. Each
// is undone by the normalising of the evidence ladder (docs/figures.md, grade C).
func displayNames(aliases []string) []string {
	var out []string
	add := func(s string) {
		if utf8.RuneCountInString(s) <= 36 {
			out = append(out, s)
		}
	}
	for _, a := range aliases {
		add(a)
		for _, dept := range []string{" Fraud Team", " Security", " Fraud Dept", "  Security"} {
			add(a + dept)
		}
		add(strings.ToUpper(a) + " FRAUD")
		add(strings.ToLower(a) + " fraud team")
		add(lookAlike(strings.ToUpper(a), false) + " FR4UD")
		add(lookAlike(strings.ToLower(a), false))
		add(lookAlike(a, true) + " Team")
		add(accented(a) + " Security")
		add("*" + a + "* - Fraud")
		add("The " + a + " Team")
		add(a + " (24/7)")
	}
	return out
}

// short keeps the names that fit into a caller-ID column of 40 characters with a number.
func short(names []string) []string {
	var out []string
	for _, s := range names {
		if utf8.RuneCountInString(s) <= 20 {
			out = append(out, s)
		}
	}
	return out
}

// lookAlike swaps letters for the digits and signs the ladder reads as letters. A sign
// stands only between letters, so that it never looks like the edge of a word.
func lookAlike(s string, signs bool) string {
	swap := map[rune]rune{'o': '0', 'i': '1', 'l': '1', 'e': '3', 'a': '4', 's': '5', 't': '7'}
	var b strings.Builder
	r := []rune(s)
	for i, c := range r {
		low := c | 0x20
		inside := i > 0 && i < len(r)-1 && isLetter(r[i-1]) && isLetter(r[i+1])
		switch d, ok := swap[low]; {
		case ok && signs && inside && low == 'a':
			b.WriteRune('@')
		case ok && signs && inside && low == 's':
			b.WriteRune('$')
		case ok && inside:
			b.WriteRune(d)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func isLetter(c rune) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func accented(s string) string {
	return strings.NewReplacer("a", "á", "e", "è", "i", "ï", "o", "ô", "A", "Â", "S", "Š", "T", "Ť").Replace(s)
}

// nearlyNationwide names no institution, but is nearly one's name.
const nearlyNationwide = "Nation Wide"

// namelessNames name no institution.
var namelessNames = []string{
	"Fraud Team", "Security Dept", "Customer Services", "Mum", "Office", "Bank", "Your Bank", "Card Services",
	"Delivery", "Dr Patel", "Reception", "Head Office", "Fr4ud T3am", "Café Rêve", "Account Review", "No Reply",
	"Barking Dogs", "Bank Fraud Dept", "VISA Security", "The Accountant", "Westminster", "Direct", nearlyNationwide, "Tax",
}

var namelessBrief = short(namelessNames)

var firstNames = strings.Fields(`Ada Alan Amara Andrzej Anika Arthur Beatriz Bilal Bronwen Callum Carys Chidi Clara Daniel
	Dilys Edith Eilidh Emeka Farah Fergus Fiona Gareth Grace Hamza Hannah Harpreet Imogen Iwan Jamila Janusz Joan
	Kavita Keiran Leila Lewis Lucía Marek Margaret Mei Mohan Morag Nadia Ngozi Niamh Olu Owen Petra Priya Rashid
	Rhona Rosa Ruairi Samira Sanjay Sinead Søren Tamsin Tariq Una Vera Winifred Yusuf Zoë`)

var lastNames = strings.Fields(`Adeyemi Ahmed Armitage Bakare Begum Blackwood Bowen Brennan Cadwallader Campbell Chandra
	Clegg Cowan Dearden Dhillon Eastwood Eze Fairclough Farrell Ferreira Gill Greenhalgh Haddad Hargreaves Hussain
	Ibrahim Iqbal Jankowski Kaur Kilbride Lomax Macleod Mahmood Mensah Murphy Nowak Nuttall O'Brien O'Neill Okafor
	Osei Pankhurst Pemberton Penhaligon Pritchard Quigley Rahman Rees Sharma Siddiqui Stott Tattersall Thorne
	Trelawney Ubogu Varga Wainwright Whittle Yilmaz Zieliński`)

var nickNames = strings.Fields(`ghost shadow vortex king dialz mrx callz lucky nova raven onyx blaze sniper tekno dred
	phantom cobra zen wolfie prince drip jet flex maverick sable moon rocket ace titan pixel`)

var cities = strings.Fields(`Leeds Sheffield Reading Cardiff Glasgow London Belfast Bristol Lyon Lille Leipzig Bremen
	Perth Hobart Boise Tulsa Omaha Ottawa Lagos Utrecht`)

// oddTexts are what free-text columns of a real server hold beside plain words: quotes,
// backslashes, line ends, tabs, NUL and substitute bytes, emoji, text decoded twice, the
// word NULL, nothing at all.
var oddTexts = []string{
	`O'Brien said "call me"`, `C:\audio\press1.wav`, "first line\nsecond line", "tab\there", "nul\x00byte",
	"ctrl\x1az", "carriage\r\nreturn", "vip 😀💷", "JosÃ© â‚¬50", "NULL", "", "'; -- DROP", "100% _like_ \\_ \\%",
	"naïve café £5", "نص", "日本語", "(1,'x'),(2,'y');", "trailing backslash \\", "/* not a comment */", "\\N",
}

// scripts are the texts of recorded messages; %s stands for an institution.
var scripts = []string{
	"This is an automated call from %s. A payment of nine hundred pounds was made from your account. Press 1 if it was not you.",
	"Hello, this is the %s fraud team. Please enter the one time passcode we have sent you, followed by hash.",
	"%s security alert. To stop a new payee, press 1 now to speak with an adviser.",
	"You have missed a delivery. Press 2 to choose a new date.",
}

var smsTexts = []string{
	"%s: a new device was paired. If this was NOT you call us now.",
	"%s ALERT: payment of £749.00 attempted. Our team will phone you shortly.",
	"Your %s passcode is on its way. Never share it \"with anyone\".",
	"%s: we'll call you in 5 mins re: your account \\ ref 88",
	"hi mum my phone broke text me here 😢",
	"parcel fee £1.45 due\nsee example.net/p",
}

var userAgents = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0.4664.45 Safari/537.36",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 15_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.2 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (X11; Linux x86_64; rv:91.0) Gecko/20100101 Firefox/91.0",
	"Mozilla/5.0 (Linux; Android 11; SM-G991B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/95.0.4638.74 Mobile Safari/537.36",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.1 Safari/605.1.15",
}

var sipAgents = []string{"Zoiper rv2.10.15", "MicroSIP/3.20.7", "Linphone/4.4.2 (belle-sip/4.5.0)", "Groundwire/6.2", "Bria 6", "Asterisk PBX 16.2"}
