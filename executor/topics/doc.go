// Package topics holds the wire formats of Kafka Connect's internal topics: connect-offsets,
// connect-status and connect-configs. It encodes and decodes; it reads and writes no Kafka.
//
// The one idea: bytes matter only where Java compares bytes, and that is the key of an offset. Java
// looks an offset up by the exact bytes of its key, whose JSON object has the order of the Java map
// that the connector handed over. So a reader keeps the key bytes that it found (Canonical says which
// keys mean the same partition), and a key that was never seen is written in the order of a Java
// HashMap, which is what Kafka Connect's own REST API and its map-based connectors write.
//
// The functions are pure and safe for concurrent use. They promise that what Kafka Connect wrote is
// read, and that what they write is byte for byte what Kafka Connect would have written.
package topics
