package connectors_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/connectors"
)

func TestSourceBatch_WhatWasCopiedStaysUntilReset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := connectors.NewSourceBatch(1)
		for range rapid.IntRange(1, 3).Draw(t, "polls") {
			var want, got [][]byte
			for i, n := range rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 2000), rapid.IntRange(0, 600<<10)), 0, 40).Draw(t, "sizes") {
				p := bytes.Repeat([]byte{byte(i)}, n)
				want, got = append(want, p), append(got, b.CopyBytes(p))
			}
			for i := range want {
				if !bytes.Equal(got[i], want[i]) || cap(got[i]) != len(want[i]) {
					t.Fatalf("copy %d of %d bytes is not what was copied, or others can be reached by it", i, len(want[i]))
				}
			}
			b.Reset()
		}
	})
}

// A task that polls as much as FileStreamSource does at most makes no garbage of it.
func TestSourceBatch_CopiesOfAPollCostNoAllocation(t *testing.T) {
	b := connectors.NewSourceBatch(1)
	for name, size := range map[string]int{"short": 100, "long": 10 << 10} {
		line := make([]byte, size)
		poll := func() {
			b.Reset()
			for n := 0; n < 4<<20; n += size {
				b.CopyBytes(line)
			}
		}
		poll()
		if n := testing.AllocsPerRun(10, poll); n > 0 {
			t.Errorf("%s: %.0f allocations in a poll of 4 MiB, want none", name, n)
		}
	}
}
