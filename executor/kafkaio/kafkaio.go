package kafkaio

// Client is the configuration of a client in Java's keys: bootstrap.servers, security.protocol, acks…
type Client map[string]string

// Role is what a client is for; the same Java key may mean different things.
type Role uint8

// The roles of clients.
const (
	RoleProducer Role = iota
	RoleConsumer
	RoleAdmin
)

func (r Role) String() string { return [...]string{"producer", "consumer", "admin"}[r] }

// Header is a record's header. A nil Value is null.
type Header struct {
	Key   string
	Value []byte
}

// Message is a record to produce. Its memory is copied by Produce.
type Message struct {
	Topic string
	// Partition is the partition; -1 lets the partitioner choose (murmur2 of the key, as Java's).
	Partition int32
	// Key and Value are null where they are nil.
	Key, Value []byte
	Headers    []Header
	// Timestamp is in ms since 1970; -1 is now.
	Timestamp int64
	// Seq comes back in the message's Report.
	Seq uint64
}

// Report says what became of a message.
type Report struct {
	Seq       uint64
	Partition int32
	// Offset is -1 where Err is set or acks=0.
	Offset int64
	Err    error
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Record is a record that was consumed. Bytes are valid until the next Poll; strings for ever.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	// Timestamp is in ms since 1970; -1 where there is none.
	Timestamp int64
	// TimestampType is 0 for none, 1 for create time, 2 for log append time.
	TimestampType uint8
	// Key and Value are nil where they are null.
	Key, Value []byte
	Headers    []Header
}

// Batch is what one Poll brought. It is reused.
type Batch struct {
	Records []Record
	buf     []byte
	headers []Header
}
