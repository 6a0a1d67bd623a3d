package transform

import (
	"errors"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
)

func insertFieldInfos() []Info {
	return pair("InsertField", "Adds fields with the record's topic, partition, offset, timestamp, or a fixed text.", insertFieldDef, func(s side) Transform { return &insertField{side: s} })
}

// insertions are the keys that name fields, in the order in which the fields are added.
var insertions = []string{"topic.field", "partition.field", "offset.field", "timestamp.field", "static.field"}

func insertFieldDef() *configdef.Def {
	const optionality = "Suffix with <code>!</code> to make this a required field, or <code>?</code> to keep it optional (the default)."
	d := configdef.New()
	for i, doc := range []string{"Field name for Kafka topic. ", "Field name for Kafka partition. ", "Field name for Kafka offset - only applicable to sink connectors.<br/>",
		"Field name for record timestamp. ", "Field name for static data field. "} {
		d.Define(text(insertions[i], nil, configdef.Medium, doc+optionality))
	}
	return d.Define(text("static.value", nil, configdef.Medium, "Static field value, if field name configured.")).Define(replaceNullKey())
}

// insertion is one field to add. The zero name is none that can be asked for.
type insertion struct {
	kind     int // an index of insertions
	name     string
	optional bool
}

type insertField struct {
	side     side
	fields   []insertion
	static   data.Value
	defaults bool
	plans    schemas[*data.Schema]
}

func (f *insertField) Configure(config map[string]string) error {
	v, err := insertFieldDef().Parse(config)
	if err != nil {
		return err
	}
	f.defaults, f.static = v.Bool(replaceNull), data.String(v.String("static.value"))
	for i, key := range insertions {
		if !v.Has(key) {
			continue
		}
		name := v.String(key)
		in := insertion{i, name, true}
		if s, ok := strings.CutSuffix(name, "?"); ok {
			in.name = s
		} else if s, ok := strings.CutSuffix(name, "!"); ok {
			in.name, in.optional = s, false
		}
		f.fields = append(f.fields, in)
	}
	if len(f.fields) == 0 {
		return errors.New("No field insertion configured")
	}
	if v.Has("static.field") && !v.Has("static.value") {
		return configdef.Invalid("static.value", "null", "No value specified for static field: "+v.String("static.field"))
	}
	return nil
}

func (f *insertField) Apply(b *Batch) { b.each(f.apply) }

func (f *insertField) apply(r *Record, a *data.Arena) error {
	const purpose = "field insertion"
	s, v := f.side.schema(r), f.side.value(r)
	if v.IsNull() {
		return nil
	}
	if s == nil {
		m, err := requireMap(nil, v, purpose)
		if err != nil {
			return err
		}
		out := a.CopyMap(m, len(f.fields))
		for _, in := range f.fields {
			have, ok, err := f.value(in, r)
			if err != nil {
				return err
			}
			if ok {
				out.Put(data.String(in.name), have)
			}
		}
		f.side.set(r, nil, data.MapOf(out))
		return nil
	}
	st, err := requireStruct(s, v, purpose)
	if err != nil {
		return err
	}
	to, err := f.plans.get(st.Schema(), f.compile)
	if err != nil {
		return err
	}
	out := a.Struct(to)
	n := len(st.Schema().Fields)
	for i := range n {
		if err := put(out, i, field(st, i, f.defaults)); err != nil {
			return err
		}
	}
	for i, in := range f.fields {
		have, ok, err := f.value(in, r)
		if err != nil {
			return err
		}
		if ok {
			if err := put(out, n+i, have); err != nil {
				return err
			}
		}
	}
	f.side.set(r, to, data.StructOf(out))
	return nil
}

// value is what a field is set to, if the record has it.
func (f *insertField) value(in insertion, r *Record) (data.Value, bool, error) {
	switch in.kind {
	case 0:
		return data.String(r.Topic), true, nil
	case 1:
		return data.Int32(r.Partition), r.Partition >= 0, nil
	case 2:
		if r.Offset == NoOffset {
			return data.Null(), false, badData("Only SinkRecord supported for [field insertion], found: org.apache.kafka.connect.source.SourceRecord")
		}
		return data.Int64(r.Offset), true, nil
	case 3:
		return data.Int64(r.Timestamp), r.Timestamp >= 0, nil
	default:
		return f.static, true, nil
	}
}

var optionalTimestamp = &data.Schema{Type: data.KindInt64, Optional: true, Name: data.TimestampName, Version: 1}

func (f *insertField) compile(s *data.Schema) (*data.Schema, error) {
	made := basics(s, data.KindStruct)
	for _, fd := range s.Fields {
		if err := addField(made, fd.Name, fd.Schema); err != nil {
			return nil, err
		}
	}
	for _, in := range f.fields {
		pair := [][2]*data.Schema{{data.StringSchema, data.OptionalStringSchema}, {data.Int32Schema, data.OptionalInt32Schema}, {data.Int64Schema, data.OptionalInt64Schema},
			{data.TimestampSchema, optionalTimestamp}, {data.StringSchema, data.OptionalStringSchema}}[in.kind]
		schema := pair[0]
		if in.optional {
			schema = pair[1]
		}
		if err := addField(made, in.name, schema); err != nil {
			return nil, err
		}
	}
	return made, nil
}
