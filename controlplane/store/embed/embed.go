// Package embed runs one etcd member inside this process: for one machine, and for tests. It keeps its
// data in a directory and listens on a free port of the loopback address.
package embed

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
)

// Server is an embedded member with a client that needs no socket.
type Server struct {
	etcd   *embed.Etcd
	client *clientv3.Client
}

const quota = 8 << 30

// Start starts a member on dir, which nobody else may use, and returns when it serves, or when ctx ends.
func Start(ctx context.Context, dir string) (*Server, error) { return start(ctx, dir, true) }

// StartScratch is Start for a directory that nobody reads again once the process has ended, so that no write
// waits for the disk.
func StartScratch(ctx context.Context, dir string) (*Server, error) { return start(ctx, dir, false) }

func start(ctx context.Context, dir string, durable bool) (*Server, error) {
	c := embed.NewConfig()
	c.UnsafeNoFsync = !durable
	c.Dir = dir
	c.Name = "sluice"
	any := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c.ListenPeerUrls, c.ListenClientUrls = any, any
	peer := []url.URL{{Scheme: "http", Host: "127.0.0.1:1"}} // never dialled: there is one member
	c.AdvertisePeerUrls, c.AdvertiseClientUrls = peer, peer
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.LogLevel = "panic"
	c.Logger = "zap"
	c.LogOutputs = []string{"/dev/null"}
	c.QuotaBackendBytes = quota
	c.AutoCompactionMode = "periodic"
	c.AutoCompactionRetention = "5m"
	c.TickMs, c.ElectionMs = 50, 250
	c.PreVote = true
	e, err := embed.StartEtcd(c)
	if err != nil {
		return nil, fmt.Errorf("embedded etcd in %s: %w", dir, err)
	}
	select {
	case <-e.Server.ReadyNotify():
		return &Server{e, v3client.New(e.Server)}, nil
	case <-ctx.Done():
		e.Close()
		return nil, fmt.Errorf("embedded etcd in %s is not ready: %w", dir, ctx.Err())
	}
}

// Client is the member's client. It lives as long as the server.
func (s *Server) Client() *clientv3.Client { return s.client }

// Stop stops the member.
func (s *Server) Stop(ctx context.Context) error {
	err := s.client.Close()
	if errors.Is(err, context.Canceled) {
		err = nil // what a client without a socket says when it is closed
	}
	done := make(chan struct{})
	go func() { s.etcd.Close(); close(done) }()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("embedded etcd does not stop: %w", ctx.Err())
	}
}
