//go:build integration

package compat

// row is a value with a schema that most transforms have something to do with.
const rowFields = `{"field":"id","type":"int64"},{"field":"name","type":"string","optional":true},{"field":"when","type":"string"},{"field":"in","type":"struct","fields":[{"field":"x","type":"int32"},{"field":"y","type":"string"}]}`

func rowOf(payload string) string { return envelope(structOf(rowFields), payload) }

var (
	structs    = values(rowOf(`{"id":1,"name":"ann","when":"2024-02-29 12:30:00","in":{"x":1,"y":"a"}}`), rowOf(`{"id":2,"name":null,"when":"1999-12-31 23:59:59","in":{"x":2,"y":"b"}}`))
	schemaless = values(`{"id":1}`, `{"id":2}`)
)

// sinkTransforms: records that pass transforms and predicates on their way to a FileStreamSink.
func sinkTransforms() []pipeline {
	return []pipeline{
		{name: "cast-fields", value: schema, smts: []string{"Cast$Value spec=id:string"}, in: structs},
		{name: "cast-whole", smts: []string{"Cast$Value spec=float64"}, in: values("1.50", "2e3", "-0")},
		{name: "cast-map", value: plain, smts: []string{"Cast$Value spec=id:boolean"}, in: schemaless},
		{name: "extract", value: schema, smts: []string{"ExtractField$Value field=name"}, in: structs},
		{name: "extract-nested", value: schema, smts: []string{"ExtractField$Value field=in.y field.syntax.version=V2"}, in: structs},
		{name: "extract-missing", value: plain, smts: []string{"ExtractField$Value field=nope"}, in: schemaless},
		{name: "flatten", value: schema, smts: []string{"Flatten$Value delimiter=_"}, in: structs},
		{name: "flatten-map", value: plain, smts: []string{"Flatten$Value"}, in: values(`{"a":{"b":{"c":1}}}`)},
		{name: "hoist", smts: []string{"HoistField$Value field=line"}, in: values("a", nil)},
		{name: "insert", value: schema, smts: []string{"InsertField$Value topic.field=!t partition.field=p offset.field=?o static.field=s static.value=x"}, in: structs},
		{name: "insert-time", value: schema, smts: []string{"InsertField$Value timestamp.field=ts", "TimestampConverter$Value field=ts target.type=unix", "ExtractField$Value field=ts"}, in: structs},
		{name: "mask", value: schema, smts: []string{"MaskField$Value fields=id,name"}, in: structs},
		{name: "mask-replacement", value: schema, smts: []string{"MaskField$Value fields=name replacement=***"}, in: structs[:1]},
		{name: "replace-include", value: schema, smts: []string{"ReplaceField$Value include=id,name renames=id:nr"}, in: structs},
		{name: "replace-exclude", value: schema, smts: []string{"ReplaceField$Value exclude=in,when"}, in: structs},
		{name: "timestamp-unix", value: schema, smts: []string{"TimestampConverter$Value field=when format=yyyy-MM-dd'T'HH:mm target.type=string", "ExtractField$Value field=when"},
			in: values(envelope(structOf(`{"field":"when","type":"int64","name":"org.apache.kafka.connect.data.Timestamp","version":1}`), `{"when":1700000000123}`))},
		{name: "timestamp-parsed", smts: []string{"TimestampConverter$Value format=dd/MM/yyyy target.type=unix unix.precision=seconds"}, in: values("29/02/2024", "31/12/1969")},
		{name: "schema-metadata", value: schema, smts: []string{"SetSchemaMetadata$Value schema.name=other schema.version=3"}, in: structs},
		{name: "value-to-key", value: schema, class: "VerifiableSink", smts: []string{"ValueToKey fields=id", "ExtractField$Key field=id", "ExtractField$Value field=name"}, in: structs},
		{name: "filter-all", smts: []string{"Filter"}, in: values("a", "b")},
		{name: "filter-tombstones", smts: []string{"Filter predicate=p0"}, predicates: []string{"RecordIsTombstone"}, in: values("a", nil, "b")},
		{name: "filter-all-but-tombstones", smts: []string{"Filter predicate=p0 negate=true"}, predicates: []string{"RecordIsTombstone"}, in: values("a", nil, "b")},
		{name: "filter-header", smts: []string{"Filter predicate=p0"}, predicates: []string{"HasHeaderKey name=drop"}, in: []msg{rec("k", "a", "drop", "1"), rec("k", "b"), rec("k", "c", "Drop", "1")}},
		{name: "filter-header-negated", smts: []string{"Filter predicate=p0 negate=true"}, predicates: []string{"HasHeaderKey name=keep"}, in: []msg{rec("k", "a", "keep", nil), rec("k", "b")}},
		{name: "drop-headers", smts: []string{"DropHeaders headers=drop,more", "Filter predicate=p0"}, predicates: []string{"HasHeaderKey name=drop"}, in: []msg{rec("k", "a", "drop", "1"), rec("k", "b")}},
		{name: "insert-header", smts: []string{"InsertHeader header=h value.literal=5", "Filter predicate=p0 negate=true"}, predicates: []string{"HasHeaderKey name=h"}, in: values("a")},
		{name: "header-from", value: plain, smts: []string{"HeaderFrom$Value fields=id headers=nr operation=move", "Filter predicate=p0 negate=true"}, predicates: []string{"HasHeaderKey name=nr"}, in: schemaless},
		{name: "route-and-match", smts: []string{"RegexRouter regex=(.*)[.]in replacement=routed-$1", "Filter predicate=p0 negate=true"}, predicates: []string{"TopicNameMatches pattern=routed-.*"}, in: values("a")},
		{name: "route-by-time", class: "VerifiableSink", smts: []string{"TimestampRouter topic.format=${topic}/${timestamp} timestamp.format=yyyyMMdd-HHmm"}, in: values("a")},
		{name: "two-topics", more: "topics={p}.in,{p}.other", smts: []string{"Filter predicate=p0"}, predicates: []string{"TopicNameMatches pattern=.*other"}, in: []msg{rec("k", "a"), {Topic: "other", Partition: -1, Value: []byte("b")}}},
	}
}

// keyTransforms: the forms for keys, as a VerifiableSink prints what it is given.
func keyTransforms() []pipeline {
	key := func(name string, smts ...string) pipeline {
		return pipeline{name: name, class: "VerifiableSink", key: plain, smts: smts, in: keys(`{"id":1,"s":"2024-01-01","in":{"x":1}}`, `{"id":2,"s":"1970-01-01","in":{"x":null}}`)}
	}
	return []pipeline{
		key("key-cast", "Cast$Key spec=id:string"), key("key-extract", "ExtractField$Key field=id"), key("key-flatten", "Flatten$Key delimiter=_", "ExtractField$Key field=in_x"),
		key("key-hoist", "HoistField$Key field=h", "ExtractField$Key field=h", "ExtractField$Key field=s"), key("key-insert", "InsertField$Key static.field=f static.value=v", "ExtractField$Key field=f"),
		key("key-mask", "MaskField$Key fields=s replacement=x", "ExtractField$Key field=s"), key("key-replace", "ReplaceField$Key exclude=s,in"), key("key-timestamp", "TimestampConverter$Key field=s format=yyyy-MM-dd target.type=unix", "ExtractField$Key field=s"),
		key("key-header-from", "HeaderFrom$Key fields=s,in headers=a,b operation=move"),
		{name: "key-metadata", class: "VerifiableSink", key: schema, smts: []string{"SetSchemaMetadata$Key schema.name=n", "ExtractField$Key field=a"}, in: keys(envelope(structOf(`{"field":"a","type":"int32"}`), `{"a":7}`))},
	}
}

// failingTransforms: records that a transform cannot take go to the queue, and the others to the sink.
func failingTransforms() []pipeline {
	to := func(name, value string, records int, smt string, in ...any) pipeline {
		return pipeline{name: name, value: value, smts: []string{smt}, errors: "tolerance=all dlq+", in: values(in...), records: records}
	}
	toKey := func(name string, smt string, in ...any) pipeline {
		return pipeline{name: name, key: plain, smts: []string{smt}, errors: "tolerance=all dlq+", in: keys(in...), records: len(in)}
	}
	one := rowOf(`{"id":1,"name":"ann","when":"2024-02-29 12:30:00","in":{"x":1,"y":"a"}}`)
	fails := to("fails-cast-stops", "", 1, "Cast$Value spec=int32", "x")
	fails.errors, fails.fails = "dlq+", true
	untold := to("fails-untold", "", 0, "Cast$Value spec=int32", "1", "x")
	untold.errors, untold.fails = "", true
	return []pipeline{
		fails, untold,
		to("fails-cast", "", 4, "Cast$Value spec=int8", "x", "128", "7", "1.5", ""),
		to("fails-cast-boolean", "", 0, "Cast$Value spec=boolean", "x", "TRUE"),
		to("fails-cast-float", "", 2, "Cast$Value spec=float32", "x", "1.5", "1,5"),
		to("fails-cast-field", schema, 1, "Cast$Value spec=name:int32", one),
		to("fails-cast-type", schema, 1, "Cast$Value spec=in:int32", one),
		to("fails-cast-map", plain, 2, "Cast$Value spec=a:int32", `{"a":"x"}`, `{"a":[1]}`, `{"a":"5"}`),
		to("fails-extract", plain, 3, "ExtractField$Value field=a", `"text"`, `[1]`, `5`, `{"a":1}`),
		to("fails-extract-schema", schema, 2, "ExtractField$Value field=a", one, envelope(`{"type":"string"}`, `"x"`)),
		to("fails-flatten", plain, 1, "Flatten$Value", `"text"`, `{"a":{"b":1}}`),
		to("fails-flatten-schema", schema, 1, "Flatten$Value", envelope(`{"type":"int32"}`, `5`)),
		to("fails-header-from", plain, 2, "HeaderFrom$Value fields=a headers=b operation=copy", `"text"`, `null`),
		to("fails-insert", plain, 2, "InsertField$Value static.field=f static.value=v", `"text"`, `[1]`, `null`),
		to("fails-insert-string", "", 1, "InsertField$Value static.field=f static.value=v", "text"),
		to("fails-mask", plain, 2, "MaskField$Value fields=a replacement=x", `"text"`, `{"a":true}`),
		to("fails-mask-schema", schema, 1, "MaskField$Value fields=in", one),
		to("fails-mask-number", plain, 1, "MaskField$Value fields=a replacement=x", `{"a":5}`),
		to("fails-replace", plain, 1, "ReplaceField$Value exclude=a", `"text"`, `{"a":1}`),
		to("fails-metadata", plain, 1, "SetSchemaMetadata$Value schema.name=n", `{"a":1}`),
		to("fails-timestamp", "", 2, "TimestampConverter$Value format=yyyy-MM-dd target.type=unix", "soon", "", "2024-01-01"),
		to("fails-timestamp-field", plain, 2, "TimestampConverter$Value field=a format=yyyy-MM-dd target.type=Date", `{"a":true}`, `"x"`),
		to("fails-value-to-key", plain, 1, "ValueToKey fields=a", `"text"`, `{"b":1}`),
		to("fails-value-to-key-schema", schema, 2, "ValueToKey fields=nope", one, envelope(`{"type":"int32"}`, `5`)),
		toKey("fails-key-extract", "ExtractField$Key field=a", `"k"`), toKey("fails-key-cast", "Cast$Key spec=int32", `"k"`), toKey("fails-key-insert", "InsertField$Key static.field=f static.value=v", `1`),
		toKey("fails-key-metadata", "SetSchemaMetadata$Key schema.name=n", `1`), toKey("fails-key-flatten", "Flatten$Key", `1`), toKey("fails-key-replace", "ReplaceField$Key include=a", `[]`),
		toKey("fails-key-mask", "MaskField$Key fields=a", `true`), toKey("fails-key-timestamp", "TimestampConverter$Key target.type=unix", `true`), toKey("fails-key-header-from", "HeaderFrom$Key fields=a headers=b operation=move", `1`),
		{name: "fails-only-where-picked", value: plain, smts: []string{"ExtractField$Value field=a predicate=p0"}, predicates: []string{"HasHeaderKey name=x"}, errors: "tolerance=all dlq+",
			in: []msg{rec("k", `"text"`), rec("k", `"text"`, "x", "1")}, records: 1},
		{name: "fails-in-the-second", value: plain, smts: []string{"HoistField$Value field=a", "ExtractField$Value field=a", "ExtractField$Value field=b"}, errors: "tolerance=all dlq+", in: values(`5`, `{"b":6}`), records: 1},
	}
}
