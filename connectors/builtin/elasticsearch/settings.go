package elasticsearch

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/elasticsearch/bulk"
	"github.com/sluice-project/sluice/connectors/builtin/elasticsearch/client"
	"github.com/sluice-project/sluice/connectors/configdef"
)

// settings are what a config says, of either class.
type settings struct {
	client client.Config
	bulk   bulk.Config
	docs   documents

	ignoreSchema  bool
	ignoreSchemas map[string]bool // by topic
	// stream says that data streams are written to, create that they or indices are made where they are not there.
	stream, create bool
	// name is the index or data stream of a topic; an error says that the config has none.
	name func(topic string) (string, error)
	// template is the index template of a data stream, which is made where it is not there; nil where none is made. timeField is
	// the field with the time that it names.
	template  func(stream string) string
	timeField string
	// drop leaves out records that cannot become documents.
	drop bool
	// malformed and conflict are ignore, warn, report or fail.
	malformed, conflict string
	// reportsAsked says that refused documents are reported where malformed or conflict is report only; else all malformed ones are.
	reportsAsked bool
	// reports says that the config makes no sense without a dead letter queue.
	reports string
}

// idKind is what a document's id is made of.
type idKind uint8

const (
	byKey idKind = iota
	byPlace
	byServer // none
)

func millis(v configdef.Values, key string) time.Duration {
	return time.Duration(v.Long(key)) * time.Millisecond
}

// parse reads a config of Confluent's sink.
func parse(config map[string]string) (*settings, error) {
	v, err := sinkDef().Parse(config)
	if err != nil {
		return nil, err
	}
	if err := checked(v, check); err != nil {
		return nil, err
	}
	s := common(v)
	s.client.Compress, s.client.Idle = v.Bool(compressionKey), max(0, millis(v, idleKey))
	s.bulk.Bytes = max(0, v.Int(bulkBytesKey))
	if s.client.Proxy = proxyOf(v); strings.EqualFold(v.String(protocolKey), "SSL") {
		if s.client.TLS, err = tlsConfig(v, tlsPrefix, false); err != nil {
			return nil, err
		}
	}
	s.malformed, s.conflict = strings.ToLower(v.String(malformedKey)), ignore
	s.docs.versionHeader = v.String(versionHeaderKey)
	s.docs.upsert = strings.EqualFold(v.String(methodKey), upsert)
	if v.Bool(autoIDsKey) && !s.docs.upsert {
		s.docs.byTopic, s.docs.id = nil, byServer
	}
	s.bulk.InOrder = s.docs.upsert
	s.stream = !strings.EqualFold(v.String(streamTypeKey), none)
	s.create = true
	s.name = func(topic string) (string, error) { return indexName(topic), nil }
	if s.stream {
		begin := strings.ToLower(v.String(streamTypeKey)) + "-" + v.String(datasetKey) + "-"
		s.name = func(topic string) (string, error) {
			return begin + cut(strings.ReplaceAll(v.String(namespaceKey), "${topic}", strings.ToLower(topic)), maxNamespace), nil
		}
	}
	if usage := strings.ToLower(v.String(usageKey)); usage != disabled {
		s.stream, s.create = strings.HasSuffix(usage, "datastream"), false
		if s.name, err = named(v.String(resourcesKey), resourcesKey); err != nil {
			return nil, err
		}
	}
	s.docs.create, s.docs.timestamp = s.stream, s.stream
	s.docs.timestampFields = v.List(timestampFieldKey)
	return s, nil
}

// checked gives the first of what a check finds.
func checked(v configdef.Values, check func(v configdef.Values, fail func(key, message string))) error {
	var faults []error
	check(v, func(_, message string) { faults = append(faults, errors.New(message)) })
	if len(faults) > 0 {
		return faults[0]
	}
	return nil
}

// common is what the keys of both classes say.
func common(v configdef.Values) *settings {
	s := &settings{
		client: client.Config{URLs: nodes(v), User: v.String(userKey), Password: v.Password(passwordKey), Connect: millis(v, connectKey), Read: millis(v, readKey),
			Whole: millis(v, flushKey), Idle: time.Minute, Retries: v.Int(retriesKey), Backoff: millis(v, backoffKey), Abreast: v.Int(inFlightKey)},
		bulk: bulk.Config{Ops: v.Int(batchKey), Abreast: v.Int(inFlightKey), Buffered: v.Int(bufferedKey), Linger: millis(v, lingerKey), Patience: millis(v, flushKey)},
		drop: v.Bool(dropKey), ignoreSchema: v.Bool(ignoreSchemaKey), ignoreSchemas: set(v.List(ignoreSchemasKey)),
	}
	s.docs = documents{nulls: strings.ToLower(v.String(nullsKey)), compact: v.Bool(compactKey), byTopic: map[string]idKind{}}
	if v.Bool(ignoreKeyKey) {
		s.docs.id = byPlace
	}
	for _, topic := range v.List(ignoreKeysKey) {
		s.docs.byTopic[topic] = byPlace
	}
	return s
}

func set(list []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range list {
		out[s] = true
	}
	return out
}

// nodes are the URLs; if one is https, all are.
func nodes(v configdef.Values) []*url.URL {
	var out []*url.URL
	secure := false
	for _, s := range v.List(urlKey) {
		if u, err := nodeURL(s); err == nil { // it is validated
			out, secure = append(out, u), secure || u.Scheme == "https"
		}
	}
	for _, u := range out {
		if secure {
			u.Scheme = "https"
		}
	}
	return out
}

func proxyOf(v configdef.Values) *url.URL {
	if v.String(proxyHostKey) == "" {
		return nil
	}
	u := &url.URL{Scheme: "http", Host: net.JoinHostPort(v.String(proxyHostKey), v.String(proxyPortKey))}
	if v.String(proxyUserKey) != "" {
		u.User = url.UserPassword(v.String(proxyUserKey), v.Password(proxyPasswordKey))
	}
	return u
}

// configError is an error that another config helps.
func configError(err error) error { return connectors.Classify(connectors.ConfigError, err) }
