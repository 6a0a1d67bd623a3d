// Package mirror copies the states of connectors and tasks to connect-status, in Kafka Connect's format, for the
// tools that read that topic. It is the unit system:mirror; and it writes the active topics of the executor's own tasks.
//
// The one idea: the topic is a copy and never read back as truth. The copy begins with what differs, goes on with every
// change in etcd's order, and is written in transactions of an id of its own, so that of two mirrors Kafka
// itself stops the older.
//
// It writes nothing while workers of a Kafka Connect cluster are members of the group group.id. Start with mirror.go.
package mirror
