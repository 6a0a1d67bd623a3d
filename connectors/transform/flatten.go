package transform

import (
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
)

func flattenInfos() []Info {
	return pair("Flatten", "Makes one level of nested structs or maps; names of fields are joined.", flattenDef, func(s side) Transform { return &flatten{side: s} })
}

func flattenDef() *configdef.Def {
	return configdef.New().Define(text("delimiter", configdef.Text("."), configdef.Medium, "Delimiter to insert between field names from the input record when generating field names for the output record"))
}

type flatten struct {
	side      side
	delimiter string
	plans     schemas[flattenPlan]
	names     map[nested]string
}

// flattenPlan is the flat schema and, for each of its fields, the way to it.
type flattenPlan struct {
	schema *data.Schema
	ways   [][]int
}

// nested is a name below a prefix.
type nested struct{ prefix, name string }

// maxNames bounds the remembered names of schemaless fields.
const maxNames = 10_000

func (f *flatten) Configure(config map[string]string) error {
	v, err := flattenDef().Parse(config)
	if err == nil {
		f.delimiter = v.String("delimiter")
	}
	return err
}

func (f *flatten) Apply(b *Batch) { b.each(f.apply) }

func (f *flatten) apply(r *Record, a *data.Arena) error {
	const purpose = "flattening"
	s, v := f.side.schema(r), f.side.value(r)
	if v.IsNull() {
		return nil
	}
	if s == nil {
		m, err := requireMap(nil, v, purpose)
		if err != nil {
			return err
		}
		out := a.Map(m.Len())
		if err := f.flat(m, "", out); err != nil {
			return err
		}
		f.side.set(r, nil, data.MapOf(out))
		return nil
	}
	st, err := requireStruct(s, v, purpose)
	if err != nil {
		return err
	}
	plan, err := f.plans.get(s, f.compile)
	if err != nil {
		return err
	}
	out := a.Struct(plan.schema)
	for i, way := range plan.ways {
		from := st
		for _, step := range way[:len(way)-1] {
			if from = from.Raw(step).Struct(); from == nil {
				break
			}
		}
		if from == nil {
			continue
		}
		if err := put(out, i, from.At(way[len(way)-1])); err != nil {
			return err
		}
	}
	f.side.set(r, plan.schema, data.StructOf(out))
	return nil
}

func (f *flatten) flat(m *data.Map, prefix string, out *data.Map) error {
	for _, e := range m.Entries() {
		if e.Key.Kind() != data.KindString && !e.Key.IsNull() {
			return fail(classCast, "class %s cannot be cast to class java.lang.String", converter.JavaClass(nil, e.Key))
		}
		name := f.name(prefix, e.Key.Str())
		switch k := e.Value.Kind(); k {
		case data.KindMap:
			if err := f.flat(e.Value.Map(), name, out); err != nil {
				return err
			}
		case data.KindStruct:
			return badData("Flatten transformation does not support class %s for record without schemas (for field %s).", converter.JavaClass(nil, e.Value), name)
		case data.KindDate, data.KindDecimal:
			return badData("Flatten transformation was passed a value of type class %s which is not supported by Connect's data API", converter.JavaClass(nil, e.Value))
		default:
			out.Put(data.String(name), e.Value)
		}
	}
	return nil
}

// name joins prefix and name, once for each pair.
func (f *flatten) name(prefix, name string) string {
	if prefix == "" {
		return name
	}
	if have, ok := f.names[nested{prefix, name}]; ok {
		return have
	}
	if f.names == nil || len(f.names) >= maxNames {
		f.names = map[nested]string{}
	}
	// Own copies: names of schemaless fields live as long as their batch.
	prefix, name = string([]byte(prefix)), string([]byte(name))
	joined := prefix + f.delimiter + name
	f.names[nested{prefix, name}] = joined
	return joined
}

func (f *flatten) compile(s *data.Schema) (flattenPlan, error) {
	p := flattenPlan{schema: basics(s, data.KindStruct)}
	return p, f.add(&p, s, "", nil, s.Optional, s.Default.Struct())
}

// add adds the fields of a struct: optional where an ancestor is, with the default that an ancestor's brings.
func (f *flatten) add(p *flattenPlan, s *data.Schema, prefix string, way []int, optional bool, parent *data.Struct) error {
	for i, fd := range s.Fields {
		name := fd.Name
		if prefix != "" {
			name = prefix + f.delimiter + name
		}
		opt, def := optional || fd.Schema.Optional, fd.Schema.Default
		if def.IsNull() && parent != nil {
			def = parent.At(i)
		}
		here := append(append([]int{}, way...), i)
		switch fd.Schema.Type {
		case data.KindStruct:
			if err := f.add(p, fd.Schema, name, here, opt, def.Struct()); err != nil {
				return err
			}
		case data.KindMap:
			return badData("Flatten transformation does not support MAP for record with schemas (for field %s).", name)
		default:
			made := basics(fd.Schema, fd.Schema.Type)
			made.Elem, made.Optional = fd.Schema.Elem, opt
			if !def.IsNull() {
				if err := setDefault(made, def); err != nil {
					return err
				}
			}
			if err := addField(p.schema, name, made); err != nil {
				return err
			}
			p.ways = append(p.ways, here)
		}
	}
	return nil
}
