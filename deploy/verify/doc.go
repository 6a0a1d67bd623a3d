// Package verify keeps deploy/ from rotting: its tests render the base and every overlay, validate them against
// Kubernetes' schemas, and check them against the real binaries, which are asked for their keys (--help) and started
// with the very arguments, variables and files that the manifests give them.
//
// The one idea: what a manifest says about a process is checked against the process, never against a list kept here.
// Start at check_test.go. The tests have the build tag verify, as they need tools; `make verify` builds those and sets,
// as absolute paths,
//
//	KUSTOMIZE            the kustomize binary
//	KUBERNETES_VALIDATE  the kubernetes-validate program
//	SLUICE_BIN           the directory of Sluice's binaries
package verify
