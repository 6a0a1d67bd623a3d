package controlplane

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/loglevel"
)

// Config is what a replica is started with.
type Config struct {
	// ReplicaID names the replica, uniquely among those that run. Default: its advertised address.
	ReplicaID string
	// ClusterID names the cluster in the store. Default `sluice`.
	ClusterID string
	// Listen is the gRPC address, host:port; port 0 takes a free one. Not needed with Listener.
	Listen string
	// Listener serves instead of Listen, where it is given. The replica closes it.
	Listener net.Listener
	// Advertise is where other replicas reach this one, host:port. Default: the listener's address.
	Advertise string
	// Times are the periods of sessions, equal in all replicas. Default lease.DefaultTimes.
	Times lease.Times
	// StaticStability is how long Kafka-fenced units go on without the control plane
	// (static.stability.max.ms). Default 1 h.
	StaticStability time.Duration
	// FastFailover is how long a session may be lost before its Kafka-fenced units move
	// (session.fast.failover.ms). Default 1 s.
	FastFailover time.Duration
	// OwnsStore says that no other process uses the store: the sessions and assignments of an earlier life are
	// deleted at the start.
	OwnsStore bool
	// Dial connects to another replica. Default: without TLS.
	Dial func(address string) (*grpc.ClientConn, error)
	// Levels are the levels of the process's loggers. Default: levels that no log follows.
	Levels *loglevel.Levels
	// ServerOptions are added to the gRPC server's, as credentials are.
	ServerOptions []grpc.ServerOption
}

func (c Config) withDefaults() Config {
	if c.ClusterID == "" {
		c.ClusterID = "sluice"
	}
	if c.Times == (lease.Times{}) {
		c.Times = lease.DefaultTimes()
	}
	if c.StaticStability == 0 {
		c.StaticStability = time.Hour
	}
	if c.FastFailover == 0 {
		c.FastFailover = time.Second
	}
	return c
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var all []error
	if c.Listener == nil && c.Listen == "" {
		all = append(all, errors.New("controlplane: listen: is empty: an address host:port is needed"))
	}
	if err := c.Times.Validate(); err != nil {
		all = append(all, fmt.Errorf("controlplane: %w", err))
	}
	if c.StaticStability < 0 || c.FastFailover < 0 {
		all = append(all, fmt.Errorf("controlplane: static.stability.max.ms and session.fast.failover.ms: %s and %s must not be negative", c.StaticStability, c.FastFailover))
	}
	if strings.ContainsFunc(c.ReplicaID, func(r rune) bool { return r <= ' ' || r == '/' }) {
		all = append(all, fmt.Errorf("controlplane: replica.id: %q must have neither blanks nor slashes", c.ReplicaID))
	}
	return errors.Join(all...)
}
