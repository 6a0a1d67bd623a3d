package supervisor

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
)

// Preparer is a Factory that can make a unit ready before it is granted (DESIGN 4.12): clients connected, offsets
// read. It never calls the plugin's task, joins a group or initialises transactions.
type Preparer interface {
	// Prepare returns once the unit is ready. ctx has a deadline.
	Prepare(ctx context.Context, spec Spec, log *slog.Logger) (Prepared, error)
}

// Prepared is what was made ready. The Run of the instance whose Spec.Prepared it is uses it or closes it; where it
// comes to no Run the supervisor closes it.
type Prepared interface{ Close() }

const (
	// maxPrepared bounds what is ready or being made so at a time.
	maxPrepared = 32
	// prepareWithin is what a unit has for it: the control plane waits no longer either.
	prepareWithin = 5 * time.Second
	// preparedFor is how long a unit that is ready is waited for to be granted.
	preparedFor = 30 * time.Second
)

// preparation is a unit that is ready, or being made so.
type preparation struct {
	spec  Spec
	ready Prepared // nil until it is, and for units with nothing to make ready
	done  bool
	over  context.CancelFunc
	taken bool
}

// Prepare makes a unit ready that another executor still holds, and tells Control.Prepared. What cannot be made ready
// is logged and left: the unit comes without.
func (s *Supervisor) Prepare(spec Spec) {
	if s.preparing(spec) {
		s.control.Prepared(spec.Unit, spec.Epoch) // Control's lock comes before ours
	}
}

// preparing begins to make a unit ready, unless it is; then it says so.
func (s *Supervisor) preparing(spec Spec) (done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.prepared[spec.Unit]; p != nil {
		if p.fits(spec) {
			return p.done
		}
		p.over()
		delete(s.prepared, spec.Unit)
	}
	if len(s.prepared) >= maxPrepared {
		return false
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &preparation{spec: spec, over: cancel}
	err := s.group.Go(func(group context.Context) error {
		defer cancel()
		defer context.AfterFunc(group, cancel)()
		s.prepare(ctx, p)
		return nil
	})
	if err != nil {
		cancel() // stopped
		return false
	}
	s.prepared[spec.Unit] = p
	return false
}

// fits says whether what was made ready for p serves a grant of spec.
func (p *preparation) fits(spec Spec) bool {
	return p.spec.Incarnation == spec.Incarnation && bytes.Equal(p.spec.Fingerprint, spec.Fingerprint)
}

// prepare makes p ready and keeps it until it is taken, or not wanted any more.
func (s *Supervisor) prepare(ctx context.Context, p *preparation) {
	log := s.cfg.Logger.With(slog.String(logkey.Unit, p.spec.Unit.String()))
	var ready Prepared
	err := run.Call(func() error {
		f, err := s.cfg.Factory(p.spec)
		if err != nil {
			return err
		}
		if f, ok := f.(Preparer); ok {
			limit, cancel := context.WithTimeout(ctx, prepareWithin)
			defer cancel()
			ready, err = f.Prepare(limit, p.spec, log)
		}
		return err
	})
	if err == nil && ctx.Err() == nil {
		log.Debug("unit is ready to be granted")
		s.mu.Lock()
		p.ready, p.done = ready, true
		s.mu.Unlock()
		s.control.Prepared(p.spec.Unit, p.spec.Epoch)
		t := s.cfg.Clock.NewTimer(preparedFor)
		defer t.Stop()
		select {
		case <-t.C():
		case <-ctx.Done():
		}
	} else if ctx.Err() == nil {
		log.Info("unit was not made ready, and comes without", logkey.Err, err)
	}
	s.mu.Lock()
	taken := p.taken
	if s.prepared[p.spec.Unit] == p {
		delete(s.prepared, p.spec.Unit)
	}
	s.mu.Unlock()
	if ready != nil && !taken {
		ready.Close()
	}
}

// takePrepared is what was made ready for a grant; nil where nothing was.
func (s *Supervisor) takePrepared(spec Spec) Prepared {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.prepared[spec.Unit]
	if p == nil {
		return nil
	}
	delete(s.prepared, spec.Unit)
	p.over()
	if !p.done || !p.fits(spec) {
		return nil
	}
	p.taken = true
	return p.ready
}
