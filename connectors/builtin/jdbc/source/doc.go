// Package source is the JDBC source connector, which takes the configs of Confluent's and Aiven's.
//
// The one idea: a table is read by one query that goes on behind an offset, in the order of its columns, and whose rows are
// streamed: a Poll takes the next rows of the open result, and nothing is buffered between polls but one row. What was
// read is known by the offset alone, so that a query that breaks off is simply made again.
//
// The connector lists tables now and then and asks for another plan where they have changed; a task has some of the
// tables and takes them in turn. Source partitions and offsets are the Java connectors', also their older forms, so that
// a connector that was moved goes on where it was.
//
// Promises: no row whose columns grow as the mode says is passed over; one whose timestamp is equal to that of the last
// row that was read is read again after a restart, in mode timestamp. Not promised: rows that become visible with a
// smaller number or timestamp than one that was read are not seen: timestamp.delay.interval.ms waits for them. Start
// reading in task.go; query.go is one table.
package source
