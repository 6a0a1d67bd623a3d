package keystore_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/internal/keystore"
)

// FuzzStores_AreUsableOrRefused: whatever a file holds, and whatever it claims of its size.
func FuzzStores_AreUsableOrRefused(f *testing.F) {
	for _, name := range []string{"key.jks", "trust.jks", "key.p12", "trust.p12", "key.pem", "p12.pem"} {
		f.Add([]byte(file(f, name)), strings.HasSuffix(name, ".pem"), "changeit", "other-1")
		f.Add([]byte(file(f, name)), strings.HasSuffix(name, ".pem"), "", "other-1")
	}
	path := filepath.Join(f.TempDir(), "store")
	f.Fuzz(func(t *testing.T, b []byte, pem bool, password, keyPassword string) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		k := keystore.Keys{keystore.KeyLocation: path, keystore.TrustLocation: path, keystore.KeyStorePassword: password, keystore.TrustPassword: password, keystore.KeyPassword: keyPassword}
		if pem {
			k[keystore.KeyType], k[keystore.TrustType] = "PEM", "PEM"
		}
		certs, err := k.Authorities()
		if err == nil && len(certs) == 0 {
			t.Fatalf("%q: no certificate and no error", b)
		}
		id, err := k.Identity()
		if err != nil {
			return
		}
		key, err := keystore.KeyPEM(id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tls.X509KeyPair([]byte(keystore.ChainPEM(id)), []byte(key)); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
	})
}
