package bench

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The directions of jobs.
const (
	Source = "file-kafka"
	Sink   = "kafka-file"
)

// The formats of the records in Kafka.
const (
	String      = "string"
	JSON        = "json"
	JSONSchemas = "json-schemas"
)

// Job is one row of the table: what both sides are asked to do.
type Job struct {
	Direction string
	Format    string
	// Size is of a record's value in bytes: the line of a file, the JSON object in Kafka without what JsonConverter puts around it.
	Size int
	// Records arrive in a round.
	Records int
	// Untuned is without Tuning: both sides as published.
	Untuned bool
}

// Name is what JOBS matches.
func (j *Job) Name() string {
	name := fmt.Sprintf("%s/%s/%d", j.Direction, j.Format, j.Size)
	if j.Untuned {
		name += "/untuned"
	}
	return name
}

// recordsOf is how many records of a size make a round of some seconds.
var recordsOf = []struct{ size, records int }{{100, 2_000_000}, {1024, 400_000}, {10_240, 50_000}}

// Jobs are all whose names match.
func Jobs(match *regexp.Regexp) (out []Job) {
	for _, direction := range []string{Source, Sink} {
		for _, format := range []string{String, JSON, JSONSchemas} {
			for _, r := range recordsOf {
				out = append(out, Job{Direction: direction, Format: format, Size: r.size, Records: r.records})
			}
		}
		out = append(out, Job{Direction: direction, Format: String, Size: 100, Records: recordsOf[0].records, Untuned: true})
	}
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

// Config is the connector's, the same on both sides.
func (j *Job) Config(topic, file string) map[string]string {
	out := converters(j.Format)
	if !j.Untuned {
		maps.Copy(out, Tuning[j.Direction])
	}
	out["tasks.max"], out["file"] = "1", file
	if j.Direction == Source {
		out["connector.class"], out["topic"] = "org.apache.kafka.connect.file.FileStreamSourceConnector", topic
	} else {
		out["connector.class"], out["topics"] = "org.apache.kafka.connect.file.FileStreamSinkConnector", topic
	}
	return out
}

// words fill records up to their size.
const words = "the quick brown fox jumps over a lazy dog while seven wise wizards mix vexing potions by the old river bank "

// filler is n bytes of words that begin somewhere else for each i.
func filler(i, n int) string {
	at := i * 7 % len(words)
	return strings.Repeat(words, n/len(words)+2)[at : at+n]
}

// Line is record i of a text file, without its end: a web server's log.
func Line(i, size int) string {
	head := fmt.Sprintf(`10.%d.%d.%d - - [24/Nov/2026:12:%02d:%02d +0000] "GET /items/%08d HTTP/1.1" 200 `, i>>16&255, i>>8&255, i&255, i/60%60, i%60, i)
	return head + filler(i, max(0, size-len(head)))
}

// Object is record i as a JSON object.
func Object(i, size int) string {
	head := fmt.Sprintf(`{"id":%08d,"level":"INFO","ts":%d,"price":%d.5,"ok":%t,"text":"`, 10_000_000+i, 1_760_000_000_000+int64(i), i%1000, i%2 == 0)
	return head + filler(i, max(0, size-len(head)-2)) + `"}`
}

const schemaOfObject = `{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":false,"field":"level"},` +
	`{"type":"int64","optional":false,"field":"ts"},{"type":"double","optional":false,"field":"price"},{"type":"boolean","optional":false,"field":"ok"},` +
	`{"type":"string","optional":false,"field":"text"}],"optional":false}`

// Value is record i as the topic of a sink has it.
func (j *Job) Value(i int) string {
	switch j.Format {
	case JSON:
		return Object(i, j.Size)
	case JSONSchemas:
		return `{"schema":` + schemaOfObject + `,"payload":` + Object(i, j.Size) + `}`
	default:
		return Line(i, j.Size)
	}
}
