package transform

import (
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
)

// maxSchemas bounds what a transform remembers of schemas; beyond it, it begins anew.
const maxSchemas = 64

// schemas remembers what was compiled for a schema.
type schemas[T any] struct {
	last *data.Schema
	made T
	all  map[*data.Schema]T
}

func (c *schemas[T]) get(s *data.Schema, compile func(*data.Schema) (T, error)) (T, error) {
	if s == c.last {
		return c.made, nil
	}
	v, ok := c.all[s]
	if !ok {
		if c.last != nil && data.SameSchema(c.last, s) {
			return c.made, nil // one that is made anew for each record; its schema stays one
		}
		var err error
		if v, err = compile(s); err != nil {
			return v, err
		}
		if c.all == nil || len(c.all) >= maxSchemas {
			c.all = map[*data.Schema]T{}
		}
		c.all[s] = v
	}
	c.last, c.made = s, v
	return v, nil
}

// basics copies what SchemaUtil.copySchemaBasics copies: name, version, doc and parameters.
func basics(from *data.Schema, kind data.Kind) *data.Schema {
	return &data.Schema{Type: kind, Name: from.Name, Version: from.Version, Doc: from.Doc, Params: from.Params}
}

// addField is SchemaBuilder.field.
func addField(s *data.Schema, name string, field *data.Schema) error {
	if name == "" {
		return fail(builderException, "fieldName cannot be null.")
	}
	if s.FieldIndex(name) >= 0 {
		return fail(builderException, "Cannot create field because of field name duplication %s", name)
	}
	s.Fields = append(s.Fields, data.Field{Name: name, Schema: field})
	return nil
}

// setDefault is SchemaBuilder.defaultValue.
func setDefault(s *data.Schema, v data.Value) error {
	if err := fits("value", s, v); err != nil {
		return fail(builderException, "Invalid default value")
	}
	s.Default = v
	return nil
}

// fits is ConnectSchema.validateValue, without what lies deeper: that was valid before and is not changed.
func fits(location string, s *data.Schema, v data.Value) error {
	if v.IsNull() {
		if !s.Optional {
			return badData("Invalid value: null used for required %s, schema type: %s", location, s.Type)
		}
		return nil
	}
	if v.Kind() != s.Type || !logicalKind(s) {
		name := ""
		if s.Name != "" {
			name = ` "` + s.Name + `"`
		}
		return badData("Invalid Java object for schema%s with type %s: class %s for %s", name, s.Type, converter.JavaClass(nil, v), location)
	}
	if st := v.Struct(); st != nil && st.Schema() != s && !data.SameSchema(st.Schema(), s) {
		return badData("Struct schemas do not match.")
	}
	return nil
}

// logical says whether a schema is that of a logical type.
func logical(s *data.Schema) bool {
	switch s.Name {
	case data.DecimalName, data.DateName, data.TimeName, data.TimestampName:
		return true
	}
	return false
}

// logicalKind says whether a schema with the name of a logical type has that type's own kind.
func logicalKind(s *data.Schema) bool {
	switch s.Name {
	case data.DecimalName:
		return s.Type == data.KindBytes
	case data.DateName, data.TimeName:
		return s.Type == data.KindInt32
	case data.TimestampName:
		return s.Type == data.KindInt64
	}
	return true
}

// put is Struct.put.
func put(st *data.Struct, i int, v data.Value) error {
	f := &st.Schema().Fields[i]
	if inner := v.Struct(); v.Kind() != f.Schema.Type || inner != nil && inner.Schema() != f.Schema {
		if err := fits(`field: "`+f.Name+`"`, f.Schema, v); err != nil {
			return err
		}
	}
	st.Set(i, v)
	return nil
}

// field is a field by position, its default where it is null and defaults are wanted.
func field(st *data.Struct, i int, defaults bool) data.Value {
	if defaults {
		return st.At(i)
	}
	return st.Raw(i)
}
