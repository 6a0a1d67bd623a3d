package elasticsearch

import (
	"github.com/sluice-project/sluice/connectors/data"
)

// shape is how values of a schema are written: decimals as doubles, and maps as lists of {"key":…,"value":…} where they are
// not written as objects, as the Confluent connector has it.
type shape struct {
	from, to *data.Schema
	// same says that nothing changes: most schemas have neither decimals nor such maps.
	same bool
	// elem, key and fields are the shapes of parts.
	elem, key *shape
	fields    []*shape
}

// maxShapes bounds the schemas that are remembered.
const maxShapes = 1000

// shapes remembers shapes by the schemas, which are used again from record to record.
type shapes struct {
	compact bool
	known   map[*data.Schema]*shape
}

func (s *shapes) of(schema *data.Schema) *shape {
	if known, ok := s.known[schema]; ok {
		return known
	}
	if s.known == nil || len(s.known) >= maxShapes {
		s.known = map[*data.Schema]*shape{}
	}
	made := s.make(schema)
	s.known[schema] = made
	return made
}

func (s *shapes) make(from *data.Schema) *shape {
	if from == nil {
		return &shape{same: true}
	}
	out := &shape{from: from, to: from, same: true}
	switch from.Name {
	case data.DateName, data.TimeName, data.TimestampName:
		return out
	case data.DecimalName:
		out.same, out.to = false, &data.Schema{Type: data.KindFloat64, Optional: from.Optional}
	default:
		s.parts(out)
	}
	if !out.same && !from.Default.IsNull() && from.Type != data.KindStruct {
		out.to.Default, _ = out.value(nil, from.Default) // one that is none is missing
	}
	return out
}

// parts makes the shape of a schema that has parts.
func (s *shapes) parts(out *shape) {
	from := out.from
	switch from.Type {
	case data.KindArray:
		if out.elem = s.make(from.Elem); !out.elem.same {
			out.same, out.to = false, &data.Schema{Type: data.KindArray, Optional: from.Optional, Elem: out.elem.to}
		}
	case data.KindMap:
		out.key, out.elem = s.make(from.Key), s.make(from.Elem)
		if s.compact && from.Key != nil && from.Key.Type == data.KindString {
			if !out.key.same || !out.elem.same {
				out.same, out.to = false, &data.Schema{Type: data.KindMap, Optional: from.Optional, Key: out.key.to, Elem: out.elem.to}
			}
			return
		}
		entry := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "key", Schema: out.key.to}, {Name: "value", Schema: out.elem.to}}}
		out.same, out.to = false, &data.Schema{Type: data.KindArray, Optional: from.Optional, Elem: entry}
	case data.KindStruct:
		to := &data.Schema{Type: data.KindStruct, Optional: from.Optional, Name: from.Name, Fields: make([]data.Field, len(from.Fields))}
		for i, f := range from.Fields {
			part := s.make(f.Schema)
			out.fields = append(out.fields, part)
			out.same = out.same && part.same
			to.Fields[i] = data.Field{Name: f.Name, Schema: part.to}
		}
		if !out.same {
			out.to = to
		}
	}
}

// value is a value in this shape. It is made in an arena; nil is the heap.
func (s *shape) value(a *data.Arena, v data.Value) (data.Value, error) {
	if s.same || v.IsNull() {
		return v, nil
	}
	if v.Kind() != s.from.Type {
		return v, nil // the writer says so, in its words
	}
	if s.from.Name == data.DecimalName {
		f, err := decimal(s.from, v)
		return data.Float64(f), err
	}
	switch s.from.Type {
	case data.KindArray:
		out := a.Values(len(v.Array()))
		for _, e := range v.Array() {
			part, err := s.elem.value(a, e)
			if err != nil {
				return v, err
			}
			out = append(out, part)
		}
		return data.Array(out), nil
	case data.KindMap:
		return s.entries(a, v)
	case data.KindStruct:
		st := v.Struct()
		if len(st.Schema().Fields) != len(s.fields) {
			return v, nil // of another schema: the writer says so
		}
		out := a.Struct(s.to)
		for i := range s.fields {
			part, err := s.fields[i].value(a, st.Raw(i))
			if err != nil {
				return v, err
			}
			out.Set(i, part)
		}
		return data.StructOf(out), nil
	}
	return v, nil
}

// entries are a map's: a map, or a list of structs.
func (s *shape) entries(a *data.Arena, v data.Value) (data.Value, error) {
	entries := v.Map().Entries()
	asMap := s.to.Type == data.KindMap
	var m *data.Map
	var list []data.Value
	if asMap {
		m = a.Map(len(entries))
	} else {
		list = a.Values(len(entries))
	}
	for _, e := range entries {
		key, err := s.key.value(a, e.Key)
		if err != nil {
			return v, err
		}
		value, err := s.elem.value(a, e.Value)
		if err != nil {
			return v, err
		}
		if asMap {
			m.Put(key, value)
			continue
		}
		st := a.Struct(s.to.Elem)
		st.Set(0, key)
		st.Set(1, value)
		list = append(list, data.StructOf(st))
	}
	if asMap {
		return data.MapOf(m), nil
	}
	return data.Array(list), nil
}
