package restart

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluice-project/sluice/connectors"
)

// Next is what follows a failure.
type Next struct {
	// Class is that of the error.
	Class connectors.ErrorClass
	// Attempt is how many attempts have been used, with the next one where there is one, of Attempts.
	Attempt, Attempts int
	// Again says that there is one, after Delay; otherwise Reason says why not.
	Again  bool
	Delay  time.Duration
	Reason string
}

// Tally counts the attempts of one unit. The zero Tally has all attempts left.
type Tally struct{ used int }

// Failed takes a failure into account. ran is how long the unit had been running, 0 where it never did; random is at
// least 0 and below 1, and spreads the attempts of many units that failed together.
func (t *Tally) Failed(p Policy, class connectors.ErrorClass, ran time.Duration, random float64) Next {
	if ran >= p.Healthy {
		t.used = 0
	}
	n := Next{Class: class, Attempt: t.used, Attempts: p.Attempts}
	switch {
	case !slices.Contains(p.On, class):
		n.Reason = fmt.Sprintf("errors of the class %s are not in %s=%s", class, On, names(p.On))
		return n
	case t.used >= p.Attempts:
		n.Reason = fmt.Sprintf("all attempts are used (%s=%d)", Attempts, p.Attempts)
		return n
	}
	wait := p.Delay
	for range t.used {
		if wait *= 2; wait >= p.DelayMax {
			break
		}
	}
	wait = min(wait, p.DelayMax)
	n.Delay = wait - time.Duration(random*float64(wait)/2)
	t.used++
	n.Attempt, n.Again = t.used, true
	return n
}
