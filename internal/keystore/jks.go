package keystore

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the format's own
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
)

// The JKS format is read by hand: the one library that reads it takes the lengths that a file claims for granted, which
// lets a damaged one take all memory, and opens no truststore without its password, as Java does.

var (
	jksMagic = []byte{0xFE, 0xED, 0xFE, 0xED}
	// jksProtection is the one way in which JKS encrypts keys.
	jksProtection = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}

	errPassword = errors.New("its password is wrong, or it is damaged")
	errEnds     = errors.New("it ends too early")
)

type jksKey struct {
	encrypted []byte
	chain     [][]byte
}

type jks struct {
	keys    []jksKey
	trusted [][]byte
}

// parseJKS reads a store. An empty password leaves the checksum unread.
func parseJKS(b []byte, password string) (jks, error) {
	var out jks
	if len(b) < len(jksMagic)+8+sha1.Size {
		return out, errEnds
	}
	body, sum := b[:len(b)-sha1.Size], b[len(b)-sha1.Size:]
	if password != "" {
		want := sha1.Sum(bytes.Join([][]byte{utf16BE(password), []byte("Mighty Aphrodite"), body}, nil)) //nolint:gosec // the format's own
		if subtle.ConstantTimeCompare(want[:], sum) != 1 {
			return out, errPassword
		}
	}
	r := &jksReader{b: body[len(jksMagic):]}
	version := r.u32()
	if version != 1 && version != 2 {
		return out, fmt.Errorf("it is of version %d: 1 and 2 can be read", version)
	}
	certificate := func() []byte {
		if version == 2 {
			r.take(r.u16()) // the kind, X.509
		}
		return r.take(r.u32())
	}
	for n := r.u32(); n > 0 && !r.short; n-- {
		tag := r.u32()
		r.take(r.u16()) // the alias
		r.take(8)       // when it was made
		switch tag {
		case 1:
			k := jksKey{encrypted: r.take(r.u32())}
			for c := r.u32(); c > 0 && !r.short; c-- {
				k.chain = append(k.chain, certificate())
			}
			out.keys = append(out.keys, k)
		case 2:
			out.trusted = append(out.trusted, certificate())
		default:
			if !r.short {
				return out, fmt.Errorf("it has an entry of the unknown kind %d", tag)
			}
		}
	}
	if r.short {
		return out, errEnds
	}
	return out, nil
}

func jksIdentity(b []byte, password, keyPassword string) (*tls.Certificate, error) {
	s, err := parseJKS(b, password)
	switch {
	case err != nil:
		return nil, err
	case len(s.keys) == 0:
		return nil, errors.New("it holds no private key")
	case len(s.keys) > 1:
		return nil, fmt.Errorf("it holds %d private keys: keep the one that is meant", len(s.keys))
	}
	der, err := unprotect(s.keys[0].encrypted, keyPassword)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for _, c := range s.keys[0].chain {
		one, err := x509.ParseCertificate(c)
		if err != nil {
			return nil, err
		}
		chain = append(chain, one)
	}
	return identity(key, chain)
}

// jksAuthorities are the trusted certificates, and the first of each key's chain, as Java's trust managers count them.
func jksAuthorities(b []byte, password string) ([]*x509.Certificate, error) {
	s, err := parseJKS(b, password)
	if err != nil {
		return nil, err
	}
	for _, k := range s.keys {
		if len(k.chain) > 0 {
			s.trusted = append(s.trusted, k.chain[0])
		}
	}
	var out []*x509.Certificate
	for _, der := range s.trusted {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errNone
	}
	return out, nil
}

// unprotect decrypts a key: salt, then the key under a stream of digests, then a checksum.
func unprotect(b []byte, password string) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if rest, err := asn1.Unmarshal(b, &info); err != nil || len(rest) > 0 {
		return nil, errors.New("its private key is damaged")
	}
	if !info.Algorithm.Algorithm.Equal(jksProtection) || len(info.Data) < 2*sha1.Size {
		return nil, fmt.Errorf("its private key is encrypted in an unknown way (%v)", info.Algorithm.Algorithm)
	}
	secret := utf16BE(password)
	block, in := info.Data[:sha1.Size], info.Data[sha1.Size:len(info.Data)-sha1.Size]
	plain := make([]byte, 0, len(in)+sha1.Size)
	for i, c := range in {
		if i%sha1.Size == 0 {
			next := sha1.Sum(bytes.Join([][]byte{secret, block}, nil)) //nolint:gosec // the format's own
			block = next[:]
		}
		plain = append(plain, c^block[i%sha1.Size])
	}
	want := sha1.Sum(bytes.Join([][]byte{secret, plain}, nil)) //nolint:gosec // the format's own
	if subtle.ConstantTimeCompare(want[:], info.Data[len(info.Data)-sha1.Size:]) != 1 {
		return nil, fmt.Errorf("the password of its private key is wrong (%s, or %s without it)", KeyPassword, KeyStorePassword)
	}
	return plain, nil
}

func utf16BE(s string) []byte {
	var out []byte
	for _, c := range utf16.Encode([]rune(s)) {
		out = append(out, byte(c>>8), byte(c))
	}
	return out
}

// jksReader reads big-endian fields. short is set once it has run out.
type jksReader struct {
	b     []byte
	short bool
}

func (r *jksReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.short, r.b = true, nil
		return make([]byte, min(max(n, 0), 8))
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *jksReader) u16() int { return int(binary.BigEndian.Uint16(r.take(2))) }
func (r *jksReader) u32() int { return int(binary.BigEndian.Uint32(r.take(4))) }
