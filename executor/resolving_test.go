package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/executor/secrets"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/unit"
)

// made is an instance that ends when it is told to.
type made struct {
	supervisor.Instance
	spec supervisor.Spec
	env  supervisor.Env
	end  chan func() error
}

func (m *made) Run(context.Context) error { return (<-m.end)() }

type maker struct {
	err  error
	last *made
}

func (m *maker) New(spec supervisor.Spec, env supervisor.Env) (supervisor.Instance, error) {
	if m.err != nil {
		return nil, fmt.Errorf("%w: %s", m.err, spec.ConnectorConfig["pw"])
	}
	m.last = &made{spec: spec, env: env, end: make(chan func() error, 1)}
	return m.last, nil
}

type unitEnv struct {
	supervisor.Env
	log      *slog.Logger
	reloaded chan struct{}
}

func (e unitEnv) Logger() *slog.Logger { return e.log }
func (e unitEnv) Reload()              { e.reloaded <- struct{}{} }

type resolvingBench struct {
	path  string
	clock *clock.Fake
	maker *maker
	f     resolving
	env   unitEnv
	logs  *strings.Builder

	looked atomic.Int64
}

func newResolving(t *testing.T) *resolvingBench {
	t.Helper()
	b := &resolvingBench{path: filepath.Join(t.TempDir(), "db"), clock: clock.NewFake(time.Unix(0, 0)), maker: &maker{}, logs: &strings.Builder{}}
	b.write(t, "first-pw")
	r, _, err := secrets.New(map[string]string{"config.providers": "file", "config.providers.file.class": "File", "config.providers.file.param.ttl.ms": "60000"})
	if err != nil {
		t.Fatal(err)
	}
	b.f = resolving{b.maker, func(ctx context.Context, configs ...map[string]string) (*secrets.Set, error) {
		defer b.looked.Add(1)
		return r.Resolve(ctx, configs...)
	}, b.clock}
	b.env = unitEnv{log: slog.New(slog.NewTextHandler(b.logs, nil)), reloaded: make(chan struct{}, 1)}
	return b
}

func (b *resolvingBench) write(t *testing.T, pw string) {
	t.Helper()
	if err := os.WriteFile(b.path, []byte("pw="+pw), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b *resolvingBench) spec(more ...string) supervisor.Spec {
	s := supervisor.Spec{Unit: unit.Task("c", 0), ConnectorConfig: map[string]string{"pw": "${file:" + b.path + ":pw}"}, TaskConfig: map[string]string{"pw": "${file:" + b.path + ":pw}", "n": "1"}}
	for i := 0; i < len(more); i += 2 {
		s.ConnectorConfig[more[i]] = more[i+1]
	}
	return s
}

func TestResolving_AnInstanceHasTheValuesAndNothingLeavesItByErrorsPanicsOrLogs(t *testing.T) {
	defer goleak.VerifyNone(t)
	b := newResolving(t)
	spec := b.spec()
	in, err := b.f.New(spec, b.env)
	if err != nil {
		t.Fatal(err)
	}
	m := b.maker.last
	if m.spec.ConnectorConfig["pw"] != "first-pw" || m.spec.TaskConfig["pw"] != "first-pw" || m.spec.TaskConfig["n"] != "1" {
		t.Errorf("%v, %v", m.spec.ConnectorConfig, m.spec.TaskConfig)
	}
	if spec.ConnectorConfig["pw"] == "first-pw" {
		t.Error("the desired config was changed")
	}
	m.env.Logger().Error("login with first-pw failed", "config", m.spec.TaskConfig)
	cause := errors.New("first-pw is wrong")
	m.end <- func() error { return cause }
	if err := in.Run(t.Context()); !errors.Is(err, cause) || strings.Contains(err.Error(), "first-pw") {
		t.Errorf("%v", err)
	}
	if in, err = b.f.New(spec, b.env); err != nil {
		t.Fatal(err)
	}
	b.maker.last.end <- func() error { panic("cannot use first-pw") }
	if err := in.Run(t.Context()); err == nil || strings.Contains(err.Error(), "first-pw") || !strings.Contains(err.Error(), "panic: cannot use ${file:") {
		t.Errorf("%v", err)
	}
	b.maker.err = cause
	if _, err := b.f.New(spec, b.env); !errors.Is(err, cause) || strings.Contains(err.Error(), "first-pw") {
		t.Errorf("%v", err)
	}
	if strings.Contains(b.logs.String(), "first-pw") || b.logs.Len() == 0 {
		t.Errorf("%s", b.logs)
	}
}

func TestResolving_WhatCannotBeLookedUpFailsTheUnit(t *testing.T) {
	b := newResolving(t)
	if err := os.Remove(b.path); err != nil {
		t.Fatal(err)
	}
	if _, err := b.f.New(b.spec(), b.env); !errors.Is(err, secrets.ErrResolve) || !strings.Contains(err.Error(), b.path) {
		t.Errorf("%v", err)
	}
}

// waiting waits until n look-ups are done and the next is waited for.
func (b *resolvingBench) waiting(t *testing.T, n int64) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for b.looked.Load() < n || b.clock.Waiters() == 0 {
		select {
		case <-deadline:
			t.Fatal("nobody waits for the end of the values' time")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestResolving_ChangedValuesAskForANewStartOnceTheirTimeIsOver(t *testing.T) {
	defer goleak.VerifyNone(t)
	b := newResolving(t)
	in, err := b.f.New(b.spec(), b.env)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- in.Run(t.Context()) }()
	b.waiting(t, 1)
	b.clock.Advance(time.Minute) // nothing has changed
	b.waiting(t, 2)
	select {
	case <-b.env.reloaded:
		t.Fatal("it is to start again for nothing")
	default:
	}
	if err := os.Remove(b.path); err != nil { // away for a moment: what runs goes on
		t.Fatal(err)
	}
	b.clock.Advance(time.Minute)
	b.waiting(t, 3)
	b.write(t, "second-pw")
	b.clock.Advance(time.Minute)
	select {
	case <-b.env.reloaded:
	case <-time.After(20 * time.Second):
		t.Fatal("changed values are not taken up")
	}
	b.maker.last.end <- func() error { return nil }
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestResolving_ConfigActionReloadNoneLooksOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	b := newResolving(t)
	in, err := b.f.New(b.spec("config.action.reload", "NONE"), b.env)
	if err != nil {
		t.Fatal(err)
	}
	b.maker.last.end <- func() error { return nil }
	if err := in.Run(t.Context()); err != nil || b.clock.Waiters() != 0 {
		t.Errorf("%v, %d timers", err, b.clock.Waiters())
	}
}
