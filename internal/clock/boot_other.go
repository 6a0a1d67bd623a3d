//go:build !linux

package clock

import "time"

var processStart = time.Now()

func bootTime() time.Duration { return time.Since(processStart) }
