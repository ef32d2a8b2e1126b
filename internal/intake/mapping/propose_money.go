package mapping

import (
	"strings"

	"github.com/unspoof/unspoof/internal/intake/profile"
)

var paymentSlots = []slot{
	{name: "account", not: "group type agent provider payer", fits: patterns("user id=.95; account id=.95; customer id=.95; card id=.95; user uuid=.95; account=.8; user=.7; account code=.9; username=.7; email=.55; post author=.5")},
	{name: "at", values: instants, needs: 0.8, prefer: exact, not: "expire modified update last finished", fits: patterns("date=.9; time=.88; created=.92; created date=.95; created time=.95; date created=.95; payment date=.97; payment time=.97; date purchased=.9; order date=.95; date paid=.97; transaction date=.95; transaction time=.95; date created gmt=.99; post date gmt=.9; post date=.85")},
	{name: "amount", values: amounts, needs: 0.5, not: "crypto btc bitcoin satoshi sat tax fee vat rate id type limit", fits: patterns("amount=.95; payment=.85; credit=.8; total=.8; total amount=.97; order amount=.9; order total=.95; price=.6; gross=.8; value=.5; sum=.8; payment amount=.95; net amount=.7; mc gross=.85; fiat amount=.9")},
	{name: "crypto", values: amounts, needs: 0.5, fits: patterns("amount crypto=.97; crypto amount=.97; btc amount=.95; amount btc=.95; bitcoin amount=.95; btc=.7; satoshi=.9; satoshis=.9; amount satoshi=.95; coin amount=.9")},
	{name: "currency", values: func(c *profile.Column) float64 { return c.Has(profile.Currency) }, needs: 0.5, fits: patterns("currency=1; currency code=1; coin=.9; asset=.9; order currency=1; mc currency=.9")},
	{name: "address", values: func(c *profile.Column) float64 { return c.Has(profile.BTCAddress) }, needs: 0.5, fits: patterns("address=.8; btc address=1; bitcoin address=1; wallet address=1; wallet=.8; payment address=.95; to address=.8; deposit address=.95; crypto address=.95; recipient address=.9")},
	{name: "txid", values: func(c *profile.Column) float64 { return c.Has(profile.Hex64) }, needs: 0.5, fits: patterns("txid=1; tx id=1; tx hash=1; transaction id=.9; hash=.8; transaction hash=1; tx=.9; txn id=.9")},
	{name: "status", values: codes, fits: patterns("status=.9; payment status=.95; order status=.9; paid status=.85; confirmed=.8; post status=.8")},
	{name: "method", fits: patterns("payment method=1; method=.9; gateway=.8; payment type=.6"), values: func(c *profile.Column) float64 {
		if c.Distinct <= 64 && !c.IsNumber() {
			return 1
		}
		return 0
	}},
	{name: "provider_ref", fits: patterns("invoice number=.95; reference=.9; transaction id=.9; txn id=.9; payment id=.8; external id=.9; invoice id=.8; order id=.6; payment reference=.95"), not: "account user card customer"},
	{name: "id", fits: patterns("id=.95; order id=.9; payment id=.9; uuid=.9; transaction id=.6"), needs: 0.9, not: "user customer account card parent", values: func(c *profile.Column) float64 {
		if c.Unique {
			return 1
		}
		return 0
	}},
}

// payments takes a table of payments: an amount, a time, an account. Refills and credits
// repeat a payment on the account, and are never counted as one.
func (x *proposer) payments(t *profile.Table) bool {
	name := tableName(t)
	if !hasAny(name, "payment epayment logpayment logrefill refill recharge topup deposit crypto cryptocurrency btc bitcoin order transaction paypal transfer payout withdrawal invoice") ||
		hasAny(name, "config configuration method methods status item product agent provider conf meta commission note package stat tax lookup") {
		return false
	}
	got := assign(t, paymentSlots, x.taken(t))
	if got["crypto"].column == nil && got["amount"].column == nil || got["at"].column == nil || got["account"].column == nil {
		return false
	}
	conf := (max(got["crypto"].conf, got["amount"].conf) + got["at"].conf + got["account"].conf) / 3
	if conf < threshold {
		return false
	}
	if hasAny(name, "invoice") {
		return false // what was asked for, not what was paid
	}
	s := Source{From: t.Name, Columns: map[string]Column{}}
	cols := s.Columns
	prefix := strings.Join(name, "_") + ":"
	if f, ok := got["id"]; ok {
		c := from(f, "")
		c.Prefix = prefix
		cols["payment_id"] = c
	} else {
		cols["payment_id"] = Column{From: "ref_row", Prefix: prefix, Confidence: 0.6, Why: "no column has one value a row: the row's ordinal in the source"}
	}
	cols["account_id"] = x.accountID(t, got["account"], &s)
	cols["at"] = x.when(got["at"])
	say := func(v string) *string { return &v }
	direction := Column{Const: say("in"), Confidence: 0.7, Why: "the table's name: payments by customers"}
	switch {
	case hasAny(name, "refill logrefill credit recharge topup"):
		direction = Column{Const: say("credit"), Confidence: 0.8, Why: "a credit to the account: it repeats a payment and is never counted as one"}
	case hasAny(name, "payout withdrawal"):
		direction = Column{Const: say("out"), Confidence: 0.8, Why: "the table's name: payments by the service"}
	}
	cols["direction"] = direction
	put(cols, "amount_minor", got, "amount", "money")
	if f, ok := got["currency"]; ok {
		if got["crypto"].column != nil || f.column.Has(profile.Currency) > 0 && hasAny(name, "crypto cryptocurrency btc bitcoin") {
			cols["asset"] = from(f, "upper")
		} else {
			cols["currency"], cols["asset"] = from(f, "upper"), from(f, "upper")
		}
	}
	if f, ok := got["crypto"]; ok {
		c := from(f, "btc")
		if hasAny(words(f.column.Name), "satoshi satoshis sat") {
			c.As = "number"
		} else if a, has := cols["asset"]; has && a.From != "" {
			c = Column{SQL: "CASE WHEN upper(trim(CAST(t." + quote(a.From) + " AS VARCHAR))) IN ('BTC', 'XBT', 'BITCOIN') THEN TRY(CAST(TRY_CAST(t." + quote(f.column.Name) + " AS DECIMAL(38,8)) * 100000000 AS BIGINT)) END",
				Confidence: f.conf, Why: f.why + "; satoshis where the currency is bitcoin"}
		}
		cols["amount_sat"] = c
		cols["method"] = Column{Const: say("cryptocurrency"), Confidence: 0.9}
	}
	put(cols, "address", got, "address", "trimmed")
	put(cols, "txid", got, "txid", "lower")
	if f, ok := got["method"]; ok {
		cols["method"] = from(f, "trimmed")
	}
	put(cols, "provider_ref", got, "provider_ref", "trimmed")
	if f, ok := got["status"]; ok {
		c := from(f, "lower")
		values := map[string]string{}
		for code := range f.column.Codes {
			switch strings.TrimPrefix(strings.ToUpper(code), "WC-") {
			case "COMPLETED", "COMPLETE", "PAID", "CONFIRMED", "PROCESSING":
				values[code] = "completed"
			case "PENDING", "ON-HOLD", "NEW", "UNCONFIRMED", "UNPAID":
				values[code] = "pending"
			case "FAILED", "CANCELLED", "CANCELED", "EXPIRED":
				values[code] = "failed"
			case "REFUNDED":
				values[code] = "refunded"
			}
		}
		if len(values) > 0 {
			c.As, c.Values, c.Else = "", values, "unknown"
			c.Why += "; its codes are known"
		}
		cols["status"] = c
	}
	x.fill("payment", t, s, conf, "payments: an amount, a time and an account")
	return true
}

// wallets takes a table of the service's own addresses.
func (x *proposer) wallets(t *profile.Table) bool {
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Has(profile.BTCAddress) < 0.6 || x.secret[t.Name][c.Name] || !hasAny(tableName(t), "wallet address addresse btc bitcoin deposit") {
			continue
		}
		kind := "address"
		s := Source{From: t.Name, Columns: map[string]Column{"kind": {Const: &kind}, "address": {From: c.Name, As: "trimmed", Confidence: 0.85, Why: "Bitcoin addresses with valid checksums"}}}
		if t.Key != "" {
			s.Columns["wallet_id"] = Column{From: t.Key, Confidence: 0.8}
		}
		if got := assign(t, paymentSlots, x.taken(t)); got["account"].column != nil {
			s.Columns["owner_account_id"] = x.accountID(t, got["account"], &s)
		}
		x.fill("wallet", t, s, 0.75, "addresses of the service or its customers")
		return true
	}
	return false
}

var messageSlots = []slot{
	{name: "account", fits: patterns("user id=.95; account id=.95; customer id=.95; card id=.95; user uuid=.95; account=.8; user=.7; username=.7")},
	{name: "at", values: instants, needs: 0.8, prefer: exact, not: "update expire modified", fits: patterns("date=.9; time=.88; created=.92; created date=.95; sent time=.97; sent date=.97; sent=.9; date time=.9; send time=.95")},
	{name: "text", values: func(c *profile.Column) float64 { return c.Has(profile.Text, profile.Words) }, needs: 0.4, fits: patterns("sms=.95; message=.9; text=.95; body=.9; content=.85; sms text=.97; message text=.97; message body=.97"), not: "id from to status"},
	{name: "to", values: phones, needs: 0.4, fits: patterns("phone=.92; phone number=.92; to=.9; to number=.95; destination=.9; destination number=.95; recipient=.95; receiver=.9; number=.8; sms to=.95; message to=.95; called=.8")},
	{name: "sender", fits: patterns("sms from=.97; from=.9; sender=.95; sender id=.97; from number=.9; source=.7; source number=.7; message from=.95; callerid=.8")},
	{name: "outcome", fits: patterns("result=.85; status=.8; delivery status=.95; message status=.9")},
	{name: "id", fits: patterns("id=.95; message id=.9; sms id=.9; uuid=.9; message uuid=.95"), needs: 0.9, not: "user customer account card", values: func(c *profile.Column) float64 {
		if c.Unique {
			return 1
		}
		return 0
	}},
}

// messages takes a table of text messages: a text, a recipient, a time.
func (x *proposer) messages(t *profile.Table) bool {
	if !hasAny(tableName(t), "sms message text outbox sentitem") || hasAny(tableName(t), "config template method provider queue") {
		return false
	}
	got := assign(t, messageSlots, x.taken(t))
	if got["text"].column == nil || got["to"].column == nil || got["at"].column == nil {
		return false
	}
	s := Source{From: t.Name, Columns: map[string]Column{}}
	put(s.Columns, "message_id", got, "id", "")
	if f, ok := got["account"]; ok {
		s.Columns["account_id"] = x.accountID(t, f, &s)
	}
	s.Columns["at"] = x.when(got["at"])
	put(s.Columns, "sender_id", got, "sender", "")
	put(s.Columns, "recipient_raw", got, "to", "")
	put(s.Columns, "recipient_e164", got, "to", "e164")
	put(s.Columns, "text", got, "text", "masked")
	put(s.Columns, "outcome", got, "outcome", "")
	x.fill("message", t, s, (got["text"].conf+got["to"].conf+got["at"].conf)/3, "text messages: a text, a recipient and a time")
	return true
}

var scriptSlots = []slot{
	{name: "account", fits: messageSlots[0].fits},
	{name: "at", values: instants, needs: 0.8, not: "expire modified update end", fits: patterns("created=.93; created date=.97; created time=.95; insert date=.8; date=.7")},
	{name: "text", values: func(c *profile.Column) float64 { return c.Has(profile.Text) }, needs: 0.3, fits: patterns("tts audio=.97; tts=.95; tts text=.97; script=.9; say text=.9; message=.6; text=.6"), not: "id asr 2"},
	{name: "file", values: func(c *profile.Column) float64 { return c.Has(profile.Audio, profile.Words) }, needs: 0.3, fits: patterns("audio=.9; audio file=.95; recording filename=.9; file=.6; recording=.7"), not: "tts asr 2"},
	{name: "id", fits: patterns("id=.95; campaign id=.9; uuid=.9; recording uuid=.9"), needs: 0.9, not: "user customer account card", values: messageSlots[6].values},
}

// scripts takes tables of what is played or said to the called.
func (x *proposer) scripts(t *profile.Table) bool {
	if !hasAny(tableName(t), "campaign broadcast script tts announcement recording") || hasAny(tableName(t), "group poll phone phonebook status restrict log dashboard report phonestatus") {
		return false
	}
	got := assign(t, scriptSlots, x.taken(t))
	text, file := got["text"].column, got["file"].column
	if text == nil && file == nil || got["id"].column == nil {
		return false
	}
	s := Source{From: t.Name, Columns: map[string]Column{}}
	put(s.Columns, "script_id", got, "id", "")
	if f, ok := got["account"]; ok {
		s.Columns["account_id"] = x.accountID(t, f, &s)
	}
	kind := "audio"
	if text != nil && file != nil {
		s.Columns["kind"] = Column{SQL: "CASE WHEN coalesce(CAST(t." + quote(text.Name) + " AS VARCHAR), '') <> '' THEN 'tts' ELSE 'audio' END", Confidence: 0.85}
	} else {
		if text != nil {
			kind = "tts"
		}
		s.Columns["kind"] = Column{Const: &kind, Confidence: 0.85}
	}
	put(s.Columns, "text", got, "text", "masked")
	put(s.Columns, "file", got, "file", "trimmed")
	if f, ok := got["at"]; ok {
		s.Columns["created_at"] = x.when(f)
	}
	x.fill("script", t, s, max(got["text"].conf, got["file"].conf), "what is played or said to the called")
	return true
}
