// Package s3 writes topics into objects of S3, or of what speaks its protocol: io.confluent.connect.s3.S3SinkConnector
// and io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector, with the keys and meanings of their documentation.
//
// The one idea: which records share a file follows from the records alone. A topic's partition has open files (writer.go);
// they are cut all at once, by what the records since the last cut say, and what follows a cut depends on nothing before
// it. Only offsets of cuts whose files are uploaded are committed. So a task that begins again at a committed offset makes
// the same objects with the same names, and a record is in exactly one. What the wall clock cuts is at least once.
//
// The task (task.go) owns the writers, bounds their memory, and uploads what was cut before its Put returns: while the
// store is slow or away, no more records are taken. Package format knows files, package store uploads.
//
// Start with writer.go, then task.go; keys.go and aiven.go have the configs, which become one settings.
package s3
