package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/connectors/predicate"
	"github.com/sluice-project/sluice/connectors/transform"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/internal/clock"
)

// registry has what is built in, by class or by its last part.
type registry struct{ flaky *flaky }

func (registry) Converter(class string) (converter.Info, error) {
	for _, i := range converter.Builtin() {
		if strings.HasSuffix(i.Class, "."+class) {
			return i, nil
		}
	}
	return converter.Info{}, errors.New("no such converter")
}

func (r registry) HeaderConverter(class string) (converter.Info, error) { return r.Converter(class) }

func (r registry) Transform(class string) (transform.Info, error) {
	if class == "flaky" {
		return transform.Info{Class: "flaky", New: func() transform.Transform { return r.flaky }}, nil
	}
	for _, i := range transform.Builtin() {
		if strings.HasSuffix(i.Class, "."+class) {
			return i, nil
		}
	}
	return transform.Info{}, errors.New("no such transform")
}

func (registry) Predicate(class string) (predicate.Info, error) {
	for _, i := range predicate.Builtin() {
		if strings.HasSuffix(i.Class, "."+class) {
			return i, nil
		}
	}
	return predicate.Info{}, errors.New("no such predicate")
}

// flaky fails on each record a few times, with an error that is worth another try.
type flaky struct{ left map[string]int }

func (*flaky) Configure(map[string]string) error { return nil }

func (f *flaky) Apply(b *transform.Batch) {
	for _, r := range b.Records {
		if f.left[r.Topic] > 0 {
			f.left[r.Topic]--
			r.Err = connectors.Retriable(errors.New("not now"))
		}
	}
}

func chainOf(t testing.TB, reg registry, pairs ...string) (*Chain, map[string]string) {
	t.Helper()
	config := map[string]string{"key.converter": "StringConverter", "value.converter": "StringConverter"}
	for i := 0; i < len(pairs); i += 2 {
		config[pairs[i]] = pairs[i+1]
	}
	c, err := NewChain(reg, config)
	if err != nil {
		t.Fatal(err)
	}
	return c, config
}

func sourceOf(t testing.TB, p Policy, reg registry, pairs ...string) *Source {
	t.Helper()
	chain, config := chainOf(t, reg, pairs...)
	conv, err := NewConverters(reg, map[string]string{"header.converter": "SimpleHeaderConverter"}, config)
	if err != nil {
		t.Fatal(err)
	}
	return NewSource(conv, chain, NewOperator(p, clock.Real(), slog.New(slog.DiscardHandler)), nil)
}

func sinkOf(t testing.TB, p Policy, pairs ...string) *Sink {
	t.Helper()
	chain, config := chainOf(t, registry{}, pairs...)
	conv, err := NewConverters(registry{}, map[string]string{"header.converter": "SimpleHeaderConverter"}, config)
	if err != nil {
		t.Fatal(err)
	}
	return NewSink(conv, chain, NewOperator(p, clock.Real(), slog.New(slog.DiscardHandler)), nil)
}

func polled(topics ...string) *connectors.SourceBatch {
	b := connectors.NewSourceBatch(len(topics))
	part := b.Partition(map[string]any{"p": "x"})
	for i, topic := range topics {
		r := b.Add()
		r.Topic, r.Partition, r.Offset = topic, part, connectors.SourceOffset{Key: "n", Value: data.Int64(int64(i))}
		r.ValueSchema, r.Value = data.StringSchema, data.String(fmt.Sprint("v", i))
	}
	return b
}

// sent is what was made of a batch: topics and values of messages, and the marks of the others.
func sent(o *Outgoing) string {
	var parts []string
	n := 0
	for i, m := range o.Marks {
		if m.Offset.Value.Int() != int64(i) {
			parts = append(parts, "offset?")
		}
		if m.Dropped {
			parts = append(parts, "-")
			continue
		}
		parts = append(parts, o.Messages[n].Topic+"="+string(o.Messages[n].Value))
		n++
	}
	if n != len(o.Messages) {
		parts = append(parts, "messages without marks")
	}
	return strings.Join(parts, " ")
}

func TestSource_TransformsThenConverts(t *testing.T) {
	for name, c := range map[string]struct {
		config []string
		want   string
	}{
		"in order":      {[]string{"transforms", "a,b", "transforms.a.type", "RegexRouter", "transforms.a.regex", "t-(.*)", "transforms.a.replacement", "u-$1", "transforms.b.type", "RegexRouter", "transforms.b.regex", "u-(.*)", "transforms.b.replacement", "w.$1"}, "w.1=v0 w.2=v1 x=v2"},
		"a struct":      {[]string{"transforms", "h", "transforms.h.type", "HoistField$Value", "transforms.h.field", "line"}, "t-1=Struct{line=v0} t-2=Struct{line=v1} x=Struct{line=v2}"},
		"a predicate":   {[]string{"predicates", "p", "predicates.p.type", "TopicNameMatches", "predicates.p.pattern", "t-.*", "transforms", "f", "transforms.f.type", "Filter", "transforms.f.predicate", "p"}, "- - x=v2"},
		"its negation":  {[]string{"predicates", "p", "predicates.p.type", "TopicNameMatches", "predicates.p.pattern", "t-.*", "transforms", "f", "transforms.f.type", "Filter", "transforms.f.predicate", "p", "transforms.f.negate", "TRUE"}, "t-1=v0 t-2=v1 -"},
		"dropped early": {[]string{"predicates", "p", "predicates.p.type", "TopicNameMatches", "predicates.p.pattern", "x", "transforms", "f,h", "transforms.f.type", "Filter", "transforms.f.predicate", "p", "transforms.h.type", "HoistField$Value", "transforms.h.field", "l"}, "t-1=Struct{l=v0} t-2=Struct{l=v1} -"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sourceOf(t, Policy{}, registry{}, c.config...)
			var out Outgoing
			for range 2 { // the second time in the first one's memory
				if err := s.Convert(t.Context(), polled("t-1", "t-2", "x"), &out); err != nil {
					t.Fatal(err)
				}
				if got := sent(&out); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			}
		})
	}
}

func TestSource_ARecordThatATransformFailsOnFailsTheTaskOrIsDropped(t *testing.T) {
	config := []string{"transforms", "r", "transforms.r.type", "RegexRouter", "transforms.r.regex", "t-.*", "transforms.r.replacement", "$7"}
	s := sourceOf(t, Policy{}, registry{}, config...)
	var out Outgoing
	err := s.Convert(t.Context(), polled("x", "t-1"), &out)
	if !errors.Is(err, ErrTolerance) || !strings.Contains(err.Error(), "stage TRANSFORMATION, class org.apache.kafka.connect.transforms.RegexRouter") {
		t.Errorf("%v", err)
	}
	s = sourceOf(t, Policy{Tolerate: true}, registry{}, config...)
	if err := s.Convert(t.Context(), polled("x", "t-1", "y"), &out); err != nil || sent(&out) != "x=v0 - y=v2" {
		t.Errorf("%v %s", err, sent(&out))
	}
	if n := s.op.Skipped(); n != 1 {
		t.Errorf("%d are counted", n)
	}
}

func TestSource_ARetriableFailureIsTriedAgainForItsRecordAlone(t *testing.T) {
	f := &flaky{left: map[string]int{"b": 1}}
	s := sourceOf(t, Policy{RetryTimeout: -1, RetryDelayMax: 1}, registry{flaky: f}, "transforms", "f", "transforms.f.type", "flaky")
	var out Outgoing
	if err := s.Convert(t.Context(), polled("a", "b", "c"), &out); err != nil || sent(&out) != "a=v0 b=v1 c=v2" {
		t.Errorf("%v %s", err, sent(&out))
	}
	f.left["b"] = 1 << 30
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Convert(ctx, polled("b"), &out); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func consumed(values ...string) *kafkaio.Batch {
	b := &kafkaio.Batch{}
	for i, v := range values {
		b.Records = append(b.Records, kafkaio.Record{Topic: "t", Partition: 1, Offset: int64(10 + i), Timestamp: 1709164800000, Value: []byte(v)})
	}
	return b
}

func TestSink_ConvertsThenTransforms(t *testing.T) {
	s := sinkOf(t, Policy{}, "value.converter", "JsonConverter", "value.converter.schemas.enable", "false", "predicates", "tomb", "predicates.tomb.type", "RecordIsTombstone",
		"transforms", "drop,in,day", "transforms.drop.type", "Filter", "transforms.drop.predicate", "tomb",
		"transforms.in.type", "InsertField$Value", "transforms.in.offset.field", "at", "transforms.day.type", "TimestampRouter")
	var out connectors.SinkBatch
	for range 2 {
		if err := s.Convert(t.Context(), consumed(`{"a":1}`, `null`, `{"a":2}`), false, &out); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range out.Records {
			got = append(got, fmt.Sprintf("%s %d %s", r.Topic, r.Offset, converter.AppendText(nil, r.Value)))
		}
		if want := "t-20240229 10 {a=1, at=10}; t-20240229 12 {a=2, at=12}"; strings.Join(got, "; ") != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSink_AFailureNamesItsRecord(t *testing.T) {
	config := []string{"transforms", "e", "transforms.e.type", "ExtractField$Value", "transforms.e.field", "a"}
	var out connectors.SinkBatch
	err := sinkOf(t, Policy{}, config...).Convert(t.Context(), consumed("x"), false, &out)
	if !errors.Is(err, ErrTolerance) || !strings.Contains(err.Error(), `record of topic "t", partition 1, offset 10`) {
		t.Errorf("%v", err)
	}
	if err := sinkOf(t, Policy{Tolerate: true}, config...).Convert(t.Context(), consumed("x", "y"), false, &out); err != nil || len(out.Records) != 0 {
		t.Errorf("%v %v", err, out.Records)
	}
}

func TestNewChain_SaysWhichKeyIsWrong(t *testing.T) {
	for _, c := range []struct {
		config []string
		want   string
	}{
		{[]string{"transforms", "a"}, "transforms.a.type"},
		{[]string{"transforms", "a", "transforms.a.type", "Nope"}, "transforms.a.type"},
		{[]string{"transforms", "a", "transforms.a.type", "InsertField$Value"}, "transforms.a: No field insertion configured"},
		{[]string{"transforms", "a", "transforms.a.type", "Filter", "transforms.a.predicate", "p"}, `transforms.a.predicate: there is no predicate "p"`},
		{[]string{"transforms", "a", "transforms.a.type", "Filter", "transforms.a.predicate", "p", "predicates", "p"}, "predicates.p.type"},
		{[]string{"transforms", "a", "transforms.a.type", "Filter", "transforms.a.predicate", "p", "predicates", "p", "predicates.p.type", "HasHeaderKey"}, "predicates.p: Missing"},
	} {
		config := map[string]string{}
		for i := 0; i < len(c.config); i += 2 {
			config[c.config[i]] = c.config[i+1]
		}
		if _, err := NewChain(registry{}, config); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.config, err)
		}
	}
	if c, err := NewChain(registry{}, map[string]string{"transforms": " "}); c != nil || err != nil {
		t.Error(c, err)
	}
}

// structs is a batch of a thousand records of one schema.
func structs(schema *data.Schema) *connectors.SourceBatch {
	b := connectors.NewSourceBatch(1000)
	for range 1000 {
		r := b.Add()
		st := data.NewStruct(schema)
		st.Set(0, data.Int64(7))
		st.Set(1, data.String("name"))
		st.Set(2, data.Int64(1709211909007))
		r.Topic, r.ValueSchema, r.Value = "t", schema, data.StructOf(st)
	}
	return b
}

var orderSchema = &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "id", Schema: data.Int64Schema}, {Name: "name", Schema: data.StringSchema}, {Name: "ts", Schema: data.TimestampSchema}}}

var usual = []string{"transforms", "route,cast,in,key,mask,time", "transforms.route.type", "RegexRouter", "transforms.route.regex", "(.*)", "transforms.route.replacement", "x-$1",
	"transforms.cast.type", "Cast$Value", "transforms.cast.spec", "id:string", "transforms.in.type", "InsertField$Value", "transforms.in.topic.field", "topic",
	"transforms.key.type", "ValueToKey", "transforms.key.fields", "id", "transforms.mask.type", "MaskField$Value", "transforms.mask.fields", "name",
	"transforms.time.type", "TimestampConverter$Value", "transforms.time.field", "ts", "transforms.time.target.type", "string", "transforms.time.format", "yyyy-MM-dd"}

func TestChain_AllocatesNothingPerRecord(t *testing.T) {
	s := sourceOf(t, Policy{}, registry{}, usual...)
	b := structs(orderSchema)
	var out Outgoing
	n := testing.AllocsPerRun(20, func() {
		if err := s.Convert(context.Background(), b, &out); err != nil {
			t.Fatal(err)
		}
	})
	if n > 100 { // of a thousand records through six transforms
		t.Errorf("%.0f allocations a batch", n)
	}
	if !bytes.Contains(out.Messages[0].Value, []byte("ts=2024-02-29,topic=x-t")) {
		t.Errorf("%s", out.Messages[0].Value)
	}
}

func BenchmarkChain_SixTransforms(b *testing.B) {
	s := sourceOf(b, Policy{}, registry{}, usual...)
	in := structs(orderSchema)
	var out Outgoing
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Convert(context.Background(), in, &out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}

// BenchmarkSink_GoodPath is a batch that nothing fails in.
func BenchmarkSink_GoodPath(b *testing.B) {
	s := sinkOf(b, Policy{Tolerate: true, Log: true})
	in := consumed()
	for i := range 1000 {
		in.Records = append(in.Records, kafkaio.Record{Topic: "t", Partition: 1, Offset: int64(i), Key: []byte("k"), Value: []byte("a value of some length, as they are")})
	}
	var out connectors.SinkBatch
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Convert(context.Background(), in, false, &out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}
