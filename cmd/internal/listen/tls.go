package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-project/sluice/cmd/internal/process"
	"github.com/sluice-project/sluice/internal/keystore"
)

// serverTLS makes the TLS of listeners from Java's keys: those below the prefix alone where there is one of them, else
// those without. Errors name the key, with the prefix where it counts.
func serverTLS(props map[string]string, prefix string) (*tls.Config, error) {
	keys := keystore.Keys{}
	for k, v := range props {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" {
			keys[rest] = v
		}
	}
	if len(keys) == 0 {
		keys, prefix = props, ""
	}
	c, err := fromKeys(keys)
	if err != nil {
		return nil, fmt.Errorf("%s%w", prefix, err)
	}
	return c, nil
}

func fromKeys(keys keystore.Keys) (*tls.Config, error) {
	if keys["ssl.engine.factory.class"] != "" {
		return nil, errors.New("ssl.engine.factory.class: it is a Java class: remove it")
	}
	id, err := keys.Identity()
	if err != nil {
		return nil, err
	}
	if id == nil {
		return nil, fmt.Errorf("%s: a certificate is needed: name a keystore, or give %s and %s", keystore.KeyLocation, keystore.KeyText, keystore.ChainText)
	}
	c := &tls.Config{Certificates: []tls.Certificate{*id}, NextProtos: []string{"http/1.1"}}
	if err := versions(c, keys[process.Protocols]); err != nil {
		return nil, fmt.Errorf("%s: %w", process.Protocols, err)
	}
	if err := suites(c, keys[process.CipherSuites]); err != nil {
		return nil, fmt.Errorf("%s: %w", process.CipherSuites, err)
	}
	switch auth := keys[process.ClientAuth]; auth {
	case "", "none":
		return c, nil
	case "required":
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case "requested":
		c.ClientAuth = tls.VerifyClientCertIfGiven
	default:
		return nil, fmt.Errorf("%s: %q is none of required, requested and none", process.ClientAuth, auth)
	}
	authorities, err := keys.Authorities()
	if err != nil {
		return nil, err
	}
	if len(authorities) == 0 {
		return nil, fmt.Errorf("%s: the authorities of callers' certificates are needed for %s=%s", keystore.TrustLocation, process.ClientAuth, keys[process.ClientAuth])
	}
	c.ClientCAs = x509.NewCertPool()
	for _, a := range authorities {
		c.ClientCAs.AddCert(a)
	}
	return c, nil
}

// versions are those between the oldest and the newest of a list.
func versions(c *tls.Config, list string) error {
	c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS13
	if strings.TrimSpace(list) == "" {
		return nil
	}
	c.MinVersion, c.MaxVersion = tls.VersionTLS13, tls.VersionTLS12
	for name := range strings.SplitSeq(list, ",") {
		version := map[string]uint16{"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}[strings.TrimSpace(name)]
		if version == 0 {
			return fmt.Errorf("%q is not supported: use TLSv1.2 and TLSv1.3", strings.TrimSpace(name))
		}
		c.MinVersion, c.MaxVersion = min(c.MinVersion, version), max(c.MaxVersion, version)
	}
	return nil
}

// suites are a list of cipher suites by Java's names, which are Go's. Those of TLSv1.3 cannot be chosen among; where
// there are no others, TLSv1.2 is off.
func suites(c *tls.Config, list string) error {
	if strings.TrimSpace(list) == "" {
		return nil
	}
	known := map[string]*tls.CipherSuite{}
	for _, s := range tls.CipherSuites() {
		known[s.Name] = s
	}
	for name := range strings.SplitSeq(list, ",") {
		s, ok := known[strings.TrimSpace(name)]
		if !ok {
			return fmt.Errorf("%q is unknown, or no longer secure", strings.TrimSpace(name))
		}
		if s.SupportedVersions[0] != tls.VersionTLS13 {
			c.CipherSuites = append(c.CipherSuites, s.ID)
		}
	}
	if c.CipherSuites == nil {
		if c.MinVersion = tls.VersionTLS13; c.MaxVersion < c.MinVersion {
			return errors.New("it has suites of TLSv1.3 alone, which is not enabled")
		}
	}
	return nil
}
