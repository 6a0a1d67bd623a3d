package conformance

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
)

// The config keys of hostile plugins.
const (
	// MethodKey chooses the method that misbehaves; "none" for a connector that behaves.
	MethodKey = "method"
	// HowKey chooses how: panic, hang, nonsense or error.
	HowKey = "how"
	// VariantKey chooses a kind of nonsense: see PollNonsense; empty means all at once.
	VariantKey = "variant"
	// AfterKey is how many calls of the method behave first, in one connector or task.
	AfterKey = "after"
	// TaskKey chooses the task that misbehaves; -1 is each.
	TaskKey = "task"
	// TopicKey is the topic of the source.
	TopicKey = "topic"
	// RecordsKey is how many records each task of the source has; then its Poll waits.
	RecordsKey = "records"

	taskIDKey = "task.id"
)

// Methods are the values of MethodKey.
var Methods = []string{"none", "validate", "start", "taskconfigs", "stop", "taskstart", "poll", "commit", "put", "precommit", "flush", "open", "close", "taskstop"}

// Hows are the values of HowKey.
var Hows = []string{"panic", "hang", "nonsense", "error"}

// PollNonsense are the values of VariantKey for the method poll.
var PollNonsense = []string{"topic", "ref", "offset", "schema", "timestamp", "partition", "room", "records", "encoding"}

// Hostile makes plugins whose config says which method misbehaves, and how. Methods that hang ignore
// their context until Release, so that a test can join the goroutines that the runtime left behind. Safe
// for concurrent use.
type Hostile struct {
	gate    chan struct{}
	once    sync.Once
	hanging atomic.Int64
	calls   sync.Map // method → *atomic.Int64
}

// NewHostile makes hostile plugins that hang and are released together.
func NewHostile() *Hostile { return &Hostile{gate: make(chan struct{})} }

// Release lets every call that hangs, now or later, return with ErrHostile.
func (h *Hostile) Release() { h.once.Do(func() { close(h.gate) }) }

// Hanging is how many calls hang now.
func (h *Hostile) Hanging() int { return int(h.hanging.Load()) }

// Calls is how often a method was called, over all connectors and tasks.
func (h *Hostile) Calls(method string) int {
	n, ok := h.calls.Load(method)
	if !ok {
		return 0
	}
	return int(n.(*atomic.Int64).Load())
}

// Source is the class sluice.HostileSource.
func (h *Hostile) Source() connectors.Plugin {
	return connectors.Plugin{Class: "sluice.HostileSource", Aliases: []string{"HostileSource"}, Version: "1", Type: connectors.Source, Config: hostileDef,
		NewSource: func() connectors.SourceConnector { return &hostileSource{hostileConnector{h: h}} }}
}

// Sink is the class sluice.HostileSink, whose tasks have PreCommit. Everything that is put counts as
// committed.
func (h *Hostile) Sink() connectors.Plugin {
	return connectors.Plugin{Class: "sluice.HostileSink", Aliases: []string{"HostileSink"}, Version: "1", Type: connectors.Sink, Config: hostileDef,
		NewSink: func() connectors.SinkConnector { return &hostileSink{hostileConnector: hostileConnector{h: h}} }}
}

// FlushSink is the class sluice.HostileFlushSink, whose tasks have Flush instead of PreCommit.
func (h *Hostile) FlushSink() connectors.Plugin {
	return connectors.Plugin{Class: "sluice.HostileFlushSink", Aliases: []string{"HostileFlushSink"}, Version: "1", Type: connectors.Sink, Config: hostileDef,
		NewSink: func() connectors.SinkConnector {
			return &hostileSink{hostileConnector: hostileConnector{h: h}, flush: true}
		}}
}

func hostileDef() *configdef.Def {
	return configdef.New().
		Define(configdef.Key{Name: MethodKey, Type: configdef.String, Default: configdef.Text("none"), Validator: configdef.In(Methods...), Importance: configdef.High, Doc: "The method that misbehaves."}).
		Define(configdef.Key{Name: HowKey, Type: configdef.String, Default: configdef.Text("error"), Validator: configdef.In(Hows...), Importance: configdef.High, Doc: "How it misbehaves."}).
		Define(configdef.Key{Name: VariantKey, Type: configdef.String, Default: configdef.Text(""), Importance: configdef.Low, Doc: "A kind of nonsense; empty means all at once."}).
		Define(configdef.Key{Name: AfterKey, Type: configdef.Int, Default: configdef.Text("0"), Importance: configdef.Low, Doc: "How many calls of the method behave first."}).
		Define(configdef.Key{Name: TaskKey, Type: configdef.Int, Default: configdef.Text("-1"), Importance: configdef.Low, Doc: "The task that misbehaves; -1 is each."}).
		Define(configdef.Key{Name: TopicKey, Type: configdef.String, Default: configdef.Text("hostile"), Importance: configdef.Low, Doc: "The topic of the source."}).
		Define(configdef.Key{Name: RecordsKey, Type: configdef.Int, Default: configdef.Text("10"), Importance: configdef.Low, Doc: "How many records each task of the source has."})
}

// trap decides which calls of one connector or task misbehave.
type trap struct {
	h                    *Hostile
	method, how, variant string
	after                int
	off                  bool // another task misbehaves
	passed               map[string]int
}

// set reads the config; a trap that was not set behaves. A connector's config has no task number.
func (t *trap) set(h *Hostile, config map[string]string) {
	t.h, t.passed = h, map[string]int{}
	t.method, t.how, t.variant = config[MethodKey], config[HowKey], config[VariantKey]
	t.after, _ = strconv.Atoi(config[AfterKey]) // absent means 0
	id, isTask := config[taskIDKey]
	which := config[TaskKey]
	t.off = isTask && which != "" && which != "-1" && which != id
}

// spring misbehaves if it is a method's turn: it panics, hangs, or returns an error; nonsense is true
// where the method shall talk nonsense.
func (t *trap) spring(method string) (nonsense bool, err error) {
	if t.h == nil {
		return false, nil
	}
	n, _ := t.h.calls.LoadOrStore(method, &atomic.Int64{})
	n.(*atomic.Int64).Add(1)
	if t.off || t.method != method {
		return false, nil
	}
	if t.passed[method]++; t.passed[method] <= t.after {
		return false, nil
	}
	switch t.how {
	case "panic":
		panic(fmt.Sprintf("hostile: %s panics", method))
	case "hang":
		t.h.hanging.Add(1)
		<-t.h.gate
		t.h.hanging.Add(-1)
		return false, fmt.Errorf("%w: %s hung and was released", ErrHostile, method)
	case "nonsense":
		return true, nil
	default:
		return false, fmt.Errorf("%w: %s", ErrHostile, method)
	}
}

// notCanceled is the nonsense of methods that can only fail: an error that looks like the runtime's own.
func notCanceled(method string) error {
	return fmt.Errorf("hostile: %s: %w", method, context.Canceled)
}

// hostileConnector is the connector of all hostile plugins.
type hostileConnector struct {
	h      *Hostile
	trap   trap
	config map[string]string
}

// Validate implements connectors.Validator.
func (c *hostileConnector) Validate(_ context.Context, config map[string]string) []configdef.Value {
	values := hostileDef().Validate(config)
	var t trap
	t.set(c.h, config)
	nonsense, err := t.spring("validate")
	if err != nil {
		values[0].Errors = append(values[0].Errors, err.Error())
	}
	if nonsense {
		name := ""
		values = slices.Concat(values[1:], values[1:], []configdef.Value{{}, {Name: "no.such.key", Value: &name, Errors: []string{""}}})
	}
	return values
}

// Start implements the connector's Start.
func (c *hostileConnector) Start(_ context.Context, cc connectors.ConnectorContext, config map[string]string) error {
	c.config = config
	c.trap.set(c.h, config)
	nonsense, err := c.trap.spring("start")
	if nonsense { // no plan is worth so many requests, and nil is no error
		for range 1000 {
			cc.RequestTaskReconfiguration()
		}
		cc.RaiseError(nil)
	}
	return err
}

// TaskConfigs implements the connector's TaskConfigs.
func (c *hostileConnector) TaskConfigs(_ context.Context, maxTasks int) ([]map[string]string, error) {
	nonsense, err := c.trap.spring("taskconfigs")
	if err != nil {
		return nil, err
	}
	if nonsense {
		if c.trap.variant == "none" {
			return nil, nil
		}
		return make([]map[string]string, maxTasks+3), nil
	}
	out := make([]map[string]string, maxTasks)
	for i := range out {
		out[i] = map[string]string{taskIDKey: strconv.Itoa(i)}
		for k, v := range c.config {
			out[i][k] = v
		}
	}
	return out, nil
}

// Stop implements the connector's Stop.
func (c *hostileConnector) Stop(context.Context) error {
	nonsense, err := c.trap.spring("stop")
	if nonsense {
		return notCanceled("stop")
	}
	return err
}

type hostileSource struct{ hostileConnector }

func (c *hostileSource) NewTask() connectors.SourceTask { return &hostileSourceTask{h: c.h} }

type hostileSink struct {
	hostileConnector
	flush bool
}

func (c *hostileSink) NewTask() connectors.SinkTask {
	if c.flush {
		return &hostileFlushTask{hostileSinkTask{h: c.h}}
	}
	return &hostilePreCommitTask{hostileSinkTask{h: c.h}}
}
