// Package lease is the arithmetic of sessions and rights (DESIGN 4), once, for both sides: the
// executor reckons when its right ends, the control plane when a session has lapsed, and neither can
// drift from the other.
package lease

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-project/sluice/internal/fault"
)

// Epoch is the fencing token of one grant of one unit: the restore counter of the cluster and the
// create revision of the assignment's key. Unique in the cluster, through delete and recreate.
type Epoch struct {
	Era      uint64
	Revision int64
}

// IsZero says that no grant is meant.
func (e Epoch) IsZero() bool { return e == Epoch{} }

// Compare is -1, 0 or 1: eras first, then revisions.
func (e Epoch) Compare(o Epoch) int {
	switch {
	case e.Era != o.Era && e.Era < o.Era, e.Era == o.Era && e.Revision < o.Revision:
		return -1
	case e == o:
		return 0
	default:
		return 1
	}
}

// String is era.revision, for logs and status.
func (e Epoch) String() string { return fmt.Sprintf("%d.%d", e.Era, e.Revision) }

// Times are the periods of a session. All replicas and executors of a cluster use the same.
type Times struct {
	// TTL is how long a right lasts after the sending of the last acknowledged heartbeat. Default 10 s.
	TTL time.Duration
	// Margin is what the etcd lease lives longer than the right. Default 5 s.
	Margin time.Duration
}

// DefaultTimes are 10 s and 5 s.
func DefaultTimes() Times { return Times{TTL: 10 * time.Second, Margin: 5 * time.Second} }

// Heartbeat is the time between two heartbeats: a third of the TTL.
func (t Times) Heartbeat() time.Duration { return t.TTL / 3 }

// Lease is the life of the session's etcd lease: TTL plus margin.
func (t Times) Lease() time.Duration {
	if fault.Out(fault.Margin) {
		return t.TTL
	}
	return t.TTL + t.Margin
}

// Validate reports every fault at once.
func (t Times) Validate() error {
	var errs []error
	if t.TTL < time.Second {
		errs = append(errs, fmt.Errorf("session.ttl.ms: %s is too short: at least 1s", t.TTL))
	}
	if t.Margin < time.Second || t.Margin%time.Second != 0 || t.TTL%time.Second != 0 {
		errs = append(errs, fmt.Errorf("session.ttl.ms and session.margin.ms: %s and %s must be whole seconds, at least 1s", t.TTL, t.Margin))
	}
	return errors.Join(errs...)
}

// Right says until when an executor may act on its units. The zero Right has ended. Not safe for
// concurrent use.
type Right struct {
	times Times
	// Of the last acknowledged heartbeat: boot and wall time at which it was sent, and the boot time at which
	// what it gives ends.
	sentBoot time.Duration
	sentWall time.Time
	ends     time.Duration
	held     bool
}

// NewRight returns a right that has not begun.
func NewRight(t Times) Right { return Right{times: t} }

// Acknowledged extends the right: sent and wall are the boot and the wall time at which the heartbeat that
// is now acknowledged was sent. An answer to an older heartbeat changes nothing.
func (r *Right) Acknowledged(sent time.Duration, wall time.Time) {
	if e := sent + r.times.TTL; e > r.ends {
		r.sentBoot, r.sentWall, r.ends, r.held = sent, wall, e, true
	}
}

// Running says whether the right runs now: see Left.
func (r *Right) Running(boot time.Duration, wall time.Time) bool {
	return r.Left(boot, wall) > 0
}

// Left is how long the right still runs; 0 where it has ended. It has ended, until a newer heartbeat is
// acknowledged, where wall time has run more than half the margin ahead of boot time since the last
// acknowledged one was sent (DESIGN 4.3): the machine's clocks cannot be trusted then. That is reckoned from
// the sending, as the right is: the machine may have stood still before it read the answer.
func (r *Right) Left(boot time.Duration, wall time.Time) time.Duration {
	if !r.held || boot >= r.ends {
		return 0
	}
	if wall.Round(0).Sub(r.sentWall.Round(0))-(boot-r.sentBoot) > r.times.Margin/2 {
		r.held = false
		return 0
	}
	return r.ends - boot
}

// End takes the right away, as at the end of a session.
func (r *Right) End() { r.held, r.ends = false, 0 }
