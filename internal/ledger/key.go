package ledger

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// The names of the key files in a case's folder of checkpoints.
const (
	PrivateKeyFile = "ledger.key"
	PublicKeyFile  = "ledger.pub"
)

// Signer signs checkpoints. Its name must be the log's origin. A *note.Signer made from an Ed25519 key is one; a
// hardware token may be another.
type Signer = note.Signer

// Key is a log's signing key. Whoever can read its private half can sign another history: it belongs outside
// the database, and best outside the machine.
type Key struct {
	Signer   Signer
	Verifier note.Verifier
	Public   string // the verifier key, "name+hash+base64": publish it and print it in reports
}

// GenerateKey makes an Ed25519 key in the signed-note encoding: skey is secret, vkey public.
func GenerateKey(name string) (skey, vkey string, err error) {
	if err := checkOrigin(name); err != nil {
		return "", "", err
	}
	return note.GenerateKey(rand.Reader, name)
}

// LoadOrCreateKey reads the key in dir, or makes it if there is none: ledger.key (mode 0600) and ledger.pub.
// Two processes that start at once end up with the same key. It refuses a private key that others may read,
// one of another name, and a public key that does not belong to the private one.
func LoadOrCreateKey(dir, name string) (Key, error) {
	private, public := filepath.Join(dir, PrivateKeyFile), filepath.Join(dir, PublicKeyFile)
	if _, err := os.Lstat(private); errors.Is(err, fs.ErrNotExist) {
		skey, _, err := GenerateKey(name)
		if err != nil {
			return Key{}, err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return Key{}, fmt.Errorf("make the key's folder: %w", err)
		}
		_, err = os.Stat(public)
		if _, made := os.Lstat(private); err == nil && made != nil { // another process makes the private one first
			return Key{}, fmt.Errorf("%s is there but %s is missing: put the key back, or move the public key away to begin with a new one",
				public, private)
		}
		if err := createOnce(private, []byte(skey+"\n"), 0o600); err != nil {
			return Key{}, fmt.Errorf("save the ledger's key: %w", err)
		}
	} else if err != nil {
		return Key{}, fmt.Errorf("read the ledger's key: %w", err)
	}
	raw, err := os.ReadFile(private) // which may be another process's
	if err != nil {
		return Key{}, fmt.Errorf("read the ledger's key: %w", err)
	}
	if info, err := os.Stat(private); err != nil {
		return Key{}, fmt.Errorf("read the ledger's key: %w", err)
	} else if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return Key{}, fmt.Errorf("%s may be read by others (mode %#o): run chmod 600, and consider a new key", private, info.Mode().Perm())
	}
	key, err := parseKey(strings.TrimSpace(string(raw)))
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w", private, err)
	}
	if key.Signer.Name() != name {
		return Key{}, fmt.Errorf("%s: %w: the key is for %q, not %q", private, ErrInvalid, key.Signer.Name(), name)
	}
	if err := createOnce(public, []byte(key.Public+"\n"), 0o644); err != nil {
		return Key{}, fmt.Errorf("save the ledger's public key: %w", err)
	}
	if saved, err := os.ReadFile(public); err != nil {
		return Key{}, fmt.Errorf("read the ledger's public key: %w", err)
	} else if strings.TrimSpace(string(saved)) != key.Public {
		return Key{}, fmt.Errorf("%s does not belong to %s", public, private)
	}
	return key, nil
}

// parseKey reads "PRIVATE+KEY+name+hash+base64(1, seed)" and derives the public half.
func parseKey(skey string) (Key, error) {
	signer, err := note.NewSigner(skey)
	if err != nil {
		return Key{}, err
	}
	parts := strings.SplitN(skey, "+", 5)
	if len(parts) != 5 {
		return Key{}, fmt.Errorf("%w: malformed key", ErrInvalid)
	}
	data, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(data) != 1+ed25519.SeedSize {
		return Key{}, fmt.Errorf("%w: malformed key", ErrInvalid)
	}
	pub := ed25519.NewKeyFromSeed(data[1:]).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(signer.Name(), pub)
	if err != nil {
		return Key{}, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return Key{}, err
	}
	return Key{Signer: signer, Verifier: verifier, Public: vkey}, nil
}

// createOnce writes a file whole or not at all, and leaves one that is already there as it is.
func createOnce(path string, data []byte, mode fs.FileMode) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	tmp, err := writeTemp(path, data, mode)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeTemp writes and syncs data under a temporary name beside path.
func writeTemp(path string, data []byte, mode fs.FileMode) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := f.Chmod(mode); err != nil {
		return "", err
	}
	if _, err := f.Write(data); err != nil {
		return "", err
	}
	return f.Name(), f.Sync()
}

// syncDir makes new names in a folder durable. Windows cannot sync a folder, and need not.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
