package stage

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/executor/kafkaio"
)

// The records and transforms of the benchmark of whole processes: integration/bench.

const words = "the quick brown fox jumps over a lazy dog while seven wise wizards mix vexing potions by the old river bank "

func benchObject(i int) string {
	head := fmt.Sprintf(`{"id":%08d,"level":"INFO","ts":%d,"price":%d.5,"ok":%t,"text":"`, 10_000_000+i, 1_760_000_000_000+int64(i), i%1000, i%2 == 0)
	at := i * 7 % len(words)
	return head + strings.Repeat(words, 3)[at:at+max(0, 98-len(head))] + `"}`
}

const benchSchema = `{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":false,"field":"level"},` +
	`{"type":"int64","optional":false,"field":"ts"},{"type":"double","optional":false,"field":"price"},{"type":"boolean","optional":false,"field":"ok"},` +
	`{"type":"string","optional":false,"field":"text"}],"optional":false}`

var (
	benchSinkSMTs = []string{"transforms", "insert,replace,time",
		"transforms.insert.type", "InsertField$Value", "transforms.insert.static.field", "site", "transforms.insert.static.value", "north",
		"transforms.replace.type", "ReplaceField$Value", "transforms.replace.exclude", "level", "transforms.replace.renames", "text:message",
		"transforms.time.type", "TimestampConverter$Value", "transforms.time.field", "ts", "transforms.time.format", "yyyy-MM-dd HH:mm:ss.SSS", "transforms.time.target.type", "string"}
	benchSourceSMTs = []string{"transforms", "hoist,insert,replace,time",
		"transforms.hoist.type", "HoistField$Value", "transforms.hoist.field", "line",
		"transforms.insert.type", "InsertField$Value", "transforms.insert.static.field", "at", "transforms.insert.static.value", "2026-11-24 12:00:00",
		"transforms.replace.type", "ReplaceField$Value", "transforms.replace.renames", "line:message",
		"transforms.time.type", "TimestampConverter$Value", "transforms.time.field", "at", "transforms.time.format", "yyyy-MM-dd HH:mm:ss", "transforms.time.target.type", "unix"}
)

// BenchmarkJSON is what a record costs between Kafka and a file: a sink's line of JSON, and a source's JSON of a line.
func BenchmarkJSON(b *testing.B) {
	const records = 2000
	for _, schemas := range []string{"false", "true"} {
		for _, smt := range []bool{false, true} {
			name := fmt.Sprintf("schemas=%s/smt=%t", schemas, smt)
			config := []string{"value.converter", "JsonConverter", "value.converter.schemas.enable", schemas}
			b.Run("sink/"+name, func(b *testing.B) {
				if smt {
					config = append(config[:4:4], benchSinkSMTs...)
				}
				s, in := sinkOf(b, Policy{}, config...), kafkaio.Batch{}
				for i := range records {
					v := benchObject(i)
					if schemas == "true" {
						v = `{"schema":` + benchSchema + `,"payload":` + v + `}`
					}
					in.Records = append(in.Records, kafkaio.Record{Topic: "t", Offset: int64(i), Value: []byte(v)})
				}
				var out connectors.SinkBatch
				var buf []byte
				b.ReportAllocs()
				for b.Loop() {
					if err := s.Convert(context.Background(), &in, false, &out); err != nil || len(out.Records) != records {
						b.Fatal(len(out.Records), err)
					}
					buf = buf[:0]
					for i := range out.Records {
						buf = append(converter.AppendTextOf(buf, out.Records[i].ValueSchema, out.Records[i].Value), '\n')
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
			})
			b.Run("source/"+name, func(b *testing.B) {
				if smt {
					config = append(config[:4:4], benchSourceSMTs...)
				}
				s, in := sourceOf(b, Policy{}, registry{}, config...), connectors.NewSourceBatch(records)
				part := in.Partition(map[string]any{"filename": "x"})
				for i := range records {
					r := in.Add()
					r.Topic, r.Partition, r.Offset = "t", part, connectors.SourceOffset{Key: "position", Value: data.Int64(int64(i))}
					r.ValueSchema, r.Value = data.StringSchema, data.String(fmt.Sprintf(`10.0.%d.%d - - [24/Nov/2026:12:%02d:%02d +0000] "GET /items/%08d HTTP/1.1" 200 the quick brown`, i>>8&255, i&255, i/60%60, i%60, i))
				}
				var out Outgoing
				b.ReportAllocs()
				for b.Loop() {
					if err := s.Convert(context.Background(), in, &out); err != nil || len(out.Messages) != records {
						b.Fatal(len(out.Messages), err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
			})
		}
	}
}
