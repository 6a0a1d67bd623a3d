// Package transform is Kafka Connect's transforms (SMTs): the interface, and all that Kafka 4.3 ships, each with
// its config definition to the letter.
//
// The one idea: a transform changes the records of a batch in place. What it makes lives in the batch's arena, so
// that a record costs no allocation; what it was given it never changes, since plugins and converters may hold it.
// What depends on a schema is compiled once for each schema that comes.
//
// A record that cannot be transformed gets an *Error, which carries the class of Java's exception, and is
// otherwise as it was; the runtime decides what becomes of it. The real classes' answers are recorded in testdata
// (integration/compat/oracle makes them) and replayed by the tests; what differs is in docs/transforms.md.
//
// Nothing here is safe for concurrent use: a transform belongs to one task.
package transform
