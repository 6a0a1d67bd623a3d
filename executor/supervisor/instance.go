package supervisor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-project/sluice/internal/run"
)

// instance is a running Instance. It has a goroutine while its Run has not returned: none while it is parked.
//
//	launch --> running --ErrParked--> parked
//	              |  ^                  |
//	              |  +----- Again ------+
//	              v
//	            over: its result is there
type instance struct {
	Instance
	slot    *slot
	spec    Spec
	result  chan error
	paused  bool      // as the instance was told
	running bool      // as it told
	reload  bool      // it asked to be started again
	since   time.Time // when it told that

	parking sync.Mutex // guards the two below; taken last
	parked  bool       // Run has returned ErrParked
	again   bool       // Run is called once more after it
}

// launch has the instance run.
func (in *instance) launch() error { return in.slot.sup.runs.Go(in.live) }

// live runs the instance until it parks or is over.
func (in *instance) live(ctx context.Context) error {
	for {
		err := run.Call(func() error { return in.Run(context.WithoutCancel(ctx)) })
		if !errors.Is(err, ErrParked) {
			in.over(err)
			return nil
		}
		if in.park() {
			return nil
		}
	}
}

// over hands the result to the slot.
func (in *instance) over(err error) {
	s := in.slot
	s.sup.mu.Lock()
	defer s.sup.mu.Unlock()
	in.result <- err
	s.poke()
}

// park says that the goroutine may end: there was no Again since Run was called.
func (in *instance) park() bool {
	in.parking.Lock()
	defer in.parking.Unlock()
	in.parked, in.again = !in.again, false
	return in.parked
}

// unpark has Run called again.
func (in *instance) unpark() {
	in.parking.Lock()
	defer in.parking.Unlock()
	if !in.parked {
		in.again = true
		return
	}
	in.parked = in.launch() != nil // after Kill nothing runs any more
}
