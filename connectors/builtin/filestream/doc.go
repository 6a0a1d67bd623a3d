// Package filestream is Kafka's FileStream connectors: lines of a file to a topic, and back.
//
// The one idea: the source's offset is the byte position of the next line. One task reads one file
// through one buffer of its own and copies each line once, into the batch; nothing is allocated per line.
// The sink collects whole lines and writes them with one append, so that tasks that share a file do not
// tear each other's lines.
//
// Unlike Kafka's Java connector, positions are bytes throughout. The Java connector counts UTF-16
// characters but restores by skipping bytes, so it goes wrong after the first character outside ASCII;
// for ASCII files the two agree and offsets carry over. Lines of a batch.size that are already read are
// emitted by the next Poll, where Java waits for the file to grow. Bytes that are not UTF-8 become U+FFFD.
//
// Promises: a line without its terminator is never emitted; no line is lost or repeated on resume from any
// committed offset, as long as the file is only appended to. Not promised: noticing that a file was
// replaced or truncated. Start reading in source.go; lines.go finds the lines.
package filestream
