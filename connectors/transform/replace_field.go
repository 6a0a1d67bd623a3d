package transform

import (
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
)

func replaceFieldInfos() []Info {
	return pair("ReplaceField", "Leaves out or renames fields.", replaceFieldDef, func(s side) Transform { return &replaceField{side: s} })
}

func replaceFieldDef() *configdef.Def {
	list := func(name, doc string, v configdef.Validator) configdef.Key {
		return configdef.Key{Name: name, Type: configdef.List, Default: configdef.Text(""), Validator: v, Importance: configdef.Medium, Doc: doc}
	}
	return configdef.New().
		Define(list("exclude", "Fields to exclude. This takes precedence over the fields to include.", configdef.DistinctList(true))).
		Define(list("include", "Fields to include. If specified, only these fields will be used.", configdef.DistinctList(true))).
		Define(list("renames", "Field rename mappings.", configdef.Func("list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>", func(_ string, value *string) error {
			if value == nil || *value == "" {
				return nil
			}
			_, err := parseRenames(strings.Split(*value, ","))
			return err
		}))).
		Define(replaceNullKey())
}

func parseRenames(mappings []string) (map[string]string, error) {
	out := map[string]string{}
	for _, m := range mappings {
		parts := split(strings.TrimSpace(m))
		if len(parts) != 2 {
			shown := strings.Join(mappings, ",")
			return nil, configdef.Invalid("renames", configdef.Shown(&shown), "Invalid rename mapping: "+m)
		}
		out[parts[0]] = parts[1]
	}
	return out, nil
}

type replaceField struct {
	side             side
	exclude, include []string
	renames, back    map[string]string
	defaults         bool
	plans            schemas[*replacePlan]
	fates            []fate // by the places of names in a map
}

// fate is what becomes of a name of a map.
type fate struct {
	known, left, renamed bool
	name                 []byte
	to                   string
}

// maxFates bounds the places in a map whose last name is remembered, which is the same in most records, and maxName the name.
const maxFates, maxName = 64, 256

func (f *replaceField) fateOf(i int, name string) *fate {
	i %= maxFates
	for len(f.fates) <= i {
		f.fates = append(f.fates, fate{})
	}
	is := &f.fates[i]
	if !is.known || string(is.name) != name {
		is.to, is.renamed = f.renames[name]
		is.left = !f.filter(name)
		if is.known = len(name) <= maxName; is.known {
			is.name = append(is.name[:0], name...)
		}
	}
	return is
}

// replacePlan is the new schema, and where each of its fields comes from.
type replacePlan struct {
	schema *data.Schema
	from   []int
	// clash says that a field comes from one whose logical type is another: Java's objects would not fit.
	clash []bool
	// missing is the first name that a rename leads back to and that is not there: its from is negative.
	missing string
}

func (f *replaceField) Configure(config map[string]string) error {
	v, err := replaceFieldDef().Parse(config)
	if err != nil {
		return err
	}
	f.exclude, f.include, f.defaults = v.List("exclude"), v.List("include"), v.Bool(replaceNull)
	if f.renames, err = parseRenames(v.List("renames")); err != nil {
		return err
	}
	f.back = map[string]string{}
	for _, m := range v.List("renames") {
		from := split(m)[0]
		f.back[f.renames[from]] = from
	}
	return nil
}

func (f *replaceField) filter(name string) bool {
	return !slices.Contains(f.exclude, name) && (len(f.include) == 0 || slices.Contains(f.include, name))
}

func (f *replaceField) renamed(name string) string {
	if to, ok := f.renames[name]; ok {
		return to
	}
	return name
}

func (f *replaceField) Apply(b *Batch) { b.each(f.apply) }

func (f *replaceField) apply(r *Record, a *data.Arena) error {
	const purpose = "field replacement"
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
		renamed, entries := false, m.Entries()
		for i := range entries {
			e := &entries[i]
			if e.Key.Kind() != data.KindString && !e.Key.IsNull() {
				return fail(classCast, "class %s cannot be cast to class java.lang.String", converter.JavaClass(nil, e.Key))
			}
			fate := f.fateOf(i, e.Key.Str())
			switch {
			case fate.left:
			case fate.renamed:
				renamed = true
				out.Put(data.String(fate.to), e.Value)
			case renamed: // its name may be another's new one
				out.Put(e.Key, e.Value)
			default:
				out.Add(e.Key, e.Value)
			}
		}
		f.side.set(r, nil, data.MapOf(out))
		return nil
	}
	st, err := requireStruct(s, v, purpose)
	if err != nil {
		return err
	}
	plan, err := f.plans.get(st.Schema(), f.compile)
	if err != nil {
		return err
	}
	out := a.Struct(plan.schema)
	for i, from := range plan.from {
		if from < 0 {
			return badData("%s is not a valid field name", plan.missing)
		}
		have := field(st, from, f.defaults)
		if plan.clash[i] && !have.IsNull() {
			to := plan.schema.Fields[i]
			return badData("Invalid Java object for schema with type %s: class %s for field: %q", to.Schema.Type, converter.JavaClass(st.Schema().Fields[from].Schema, have), to.Name)
		}
		if err := put(out, i, have); err != nil {
			return err
		}
	}
	f.side.set(r, plan.schema, data.StructOf(out))
	return nil
}

func (f *replaceField) compile(s *data.Schema) (*replacePlan, error) {
	p := &replacePlan{schema: basics(s, data.KindStruct)}
	for _, fd := range s.Fields {
		if !f.filter(fd.Name) {
			continue
		}
		name := f.renamed(fd.Name)
		if err := addField(p.schema, name, fd.Schema); err != nil {
			return nil, err
		}
		from, ok := f.back[name] // as Kafka Connect: also where the field was not renamed
		if !ok {
			from = name
		}
		at := s.FieldIndex(from)
		if at < 0 && p.missing == "" {
			p.missing = from
		}
		p.from = append(p.from, at)
		p.clash = append(p.clash, at >= 0 && s.Fields[at].Schema.Name != fd.Schema.Name && (logical(s.Fields[at].Schema) || logical(fd.Schema)))
	}
	return p, nil
}
