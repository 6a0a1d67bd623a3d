package executor

import (
	"fmt"

	"go.uber.org/fx"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// Module composes the executor. It needs a Config.
var Module = fx.Module("executor",
	fx.Provide(New),
	fx.Invoke(func(lc fx.Lifecycle, x *Executor) { lc.Append(fx.StartStopHook(x.Start, x.Stop)) }),
)

// Dial connects to the replicas of the control plane: to one at a time, and to the next where that one is gone.
func Dial(addresses []string) (*grpc.ClientConn, error) {
	r := manual.NewBuilderWithScheme("sluice")
	var s resolver.State
	for _, a := range addresses {
		s.Addresses = append(s.Addresses, resolver.Address{Addr: a})
	}
	r.InitialState(s)
	c, err := grpc.NewClient("sluice:///controlplane", grpc.WithResolvers(r), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"pick_first":{"shuffleAddressList":true}}]}`),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return nil, fmt.Errorf("executor: control plane at %q: %w", addresses, err)
	}
	return c, nil
}
