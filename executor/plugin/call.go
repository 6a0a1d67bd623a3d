package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/executor/stage/lane"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/run"
)

// DefaultLimit bounds a call whose limit is not positive.
const DefaultLimit = time.Minute

// grace is how long a call has to return after its context has ended.
const grace = time.Second

// Call runs one connector-level method of a plugin (Validate, Start, TaskConfigs, Stop) in a goroutine of its
// own. name is the method as people know it, such as "FileStreamSource.TaskConfigs". A panic comes back as an
// error with its stack (*run.PanicError). A call that has not returned after limit is left behind and gives
// ErrHung, naming method and limit. Where ctx ends first, the call has another second (at most limit) to
// return, and is then left behind with ctx's error.
func Call(ctx context.Context, clk clock.Clock, name string, limit time.Duration, f func(ctx context.Context) error) error {
	if limit <= 0 {
		limit = DefaultLimit
	}
	l := lane.New(ctx, clk, "plugin "+name)
	defer l.Close()
	err := l.Do(limit, ctx.Done(), f)
	if l.Busy() && ctx.Err() != nil {
		if err = l.Await(min(grace, limit), nil); l.Busy() {
			return fmt.Errorf("%s: %w: %w", name, ErrHung, context.Cause(ctx))
		}
	}
	switch {
	case l.Busy():
		return fmt.Errorf("%s: %w: the limit is %s", name, ErrHung, limit)
	case err == nil:
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// made runs a constructor of a plugin.
func made[T comparable](what, class string, f func() T) (T, error) {
	var v, zero T
	if f == nil {
		return zero, fmt.Errorf("%w: %s is no %s", ErrInvalid, class, what)
	}
	if err := run.Call(func() error { v = f(); return nil }); err != nil {
		return zero, fmt.Errorf("%s: make a %s: %w", class, what, err)
	}
	if v == zero {
		return zero, fmt.Errorf("%w: %s: its constructor of a %s returned nil", ErrInvalid, class, what)
	}
	return v, nil
}

// NewSource makes a source connector. A panic is an error.
func NewSource(p connectors.Plugin) (connectors.SourceConnector, error) {
	return made("source connector", p.Class, p.NewSource)
}

// NewSink makes a sink connector. A panic is an error.
func NewSink(p connectors.Plugin) (connectors.SinkConnector, error) {
	return made("sink connector", p.Class, p.NewSink)
}

// NewConverter makes and configures a converter of keys (isKey) or values. A panic is an error.
func NewConverter(i converter.Info, config map[string]string, isKey bool) (converter.Converter, error) {
	c, err := made("converter", i.Class, i.New)
	if err != nil {
		return nil, err
	}
	if err := run.Call(func() error { return c.Configure(config, isKey) }); err != nil {
		return nil, fmt.Errorf("%s: configure: %w", i.Class, err)
	}
	return c, nil
}

// NewHeaderConverter makes and configures a header converter. A panic is an error.
func NewHeaderConverter(i converter.Info, config map[string]string) (converter.HeaderConverter, error) {
	c, err := made("header converter", i.Class, i.NewHeader)
	if err != nil {
		return nil, err
	}
	if err := run.Call(func() error { return c.Configure(config) }); err != nil {
		return nil, fmt.Errorf("%s: configure: %w", i.Class, err)
	}
	return c, nil
}

// Panicked says whether an error of Call is a panic of the plugin.
func Panicked(err error) bool {
	var p *run.PanicError
	return errors.As(err, &p)
}
