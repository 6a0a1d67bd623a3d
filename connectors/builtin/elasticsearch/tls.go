package elasticsearch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-project/sluice/connectors/builtin/internal/base"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/keystore"
)

const hostnamesKey = "ssl.endpoint.identification.algorithm"

// tlsKeys are Java's keys of TLS, below a prefix.
func tlsKeys(d *configdef.Def, group, prefix string) {
	key := func(k configdef.Key) { k.Name = prefix + k.Name; base.Define(d, group, k) }
	store := configdef.InIgnoreCase("JKS", "PKCS12", "PEM")
	key(configdef.Key{Name: keystore.KeyType, Type: configdef.String, Default: text("JKS"), Validator: store, Importance: configdef.Medium, Doc: "The form of the keystore: JKS and PKCS12 stand for either."})
	key(configdef.Key{Name: keystore.KeyLocation, Type: configdef.String, Importance: configdef.High, Doc: "The file with the certificate and key that are shown to the server."})
	key(configdef.Key{Name: keystore.KeyStorePassword, Type: configdef.Password, Importance: configdef.High, Doc: "The keystore's password."})
	key(configdef.Key{Name: keystore.KeyPassword, Type: configdef.Password, Importance: configdef.High, Doc: "The key's password; the keystore's where it is not given."})
	key(configdef.Key{Name: keystore.KeyText, Type: configdef.Password, Importance: configdef.High, Doc: "The key itself, in PEM form."})
	key(configdef.Key{Name: keystore.ChainText, Type: configdef.Password, Importance: configdef.High, Doc: "The certificate itself with its chain, in PEM form."})
	key(configdef.Key{Name: keystore.TrustType, Type: configdef.String, Default: text("JKS"), Validator: store, Importance: configdef.Medium, Doc: "The form of the truststore."})
	key(configdef.Key{Name: keystore.TrustLocation, Type: configdef.String, Importance: configdef.High, Doc: "The file with the authorities of the server's certificate. Without one, the system's."})
	key(configdef.Key{Name: keystore.TrustPassword, Type: configdef.Password, Importance: configdef.High, Doc: "The truststore's password."})
	key(configdef.Key{Name: keystore.TrustText, Type: configdef.Password, Importance: configdef.High, Doc: "The authorities themselves, in PEM form."})
	key(configdef.Key{Name: hostnamesKey, Type: configdef.String, Default: text("https"), Validator: configdef.InIgnoreCase("https", ""), Doc: "https checks that the server's certificate has its name; empty does not."})
	for _, name := range []string{"ssl.protocol", "ssl.enabled.protocols"} {
		key(configdef.Key{Name: name, Type: configdef.List, Default: text("TLSv1.2,TLSv1.3"), Validator: versions(), Importance: configdef.Medium, Doc: "TLS 1.2 and 1.3 are spoken, whichever the server prefers."})
	}
	for _, name := range []string{"ssl.provider", "ssl.cipher.suites", "ssl.keymanager.algorithm", "ssl.trustmanager.algorithm", "ssl.secure.random.implementation", "ssl.engine.factory.class"} {
		refused(d, group, prefix+name, "it chooses what Java has. Leave it out")
	}
}

func versions() configdef.Validator {
	return configdef.Func("[TLS, TLSv1.2, TLSv1.3]", func(name string, value *string) error {
		if value == nil {
			return nil
		}
		for _, v := range configdef.SplitList(*value) {
			if v != "TLS" && v != "TLSv1.2" && v != "TLSv1.3" {
				return configdef.Invalid(name, configdef.Shown(value), "not supported: "+v+". There are TLSv1.2 and TLSv1.3")
			}
		}
		return nil
	})
}

// tlsConfig makes the settings of TLS of the keys below a prefix.
func tlsConfig(v configdef.Values, prefix string, trustAll bool) (*tls.Config, error) {
	keys := keystore.Keys{}
	for _, name := range []string{keystore.KeyType, keystore.KeyLocation, keystore.KeyStorePassword, keystore.KeyPassword, keystore.KeyText, keystore.ChainText,
		keystore.TrustType, keystore.TrustLocation, keystore.TrustPassword, keystore.TrustText} {
		keys[name] = v.String(prefix + name)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	id, err := keys.Identity()
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: %s*: %w", prefix, err)
	}
	if id != nil {
		c.Certificates = []tls.Certificate{*id}
	}
	certs, err := keys.Authorities()
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: %s*: %w", prefix, err)
	}
	if len(certs) > 0 {
		c.RootCAs = x509.NewCertPool()
		for _, cert := range certs {
			c.RootCAs.AddCert(cert)
		}
	}
	switch {
	case trustAll:
		c.InsecureSkipVerify = true //nolint:gosec // the config asks for it
	case strings.TrimSpace(v.String(prefix+hostnamesKey)) == "":
		c.InsecureSkipVerify = true //nolint:gosec // the chain is checked below, the name is not, as the config asks
		roots := c.RootCAs
		c.VerifyConnection = func(s tls.ConnectionState) error { return chainFrom(s.PeerCertificates, roots) }
	}
	return c, nil
}

// chainFrom checks a server's certificate without its name.
func chainFrom(certs []*x509.Certificate, roots *x509.CertPool) error {
	if len(certs) == 0 {
		return errNoCertificate
	}
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range certs[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := certs[0].Verify(o); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: certs, Err: err}
	}
	return nil
}

var errNoCertificate = errors.New("the server shows no certificate")
