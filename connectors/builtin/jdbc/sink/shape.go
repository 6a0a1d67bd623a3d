package sink

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc/dialect"
	"github.com/sluice-project/sluice/connectors/data"
)

// field is one column of a shape, and where its value is.
type field struct {
	name   string
	schema *data.Schema
	key    bool
	moment bool
	get    func(r *connectors.SinkRecord) data.Value
}

// shape is what rows of records with the same schemas have: keys first. Records of one shape share it.
type shape struct {
	table   string // as the config names it
	fields  []field
	keys    int
	deletes bool
	// What the records of it have in common.
	keySchema, valueSchema *data.Schema
	headers                string
}

// fits says whether a record has this shape.
func (s *shape) fits(r *connectors.SinkRecord, table, headers string) bool {
	return s.table == table && s.deletes == r.Value.IsNull() && s.headers == headers &&
		data.SameSchema(s.keySchema, r.KeySchema) && (s.deletes || data.SameSchema(s.valueSchema, r.ValueSchema))
}

// headersOf names a record's headers, where they are its primary key.
func (s settings) headersOf(r *connectors.SinkRecord) string {
	if s.pk != pkHeader {
		return ""
	}
	var b strings.Builder
	for _, h := range r.Headers {
		b.WriteString(h.Key + "\x00")
		if h.Schema != nil {
			b.WriteString(h.Schema.Name + "\x01" + h.Schema.Type.String())
		}
		b.WriteByte(2)
	}
	return b.String()
}

// tableOf is the name of a record's table.
func (s settings) tableOf(topic string) string {
	if t, ok := s.tables[topic]; ok {
		return t
	}
	if s.Bool(normalizeKey) {
		topic = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' {
				return r
			}
			return '_'
		}, topic)
	}
	return strings.ReplaceAll(s.String(tableKey), "${topic}", topic)
}

// newShape makes the shape of a record, or says what the record lacks. Errors wrap ErrRecord.
func (s settings) newShape(r *connectors.SinkRecord, table, headers string) (*shape, error) {
	out := &shape{table: table, deletes: r.Value.IsNull(), keySchema: r.KeySchema, valueSchema: r.ValueSchema, headers: headers}
	if out.deletes && !s.Bool(deleteKey) {
		return nil, refuse("its value is null: %s=true with %s=%s would delete a row", deleteKey, pkModeKey, pkKey)
	}
	if !out.deletes && (r.ValueSchema == nil || r.ValueSchema.Type != data.KindStruct && r.ValueSchema.Type != data.KindString) {
		return nil, refuse("its value is a %s%s: a struct or a text with a schema would be right (value.converter.schemas.enable)", r.Value.Kind(), without(r.ValueSchema))
	}
	if err := s.keysOf(r, out); err != nil {
		return nil, err
	}
	out.keys = len(out.fields)
	if out.deletes {
		return out, nil
	}
	if r.ValueSchema.Type == data.KindString {
		out.fields = append(out.fields, field{name: s.String(stringColumnKey), schema: data.OptionalStringSchema, get: func(r *connectors.SinkRecord) data.Value { return r.Value }})
	} else {
		for i, f := range r.ValueSchema.Fields {
			if (len(s.fields) > 0 && !s.fields[f.Name]) || out.has(f.Name) {
				continue
			}
			out.fields = append(out.fields, field{name: f.Name, schema: f.Schema, moment: s.moments[f.Name], get: s.fieldOf(i)})
		}
	}
	if len(out.fields) == 0 {
		return nil, refuse("no field of it is a column: %s and %s leave none", fieldsKey, pkModeKey)
	}
	if s.mode == dialect.Update && len(out.fields) == out.keys {
		return nil, refuse("all its fields are the primary key: there is nothing to update")
	}
	return out, nil
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRecord, fmt.Sprintf(format, args...))
}

func without(s *data.Schema) string {
	if s == nil {
		return " without a schema"
	}
	return ""
}

func (s *shape) has(name string) bool {
	for _, f := range s.fields {
		if f.name == name {
			return true
		}
	}
	return false
}

func (s settings) fieldOf(i int) func(*connectors.SinkRecord) data.Value {
	if s.Bool(nullKey) {
		return func(r *connectors.SinkRecord) data.Value { return r.Value.Struct().At(i) }
	}
	return func(r *connectors.SinkRecord) data.Value { return r.Value.Struct().Raw(i) }
}

// keysOf adds the columns of the primary key.
func (s settings) keysOf(r *connectors.SinkRecord, out *shape) error {
	add := func(name string, schema *data.Schema, get func(*connectors.SinkRecord) data.Value) {
		out.fields = append(out.fields, field{name: name, schema: schema, key: true, get: get})
	}
	switch s.pk {
	case pkKafka:
		names := kafkaColumns
		if len(s.pkFields) == 3 {
			names = s.pkFields
		}
		add(names[0], data.StringSchema, func(r *connectors.SinkRecord) data.Value { return data.String(r.Topic) })
		add(names[1], data.Int32Schema, func(r *connectors.SinkRecord) data.Value { return data.Int32(r.Partition) })
		add(names[2], data.Int64Schema, func(r *connectors.SinkRecord) data.Value { return data.Int64(r.Offset) })
	case pkKey:
		if r.Key.IsNull() || r.KeySchema == nil {
			return refuse("its key is null or without a schema, which %s=%s needs (key.converter.schemas.enable)", pkModeKey, pkKey)
		}
		if r.KeySchema.Type != data.KindStruct {
			if len(s.pkFields) != 1 {
				return refuse("its key is a %s, which takes one name in %s, not %d", r.KeySchema.Type, pkFieldsKey, len(s.pkFields))
			}
			add(s.pkFields[0], r.KeySchema, func(r *connectors.SinkRecord) data.Value { return r.Key })
			return nil
		}
		return s.structKeys(r.KeySchema, "key", add, func(r *connectors.SinkRecord) *data.Struct { return r.Key.Struct() })
	case pkValue:
		if r.ValueSchema == nil || r.ValueSchema.Type != data.KindStruct || r.Value.IsNull() {
			return refuse("its value is no struct, which %s=%s needs", pkModeKey, pkValue)
		}
		return s.structKeys(r.ValueSchema, "value", add, func(r *connectors.SinkRecord) *data.Struct { return r.Value.Struct() })
	case pkHeader:
		names := s.pkFields
		if len(names) == 0 {
			for _, h := range r.Headers {
				if !out.has(h.Key) {
					names = append(names, h.Key)
					add(h.Key, h.Schema, headerOf(h.Key))
				}
			}
		} else {
			for _, n := range names {
				h, ok := r.Headers.Last(n)
				if !ok {
					return refuse("it has no header %s, which %s names", n, pkFieldsKey)
				}
				add(n, h.Schema, headerOf(n))
			}
		}
		if len(out.fields) == 0 {
			return refuse("it has no headers, which %s=%s needs", pkModeKey, pkHeader)
		}
	}
	return nil
}

func headerOf(name string) func(*connectors.SinkRecord) data.Value {
	return func(r *connectors.SinkRecord) data.Value { h, _ := r.Headers.Last(name); return h.Value }
}

func (s settings) structKeys(schema *data.Schema, what string, add func(string, *data.Schema, func(*connectors.SinkRecord) data.Value), of func(*connectors.SinkRecord) *data.Struct) error {
	names := s.pkFields
	if len(names) == 0 {
		for _, f := range schema.Fields {
			names = append(names, f.Name)
		}
	}
	for _, n := range names {
		i := schema.FieldIndex(n)
		if i < 0 {
			return refuse("its %s has no field %s, which %s names", what, n, pkFieldsKey)
		}
		add(n, schema.Fields[i].Schema, func(r *connectors.SinkRecord) data.Value { return of(r).At(i) })
	}
	return nil
}

// row makes the values of a record's row, for columns that the table has. It copies what it takes out of the batch.
func (s settings) row(sh *shape, columns []dialect.Column, r *connectors.SinkRecord) ([]any, error) {
	out := make([]any, len(sh.fields))
	for i, f := range sh.fields {
		v := f.get(r)
		if v.IsNull() && f.key {
			return nil, refuse("the field %s of its primary key is null", f.name)
		}
		var err error
		if f.moment && !v.IsNull() {
			out[i], err = s.moment(columns[i], v)
		} else {
			out[i], err = s.db.Value(columns[i], f.schema, v, s.zones)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: the field %s: %w", ErrRecord, f.name, err)
		}
	}
	return out, nil
}

// moment reads a field of timestamp.fields.list.
func (s settings) moment(c dialect.Column, v data.Value) (any, error) {
	n := v.Int()
	if v.Kind() == data.KindString {
		var err error
		if n, err = strconv.ParseInt(v.Str(), 10, 64); err != nil {
			return nil, fmt.Errorf("%w: it is in %s, and no whole number", dialect.ErrValue, momentsKey)
		}
	} else if v.Kind() != data.KindInt64 {
		return nil, fmt.Errorf("%w: it is in %s, and a %s: INT64 or STRING would be right", dialect.ErrValue, momentsKey, v.Kind())
	}
	t := time.UnixMicro(n)
	if strings.EqualFold(s.String(momentsModeKey), "nanoseconds") {
		t = time.Unix(0, n)
	}
	return s.db.Stamp(c, t, s.zones), nil
}
