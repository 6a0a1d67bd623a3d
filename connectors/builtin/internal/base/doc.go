// Package base is what the builtin connectors have in common: a connector that checks its config and
// hands it to each of its tasks.
package base
