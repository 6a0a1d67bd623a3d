// Package await is for tests that wait for a condition instead of for a time.
package await

import (
	"testing"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
)

// Patience is how long Until waits: far longer than anything takes on a machine that is busy with other things.
const Patience = 10 * time.Second

// Until returns once ok is true. The test fails, with what it waited for, where that takes longer than Patience.
func Until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	c := clock.Real()
	end := c.NewTimer(Patience)
	defer end.Stop()
	for !ok() {
		select {
		case <-end.C():
			tb.Fatalf("did not happen within %s: %s", Patience, what)
		case <-c.After(2 * time.Millisecond):
		}
	}
}
