//go:build integration

package compat

const characters = "FileStreamSource counts characters in Java where it counts bytes here, and goes on at the wrong place behind text that is not ASCII"

var three = []string{"1", "22", "333"}

// fileSources: what a FileStreamSource's lines become in a topic.
func fileSources() []pipeline {
	hoist, sent := "HoistField$Value field=line", -1
	cast := func(name, to, converter string) pipeline {
		return pipeline{name: "source-" + name, value: converter, smts: []string{"Cast$Value spec=" + to}, lines: []string{"1", "0", "7"}, records: sent}
	}
	return []pipeline{
		{name: "source", lines: []string{"a", "", "é😀 \"x\"\t\\"}, records: sent, differs: differs(characters, "committed")},
		{name: "source-json", key: schema, value: schema, lines: []string{"a", "é😀 \"x\"\t\\ \u2028 </>"}, records: sent, differs: differs(characters, "committed")},
		{name: "source-json-plain", value: plain, lines: three, records: sent},
		{name: "source-bytes", value: "ByteArrayConverter", lines: three, fails: true},
		{name: "source-bytes-skipped", value: "ByteArrayConverter", errors: "tolerance=all log.enable=true", lines: three, uncommitted: 3},
		cast("short", "int16", "ShortConverter"), cast("integer", "int32", "IntegerConverter"), cast("long", "int64", "LongConverter"), cast("float", "float32", "FloatConverter"),
		cast("double", "float64", "DoubleConverter"), cast("boolean", "boolean", "BooleanConverter"), cast("byte", "int8", schema), cast("string", "string", ""),
		{name: "source-wrong-type", value: "LongConverter", lines: three, fails: true},
		{name: "source-wrong-schema", value: "BooleanConverter", lines: three, fails: true},
		{name: "source-cast-fails", smts: []string{"Cast$Value spec=int32"}, lines: []string{"x", "2"}, fails: true},
		{name: "source-cast-fails-later", value: plain, smts: []string{"Cast$Value spec=int32"}, lines: []string{"1", "x", "2"}, fails: true, records: 1, less: 1,
			differs: differs("a batch is the unit of data: of a poll with a record that fails nothing is produced, and all of it comes again", "committed", "{p}.out", "out[0] key", "out[0] partition", "out[0] value")},
		{name: "source-cast-skips", value: plain, smts: []string{"Cast$Value spec=int32"}, errors: "tolerance=all", lines: []string{"1", "x", "2"}, records: 2},
		{name: "source-cast-skips-last", value: plain, smts: []string{"Cast$Value spec=int32"}, errors: "tolerance=all", lines: []string{"1", "x"}, records: 1, uncommitted: 1},
		{name: "source-filter-last", smts: []string{"RegexRouter regex=.* replacement={p}.out", "Filter predicate=p0"}, predicates: []string{"TopicNameMatches pattern=nope"}, lines: three, records: sent},
		{name: "source-filter-all", smts: []string{"Filter"}, lines: three, uncommitted: 3},
		{name: "source-struct", value: schema, smts: []string{hoist}, lines: three, records: sent},
		{name: "source-struct-text", smts: []string{hoist}, lines: three, records: sent},
		{name: "source-insert", value: plain, smts: []string{hoist, "InsertField$Value topic.field=t static.field=s static.value=x"}, lines: three, records: sent},
		{name: "source-insert-offset", value: plain, smts: []string{hoist, "InsertField$Value offset.field=o"}, lines: three, fails: true},
		{name: "source-keyed", key: plain, value: plain, smts: []string{hoist, "ValueToKey fields=line"}, lines: three, records: sent},
		{name: "source-keyed-schema", key: schema, value: schema, smts: []string{hoist, "ValueToKey fields=line", "ExtractField$Key field=line", "ExtractField$Value field=line"}, lines: three, records: sent},
		{name: "source-key-numbers", key: "LongConverter", smts: []string{hoist, "ValueToKey fields=line", "ExtractField$Key field=line", "Cast$Key spec=int64"}, lines: three, records: sent},
		{name: "source-key-map", key: plain, smts: []string{"HoistField$Key field=k", "InsertField$Key static.field=s static.value=v", "ReplaceField$Key exclude=k"}, lines: three, records: sent},
		{name: "source-tombstone-key", key: schema, smts: []string{"HoistField$Key field=k", "ExtractField$Key field=k"}, lines: three, records: sent},
		{name: "source-flatten", value: schema, smts: []string{"HoistField$Value field=a", "HoistField$Value field=b", "HoistField$Value field=c", "Flatten$Value"}, lines: three, records: sent},
		{name: "source-replace", value: schema, smts: []string{hoist, "InsertField$Value static.field=s static.value=x", "ReplaceField$Value include=line renames=line:text"}, lines: three, records: sent},
		{name: "source-mask", value: schema, smts: []string{hoist, "MaskField$Value fields=line"}, lines: three, records: sent},
		{name: "source-metadata", value: schema, smts: []string{hoist, "SetSchemaMetadata$Value schema.name=com.example.Line schema.version=2"}, lines: three, records: sent},
		{name: "source-timestamp", value: schema, smts: []string{"TimestampConverter$Value format=yyyy-MM-dd target.type=Timestamp"}, lines: []string{"2024-02-29", "1582-10-04"}, records: sent},
		{name: "source-date", value: schema, smts: []string{"TimestampConverter$Value format=yyyy-MM-dd target.type=Date"}, lines: []string{"2024-02-29", "1969-12-31"}, records: sent},
		{name: "source-time", value: plain, smts: []string{"TimestampConverter$Value format=HH:mm:ss.SSS target.type=Time"}, lines: []string{"12:34:56.789", "00:00:00.000"}, records: sent},
		{name: "source-insert-headers", smts: []string{"InsertHeader header=n value.literal=5", "InsertHeader header=t value.literal=text", "InsertHeader header=b value.literal=true", "InsertHeader header=f value.literal=1.5",
			`InsertHeader header=l value.literal=[1,2,3]`, `InsertHeader header=m value.literal={"a":1}`, "InsertHeader header=n value.literal=70000", "InsertHeader header=d value.literal=2024-02-29T12:00:00.000Z"}, lines: three, records: sent},
		{name: "source-json-headers", header: plain, smts: []string{"InsertHeader header=n value.literal=5", `InsertHeader header=l value.literal=["x"]`, "InsertHeader header=big value.literal=99999999999999999999"}, lines: three, records: sent},
		{name: "source-json-decimal", header: "JsonConverter decimal.format=NUMERIC", smts: []string{"InsertHeader header=big value.literal=99999999999999999999", "InsertHeader header=n value.literal=1"}, lines: three, records: sent},
		{name: "source-string-headers", header: "StringConverter", smts: []string{"InsertHeader header=n value.literal=5", "InsertHeader header=l value.literal=[1,2]"}, lines: three, records: sent},
		{name: "source-bad-headers", header: "IntegerConverter", smts: []string{"InsertHeader header=n value.literal=5"}, lines: three, fails: true},
		{name: "source-header-from", value: schema, smts: []string{hoist, "HeaderFrom$Value fields=line headers=h operation=copy"}, lines: three, records: sent},
		{name: "source-header-moved", value: plain, smts: []string{hoist, "InsertField$Value static.field=s static.value=x", "HeaderFrom$Value fields=line headers=h operation=move"}, lines: three, records: sent},
		{name: "source-drop-headers", smts: []string{"InsertHeader header=a value.literal=1", "InsertHeader header=b value.literal=2", "DropHeaders headers=a"}, lines: three, records: sent},
		{name: "source-filter-header", smts: []string{"InsertHeader header=a value.literal=1", "Filter predicate=p0"}, predicates: []string{"HasHeaderKey name=a"}, lines: three, uncommitted: 3},
		{name: "source-routed", smts: []string{"RegexRouter regex=(.*)[.]out replacement=$1.other"}, topics: "out other", lines: three, records: sent},
		{name: "source-routed-not", smts: []string{"RegexRouter regex=(.*)[.]out replacement=$1.other predicate=p0 negate=true"}, predicates: []string{"TopicNameMatches pattern=.*out"}, topics: "out other", lines: three, records: sent},
		{name: "source-routed-by-time", smts: []string{"TimestampRouter topic.format=${topic}er-${timestamp} timestamp.format='x'"}, topics: "outer-x", lines: three, records: sent},
		{name: "source-topic-created", more: "topic.creation.default.partitions=3 topic.creation.default.replication.factor=1 topic.creation.default.cleanup.policy=compact", key: "StringConverter", lines: three, records: sent,
			smts: []string{hoist, "ValueToKey fields=line", "ExtractField$Key field=line", "ExtractField$Value field=line"}},
		{name: "source-topic-groups", more: "topic.creation.groups=few,many topic.creation.few.include=.*few topic.creation.few.partitions=1 topic.creation.many.include=.*out topic.creation.many.exclude=.*few topic.creation.many.partitions=4 " +
			"topic.creation.default.partitions=2 topic.creation.default.replication.factor=1", smts: []string{hoist, "ValueToKey fields=line", "ExtractField$Key field=line", "ExtractField$Value field=line"}, lines: three, records: sent},
		{name: "source-no-such-name", smts: []string{"RegexRouter regex=.* replacement=not:a:name"}, lines: three, fails: true, differs: differs("the words of librdkafka", "trace")},
		{name: "source-paused", lines: three, records: sent, end: "PAUSED"},
		{name: "source-stopped", lines: three, records: sent, end: "STOPPED"},
	}
}

// countingSources: what a VerifiableSource's numbers become. It goes on: the first are compared.
func countingSources() []pipeline {
	count := func(name, key, value string, smts ...string) pipeline {
		return pipeline{name: "count-" + name, class: "VerifiableSource", key: key, value: value, smts: smts, more: "throughput=5", records: 5, first: 5}
	}
	whole := func(name, key, value string, smts ...string) pipeline {
		p := count(name, key, value, smts...)
		p.more += " complete.record.data=true"
		return p
	}
	return []pipeline{
		count("numbers", "IntegerConverter", "LongConverter"), count("text", "", ""), count("json", schema, schema),
		count("tombstones", "", "", "HoistField$Value field=n", "InsertField$Value timestamp.field=ts", "ExtractField$Value field=ts"),
		count("timestamps", plain, schema, "TimestampConverter$Value target.type=Timestamp"),
		count("formatted", plain, plain, "TimestampConverter$Value target.type=string format=yyyy-MM-dd'T'HH:mm:ss.SSS"),
		count("cast-key", "StringConverter", "FloatConverter", "Cast$Key spec=string", "Cast$Value spec=float32"),
		count("masked", plain, plain, "HoistField$Value field=n", "MaskField$Value fields=n replacement=7"),
		whole("records", schema, schema, "ReplaceField$Value exclude=time_ms,name,topic"),
		whole("records-text", "", "", "MaskField$Value fields=time_ms"),
		whole("records-headers", plain, plain, "HeaderFrom$Value fields=seqno,task headers=seqno,task operation=move", "ReplaceField$Value include=topic"),
		whole("records-keyed", schema, plain, "ValueToKey fields=seqno,task", "ReplaceField$Value include=task"),
		whole("records-metadata", schema, schema, "SetSchemaMetadata$Value schema.name=n", "ExtractField$Value field=seqno", "HoistField$Key field=id", "SetSchemaMetadata$Key schema.name=k schema.version=1"),
	}
}
