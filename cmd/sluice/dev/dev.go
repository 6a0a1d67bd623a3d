package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/fx"
	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/cmd/internal/listen"
	"github.com/sluice-project/sluice/cmd/internal/process"
	"github.com/sluice-project/sluice/connectors/builtin/all"
	"github.com/sluice-project/sluice/controlplane"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/controlplane/store/embed"
	"github.com/sluice-project/sluice/executor"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/gateway"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/loglevel"
	"github.com/sluice-project/sluice/internal/replicas"
)

// Options say how everything is run.
type Options struct {
	// RESTListen, GRPCListen and KafkaListen are host:port; port 0 takes a free one.
	RESTListen, GRPCListen, KafkaListen string
	// AdminListen is where health and metrics are served; empty is nowhere.
	AdminListen string
	// Profiles says whether profiles are served there too.
	Profiles bool
	// REST are the worker's keys of the REST API. They say where it listens where RESTListen is empty.
	REST process.Settings
	// DataDir keeps etcd and the embedded broker; empty is a temporary directory, removed at the end.
	DataDir string
	// Standalone keeps the control plane's state in memory.
	Standalone bool
	// Bootstrap is an existing Kafka; empty runs the embedded broker.
	Bootstrap string
	// Worker makes the worker's configuration, once Kafka's address is known.
	Worker func(bootstrap string) (config.Worker, error)
	// Out gets the ready line.
	Out    io.Writer
	Clock  clock.Clock
	Logger *slog.Logger
	// Levels are the levels of Logger; nil has levels of its own, which no log follows.
	Levels *loglevel.Levels
}

// Process is a running Sluice.
type Process struct {
	// REST and GRPC are addresses, Kafka the bootstrap servers.
	REST, GRPC, Kafka string
	// DataDir is where the state is.
	DataDir string
	// Admin is where health and metrics are served; empty where they are not.
	Admin string

	admin           *process.Admin
	executorMetrics executor.Metrics
	controlMetrics  controlplane.Metrics

	exec    *executor.Executor
	control *controlplane.ControlPlane
	stops   []func(ctx context.Context) error
}

const stopTimeout = 30 * time.Second

// Start runs everything and returns once it serves.
func Start(ctx context.Context, o Options) (p *Process, err error) {
	if o.Profiles && o.AdminListen == "" {
		return nil, errors.New("--pprof: profiles are served at --admin-listen, which is missing: give it host:port")
	}
	p = &Process{Kafka: o.Bootstrap, DataDir: o.DataDir}
	defer func() {
		if err != nil {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			err = errors.Join(err, p.Stop(stop))
		}
	}()
	if p.DataDir == "" {
		dir, err := os.MkdirTemp("", "sluice-")
		if err != nil {
			return nil, fmt.Errorf("temporary directory: %w", err)
		}
		p.DataDir = dir
		p.onStop(func(context.Context) error { return os.RemoveAll(dir) })
	}
	if p.Kafka == "" {
		if err := p.startKafka(o); err != nil {
			return nil, err
		}
	}
	worker, err := o.Worker(p.Kafka)
	if err != nil {
		return nil, err
	}
	return p, p.compose(ctx, o, worker)
}

// compose builds the parts with fx, on listeners that are open already: each part needs the others' addresses.
func (p *Process) compose(ctx context.Context, o Options, worker config.Worker) error {
	rest, err := listen.Open(ctx, o.REST, o.RESTListen)
	if err != nil {
		return err
	}
	grpcListener, err := openGRPC(ctx, o.GRPCListen)
	if err != nil {
		return errors.Join(err, listen.Close(rest))
	}
	address := rest.Listeners[0].Addr()
	p.REST, p.GRPC = listen.URL(rest.Listeners[0]), grpcListener.Addr().String()
	rest.ControlPlane, rest.Levels = []string{p.GRPC}, o.Levels
	backend, elect, err := p.openStore(ctx, o)
	if err != nil {
		return errors.Join(err, listen.Close(rest), grpcListener.Close())
	}
	advertise := worker.Advertise()
	if advertise == "" {
		advertise = process.Advertised(address)
	}
	exec, err := p.executorConfig(o, worker, advertise)
	if err != nil {
		return errors.Join(err, listen.Close(rest), grpcListener.Close())
	}
	if o.AdminListen != "" {
		if err := p.listenAdmin(ctx, o, &rest); err != nil {
			return errors.Join(err, listen.Close(rest), grpcListener.Close())
		}
	}
	app := fx.New(fx.NopLogger, fx.StartTimeout(stopTimeout), fx.StopTimeout(stopTimeout),
		fx.Supply(o.Logger, elect, exec, controlplane.Config{Listener: grpcListener, OwnsStore: true, Levels: o.Levels}, rest),
		fx.Provide(func() clock.Clock { return o.Clock }, func() store.Backend { return backend }),
		controlplane.Module, gateway.Module, executor.Module, fx.Populate(&p.exec, &p.control))
	if err := app.Err(); err != nil {
		return errors.Join(err, listen.Close(rest), grpcListener.Close())
	}
	if err := app.Start(ctx); err != nil {
		return err
	}
	p.onStop(app.Stop)
	p.executorMetrics.Of(p.exec)
	p.controlMetrics.Of(p.control)
	if p.admin != nil {
		if err := p.admin.Start(ctx); err != nil {
			return err
		}
	}
	return p.awaitReady(ctx, o)
}

// listenAdmin opens the address that serves the health and the metrics of all parts.
func (p *Process) listenAdmin(ctx context.Context, o Options, rest *gateway.Config) (err error) {
	rest.Metrics = &gateway.Metrics{}
	p.admin, err = process.NewAdmin(ctx, o.AdminListen, func() error { return p.exec.Health() }, rest.Metrics, &p.controlMetrics, &p.executorMetrics)
	if err != nil {
		return err
	}
	if o.Profiles {
		p.admin.Profile()
	}
	p.Admin = p.admin.Addr().String()
	p.onStop(p.admin.Stop)
	return nil
}

func openGRPC(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--grpc-listen: %w", err)
	}
	return l, nil
}

func (p *Process) onStop(f func(ctx context.Context) error) { p.stops = append(p.stops, f) }

// Stop ends everything, the last part first.
func (p *Process) Stop(ctx context.Context) error {
	var err error
	for i := len(p.stops) - 1; i >= 0; i-- {
		err = errors.Join(err, p.stops[i](ctx))
	}
	p.stops = nil
	return err
}

// Wait returns when ctx ends or a part has ended by itself, with its error.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-p.exec.Failed():
		return p.exec.Err()
	case <-p.control.Failed():
		return errors.New("the control plane has ended")
	}
}

// openStore opens where the control plane keeps its state.
func (p *Process) openStore(ctx context.Context, o Options) (store.Backend, controlplane.Elect, error) {
	if o.Standalone {
		return store.NewMemory(o.Clock), controlplane.Sole, nil
	}
	dir := filepath.Join(p.DataDir, "etcd")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("--data-dir: %w", err)
	}
	start, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	member := embed.Start
	if o.DataDir == "" {
		member = embed.StartScratch // the directory goes with the process
	}
	server, err := member(start, dir)
	if err != nil {
		return nil, nil, err
	}
	p.onStop(server.Stop)
	return store.NewEtcd(server.Client()), controlplane.Sole, nil
}

func (p *Process) executorConfig(o Options, worker config.Worker, advertise string) (executor.Config, error) {
	conf := executor.Config{Worker: worker, Advertise: advertise, Plugins: all.Plugins(), Alone: true, Clock: o.Clock, Logger: o.Logger, Levels: o.Levels}
	for _, to := range []*grpc.ClientConnInterface{&conf.Streams, &conf.Heartbeats} {
		c, err := replicas.Dial([]string{p.GRPC}, replicas.One, nil)
		if err != nil {
			return conf, err
		}
		*to = c
		p.onStop(func(context.Context) error { return c.Close() })
	}
	if worker.Standalone() {
		f, err := offsets.OpenFile(worker.OffsetsFile(), o.Logger)
		if err != nil {
			return conf, err
		}
		conf.Offsets = f
	}
	return conf, nil
}

// awaitReady waits until the executor is known to the control plane, so that the first connector finds it. Without
// Kafka that may be long: everything else serves meanwhile.
func (p *Process) awaitReady(ctx context.Context, o Options) error {
	limit := o.Clock.NewTimer(readyTimeout)
	defer limit.Stop()
	select {
	case <-p.exec.Ready():
	case <-p.exec.Failed():
		return p.exec.Err()
	case <-limit.C():
		o.Logger.Warn("Kafka does not answer yet: connectors can be looked at, and none can be created or run until it does", slog.String("bootstrap.servers", p.Kafka))
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	view, cancel := p.control.Store().Subscribe()
	defer cancel()
	for len(p.control.Store().View().Sessions) == 0 {
		select {
		case <-view:
		case <-limit.C():
			return errors.New("the executor's session did not begin")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// readyTimeout is how long the ready line waits for Kafka.
const readyTimeout = 10 * time.Second

// Announce prints the line that programs wait for.
func (p *Process) Announce(w io.Writer) {
	fmt.Fprintf(w, "ready rest=%s grpc=%s kafka=%s", p.REST, p.GRPC, p.Kafka)
	if p.Admin != "" {
		fmt.Fprintf(w, " admin=%s", p.Admin)
	}
	fmt.Fprintln(w)
}
