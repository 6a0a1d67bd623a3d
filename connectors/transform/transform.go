package transform

import (
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/version"
)

// NoOffset is the offset of a record that is on its way to Kafka.
const NoOffset int64 = -1

// Record is what transforms and predicates see of a record.
type Record struct {
	Topic string
	// Partition is connectors.NoPartition where there is none.
	Partition int32
	// Timestamp is Unix milliseconds, or connectors.NoTimestamp.
	Timestamp int64
	// Offset is the record's in Kafka, for sinks; NoOffset for sources.
	Offset      int64
	KeySchema   *data.Schema
	Key         data.Value
	ValueSchema *data.Schema
	Value       data.Value
	// Headers may be replaced, never changed in place.
	Headers data.Headers
	// Dropped is set by a transform that filters the record.
	Dropped bool
	// Err is set by a transform that cannot take the record, which is then as it was.
	Err error
}

// Batch is the records that a transform is to transform: all of them.
type Batch struct {
	Records []*Record
	// Arena is where new values live: as long as the batch.
	Arena *data.Arena
}

// each calls f for each record, and keeps its error.
func (b *Batch) each(f func(*Record, *data.Arena) error) {
	for _, r := range b.Records {
		if err := f(r, b.Arena); err != nil {
			r.Err = err
		}
	}
}

// Transform transforms records.
type Transform interface {
	// Configure is called once, before anything else.
	Configure(config map[string]string) error
	// Apply transforms every record of the batch, drops it, or sets its Err.
	Apply(b *Batch)
}

// Info describes a transform to the runtime.
type Info struct {
	Class   string
	Aliases []string
	Version string
	// Summary says in a sentence what it does.
	Summary string
	Config  func() *configdef.Def
	New     func() Transform
}

const prefix = "org.apache.kafka.connect.transforms."

// Builtin are the transforms that are always there, by class.
func Builtin() []Info {
	var out []Info
	for _, l := range [][]Info{castInfos(), dropHeadersInfos(), extractFieldInfos(), filterInfos(), flattenInfos(), headerFromInfos(), hoistFieldInfos(),
		insertFieldInfos(), insertHeaderInfos(), maskFieldInfos(), regexRouterInfos(), replaceFieldInfos(), setSchemaMetadataInfos(), timestampConverterInfos(),
		timestampRouterInfos(), valueToKeyInfos()} {
		out = append(out, l...)
	}
	return out
}

// pair describes the two forms of a transform, for keys and for values.
func pair(name, summary string, def func() *configdef.Def, make func(side) Transform) []Info {
	return []Info{
		{Class: prefix + name + "$Key", Version: version.Connect, Summary: summary, Config: def, New: func() Transform { return make(true) }},
		{Class: prefix + name + "$Value", Version: version.Connect, Summary: summary, Config: def, New: func() Transform { return make(false) }},
	}
}

func one(name, summary string, def func() *configdef.Def, make func() Transform) []Info {
	return []Info{{Class: prefix + name, Aliases: []string{name}, Version: version.Connect, Summary: summary, Config: def, New: make}}
}

// side is what of a record is transformed: the key where it is true, else the value.
type side bool

func (s side) schema(r *Record) *data.Schema {
	if s {
		return r.KeySchema
	}
	return r.ValueSchema
}

func (s side) value(r *Record) data.Value {
	if s {
		return r.Key
	}
	return r.Value
}

func (s side) set(r *Record, schema *data.Schema, v data.Value) {
	if s {
		r.KeySchema, r.Key = schema, v
	} else {
		r.ValueSchema, r.Value = schema, v
	}
}

const (
	replaceNull    = "replace.null.with.default"
	replaceNullDoc = "Whether to replace fields that have a default value and that are null to the default value. When set to true, the default value is used, otherwise null is used."
)

func replaceNullKey() configdef.Key {
	return configdef.Key{Name: replaceNull, Type: configdef.Boolean, Default: configdef.Text("true"), Importance: configdef.Medium, Doc: replaceNullDoc}
}

// text is a STRING key.
func text(name string, def *string, importance configdef.Importance, doc string) configdef.Key {
	return configdef.Key{Name: name, Type: configdef.String, Default: def, Importance: importance, Doc: doc}
}

func required(k configdef.Key) configdef.Key { k.Required = true; return k }

func valid(k configdef.Key, v configdef.Validator) configdef.Key { k.Validator = v; return k }

// split is Java's String.split(":"): empty parts at the end are not there.
func split(s string) []string {
	if s == "" {
		return []string{""}
	}
	parts := strings.Split(s, ":")
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}
