package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// MinPassword is the least number of characters of a password.
const MinPassword = 12

const (
	maxPassword = 1024 // bytes; longer ones only cost work
	passes      = 1
	memoryKiB   = 46 << 10
	lanes       = 1
	saltBytes   = 16
	hashBytes   = 32
)

// decoy is what an unknown name's password is compared with, so that it takes as long as a
// known one's.
var decoy = encode(passes, memoryKiB, lanes, make([]byte, saltBytes), make([]byte, hashBytes))

var b64 = base64.RawStdEncoding

func encode(t, m uint32, p uint8, salt, hash []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, m, t, p,
		b64.EncodeToString(salt), b64.EncodeToString(hash))
}

// NewPassword makes a random password of 120 bits.
func NewPassword() string { return rand.Text()[:24] }

func (a *Auth) hash(ctx context.Context, password string) (string, error) {
	if err := a.slot(ctx); err != nil {
		return "", err
	}
	defer func() { <-a.slots }()
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	sum := argon2.IDKey([]byte(password), salt, passes, memoryKiB, lanes, hashBytes)
	return encode(passes, memoryKiB, lanes, salt, sum), nil
}

func (a *Auth) verify(ctx context.Context, stored, password string) (bool, error) {
	if len(password) > maxPassword {
		password = ""
	}
	var version, m, t uint32
	var p uint8
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errors.New("stored password: unknown format")
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &m, &t, &p); err != nil || version != argon2.Version {
		return false, errors.New("stored password: unknown parameters")
	}
	salt, err1 := b64.DecodeString(parts[4])
	want, err2 := b64.DecodeString(parts[5])
	if err := errors.Join(err1, err2); err != nil || len(want) == 0 {
		return false, errors.New("stored password: not readable")
	}
	if err := a.slot(ctx); err != nil {
		return false, err
	}
	defer func() { <-a.slots }()
	got := argon2.IDKey([]byte(password), salt, t, m, p, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// slot waits for a turn to hash.
func (a *Auth) slot(ctx context.Context) error {
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
