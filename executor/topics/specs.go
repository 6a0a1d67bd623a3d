package topics

// Spec is how an internal topic is to look. The fields are those of kafkaio.TopicSpec.
type Spec struct {
	// Name is the topic.
	Name string
	// Partitions is their number; -1 is the broker's default.
	Partitions int32
	// Replication is the replication factor; -1 is the broker's default.
	Replication int16
	// Config holds the topic's configs: the user's, and cleanup.policy=compact always.
	Config map[string]string
}

// The numbers of partitions that Kafka Connect uses where nothing else is set.
const (
	OffsetsPartitions = 25
	StatusPartitions  = 5
	ConfigPartitions  = 1
)

func compacted(name string, partitions int32, replication int16, extra map[string]string) Spec {
	c := make(map[string]string, len(extra)+1)
	for k, v := range extra {
		c[k] = v
	}
	c["cleanup.policy"] = "compact"
	return Spec{Name: name, Partitions: partitions, Replication: replication, Config: c}
}

// OffsetsSpec is the topic of source offsets. 0 partitions mean 25.
func OffsetsSpec(name string, partitions int32, replication int16, extra map[string]string) Spec {
	if partitions == 0 {
		partitions = OffsetsPartitions
	}
	return compacted(name, partitions, replication, extra)
}

// StatusSpec is the topic of states. 0 partitions mean 5.
func StatusSpec(name string, partitions int32, replication int16, extra map[string]string) Spec {
	if partitions == 0 {
		partitions = StatusPartitions
	}
	return compacted(name, partitions, replication, extra)
}

// ConfigsSpec is the topic of configs: one partition always, as its order is its meaning.
func ConfigsSpec(name string, replication int16, extra map[string]string) Spec {
	return compacted(name, ConfigPartitions, replication, extra)
}
