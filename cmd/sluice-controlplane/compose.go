package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/fx"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/sluice-project/sluice/cmd/internal/process"
	"github.com/sluice-project/sluice/controlplane"
	"github.com/sluice-project/sluice/controlplane/election"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/controlplane/store/embed"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/replicas"
	"github.com/sluice-project/sluice/internal/tlsfiles"
)

// kind is sluice-controlplane.
func kind() process.Kind {
	return process.Kind{
		Name:  "sluice-controlplane",
		Short: "One replica of Sluice's control plane: it keeps connectors and assignments in etcd, and hands units out to executors",
		Long: "Any number of replicas may run on one etcd. With sluice.data.dir instead of sluice.etcd.endpoints a single replica\n" +
			"runs an etcd member of its own. Prints one line\n  ready grpc=… admin=…\nonce it serves.",
		Def: process.ControlPlaneDef, Compose: composeControlPlane,
	}
}

const (
	etcdRetry   = time.Second
	etcdTimeout = 5 * time.Second
)

func composeControlPlane(ctx context.Context, s process.Settings, c clock.Clock, log *slog.Logger) (*process.Process, error) {
	open, err := etcdOf(s, c.Now(), log)
	if err != nil {
		return nil, err
	}
	creds, err := s.Credentials(c.Now())
	if err != nil {
		return nil, err
	}
	conf := configOf(s, creds)
	var lc net.ListenConfig
	if conf.Listener, err = lc.Listen(ctx, "tcp", s.Values.String(process.GrpcListen)); err != nil {
		return nil, fmt.Errorf("%s: %w", process.GrpcListen, err)
	}
	if conf.Advertise == "" {
		conf.Advertise = process.Advertised(conf.Listener.Addr())
	}
	if conf.ReplicaID == "" {
		conf.ReplicaID = conf.Advertise
	}
	var cp *controlplane.ControlPlane
	e := &etcd{open: open, log: log, clock: c, name: strings.Join(s.Values.List(process.EtcdEndpoints), ", ")}
	_ = e.wait(errors.New("it was not asked yet"))
	ready := func() error {
		err := cp.Ready()
		if why := e.away.Load(); err != nil && why != nil {
			return fmt.Errorf("%w: %w", err, *why)
		}
		return err
	}
	var metrics controlplane.Metrics
	adm, err := process.NewAdmin(ctx, s.Values.String(process.AdminListen), ready, &metrics)
	if err != nil {
		return nil, errors.Join(err, conf.Listener.Close())
	}
	if err := adm.Apply(ctx, s, "sluice-controlplane", log); err != nil {
		return nil, errors.Join(err, conf.Listener.Close(), adm.Stop(ctx))
	}
	app := fx.New(fx.NopLogger, fx.Supply(conf, log),
		fx.Provide(func() clock.Clock { return c }, func() store.Backend { return e },
			func() controlplane.Elect {
				return func(st *store.Store) election.Elector {
					if e.client.Sole {
						return controlplane.Sole(st)
					}
					return election.NewEtcd(e.client.Client, st.LeaderPrefix(), conf.ReplicaID, s.MS(process.ElectionTTL), c, log)
				}
			}),
		fx.Module("process", fx.Invoke(func(l fx.Lifecycle) {
			l.Append(fx.StartStopHook(adm.Start, adm.Stop))
			l.Append(fx.StartStopHook(e.start, e.stop))
		})),
		controlplane.Module, fx.Populate(&cp), fx.Invoke(func() { metrics.Of(cp) }))
	return &process.Process{App: app,
		Failed: func() <-chan struct{} { return cp.Failed() }, Err: func() error { return nil },
		Ready: func() string { return fmt.Sprintf("ready grpc=%s admin=%s", cp.Addr(), adm.Addr()) },
	}, nil
}

func configOf(s process.Settings, creds credentials.TransportCredentials) controlplane.Config {
	conf := controlplane.Config{
		ReplicaID: s.Values.String(process.ReplicaID), ClusterID: s.Values.String(process.ClusterID), Advertise: s.Values.String(process.GrpcAdvertise),
		Times:           lease.Times{TTL: s.MS(process.SessionTTL), Margin: s.MS(process.SessionMargin)},
		StaticStability: s.MS(process.StaticMax), FastFailover: s.MS(process.FastFailover), Levels: s.Levels,
		Dial: func(address string) (*grpc.ClientConn, error) {
			return replicas.Dial([]string{address}, replicas.One, creds)
		},
	}
	if creds != nil {
		conf.ServerOptions = append(conf.ServerOptions, grpc.Creds(creds))
	}
	return conf
}

// etcd is the store's backend: opened and waited for when the process starts.
type etcd struct {
	store.Backend
	open   func(ctx context.Context) (*client, error)
	name   string // its members
	client *client
	log    *slog.Logger
	clock  clock.Clock
	away   atomic.Pointer[error] // why it does not answer, while it is waited for
}

// client is an etcd client, and what ends with it.
type client struct {
	*store.EtcdClient
	Sole bool // nobody else uses the member
	stop func(ctx context.Context) error
}

// etcd says how to open what the keys name.
func etcdOf(s process.Settings, now time.Time, log *slog.Logger) (func(ctx context.Context) (*client, error), error) {
	endpoints, dir := s.Values.List(process.EtcdEndpoints), s.Values.String(process.DataDir)
	switch {
	case len(endpoints) == 0 && dir == "":
		return nil, fmt.Errorf("%s: the members of etcd are needed; or %s, for a single replica with a member of its own", process.EtcdEndpoints, process.DataDir)
	case len(endpoints) > 0 && dir != "":
		return nil, fmt.Errorf("%s and %s: give one of them: etcd's members, or the directory of a member of this replica's own", process.EtcdEndpoints, process.DataDir)
	case dir != "":
		return func(ctx context.Context) (*client, error) {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return nil, fmt.Errorf("%s: %w", process.DataDir, err)
			}
			m, err := embed.Start(ctx, dir)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", process.DataDir, err)
			}
			return &client{&store.EtcdClient{Client: m.Client()}, true, m.Stop}, nil
		}, nil
	}
	conf := store.EtcdConfig{Endpoints: endpoints, Username: s.Values.String(process.EtcdUser), Password: s.Values.Password(process.EtcdPassword), Logger: log}
	if f := (tlsfiles.Files{Cert: s.Values.String(process.EtcdCert), Key: s.Values.String(process.EtcdKey), CA: s.Values.String(process.EtcdCA)}); !f.None() {
		var err error
		if conf.TLS, err = f.Client(tlsfiles.Names{Cert: process.EtcdCert, Key: process.EtcdKey, CA: process.EtcdCA}, now); err != nil {
			return nil, err
		}
	}
	return func(context.Context) (*client, error) {
		c, err := store.OpenEtcd(conf)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", process.EtcdEndpoints, err)
		}
		return &client{c, false, func(context.Context) error { return c.Close() }}, nil
	}, nil
}

// start opens etcd and waits until it answers: a replica that is started before etcd is live, and not ready.
func (e *etcd) start(ctx context.Context) error {
	c, err := e.open(ctx)
	if err != nil {
		return err
	}
	e.client, e.Backend = c, store.NewEtcd(c.Client)
	for {
		try, cancel := context.WithTimeout(ctx, etcdTimeout)
		_, _, err := e.Get(try, "/sluice/", false)
		cancel()
		switch {
		case err == nil:
			e.away.Store(nil)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, store.ErrDenied):
			return fmt.Errorf("%s: %w", process.EtcdEndpoints, err)
		}
		e.log.Error("etcd does not answer yet, and is asked again; until then this replica serves nothing", logkey.Err, e.wait(err))
		select {
		case <-e.clock.After(etcdRetry):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wait notes why etcd is waited for.
func (e *etcd) wait(why error) error {
	if e.name != "" {
		why = fmt.Errorf("etcd at %s has not answered: %w", e.name, why)
	}
	e.away.Store(&why)
	return why
}

func (e *etcd) stop(ctx context.Context) error {
	if e.client == nil {
		return nil
	}
	return e.client.stop(ctx)
}
