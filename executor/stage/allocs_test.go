package stage

import (
	"fmt"
	"testing"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/executor/kafkaio"
)

// three are the transforms that the benchmarks of whole processes run.
var three = []string{"transforms", "in,replace,time", "transforms.in.type", "InsertField$Value", "transforms.in.static.field", "site", "transforms.in.static.value", "x",
	"transforms.replace.type", "ReplaceField$Value", "transforms.replace.exclude", "name",
	"transforms.time.type", "TimestampConverter$Value", "transforms.time.field", "ts", "transforms.time.target.type", "string", "transforms.time.format", "yyyy-MM-dd"}

// strings100 is a batch of a thousand lines, as the file source makes them.
func strings100() *connectors.SourceBatch {
	b := connectors.NewSourceBatch(1000)
	part := b.Partition(map[string]any{"filename": "x"})
	for i := range 1000 {
		r := b.Add()
		r.Topic, r.Partition, r.Offset = "t", part, connectors.SourceOffset{Key: "position", Value: data.Int64(int64(i))}
		r.ValueSchema, r.Value = data.StringSchema, data.String(fmt.Sprintf("%0100d", i))
	}
	return b
}

// TestPaths_AllocationsPerBatch pins what a thousand records cost on their way through conversion and transforms, once memory is
// there that the next batch uses again: nothing for each record on any path. What is left is for a batch.
func TestPaths_AllocationsPerBatch(t *testing.T) {
	text := []string{"value.converter", "StringConverter"}
	plain := []string{"value.converter", "JsonConverter", "value.converter.schemas.enable", "false"}
	schemas := []string{"value.converter", "JsonConverter", "value.converter.schemas.enable", "true"}
	pairs := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	for _, c := range []struct {
		name                  string
		converter, transforms []string
		in                    *connectors.SourceBatch
		source, sink          float64 // allocations for a thousand records
	}{
		{"String", text, nil, strings100(), 0, 0},
		{"Json", plain, nil, structs(orderSchema), 0, 0},
		{"Json with schemas", schemas, nil, structs(orderSchema), 0, 0},
		{"Json, three transforms", plain, three, structs(orderSchema), 0, 0},
		{"Json with schemas, three transforms", schemas, three, structs(orderSchema), 0, 0},
	} {
		s := sourceOf(t, Policy{}, registry{}, pairs(c.converter, c.transforms)...)
		var out Outgoing
		convert := func() {
			if err := s.Convert(t.Context(), c.in, &out); err != nil || len(out.Messages) != 1000 {
				t.Fatalf("%s: %d messages, %v", c.name, len(out.Messages), err)
			}
		}
		for range 5 {
			convert() // until buffers are as large as they have to be
		}
		if n := testing.AllocsPerRun(5, convert); n > c.source {
			t.Errorf("source, %s: %.0f allocations for a thousand records, %.0f before", c.name, n, c.source)
		}
		// A sink reads what such a source without transforms has written.
		if err := sourceOf(t, Policy{}, registry{}, c.converter...).Convert(t.Context(), c.in, &out); err != nil {
			t.Fatal(err)
		}
		values := kafkaio.Batch{}
		for _, m := range out.Messages {
			values.Records = append(values.Records, kafkaio.Record{Topic: "t", Value: append([]byte{}, m.Value...)})
		}
		k := sinkOf(t, Policy{}, pairs(c.converter, c.transforms)...)
		var batch connectors.SinkBatch
		read := func() {
			if err := k.Convert(t.Context(), &values, false, &batch); err != nil || len(batch.Records) != 1000 {
				t.Fatalf("%s: %d records, %v", c.name, len(batch.Records), err)
			}
		}
		for range 5 {
			read()
		}
		if n := testing.AllocsPerRun(5, read); n > c.sink {
			t.Errorf("sink, %s: %.0f allocations for a thousand records, %.0f before", c.name, n, c.sink)
		}
	}
}
