// Package sink is the JDBC sink connector, which takes the configs of Confluent's and Aiven's.
//
// The one idea: a batch is written in one transaction, by statements of many rows; when the database refuses rows of it
// for what is in them, the batch is halved until each bad record stands alone, is reported, and the others are written. So
// a bad record costs the logarithm of the batch, and no good one is lost.
//
// Records of a table are grouped into runs of one shape (their schemas, and whether they delete), in their order. Of rows
// of a run with the same key the last is written, which comes to the same: a statement may not change a row twice.
//
// Promises: what Put has returned for is committed in the database; a record whose Put failed as a whole comes again.
// With insert.mode=upsert and a primary key that is the record's, it then changes nothing. Start reading in task.go;
// shape.go says what a record's row is, table.go what the table must have, write.go writes.
package sink
