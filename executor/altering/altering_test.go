package altering

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/filestream"
	"github.com/sluice-project/sluice/connectors/builtin/verifiable"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/executor/secrets"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type env struct{ right time.Duration }

func (env) Logger() *slog.Logger          { return slog.New(slog.DiscardHandler) }
func (e env) RightLeft() time.Duration    { return e.right }
func (env) Confirm(context.Context) error { return nil }
func (env) Running()                      {}
func (env) Fenced()                       {}
func (env) Warn(string)                   {}

// store is a store of source offsets.
type store struct {
	offsets.Store // what is not asked for here is not there

	mu      sync.Mutex
	have    []offsets.Entry
	altered [][]offsets.Entry
	errs    []error // of the next calls of Alter
}

func (s *store) List(context.Context, string) ([]offsets.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]offsets.Entry{}, s.have...), nil
}

func (s *store) Alter(_ context.Context, _ string, e []offsets.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		return err
	}
	s.altered = append(s.altered, e)
	return nil
}

// groups is one consumer group.
type groups struct {
	mu      sync.Mutex
	members int // of whom one leaves each time that somebody asks, where they leave
	leave   bool
	exists  bool
	offsets map[kafkaio.TopicPartition]int64
	calls   []string
	err     error // of the next write
}

func (g *groups) note(format string, args ...any) error {
	g.calls = append(g.calls, fmt.Sprintf(format, args...))
	err := g.err
	if !errors.Is(err, kafkaio.ErrGroupActive) { // which stays
		g.err = nil
	}
	return err
}

func (g *groups) PartitionCounts(context.Context, []string) (map[string]int32, error) {
	return map[string]int32{"t": 2}, nil
}
func (g *groups) GroupMembers(context.Context, string) (int, error) {
	n := g.members
	if g.leave && n > 0 {
		g.members--
	}
	return n, nil
}
func (g *groups) GroupOffsets(_ context.Context, group string) (map[kafkaio.TopicPartition]int64, error) {
	return g.offsets, nil
}
func (g *groups) AlterGroupOffsets(_ context.Context, group string, o map[kafkaio.TopicPartition]int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.note("alter %s %v", group, o)
}
func (g *groups) DeleteGroupOffsets(_ context.Context, group string, tps []kafkaio.TopicPartition) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.exists {
		return kafkaio.ErrUnknownGroup
	}
	return g.note("forget %s %v", group, tps)
}
func (g *groups) DeleteGroup(_ context.Context, group string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.note("delete %s", group)
}
func (g *groups) Close() {}

// strange is a source whose AlterOffsets does what a test wants.
type strange struct {
	connectors.SourceConnector
	alter func(ctx context.Context, changes []connectors.SourceOffsetChange) (bool, error)
}

func (s strange) AlterOffsets(ctx context.Context, _ map[string]string, c []connectors.SourceOffsetChange) (bool, error) {
	return s.alter(ctx, c)
}

type bench struct {
	store  *store
	groups *groups
	alter  func(ctx context.Context, changes []connectors.SourceOffsetChange) (bool, error)
	env    env
	deps   Deps

	mu       sync.Mutex
	results  []*sluicev1.OffsetsResult
	complete []error // of the next calls
}

func newBench() *bench {
	b := &bench{store: &store{}, groups: &groups{exists: true}, env: env{time.Hour}}
	b.deps = Deps{Resolve: new(secrets.Resolver).Resolve, Offsets: opens(b.store), CallTimeout: 200 * time.Millisecond, Clock: clock.Real(),
		Groups: func(map[string]string) (Groups, error) { return b.groups, nil },
		Find: func(class string) (connectors.Plugin, error) {
			switch class {
			case "source":
				return filestream.SourcePlugin(), nil
			case "sink":
				return filestream.SinkPlugin(), nil
			case "verifiable":
				return verifiable.SourcePlugin(), nil
			}
			return connectors.Plugin{Class: "S", Type: connectors.Source, NewSource: func() connectors.SourceConnector { return &strange{alter: b.alter} }}, nil
		},
		Complete: func(_ context.Context, connector string, e lease.Epoch, id string, r *sluicev1.OffsetsResult) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			if len(b.complete) > 0 {
				err := b.complete[0]
				b.complete = b.complete[1:]
				return err
			}
			if connector != "c" || e.Revision != 7 || id != "id" {
				return errors.New("another's")
			}
			b.results = append(b.results, r)
			return nil
		}}
	return b
}

// begin runs a request; its end stops it.
func (b *bench) begin(t *testing.T, class string, r *sluicev1.OffsetsRequest) (in supervisor.Instance, done chan error) {
	t.Helper()
	r.Id = "id"
	in, err := NewFactory(b.deps).New(supervisor.Spec{Unit: unit.Offsets("c"), Epoch: lease.Epoch{Revision: 7}, Offsets: r,
		ConnectorConfig: map[string]string{"connector.class": class, "file": "f"}}, b.env)
	if err != nil {
		t.Fatal(err)
	}
	done = make(chan error, 1)
	go func() { done <- in.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() { in.Stop(true) })
	return in, done
}

func (b *bench) run(t *testing.T, class string, r *sluicev1.OffsetsRequest) *sluicev1.OffsetsResult {
	t.Helper()
	in, done := b.begin(t, class, r)
	deadline := time.After(10 * time.Second)
	for {
		b.mu.Lock()
		n := len(b.results)
		b.mu.Unlock()
		if n > 0 {
			break
		}
		select {
		case err := <-done:
			t.Fatalf("Run returned before it was stopped: %v", err)
		case <-deadline:
			t.Fatal("no result")
		case <-time.After(time.Millisecond):
		}
	}
	in.Stop(true)
	if err := <-done; err != nil {
		t.Error(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.results[0]
	b.results = nil
	return out
}

func change(partition, offset string) *sluicev1.PartitionOffset {
	out := &sluicev1.PartitionOffset{}
	if partition != "" {
		out.Partition = &partition
	}
	if offset != "" {
		out.Offset = &offset
	}
	return out
}

func changes(c ...*sluicev1.PartitionOffset) *sluicev1.OffsetsRequest {
	return &sluicev1.OffsetsRequest{Offsets: c}
}

func TestSource_AltersWhatTheConnectorLetsThrough(t *testing.T) {
	b := newBench()
	r := b.run(t, "source", changes(change(`{"filename":"a"}`, `{"position":1}`), change(`{"filename":"b"}`, ""), change(`{"filename":"a"}`, `{"position":9007199254740993}`), change("", "")))
	want := []offsets.Entry{{Partition: map[string]any{"filename": "a"}, Offset: map[string]any{"position": int64(9007199254740993)}}, {Partition: map[string]any{"filename": "b"}}, {}}
	if r.GetReason() != "" || !r.GetComplete() || !cmp.Equal([][]offsets.Entry{want}, b.store.altered) {
		t.Errorf("%v %v", r, b.store.altered)
	}
	b = newBench()
	b.store.have = []offsets.Entry{{Partition: map[string]any{"id": int64(0)}, Offset: map[string]any{"seqno": int64(3)}}}
	r = b.run(t, "verifiable", &sluicev1.OffsetsRequest{ForgetAll: true})
	if r.GetReason() != "" || r.GetComplete() || !cmp.Equal([][]offsets.Entry{{{Partition: map[string]any{"id": int64(0)}}}}, b.store.altered) {
		t.Errorf("a connector that does not say may have offsets elsewhere: %v %v", r, b.store.altered)
	}
	b = newBench()
	if r = b.run(t, "source", &sluicev1.OffsetsRequest{ForgetAll: true}); r.GetReason() != "" || !r.GetComplete() || len(b.store.altered) > 0 {
		t.Errorf("a reset of nothing: %v", r)
	}
}

func TestSource_RefusalsAreKafkaConnectsAndChangeNothing(t *testing.T) {
	const file = `{"filename":"a"}`
	for _, c := range []struct{ partition, offset, want string }{
		{"", `{"position":1}`, "Partition objects cannot be null"},
		{`{}`, `{"position":1}`, "Partition objects should contain the key 'filename'"},
		{file, `{"nope":1}`, "Offset objects should either be null or contain the key 'position'"},
		{file, `{"position":"4"}`, "The value for the 'position' key in the offset is expected to be a Long value"},
		{file, `{"position":1e2}`, "The value for the 'position' key in the offset is expected to be a Long value"},
		{file, `{"position":null}`, "The value for the 'position' key in the offset is expected to be a Long value"},
		{file, `{"position":-1}`, "The value for the 'position' key in the offset should be a non-negative value"},
		{file, `{"position":{"a":1}}`, "Offsets may only contain primitive types as values, but field position contains MAP"},
		{file, `{"position":[1]}`, "Offsets may only contain primitive types as values, but field position contains ARRAY"},
		{file, `{"position":9223372036854775808}`, "Offsets may only contain primitive types as values, but field position contains 9223372036854775808, which is beyond a 64-bit number"},
		{file, `{"position":1e999}`, "Offsets may only contain primitive types as values, but field position contains 1e999, which is beyond a 64-bit number"},
		{file, `{} {}`, "\"{} {}\" is more than one JSON object"},
	} {
		b := newBench()
		r := b.run(t, "source", changes(change(`{"filename":"good"}`, `{"position":6}`), change(c.partition, c.offset)))
		if r.GetReason() != string(errs.OffsetsInvalid) || r.GetMessage() != c.want || len(b.store.altered) > 0 {
			t.Errorf("%s %s: %v, want %q", c.partition, c.offset, r, c.want)
		}
	}
}

func TestSource_APluginThatHangsPanicsOrRefusesIsAnAnswer(t *testing.T) {
	hung := make(chan struct{})
	defer close(hung)
	for _, c := range []struct {
		what   string
		alter  func(context.Context, []connectors.SourceOffsetChange) (bool, error)
		reason errs.Reason
		want   string
	}{
		{"hangs", func(context.Context, []connectors.SourceOffsetChange) (bool, error) { <-hung; return true, nil }, errs.OffsetsFailed, "Failed to modify offsets for connector c: S.AlterOffsets: the plugin has not returned in time"},
		{"panics", func(context.Context, []connectors.SourceOffsetChange) (bool, error) { panic("boom") }, errs.OffsetsFailed, "Failed to modify offsets for connector c: S.AlterOffsets"},
		{"does not let them be altered", func(context.Context, []connectors.SourceOffsetChange) (bool, error) {
			return false, errors.ErrUnsupported
		}, errs.OffsetsUnsupported,
			"Failed to modify offsets for connector c because it doesn't support external modification of offsets"},
		{"refuses", func(context.Context, []connectors.SourceOffsetChange) (bool, error) {
			return false, errors.New("not so")
		}, errs.OffsetsInvalid, "not so"},
	} {
		b := newBench()
		b.alter = c.alter
		r := b.run(t, "strange", changes(change(`{"a":1}`, `{"b":1}`)))
		if r.GetReason() != string(c.reason) || !strings.HasPrefix(r.GetMessage(), c.want) || len(b.store.altered) > 0 {
			t.Errorf("%s: %v", c.what, r)
		}
	}
}

func TestRun_IsTriedAgainWhileKafkaIsAwayAndTellsItsResultUntilItIsHeard(t *testing.T) {
	b := newBench()
	b.deps.Clock = quick{clock.Real()}
	b.store.errs = []error{kafkaio.ErrTimeout, &kafkaio.Error{Text: "away", Retriable: true}}
	b.complete = []error{status.Error(codes.Unavailable, "away"), status.Error(codes.DeadlineExceeded, "away")}
	if r := b.run(t, "source", changes(change(`{"filename":"a"}`, `{"position":1}`))); r.GetReason() != "" || len(b.store.altered) != 1 {
		t.Errorf("%v", r)
	}
	b.store.errs = []error{errors.New("denied")}
	if r := b.run(t, "source", changes(change(`{"filename":"a"}`, `{"position":1}`))); r.GetReason() != string(errs.OffsetsFailed) || !strings.Contains(r.GetMessage(), "denied") {
		t.Errorf("%v", r)
	}
}

// quick is a clock whose timers are over at once.
type quick struct{ clock.Clock }

func (q quick) NewTimer(time.Duration) clock.Timer { return q.Clock.NewTimer(time.Millisecond) }

func TestRun_WithoutTheRightOrTheRequestNothingIsDone(t *testing.T) {
	b := newBench()
	b.env.right = 0
	in, done := b.begin(t, "source", changes(change(`{"filename":"a"}`, `{"position":1}`)))
	in.Cut()
	if err := <-done; err != nil || len(b.store.altered) > 0 || len(b.results) > 0 {
		t.Errorf("%v %v %v", err, b.store.altered, b.results)
	}
	b.store.errs = []error{kafkaio.ErrFenced}
	b.env.right = time.Hour
	_, done = b.begin(t, "source", changes(change(`{"filename":"a"}`, `{"position":1}`)))
	if err := <-done; !errors.Is(err, kafkaio.ErrFenced) {
		t.Errorf("a fenced attempt is confirmed and begun anew: %v", err)
	}
}

func TestSink_AltersThenForgets(t *testing.T) {
	b := newBench()
	r := b.run(t, "sink", changes(change(`{"kafka_topic":"t","kafka_partition":"0","x":1}`, `{"kafka_offset":"9007199254740993"}`), change(`{"kafka_topic":"t","kafka_partition":1}`, "")))
	if r.GetReason() != "" || !r.GetComplete() || !cmp.Equal([]string{"alter connect-c map[{t 0}:9007199254740993]", "forget connect-c [{t 1}]"}, b.groups.calls) {
		t.Errorf("%v %q", r, b.groups.calls)
	}
	b = newBench()
	if r := b.run(t, "sink", &sluicev1.OffsetsRequest{ForgetAll: true}); r.GetReason() != "" || !cmp.Equal([]string{"delete connect-c"}, b.groups.calls) {
		t.Errorf("%v %q", r, b.groups.calls)
	}
}

func TestSink_RefusalsAreKafkaConnectsAndChangeNothing(t *testing.T) {
	const good, keys = `{"kafka_topic":"t","kafka_partition":0}`, "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'"
	for _, c := range []struct{ partition, offset, want string }{
		{"", `{"kafka_offset":1}`, "The partition for a sink connector offset cannot be null or missing"},
		{`{}`, `{"kafka_offset":1}`, keys},
		{`{"kafka_topic":"t"}`, `{"kafka_offset":1}`, keys},
		{`{"kafka_topic":null,"kafka_partition":0}`, "", "Kafka topic names must be valid strings and may not be null"},
		{`{"kafka_topic":"t","kafka_partition":null}`, "", "Kafka partitions must be valid numbers and may not be null"},
		{`{"kafka_topic":"t","kafka_partition":1.5}`, "", "Failed to parse the following Kafka partition value in the provided offsets: '1.5'. Partition values for sink connectors need to be integers."},
		{`{"kafka_topic":"t","kafka_partition":true}`, "", "Failed to parse the following Kafka partition value in the provided offsets: 'true'. Partition values for sink connectors need to be integers."},
		{good, `{}`, "The offset for a sink connector should either be null or contain the key 'kafka_offset'"},
		{good, `{"kafka_offset":"x"}`, "Failed to parse the following Kafka offset value in the provided offsets: 'x'. Offset values for sink connectors need to be integers."},
		{good, `{"kafka_offset":null}`, "Failed to parse the following Kafka offset value in the provided offsets: 'null'. Offset values for sink connectors need to be integers."},
		{good, `{"kafka_offset":-1}`, `Failed to modify offsets for sink connector c: kafka_offset -1 of topic "t", partition 0, is negative. Nothing was changed`},
		{`{"kafka_topic":"no","kafka_partition":0}`, `{"kafka_offset":1}`, `Failed to alter consumer group offsets for connector c: topic "no" does not exist. Nothing was changed`},
		{`{"kafka_topic":"t","kafka_partition":-1}`, `{"kafka_offset":1}`, `Failed to alter consumer group offsets for connector c: topic "t" has the partitions 0 to 1, not -1. Nothing was changed`},
	} {
		b := newBench()
		r := b.run(t, "sink", changes(change(`{"kafka_topic":"t","kafka_partition":1}`, `{"kafka_offset":6}`), change(c.partition, c.offset)))
		if r.GetReason() != string(errs.OffsetsInvalid) || r.GetMessage() != c.want || len(b.groups.calls) > 0 {
			t.Errorf("%s %s: %v, want %q", c.partition, c.offset, r, c.want)
		}
	}
}

func TestSink_AMemberThatIsAboutToLeaveIsWaitedFor(t *testing.T) {
	b := newBench()
	b.deps.Clock = quick{b.deps.Clock}
	b.groups.members, b.groups.leave = 1, true
	if r := b.run(t, "sink", changes(change(`{"kafka_topic":"t","kafka_partition":0}`, `{"kafka_offset":1}`))); r.GetReason() != "" || len(b.groups.calls) == 0 {
		t.Errorf("%v %q", r, b.groups.calls)
	}
}

func TestSink_AGroupWithMembersIsLeftAloneAndNamed(t *testing.T) {
	b := newBench()
	b.deps.Clock = quick{b.deps.Clock}
	b.groups.members = 1
	r := b.run(t, "sink", changes(change(`{"kafka_topic":"t","kafka_partition":0}`, `{"kafka_offset":1}`)))
	if r.GetReason() != string(errs.OffsetsGroupActive) || len(b.groups.calls) > 0 || !strings.HasPrefix(r.GetMessage(), "Failed to alter consumer group offsets for connector c either because its tasks haven't stopped completely yet") {
		t.Errorf("%v %q", r, b.groups.calls)
	}
	b.groups.err = kafkaio.ErrGroupActive
	if r = b.run(t, "sink", &sluicev1.OffsetsRequest{ForgetAll: true}); r.GetReason() != string(errs.OffsetsGroupActive) || !strings.Contains(r.GetMessage(), "the request to reset its offsets") {
		t.Errorf("%v", r)
	}
	b = newBench()
	b.groups.exists = false
	if r = b.run(t, "sink", changes(change(`{"kafka_topic":"t","kafka_partition":0}`, ""))); r.GetReason() != string(errs.OffsetsInvalid) || !strings.Contains(r.GetMessage(), `"connect-c" does not exist`) {
		t.Errorf("%v", r)
	}
}

func TestRead_GivesOffsetsToTheDigit(t *testing.T) {
	b := newBench()
	b.store.have = []offsets.Entry{{Offset: map[string]any{"of": "no partition"}},
		{Partition: map[string]any{"topic": "<ä>", "cluster": "x", "partition": int64(0)}, Offset: map[string]any{"lsn": int64(9007199254740993), "d": 100.0, "s": "q\""}}}
	got, err := b.deps.Read(t.Context(), "c", map[string]string{"connector.class": "source"})
	if err != nil || len(got) != 1 || got[0].GetPartition() != `{"cluster":"x","partition":0,"topic":"<ä>"}` || got[0].GetOffset() != `{"s":"q\"","d":100.0,"lsn":9007199254740993}` {
		t.Errorf("%v %v", got, err)
	}
	b.groups.offsets = map[kafkaio.TopicPartition]int64{{Topic: "t", Partition: 10}: 1, {Topic: "t", Partition: 2}: 1<<53 + 1, {Topic: "a", Partition: 3}: 0}
	got, err = b.deps.Read(t.Context(), "c", map[string]string{"connector.class": "sink"})
	if err != nil || len(got) != 3 || got[1].GetPartition() != `{"kafka_partition":2,"kafka_topic":"t"}` || got[1].GetOffset() != `{"kafka_offset":9007199254740993}` {
		t.Errorf("%v %v", got, err)
	}
	for i := range 40_000 {
		b.store.have = append(b.store.have, offsets.Entry{Partition: map[string]any{"partition": strings.Repeat("x", 80) + fmt.Sprint(i)}, Offset: map[string]any{"o": int64(1)}})
	}
	if _, err = b.deps.Read(t.Context(), "c", map[string]string{"connector.class": "source"}); errs.ReasonOf(err) != errs.OffsetsTooLarge {
		t.Errorf("%v", err)
	}
}

func FuzzParse_NeverPanicsAndKeepsWholeNumbers(f *testing.F) {
	f.Add(`{"kafka_topic":"t","kafka_partition":0}`, `{"kafka_offset":9007199254740993}`)
	f.Add(`{"kafka_topic":"t","kafka_partition":"1"}`, `{"kafka_offset":"7"}`)
	f.Add(`{"a":1e5,"b":[{}]}`, `null`)
	f.Add(`{"a":-0.0,"b":true,"c":null,"a":18446744073709551616}`, `{"a":1}]`)
	f.Fuzz(func(t *testing.T, partition, offset string) {
		in := []*sluicev1.PartitionOffset{change(partition, offset)}
		_, _ = sinkOffsets(in)
		entries, err := sourceOffsets(in)
		if err != nil {
			return
		}
		for _, e := range entries {
			for text, m := range map[string]map[string]any{partition: e.Partition, offset: e.Offset} {
				if m == nil {
					continue
				}
				if !json.Valid([]byte(text)) {
					t.Fatalf("%q is no JSON, and was taken", text)
				}
				want := map[string]any{}
				d := json.NewDecoder(strings.NewReader(text))
				d.UseNumber()
				if err := d.Decode(&want); err != nil {
					t.Fatal(err)
				}
				for k, v := range m {
					switch v := v.(type) {
					case nil, bool, string, float64:
					case int64:
						if n := string(want[k].(json.Number)); n != fmt.Sprint(v) && n != "-0" {
							t.Fatalf("%s became %d", n, v)
						}
					default:
						t.Fatalf("%q is a %T", k, v)
					}
				}
			}
		}
	})
}

// opens is a store that needs no opening.
func opens(s offsets.Store) func(context.Context, map[string]string) (offsets.Store, func(), error) {
	return func(context.Context, map[string]string) (offsets.Store, func(), error) { return s, func() {}, nil }
}
