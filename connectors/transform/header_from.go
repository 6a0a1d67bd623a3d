package transform

import (
	"errors"
	"slices"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
)

func headerFromInfos() []Info {
	return pair("HeaderFrom", "Moves or copies fields to headers.", headerFromDef, func(s side) Transform { return &headerFrom{side: s} })
}

func headerFromDef() *configdef.Def {
	list := func(name, doc string) configdef.Key {
		return configdef.Key{Name: name, Type: configdef.List, Required: true, Validator: configdef.NonEmptyList(), Importance: configdef.High, Doc: doc}
	}
	return configdef.New().
		Define(list("fields", "Field names in the record whose values are to be copied or moved to headers.")).
		Define(list("headers", "Header names, in the same order as the field names listed in the fields configuration property.")).
		Define(valid(required(text("operation", nil, configdef.High, "Either <code>move</code> if the fields are to be moved to the headers (removed from the key/value), or <code>copy</code> if the fields are to be copied to the headers (retained in the key/value).")), configdef.In("move", "copy"))).
		Define(replaceNullKey())
}

type headerFrom struct {
	side            side
	fields, headers []string
	move            bool
	purpose         string
	defaults        bool
	plans           schemas[headerPlan]
}

// headerPlan is what is left of a schema: which of its fields, and where those for headers are (-1 where not).
type headerPlan struct {
	schema *data.Schema
	left   []int
	fields []int
}

func (h *headerFrom) Configure(config map[string]string) error {
	v, err := headerFromDef().Parse(config)
	if err != nil {
		return err
	}
	h.fields, h.headers, h.defaults = v.List("fields"), v.List("headers"), v.Bool(replaceNull)
	h.move, h.purpose = v.String("operation") == "move", "header "+v.String("operation")
	if len(h.fields) != len(h.headers) {
		return errors.New("'fields' config must have the same number of elements as 'headers' config.")
	}
	return nil
}

func (h *headerFrom) Apply(b *Batch) { b.each(h.apply) }

func (h *headerFrom) apply(r *Record, a *data.Arena) error {
	s, v := h.side.schema(r), h.side.value(r)
	headers := append(a.Headers(len(r.Headers)+len(h.fields)), r.Headers...)
	if s == nil {
		m, err := requireMap(nil, v, h.purpose)
		if err != nil {
			return err
		}
		for i, name := range h.fields {
			have, _ := m.Get(data.String(name))
			header := data.Header{Key: h.headers[i], Value: have}
			if st := have.Struct(); st != nil {
				header.Schema = st.Schema()
			}
			headers = append(headers, header)
		}
		if h.move {
			m = a.CopyMap(m, 0)
			for _, name := range h.fields {
				m.Remove(data.String(name))
			}
		}
		r.Headers = headers
		h.side.set(r, nil, data.MapOf(m))
		return nil
	}
	st, err := requireStruct(s, v, h.purpose)
	if err != nil {
		return err
	}
	plan, err := h.plans.get(s, h.compile)
	if err != nil {
		return err
	}
	if h.move {
		out := a.Struct(plan.schema)
		for i, from := range plan.left {
			if err := put(out, i, field(st, from, h.defaults)); err != nil {
				return err
			}
		}
		v = data.StructOf(out)
	}
	for i, at := range plan.fields {
		if at < 0 {
			return fail(nullPointer, "HeaderFrom: the schema has no field %s", h.fields[i])
		}
		header := data.Header{Key: h.headers[i], Schema: s.Fields[at].Schema, Value: field(st, at, h.defaults)}
		if header.Value.IsNull() && !header.Schema.Optional {
			return badData("A null value requires an optional schema but was Schema{%s}", schemaText(header.Schema))
		}
		headers = append(headers, header)
	}
	r.Headers = headers
	h.side.set(r, plan.schema, v)
	return nil
}

func (h *headerFrom) compile(s *data.Schema) (headerPlan, error) {
	p := headerPlan{schema: s}
	for _, name := range h.fields {
		p.fields = append(p.fields, s.FieldIndex(name))
	}
	if !h.move {
		return p, nil
	}
	p.schema = basics(s, data.KindStruct)
	for i, f := range s.Fields {
		if slices.Contains(h.fields, f.Name) {
			continue
		}
		if err := addField(p.schema, f.Name, f.Schema); err != nil {
			return p, err
		}
		p.left = append(p.left, i)
	}
	return p, nil
}
