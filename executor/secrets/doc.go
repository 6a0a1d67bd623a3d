// Package secrets resolves `${provider:[path:]key}` in configs and keeps what it resolved from getting out.
//
// The one idea: whoever resolves a config gets a Set with it, which knows every value that a reference came to. The
// Set goes where the resolved config goes, and what leaves the executor passes through it: Reverse for task configs,
// Scrub for texts, Error for errors, Logger for logs. So no resolved value reaches etcd, the control plane, a topic or
// a log, unless a connector writes it itself.
//
// The grammar is Kafka Connect's (ConfigTransformer): several references a value, with text between them; the second
// colon ends the path; what a reference comes to is not resolved again; one to an unknown provider, or to a key that is
// not there, stays as it is.
//
// Start with resolve.go, then set.go.
package secrets
