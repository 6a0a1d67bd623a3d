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

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/gateway/rest"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/replicas"
	"github.com/sluice-project/sluice/internal/run"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Config says where the gateway listens and whom it asks.
type Config struct {
	// Listen is the address of the REST API, host:port. Port 0 takes a free one. Not needed with Listener.
	Listen string
	// Listener serves instead of Listen, where it is given. The gateway closes it.
	Listener net.Listener
	// ControlPlane are the gRPC addresses of the control plane's replicas, at least one.
	ControlPlane []string
	// Credentials are those of the connections to the control plane; nil is in the clear.
	Credentials credentials.TransportCredentials
	// Metrics count the requests, where they are given.
	Metrics *Metrics
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var all []error
	if c.Listen == "" && c.Listener == nil {
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

	listener net.Listener
	conn     *grpc.ClientConn
	server   *http.Server
	group    *run.Group
}

// New returns a gateway that does not listen yet.
func New(config Config, c clock.Clock, log *slog.Logger) (*Gateway, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Gateway{config: config, clock: c, log: log.With(logkey.Component, "gateway"), group: run.New(context.Background(), "gateway")}, nil
}

// Start listens and serves. It does not wait for the control plane: requests do, for as long as a replica takes to be
// replaced.
func (g *Gateway) Start(ctx context.Context) error {
	conn, err := replicas.Dial(g.config.ControlPlane, replicas.Each, g.config.Credentials,
		grpc.WithChainUnaryInterceptor(stamp, retry(g.clock, g.config.ControlPlane)))
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	handler, err := rest.NewHandler(ctx, conn)
	if err != nil {
		return errors.Join(fmt.Errorf("gateway: %w", err), conn.Close())
	}
	listener := g.config.Listener
	if listener == nil {
		var lc net.ListenConfig
		if listener, err = lc.Listen(ctx, "tcp", g.config.Listen); err != nil {
			return errors.Join(fmt.Errorf("gateway: rest.listen: %w", err), conn.Close())
		}
	}
	g.conn, g.listener = conn, listener
	g.server = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10}
	if g.config.Metrics != nil {
		g.server.Handler = g.config.Metrics.around(handler)
	}
	conn.Connect()
	return g.group.Go(func(context.Context) error {
		if err := g.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

// Addr is where the gateway listens, host:port. Only after Start.
func (g *Gateway) Addr() string { return g.listener.Addr().String() }

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

// Stop lets the requests under way finish, until ctx ends.
func (g *Gateway) Stop(ctx context.Context) error {
	if g.server == nil {
		return nil
	}
	err := g.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, g.server.Close())
	}
	return errors.Join(err, g.conn.Close(), g.group.Stop(ctx))
}

// stamp names every write, so that its repetition gets the first answer.
func stamp(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	switch r := req.(type) {
	case *sluicev1.CreateConnectorRequest:
		r.RequestId = rand.Text()
	case *sluicev1.PutConnectorConfigRequest:
		r.RequestId = rand.Text()
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

// patience is how long a request waits for a replica that can be reached.
const patience = 10 * time.Second

// retry repeats a call whose replica went away, until no replica has been reached for patience. An UNAVAILABLE with a
// reason is an answer, and is not repeated. All calls here may be repeated: writes carry an id, the
// rest is idempotent or, like a restart, harmless twice.
func retry(c clock.Clock, replicas []string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		var enough <-chan time.Time
		for {
			err := invoke(ctx, method, req, reply, cc, opts...)
			if !lost(err) {
				return err
			}
			if enough == nil {
				enough = c.After(patience)
			}
			select {
			case <-ctx.Done():
				return err
			case <-enough:
				return errs.New(errs.NoReplica, "No replica of the control plane at %s can be reached: try again", strings.Join(replicas, ", "))
			case <-c.After(100 * time.Millisecond):
			}
		}
	}
}

func lost(err error) bool {
	s := status.Convert(err)
	if s.Code() != codes.Unavailable {
		return false
	}
	for _, d := range s.Details() {
		if _, ok := d.(*errdetails.ErrorInfo); ok {
			return false
		}
	}
	return true
}
