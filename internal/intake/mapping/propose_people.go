package mapping

import (
	"fmt"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/profile"
)

var accountSlots = []slot{
	{name: "username", not: "id email", fits: patterns("username=1; user=.7; nick=.7; nickname=.7; screen name=.7; account name=.8; user alias=.55"), values: func(c *profile.Column) float64 {
		if c.IsTime() || c.Has(profile.Text, profile.IP, profile.CallerID) > 0.5 {
			return 0
		}
		return 1
	}},
	{name: "email", fits: patterns("email=1; email address=1; user email=.95; customer email=.95"), values: func(c *profile.Column) float64 { return c.Has(profile.Email) }, needs: 0.4, not: "notification report host template"},
	{name: "phone", fits: patterns("phone=.95; phone number=.97; mobile=.9; phone mobile=.8; billing phone=.9"), values: phones, needs: 0.4, not: "fax book id"},
	{name: "firstname", fits: patterns("first name=1; firstname=1; given name=1; billing first name=.9"), values: namesOf},
	{name: "lastname", fits: patterns("last name=1; lastname=1; surname=1; family name=1; billing last name=.9"), values: namesOf},
	{name: "fullname", fits: patterns("full name=1; display name=.95; real name=.9; name=.6"), values: namesOf, needs: 0.5, not: "first last company user host domain file"},
	{name: "country", fits: patterns("country=.95; country code=.85; country name=.85; billing country=.9"), values: func(c *profile.Column) float64 { return c.Has(profile.Country) }, needs: 0.3},
	{name: "registered", fits: patterns("created=.93; created date=.97; created time=.95; date created=.97; insert date=.8; first use date=.5"), values: instants, needs: 0.8, prefer: exact, not: "last update expire modified"},
	{name: "last_seen", fits: patterns("last use=.95; last username=.95; last seen=.97; last activity=.9; last visit=.9; last access=.9; last username time=.9"), values: instants, needs: 0.8, prefer: exact, not: "first notification"},
	{name: "balance", fits: patterns("balance=1; credit=.88; funds=.8; wallet balance=.9; account balance=1"), values: amounts, not: "limit notification initial control daily"},
	{name: "currency", fits: patterns("currency=1; currency code=1"), values: func(c *profile.Column) float64 { return c.Has(profile.Currency) }, needs: 0.5},
	{name: "status", fits: patterns("status=.9; active=.9; activated=.88; enabled=.9"), values: codes},
	{name: "parent", fits: patterns("parent id=.95; agent id=.8; reseller id=.9; parent user id=.95; user id=.75"), not: "group type plan"},
}

// account fills accounts and their identifiers from the table of accounts.
func (x *proposer) account() {
	t := x.p.Table(x.accounts)
	if t == nil {
		return
	}
	got := assign(t, accountSlots, x.taken(t))
	s := Source{From: t.Name, Columns: map[string]Column{"account_id": {From: x.key, Confidence: 0.95, Why: "the key that other tables give"}}}
	cols := s.Columns
	if got["parent"].column != nil && strings.EqualFold(got["parent"].column.Name, x.key) {
		delete(got, "parent")
	}
	put(cols, "username", got, "username", "")
	put(cols, "email", got, "email", "trimmed")
	put(cols, "phone_raw", got, "phone", "trimmed")
	put(cols, "phone_e164", got, "phone", "e164")
	put(cols, "country_claimed", got, "country", "country")
	put(cols, "country_claimed_raw", got, "country", "")
	put(cols, "currency", got, "currency", "upper")
	put(cols, "balance_minor", got, "balance", "money")
	put(cols, "parent_account_id", got, "parent", "")
	if f, ok := got["registered"]; ok {
		cols["registered_at"] = x.when(f)
	}
	if f, ok := got["last_seen"]; ok {
		cols["last_seen_at"] = x.when(f)
	}
	if f, ok := got["status"]; ok {
		c := from(f, "")
		if f.column.Codes != nil && f.column.Distinct <= 3 && f.column.MaxLen <= 2 {
			c.Values, c.Else = map[string]string{"1": "active", "0": "inactive"}, "other"
		}
		cols["status"] = c
	}
	var names []string
	conf := 1.0
	for _, n := range []string{"firstname", "lastname"} {
		if f, ok := got[n]; ok {
			names, conf = append(names, "t."+quote(f.column.Name)), min(conf, f.conf)
		}
	}
	switch {
	case len(names) > 0:
		cols["display_name"] = Column{SQL: "nullif(trim(concat_ws(' ', " + strings.Join(names, ", ") + ")), '')", Confidence: conf, Why: "names as the account holder gave them"}
	case got["fullname"].column != nil:
		put(cols, "display_name", got, "fullname", "trimmed")
	}
	for _, id := range []struct{ slot, kind, as string }{{"email", "email", "lower"}, {"phone", "phone", ""}} {
		if f, ok := got[id.slot]; ok {
			x.m.Tables["identifier"] = append(x.m.Tables["identifier"], x.identifier(t, Column{From: x.key, Confidence: 0.95}, f, id.kind))
		}
	}
	x.fill("account", t, s, 0.9, "accounts: other tables' account columns point here")
}

// identifier is one source of identifiers.
func (x *proposer) identifier(t *profile.Table, account Column, f found, kind string) Source {
	norm := from(f, "lower")
	if kind == "phone" {
		norm = Column{SQL: "CAST(e164(CAST(t." + quote(f.column.Name) + " AS VARCHAR)) AS VARCHAR)", Confidence: f.conf}
	}
	k := kind
	return Source{From: t.Name, Where: fmt.Sprintf("coalesce(trim(CAST(t.%s AS VARCHAR)), '') <> ''", quote(f.column.Name)),
		Columns: map[string]Column{"account_id": account, "kind": {Const: &k}, "value": from(f, ""), "value_norm": norm}}
}

// thirdParties sets aside lists of people who are nobody's account: targets, phone books.
func (x *proposer) thirdParties(t *profile.Table) bool {
	name := tableName(t)
	var phone, person bool
	for i := range t.Columns {
		c := &t.Columns[i]
		w := words(c.Name)
		phone = phone || phones(c) > 0.5
		person = person || hasAny(w, "name first email") && c.Has(profile.Words, profile.Email) > 0.3
	}
	listed := hasAny(name, "phonenumber phonebook contact target lead victim recipient addressbook book dnc blacklist") || hasAny(name, "phone") && hasAny(name, "number book list")
	if listed && phone || phone && person && hasAny(name, "list number customer_list people person") {
		x.aside(t, "third parties' personal data (people who were to be called): kept in the source table only")
		return true
	}
	return false
}

// summary sets aside tables of totals, whose rows repeat what single rows say.
func (x *proposer) summary(t *profile.Table) bool {
	if hasAny(tableName(t), "summary") {
		x.aside(t, "totals of calls, which the calls themselves give")
		return true
	}
	return false
}

var sessionSlots = []slot{
	{name: "account", not: "group type", fits: patterns("user id=.95; account id=.95; customer id=.95; card id=.95; user uuid=.95; user=.7; account=.8; username=.75; agent id=.6; admin id=.7")},
	{name: "at", values: instants, needs: 0.8, prefer: exact, not: "update expire modified", fits: patterns("date=.9; time=.9; created=.9; created date=.95; created time=.95; logged time=.97; username time=.95; username date=.95; logged=.9; last use=.6; date time=.9; event time=.9; log date=.9; start time=.8; last activity=.7; access time=.9; entry time=.8")},
	{name: "ip", values: func(c *profile.Column) float64 { return c.Has(profile.IP) }, needs: 0.5, fits: patterns("ip=1; ip address=1; remote ip=.95; remote address=.9; client ip=1; user ip=.95; customer ip=.95; username ip=.95; host=.6; remote addr=.9")},
	{name: "user_agent", values: func(c *profile.Column) float64 { return c.Has(profile.UserAgent) }, needs: 0.4, fits: patterns("user agent=1; agent=.7; useragent=1; browser=.8")},
	{name: "event", fits: patterns("action=.9; event=.9; type=.6; description=.55; page=.6; log level=.3; event type=.9"), values: func(c *profile.Column) float64 {
		if c.Distinct <= 200 {
			return 1
		}
		return 0
	}},
	{name: "ok", fits: patterns("ok=1; success=1; successful=1; username success=1"), values: codes},
}

// sessions takes a table of log-ins or requests: an address, a time, an account.
func (x *proposer) sessions(t *profile.Table) bool {
	name := tableName(t)
	got := assign(t, sessionSlots, x.taken(t))
	if got["ip"].column == nil || got["at"].column == nil || got["account"].column == nil {
		return false
	}
	conf := (got["ip"].conf + got["at"].conf + got["account"].conf) / 3
	if !hasAny(name, "log logs username session access history audit activity request visit") {
		conf *= 0.75
	}
	if conf < threshold || hasAny(name, "sip iax buddie location registration peer extension trunk") {
		return false
	}
	s := Source{From: t.Name, Columns: map[string]Column{}}
	s.Columns["account_id"] = x.accountID(t, got["account"], &s)
	s.Columns["at"] = x.when(got["at"])
	put(s.Columns, "at_raw", got, "at", "")
	put(s.Columns, "ip", got, "ip", "trimmed")
	put(s.Columns, "user_agent", got, "user_agent", "")
	put(s.Columns, "event", got, "event", "")
	if f, ok := got["ok"]; ok && f.column.IsNumber() {
		put(s.Columns, "ok", got, "ok", "flag")
	}
	x.fill("session", t, s, conf, "log-ins or requests: an address, a time and an account")
	return true
}

// identifiers takes what identifies an account from tables of its devices and lines.
func (x *proposer) identifiers(t *profile.Table) bool {
	got := assign(t, sessionSlots, x.taken(t))
	acc, ok := got["account"]
	if !ok || x.accounts == "" || !joined(t, acc.column.Name, x.accounts) {
		return false
	}
	done := false
	for i := range t.Columns {
		c := &t.Columns[i]
		if !c.Filled() || x.secret[t.Name][c.Name] {
			continue
		}
		w := words(c.Name)
		kind, share := "", 0.0
		switch {
		case c.Has(profile.IP) > 0.6 && hasAny(w, "ip addr address host contact"):
			kind, share = "ip", c.Has(profile.IP)
		case c.Has(profile.UserAgent) > 0.6:
			kind, share = "user_agent", c.Has(profile.UserAgent)
		case hasAny(w, "callerid") && phones(c) > 0.6 && hasAny(tableName(t), "callerid"):
			kind, share = "phone", phones(c)
		}
		if kind == "" || hasAny(w, "server default nas local") || c.Distinct < 2 {
			continue
		}
		s := Source{}
		account := x.accountID(t, acc, &s)
		src := x.identifier(t, account, found{c, 0.55 + 0.35*share, fmt.Sprintf("%.0f %% of its values are of kind %s", 100*share, kind)}, kind)
		src.Join = s.Join
		x.m.Tables["identifier"] = append(x.m.Tables["identifier"], src)
		done = true
	}
	if done {
		x.roles[t.Name] = Role{Table: t.Name, Rows: t.Rows, Case: "identifier", Conf: 0.7, Why: "lines or devices of accounts"}
	}
	return done
}

func joined(t *profile.Table, column, table string) bool {
	for _, j := range t.Joins {
		if j.Column == column && j.Table == table {
			return true
		}
	}
	return false
}
