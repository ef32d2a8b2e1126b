package desk

import (
	"bytes"
	"strings"
)

// masked stands in a row's text where a secret value was.
const masked = "[masked]"

var (
	sqlBackslash = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\x00", `\0`, "\x1a", `\Z`)
	sqlSingle    = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\x00", `\0`, "\x1a", `\Z`)
	sqlDoubled   = strings.NewReplacer(`'`, `''`)
	csvDoubled   = strings.NewReplacer(`"`, `""`)
)

// mask gives a row's text without its secret values, and how many there are. A value is
// looked for in every form in which a dump or a delimited file may write it; when one cannot
// be found the text is withheld as a whole (nil), for it may be there in another form.
func mask(row OriginalRow) (text []byte, secrets int) {
	text = row.Text
	whole := false
	for _, c := range row.Cells {
		if !c.Secret || c.Null || c.Value == "" {
			continue
		}
		secrets++
		found := false
		for _, form := range []string{sqlBackslash.Replace(c.Value), sqlSingle.Replace(c.Value), sqlDoubled.Replace(c.Value), csvDoubled.Replace(c.Value), c.Value} {
			var here bool
			text, here = cut(text, form)
			found = found || here
		}
		whole = whole || !found
	}
	if whole {
		return nil, secrets
	}
	return text, secrets
}

// short is a value so short that it is masked only where it stands alone between delimiters.
const short = 4

// cut replaces a value wherever it stands.
func cut(text []byte, form string) (_ []byte, found bool) {
	if len(form) >= short {
		found = bytes.Contains(text, []byte(form))
		return bytes.ReplaceAll(text, []byte(form), []byte(masked)), found
	}
	var out []byte
	for i := 0; i < len(text); {
		end := i + len(form)
		if end <= len(text) && string(text[i:end]) == form && (i == 0 || delimiter(text[i-1])) && (end == len(text) || delimiter(text[end])) {
			out, i, found = append(out, masked...), end, true
			continue
		}
		out = append(out, text[i])
		i++
	}
	return out, found
}

func delimiter(c byte) bool { return strings.IndexByte("'\"`,;\t()\r\n|", c) >= 0 }
