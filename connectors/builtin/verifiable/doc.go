// Package verifiable is Kafka's VerifiableSource and VerifiableSink: they count, and print a line of JSON
// on the standard output for each record that they send, see committed, receive and flush, so that a
// test can tell lost and repeated records from outside.
//
// The one idea: a record's number is its value. The source partition is {"id": task}, the offset
// {"seqno": n} of the record itself; a task resumes with n+1.
//
// Unlike Kafka's, the keys are declared, so that a config without a topic is refused instead of failing its
// tasks; "committed" is printed when the record's offset is committed (Kafka prints it when the record is
// acknowledged); and the order of names in a line is fixed.
package verifiable
