package rest

import "github.com/sluice-project/sluice/gateway/rest/openapi"

// The schemas of what decode.go and offsets.go read, beside the code that answers errors. A test has both read the same.
var (
	errorSchema = openapi.Ref("Error")
	// pathText is a name in a path: none is empty.
	pathText = &openapi.Schema{Type: "string", MinLength: 1}

	// badRequestBody is Jetty's.
	badRequestBody = &openapi.Schema{Type: "object", Description: "The answer to a Content-Type that is no media type.", Required: []string{"message", "url", "status"},
		Properties: openapi.Properties{{Name: "message", Schema: openapi.Text("")}, {Name: "url", Schema: openapi.Text("")}, {Name: "status", Schema: openapi.Text("")}}}

	// scalarBody is a value of a config: what is no string counts as its text.
	scalarBody = &openapi.Schema{AnyOf: []*openapi.Schema{{Type: "string", Nullable: true}, {Type: "number"}, {Type: "boolean"}}}

	configBody = &openapi.Schema{Type: "object", Description: "A config, flat. Numbers and booleans count as their text.", Additional: scalarBody, Example: exampleConfig}

	// exampleConfig is a connector that runs anywhere, and ends by itself.
	exampleConfig = map[string]string{"connector.class": "Datagen", "topic": "numbers", "max.records": "1000", "tasks.max": "2"}

	createBody = &openapi.Schema{Type: "object", Required: []string{"name", "config"}, Closed: true,
		Example: map[string]any{"name": "numbers", "config": exampleConfig, "initial_state": "PAUSED"}, Properties: openapi.Properties{
			{Name: "name", Schema: &openapi.Schema{Description: "The name, trimmed. Not empty, without control characters.",
				AnyOf: []*openapi.Schema{{Type: "string", MinLength: 1}, {Type: "number"}, {Type: "boolean"}}}},
			{Name: "config", Schema: openapi.Ref("Config")},
			{Name: "initial_state", Schema: &openapi.Schema{Type: "string", Nullable: true, Enum: []string{"RUNNING", "PAUSED", "STOPPED"}, Description: "The first target state, in any case; RUNNING where there is none."}},
		}}

	offsetsRequest = &openapi.Schema{Type: "object", Required: []string{"offsets"}, Closed: true,
		Example: map[string]any{"offsets": []any{map[string]any{"partition": map[string]any{"task": 0}, "offset": map[string]any{"sequence": 10}}}}, Properties: openapi.Properties{
			{Name: "offsets", Schema: &openapi.Schema{Type: "array", MinItems: 1, Description: "What is altered. Of equal partitions the last counts.",
				Items: &openapi.Schema{Type: "object", Closed: true, Properties: openapi.Properties{
					{Name: "partition", Schema: &openapi.Schema{Type: "object", Nullable: true, Description: "A sink's has kafka_topic and kafka_partition."}},
					{Name: "offset", Schema: &openapi.Schema{Type: "object", Nullable: true, Description: "A sink's has kafka_offset; null forgets the partition's offset."}},
				}}}},
		}}

	levelBody = &openapi.Schema{Type: "object", Required: []string{"level"}, Additional: scalarBody, Properties: openapi.Properties{
		{Name: "level", Schema: &openapi.Schema{Type: "string", Enum: []string{"OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL"}, Description: "In any case."}},
	}}
)
