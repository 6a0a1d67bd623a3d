package gateway

import (
	"context"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
)

// answers makes calls that end so, one after the other; the last again and again.
func answers(t *testing.T, ends ...error) (calls func(c *clock.Fake) error, count *int) {
	t.Helper()
	count = new(int)
	return func(c *clock.Fake) error {
		done, ctx := make(chan error, 1), t.Context()
		go func() {
			done <- retry(c, []string{"a:1", "b:2"})(ctx, "m", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
				err := ends[min(*count, len(ends)-1)]
				*count++
				return err
			})
		}()
		for {
			select {
			case err := <-done:
				return err
			case <-ctx.Done():
				return ctx.Err()
			default:
				if c.Waiters() == 2 { // it waits for both: enough, and the next call
					c.Advance(100 * time.Millisecond)
				}
			}
		}
	}, count
}

func TestRetry_WaitsTenSecondsForAReplicaAndThenNamesThem(t *testing.T) {
	c := clock.NewFake(time.Unix(0, 0))
	call, count := answers(t, status.Error(codes.Unavailable, "connection refused"))
	began := c.Now()
	err := call(c)
	if errs.ReasonOf(err) != errs.NoReplica || err.Error() != "No replica of the control plane at a:1, b:2 can be reached: try again" {
		t.Error(err)
	}
	if took := c.Now().Sub(began); took < patience || took > 2*patience || *count < 2 {
		t.Errorf("%s, %d calls", took, *count)
	}
}

func TestRetry_AReplicaThatComesBackAnswersAndAReasonIsAnAnswer(t *testing.T) {
	lost := status.Error(codes.Unavailable, "connection refused")
	detailed, err := status.New(codes.Unavailable, "The store is not available").WithDetails(&errdetails.ErrorInfo{Reason: "store.unavailable"})
	if err != nil {
		t.Fatal(err)
	}
	for want, last := range map[codes.Code]error{codes.OK: nil, codes.Unavailable: detailed.Err(), codes.NotFound: status.Error(codes.NotFound, "x")} {
		call, count := answers(t, lost, lost, last)
		if err := call(clock.NewFake(time.Unix(0, 0))); status.Code(err) != want || *count != 3 {
			t.Errorf("%v after %d calls", err, *count)
		}
	}
}
