package agent_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// drain begins to drain and returns how that ended.
func (h *harness) drain(within time.Duration) <-chan error {
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(h.Context(), within)
	go func() {
		defer cancel()
		done <- h.agent.Drain(ctx)
	}()
	h.settle()
	return done
}

// drains checks that draining goes on.
func (h *harness) drains(done <-chan error, when string) {
	h.Helper()
	h.pass(4 * step)
	select {
	case err := <-done:
		h.Errorf("drained %s: %v", when, err)
	default:
	}
}

func TestDrain_IsSaidAndEndsOnceEveryReleaseIsAcknowledged(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5), want(orders1, 6))
		done := h.drain(time.Minute)
		if st.drains() != 1 {
			h.Error("nobody was told")
		}
		h.drains(done, "while units are held")
		h.is(orders0, 1, "running") // it goes on until its turn comes
		st.desire(true, want(orders0, 5, toBeReleased))
		h.settle()
		st.ack(orders0, 5)
		st.delta(true, []string{orders0.String()})
		h.drains(done, "with a unit that is held")
		st.desire(true, want(orders1, 6, toBeReleased))
		h.drains(done, "with a release that is not acknowledged")
		st.delta(true, []string{orders1.String()})
		h.drains(done, "with a release that is not acknowledged")
		st.ack(orders1, 6)
		h.pass(2 * step)
		if err := <-done; err != nil {
			h.Error(err)
		}
		if st.drains() != 1 {
			h.Errorf("it was said %d times", st.drains())
		}
	})
}

func TestDrain_IsSaidInTheHelloOfALaterStreamAndGoesOnThere(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		st.desire(true, want(orders0, 5, toBeReleased))
		h.settle()
		done := h.drain(time.Minute)
		st.end <- errBroken
		st = h.stream(2)
		if !st.GetDraining() || len(st.GetReleases()) != 1 {
			h.Errorf("%v", st.Hello)
		}
		st.desire(true)
		h.drains(done, "with a release that is not acknowledged")
		st.ack(orders0, 5)
		h.pass(2 * step)
		if err := <-done; err != nil {
			h.Error(err)
		}
	})
}

func TestDrain_EndsWithItsDeadlineAndSaysWhatIsLeft(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5), want(orders1, 6))
		done := h.drain(5 * time.Second)
		h.drains(done, "before the deadline")
		h.pass(5 * time.Second)
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 units") {
			h.Errorf("%v", err)
		}
		h.is(orders0, 1, "running") // what comes then is not the drain's
	})
}

func TestDrain_WaitsForWhatIsStoppingThoughNobodyWaitsForItsRelease(t *testing.T) {
	run(t, func(h *harness) {
		h.made.slow = make(chan struct{})
		st := h.ready(want(orders0, 5))
		done := h.drain(time.Minute)
		st.delta(true, []string{orders0.String()})
		h.drains(done, "with a unit that is stopping")
		h.is(orders0, 1, "cut")
		close(h.made.slow)
		h.pass(2 * step)
		if err := <-done; err != nil {
			h.Error(err)
		}
	})
}

func TestDrain_OfAnExecutorThatHoldsNothingEndsAtOnce(t *testing.T) {
	run(t, func(h *harness) {
		if err := h.agent.Drain(h.Context()); err != nil { // it never had a session
			h.Error(err)
		}
		st := h.ready()
		if err := h.agent.Drain(h.Context()); err != nil {
			h.Error(err)
		}
		if !st.GetDraining() {
			h.Error("the hello does not say it")
		}
	})
}
