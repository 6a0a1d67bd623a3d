package sinktask

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/connectors/predicate"
	"github.com/sluice-project/sluice/connectors/transform"
	"github.com/sluice-project/sluice/executor/deadletter"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/stage"
	"github.com/sluice-project/sluice/executor/stage/lane"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/internal/clock"
)

// world is Kafka and the outer system: three partitions of fixed records, what of them is settled (flushed by the sink,
// filtered, or acknowledged by the dead letter queue), and the group's offsets.
type world struct {
	mu        sync.Mutex
	logs      [3]string // a letter a record: good, errant (the task reports it), bad (no JSON), filtered
	settled   [3]map[int64]bool
	committed map[kafkaio.TopicPartition]int64
	letters   []letter // sent, and not acknowledged
	passed    string   // what broke the promise
}

type letter struct {
	seq       uint64
	partition int
	offset    int64
}

// fakeConsumer is a member of the group.
type fakeConsumer struct {
	w        *world
	task     *task
	assigned []kafkaio.TopicPartition
	at       map[kafkaio.TopicPartition]int64
	paused   map[kafkaio.TopicPartition]bool
	next     []kafkaio.TopicPartition // a rebalance that is due
	due      bool
	gradual  bool // rebalances are cooperative: only what moves is revoked
	plan     *plan
}

// plan is what goes wrong in a round.
type plan struct {
	Most                       int  // records of a partition that a poll brings
	Early                      bool // paused partitions bring records too
	CommitFails, SeekFails     bool
	PutFails, PreCommitFails   bool
	PutPart                    int  // records that a failing Put takes before
	Late                       bool // errant records are reported by preCommit
	Waits                      bool // what is kept does not come again in this round
	Pause                      bool // the user's
	Seek                       int  // the partition that Put rewinds, or -1
	Back                       int64
	Behind                     int64 // what preCommit holds back
	RequestCommit, CommitIsDue bool
	Rebalance                  []bool
	Acknowledge                []int
}

func tpOf(p int) kafkaio.TopicPartition {
	return kafkaio.TopicPartition{Topic: "t", Partition: int32(p)}
}

func (c *fakeConsumer) Poll(_ context.Context, _ time.Duration, b *kafkaio.Batch) error {
	if c.due {
		c.due = false
		kept := func(tp kafkaio.TopicPartition) bool {
			return c.gradual && slices.Contains(c.assigned, tp) && slices.Contains(c.next, tp)
		}
		revoked := slices.DeleteFunc(slices.Clone(c.assigned), kept)
		assigned := slices.DeleteFunc(slices.Clone(c.next), kept)
		if len(revoked) > 0 {
			listener{c.task}.Revoked(revoked)
		}
		for _, tp := range revoked {
			delete(c.paused, tp)
		}
		c.assigned = c.next
		for _, tp := range assigned {
			c.at[tp] = c.w.committed[tp] // from the beginning where there is none
		}
		listener{c.task}.Assigned(assigned)
	}
	b.Records = b.Records[:0]
	for _, tp := range c.assigned {
		if c.paused[tp] && !c.plan.Early {
			continue
		}
		log := c.w.logs[tp.Partition]
		for n := 0; n < c.plan.Most && c.at[tp] < int64(len(log)); n++ {
			o := c.at[tp]
			r := kafkaio.Record{Topic: "t", Partition: tp.Partition, Offset: o, Value: fmt.Appendf(nil, "%q", string(log[o])+strconv.FormatInt(o, 10))}
			switch log[o] {
			case 'b':
				r.Value = []byte("{")
			case 'f':
				r.Value = nil
			}
			b.Records = append(b.Records, r)
			c.at[tp]++
		}
	}
	return nil
}

func (c *fakeConsumer) Assignment() []kafkaio.TopicPartition { return c.assigned }

func (c *fakeConsumer) End(tp kafkaio.TopicPartition) (int64, bool) {
	return int64(len(c.w.logs[tp.Partition])), true
}

func (c *fakeConsumer) Committed(_ context.Context, tps []kafkaio.TopicPartition) (map[kafkaio.TopicPartition]int64, error) {
	out := map[kafkaio.TopicPartition]int64{}
	for _, tp := range tps {
		if o, ok := c.w.committed[tp]; ok {
			out[tp] = o
		}
	}
	return out, nil
}

func (c *fakeConsumer) Commit(_ context.Context, offsets map[kafkaio.TopicPartition]int64) error {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	for tp, o := range offsets {
		for i := range o {
			if !c.w.settled[tp.Partition][i] {
				c.w.passed = fmt.Sprintf("partition %d: %d is committed, and record %d (%c) is nowhere", tp.Partition, o, i, c.w.logs[tp.Partition][i])
			}
		}
	}
	if c.plan.CommitFails {
		return errors.New("no coordinator")
	}
	maps.Copy(c.w.committed, offsets)
	return nil
}

func (c *fakeConsumer) Seek(tp kafkaio.TopicPartition, offset int64) error {
	if c.plan.SeekFails {
		return errors.New("not being fetched")
	}
	c.at[tp] = offset
	return nil
}

func (c *fakeConsumer) Pause(tps []kafkaio.TopicPartition) error {
	for _, tp := range tps {
		c.paused[tp] = true
	}
	return nil
}

func (c *fakeConsumer) Resume(tps []kafkaio.TopicPartition) error {
	for _, tp := range tps {
		delete(c.paused, tp)
	}
	return nil
}

func (c *fakeConsumer) Leave(context.Context) error { return nil }
func (c *fakeConsumer) Close() error                { return nil }

// buffering is a sink that keeps what it gets until preCommit, and loses that where it fails.
type buffering struct {
	w      *world
	c      *fakeConsumer
	tc     connectors.SinkTaskContext
	buffer [3][]int64
	late   []connectors.SinkRecord // to be reported by preCommit
}

func (s *buffering) Start(_ context.Context, tc connectors.SinkTaskContext, _ map[string]string) error {
	s.tc = tc
	return nil
}
func (s *buffering) Stop(context.Context) error { return nil }

func (s *buffering) Put(ctx context.Context, b *connectors.SinkBatch) error {
	p := s.c.plan
	for i := range b.Records {
		if p.PutFails && i >= p.PutPart {
			return connectors.Retriable(errors.New("not now"))
		}
		r := b.Records[i] // a copy is as good
		if r.Value.Str()[0] == 'e' && p.Late {
			s.late = append(s.late, connectors.SinkRecord{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, ValueSchema: r.ValueSchema, Value: data.String(strings.Clone(r.Value.Str()))})
			continue
		}
		if r.Value.Str()[0] == 'e' {
			if _, err := s.tc.Reporter().Report(ctx, &r, errors.New("errant")); err != nil {
				return err
			}
			continue
		}
		s.buffer[r.Partition] = append(s.buffer[r.Partition], r.Offset)
	}
	if p.PutFails {
		return connectors.Retriable(errors.New("not now"))
	}
	if tp := tpOf(max(p.Seek, 0)); p.Seek >= 0 && s.c.task.pos.put[tp] > 0 {
		back := max(s.c.task.pos.put[tp]-p.Back, 0)
		s.tc.Seek(connectors.TopicPartition(tp), back)
		s.lose(p.Seek, back)
	}
	if p.RequestCommit {
		s.tc.RequestCommit()
	}
	return nil
}

// lose forgets records that the sink had, from an offset on.
func (s *buffering) lose(partition int, from int64) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	var left []int64
	for _, o := range s.buffer[partition] {
		if o < from {
			left = append(left, o)
		}
	}
	s.buffer[partition] = left
	for o := range s.w.settled[partition] { // what is committed it must have for good
		if o >= max(from, s.w.committed[tpOf(partition)]) && s.w.logs[partition][o] == 'g' {
			delete(s.w.settled[partition], o)
		}
	}
}

func (s *buffering) PreCommit(ctx context.Context, offsets map[connectors.TopicPartition]int64) (map[connectors.TopicPartition]int64, error) {
	for i := range s.late {
		if _, err := s.tc.Reporter().Report(ctx, &s.late[i], errors.New("errant")); err != nil {
			return nil, err
		}
	}
	s.late = nil
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.c.plan.PreCommitFails {
		s.buffer = [3][]int64{}
		return nil, errors.New("flush failed")
	}
	for p := range s.buffer {
		for _, o := range s.buffer[p] {
			s.w.settled[p][o] = true
		}
		s.buffer[p] = nil
	}
	for tp, o := range offsets {
		offsets[tp] = max(o-s.c.plan.Behind, 0)
	}
	return offsets, nil
}

func (s *buffering) Open(context.Context, []connectors.TopicPartition) error { return nil }

func (s *buffering) Close(_ context.Context, tps []connectors.TopicPartition) error {
	for _, tp := range tps {
		s.buffer[tp.Partition] = nil
		s.late = slices.DeleteFunc(s.late, func(r connectors.SinkRecord) bool { return r.Partition == tp.Partition })
	}
	return nil
}

// fakeLetters is the producer of a dead letter queue.
type fakeLetters struct {
	w    *world
	acks chan kafkaio.Report
}

func (l *fakeLetters) Produce(msgs []kafkaio.Message) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	for _, m := range msgs {
		it := letter{seq: m.Seq}
		for _, h := range m.Headers {
			switch n, _ := strconv.ParseInt(string(h.Value), 10, 64); h.Key { //nolint:errcheck // two of them are numbers
			case "__connect.errors.partition":
				it.partition = int(n)
			case "__connect.errors.offset":
				it.offset = n
			}
		}
		l.w.letters = append(l.w.letters, it)
	}
	return len(msgs), nil
}

func (l *fakeLetters) Reports(ctx context.Context, _ time.Duration, buf []kafkaio.Report) (int, error) {
	select {
	case buf[0] = <-l.acks:
		return 1, nil
	case <-ctx.Done():
		return 0, nil
	}
}

func (*fakeLetters) Purge() {}
func (*fakeLetters) Close() {}

type builtin struct{}

func (builtin) Converter(class string) (converter.Info, error) {
	for _, i := range converter.Builtin() {
		if strings.HasSuffix(i.Class, "."+class) {
			return i, nil
		}
	}
	return converter.Info{}, errors.New("no such converter")
}
func (b builtin) HeaderConverter(class string) (converter.Info, error) { return b.Converter(class) }
func (builtin) Transform(class string) (transform.Info, error)         { return only{}.Transform(class) }
func (builtin) Predicate(string) (predicate.Info, error) {
	for _, i := range predicate.Builtin() {
		if strings.HasSuffix(i.Class, ".RecordIsTombstone") {
			return i, nil
		}
	}
	return predicate.Info{}, errors.New("no such predicate")
}

// life is one run of the task, round by round.
type life struct {
	t       *task
	c       *fakeConsumer
	letters *fakeLetters
	end     func()
}

func live(r rapid.TB, w *world, gradual bool) *life {
	must := func(err error) {
		if err != nil {
			r.Fatal(err)
		}
	}
	conf := map[string]string{"key.converter": "StringConverter", "value.converter": "JsonConverter", "value.converter.schemas.enable": "false",
		"errors.tolerance": "all", "predicates": "p", "predicates.p.type": "RecordIsTombstone", "transforms": "f", "transforms.f.type": "org.apache.kafka.connect.transforms.Filter",
		"transforms.f.predicate": "p"}
	conv, err := stage.NewConverters(builtin{}, map[string]string{"header.converter": "SimpleHeaderConverter"}, conf)
	must(err)
	chain, err := stage.NewChain(builtin{}, conf)
	must(err)
	log, clk := slog.New(slog.DiscardHandler), clock.NewFake(time.Unix(1, 0))
	l := &life{letters: &fakeLetters{w: w, acks: make(chan kafkaio.Report)}}
	t := &task{stats: taskstats.New(taskstats.Identity{Connector: "c", Sink: true}, clk), log: log, env: &env{fenced: make(chan struct{})}, deps: Deps{Clock: clk, CommitInterval: time.Hour, CommitTimeout: 2 * time.Millisecond}}
	t.stopping, t.stop = context.WithCancelCause(context.Background())
	t.unchanged, t.change = context.WithCancel(t.stopping)
	t.cutting, t.cut = context.WithCancel(context.Background())
	t.dead = deadletter.New(deadletter.Config{Topic: "d", Headers: true}, "c", 0, func() (deadletter.Producer, error) { return l.letters, nil }, clk, log)
	t.stage = stage.NewSink(conv, chain, stage.NewOperator(stage.Policy{Tolerate: true}, clk, log).WithDeadLetters(t.dead), nil)
	t.pos, t.stopped, t.commitAt = newPositions(), map[kafkaio.TopicPartition]bool{}, clk.Now().Add(time.Hour)
	l.c = &fakeConsumer{w: w, task: t, at: map[kafkaio.TopicPartition]int64{}, paused: map[kafkaio.TopicPartition]bool{}, due: true, gradual: gradual,
		next: []kafkaio.TopicPartition{tpOf(0), tpOf(1), tpOf(2)}, plan: &plan{Seek: -1}}
	sink := &buffering{w: w, c: l.c}
	t.sink, t.consumer = sink, l.c
	t.lane = lane.New(context.Background(), clock.Real(), "test")
	must(t.call(func(ctx context.Context) error { return sink.Start(ctx, &taskContext{t}, nil) }))
	l.t, l.end = t, func() {
		t.cut()
		t.stop(ErrCut)
		t.dead.Close()
		t.lane.Close()
	}
	return l
}

// acknowledge has a dead letter written.
func (l *life) acknowledge(w *world, which int, err error) {
	w.mu.Lock()
	if len(w.letters) == 0 {
		w.mu.Unlock()
		return
	}
	which %= len(w.letters)
	it := w.letters[which]
	w.letters = append(w.letters[:which], w.letters[which+1:]...)
	if err == nil {
		w.settled[it.partition][it.offset] = true
	}
	w.mu.Unlock()
	l.letters.acks <- kafkaio.Report{Seq: it.seq, Err: err}
}

// round is a round of the loop by a plan.
func (l *life) round(p *plan) error {
	l.c.plan = p
	if p.Rebalance != nil {
		l.c.due, l.c.next = true, nil
		for i, mine := range p.Rebalance {
			if mine {
				l.c.next = append(l.c.next, tpOf(i))
			}
		}
	}
	if p.CommitIsDue {
		l.t.commitAt = l.t.deps.Clock.Now()
	}
	l.t.retryAt = time.Time{}
	if p.Waits {
		l.t.retryAt = l.t.deps.Clock.Now().Add(time.Hour)
	}
	l.t.SetPaused(p.Pause)
	return l.t.round()
}

// newWorld has these records, a letter each.
func newWorld(logs [3]string) *world {
	w := &world{logs: logs, committed: map[kafkaio.TopicPartition]int64{}}
	for i, log := range w.logs {
		w.settled[i] = map[int64]bool{}
		for o, kind := range log {
			w.settled[i][int64(o)] = kind == 'f'
		}
	}
	return w
}

func plans(r *rapid.T) *plan {
	flag := func(name string, of int) bool { return rapid.IntRange(1, of).Draw(r, name) == of }
	p := &plan{Most: rapid.IntRange(0, 5).Draw(r, "most"), Early: flag("early", 2), CommitFails: flag("commit fails", 5), SeekFails: flag("seek fails", 4),
		PutFails: flag("put fails", 4), Late: flag("late", 3), PutPart: rapid.IntRange(0, 4).Draw(r, "put takes"), PreCommitFails: flag("preCommit fails", 5), Seek: -1,
		RequestCommit: flag("request commit", 3), CommitIsDue: flag("commit", 3), Behind: int64(rapid.SampledFrom([]int{0, 0, 2}).Draw(r, "behind"))}
	p.Waits, p.Pause = flag("waits", 3), flag("paused", 5)
	if flag("seek", 6) {
		p.Seek, p.Back = rapid.IntRange(0, 2).Draw(r, "seek partition"), int64(rapid.IntRange(0, 6).Draw(r, "back"))
	}
	if flag("rebalance", 8) {
		p.Rebalance = rapid.SliceOfN(rapid.Bool(), 3, 3).Draw(r, "assigned")
	}
	p.Acknowledge = rapid.SliceOfN(rapid.IntRange(0, 20), 0, 4).Draw(r, "acknowledged")
	return p
}

func TestTask_NoCommittedOffsetPassesARecordThatIsNowhereAndAllBecomeCommittable(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var logs [3]string
		for i := range logs {
			logs[i] = rapid.StringMatching("[gebf]{0,12}").Draw(r, "log")
		}
		w := newWorld(logs)
		gradual := rapid.Bool().Draw(r, "cooperative")
		l := live(r, w, gradual)
		defer func() { l.end() }()
		die := func() {
			l.end()
			w.letters = nil // gone with the process
			l = live(r, w, gradual)
		}
		check := func() {
			if w.passed != "" {
				r.Fatal(w.passed)
			}
		}
		for range rapid.IntRange(1, 25).Draw(r, "rounds") {
			p := plans(r)
			for _, which := range p.Acknowledge {
				l.acknowledge(w, which, nil)
			}
			if err := l.round(p); err != nil {
				r.Fatal(err)
			}
			check()
			switch rapid.IntRange(0, 15).Draw(r, "fate") {
			case 0:
				die()
			case 1: // a dead letter that Kafka does not take
				w.mu.Lock()
				some := len(w.letters) > 0
				w.mu.Unlock()
				if !some {
					break
				}
				l.acknowledge(w, 0, errors.New("too large"))
				var err error
				for n := 0; err == nil && n < 1000; n++ {
					err = l.round(&plan{Seek: -1, CommitIsDue: true})
				}
				if !errors.Is(err, deadletter.ErrLost) {
					r.Fatalf("the task goes on: %v", err)
				}
				check()
				die()
			}
		}
		// Now all goes well.
		done := func() bool {
			for i, log := range w.logs {
				if w.committed[tpOf(i)] != int64(len(log)) {
					return false
				}
			}
			return true
		}
		for n := 0; !done() && n < 1000; n++ {
			p := &plan{Most: 3, Seek: -1, CommitIsDue: true}
			if n == 0 {
				p.Rebalance = []bool{true, true, true}
			}
			for len(w.letters) > 0 {
				l.acknowledge(w, 0, nil)
			}
			if err := l.round(p); err != nil {
				r.Fatal(err)
			}
			check()
		}
		if !done() {
			r.Fatalf("committed %v of %q", w.committed, w.logs)
		}
	})
}
