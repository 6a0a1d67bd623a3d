package bench

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// The directions of jobs.
const (
	Source = "file-kafka"
	Sink   = "kafka-file"
	// Through is a source and a sink, one behind the other.
	Through = "file-kafka-file"
	// Table is a sink whose records arrive in a table of PostgreSQL: Debezium's JDBC sink on Kafka Connect beside Sluice's.
	Table = "kafka-jdbc"
)

// The formats of the records in Kafka.
const (
	String      = "string"
	JSON        = "json"
	JSONSchemas = "json-schemas"
)

// Kind is what a job measures. Throughput has none in its name; the others' names begin with theirs.
type Kind string

// The kinds.
const (
	Throughput Kind = ""
	// Idle: connectors that have nothing to do are created one after another; then a window in which nothing happens.
	Idle Kind = "idle"
	// Latency: lines with the time of their writing, at 1,000 a second.
	Latency Kind = "latency"
	// Start: from the start of the processes to the first answer. Running: from POST to RUNNING.
	Start   Kind = "control/start"
	Running Kind = "control/running"
	// StallSink and StallBroker: memory while nobody takes what a sink writes, and while the broker stands still.
	StallSink   Kind = "stall/sink"
	StallBroker Kind = "stall/broker"
)

// Job is one row of a table: what both sides are asked to do.
type Job struct {
	Kind      Kind
	Direction string
	Format    string
	// Size is of a record's value in bytes: the line of a file, the JSON object in Kafka without what JsonConverter puts around it.
	Size int
	// Records arrive in a round: at each connector's end for throughput, in the window of a latency. Of Idle and Running, the
	// connectors that are created.
	Records int
	// Untuned is without Tuning: both sides as published.
	Untuned bool
	// Tasks is how many run at once: connectors of a task each for sources, tasks of one connector for sinks.
	Tasks int
	// SMTs has three transforms on each record.
	SMTs bool
	// Alone is Sluice without Kafka Connect, which would need a heap that nobody gives it, or does not come to an end.
	Alone bool
	// Unnest has Debezium's JDBC sink write a batch with one statement of arrays, as Sluice's does, instead of batched inserts.
	Unnest bool
	// Compression is of the batches in Kafka; empty for none.
	Compression string
}

// Name is what JOBS matches.
func (j *Job) Name() string {
	switch j.Kind {
	case Throughput:
	case Idle:
		return fmt.Sprintf("idle/%s/%d", j.Direction, j.Records)
	case Latency:
		return "latency/" + j.Direction
	default:
		return string(j.Kind)
	}
	name := fmt.Sprintf("%s/%s/%d", j.Direction, j.Format, j.Size)
	if j.Untuned {
		name += "/untuned"
	}
	if j.SMTs {
		name += "/smt"
	}
	if j.Compression != "" {
		name += "/" + j.Compression
	}
	if j.Unnest {
		name += "/unnest"
	}
	if j.Tasks > 1 {
		name += fmt.Sprintf("/tasks-%d", j.Tasks)
	}
	return name
}

// Raw says whether librdkafka alone does the job too.
func (j *Job) Raw() bool {
	return j.Kind == Throughput && j.Format == String && j.Tasks == 1 && j.Compression == "" && !j.Untuned
}

// recordsOf is how many records of a size make a round of some seconds.
var recordsOf = []struct{ size, records int }{{100, 2_000_000}, {1024, 400_000}, {10_240, 50_000}}

// Jobs are all whose names match, in the order of the page.
func Jobs(match *regexp.Regexp) (out []Job) {
	for _, direction := range []string{Source, Sink} {
		for _, format := range []string{String, JSON, JSONSchemas} {
			for _, r := range recordsOf {
				j := Job{Direction: direction, Format: format, Size: r.size, Records: r.records, Tasks: 1}
				out = append(out, j)
				if r.size != 100 {
					continue
				}
				untuned, smts := j, j
				untuned.Untuned, smts.SMTs = true, format != String
				out = append(out, untuned)
				if smts.SMTs {
					out = append(out, smts)
					continue
				}
				for _, c := range []string{"lz4", "zstd"} {
					compressed := j
					compressed.Compression = c
					out = append(out, compressed)
				}
				for _, n := range []int{8, 64} {
					many := j
					many.Tasks = n
					out = append(out, many)
				}
			}
		}
	}
	for _, unnest := range []bool{false, true} {
		out = append(out, Job{Direction: Table, Format: JSONSchemas, Size: 100, Records: 400_000, Tasks: 8, Unnest: unnest})
	}
	for _, direction := range []string{Source, Sink} {
		out = append(out, Job{Kind: Idle, Direction: direction, Records: 1000})
	}
	out = append(out, Job{Kind: Idle, Direction: Source, Records: 10_000, Alone: true})
	for _, direction := range []string{Source, Sink, Through} {
		out = append(out, Job{Kind: Latency, Direction: direction, Format: String, Size: 100, Records: 20_000, Untuned: true})
	}
	out = append(out, Job{Kind: Start, Records: 1}, Job{Kind: Running, Records: 10})
	out = append(out, Job{Kind: StallSink, Direction: Sink, Format: String, Size: 100, Records: 10_000_000, Tasks: 1},
		// Alone: with Kafka Connect the run never ended, its connector UNASSIGNED after the broker's minute.
		Job{Kind: StallBroker, Direction: Source, Format: String, Size: 100, Records: 10_000_000, Tasks: 1, Alone: true})
	return slices.DeleteFunc(out, func(j Job) bool { return !match.MatchString(j.Name()) })
}

// converters are a connector's keys for a format.
func converters(format string) map[string]string {
	out := map[string]string{"key.converter": "org.apache.kafka.connect.storage.StringConverter"}
	if format == String {
		out["value.converter"] = "org.apache.kafka.connect.storage.StringConverter"
		return out
	}
	out["value.converter"] = "org.apache.kafka.connect.json.JsonConverter"
	out["value.converter.schemas.enable"] = fmt.Sprint(format == JSONSchemas)
	return out
}

// Tuning is what users who want throughput give their connectors, and both sides are given.
var Tuning = map[string]map[string]string{
	Source: {"producer.override.batch.size": "262144", "producer.override.linger.ms": "20", "producer.override.buffer.memory": "67108864"},
	Sink:   {"consumer.override.max.poll.records": "2000", "consumer.override.fetch.min.bytes": "100000", "consumer.override.max.partition.fetch.bytes": "4194304"},
}

// transforms are the three of SMTs. A line of a file is no record with fields: there, a HoistField makes it one, before them.
var transforms = map[string]map[string]string{
	Source: {"transforms": "hoist,insert,replace,time",
		"transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value", "transforms.hoist.field": "line",
		"transforms.insert.type": "org.apache.kafka.connect.transforms.InsertField$Value", "transforms.insert.static.field": "at", "transforms.insert.static.value": "2026-11-24 12:00:00",
		"transforms.replace.type": "org.apache.kafka.connect.transforms.ReplaceField$Value", "transforms.replace.renames": "line:message",
		"transforms.time.type": "org.apache.kafka.connect.transforms.TimestampConverter$Value", "transforms.time.field": "at", "transforms.time.format": "yyyy-MM-dd HH:mm:ss", "transforms.time.target.type": "unix"},
	Sink: {"transforms": "insert,replace,time",
		"transforms.insert.type": "org.apache.kafka.connect.transforms.InsertField$Value", "transforms.insert.static.field": "site", "transforms.insert.static.value": "north",
		"transforms.replace.type": "org.apache.kafka.connect.transforms.ReplaceField$Value", "transforms.replace.exclude": "level", "transforms.replace.renames": "text:message",
		"transforms.time.type": "org.apache.kafka.connect.transforms.TimestampConverter$Value", "transforms.time.field": "ts", "transforms.time.format": "yyyy-MM-dd HH:mm:ss.SSS", "transforms.time.target.type": "string"},
}

// Config is a connector's, the same on both sides.
func (j *Job) Config(direction, topic, file string) map[string]string {
	out := map[string]string{}
	if j.Format != "" {
		out = converters(j.Format)
	}
	if j.Kind == Throughput && !j.Untuned || j.Kind == StallSink || j.Kind == StallBroker {
		maps.Copy(out, Tuning[direction])
	}
	if j.SMTs {
		maps.Copy(out, transforms[direction])
	}
	out["tasks.max"], out["file"] = "1", file
	if direction == Source {
		out["connector.class"], out["topic"] = "org.apache.kafka.connect.file.FileStreamSourceConnector", topic
		if j.Compression != "" {
			out["producer.override.compression.type"] = j.Compression
		}
		return out
	}
	if j.Tasks > 1 {
		out["tasks.max"] = fmt.Sprint(j.Tasks)
	}
	out["connector.class"], out["topics"] = "org.apache.kafka.connect.file.FileStreamSinkConnector", topic
	return out
}
