package connectors

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
)

// Type says which way a connector moves records.
type Type uint8

// The types of connectors.
const (
	Source Type = iota + 1
	Sink
)

// Plugin describes a connector to the runtime. Exactly one of NewSource and NewSink is set, as Type says.
type Plugin struct {
	// Class is the name that connector.class gives, for well-known connectors the Java class.
	Class string
	// Aliases are other names, case-sensitive.
	Aliases []string
	Version string
	Type    Type
	// Config is the connector's config definition, without the framework's keys.
	Config func() *configdef.Def
	// EmbedsFramework says that the definition begins with the framework's keys, as the plain definition has
	// them: answers then show these in the place of what the worker fills in. Some Java connectors are so.
	EmbedsFramework bool
	// Refusal says why no connector of this class is made, where it is there for its definition only.
	Refusal   string
	NewSource func() SourceConnector
	NewSink   func() SinkConnector
}

// ConnectorContext is what a connector may ask of the runtime. Safe for concurrent use.
type ConnectorContext interface {
	Logger() *slog.Logger
	// RequestTaskReconfiguration has TaskConfigs called again.
	RequestTaskReconfiguration()
	// RaiseError fails the connector.
	RaiseError(err error)
}

// SourceConnector plans the tasks of a source. Methods are called one at a time.
type SourceConnector interface {
	// Start is called before anything else, with the resolved config.
	Start(ctx context.Context, cc ConnectorContext, config map[string]string) error
	// TaskConfigs splits the work over at most maxTasks tasks.
	TaskConfigs(ctx context.Context, maxTasks int) ([]map[string]string, error)
	// Stop ends what Start began. It is called also after a failed Start.
	Stop(ctx context.Context) error
	// NewTask makes a task; it may be called without Start.
	NewTask() SourceTask
}

// SinkConnector plans the tasks of a sink. As SourceConnector.
type SinkConnector interface {
	Start(ctx context.Context, cc ConnectorContext, config map[string]string) error
	TaskConfigs(ctx context.Context, maxTasks int) ([]map[string]string, error)
	Stop(ctx context.Context) error
	NewTask() SinkTask
}

// Validator replaces the validation by the config definition: a connector that implements it answers
// for every key of its own.
type Validator interface {
	Validate(ctx context.Context, config map[string]string) []configdef.Value
}

// SourceOffsetChange is what is to become of the offset of one source partition. A nil Partition is the null partition,
// a nil Offset forgets it. Whole numbers are int64, others float64.
type SourceOffsetChange struct{ Partition, Offset map[string]any }

// SourceOffsetsAlterer is a SourceConnector that is asked before a user changes its offsets, with all that are to
// change. It may be called without Start, and again for the same change. An error refuses the change, with its own
// words for the user; errors.ErrUnsupported says that offsets cannot be changed from outside. complete says that the
// connector keeps none elsewhere, or has altered those too. Kafka Connect's alterOffsets; without it, complete is false.
type SourceOffsetsAlterer interface {
	AlterOffsets(ctx context.Context, config map[string]string, changes []SourceOffsetChange) (complete bool, err error)
}

// SinkOffsetsAlterer is SourceOffsetsAlterer for a SinkConnector. A nil offset forgets it.
type SinkOffsetsAlterer interface {
	AlterOffsets(ctx context.Context, config map[string]string, offsets map[TopicPartition]*int64) (complete bool, err error)
}

// Checker adds to what the config definition says: what spans several keys. It runs after the definition,
// whatever that found. fail adds a message to a key.
type Checker interface {
	Check(config map[string]string, fail func(key, message string))
}

// ExactlyOnceSource is a source connector that knows whether it can provide exactly-once with a config, for
// the check of exactly.once.support=required. It may be called without Start.
type ExactlyOnceSource interface {
	SupportsExactlyOnce(config map[string]string) bool
}

// SourceTaskContext is what a source task may ask of the runtime.
type SourceTaskContext interface {
	Logger() *slog.Logger
	// Offsets returns the committed offsets of source partitions, nil for each without one. Numbers are
	// int64 or float64.
	Offsets(ctx context.Context, partitions []map[string]any) ([]map[string]any, error)
}

// SourceTask reads records of the outer system.
type SourceTask interface {
	Start(ctx context.Context, tc SourceTaskContext, config map[string]string) error
	// Poll appends up to b.Room() records to b. It may wait for data until ctx ends: the runtime ends it
	// to stop, pause or suspend. To return with none means that there is nothing now. A source that has nothing for long
	// returns with none now and then: one that does not for a minute is shown as STALLED, since it cannot be told from
	// one that hangs.
	Poll(ctx context.Context, b *SourceBatch) error
	Stop(ctx context.Context) error
}

// SourceCommitter is told that the offsets of records that it returned have been committed.
type SourceCommitter interface {
	Commit(ctx context.Context) error
}

// TopicPartition is one partition of a Kafka topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// SinkTaskContext is what a sink task may ask of the runtime, from the calls of the task only.
type SinkTaskContext interface {
	Logger() *slog.Logger
	// Assignment are the partitions that the task has now.
	Assignment() []TopicPartition
	// Seek has the next record of a partition be that one.
	Seek(tp TopicPartition, offset int64)
	// Pause stops and Resume restarts the records of partitions.
	Pause(tps ...TopicPartition)
	Resume(tps ...TopicPartition)
	// Retry says how long to wait before a batch that failed with a Retriable error comes again.
	Retry(after time.Duration)
	// RequestCommit has offsets committed at the next occasion.
	RequestCommit()
	// Reporter takes single records that cannot be put. It is nil, as Kafka Connect's, unless the config has
	// errors.deadletterqueue.topic.name or errors.log.enable=true: then the task fails on such a record.
	Reporter() ErrantRecordReporter
}

// SinkTask writes records to the outer system.
type SinkTask interface {
	Start(ctx context.Context, tc SinkTaskContext, config map[string]string) error
	// Put takes a batch, which is valid during the call only. Empty batches do come. A Retriable error has
	// the same batch come again.
	Put(ctx context.Context, b *SinkBatch) error
	Stop(ctx context.Context) error
}

// PreCommitter decides which offsets may be committed: at most those given.
type PreCommitter interface {
	PreCommit(ctx context.Context, offsets map[TopicPartition]int64) (map[TopicPartition]int64, error)
}

// Flusher makes everything durable that was put up to those offsets. For tasks without PreCommit.
type Flusher interface {
	Flush(ctx context.Context, offsets map[TopicPartition]int64) error
}

// PartitionListener is told which partitions come and go.
type PartitionListener interface {
	Open(ctx context.Context, tps []TopicPartition) error
	Close(ctx context.Context, tps []TopicPartition) error
}

// No timestamp and no partition.
const (
	NoTimestamp int64 = -1
	NoPartition int32 = -1
)

// PartitionRef is a source partition, interned in a batch. The zero ref is the null partition.
type PartitionRef uint32

// SourceOffset is where a source goes on after a record. With a Key it is the offset {Key: Value};
// without, Value is a MAP of several keys, or null.
type SourceOffset struct {
	Key   string
	Value data.Value
}

// SourceRecord is one record for Kafka.
type SourceRecord struct {
	Partition PartitionRef
	Offset    SourceOffset
	Topic     string
	// KafkaPartition is NoPartition where the partitioner chooses.
	KafkaPartition int32
	KeySchema      *data.Schema
	Key            data.Value
	ValueSchema    *data.Schema
	Value          data.Value
	Headers        data.Headers
	// Timestamp is Unix milliseconds, or NoTimestamp.
	Timestamp int64
}

// SinkRecord is one record of Kafka.
type SinkRecord struct {
	Topic     string
	Partition int32
	Offset    int64
	// Timestamp is Unix milliseconds, or NoTimestamp.
	Timestamp int64
	// TimestampType is 0 none, 1 create time, 2 log append time.
	TimestampType uint8
	KeySchema     *data.Schema
	Key           data.Value
	ValueSchema   *data.Schema
	Value         data.Value
	Headers       data.Headers
}

// SinkBatch is what one Put gets.
type SinkBatch struct{ Records []SinkRecord }

// RetriableError marks an error after which the same call may succeed.
type RetriableError struct{ Err error }

func (e *RetriableError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RetriableError) Unwrap() error { return e.Err }

// Retriable marks an error as worth another try. Retriable(nil) is nil.
func Retriable(err error) error {
	if err == nil {
		return nil
	}
	return &RetriableError{err}
}

// IsRetriable says whether err was marked by Retriable.
func IsRetriable(err error) bool {
	var r *RetriableError
	return errors.As(err, &r)
}
