package elasticsearch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/elasticsearch/client"
	"github.com/sluice-project/sluice/connectors/data"
)

const (
	// maxName bounds an index's name, maxNamespace a part of a data stream's, in bytes.
	maxName      = 255
	maxNamespace = 100
)

// indexName is the index of a topic, as the Confluent connector names it: in lower case, without a - or _ at its beginning.
func indexName(topic string) string {
	name := cut(strings.ToLower(topic), maxName)
	if strings.HasPrefix(name, "-") || strings.HasPrefix(name, "_") {
		name = name[1:]
	}
	if name == "." || name == ".." {
		name = strings.ReplaceAll(name, ".", "dot")
	}
	return name
}

// cut is a text's beginning of at most so many bytes.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// named has topics go to what a list of topic:resource names.
func named(list, key string) (func(topic string) (string, error), error) {
	byTopic, err := resources(list)
	if err != nil {
		return nil, err
	}
	return func(topic string) (string, error) {
		if r, ok := byTopic[topic]; ok {
			return r, nil
		}
		return "", configError(fmt.Errorf("elasticsearch: %s has nothing for the topic %s: add %s:…", key, topic, topic))
	}, nil
}

// target is where the records of a topic go.
type target struct {
	topic string
	// index is its name as JSON.
	index []byte
	name  string
	// mapped says that there is a mapping, or that none is made.
	mapped bool
	raw    bool // schema.ignore
	id     idKind
}

// targets knows those of the task.
type targets struct {
	s       *settings
	client  *client.Client
	byTopic map[string]*target
	last    *target
}

// of finds, or prepares, where a record goes. r has the topic as it is after transforms.
func (t *targets) of(ctx context.Context, r *connectors.SinkRecord) (*target, error) {
	to := t.last
	if to == nil || to.topic != r.Topic {
		var err error
		if to, err = t.find(ctx, r.Topic); err != nil {
			return nil, err
		}
		t.last = to
	}
	if !to.mapped && !r.Value.IsNull() {
		if err := t.makeMapping(ctx, to, r.ValueSchema); err != nil {
			return nil, err
		}
		to.mapped = true
	}
	return to, nil
}

func (t *targets) find(ctx context.Context, topic string) (*target, error) {
	if to := t.byTopic[topic]; to != nil {
		return to, nil
	}
	topic = strings.Clone(topic) // the record's memory is used again
	name, err := t.s.name(topic)
	if err != nil {
		return nil, err
	}
	if t.s.create {
		if err := t.make(ctx, name); err != nil {
			return nil, err
		}
	}
	index, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	to := &target{topic: topic, name: name, index: index, raw: t.s.ignoreSchema || t.s.ignoreSchemas[topic], id: t.s.docs.idOf(topic)}
	to.mapped = to.raw
	t.byTopic[topic] = to
	return to, nil
}

// make has an index, or a data stream, be there.
func (t *targets) make(ctx context.Context, name string) error {
	kind, path := "index", "/"+url.PathEscape(name)
	a, err := t.client.Do(ctx, "looking for "+name, http.MethodHead, path, nil)
	if err != nil {
		return err
	}
	if a.OK() {
		return nil
	}
	if a.Status != http.StatusNotFound {
		return t.client.Refused("looking for "+name, a)
	}
	if t.s.stream {
		if err := t.makeTemplate(ctx, name); err != nil {
			return err
		}
		kind, path = "data stream", "/_data_stream/"+url.PathEscape(name)
	}
	doing := "making the " + kind + " " + name
	if a, err = t.client.Do(ctx, doing, http.MethodPut, path, nil); err != nil {
		return err
	}
	if a.OK() {
		return nil
	}
	e := client.ParseError(a.Body)
	if strings.Contains(e.Type, "resource_already_exists") || strings.Contains(e.Reason, "resource_already_exists") || a.Status == http.StatusBadRequest && strings.Contains(e.Reason, "already exists") {
		return nil // another task was quicker
	}
	if t.s.stream && strings.Contains(e.Reason, "no matching index template") {
		return configError(fmt.Errorf("elasticsearch: %s: %s needs an index template for it, with data_stream: %s", doing, t.client.Where(), e))
	}
	return t.client.Refused(doing, a)
}

// makeTemplate has the index template of a data stream be there, where the config asks for one.
func (t *targets) makeTemplate(ctx context.Context, stream string) error {
	if t.s.template == nil {
		return nil
	}
	name := t.s.template(stream)
	path, doing := "/_index_template/"+url.PathEscape(name), "making the index template "+name
	a, err := t.client.Do(ctx, doing, http.MethodHead, path, nil)
	if err != nil || a.OK() {
		return err
	}
	body := map[string]any{"index_patterns": []string{stream}, "priority": 200, "data_stream": map[string]any{}}
	if t.s.timeField != timestamp { // OpenSearch's own
		body["data_stream"] = map[string]any{"timestamp_field": map[string]any{"name": t.s.timeField}}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if a, err = t.client.Do(ctx, doing, http.MethodPut, path, b); err == nil && !a.OK() {
		err = t.client.Refused(doing, a)
	}
	return err
}

// makeMapping makes the mapping of a schema, where the index has none yet.
func (t *targets) makeMapping(ctx context.Context, to *target, schema *data.Schema) error {
	path, doing := "/"+url.PathEscape(to.name)+"/_mapping", "making the mapping of "+to.name
	if !t.s.stream {
		has, err := t.hasMapping(ctx, path, to.name)
		if err != nil || has {
			return err
		}
	}
	if schema == nil {
		return connectors.Classify(connectors.DataError, fmt.Errorf("%w: the first value of the topic %s has none, so %s has to be true, or %s has to have it", ErrNoSchema, to.topic, ignoreSchemaKey, ignoreSchemasKey))
	}
	body, err := mapping(schema)
	if err != nil {
		return connectors.Classify(connectors.DataError, fmt.Errorf("elasticsearch: %s: %w", doing, err))
	}
	a, err := t.client.Do(ctx, doing, http.MethodPut, path, body)
	if err != nil {
		return err
	}
	if !a.OK() {
		return t.client.Refused(doing, a)
	}
	return nil
}

// hasMapping says whether an index has any.
func (t *targets) hasMapping(ctx context.Context, path, name string) (bool, error) {
	a, err := t.client.Do(ctx, "reading the mapping of "+name, http.MethodGet, path, nil)
	if err != nil {
		return false, err
	}
	if !a.OK() {
		return false, t.client.Refused("reading the mapping of "+name, a)
	}
	var answer map[string]struct {
		Mappings map[string]json.RawMessage `json:"mappings"`
	}
	if err := json.Unmarshal(a.Body, &answer); err != nil {
		return false, configError(fmt.Errorf("elasticsearch: reading the mapping of %s: %s answers with no mapping: correct %s: %w", name, t.client.Where(), urlKey, err))
	}
	for _, m := range answer {
		if len(m.Mappings) > 0 {
			return true, nil
		}
	}
	return false, nil
}
