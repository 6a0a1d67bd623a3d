// Package await is for tests that wait for a condition instead of for a time.
package await

import (
	"testing"
	"time"
)

// Patience is how long Until waits: far longer than anything takes on a machine that is busy with other things.
const Patience = 30 * time.Second

// Until returns once ok is true. The test fails, with what it waited for, where that takes longer than Patience.
func Until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(Patience)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("did not happen within %s: %s", Patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
