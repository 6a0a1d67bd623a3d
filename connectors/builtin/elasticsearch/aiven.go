package elasticsearch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors/builtin/internal/base"
	"github.com/sluice-project/sluice/connectors/configdef"
)

// The keys of Aiven's sink alone.
const (
	aMethodKey       = "index.write.method"
	aStrategyKey     = "key.ignore.id.strategy"
	aRoutingKey      = "routing.type"
	aStreamKey       = "data.stream.enabled"
	aStreamPrefixKey = "data.stream.prefix"
	aTemplateKey     = "data.streams.existing.index.template.name"
	aUsageKey        = "existing.resource.type"
	aResourcesKey    = "topic.to.existing.resource.mapping"
	aTLSPrefix       = "connection."
	aTrustAllKey     = "connection.trust.all.certificates"

	strategyNone  = "none"
	strategyKey   = "record.key"
	strategyPlace = "topic.partition.offset"

	// aMaxResources is how many entries aResourcesKey may have, aBulkBytes when a request is sent whatever batch.size says.
	aMaxResources = 10
	aBulkBytes    = 5 << 20
)

// aivenDef are the keys of Aiven's OpenSearch sink.
func aivenDef() *configdef.Def {
	d := configdef.New()
	key := func(group string, k configdef.Key) { base.Define(d, group, k) }
	const conversion, streams = "Data Conversion", "Data Stream"
	connectionKeys(d, "Connector")
	key("Connector", configdef.Key{Name: batchKey, Type: configdef.Int, Default: text("2000"), Validator: configdef.AtLeast(1), Importance: configdef.Medium, Doc: batchDoc + " So is one that has 5 MiB."})
	pressureKeys(d, "Connector", "10000")
	tlsKeys(d, "TLS Configuration for HTTPS", aTLSPrefix)
	key("TLS Configuration for HTTPS", configdef.Key{Name: aTrustAllKey, Type: configdef.Boolean, Default: text("false"), Doc: "Whether any server's certificate is taken."})
	for _, name := range []string{"aws.access_key_id", "aws.secret_access_key", "aws.sts.role.arn", "aws.sts.role.external.id", "aws.sts.role.session.name", "aws.sts.role.session.duration", "aws.region", "aws.service.signing.name"} {
		refused(d, "AWS Sig4 Authentication", name, "requests are not signed. Use connection.username and connection.password")
	}
	commonConversionKeys(d)
	key(conversion, configdef.Key{Name: aMethodKey, Type: configdef.String, Default: text(insert), Validator: configdef.InIgnoreCase(insert, upsert),
		Doc: "insert puts the value in the place of the document with its id; upsert changes the fields that the value has, and makes the document where it is not there. Upserts have no version."})
	key(conversion, configdef.Key{Name: aStrategyKey, Type: configdef.String, Default: text(strategyPlace), Validator: configdef.InIgnoreCase(strategyNone, strategyKey, strategyPlace),
		Doc: "What ids are made of with key.ignore=true: none (the server makes them), record.key, or topic.partition.offset."})
	behavior := func(name, doc string) {
		key(conversion, configdef.Key{Name: name, Type: configdef.String, Default: text(fail), Validator: configdef.InIgnoreCase(ignore, warn, report, fail), Doc: doc})
	}
	behavior(malformedKey, "What becomes of a document that the server refuses for what is in it, such as a mapping conflict: ignore, warn (log it), report (to the dead letter queue), or fail the task.")
	behavior(conflictKey, "What becomes of a document that is there in the same or a newer version, which is so when records come again after a crash: ignore is right then. Else warn, report, or fail the task.")
	key(conversion, configdef.Key{Name: aRoutingKey, Type: configdef.String, Default: text(none), Validator: configdef.Func("[none, key]", func(name string, value *string) error {
		if value != nil && !strings.EqualFold(*value, none) && !strings.EqualFold(*value, "key") {
			return configdef.Invalid(name, *value, "not supported: there are none and key")
		}
		return nil
	}), Doc: "Whether the record's key decides which shard has the document."})
	refused(d, conversion, "routing.type.record.value.path", "routing by the value is not there. Use routing.type=key")
	key(streams, configdef.Key{Name: aStreamKey, Type: configdef.Boolean, Default: text("false"), Importance: configdef.Medium, Doc: "Whether data streams are written to, called by topic."})
	key(streams, configdef.Key{Name: aStreamPrefixKey, Type: configdef.String, Validator: configdef.NonEmpty(), Importance: configdef.Medium, Doc: "What stands before the topic in a data stream's name, with a -."})
	key(streams, configdef.Key{Name: timestampFieldKey, Type: configdef.String, Default: text(timestamp), Validator: configdef.NonEmpty(), Importance: configdef.Medium,
		Doc: "The field with a document's time. A document without @timestamp gets the record's, where this is @timestamp."})
	key(streams, configdef.Key{Name: aTemplateKey, Type: configdef.String, Importance: configdef.Medium, Doc: "The index template of the data streams, which is made where it is not there. Without one, each data stream has its own."})
	key("Topic to Existing Resource Mappings", configdef.Key{Name: aUsageKey, Type: configdef.String, Default: text(none), Validator: configdef.InIgnoreCase(none, "index", "index_alias", "data_stream"),
		Doc: "What topic.to.existing.resource.mapping names. none has indices or data streams made and named by topic."})
	key("Topic to Existing Resource Mappings", configdef.Key{Name: aResourcesKey, Type: configdef.List, Validator: pairs(), Doc: "Indices, data streams or aliases by topic, as topic:resource,topic:resource; they have to be there."})
	return d
}

// checkAiven is what spans several keys of Aiven's sink.
func checkAiven(v configdef.Values, fail func(key, message string)) {
	invalid := func(key, why string) { fail(key, configdef.Invalid(key, v.String(key), why).Error()) }
	checkCommon(v, fail)
	usage := strings.ToLower(v.String(aUsageKey))
	external := usage != "" && usage != none
	switch list, _ := resources(v.String(aResourcesKey)); {
	case external && len(list) == 0:
		invalid(aResourcesKey, aUsageKey+"="+usage+" needs a resource for each topic")
	case len(list) > aMaxResources:
		invalid(aResourcesKey, fmt.Sprintf("there are %d, and %d is the most", len(list), aMaxResources))
	case external && v.Bool(aStreamKey):
		invalid(aUsageKey, aStreamKey+" names data streams by topic: one of the two is possible")
	}
	if strings.EqualFold(v.String(aMethodKey), upsert) {
		if v.Bool(aStreamKey) || strings.HasPrefix(usage, "data_stream") {
			invalid(aMethodKey, "data streams take no upserts")
		}
		if v.Bool(ignoreKeyKey) && !strings.EqualFold(v.String(aStrategyKey), strategyKey) {
			invalid(aStrategyKey, "upserts need "+strategyKey)
		}
	}
}

// parseAiven reads a config of Aiven's sink.
func parseAiven(config map[string]string) (*settings, error) {
	v, err := aivenDef().Parse(config)
	if err != nil {
		return nil, err
	}
	if err := checked(v, checkAiven); err != nil {
		return nil, err
	}
	s := common(v)
	s.bulk.Bytes = aBulkBytes
	if s.client.TLS, err = tlsConfig(v, aTLSPrefix, v.Bool(aTrustAllKey)); err != nil {
		return nil, err
	}
	s.malformed, s.conflict, s.reportsAsked = strings.ToLower(v.String(malformedKey)), strings.ToLower(v.String(conflictKey)), true
	for key, how := range map[string]string{malformedKey: s.malformed, conflictKey: s.conflict} {
		if how == report {
			s.reports = key
		}
	}
	s.docs.upsert = strings.EqualFold(v.String(aMethodKey), upsert)
	s.bulk.InOrder = s.docs.upsert
	s.docs.routeByKey = strings.EqualFold(v.String(aRoutingKey), "key")
	ignored := map[string]idKind{strategyNone: byServer, strategyKey: byKey, strategyPlace: byPlace}[strings.ToLower(v.String(aStrategyKey))]
	if v.Bool(ignoreKeyKey) {
		s.docs.id = ignored
	}
	for topic := range s.docs.byTopic {
		s.docs.byTopic[topic] = ignored
	}
	s.stream, s.create = v.Bool(aStreamKey), true
	s.name = func(topic string) (string, error) { return aivenName(topic), nil }
	if prefix := v.String(aStreamPrefixKey); s.stream && prefix != "" {
		s.name = func(topic string) (string, error) { return prefix + "-" + aivenName(topic), nil }
	}
	if s.stream {
		s.template = func(name string) string { return name + "-connector-data-stream-template" }
		if given := v.String(aTemplateKey); given != "" {
			s.template = func(string) string { return given }
		}
		s.timeField = v.String(timestampFieldKey)
	}
	if usage := strings.ToLower(v.String(aUsageKey)); usage != none {
		s.stream, s.create = strings.HasPrefix(usage, "data_stream"), false
		if s.name, err = named(v.String(aResourcesKey), aResourcesKey); err != nil {
			return nil, err
		}
	}
	s.docs.create = s.stream
	s.docs.timestamp, s.docs.keepTimestamp = s.stream && v.String(timestampFieldKey) == timestamp, true
	return s, nil
}

// aivenName is the index of a topic, as Aiven's connector names it.
func aivenName(topic string) string {
	name := strings.ReplaceAll(cut(strings.ToLower(topic), maxName), ":", "_")
	if len(name) > 0 && slices.Contains([]byte("-_+"), name[0]) {
		name = name[1:]
	}
	if name == "." || name == ".." {
		name = strings.ReplaceAll(name, ".", "dot")
	}
	return name
}
