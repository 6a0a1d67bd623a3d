// Package replicas connects to the replicas of the control plane.
package replicas

import (
	"fmt"
	"net"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
)

// Policy says which replica a call goes to.
type Policy string

const (
	// One keeps to one replica, and goes to another where that one is gone: for streams.
	One Policy = `{"loadBalancingConfig":[{"pick_first":{"shuffleAddressList":true}}]}`
	// Each takes the replicas in turn, and passes over those that are gone: for calls.
	Each Policy = `{"loadBalancingConfig":[{"round_robin":{}}]}`
)

// A connection that says nothing is asked after pingAfter (gRPC allows no less) and given up pingTimeout later; one
// that cannot be made is tried again at most maxBackoff later, so that replicas that come back are found.
const (
	pingAfter   = 10 * time.Second
	pingTimeout = 3 * time.Second
	maxBackoff  = 2 * time.Second
	maxMessage  = 64 << 20
)

// Dial connects to replicas at host:port addresses. A single name is looked up again and again, and may stand for
// many replicas, as a headless Service's does. Without credentials the connection is in the clear. It does not wait
// for a replica.
func Dial(addresses []string, policy Policy, creds credentials.TransportCredentials, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	if creds == nil {
		creds = insecure.NewCredentials()
	}
	backoff := grpc.ConnectParams{MinConnectTimeout: pingTimeout}
	backoff.Backoff.BaseDelay, backoff.Backoff.Multiplier, backoff.Backoff.Jitter, backoff.Backoff.MaxDelay = 100*time.Millisecond, 1.6, 0.2, maxBackoff
	options := append([]grpc.DialOption{
		grpc.WithTransportCredentials(creds), grpc.WithDefaultServiceConfig(string(policy)), grpc.WithConnectParams(backoff),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout, PermitWithoutStream: true}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
	}, more...)
	target := ""
	if len(addresses) == 1 && !literal(addresses[0]) {
		target = "dns:///" + addresses[0]
	} else {
		r := manual.NewBuilderWithScheme("sluice")
		var s resolver.State
		for _, a := range addresses {
			s.Addresses = append(s.Addresses, resolver.Address{Addr: a, ServerName: host(a)})
		}
		r.InitialState(s)
		options = append(options, grpc.WithResolvers(r))
		target = "sluice:///controlplane"
	}
	c, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, fmt.Errorf("control plane at %q: %w", addresses, err)
	}
	return c, nil
}

// Lost says whether a call failed since its replica is away: another may answer. An UNAVAILABLE with a reason is an answer.
func Lost(err error) bool {
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

func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

// literal says whether an address needs no name service.
func literal(address string) bool { return net.ParseIP(host(address)) != nil }
