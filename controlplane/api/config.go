package api

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/command"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// The keys of a connector config that the control plane itself reads.
const (
	keyName  = "name"
	keyClass = "connector.class"
	// keyPool names the pool whose executors may hold the connector's units; `default` where it is absent.
	keyPool = "sluice.pool"
)

// maxName bounds a connector's name and a pool's, in bytes: they are parts of etcd's keys.
const maxName = 1024

// maxRequestID bounds a request id, in bytes.
const maxRequestID = 64

// trimJava trims as Java's String.trim: U+0000 to U+0020, and nothing else.
func trimJava(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// lookup returns a key's value; ok is false where it is absent or null.
func lookup(c *sluicev1.Config, key string) (value string, ok bool) {
	for _, e := range c.GetEntries() {
		if e.GetKey() == key && e.Value != nil {
			value, ok = e.GetValue(), true
		} else if e.GetKey() == key {
			value, ok = "", false
		}
	}
	return value, ok
}

// normal returns a config whose keys are unique: the last of repeated keys counts, at the first's place.
func normal(c *sluicev1.Config) (*sluicev1.Config, error) {
	if c == nil {
		return nil, errs.New(errs.RequestMalformed, "config: is missing: an object with the connector's config is needed")
	}
	out := &sluicev1.Config{Entries: make([]*sluicev1.ConfigEntry, 0, len(c.GetEntries())+1)}
	at := make(map[string]int, len(c.GetEntries()))
	for _, e := range c.GetEntries() {
		if !utf8.ValidString(e.GetKey()) || !utf8.ValidString(e.GetValue()) {
			return nil, errs.New(errs.RequestMalformed, "config: %q: is not valid UTF-8", e.GetKey())
		}
		if i, ok := at[e.GetKey()]; ok {
			out.Entries[i] = e
			continue
		}
		at[e.GetKey()] = len(out.Entries)
		out.Entries = append(out.Entries, e)
	}
	return out, nil
}

// named checks the config's name against the connector's and puts it in where it is absent or null.
func named(c *sluicev1.Config, name string) (*sluicev1.Config, error) {
	if have, ok := lookup(c, keyName); ok {
		if have != name {
			return nil, errs.New(errs.NameMismatch, "Connector name configuration (%s) doesn't match connector name in the URL (%s)", have, name)
		}
		return c, nil
	}
	for i, e := range c.GetEntries() {
		if e.GetKey() == keyName {
			c.Entries[i] = &sluicev1.ConfigEntry{Key: keyName, Value: &name}
			return c, nil
		}
	}
	c.Entries = append(c.Entries, &sluicev1.ConfigEntry{Key: keyName, Value: &name})
	return c, nil
}

// merged is a config with the changes of a patch: null removes a key, what is new comes last.
func merged(c, patch *sluicev1.Config) *sluicev1.Config {
	change := make(map[string]*sluicev1.ConfigEntry, len(patch.GetEntries()))
	for _, e := range patch.GetEntries() {
		change[e.GetKey()] = e
	}
	out := &sluicev1.Config{Entries: make([]*sluicev1.ConfigEntry, 0, len(c.GetEntries())+len(change))}
	have := make(map[string]bool, len(c.GetEntries()))
	for _, e := range c.GetEntries() {
		have[e.GetKey()] = true
		if with, ok := change[e.GetKey()]; ok {
			e = with
			if e.Value == nil {
				continue
			}
		}
		out.Entries = append(out.Entries, e)
	}
	for _, e := range patch.GetEntries() {
		if !have[e.GetKey()] && e.Value != nil {
			out.Entries = append(out.Entries, e)
		}
	}
	return out
}

// checkName is ConfigDef.NonEmptyStringWithoutControlChars, in its words.
func checkName(name string) error {
	if name == "" {
		return invalid(1, "Invalid value  for configuration name: String may not be empty")
	}
	var control []string
	for _, r := range name {
		if r < 0x20 || 0x7f <= r && r <= 0x9f {
			control = append(control, fmt.Sprint(int(r)))
		}
	}
	if len(control) > 0 {
		return invalid(1, fmt.Sprintf("Invalid value %s for configuration name: String may not contain control sequences but had the following ASCII chars: %s", name, strings.Join(control, ", ")))
	}
	if len(name) > maxName {
		return invalid(1, fmt.Sprintf("Invalid value %s... for configuration name: String may have at most %d bytes", strings.ToValidUTF8(name[:32], ""), maxName))
	}
	return nil
}

// checkSize refuses a config that the store would not take, and names what is large.
func checkSize(c *sluicev1.Config) error {
	n := proto.Size(c)
	if n <= store.MaxConnectorConfig {
		return nil
	}
	key, size := "", -1
	for _, e := range c.GetEntries() {
		if l := len(e.GetKey()) + len(e.GetValue()); l > size {
			key, size = e.GetKey(), l
		}
	}
	if len(key) > 100 {
		key = strings.ToValidUTF8(key[:100], "") + "..."
	}
	return errs.New(errs.ConfigTooLarge, "The connector config has %d bytes, at most %d are stored; its largest key is %s with %d bytes", n, store.MaxConnectorConfig, key, size)
}

// poolOf is the pool that a config names.
func poolOf(c *sluicev1.Config) (string, error) {
	pool, ok := lookup(c, keyPool)
	if !ok {
		return command.DefaultPool, nil
	}
	if pool == "" || len(pool) > 255 || strings.ContainsFunc(pool, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", invalid(1, fmt.Sprintf("Invalid value %q for configuration %s: it must be the name of a pool of executors, up to 255 bytes without control characters", pool, keyPool))
	}
	return pool, nil
}

// invalid is Kafka Connect's refusal of a config that has errors.
func invalid(count int32, messages ...string) error {
	return errs.New(errs.ConfigInvalid, "Connector configuration is invalid and contains the following %d error(s):\n%s\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`", count, strings.Join(messages, "\n"))
}

// checkClass wants a connector.class.
func checkClass(c *sluicev1.Config) error {
	if _, ok := lookup(c, keyClass); ok {
		return nil
	}
	return errs.New(errs.ConfigInvalid, "Connector config %s contains no connector type", javaMap(c))
}

// javaMap prints a config as Java prints a HashMap, in its order. Values whose key says that they are secret are hidden:
// the text ends up in logs.
func javaMap(c *sluicev1.Config) string {
	parts := make([]string, 0, len(c.GetEntries()))
	for _, e := range hashOrder(c.GetEntries()) {
		v := "null"
		switch {
		case e.Value == nil:
		case secret(e.GetKey()):
			v = "[hidden]"
		default:
			v = e.GetValue()
		}
		parts = append(parts, e.GetKey()+"="+v)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// hashOrder is the order in which a HashMap that was copied from a map of these entries lists them: by the buckets that
// their hashes put them into.
func hashOrder(in []*sluicev1.ConfigEntry) []*sluicev1.ConfigEntry {
	buckets := uint32(1)
	for float64(buckets) < math.Floor(float64(len(in))/0.75+1) {
		buckets *= 2
	}
	bucket := func(e *sluicev1.ConfigEntry) uint32 {
		h := uint32(0)
		for _, c := range utf16.Encode([]rune(e.GetKey())) {
			h = 31*h + uint32(c)
		}
		return (h ^ h>>16) & (buckets - 1)
	}
	return slices.SortedStableFunc(slices.Values(in), func(a, b *sluicev1.ConfigEntry) int { return cmp.Compare(bucket(a), bucket(b)) })
}

func secret(key string) bool {
	key = strings.ToLower(key)
	for _, s := range []string{"password", "passwd", "secret", "token", "credential", "jaas", "private", "apikey", "api.key", "access.key", "auth"} {
		if strings.Contains(key, s) {
			return true
		}
	}
	return false
}

// equal says whether two configs have the same pairs, whatever their order.
func equal(a, b *sluicev1.Config) bool {
	if len(a.GetEntries()) != len(b.GetEntries()) {
		return false
	}
	values := make(map[string]*string, len(a.GetEntries()))
	for _, e := range a.GetEntries() {
		values[e.GetKey()] = e.Value
	}
	for _, e := range b.GetEntries() {
		v, ok := values[e.GetKey()]
		if !ok || (v == nil) != (e.Value == nil) || v != nil && *v != *e.Value {
			return false
		}
	}
	return true
}
