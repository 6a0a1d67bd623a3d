package config

import (
	"fmt"
	"slices"
	"strings"
)

// Role is what a Kafka client is for.
type Role uint8

// The roles.
const (
	Producer Role = iota
	Consumer
	Admin
)

// String is the role's prefix in configs, without the dot.
func (r Role) String() string {
	return [...]string{"producer", "consumer", "admin"}[r]
}

// OverridePrefix is the prefix of a connector's overrides for a role, with its dot.
func (r Role) OverridePrefix() string { return r.String() + ".override." }

// Client is the Java config of a client that serves a connector. Later wins: what the worker says without a
// prefix (for admin clients every client config; for producers and consumers only how to reach the cluster,
// which Kafka Connect makes people repeat), what it says with producer., consumer. or admin., and the
// connector's producer.override. and so on. An override that the policy does not allow is an ErrOverride.
// The caller owns the map.
func (w Worker) Client(role Role, connector map[string]string) (map[string]string, error) {
	keys := connectionKeys
	if role == Admin {
		keys = clientKeys
	}
	out := w.unprefixed(keys)
	for k, v := range below(w.props, role.String()+".") {
		// admin.listeners belongs to the REST API.
		if role != Admin || !matches("admin."+k, idle) {
			out[k] = v
		}
	}
	overrides := below(connector, role.OverridePrefix())
	var refused []string
	for k, v := range overrides {
		if err := w.CheckOverride(k); err != nil {
			refused = append(refused, k)
		}
		out[k] = v
	}
	if len(refused) > 0 {
		slices.Sort(refused)
		return nil, fmt.Errorf("%w: Client Config Overrides not allowed %s: the policy %s of %s does not allow these with %s",
			ErrOverride, "["+strings.Join(refused, ", ")+"]", w.Policy(), overridePolicy, role.OverridePrefix())
	}
	return out, nil
}

// Internal is the Java config of a client of the internal topics: the worker's client configs without a
// prefix. The caller owns the map.
func (w Worker) Internal() map[string]string { return w.unprefixed(clientKeys) }

func (w Worker) unprefixed(keys []string) map[string]string {
	out := map[string]string{}
	for k, v := range w.props {
		if matches(k, keys) && !matches(k, idle) {
			out[k] = v
		}
	}
	out[bootstrapServers] = strings.Join(w.values.List(bootstrapServers), ",")
	return out
}

// The policies.
const (
	policyAll       = "All"
	policyNone      = "None"
	policyPrincipal = "Principal"
	policyAllowlist = "Allowlist"
)

// policyOf is the policy that a value names, by its short name or as a Java class.
func policyOf(v string) string {
	simple := v[strings.LastIndexByte(v, '.')+1:]
	if simple != v && !strings.HasPrefix(v, "org.apache.kafka.connect.connector.policy.") {
		return ""
	}
	simple = strings.TrimSuffix(simple, "ConnectorClientConfigOverridePolicy")
	for _, p := range []string{policyAll, policyNone, policyPrincipal, policyAllowlist} {
		if p == simple {
			return p
		}
	}
	return ""
}

// Policy is connector.client.config.override.policy: All (default), None, Principal or Allowlist.
func (w Worker) Policy() string { return policyOf(w.values.String(overridePolicy)) }

// CheckOverride says whether the policy allows connectors to override a client config (without prefix). The
// error's text is Kafka Connect's.
func (w Worker) CheckOverride(key string) error {
	policy := w.Policy()
	switch policy {
	case policyAll:
		return nil
	case policyPrincipal:
		if slices.Contains([]string{"sasl.jaas.config", "sasl.mechanism", "security.protocol"}, key) {
			return nil
		}
	case policyAllowlist:
		if slices.Contains(w.values.List(overrideAllow), key) {
			return nil
		}
	}
	return overrideError(fmt.Sprintf("The '%s' policy does not allow '%s' to be overridden in the connector configuration.", policy, key))
}

type overrideError string

func (e overrideError) Error() string { return string(e) }

// Is makes it an ErrOverride without changing its text.
func (e overrideError) Is(target error) bool { return target == ErrOverride }
