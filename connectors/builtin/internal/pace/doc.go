// Package pace is how builtin sources wait: the SDK has no clock, so the waits are here, over an
// injected one, and every one of them ends with its context.
package pace
