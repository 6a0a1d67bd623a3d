package elasticsearch

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
)

func aivenTask(t *testing.T, f *fake, tc connectors.SinkTaskContext, extra map[string]string) connectors.SinkTask {
	t.Helper()
	sink := Plugins()[1].NewSink().NewTask()
	if err := sink.Start(t.Context(), tc, f.config(extra)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Stop(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return sink
}

func TestAiven_SaysWhatIsNotSupportedAndWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		extra      map[string]string
		key, words string
	}{
		{nil, "", ""},
		{map[string]string{urlKey: "ftp://h"}, urlKey, "http://host:port"},
		{map[string]string{"aws.region": "eu"}, "aws.region", "not signed"},
		{map[string]string{aRoutingKey: "value"}, aRoutingKey, "not supported"},
		{map[string]string{"routing.type.record.value.path": "/a"}, "routing.type.record.value.path", "not there"},
		{map[string]string{aMethodKey: "upsert", ignoreKeyKey: "true"}, aStrategyKey, strategyKey},
		{map[string]string{aMethodKey: "upsert", ignoreKeyKey: "true", aStrategyKey: strategyKey}, "", ""},
		{map[string]string{aMethodKey: "upsert", aStreamKey: "true"}, aMethodKey, "data streams"},
		{map[string]string{aUsageKey: "index"}, aResourcesKey, "needs"},
		{map[string]string{aUsageKey: "data_stream", aResourcesKey: "a:b", aStreamKey: "true"}, aUsageKey, aStreamKey},
		{map[string]string{malformedKey: "drop"}, malformedKey, "REPORT"},
		{map[string]string{userKey: "me"}, passwordKey, "together"},
	} {
		got := faults(Plugins()[1], merge(map[string]string{urlKey: "http://h:9200"}, c.extra))
		if c.key == "" && len(got) > 0 || c.key != "" && !strings.Contains(got[c.key], c.words) {
			t.Errorf("%v: %v, want %s: …%s…", c.extra, got, c.key, c.words)
		}
	}
}

func TestAiven_IDsAndRouting(t *testing.T) {
	for _, c := range []struct {
		extra map[string]string
		want  string
	}{
		{map[string]string{ignoreKeyKey: "false"}, `{"index":{"_index":"t","_id":"k","version":5,"version_type":"external"}}`},
		{nil, `{"index":{"_index":"t","_id":"t+0+5"}}`},
		{map[string]string{aStrategyKey: "NONE"}, `{"index":{"_index":"t"}}`},
		{map[string]string{aStrategyKey: strategyKey, aRoutingKey: "key"}, `{"index":{"_index":"t","_id":"k","routing":"k","version":5,"version_type":"external"}}`},
		{map[string]string{aStrategyKey: strategyKey, aMethodKey: "upsert"}, `{"update":{"_index":"t","_id":"k","retry_on_conflict":3}}`},
		{map[string]string{aStreamKey: "true", aStreamPrefixKey: "logs"}, `{"create":{"_index":"logs-t","_id":"t+0+5"}}`},
		{map[string]string{aUsageKey: "index_alias", aResourcesKey: "t:mine"}, `{"index":{"_index":"mine","_id":"t+0+5"}}`},
	} {
		f := newFake(t)
		var first string
		f.answer = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/_bulk" {
				b := make([]byte, r.ContentLength)
				_, _ = r.Body.Read(b)
				first, _, _ = strings.Cut(string(b), "\n")
			}
			return false
		}
		sink := aivenTask(t, f, &conformance.SinkContext{}, c.extra)
		b := numbers(5, 1)
		b.Records[0].Topic, b.Records[0].Key = "t", data.String("k")
		_ = puts(t, sink, b) // what was read is gone for the fake
		if first != c.want {
			t.Errorf("%v: %s, want %s", c.extra, first, c.want)
		}
	}
}

func TestAiven_BehaviorsOnConflictsAndMalformedDocuments(t *testing.T) {
	for _, c := range []struct {
		extra   map[string]string
		fails   string
		letters []int64
	}{
		{nil, conflictKey, nil},
		{map[string]string{conflictKey: "ignore"}, malformedKey, nil},
		{map[string]string{conflictKey: "ignore", malformedKey: "warn"}, "", nil},
		{map[string]string{conflictKey: "report", malformedKey: "ignore"}, "", []int64{0}},
		{map[string]string{conflictKey: "warn", malformedKey: "report"}, "", []int64{1}},
	} {
		f, r := newFake(t), &reporter{}
		f.numeric["n"] = true
		f.docs["t/k0"] = doc{source: "{}", version: 7}
		sink := aivenTask(t, f, r, merge(map[string]string{ignoreKeyKey: "false"}, c.extra))
		err := puts(t, sink, values(0, data.Int64(0), data.String("x"), data.Int64(2)))
		if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%v: %v", c.extra, err)
		}
		if d := cmp.Diff(c.letters, r.offsets()); d != "" {
			t.Errorf("%v: %s", c.extra, d)
		}
		if f.sources()["t/k2"] == "" {
			t.Errorf("%v: the good one is not there", c.extra)
		}
	}
	sink := Plugins()[1].NewSink().NewTask()
	err := sink.Start(t.Context(), &conformance.SinkContext{}, newFake(t).config(map[string]string{malformedKey: "report"}))
	if err == nil || !strings.Contains(err.Error(), "errors.deadletterqueue.topic.name") {
		t.Error(err)
	}
}

func TestAivenName_IsAsTheJavaConnectorNamesIt(t *testing.T) {
	for topic, want := range map[string]string{"Orders": "orders", "a:b": "a_b", "+x": "x", "_y": "y", "..": "dotdot"} {
		if got := aivenName(topic); got != want {
			t.Errorf("%s: %s, want %s", topic, got, want)
		}
	}
}
