package session

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Heartbeat implements SessionService. Where the lease cannot be renewed the stream ends, so that the
// executor tries another replica; nothing is acknowledged then.
func (s *Server) Heartbeat(g grpc.BidiStreamingServer[sluicev1.HeartbeatRequest, sluicev1.HeartbeatResponse]) error {
	in, err := receive(s, g.Context(), g.Recv)
	if err != nil {
		return err
	}
	for {
		select {
		case <-s.stopping:
			return ErrStopping
		case m, ok := <-in.c:
			if !ok {
				return ended(in.err)
			}
			// Promise 2: received ≤ renewed ≤ acknowledged. A renewal that began before m was received
			// never acknowledges m.
			gone, err := s.renew(g.Context(), m.GetSession())
			if err != nil {
				return err
			}
			if err := g.Send(&sluicev1.HeartbeatResponse{Number: m.GetNumber(), Lapsed: gone}); err != nil {
				return err
			}
		}
	}
}

// renew renews a session's lease and says whether it has lapsed.
func (s *Server) renew(ctx context.Context, id string) (gone bool, err error) {
	leaseID, err := s.leaseOf(ctx, id)
	if errs.ReasonOf(err) == errs.SessionLapsed {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	view := s.store.View()
	if v := view.Sessions[id]; v != nil && s.index.newer(view, v) != nil {
		return true, nil // a newer process has its address: its right ends now, and its lease lapses
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Times.Heartbeat())
	defer cancel()
	switch err := s.store.KeepAlive(ctx, leaseID); {
	case errors.Is(err, store.ErrLapsed):
		return true, nil
	case err != nil:
		return false, unavailable(err)
	}
	return false, nil
}

// leaseOf returns a session's lease. A session never changes its lease, so one that is remembered is right.
func (s *Server) leaseOf(ctx context.Context, id string) (int64, error) {
	s.mu.Lock()
	l, ok := s.leases[id]
	s.mu.Unlock()
	if ok {
		return l, nil
	}
	v, err := s.lookUp(ctx, id)
	if err != nil {
		return 0, err
	}
	return v.Value.GetLease(), nil
}
