package transform

import (
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
)

func valueToKeyInfos() []Info {
	return one("ValueToKey", "Makes the key of fields of the value.", valueToKeyDef, func() Transform { return &valueToKey{} })
}

func valueToKeyDef() *configdef.Def {
	return configdef.New().
		Define(configdef.Key{Name: "fields", Type: configdef.List, Required: true, Validator: configdef.DistinctList(false), Importance: configdef.High,
			Doc: "Field names on the record value to extract as the record key."}).
		Define(replaceNullKey())
}

type valueToKey struct {
	fields   []string
	defaults bool
	plans    schemas[keyPlan]
}

// keyPlan is the key's schema, and where its fields come from.
type keyPlan struct {
	schema *data.Schema
	from   []int
}

func (k *valueToKey) Configure(config map[string]string) error {
	v, err := valueToKeyDef().Parse(config)
	if err == nil {
		k.fields, k.defaults = v.List("fields"), v.Bool(replaceNull)
	}
	return err
}

func (k *valueToKey) Apply(b *Batch) { b.each(k.apply) }

func (k *valueToKey) apply(r *Record, a *data.Arena) error {
	const purpose = "copying fields from value to key"
	if r.ValueSchema == nil {
		m, err := requireMap(nil, r.Value, purpose)
		if err != nil {
			return err
		}
		key := a.Map(len(k.fields))
		for _, name := range k.fields {
			v, _ := m.Get(data.String(name))
			key.Add(data.String(name), v)
		}
		r.KeySchema, r.Key = nil, data.MapOf(key)
		return nil
	}
	st, err := requireStruct(r.ValueSchema, r.Value, purpose)
	if err != nil {
		return err
	}
	plan, err := k.plans.get(st.Schema(), k.compile)
	if err != nil {
		return err
	}
	key := a.Struct(plan.schema)
	for i, from := range plan.from {
		if err := put(key, i, field(st, from, k.defaults)); err != nil {
			return err
		}
	}
	r.KeySchema, r.Key, r.ValueSchema = plan.schema, data.StructOf(key), st.Schema()
	return nil
}

func (k *valueToKey) compile(s *data.Schema) (keyPlan, error) {
	p := keyPlan{schema: &data.Schema{Type: data.KindStruct}}
	for _, name := range k.fields {
		at := s.FieldIndex(name)
		if at < 0 {
			return p, badData("Field does not exist: %s", name)
		}
		if err := addField(p.schema, name, s.Fields[at].Schema); err != nil {
			return p, err
		}
		p.from = append(p.from, at)
	}
	return p, nil
}
