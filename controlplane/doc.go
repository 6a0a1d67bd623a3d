// Package controlplane composes one replica of the control plane: the store, the election, the
// reconciler (which works while this replica leads), the executors' sessions, commands, and the API, all
// behind one gRPC server.
//
// A replica holds nothing that the store does not: any number of them run side by side, executors and
// users may talk to any, and the death of one loses nothing. New builds, Start starts, Stop says goodbye,
// Kill does not. Module is the same for fx.
package controlplane
