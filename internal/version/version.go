// Package version says which Sluice this is, and which Kafka Connect's API it speaks.
package version

import "runtime/debug"

// Connect is the version of Kafka Connect whose REST API and topic formats Sluice speaks. Tools branch on it.
const Connect = "4.3.1"

// Version is Sluice's own, set by the linker at release.
var Version = "0.1.0-dev"

// commit is set by the linker, for builds without version control at hand.
var commit = ""

// Commit is the commit this was built from, or "unknown".
func Commit() string {
	if commit != "" {
		return commit
	}
	if bi, ok := debug.ReadBuildInfo(); ok {
		for _, s := range bi.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
