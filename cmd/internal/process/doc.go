// Package process is what the three processes have in common: their Settings (one worker properties file may be given
// to all of them, and each takes its part), their log, health, metrics, and how they end.
//
// Start at command.go; controlplane.go, gateway.go and executor.go compose each process with fx. The keys are in
// keys.go, and --help prints all of them.
package process
