package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

func TestKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "checkpoints")
	var wg sync.WaitGroup
	keys := make([]Key, 20)
	for i := range keys { // all at once, as processes might
		wg.Go(func() {
			var err error
			if keys[i], err = LoadOrCreateKey(dir, testOrigin); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k.Public != keys[0].Public {
			t.Fatal("two keys were made")
		}
	}
	signed, err := note.Sign(&note.Note{Text: "x\n"}, keys[3].Signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(signed, note.VerifierList(keys[7].Verifier)); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Fatal(left, err)
	}
	private, public := filepath.Join(dir, PrivateKeyFile), filepath.Join(dir, PublicKeyFile)
	if info, err := os.Stat(private); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	if _, err := LoadOrCreateKey(dir, "unspoof/case/other"); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		os.Chmod(private, 0o640)
		if _, err := LoadOrCreateKey(dir, testOrigin); err == nil {
			t.Fatal("a key that the group may read was accepted")
		}
		os.Chmod(private, 0o600)
	}
	if err := os.Remove(public); err != nil {
		t.Fatal(err)
	}
	if k, err := LoadOrCreateKey(dir, testOrigin); err != nil || k.Public != keys[0].Public {
		t.Fatal("the public key was not made again", err)
	}
	skey, vkey, err := GenerateKey(testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := parseKey(skey); err != nil || k.Public != vkey {
		t.Fatal("the derived public key differs", err)
	}
	if err := os.WriteFile(public, []byte(vkey), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateKey(dir, testOrigin); err == nil {
		t.Fatal("a public key of another private one was accepted")
	}
	os.Remove(private)
	if _, err := LoadOrCreateKey(dir, testOrigin); err == nil {
		t.Fatal("a lost private key was silently replaced")
	}
	for _, name := range []string{"", "a b", "a+b", "a\nb", "a\xff", "a\x00"} {
		if _, _, err := GenerateKey(name); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
