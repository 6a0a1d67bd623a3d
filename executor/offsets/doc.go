// Package offsets keeps source offsets: in Kafka's connect-offsets topic, or in a file for standalone
// mode. Both hold the records of Kafka Connect, so that a cluster can be taken over and handed back.
//
// The one idea: the topic is the truth and memory is only a reading of it. A reading says when it began,
// and a caller says how old an answer may be; a task that starts asks for one no older than itself,
// which holds everything that earlier holders of its source partitions committed, since a unit is
// granted only when they are quiet. Readings are shared: everyone who waits while one is under way gets
// the next. Memory holds only connectors that somebody on this executor holds (Hold).
//
// Promises. Promise 1: Write returns nil only when every entry is acknowledged. Promise 2: a write is
// refused where the caller's right has less left than the producer's message timeout, and that timeout is
// below the margin, so that no queued write outlives the right. An entry goes to the key bytes that the
// topic already has for its partition, whatever their order; a null offset tombstones all of them.
//
// A connector may have a topic of its own (Own, from a Pool); an exactly-once source writes its offsets itself, in its
// transactions (Transactional).
//
// Start with Store; kafka.go, read.go and write.go are the topic, file.go and java.go the file. All types
// are safe for concurrent use.
package offsets
