// Package kafkaclients has the config definitions of Kafka's Java clients, by which Kafka Connect reads the
// overrides of connectors, and which MirrorMaker's connectors embed in part. It says what keys there are and
// of which type; which of them a client of Sluice's heeds is executor/kafkaio's business.
package kafkaclients

import "github.com/sluice-project/sluice/connectors/configdef"

type row struct {
	name       string
	typ        configdef.Type
	def        *string
	importance configdef.Importance
}

var text = configdef.Text

// required stands for no default.
var required = text("")

// The definitions. They must not be changed.
var (
	Producer = define("producer", security, shared, producerOnly)
	Consumer = define("consumer", security, shared, consumerOnly)
	Admin    = define("admin", security, shared, adminOnly)
)

func define(client string, tables ...[]row) *configdef.Def {
	def := configdef.New()
	for _, rows := range tables {
		for _, r := range rows {
			def.Define(r.key(client))
		}
	}
	return def
}

func (r row) key(client string) configdef.Key {
	k := configdef.Key{Name: r.name, Type: r.typ, Default: r.def, Importance: r.importance,
		Doc: "The " + client + " client's " + r.name + ": see https://kafka.apache.org/documentation/#" + client + "configs_" + r.name}
	if r.def == required {
		k.Default, k.Required = nil, true
	}
	return k
}

// Security are the keys of TLS and SASL, in Kafka's order, with their validators: Kafka's
// ConfigDef.withClientSslSupport and withClientSaslSupport. The caller owns the list.
func Security() []configdef.Key {
	distinct := configdef.DistinctList(true)
	validators := map[string]configdef.Validator{
		"ssl.cipher.suites":                            distinct,
		"ssl.enabled.protocols":                        distinct,
		"sasl.oauthbearer.expected.audience":           distinct,
		"sasl.login.refresh.window.factor":             configdef.Between(0.5, 1.0),
		"sasl.login.refresh.window.jitter":             configdef.Between(0.0, 0.25),
		"sasl.login.refresh.min.period.seconds":        configdef.Between(0, 900),
		"sasl.login.refresh.buffer.seconds":            configdef.Between(0, 3600),
		"sasl.oauthbearer.assertion.algorithm":         configdef.InIgnoreCase("ES256", "RS256"),
		"sasl.oauthbearer.assertion.claim.exp.seconds": configdef.Between(0, 86400),
		"sasl.oauthbearer.assertion.claim.nbf.seconds": configdef.Between(0, 3600),
	}
	out := make([]configdef.Key, 0, len(security))
	for _, r := range security {
		k := r.key("admin")
		k.Validator = validators[k.Name]
		out = append(out, k)
	}
	return out
}
