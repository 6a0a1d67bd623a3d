package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"

	"github.com/sluice-project/sluice/gateway/rest"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/loglevel"
	"github.com/sluice-project/sluice/internal/replicas"
	"github.com/sluice-project/sluice/internal/run"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Config says where the gateway listens and whom it asks.
type Config struct {
	// Listen is the address of the REST API, host:port. Port 0 takes a free one. Not needed with Listeners.
	Listen string
	// Listeners serve instead of Listen, where they are given. The gateway closes them, and Admin.
	Listeners []net.Listener
	// AdminApart says that Listeners do not serve /admin/: it is served by Admin, and nothing else there.
	AdminApart bool
	Admin      []net.Listener
	// CORS and Headers are what every answer of Listeners has besides.
	CORS    rest.CORS
	Headers []rest.HeaderRule
	// ControlPlane are the gRPC addresses of the control plane's replicas, at least one.
	ControlPlane []string
	// Credentials are those of the connections to the control plane; nil is in the clear.
	Credentials credentials.TransportCredentials
	// Levels are the levels of the process's loggers. Default: levels that no log follows.
	Levels *loglevel.Levels
	// Metrics count the requests, where they are given.
	Metrics *Metrics
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var all []error
	if c.Listen == "" && len(c.Listeners) == 0 {
		all = append(all, errors.New("gateway: rest.listen: is empty: an address host:port is needed"))
	}
	if len(c.ControlPlane) == 0 {
		all = append(all, errors.New("gateway: control.plane: is empty: at least one gRPC address host:port is needed"))
	}
	return errors.Join(all...)
}

// Gateway serves the REST API. Start and Stop are called once each.
type Gateway struct {
	config Config
	clock  clock.Clock
	log    *slog.Logger

	listeners []net.Listener
	conn      *grpc.ClientConn
	servers   []*http.Server
	group     *run.Group
	stopping  chan struct{}
}

// New returns a gateway that does not listen yet.
func New(config Config, c clock.Clock, log *slog.Logger) (*Gateway, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Levels == nil {
		config.Levels = loglevel.New(slog.LevelInfo, c)
	}
	return &Gateway{config: config, clock: c, log: log.With(logkey.Component, "gateway"), group: run.New(context.Background(), "gateway"), stopping: make(chan struct{})}, nil
}

// Start listens and serves. It does not wait for the control plane: requests do, for as long as a replica takes to be
// replaced.
func (g *Gateway) Start(ctx context.Context) error {
	conn, err := replicas.Dial(g.config.ControlPlane, replicas.Each, g.config.Credentials,
		grpc.WithChainUnaryInterceptor(stamp, retry(g.clock, g.config.ControlPlane)))
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	loggers := sluicev1.NewLoggerServiceClient(conn)
	handlers, err := rest.NewHandlers(ctx, conn, rest.Options{AdminApart: g.config.AdminApart, CORS: g.config.CORS, Headers: g.config.Headers, Clock: g.clock, Stopping: g.stopping,
		Loggers: &loglevel.Service{Levels: g.config.Levels, Elsewhere: func(ctx context.Context, req *sluicev1.SetLoggerRequest) error {
			_, err := loggers.SetLogger(ctx, req)
			return err
		}}})
	if err != nil {
		return errors.Join(fmt.Errorf("gateway: %w", err), conn.Close())
	}
	g.listeners = g.config.Listeners
	if len(g.listeners) == 0 {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", g.config.Listen)
		if err != nil {
			return errors.Join(fmt.Errorf("gateway: rest.listen: %w", err), conn.Close())
		}
		g.listeners = []net.Listener{l}
	}
	g.conn = conn
	conn.Connect()
	err = g.group.Go(func(ctx context.Context) error { return g.config.Levels.Follow(ctx, loggers, "", g.clock) })
	for _, l := range g.listeners {
		err = errors.Join(err, g.serve(l, handlers.Main))
	}
	for _, l := range g.config.Admin {
		err = errors.Join(err, g.serve(l, handlers.Admin))
	}
	return err
}

// serve serves a handler on a listener until Stop.
func (g *Gateway) serve(l net.Listener, h http.Handler) error {
	if g.config.Metrics != nil {
		h = g.config.Metrics.around(h)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug)} // callers that break off, or fail TLS's handshake
	g.servers = append(g.servers, s)
	return g.group.Go(func(context.Context) error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

// Addr is where the gateway listens first, host:port. Only after Start.
func (g *Gateway) Addr() string { return g.listeners[0].Addr().String() }

// Ready says whether a replica of the control plane can be asked. It does not call one.
func (g *Gateway) Ready() error {
	if g.conn == nil {
		return errors.New("the gateway has not started")
	}
	if s := g.conn.GetState(); s != connectivity.Ready {
		g.conn.Connect()
		return fmt.Errorf("no replica of the control plane at %q can be reached (%s)", g.config.ControlPlane, strings.ToLower(s.String()))
	}
	return nil
}

// Failed is closed when the gateway has stopped serving, for whatever reason.
func (g *Gateway) Failed() <-chan struct{} { return g.group.Context().Done() }

// Stop lets the requests under way finish, until ctx ends; streams of events end at once.
func (g *Gateway) Stop(ctx context.Context) error {
	if g.conn == nil {
		return nil
	}
	close(g.stopping)
	var err error
	for _, s := range g.servers {
		if serr := s.Shutdown(ctx); serr != nil {
			err = errors.Join(err, serr, s.Close())
		}
	}
	return errors.Join(err, g.conn.Close(), g.group.Stop(ctx))
}

// stamp names every write, so that its repetition gets the first answer.
func stamp(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	switch r := req.(type) {
	case *sluicev1.CreateConnectorRequest:
		if r.GetRequestId() == "" { // the client's Idempotency-Key has named it
			r.RequestId = rand.Text()
		}
	case *sluicev1.PutConnectorConfigRequest:
		r.RequestId = rand.Text()
	case *sluicev1.PatchConnectorConfigRequest:
		r.RequestId = rand.Text()
	case *sluicev1.AlterConnectorOffsetsRequest:
		r.RequestId = rand.Text()
	case *sluicev1.ResetConnectorOffsetsRequest:
		r.RequestId = rand.Text()
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

// patience is how long a request waits for a replica that can be reached.
const patience = 10 * time.Second

// retry repeats a call whose replica went away, until no replica has been reached for patience. An UNAVAILABLE with a
// reason is an answer, and is not repeated. All calls here may be repeated: writes carry an id, the
// rest is idempotent or, like a restart, harmless twice.
func retry(c clock.Clock, addresses []string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		var enough <-chan time.Time
		for {
			err := invoke(ctx, method, req, reply, cc, opts...)
			if !replicas.Lost(err) {
				return err
			}
			if enough == nil {
				enough = c.After(patience)
			}
			select {
			case <-ctx.Done():
				return err
			case <-enough:
				return errs.New(errs.NoReplica, "No replica of the control plane at %s can be reached: try again", strings.Join(addresses, ", "))
			case <-c.After(100 * time.Millisecond):
			}
		}
	}
}
