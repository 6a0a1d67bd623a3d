package offsets

import (
	"context"
	"sync"
)

// Plan says which store a connector's offsets are in.
type Plan struct {
	// Key is equal for stores that are one; empty is the worker's store.
	Key string
	// Config is that of the connector's own topic.
	Config Config
	// Ensure makes the topic, or checks it.
	Ensure func(ctx context.Context) error
}

// Pool opens the stores of connectors: the worker's, or, for those with a topic of their own, one that is shared as long
// as somebody uses it. Safe for concurrent use.
type Pool struct {
	worker Store
	plan   func(connectorConfig map[string]string, exactlyOnce bool) (Plan, error)

	mu   sync.Mutex
	open map[string]*shared
}

type shared struct {
	store *Own
	users int
}

// NewPool returns a pool over the worker's store, which it leaves open.
func NewPool(worker Store, plan func(connectorConfig map[string]string, exactlyOnce bool) (Plan, error)) *Pool {
	return &Pool{worker: worker, plan: plan, open: map[string]*shared{}}
}

// Open returns a connector's store; exactlyOnce says that its tasks have transactions. release it once; it may wait some
// seconds then. An error may be Kafka's.
func (p *Pool) Open(ctx context.Context, connectorConfig map[string]string, exactlyOnce bool) (s Store, release func(), err error) {
	plan, err := p.plan(connectorConfig, exactlyOnce)
	if err != nil {
		return nil, nil, err
	}
	if plan.Key == "" {
		return p.worker, func() {}, nil
	}
	if err := plan.Ensure(ctx); err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	sh := p.open[plan.Key]
	if sh == nil {
		own, err := NewOwn(NewKafka(plan.Config), p.worker, plan.Config.Logger)
		if err != nil {
			return nil, nil, err
		}
		sh = &shared{store: own}
		p.open[plan.Key] = sh
	}
	sh.users++
	var once sync.Once
	return sh.store, func() { once.Do(func() { p.release(plan.Key, sh) }) }, nil
}

func (p *Pool) release(key string, sh *shared) {
	p.mu.Lock()
	sh.users--
	last := sh.users == 0
	if last {
		delete(p.open, key)
	}
	p.mu.Unlock()
	if last {
		_ = sh.store.Close() //nolint:errcheck // nobody uses it any more
	}
}
