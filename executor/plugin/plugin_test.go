package plugin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func source(class string, aliases ...string) connectors.Plugin {
	return connectors.Plugin{Class: class, Aliases: aliases, Version: "4.3.1", Type: connectors.Source, NewSource: func() connectors.SourceConnector { panic("no source") },
		Config: func() *configdef.Def {
			return configdef.New().Define(configdef.Key{Name: "topic", Type: configdef.String, Required: true, Importance: configdef.High, Doc: "d"})
		}}
}

func sink(class string, aliases ...string) connectors.Plugin {
	return connectors.Plugin{Class: class, Aliases: aliases, Version: "4.3.1", Type: connectors.Sink, NewSink: func() connectors.SinkConnector { return nil }}
}

const (
	fileSource = "org.apache.kafka.connect.file.FileStreamSourceConnector"
	fileSink   = "org.apache.kafka.connect.file.FileStreamSinkConnector"
)

func TestNamesOfConnectorsAreKafkaConnects(t *testing.T) {
	r, err := plugin.New([]connectors.Plugin{source(fileSource, "Lines"), sink(fileSink)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		fileSource: fileSource, "FileStreamSourceConnector": fileSource, "FileStreamSource": fileSource, "Lines": fileSource, "FileStreamSink": fileSink,
		"filestreamsource": "", " FileStreamSource ": "", "": "", "Nope": "", "Source": "",
	} {
		p, err := r.Connector(name)
		if p.Class != want {
			t.Errorf("Connector(%q) = %q, %v; want %q", name, p.Class, err, want)
		}
	}
	_, err = r.Connector("Nope")
	var unknown *plugin.UnknownError
	if !errors.As(err, &unknown) || unknown.Name != "Nope" {
		t.Fatalf("Connector(Nope): %v", err)
	}
	want := "Failed to find any class that implements Connector and which name matches Nope, available connectors are: " +
		"PluginDesc{klass=class " + fileSink + ", name='" + fileSink + "', version='4.3.1', encodedVersion=4.3.1, type=sink, typeName='sink', location='builtin'}, " +
		"PluginDesc{klass=class " + fileSource + ", name='" + fileSource + "', version='4.3.1', encodedVersion=4.3.1, type=source, typeName='source', location='builtin'}"
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Error(d)
	}
}

func TestNewRefusesWhatIsTakenOrIncomplete(t *testing.T) {
	bad := source("x.B")
	bad.Config = func() *configdef.Def { panic("no definition") }
	both := source("x.A")
	both.NewSink = func() connectors.SinkConnector { return nil }
	for name, c := range map[string]struct {
		plugins    []connectors.Plugin
		converters []converter.Info
		want       string
	}{
		"a class twice":           {plugins: []connectors.Plugin{source("x.A"), source("x.A")}, want: "x.A is there twice"},
		"an alias twice":          {plugins: []connectors.Plugin{source("x.A", "n"), sink("x.B", "n")}, want: `"n" is claimed by x.B and by x.A`},
		"a simple name twice":     {plugins: []connectors.Plugin{source("x.A"), source("y.A")}, want: `"A" is claimed by x.A and by y.A`},
		"two constructors":        {plugins: []connectors.Plugin{both}, want: "exactly the one constructor"},
		"no class":                {plugins: []connectors.Plugin{source("")}, want: "has no class"},
		"a definition that fails": {plugins: []connectors.Plugin{bad}, want: "no definition"},
		"an empty converter":      {converters: []converter.Info{{Class: "x.C"}}, want: "constructor"},
		"a converter twice": {converters: []converter.Info{{Class: "x.C", New: func() converter.Converter { return nil }}, {Class: "y.C", New: func() converter.Converter { return nil }}},
			want: `"C" is claimed`},
	} {
		if _, err := plugin.New(c.plugins, c.converters); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestTheCatalogueHasOwnKeysThenTheFrameworks(t *testing.T) {
	r, err := plugin.New([]connectors.Plugin{source(fileSource), sink(fileSink)}, converter.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	list := r.List()
	if list[0].Class != fileSink || list[1].Class != fileSource || list[0].Type != sluicev1.PluginType_PLUGIN_TYPE_SINK {
		t.Fatalf("order: %s, %s", list[0].Class, list[1].Class)
	}
	var names []string
	for _, k := range list[1].Definition {
		names = append(names, k.Name)
	}
	want := "topic name connector.class connector.plugin.version tasks.max tasks.max.enforce key.converter key.converter.plugin.version value.converter value.converter.plugin.version header.converter header.converter.plugin.version transforms predicates config.action.reload errors.retry.timeout errors.retry.delay.max.ms errors.tolerance errors.log.enable errors.log.include.messages topic.creation.groups exactly.once.support transaction.boundary transaction.boundary.interval.ms offsets.storage.topic"
	if d := cmp.Diff(strings.Fields(want), names); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"FileStreamSourceConnector", "FileStreamSource"}, list[1].Aliases); d != "" {
		t.Error(d)
	}
	if k := list[1].Definition[0]; !k.Required || k.Group != nil || k.Order != -1 || k.DefaultValue != nil {
		t.Errorf("the connector's own key: %v", k)
	}
	for _, p := range list {
		if p.Class == "org.apache.kafka.connect.storage.StringConverter" && p.Definition[0].Name != "converter.type" {
			t.Errorf("%s begins with %s", p.Class, p.Definition[0].Name)
		}
	}
	for _, name := range []string{"org.apache.kafka.connect.json.JsonConverter", "JsonConverter", "Json"} {
		if i, err := r.Converter(name); err != nil || i.Class != "org.apache.kafka.connect.json.JsonConverter" {
			t.Errorf("Converter(%s): %v", name, err)
		}
		if _, err := r.HeaderConverter(name); err != nil {
			t.Errorf("HeaderConverter(%s): %v", name, err)
		}
	}
	if _, err := r.Converter("Nope"); err == nil || !strings.Contains(err.Error(), "org.apache.kafka.connect.storage.StringConverter") {
		t.Errorf("Converter(Nope): %v", err)
	}
}

func TestAPanicOfAPluginIsAnErrorWithItsStack(t *testing.T) {
	defer goleak.VerifyNone(t)
	err := plugin.Call(t.Context(), clock.Real(), "X.Start", time.Minute, func(context.Context) error { panic("boom") })
	if !plugin.Panicked(err) || !strings.Contains(err.Error(), "X.Start: panic: boom") || !strings.Contains(err.Error(), "plugin_test.go") {
		t.Errorf("Call: %v", err)
	}
	if _, err := plugin.NewSource(source("x.A")); !plugin.Panicked(err) {
		t.Errorf("NewSource: %v", err)
	}
	if _, err := plugin.NewSink(sink("x.A")); !errors.Is(err, plugin.ErrInvalid) {
		t.Errorf("NewSink of a nil: %v", err)
	}
	if _, err := plugin.NewSink(source("x.A")); !errors.Is(err, plugin.ErrInvalid) {
		t.Errorf("NewSink of a source: %v", err)
	}
}

func TestACallThatHangsIsLeftBehindAndNamed(t *testing.T) {
	defer goleak.VerifyNone(t)
	clk := clock.NewFake(time.Unix(0, 0))
	release, entered, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	defer close(release)
	go func() {
		result <- plugin.Call(t.Context(), clk, "X.TaskConfigs", 7*time.Second, func(context.Context) error { close(entered); <-release; return nil })
	}()
	<-entered
	await(t, func() bool { return clk.Waiters() > 0 })
	clk.Advance(7 * time.Second)
	if err := <-result; !errors.Is(err, plugin.ErrHung) || !strings.Contains(err.Error(), "X.TaskConfigs") || !strings.Contains(err.Error(), "7s") {
		t.Errorf("Call: %v", err)
	}
}

func TestTheEndOfTheContextReachesThePlugin(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := plugin.Call(ctx, clock.Real(), "X.Stop", time.Minute, func(ctx context.Context) error { cancel(); <-ctx.Done(); return nil })
	if err != nil {
		t.Errorf("a call that returned at the end of its context: %v", err)
	}
}

func await(t *testing.T, cond func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-deadline:
			t.Fatal("the condition has not come")
		case <-time.After(time.Millisecond):
		}
	}
}
