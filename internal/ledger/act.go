package ledger

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxBody is the greatest length of an entry's body in bytes; the C2SP entry bundle counts in 16 bits.
const MaxBody = 65535

// bodyVersion is the value of "v" in every body this package writes.
const bodyVersion = 1

// timeLayout has a fixed width, so that times sort as text does.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// Outcome says how an act ended.
type Outcome string

// The outcomes. An Intent announces work done outside the database; one of the other three answers it.
const (
	Intent  Outcome = "intent"
	Done    Outcome = "done"
	Refused Outcome = "refused"
	Failed  Outcome = "failed"
)

func (o Outcome) valid() bool {
	return o == Intent || o == Done || o == Refused || o == Failed
}

// Act is what an entry records. Actor, Action and Outcome are required. All text must be UTF-8: text that
// is not is refused, never mended, so quote hostile bytes (%q) before naming them.
type Act struct {
	At      time.Time // when, by the machine's clock; zero means now. Kept in UTC to the microsecond
	Actor   string    // who: a user id, or a process such as "system"
	Role    string    // in which role
	Action  string    // what: seal, view, export ...
	Object  string    // on what: ids and hashes, not personal data
	Purpose string    // why, in the actor's words or by a reference
	Outcome Outcome
	Answers *int64         // seq of the Intent entry that this outcome closes
	Details map[string]any // anything JSON can say; keys are sorted at every depth, numbers keep their digits
	App     string         // version of the application; empty means the one given to Open
}

// Entry is one leaf of the log: the exact bytes that were hashed, and their place.
type Entry struct {
	Seq  int64  // from 0, without gaps
	Body []byte // canonical JSON, see DESIGN.md
}

// Hash gives the RFC 6962 leaf hash of the body.
func (e Entry) Hash() tlog.Hash { return tlog.RecordHash(e.Body) }

// Act decodes the body. It fails if the body is not one of ours or carries another seq.
func (e Entry) Act() (Act, error) {
	var w wireBody
	dec := json.NewDecoder(bytes.NewReader(e.Body))
	dec.UseNumber()
	if err := dec.Decode(&w); err != nil {
		return Act{}, fmt.Errorf("entry %d: %w: %v", e.Seq, ErrCorrupt, err)
	}
	if w.V != bodyVersion {
		return Act{}, fmt.Errorf("entry %d: version %d is not known here", e.Seq, w.V)
	}
	if w.Seq == nil || *w.Seq != e.Seq {
		return Act{}, fmt.Errorf("entry %d: %w: its body carries another seq", e.Seq, ErrCorrupt)
	}
	at, err := time.Parse(time.RFC3339Nano, w.At)
	if err != nil {
		return Act{}, fmt.Errorf("entry %d: %w: %v", e.Seq, ErrCorrupt, err)
	}
	return Act{
		At: at.UTC(), Actor: w.Actor, Role: w.Role, Action: w.Action, Object: w.Object, Purpose: w.Purpose,
		Outcome: w.Outcome, Answers: w.Answers, Details: w.Details, App: w.App,
	}, nil
}

// wireHead is a body without its last two members. The fields stand in the order of their keys, and every
// key sorts before "seq" and "v", so that the writer only has to append those two.
type wireHead struct {
	Action  string          `json:"action"`
	Actor   string          `json:"actor"`
	Answers *int64          `json:"answers,omitempty"`
	App     string          `json:"app"`
	At      string          `json:"at"`
	Details json.RawMessage `json:"details,omitempty"`
	Object  string          `json:"object"`
	Outcome Outcome         `json:"outcome"`
	Purpose string          `json:"purpose,omitempty"`
	Role    string          `json:"role,omitempty"`
}

// wireBody is a whole body as it is read back.
type wireBody struct {
	wireHead
	Details map[string]any `json:"details"`
	Seq     *int64         `json:"seq"`
	V       int            `json:"v"`
}

// head checks the act and encodes all of its body but seq and v.
func (a Act) head() ([]byte, error) {
	for _, f := range [...]struct{ name, text string }{
		{"actor", a.Actor}, {"role", a.Role}, {"action", a.Action}, {"object", a.Object},
		{"purpose", a.Purpose}, {"app", a.App},
	} {
		if !utf8.ValidString(f.text) {
			return nil, fmt.Errorf("act: %w: %s %q is not UTF-8", ErrInvalid, f.name, f.text)
		}
	}
	switch {
	case a.Actor == "":
		return nil, fmt.Errorf("act: %w: no actor", ErrInvalid)
	case a.Action == "":
		return nil, fmt.Errorf("act: %w: no action", ErrInvalid)
	case !a.Outcome.valid():
		return nil, fmt.Errorf("act: %w: outcome %q", ErrInvalid, string(a.Outcome))
	case a.Answers != nil && (*a.Answers < 0 || a.Outcome == Intent):
		return nil, fmt.Errorf("act: %w: outcome %q cannot answer entry %d", ErrInvalid, string(a.Outcome), *a.Answers)
	}
	at := a.At.UTC()
	if y := at.Year(); y < 1 || y > 9999 {
		return nil, fmt.Errorf("act: %w: year %d", ErrInvalid, y)
	}
	details, err := canonicalDetails(a.Details)
	if err != nil {
		return nil, err
	}
	b, err := encode(wireHead{
		Action: a.Action, Actor: a.Actor, Answers: a.Answers, App: a.App, At: at.Format(timeLayout), Details: details,
		Object: a.Object, Outcome: a.Outcome, Purpose: a.Purpose, Role: a.Role,
	})
	if err != nil {
		return nil, fmt.Errorf("act: %w: %v", ErrInvalid, err)
	}
	return bytes.TrimSuffix(b, []byte("}")), nil
}

// bodyFromHead completes what head began.
func bodyFromHead(head []byte, seq int64) []byte {
	b := make([]byte, 0, len(head)+40)
	b = append(b, head...)
	b = append(b, `,"seq":`...)
	b = strconv.AppendInt(b, seq, 10)
	b = append(b, `,"v":`...)
	b = strconv.AppendInt(b, bodyVersion, 10)
	return append(b, '}')
}

// canonicalDetails encodes details with sorted keys at every depth, whatever Go types they were made of.
func canonicalDetails(details map[string]any) (json.RawMessage, error) {
	if len(details) == 0 {
		return nil, nil
	}
	first, err := encode(details)
	if err != nil {
		return nil, fmt.Errorf("act: %w: details: %v", ErrInvalid, err)
	}
	// encoding/json replaces bytes that are not UTF-8 by the escape \ufffd; a genuine U+FFFD it writes plainly.
	if !utf8.Valid(first) || hasReplacement(first) {
		return nil, fmt.Errorf("act: %w: details hold text that is not UTF-8", ErrInvalid)
	}
	var tree any
	dec := json.NewDecoder(bytes.NewReader(first))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("act: %w: details: %v", ErrInvalid, err)
	}
	b, err := encode(tree)
	if err != nil {
		return nil, fmt.Errorf("act: %w: details: %v", ErrInvalid, err)
	}
	return b, nil
}

// hasReplacement reports whether JSON text holds the escape \ufffd (and not an escaped backslash before "ufffd").
func hasReplacement(b []byte) bool {
	for {
		i := bytes.Index(b, []byte(`\ufffd`))
		if i < 0 {
			return false
		}
		slashes := 0
		for j := i - 1; j >= 0 && b[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return true
		}
		b = b[i+1:]
	}
}

// encode is json.Marshal without the HTML escapes, which would only make a disclosed log harder to read.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// Digest names a sensitive value in an entry without saying it: "hmac-sha256:" and the hex HMAC-SHA-256 of
// the value. Use one random key of at least 32 bytes a case, kept outside the log: telephone numbers are few
// enough to be found from a plain hash, and destroying the key makes the digests say nothing for good.
func Digest(key []byte, value string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(value))
	return "hmac-sha256:" + hex.EncodeToString(m.Sum(nil))
}
