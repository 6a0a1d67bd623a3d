package s3

import (
	"fmt"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

// compatibility is schema.compatibility: which schemas share a file. Its values are the config's.
type compatibility string

const (
	sameSchema compatibility = "NONE"
	forward    compatibility = "FORWARD"
)

// cuts says whether a record of a schema does not go into a file of another; nil is no schema. The error says that the
// record goes into none.
func (c compatibility) cuts(schema, file *data.Schema) (bool, error) {
	switch {
	case schema == file:
		return false, nil
	case schema == nil || file == nil:
		return true, nil
	case c == sameSchema:
		return !data.SameSchema(schema, file), nil
	case schema.Version == 0 || file.Version == 0:
		return false, fmt.Errorf("its schema has no version, and %s=%s compares versions", compatibilityKey, c)
	case !projects(schema, file):
		return true, nil
	case c == forward:
		return schema.Version < file.Version, nil
	default:
		return schema.Version > file.Version, nil
	}
}

// project makes a record one of the file's schema, where it is of another that projects.
func (c compatibility) project(r *connectors.SinkRecord, file *data.Schema) *connectors.SinkRecord {
	if c == sameSchema || r.ValueSchema == file || r.ValueSchema == nil || data.SameSchema(r.ValueSchema, file) {
		return r
	}
	out := *r
	out.ValueSchema, out.Value = file, project(r.Value, r.ValueSchema, file)
	return &out
}

// projects says whether every value of a schema can be made one of another, as Kafka Connect's SchemaProjector does.
func projects(from, to *data.Schema) bool {
	switch {
	case from.Type != to.Type && !promotes(from.Type, to.Type):
		return false
	case from.Name != to.Name || len(from.Params) != len(to.Params):
		return false
	case from.Optional && !to.Optional && to.Default.IsNull():
		return false
	}
	for _, p := range from.Params {
		if v, ok := to.Param(p.Key); !ok || v != p.Value {
			return false
		}
	}
	switch from.Type {
	case data.KindArray:
		return projects(from.Elem, to.Elem)
	case data.KindMap:
		return projects(from.Key, to.Key) && projects(from.Elem, to.Elem)
	case data.KindStruct:
		for _, f := range to.Fields {
			i := from.FieldIndex(f.Name)
			if i < 0 && !f.Schema.Optional && f.Schema.Default.IsNull() || i >= 0 && !projects(from.Fields[i].Schema, f.Schema) {
				return false
			}
		}
	}
	return true
}

// promotes says whether a number fits a type: those after it in this order, as Kafka Connect has it.
func promotes(from, to data.Kind) bool {
	return from >= data.KindInt8 && from <= to && to <= data.KindFloat64
}

func project(v data.Value, from, to *data.Schema) data.Value {
	if v.IsNull() {
		return to.Default
	}
	switch to.Type {
	case data.KindInt16, data.KindInt32, data.KindInt64, data.KindFloat32, data.KindFloat64:
		return promote(v, to.Type)
	case data.KindArray:
		out := make([]data.Value, len(v.Array()))
		for i, e := range v.Array() {
			out[i] = project(e, from.Elem, to.Elem)
		}
		return data.Array(out)
	case data.KindMap:
		out := &data.Map{}
		for _, e := range v.Map().Entries() {
			out.Put(project(e.Key, from.Key, to.Key), project(e.Value, from.Elem, to.Elem))
		}
		return data.MapOf(out)
	case data.KindStruct:
		out := data.NewStruct(to)
		for i, f := range to.Fields {
			if j := from.FieldIndex(f.Name); j >= 0 {
				out.Set(i, project(v.Struct().At(j), from.Fields[j].Schema, f.Schema))
			} else {
				out.Set(i, f.Schema.Default)
			}
		}
		return data.StructOf(out)
	}
	return v
}

func promote(v data.Value, to data.Kind) data.Value {
	if v.Kind() == to {
		return v
	}
	f := v.Float()
	if v.Kind() != data.KindFloat32 && v.Kind() != data.KindFloat64 {
		f = float64(v.Int())
	}
	switch to {
	case data.KindInt16:
		return data.Int16(int16(v.Int())) //nolint:gosec // it comes from a narrower one
	case data.KindInt32:
		return data.Int32(int32(v.Int())) //nolint:gosec // it comes from a narrower one
	case data.KindInt64:
		return data.Int64(v.Int())
	case data.KindFloat32:
		return data.Float32(float32(f))
	}
	return data.Float64(f)
}
