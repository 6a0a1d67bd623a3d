package keystore_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	keystorego "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/sluice-project/sluice/internal/keystore"
)

func file(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestIdentity_ReadsWhatKeytoolWrites(t *testing.T) {
	for name, c := range map[string]struct {
		keys keystore.Keys
		want string
	}{
		"JKS":                       {keystore.Keys{keystore.KeyLocation: "testdata/key.jks", keystore.KeyStorePassword: "changeit", keystore.KeyPassword: "other-1"}, "jks.pem"},
		"JKS, unchecked":            {keystore.Keys{keystore.KeyLocation: "testdata/key.jks", keystore.KeyPassword: "other-1"}, "jks.pem"},
		"PKCS12":                    {keystore.Keys{keystore.KeyType: "pkcs12", keystore.KeyLocation: "testdata/key.p12", keystore.KeyStorePassword: "changeit"}, "p12.pem"},
		"PKCS12 under Java's JKS":   {keystore.Keys{keystore.KeyType: "JKS", keystore.KeyLocation: "testdata/key.p12", keystore.KeyStorePassword: "changeit"}, "p12.pem"},
		"PEM, encrypted":            {keystore.Keys{keystore.KeyType: "PEM", keystore.KeyLocation: "testdata/key.pem", keystore.KeyPassword: "changeit"}, "p12.pem"},
		"PEM in the config, in two": {keystore.Keys{keystore.KeyType: "PEM", keystore.KeyText: file(t, "key.pem"), keystore.ChainText: file(t, "p12.pem"), keystore.KeyPassword: "changeit"}, "p12.pem"},
	} {
		id, err := c.keys.Identity()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := keystore.CertificatesPEM([]*x509.Certificate{id.Leaf}); got != strings.ReplaceAll(file(t, c.want), "\r", "") || got != strings.SplitAfter(keystore.ChainPEM(id), "-----END CERTIFICATE-----\n")[0] {
			t.Errorf("%s: another certificate: %s", name, got)
		}
		key, err := keystore.KeyPEM(id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tls.X509KeyPair([]byte(keystore.ChainPEM(id)), []byte(key)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if id, err := (keystore.Keys{}).Identity(); id != nil || err != nil {
		t.Errorf("no keystore: %v %v", id, err)
	}
}

func TestAuthorities_ReadsWhatKeytoolWrites(t *testing.T) {
	for name, c := range map[string]struct {
		keys keystore.Keys
		want string
	}{
		"JKS":                     {keystore.Keys{keystore.TrustLocation: "testdata/trust.jks", keystore.TrustPassword: "changeit"}, "jks.pem"},
		"JKS without a password":  {keystore.Keys{keystore.TrustLocation: "testdata/trust.jks"}, "jks.pem"},
		"JKS with a key":          {keystore.Keys{keystore.TrustLocation: "testdata/key.jks"}, "jks.pem"},
		"PKCS12":                  {keystore.Keys{keystore.TrustLocation: "testdata/trust.p12", keystore.TrustPassword: "changeit"}, "p12.pem"},
		"PEM":                     {keystore.Keys{keystore.TrustType: "PEM", keystore.TrustLocation: "testdata/p12.pem"}, "p12.pem"},
		"PEM in the config":       {keystore.Keys{keystore.TrustType: "PEM", keystore.TrustText: file(t, "p12.pem")}, "p12.pem"},
		"PEM with a key in front": {keystore.Keys{keystore.TrustType: "PEM", keystore.TrustLocation: "testdata/key.pem"}, "p12.pem"},
	} {
		certs, err := c.keys.Authorities()
		if err != nil || keystore.CertificatesPEM(certs) != strings.ReplaceAll(file(t, c.want), "\r", "") {
			t.Errorf("%s: %v %v", name, certs, err)
		}
	}
}

func TestErrors_NameKeyAndFileAndNeverThePassword(t *testing.T) {
	dir := t.TempDir()
	made := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const l, p = keystore.KeyLocation, keystore.KeyStorePassword
	for want, keys := range map[string]keystore.Keys{
		"ssl.keystore.location: open testdata/none: no such file":                              {l: "testdata/none"},
		"ssl.keystore.location: testdata/key.jks: its password is wrong, or it is damaged":     {l: "testdata/key.jks", p: "hunter2"},
		"the password of its private key is wrong (ssl.key.password":                           {l: "testdata/key.jks", p: "changeit", keystore.KeyPassword: "hunter2"},
		"key.p12: pkcs12: decryption password incorrect":                                       {l: "testdata/key.p12", p: "hunter2"},
		"it is in PEM form: set ssl.keystore.type=PEM":                                         {l: "testdata/key.pem"},
		"the key is encrypted: its password is missing (ssl.key.password)":                     {l: "testdata/key.pem", keystore.KeyType: "PEM"},
		"the key cannot be decrypted":                                                          {l: "testdata/key.pem", keystore.KeyType: "PEM", keystore.KeyPassword: "hunter2"},
		"it holds no private key":                                                              {l: "testdata/trust.jks"},
		"it is neither a JKS nor a PKCS12 store":                                               {l: made("a", "x")},
		"JCEKS":                                                                                {l: made("b", "\xce\xce\xce\xce")},
		"it ends too early":                                                                    {l: made("c", "\xfe\xed\xfe\xed\x00\x00\x00\x02\x7f\xff\xff\xff"+strings.Repeat("\x00", 30))},
		"ssl.keystore.type=BKS is not supported":                                               {l: "testdata/key.jks", keystore.KeyType: "BKS"},
		"ssl.keystore.certificate.chain: both are needed":                                      {keystore.KeyText: "x"},
		"it cannot be together with ssl.truststore.certificates":                               {keystore.TrustLocation: "x", keystore.TrustText: "y"},
		"it holds no certificate in PEM form":                                                  {keystore.TrustText: "y"},
		"ssl.truststore.location: testdata/key.p12: pkcs12: expected exactly 1 items":          {keystore.TrustLocation: "testdata/key.p12", keystore.TrustPassword: "changeit"},
		"ssl.truststore.location: testdata/trust.jks: its password is wrong, or it is damaged": {keystore.TrustLocation: "testdata/trust.jks", keystore.TrustPassword: "hunter2"},
	} {
		_, err := keys.Identity()
		if keys[keystore.TrustLocation]+keys[keystore.TrustText] != "" {
			_, err = keys.Authorities()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// issued makes a certificate; parent nil signs itself.
func issued(t testing.TB, name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), IsCA: true, BasicConstraintsValid: true}
	if parent == nil {
		parent, parentKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c, key
}

func TestIdentity_PutsTheChainInOrderWhateverTheStore(t *testing.T) {
	root, rootKey := issued(t, "root", nil, nil)
	middle, middleKey := issued(t, "middle", root, rootKey)
	leaf, leafKey := issued(t, "leaf", middle, middleKey)
	der, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i, order := range [][]*x509.Certificate{{leaf, middle, root}, {root, leaf, middle}} {
		var chain []keystorego.Certificate
		for _, c := range order {
			chain = append(chain, keystorego.Certificate{Type: "X509", Content: c.Raw})
		}
		ks := keystorego.New()
		if err := ks.SetPrivateKeyEntry("a", keystorego.PrivateKeyEntry{CreationTime: time.Unix(0, 0), PrivateKey: der, CertificateChain: chain}, []byte("pass-word")); err != nil {
			t.Fatal(err)
		}
		var jks bytes.Buffer
		if err := ks.Store(&jks, []byte("pass-word")); err != nil {
			t.Fatal(err)
		}
		p12, err := pkcs12.Modern2023.Encode(leafKey, order[0], order[1:], "pass-word")
		if err != nil {
			t.Fatal(err)
		}
		for form, b := range map[string][]byte{"jks": jks.Bytes(), "p12": p12} {
			path := filepath.Join(dir, fmt.Sprint(form, i))
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			id, err := keystore.Keys{keystore.KeyLocation: path, keystore.KeyStorePassword: "pass-word"}.Identity()
			if err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			if want := keystore.CertificatesPEM([]*x509.Certificate{leaf, middle, root}); keystore.ChainPEM(id) != want {
				t.Errorf("%s in order %d: %s", form, i, keystore.ChainPEM(id))
			}
		}
	}
}
