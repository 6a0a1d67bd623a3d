// Package tlsfiles makes TLS settings of PEM files: a certificate with its key, and the authorities that the other
// side's certificate must come from. The certificate is read again at each handshake, so that a renewed one is taken
// without a restart; the authorities are read once.
package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"
)

// Files are paths; all empty means no TLS. Keys, one for each, name them in errors.
type Files struct{ Cert, Key, CA string }

// Names are the config keys that the files were given by.
type Names struct{ Cert, Key, CA string }

// None says that there is no TLS.
func (f Files) None() bool { return f == Files{} }

// Mutual is for processes that know one another by certificates of one authority: as a server it wants one, as a client
// it shows one.
func (f Files) Mutual(n Names, now time.Time) (*tls.Config, error) {
	if f.Cert == "" || f.Key == "" || f.CA == "" {
		return nil, fmt.Errorf("%s, %s and %s: all three are needed for TLS between processes, or none", n.Cert, n.Key, n.CA)
	}
	c, err := f.Client(n, now)
	if err != nil {
		return nil, err
	}
	if err := f.ours(n, c.RootCAs, now); err != nil {
		return nil, err
	}
	c.ClientCAs, c.ClientAuth = c.RootCAs, tls.RequireAndVerifyClientCert
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.load(n) }
	return c, nil
}

// Client is for a client of somebody else's server; a certificate is shown where one is given.
func (f Files) Client(n Names, now time.Time) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if (f.Cert == "") != (f.Key == "") {
		return nil, fmt.Errorf("%s and %s: one without the other is of no use", n.Cert, n.Key)
	}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.CA, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: %s holds no certificate in PEM form", n.CA, f.CA)
		}
	}
	if f.Cert != "" {
		pair, err := f.load(n)
		if err != nil {
			return nil, err
		}
		if err := valid(pair, now); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", n.Cert, f.Cert, err)
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return f.load(n) }
	}
	return c, nil
}

func (f Files) load(n Names) (*tls.Certificate, error) {
	cert, err := os.ReadFile(f.Cert)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Cert, err)
	}
	key, err := os.ReadFile(f.Key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Key, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %s with %s: %s: %w", n.Cert, f.Cert, n.Key, f.Key, err)
	}
	return &pair, nil
}

// ours says whether the other processes will take the certificate: every process shows it as a client.
func (f Files) ours(n Names, authorities *x509.CertPool, now time.Time) error {
	pair, err := f.load(n)
	if err != nil {
		return err
	}
	o := x509.VerifyOptions{Roots: authorities, Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil { // one that is no certificate leads to no authority
			o.Intermediates.AddCert(c)
		}
	}
	if _, err := pair.Leaf.Verify(o); err != nil {
		return fmt.Errorf("%s: %s is no client's certificate from the authority of %s: %s: %w", n.Cert, f.Cert, n.CA, f.CA, err)
	}
	return nil
}

func valid(pair *tls.Certificate, now time.Time) error {
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	switch {
	case err != nil:
		return err
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate expired at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate is valid only from %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	case len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
		return errors.New("the certificate names no host: it needs a subject alternative name")
	}
	return nil
}
