package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The bytes of a body are a promise to everyone who will ever check one: they may not change within version 1.
func TestBodyBytes(t *testing.T) {
	three := int64(3)
	a := Act{
		At:    time.Date(2026, 11, 26, 12, 0, 0, 5000, time.FixedZone("", 3600)),
		Actor: "user:7", Role: "analyst", Action: "export", Object: "exhibit:AB/1", Purpose: "R v <X> & Y",
		Outcome: Done, Answers: &three, App: "1.2.3",
		Details: map[string]any{"z": 1, "a": map[string]any{"y": json.Number("12345678901234567890"), "b": []any{true, nil, "é\u2028"}}},
	}
	head, err := a.head()
	if err != nil {
		t.Fatal(err)
	}
	got := string(bodyFromHead(head, 9))
	want := `{"action":"export","actor":"user:7","answers":3,"app":"1.2.3","at":"2026-11-26T11:00:00.000005Z",` +
		`"details":{"a":{"b":[true,null,"é\u2028"],"y":12345678901234567890},"z":1},` +
		`"object":"exhibit:AB/1","outcome":"done","purpose":"R v <X> & Y","role":"analyst","seq":9,"v":1}`
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	back, err := Entry{Seq: 9, Body: []byte(got)}.Act()
	if err != nil {
		t.Fatal(err)
	}
	if !back.At.Equal(a.At) || back.Actor != a.Actor || *back.Answers != 3 || back.App != a.App || back.Purpose != a.Purpose ||
		!reflect.DeepEqual(back.Details["a"].(map[string]any)["y"], json.Number("12345678901234567890")) {
		t.Fatalf("read back %+v", back)
	}
	if _, err := (Entry{Seq: 8, Body: []byte(got)}).Act(); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("a body under another seq: %v", err)
	}
}

func TestDetailsAreCanonicalWhateverTheirTypes(t *testing.T) {
	type pair struct {
		B int `json:"b"`
		A int `json:"a"`
	}
	one, err := canonicalDetails(map[string]any{"p": pair{B: 2, A: 1}})
	if err != nil {
		t.Fatal(err)
	}
	two, err := canonicalDetails(map[string]any{"p": json.RawMessage(` { "b" : 2, "a":1 }`)})
	if err != nil {
		t.Fatal(err)
	}
	if string(one) != `{"p":{"a":1,"b":2}}` || string(one) != string(two) {
		t.Fatalf("%s and %s", one, two)
	}
	if b, err := canonicalDetails(map[string]any{"t": `\ufffd and � as text`}); err != nil || !strings.Contains(string(b), "�") {
		t.Fatalf("text that only looks damaged: %s, %v", b, err)
	}
}

func TestActsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	minus, zero := int64(-1), int64(0)
	for name, change := range map[string]func(*Act){
		"no actor":            func(a *Act) { a.Actor = "" },
		"no action":           func(a *Act) { a.Action = "" },
		"no outcome":          func(a *Act) { a.Outcome = "" },
		"unknown outcome":     func(a *Act) { a.Outcome = "perhaps" },
		"text not UTF-8":      func(a *Act) { a.Object = "a\xffb" },
		"details not UTF-8":   func(a *Act) { a.Details = map[string]any{"k": []string{"a\xffb"}} },
		"key not UTF-8":       func(a *Act) { a.Details = map[string]any{"a\xff": 1} },
		"raw not UTF-8":       func(a *Act) { a.Details = map[string]any{"k": json.RawMessage("\"a\xff\"")} },
		"not a number":        func(a *Act) { a.Details = map[string]any{"k": math.NaN()} },
		"no JSON":             func(a *Act) { a.Details = map[string]any{"k": make(chan int)} },
		"answers -1":          func(a *Act) { a.Answers = &minus },
		"intent that answers": func(a *Act) { a.Answers, a.Outcome = &zero, Intent },
		"year 10000":          func(a *Act) { a.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"too long":            func(a *Act) { a.Purpose = strings.Repeat("x", MaxBody) },
	} {
		a := act("o")
		change(&a)
		ran := false
		_, err := w.log.Append(context.Background(), a, func(*Tx) error { ran = true; return nil })
		if !errors.Is(err, ErrInvalid) || errors.Is(err, ErrUnwritable) || ran {
			t.Errorf("%s: %v (act ran: %v)", name, err, ran)
		}
	}
	if n := w.count(t, `SELECT count(*) FROM ledger_entry`); n != 0 {
		t.Fatalf("%d entries were kept", n)
	}
}

func TestLongestBody(t *testing.T) {
	w := newWorld(t)
	a := act("o")
	a.At = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a.Purpose = "x"
	head, err := a.head()
	if err != nil {
		t.Fatal(err)
	}
	a.Purpose = strings.Repeat("x", MaxBody-len(bodyFromHead(head, 0))+1)
	e, err := w.log.Append(context.Background(), a, nil)
	if err != nil || len(e.Body) != MaxBody {
		t.Fatalf("%d bytes: %v", len(e.Body), err)
	}
	if _, err := w.log.Append(context.Background(), Act{
		At: a.At, Actor: a.Actor, Role: a.Role, Action: a.Action, Object: a.Object, Outcome: a.Outcome, Purpose: a.Purpose + "x",
	}, nil); !errors.Is(err, ErrInvalid) {
		t.Fatalf("one byte more: %v", err)
	}
	w.sound(t)
}

func TestDigest(t *testing.T) {
	// RFC 4231, test case 2.
	const want = "hmac-sha256:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	if got := Digest([]byte("Jefe"), "what do ya want for nothing?"); got != want {
		t.Fatal(got)
	}
}
