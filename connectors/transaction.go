package connectors

// TransactionDefiner is a SourceConnector whose tasks can say where transactions end with a config, for
// transaction.boundary=connector: Kafka Connect's canDefineTransactionBoundaries. It may be called without Start.
type TransactionDefiner interface {
	DefinesTransactions(config map[string]string) bool
}

// TransactionContext lets a task of an exactly-once source say where transactions end. What is asked for while a Poll is
// under way is about the batch of that Poll, and else about that of the next one. To ask for a commit and an abort at
// the same place fails the task. Safe for concurrent use.
//
// After an abort the offsets of the aborted records are committed all the same, in a transaction of their own: they do
// not come again.
type TransactionContext interface {
	// Commit commits after the batch, also where it is empty.
	Commit()
	// CommitAfter commits after the batch's record i: b.Records[i], also where a transform drops it.
	CommitAfter(i int)
	// Abort drops the records since the last commit, after the batch.
	Abort()
	// AbortAfter drops them after the batch's record i.
	AbortAfter(i int)
}

// Transactions is the task's TransactionContext; nil where the task does not run exactly once with
// transaction.boundary=connector.
func Transactions(tc SourceTaskContext) TransactionContext {
	if c, ok := tc.(interface{ Transactions() TransactionContext }); ok {
		return c.Transactions()
	}
	return nil
}
