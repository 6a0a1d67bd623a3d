//go:build integration

package compat

import "slices"

const (
	plain  = "JsonConverter schemas.enable=false"
	schema = "JsonConverter"
)

// pipelines is the table.
func pipelines() []pipeline {
	return slices.Concat(sinkConverters(), sinkErrors(), sinkTransforms(), keyTransforms(), failingTransforms(), fileSources(), countingSources())
}

// envelope is a JsonConverter's message with its schema.
func envelope(schema, payload string) string {
	return `{"schema":` + schema + `,"payload":` + payload + `}`
}

func structOf(fields string) string {
	return `{"type":"struct","optional":false,"name":"row","fields":[` + fields + `]}`
}

// sinkConverters: what converters make of what they read, as a FileStreamSink writes it.
func sinkConverters() []pipeline {
	return []pipeline{
		{name: "string", in: values("one", "", nil, "é😀 \t\"x\"", []byte{'a', 0xff, 0xc3, 'b'})},
		{name: "three-partitions", partitions: 3, in: values("a", "b", "c", "d", "e", "f", "g", "h")},
		{name: "boolean", value: "BooleanConverter", in: values([]byte{0}, []byte{1}, nil)},
		{name: "short", value: "ShortConverter", in: values([]byte{0, 7}, []byte{0x80, 0}, nil)},
		{name: "integer", value: "IntegerConverter", in: values([]byte{0, 0, 0, 7}, []byte{0x80, 0, 0, 0}, nil)},
		{name: "long", value: "LongConverter", in: values([]byte{0, 0, 0, 0, 0, 0, 0, 7}, []byte{0x80, 0, 0, 0, 0, 0, 0, 0}, nil)},
		{name: "float", value: "FloatConverter", in: values([]byte{0x3f, 0xc0, 0, 0}, []byte{0x7f, 0x80, 0, 0}, []byte{0x4b, 0x18, 0x96, 0x80}, nil)},
		{name: "double", value: "DoubleConverter", in: values([]byte{0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a}, []byte{0x7f, 0xf8, 0, 0, 0, 0, 0, 0}, nil)},
		{name: "bytes", value: "ByteArrayConverter", in: values(nil)},
		{name: "bytes-printed", value: "ByteArrayConverter", in: values("abc"), differs: map[string]string{"file": "text of an array of bytes is an address in Java"}},
		{name: "json", value: plain, in: values(`{"a":1}`, `[1,2.5,"x",true,null]`, `"text"`, `17`, `1e2`, `true`, `null`, nil, `{}`, `[]`, ` {"a" : {"b":[{"c":"d"}]}} `, `123456789012345678901234567890`)},
		{name: "json-schema", value: schema, in: values(
			envelope(structOf(`{"field":"i","type":"int32","optional":false},{"field":"s","type":"string","optional":true}`), `{"i":1,"s":"x"}`),
			envelope(structOf(`{"field":"i","type":"int32","optional":false},{"field":"s","type":"string","optional":true}`), `{"i":2,"s":null}`),
			envelope(`{"type":"string","optional":false}`, `"bare"`), envelope(`{"type":"array","items":{"type":"int64"}}`, `[1,2,3]`),
			envelope(`{"type":"map","keys":{"type":"string"},"values":{"type":"double"}}`, `{"k":1.5}`), envelope(`null`, `{"free":1}`), nil)},
		{name: "json-schema-types", value: schema, in: values(envelope(structOf(`{"field":"a","type":"int8"},{"field":"b","type":"int16"},{"field":"c","type":"int64"},{"field":"d","type":"float"},`+
			`{"field":"e","type":"double"},{"field":"f","type":"boolean"},{"field":"g","type":"array","items":{"type":"string","optional":true}}`), `{"a":1,"b":2,"c":3,"d":0.1,"e":1e300,"f":true,"g":["x",null]}`))},
		{name: "json-default", value: schema, in: values(envelope(structOf(`{"field":"i","type":"int32","optional":true,"default":7}`), `{"i":null}`))},
		{name: "json-default-kept", value: "JsonConverter replace.null.with.default=false", in: values(envelope(structOf(`{"field":"i","type":"int32","optional":true,"default":7}`), `{"i":null}`))},
		{name: "json-decimal", value: schema, in: values(
			envelope(structOf(`{"field":"d","type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}}`), `{"d":"MDk="}`),
			envelope(structOf(`{"field":"d","type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}}`), `{"d":123.45}`))},
		{name: "json-small-cache", value: "JsonConverter schemas.cache.size=1", in: values(envelope(`{"type":"int32"}`, `1`), envelope(`{"type":"string"}`, `"x"`), envelope(`{"type":"int32"}`, `2`))},
		{name: "json-content", value: `JsonConverter schema.content={"type":"struct","fields":[{"field":"a","type":"int32"}]}`, in: values(`{"a":1}`, nil)},
		{name: "worker-converters", more: "value.converter.schemas.enable=false", in: values(`{"a":1}`)},
		{name: "no-input", class: "FileStreamSink", more: "topics={p}.nowhere"},
		{name: "regex", more: "topics= topics.regex={p}[.](in|other)", in: values("a", "b"), partitions: 1},
		{name: "sink-paused", end: "PAUSED", in: values("a")},
		{name: "sink-stopped", end: "STOPPED", in: values("a")},
		{name: "keys-long", class: "VerifiableSink", key: "LongConverter", in: keys([]byte{0, 0, 0, 0, 0, 0, 0, 9}, nil)},
		{name: "keys-boolean", class: "VerifiableSink", key: "BooleanConverter", value: "IntegerConverter", in: []msg{rec([]byte{1}, []byte{0, 0, 0, 5}), rec(nil, nil)}},
		{name: "keys-json", class: "VerifiableSink", key: plain, value: plain, in: []msg{rec(`1`, `2`), rec(`"a"`, `"b"`), rec(`true`, `[1,2]`), rec(`1.5`, `null`), rec(nil, nil)}},
	}
}

// sinkErrors: what becomes of records that converters cannot take.
func sinkErrors() []pipeline {
	broken := values(`{"a":1}`, `{"a":`, `nope`, `{"a":1}x`, ``, `[1,2`, `"\x"`, `{"a" 1}`, `{a:1}`, `[1,,2]`, `01`, `"open`, `{"a":1e}`, []byte{0xff, 0xfe, 'x'}, `tru`, `{"a":1,}`, "\"a\tb\"", `'a'`, `-`, `NaN`)
	return []pipeline{
		{name: "broken-json", value: plain, errors: "tolerance=all dlq+", in: broken, records: 16},
		{name: "broken-json-skipped", value: plain, errors: "tolerance=all", in: values(`1`, `{`, `2`)},
		{name: "broken-json-fails", value: plain, in: values(`1`, `{`, `2`), fails: true},
		{name: "broken-json-fails-to-queue", value: plain, errors: "tolerance=none dlq+", in: values(`1`, `{`, `2`), fails: true, records: 1},
		{name: "broken-json-bare-queue", value: plain, errors: "tolerance=all dlq", in: []msg{rec("k", `{`, "h", "1", "h", nil, "", ""), rec(nil, `{`)}, records: 2},
		{name: "broken-json-logged", value: plain, errors: "tolerance=all log.enable=true log.include.messages=true", in: values(`{`, `2`)},
		{name: "broken-json-retries", value: plain, errors: "tolerance=all dlq+ retry.timeout=60000 retry.delay.max.ms=1000", in: values(`{`, `2`), records: 1},
		{name: "no-envelope", value: schema, errors: "tolerance=all dlq+", in: values(`{"a":1}`, `1`, `{"schema":null}`, `{"schema":null,"payload":1,"more":2}`, ``, `[]`, `null`), records: 7},
		{name: "bad-schema", value: schema, errors: "tolerance=all dlq+", in: values(envelope(`{"type":"nope"}`, `1`), envelope(`{}`, `1`), envelope(`{"type":1}`, `1`), envelope(`{"type":"array"}`, `[]`),
			envelope(`{"type":"map"}`, `{}`), envelope(`{"type":"map","keys":{"type":"string"}}`, `{}`), envelope(`{"type":"struct"}`, `{}`), envelope(`{"type":"struct","fields":[{"type":"int32"}]}`, `{"a":1}`),
			envelope(`{"type":"struct","fields":[1]}`, `{}`), envelope(`{"type":"int32","version":"x"}`, `1`), envelope(`{"type":"int32","parameters":1}`, `1`), envelope(`{"type":"int32","parameters":{"a":1}}`, `1`), envelope(`1`, `1`)), records: 11},
		{name: "bad-payload", value: schema, errors: "tolerance=all dlq+", in: values(envelope(`{"type":"int32"}`, `null`), envelope(structOf(`{"field":"a","type":"int32"}`), `{}`), envelope(structOf(`{"field":"a","type":"int32"}`), `1`),
			envelope(`{"type":"array","items":{"type":"int32"}}`, `{}`), envelope(`{"type":"map","keys":{"type":"string"},"values":{"type":"int32"}}`, `[]`), envelope(`{"type":"bytes"}`, `"!"`)), records: 5},
		{name: "bad-boolean", value: "BooleanConverter", errors: "tolerance=all dlq+", in: values([]byte{2}, "", "ab", []byte{0xff}), records: 4},
		{name: "bad-short", value: "ShortConverter", errors: "tolerance=all dlq+", in: values("", "abc"), records: 2},
		{name: "bad-integer", value: "IntegerConverter", errors: "tolerance=all dlq+", in: values("", "abc"), records: 2},
		{name: "bad-long", value: "LongConverter", errors: "tolerance=all dlq+", in: values("", "abc"), records: 2},
		{name: "bad-float", value: "FloatConverter", errors: "tolerance=all dlq+", in: values("", "abc"), records: 2},
		{name: "bad-double", value: "DoubleConverter", errors: "tolerance=all dlq+", in: values("", "abc"), records: 2},
		{name: "bad-key", key: plain, errors: "tolerance=all dlq+", in: keys(`{`, `1`, nil), records: 1},
		{name: "bad-key-and-value", key: plain, value: plain, errors: "tolerance=all dlq+", in: []msg{rec(`{`, `[`), rec(`1`, `[`), rec(`{`, `1`), rec(nil, nil)}, records: 3},
		{name: "bad-key-fails", key: "IntegerConverter", in: keys("x"), fails: true},
		{name: "bad-header", header: plain, errors: "tolerance=all dlq+", in: []msg{rec("k", "v", "h", `{`), rec("k", "w", "h", `1`), rec("k", "x", "h", nil)}, records: 1},
		{name: "bad-header-fails", header: "LongConverter", in: []msg{rec("k", "v", "h", "x")}, fails: true},
		{name: "queue-of-a-queue", value: plain, errors: "tolerance=all dlq+", in: []msg{rec("k", `{`, "__connect.errors.topic", "was", "mine", "1")}, records: 1},
		{name: "queue-unused", value: plain, errors: "tolerance=all dlq+", in: values(`1`), records: 0},
	}
}
