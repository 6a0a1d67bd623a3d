package command

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// peers caches one connection to each other replica.
type peers struct {
	dial func(address string) (*grpc.ClientConn, error)

	mu     sync.Mutex
	closed bool
	conns  map[string]*grpc.ClientConn
}

func newPeers(dial func(string) (*grpc.ClientConn, error)) *peers {
	if dial == nil {
		dial = func(address string) (*grpc.ClientConn, error) {
			return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		}
	}
	return &peers{dial: dial, conns: map[string]*grpc.ClientConn{}}
}

// get returns the connection to an address and closes those to replicas that are gone.
func (p *peers) get(snap *state.Snapshot, address string) (*grpc.ClientConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrNoStream
	}
	if conn := p.conns[address]; conn != nil {
		return conn, nil
	}
	live := map[string]bool{address: true}
	for _, r := range snap.Replicas {
		live[r.Value.GetAddress()] = true
	}
	for a, conn := range p.conns {
		if !live[a] {
			delete(p.conns, a)
			_ = conn.Close() // the replica is gone: there is nothing to save
		}
	}
	conn, err := p.dial(address)
	if err != nil {
		return nil, fmt.Errorf("command: connect to the replica at %s: %w", address, err)
	}
	p.conns[address] = conn
	return conn, nil
}

func (p *peers) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	var all []error
	for a, conn := range p.conns {
		delete(p.conns, a)
		all = append(all, conn.Close())
	}
	return errors.Join(all...)
}

// runThere asks the replica that owns the session's stream. ErrNoStream where it does not, or cannot be
// reached: the session will have moved.
func (c *Commander) runThere(ctx context.Context, snap *state.Snapshot, address, session string, cmd *sluicev1.Command) (*sluicev1.CommandResult, error) {
	conn, err := c.peers.get(snap, address)
	if err != nil {
		return nil, err
	}
	// The peer keeps the command's deadline itself; this one is for a peer that does not answer.
	ctx, cancel := context.WithTimeout(ctx, c.timeout(cmd)+lookAgain)
	defer cancel()
	resp, err := sluicev1.NewPeerServiceClient(conn).RunCommand(ctx, &sluicev1.RunCommandRequest{Session: session, Command: cmd})
	if err != nil {
		return nil, fromPeer(err, address)
	}
	return resp.GetResult(), nil
}

// fromPeer turns a peer's status back into the error it was made from.
func fromPeer(err error, address string) error {
	s := status.Convert(err)
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return errs.New(errs.Reason(info.GetReason()), "%s", s.Message())
		}
	}
	switch s.Code() {
	case codes.NotFound, codes.Unavailable:
		return ErrNoStream
	case codes.Aborted:
		return ErrStreamLost
	case codes.DeadlineExceeded:
		return errs.New(errs.ExecutorTimeout, "Request timed out. The replica at %s did not answer", address)
	}
	return fmt.Errorf("command: the replica at %s: %w", address, err)
}

// Forward hands an answer that reached this replica to the one that waits for it. ErrNotWaiting where
// none does.
func (c *Commander) Forward(ctx context.Context, session, id string, encoded []byte, chunk int) error {
	snap := c.view.View()
	replica := snap.Replicas[waiter(id)]
	if waiter(id) == c.config.Replica || replica == nil {
		return ErrNotWaiting
	}
	conn, err := c.peers.get(snap, replica.Value.GetAddress())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	stream, err := sluicev1.NewSessionServiceClient(conn).CompleteCommand(ctx)
	if err != nil {
		return fromForward(err)
	}
	for first := true; first || len(encoded) > 0; first = false {
		n := min(chunk, len(encoded))
		if err := stream.Send(&sluicev1.CompleteCommandRequest{Session: session, Id: id, Chunk: encoded[:n]}); err != nil {
			break // CloseAndRecv says why
		}
		encoded = encoded[n:]
	}
	_, err = stream.CloseAndRecv()
	return fromForward(err)
}

func fromForward(err error) error {
	if err == nil {
		return nil
	}
	if c := status.Code(err); c == codes.NotFound || c == codes.Unavailable {
		return ErrNotWaiting
	}
	return fmt.Errorf("command: hand the answer to the replica that waits: %w", err)
}

// Peer serves PeerService.
type Peer struct {
	sluicev1.UnimplementedPeerServiceServer
	c *Commander
}

// NewPeer returns the service by which other replicas run commands on the streams of this one.
func NewPeer(c *Commander) *Peer { return &Peer{c: c} }

// RunCommand implements PeerService. ErrNoStream where this replica does not own the stream.
func (p *Peer) RunCommand(ctx context.Context, req *sluicev1.RunCommandRequest) (*sluicev1.RunCommandResponse, error) {
	if req.GetCommand() == nil {
		return nil, errs.New(errs.RequestMalformed, "command: is missing")
	}
	result, err := p.c.runHere(ctx, req.GetSession(), req.GetCommand())
	if err != nil {
		return nil, err
	}
	return &sluicev1.RunCommandResponse{Result: result}, nil
}
