package verify

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// verifierKey is the public half of a log's signing key, in the encoding of C2SP signed-note:
// name+hash+base64(1, 32 bytes of Ed25519).
type verifierKey struct {
	name string
	id   [4]byte
	key  ed25519.PublicKey
}

func parseKey(text string) (verifierKey, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 || parts[0] == "" {
		return verifierKey{}, errors.New("is not of the form name+hash+key")
	}
	data, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(data) != 1+ed25519.PublicKeySize || data[0] != 1 {
		return verifierKey{}, errors.New("holds no Ed25519 key")
	}
	k := verifierKey{name: parts[0], key: ed25519.PublicKey(data[1:])}
	sum := sha256.Sum256(append([]byte(k.name+"\n"), data...))
	copy(k.id[:], sum[:])
	if hex.EncodeToString(k.id[:]) != parts[1] {
		return verifierKey{}, errors.New("its hash is not that of its name and key: one of them was altered")
	}
	return k, nil
}

// open checks a checkpoint: a signed note whose text is origin, size and base64 root, a line
// each, signed by this key, whose name is the origin. Signatures by other keys (witnesses)
// are passed over.
func (k verifierKey) open(signed []byte) (head, error) {
	note := string(signed)
	cut := strings.LastIndex(note, "\n\n")
	if cut < 0 || len(signed) > maxNote || !utf8.Valid(signed) || !strings.HasSuffix(note, "\n") {
		return head{}, errors.New("is not a signed note")
	}
	text, good := note[:cut+1], false
	for _, line := range strings.Split(strings.TrimSuffix(note[cut+2:], "\n"), "\n") {
		name, sig, ok := strings.Cut(strings.TrimPrefix(line, "\u2014 "), " ")
		if !ok || !strings.HasPrefix(line, "\u2014 ") {
			return head{}, errors.New("has a line that is no signature where signatures stand")
		}
		b, err := base64.StdEncoding.Strict().DecodeString(sig)
		if err != nil || len(b) < 5 {
			return head{}, errors.New("has a signature that does not decode")
		}
		if name != k.name || [4]byte(b[:4]) != k.id {
			continue
		}
		if len(b) != 4+ed25519.SignatureSize || !ed25519.Verify(k.key, []byte(text), b[4:]) {
			return head{}, errors.New("the signature does not fit: the checkpoint was altered")
		}
		good = true
	}
	if !good {
		return head{}, fmt.Errorf("is not signed by the key in checkpoints/ledger.pub (%s+%x): another key signed it, or the key was exchanged", k.name, k.id)
	}
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] != k.name {
		return head{}, fmt.Errorf("its origin %q is not the key's name %q", lines[0], k.name)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || err2 != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] || len(root) != len(hash{}) {
		return head{}, errors.New("its size or root does not read")
	}
	return head{size: size, root: hash(root)}, nil
}
