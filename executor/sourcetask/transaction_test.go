package sourcetask

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/internal/clock"
)

// transactions is a Kafka of one transactional id: it has the records and the offset of what was committed. It is the
// offsets' store too.
type transactions struct {
	ledgerStore
	mu      sync.Mutex
	epoch   int
	visible []string
	sizes   []int // of the transactions that were committed
	aborted int
	refuse  string // a record that it does not take
	hold    bool   // nothing is acknowledged, and nothing can be committed
	torn    string // what a transaction had that it must not have
}

const offsetsTopic = "offsets"

func (*transactions) Topic() string { return offsetsTopic }

func (k *transactions) Records(_ context.Context, _ string, entries []offsets.Entry) ([]kafkaio.Message, func(), error) {
	return []kafkaio.Message{{Topic: offsetsTopic, Value: []byte(fmt.Sprint(entries[0].Offset["n"]))}}, func() {}, nil
}

func (k *transactions) committed() (records []string, offset int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.visible), k.ledgerStore.committed()
}

func (k *transactions) producer(e *env) *txnClient {
	return &txnClient{kafka: k, env: e, gone: make(chan struct{})}
}

// txnClient is one producer.
type txnClient struct {
	kafka   *transactions
	env     *env
	epoch   int
	open    bool
	records []string
	offset  string
	failed  bool
	pending []kafkaio.Report
	gone    chan struct{}
	once    sync.Once
}

func (p *txnClient) InitTransactions(context.Context) error {
	p.env.tell("init")
	p.kafka.mu.Lock()
	defer p.kafka.mu.Unlock()
	p.kafka.epoch++
	p.epoch = p.kafka.epoch
	return nil
}

func (p *txnClient) fenced() error {
	if p.epoch != p.kafka.epoch {
		return fmt.Errorf("of an older epoch: %w", kafkaio.ErrFenced)
	}
	return nil
}

func (p *txnClient) Begin() error {
	p.kafka.mu.Lock()
	defer p.kafka.mu.Unlock()
	if p.open {
		return errors.New("a transaction is open")
	}
	p.open, p.records, p.offset, p.failed = true, nil, "", false
	return nil
}

func (p *txnClient) Produce(msgs []kafkaio.Message) (int, error) {
	p.kafka.mu.Lock()
	defer p.kafka.mu.Unlock()
	if !p.open {
		return 0, errors.New("no transaction is open")
	}
	n := min(len(msgs), 7)
	for _, m := range msgs[:n] {
		r := kafkaio.Report{Seq: m.Seq}
		switch v := string(m.Value); {
		case p.fenced() != nil:
			r.Err = p.fenced()
		case v == p.kafka.refuse:
			r.Err, p.failed = errors.New("too large"), true
		case m.Topic == offsetsTopic:
			p.offset = v
		default:
			p.records = append(p.records, v)
		}
		p.pending = append(p.pending, r)
	}
	if n < len(msgs) {
		return n, kafkaio.ErrQueueFull
	}
	return n, nil
}

func (p *txnClient) Commit(ctx context.Context) error {
	for {
		p.kafka.mu.Lock()
		if !p.kafka.hold {
			break
		}
		p.kafka.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-clock.Real().After(time.Millisecond):
		}
	}
	defer p.kafka.mu.Unlock()
	switch {
	case p.fenced() != nil:
		return p.fenced()
	case p.failed:
		return errors.New("a record failed")
	case !p.open:
		return errors.New("no transaction is open")
	}
	p.open = false
	k := p.kafka
	k.visible, k.sizes = append(k.visible, p.records...), append(k.sizes, len(p.records))
	k.ledgerStore.mu.Lock()
	defer k.ledgerStore.mu.Unlock()
	if p.offset != "" {
		_, _ = fmt.Sscan(p.offset, &k.n)
	}
	if n := len(p.records); n > 0 && p.records[n-1] != p.offset {
		k.torn = fmt.Sprintf("record %s with offset %s", p.records[n-1], p.offset)
	}
	return nil
}

func (p *txnClient) Abort(context.Context) error {
	p.kafka.mu.Lock()
	defer p.kafka.mu.Unlock()
	if err := p.fenced(); err != nil {
		return err
	}
	p.open = false
	p.kafka.aborted++
	return nil
}

func (p *txnClient) Reports(ctx context.Context, _ time.Duration, buf []kafkaio.Report) (int, error) {
	p.kafka.mu.Lock()
	n := copy(buf, p.pending)
	p.pending = p.pending[n:]
	p.kafka.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	select {
	case <-ctx.Done():
	case <-clock.Real().After(time.Millisecond):
	case <-p.gone:
		return 0, kafkaio.ErrClosed
	}
	return 0, nil
}

func (p *txnClient) Purge() {}
func (p *txnClient) Close() { p.once.Do(func() { close(p.gone) }) }

// exactly wants the records 1..n, each once.
func exactly(t interface {
	Helper()
	Fatalf(string, ...any)
}, k *transactions, n int) {
	t.Helper()
	got, offset := k.committed()
	for i, r := range got {
		if r != fmt.Sprint(i+1) {
			t.Fatalf("record %d is %s", i+1, r)
		}
	}
	if len(got) != n || offset != int64(n) || k.torn != "" {
		t.Fatalf("%d records of %d, offset %d; torn: %s", len(got), n, offset, k.torn)
	}
}

func TestExactlyOnce_RecordsAndOffsetsComeTogetherOrNotAtAll(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 1000}, kafka: &transactions{}})
	f.await("all records", func() bool { got, _ := f.kafka.committed(); return len(got) == 1000 })
	exactly(t, f.kafka, 1000)
	for _, n := range f.kafka.sizes {
		if n != 10 {
			t.Fatalf("a transaction has %d records: one for each batch is right", n)
		}
	}
	f.await("a record is traced from its poll to its acknowledgement", func() bool { return len(f.spans.Ended()) > 0 })
	f.task.Stop(false)
	if err := f.stopped(); err != nil {
		t.Error(err)
	}
}

func TestExactlyOnce_ThePluginStartsOnlyOnceTheFenceHasTakenEffectUnderAConfirmedEpoch(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 10}, kafka: &transactions{}})
	<-f.env.runs
	f.env.mu.Lock()
	told := slices.Clone(f.env.told)
	f.env.mu.Unlock()
	if d := cmp.Diff([]string{"confirm", "init", "confirm", "fenced"}, told); d != "" {
		t.Error(d)
	}
	over := errors.New("the epoch is over")
	source := &counter{limit: 10}
	f = begin(t, &fixture{source: source, kafka: &transactions{}, env: &env{confirm: func(n int) error {
		if n > 1 { // while transactions were initialised
			return over
		}
		return nil
	}}})
	if err := f.stopped(); !errors.Is(err, over) || source.at != 0 {
		t.Errorf("%v, %d records were polled", err, source.at)
	}
}

func TestExactlyOnce_AnIntervalIsOneTransactionAndAPauseOrAStopEndsIt(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 300}, kafka: &transactions{}, flush: time.Hour, extra: map[string]string{"transaction.boundary": "interval"}})
	f.await("everything is polled", func() bool { return f.polled() == 300 })
	if got, _ := f.kafka.committed(); len(got) != 0 {
		t.Errorf("%d records are committed before the interval is over", len(got))
	}
	f.task.SetPaused(true)
	f.await("the pause ends the transaction", func() bool { got, n := f.kafka.committed(); return len(got) > 0 && int(n) == len(got) })
	f.task.SetPaused(false)
	f.task.Stop(false)
	if err := f.stopped(); err != nil {
		t.Error(err)
	}
	exactly(t, f.kafka, 300)
	f = begin(t, &fixture{source: &counter{limit: 300}, kafka: &transactions{}, extra: map[string]string{"transaction.boundary": "INTERVAL", "transaction.boundary.interval.ms": "50"}})
	f.await("intervals end while the plugin waits for more", func() bool { got, _ := f.kafka.committed(); return len(got) == 300 })
}

// polled is how many records the plugin has made: it waits for more once it has made them all.
func (f *fixture) polled() int64 {
	f.source.mu.Lock()
	defer f.source.mu.Unlock()
	return f.source.waits
}

// definer says where transactions end.
type definer struct {
	counter
	tc  connectors.TransactionContext
	ask func(tc connectors.TransactionContext, first int64, n int)
}

func (d *definer) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	d.tc = connectors.Transactions(tc)
	return d.counter.Start(ctx, tc, config)
}

func (d *definer) Poll(ctx context.Context, b *connectors.SourceBatch) error {
	first := d.at
	err := d.counter.Poll(ctx, b)
	d.ask(d.tc, first, len(b.Records))
	return err
}

func TestExactlyOnce_TheConnectorSaysWhereTransactionsEnd(t *testing.T) {
	config := map[string]string{"transaction.boundary": "connector"}
	for name, c := range map[string]struct {
		ask     func(tc connectors.TransactionContext, first int64, n int)
		sizes   []int
		records int
		offset  int64
		err     error
	}{
		"after batches": {ask: func(tc connectors.TransactionContext, first int64, n int) {
			if n > 0 && first%20 == 10 {
				tc.Commit()
			}
		}, sizes: []int{20, 20}, records: 40, offset: 40},
		"after records": {ask: func(tc connectors.TransactionContext, _ int64, n int) {
			if n > 0 {
				tc.CommitAfter(2)
				tc.CommitAfter(9)
			}
		}, sizes: []int{3, 7, 3, 7, 3, 7, 3, 7, 3, 7}, records: 50, offset: 50},
		"nothing asked for": {ask: func(connectors.TransactionContext, int64, int) {}, offset: 0},
		"aborted, and the offsets are committed": {ask: func(tc connectors.TransactionContext, first int64, n int) {
			if tc.AbortAfter(4); n > 0 {
				tc.Commit()
			}
		}, sizes: []int{0, 5, 0, 5, 0, 5, 0, 5, 0, 5}, records: 25, offset: 50},
		"a whole batch aborted": {ask: func(tc connectors.TransactionContext, first int64, _ int) {
			if first == 20 {
				tc.Abort()
			} else {
				tc.Commit()
			}
		}, sizes: []int{10, 10, 0, 10, 10}, records: 40, offset: 50},
		"both of a batch":  {ask: func(tc connectors.TransactionContext, _ int64, _ int) { tc.Abort(); tc.Commit() }, err: ErrTransaction},
		"both of a record": {ask: func(tc connectors.TransactionContext, _ int64, _ int) { tc.AbortAfter(1); tc.CommitAfter(1) }, err: ErrTransaction},
	} {
		t.Run(name, func(t *testing.T) {
			d := &definer{counter: counter{limit: 50}, ask: c.ask}
			f := begin(t, &fixture{source: &d.counter, task2: d, kafka: &transactions{}, extra: config})
			if c.err == nil {
				f.await("everything is polled", func() bool { return f.polled() == 50 })
				f.task.Stop(false)
			}
			if err := f.stopped(); !errors.Is(err, c.err) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			got, offset := f.kafka.committed()
			sizes := slices.Clone(f.kafka.sizes)
			if d := cmp.Diff(c.sizes, sizes); d != "" || len(got) != c.records || offset != c.offset {
				t.Errorf("%d records, offset %d, transactions %s", len(got), offset, d)
			}
		})
	}
	d := &definer{counter: counter{limit: 5}, ask: func(connectors.TransactionContext, int64, int) {}}
	f := begin(t, &fixture{source: &d.counter, task2: d, kafka: &transactions{}})
	<-f.env.runs
	if d.tc != nil {
		t.Error("a task has a TransactionContext without transaction.boundary=connector")
	}
}

func TestExactlyOnce_TransactionsAreMeasuredWhereTheyAreCommitted(t *testing.T) {
	for name, c := range map[string]struct {
		ask         func(tc connectors.TransactionContext)
		least, most int64
		avg         float64
		commits     int64
	}{
		"two of each batch": {func(tc connectors.TransactionContext) { tc.CommitAfter(2); tc.CommitAfter(9) }, 3, 7, 5, 10},
		// Of what is aborted the offsets are committed, in a transaction without records.
		"one of them aborted": {func(tc connectors.TransactionContext) { tc.AbortAfter(2); tc.CommitAfter(9) }, 0, 7, 3.5, 10},
	} {
		t.Run(name, func(t *testing.T) {
			d := &definer{counter: counter{limit: 50}, ask: func(tc connectors.TransactionContext, _ int64, n int) {
				if n > 0 {
					c.ask(tc)
				}
			}}
			f := begin(t, &fixture{source: &d.counter, task2: d, kafka: &transactions{}, extra: map[string]string{"transaction.boundary": "connector"}})
			<-f.env.runs
			var v taskstats.View
			f.await("all are counted", func() bool { v = f.numbers(); return v.Transactional && v.Total(taskstats.Commits) == c.commits })
			if v.Min(taskstats.TransactionSize) != c.least || v.Max(taskstats.TransactionSize) != c.most || v.Avg(taskstats.TransactionSize) != c.avg {
				t.Errorf("%d to %d records, %v on average", v.Min(taskstats.TransactionSize), v.Max(taskstats.TransactionSize), v.Avg(taskstats.TransactionSize))
			}
		})
	}
}

func TestExactlyOnce_ARecordThatKafkaRefusesFailsTheTaskWithItsWholeTransaction(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 100}, kafka: &transactions{refuse: "55"}, extra: map[string]string{"errors.tolerance": "all"}})
	if err := f.stopped(); err == nil {
		t.Error("the task goes on")
	}
	exactly(t, f.kafka, 50)
	if f.kafka.aborted != 1 {
		t.Errorf("%d transactions were aborted: readers wait for an open one", f.kafka.aborted)
	}
}

func TestExactlyOnce_AStopThatCannotCommitLeavesNothingAndSaysSo(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 100}, kafka: &transactions{hold: true}})
	f.await("a batch is polled", func() bool { f.kafka.mu.Lock(); defer f.kafka.mu.Unlock(); return f.kafka.epoch > 0 })
	<-f.env.runs
	<-time.After(30 * time.Millisecond)
	f.task.Stop(false)
	if err := f.stopped(); !errors.Is(err, ErrUnflushed) {
		t.Errorf("%v", err)
	}
	exactly(t, f.kafka, 0)
}

func TestExactlyOnce_AnInstanceWhosePlaceWasTakenCommitsNothingMoreAndSaysThatItWasFenced(t *testing.T) {
	k := &transactions{}
	old := begin(t, &fixture{source: &counter{limit: 1 << 40}, kafka: k})
	old.await("some records", func() bool { got, _ := k.committed(); return len(got) > 50 })
	next := begin(t, &fixture{source: &counter{limit: 2000}, kafka: k})
	if err := old.stopped(); !errors.Is(err, kafkaio.ErrFenced) {
		t.Errorf("the older instance says %v", err)
	}
	next.await("everything", func() bool { got, _ := k.committed(); return len(got) >= 2000 })
	exactly(t, k, 2000)
}

func TestExactlyOnce_ATransactionThatIsTooLongForKafkaIsNotTriedForEver(t *testing.T) {
	k := &transactions{}
	f := begin(t, &fixture{source: &counter{limit: 100}, kafka: k, flush: time.Hour, extra: map[string]string{"transaction.boundary": "interval"}})
	f.await("everything is polled", func() bool { return f.polled() == 100 })
	f.clock.by.Store(int64(2 * time.Minute))
	k.mu.Lock()
	k.epoch++ // as Kafka does when it aborts one
	k.mu.Unlock()
	f.task.SetPaused(true)
	err := f.stopped()
	if errors.Is(err, kafkaio.ErrFenced) || !errors.Is(err, ErrTransaction) || !strings.Contains(err.Error(), "transaction.timeout.ms") {
		t.Errorf("%v", err)
	}
}

func TestExactlyOnce_ATaskMayNotProduceToItsOwnOffsetsTopic(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 100, topic: offsetsTopic}, kafka: &transactions{}})
	if err := f.stopped(); err == nil || !strings.Contains(err.Error(), "Source tasks may not produce to their own offsets topics when exactly-once support is enabled") {
		t.Errorf("%v", err)
	}
}

func TestExactlyOnce_FilteredRecordsAdvanceTheOffset(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 300}, kafka: &transactions{}, extra: map[string]string{"transforms": "f", "transforms.f.type": transforms + "Filter"}})
	f.await("the offset", func() bool { _, n := f.kafka.committed(); return n == 300 })
	if got, _ := f.kafka.committed(); len(got) > 0 {
		t.Errorf("%d records came", len(got))
	}
}

// TestExactlyOnce_Property: whatever instances are cut, stopped, fenced or left as zombies, whenever, every record is
// committed once, in order.
func TestExactlyOnce_Property(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		k := &transactions{}
		boundary := rapid.SampledFrom([]string{"poll", "interval"}).Draw(r, "boundary")
		start := func(limit int64) *fixture {
			return begin(t, &fixture{source: &counter{limit: limit}, kafka: k, flush: 2 * time.Millisecond, extra: map[string]string{"transaction.boundary": boundary}})
		}
		var zombies []*fixture
		for range rapid.IntRange(0, 6).Draw(r, "lives") {
			f := start(1 << 40)
			<-f.env.runs
			<-time.After(time.Duration(rapid.IntRange(0, 4000).Draw(r, "µs")) * time.Microsecond)
			switch rapid.IntRange(0, 2).Draw(r, "end") {
			case 0:
				f.task.Cut()
				_ = f.stopped()
			case 1:
				f.task.Stop(false)
				_ = f.stopped()
			default:
				zombies = append(zombies, f) // it goes on until Kafka says no
			}
		}
		got, _ := k.committed()
		want := int64(len(got) + 100_000)
		last := start(want)
		last.await("more records", func() bool { now, _ := k.committed(); return len(now) > len(got)+50 })
		last.task.Stop(false)
		if err := last.stopped(); err != nil {
			r.Fatalf("the last one says %v", err)
		}
		for _, z := range zombies {
			z.task.Cut()
			_ = z.stopped()
		}
		got, _ = k.committed()
		exactly(r, k, len(got))
	})
}
