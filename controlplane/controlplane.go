package controlplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/sluice-project/sluice/controlplane/api"
	"github.com/sluice-project/sluice/controlplane/command"
	"github.com/sluice-project/sluice/controlplane/election"
	"github.com/sluice-project/sluice/controlplane/events"
	"github.com/sluice-project/sluice/controlplane/reconciler"
	"github.com/sluice-project/sluice/controlplane/session"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/loglevel"
	"github.com/sluice-project/sluice/internal/run"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Elect makes the elector over the replica's store.
type Elect func(*store.Store) election.Elector

// Sole elects this replica: for a store that nobody shares.
func Sole(s *store.Store) election.Elector { return election.NewSole(s) }

// Periods of the gRPC server. A dead connection is noticed within the sum of the first two: that is
// what fast failover waits for where the other machine is gone.
const (
	pingAfter   = 5 * time.Second
	pingTimeout = 5 * time.Second
	pingLeast   = 2 * time.Second // clients that ping more often are cut off
	retryLead   = time.Second
)

// ControlPlane is one replica. Start once; Stop or Kill may be called more than once.
type ControlPlane struct {
	config    Config
	elect     Elect
	clock     clock.Clock
	log       *slog.Logger
	store     *store.Store
	commander *command.Commander
	sessions  *session.Server
	leader    *reconciler.Reconciler
	loggers   *api.Loggers
	journal   *events.Journal
	events    *api.Events
	health    *health.Server
	grpc      *grpc.Server
	listener  net.Listener
	group     *run.Group

	mu      sync.Mutex
	started bool
	ready   bool
	lease   int64 // of replicas/<id>
	term    int64 // see storev1.Replica
}

// New builds a replica over a backend, which stays the caller's. A nil elect is Sole.
func New(config Config, backend store.Backend, elect Elect, c clock.Clock, log *slog.Logger) (*ControlPlane, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if elect == nil {
		elect = Sole
	}
	if config.Levels == nil {
		config.Levels = loglevel.New(slog.LevelInfo, c)
	}
	p := &ControlPlane{
		config: config, elect: elect, clock: c, log: log.With(logkey.Component, "controlplane"),
		store: store.New(backend, config.ClusterID, c, log), journal: events.NewJournal(),
		group: run.New(context.Background(), "controlplane"),
	}
	p.store.Observe(p.journal)
	return p, nil
}

// Start reads the store, listens and serves. It fails where the store cannot be read before ctx ends.
func (p *ControlPlane) Start(ctx context.Context) (err error) {
	if err := p.listen(ctx); err != nil {
		return err
	}
	if err := p.store.Start(ctx); err != nil {
		return errors.Join(fmt.Errorf("controlplane: %w", err), p.listener.Close())
	}
	p.mu.Lock()
	p.started = true
	p.mu.Unlock()
	p.build()
	defer func() {
		if err != nil {
			p.Kill()
		}
	}()
	if p.config.OwnsStore {
		if err := p.store.DeleteEarlierLife(ctx); err != nil {
			return fmt.Errorf("controlplane: take back the units of an earlier life: %w", err)
		}
	}
	if err := p.announce(ctx); err != nil {
		return fmt.Errorf("controlplane: register the replica %s: %w", p.config.ReplicaID, err)
	}
	p.mu.Lock()
	p.ready = true
	p.mu.Unlock()
	return errors.Join(
		p.group.Go(p.stayAnnounced),
		p.group.Go(p.lead),
		p.group.Go(p.loggers.Follow),
		p.group.Go(p.serve),
	)
}

// serve ends with Stop or Kill. Where it ends by itself the replica is of no use to anybody: Failed says so.
func (p *ControlPlane) serve(ctx context.Context) error {
	err := p.grpc.Serve(p.listener)
	if ctx.Err() != nil || errors.Is(err, grpc.ErrServerStopped) {
		return nil //nolint:nilerr // it was stopped
	}
	return err
}

// Failed is closed once the replica has stopped serving, for whatever reason: a main that did not stop it
// ends the process then, so that it is started again.
func (p *ControlPlane) Failed() <-chan struct{} { return p.group.Context().Done() }

func (p *ControlPlane) listen(ctx context.Context) error {
	p.listener = p.config.Listener
	if p.listener == nil {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", p.config.Listen)
		if err != nil {
			return fmt.Errorf("controlplane: listen: %w", err)
		}
		p.listener = l
	}
	if p.config.Advertise == "" {
		p.config.Advertise = p.listener.Addr().String()
	}
	if p.config.ReplicaID == "" {
		p.config.ReplicaID = p.config.Advertise
	}
	p.log = p.log.With(logkey.Replica, p.config.ReplicaID)
	return nil
}

// build makes the services. After listen: they are told the replica's id.
func (p *ControlPlane) build() {
	p.commander = command.New(command.Config{Replica: p.config.ReplicaID, Dial: p.config.Dial}, p.store, p.clock, p.log)
	p.sessions = session.New(session.Config{Replica: p.config.ReplicaID, Times: p.config.Times, StaticStability: p.config.StaticStability}, sessionStore{p.store}, p.commander, p.clock, p.log)
	p.leader = reconciler.New(reconciler.Config{Times: p.config.Times, StaticStability: p.config.StaticStability, FastFailover: p.config.FastFailover}, p.store, p.commander, p.clock, p.log)
	p.health = health.NewServer()
	p.grpc = grpc.NewServer(append([]grpc.ServerOption{
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingLeast, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(api.Unary(p.log)),
		grpc.ChainStreamInterceptor(api.Stream(p.log)),
	}, p.config.ServerOptions...)...)
	p.events = api.NewEvents(p.store, p.journal, p.clock)
	sluicev1.RegisterConnectorServiceServer(p.grpc, api.NewConnectors(p.store, p.commander))
	sluicev1.RegisterPluginServiceServer(p.grpc, api.NewPlugins(p.store, p.commander))
	sluicev1.RegisterClusterServiceServer(p.grpc, api.NewCluster(p.store, p.events))
	p.loggers = api.NewLoggers(p.store, p.config.Levels)
	sluicev1.RegisterLoggerServiceServer(p.grpc, p.loggers)
	sluicev1.RegisterSessionServiceServer(p.grpc, p.sessions)
	sluicev1.RegisterPeerServiceServer(p.grpc, command.NewPeer(p.commander))
	healthpb.RegisterHealthServer(p.grpc, p.health)
	for name := range p.grpc.GetServiceInfo() {
		p.health.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}
	reflection.Register(p.grpc)
}

// sessionStore is the store as sessions need it.
type sessionStore struct{ *store.Store }

// DeleteSession ends a session with its lease.
func (s sessionStore) DeleteSession(ctx context.Context, id string) error {
	l, err := s.SessionLease(ctx, id)
	if errors.Is(err, store.ErrLapsed) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Backend().Revoke(ctx, l)
}

// Ready says why the replica cannot be used, or nil. Without etcd's quorum it is ready all the same once it has read
// the store: it answers reads, and executors' streams stay.
func (p *ControlPlane) Ready() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ready {
		return errors.New("the replica has not read the store yet, or is stopping")
	}
	return nil
}

// Addr is where the replica listens. Only after Start.
func (p *ControlPlane) Addr() string { return p.listener.Addr().String() }

// Store is the replica's store, for processes that are all in one.
func (p *ControlPlane) Store() *store.Store { return p.store }

// Stop ends the streams and the calls under way, gives up leadership and takes the replica off the list.
// Executors go to other replicas; nothing of theirs is marked. What has not ended when ctx does is cut off.
func (p *ControlPlane) Stop(ctx context.Context) error {
	p.mu.Lock()
	was := p.started
	p.started, p.ready = false, false
	p.mu.Unlock()
	if !was {
		return nil
	}
	p.health.Shutdown()
	p.loggers.Stop()
	p.events.Stop()
	err := p.sessions.Stop(ctx)
	p.stopServing(ctx)
	err = errors.Join(err, p.events.Wait(ctx), p.group.Stop(ctx), p.commander.Close())
	if rerr := p.store.Backend().Revoke(ctx, p.replicaLease()); rerr != nil {
		p.log.Info("the replica stays listed until its lease lapses", logkey.Err, rerr)
	}
	return errors.Join(err, p.store.Stop(ctx))
}

// servingStop is how long the calls under way have to end, and peers to close their connections, when a replica stops:
// a peer that keeps one open must not use up the time that the rest of the stop needs. A gateway asks another replica.
const servingStop = 5 * time.Second

// stopServing waits for the calls under way for servingStop, or until ctx ends.
func (p *ControlPlane) stopServing(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, servingStop)
	defer cancel()
	done := make(chan struct{})
	waiting := run.New(context.WithoutCancel(ctx), "controlplane-stop")
	if err := waiting.Go(func(context.Context) error { p.grpc.GracefulStop(); close(done); return nil }); err == nil {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	p.grpc.Stop() // ends a graceful stop that still waits
	<-done
}

// Kill drops everything at once, without a goodbye, as the death of the process would. For tests.
func (p *ControlPlane) Kill() {
	p.mu.Lock()
	was := p.started
	p.started, p.ready = false, false
	p.mu.Unlock()
	if !was {
		return
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	p.sessions.Kill()
	_ = p.group.Stop(gone) // nothing is waited for, and nothing can be done about what it says
	_ = p.store.Stop(gone)
	p.grpc.Stop()
	_ = p.events.Wait(gone)
	_ = p.listener.Close()
	_ = p.commander.Close()
}
