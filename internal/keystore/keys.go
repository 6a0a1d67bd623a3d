package keystore

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

// The keys, without a prefix.
const (
	KeyType          = "ssl.keystore.type"
	KeyLocation      = "ssl.keystore.location"
	KeyStorePassword = "ssl.keystore.password"
	KeyPassword      = "ssl.key.password"
	KeyText          = "ssl.keystore.key"
	ChainText        = "ssl.keystore.certificate.chain"
	TrustType        = "ssl.truststore.type"
	TrustLocation    = "ssl.truststore.location"
	TrustPassword    = "ssl.truststore.password"
	TrustText        = "ssl.truststore.certificates"
)

const (
	// maxFile bounds a store, in bytes: Java's own cacerts has 200 KB.
	maxFile = 16 << 20
	// maxIterations bounds the work that a PKCS12 file may ask for before its password is known to be right. Java writes
	// 10,000.
	maxIterations = 10_000_000
)

// Keys is a config of Java's.
type Keys map[string]string

func (k Keys) text(key string) string { return strings.TrimSpace(k[key]) }

// PEM says that a store's type is PEM. which is KeyType or TrustType.
func (k Keys) PEM(which string) bool { return strings.EqualFold(k.text(which), "PEM") }

// Identity is the certificate that the keystore has, with its chain and key; nil where no keystore is named.
func (k Keys) Identity() (*tls.Certificate, error) {
	location, key, chain := k.text(KeyLocation), k[KeyText], k[ChainText]
	switch inline := key != "" || chain != ""; {
	case !inline && location == "":
		return nil, nil //nolint:nilnil // none is an answer
	case inline && location != "":
		return nil, fmt.Errorf("%s: it cannot be together with %s and %s", KeyLocation, KeyText, ChainText)
	case inline && (key == "" || chain == ""):
		return nil, fmt.Errorf("%s and %s: both are needed", KeyText, ChainText)
	case inline:
		id, err := pair([]byte(key+"\n"+chain), k[KeyPassword])
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w", KeyText, ChainText, err)
		}
		return id, nil
	}
	b, err := read(KeyLocation, location)
	if err != nil {
		return nil, err
	}
	keyPassword := k[KeyPassword]
	if keyPassword == "" && !k.PEM(KeyType) {
		keyPassword = k[KeyStorePassword]
	}
	var id *tls.Certificate
	switch form, err2 := k.form(KeyType, b); {
	case err2 != nil:
		err = err2
	case form == "PEM":
		id, err = pair(b, keyPassword)
	case form == "JKS":
		id, err = jksIdentity(b, k[KeyStorePassword], keyPassword)
	default:
		id, err = pkcs12Identity(b, k[KeyStorePassword])
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", KeyLocation, location, err)
	}
	return id, nil
}

// Authorities are the certificates that the truststore has; nil where no truststore is named.
func (k Keys) Authorities() ([]*x509.Certificate, error) {
	location := k.text(TrustLocation)
	if text := k[TrustText]; text != "" {
		if location != "" {
			return nil, fmt.Errorf("%s: it cannot be together with %s", TrustLocation, TrustText)
		}
		certs, err := certificates([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", TrustText, err)
		}
		return certs, nil
	}
	if location == "" {
		return nil, nil
	}
	b, err := read(TrustLocation, location)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	switch form, err2 := k.form(TrustType, b); {
	case err2 != nil:
		err = err2
	case form == "PEM":
		certs, err = certificates(b)
	case form == "JKS":
		certs, err = jksAuthorities(b, k[TrustPassword])
	default:
		if err = bounded(b); err == nil {
			certs, err = pkcs12.DecodeTrustStore(b, k[TrustPassword])
		}
		if err == nil && len(certs) == 0 {
			err = errNone
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", TrustLocation, location, err)
	}
	return certs, nil
}

var errNone = errors.New("it holds no trusted certificate (keytool marks those that it imports)")

func read(key, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	defer f.Close() //nolint:errcheck // it was read
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes: it is no store of certificates", path, maxFile)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return b, nil
}

// form says which form the bytes have: PEM where the type says so, else JKS or PKCS12.
func (k Keys) form(which string, b []byte) (string, error) {
	switch t := strings.ToUpper(k.text(which)); {
	case t == "PEM":
		return t, nil
	case t != "" && t != "JKS" && t != "PKCS12":
		return "", fmt.Errorf("%s=%s is not supported: use JKS, PKCS12 or PEM", which, k.text(which))
	case bytes.HasPrefix(b, jksMagic):
		return "JKS", nil
	case bytes.HasPrefix(b, []byte{0x30}):
		return "PKCS12", nil
	case bytes.HasPrefix(b, []byte{0xCE, 0xCE, 0xCE, 0xCE}):
		return "", errors.New("it is a JCEKS store, which is not supported: convert it with keytool -importkeystore -deststoretype PKCS12")
	case bytes.Contains(b, []byte("-----BEGIN ")):
		return "", fmt.Errorf("it is in PEM form: set %s=PEM", which)
	}
	return "", errors.New("it is neither a JKS nor a PKCS12 store")
}

// certificates are those of a text in PEM form; there must be one.
func certificates(text []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("it holds no certificate in PEM form")
	}
	return out, nil
}

// pair reads a private key and its chain in PEM form.
func pair(text []byte, password string) (*tls.Certificate, error) {
	certs, err := certificates(text)
	if err != nil {
		return nil, err
	}
	var key any
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			if password == "" {
				return nil, fmt.Errorf("the key is encrypted: its password is missing (%s)", KeyPassword)
			}
			if key, err = pkcs8.ParsePKCS8PrivateKey(block.Bytes, []byte(password)); err != nil {
				err = fmt.Errorf("the key cannot be decrypted: %w", err)
			}
		case "RSA PRIVATE KEY", "EC PRIVATE KEY":
			err = fmt.Errorf("the key is not in PKCS #8 form (%s): convert it with openssl pkcs8 -topk8", block.Type)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		break
	}
	if key == nil {
		return nil, errors.New("it holds no private key in PEM form")
	}
	return identity(key, certs)
}

func pkcs12Identity(b []byte, password string) (*tls.Certificate, error) {
	if err := bounded(b); err != nil {
		return nil, err
	}
	key, leaf, rest, err := pkcs12.DecodeChain(b, password)
	if err != nil {
		return nil, err
	}
	return identity(key, append([]*x509.Certificate{leaf}, rest...))
}

// bounded looks at how often the key of a PKCS12 file's checksum is to be derived.
func bounded(b []byte) error {
	var p struct {
		Version  int
		AuthSafe asn1.RawValue
		Mac      struct {
			Digest     asn1.RawValue
			Salt       []byte
			Iterations int `asn1:"optional,default:1"`
		} `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("it is no PKCS12 store: %w", err)
	}
	if p.Mac.Iterations > maxIterations {
		return fmt.Errorf("it asks for %d iterations, more than %d", p.Mac.Iterations, maxIterations)
	}
	return nil
}

// identity puts the certificate of the key first and those that lead from it to an authority behind it.
func identity(key any, certs []*x509.Certificate) (*tls.Certificate, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a private key of the kind %T cannot be used", key)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return nil, fmt.Errorf("a private key of the kind %T cannot be used", key)
	}
	out := &tls.Certificate{PrivateKey: key}
	for _, c := range certs {
		if public.Equal(c.PublicKey) {
			out.Leaf = c
			break
		}
	}
	if out.Leaf == nil {
		return nil, errors.New("none of its certificates is of its private key")
	}
	for c := out.Leaf; c != nil && len(out.Certificate) < len(certs); {
		out.Certificate = append(out.Certificate, c.Raw)
		child := c
		c = nil
		for _, next := range certs {
			if bytes.Equal(next.RawSubject, child.RawIssuer) && !bytes.Equal(child.RawSubject, child.RawIssuer) && next != child {
				c = next
				break
			}
		}
	}
	return out, nil
}

// ChainPEM is the certificate with its chain, PEM.
func ChainPEM(id *tls.Certificate) string {
	var b strings.Builder
	for _, der := range id.Certificate {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return b.String()
}

// KeyPEM is the private key in clear PKCS #8, PEM.
func KeyPEM(id *tls.Certificate) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(id.PrivateKey)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// CertificatesPEM are certificates in PEM form.
func CertificatesPEM(certs []*x509.Certificate) string {
	var b strings.Builder
	for _, c := range certs {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return b.String()
}
