// Package mirror copies connectors to connect-configs and their states to connect-status, exactly as Kafka Connect's
// workers write them: for the tools that read those topics, and so that a Kafka Connect cluster can be handed back. It
// is the unit system:mirror; and it writes the active topics of the executor's own tasks.
//
// The one idea: the topics are a copy and never read back as truth. At its start the mirror reads what they have, of
// that only what a reader without transactions would take for it too, and then writes what differs, in etcd's order,
// in transactions of an id of its own, so that of two mirrors Kafka itself stops the older. It tombstones only what the
// control plane says was deleted: what else is in the topics may be another's.
//
// It writes nothing while workers of a Kafka Connect cluster are members of the group group.id.
//
// book.go is what a topic has, copier.go makes records of changes and does no I/O, writer.go writes. Start with mirror.go.
package mirror
