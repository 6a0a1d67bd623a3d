package transform

import (
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
)

func hoistFieldInfos() []Info {
	return pair("HoistField", "Wraps the key or value in a struct or map of one field.", hoistFieldDef, func(s side) Transform { return &hoistField{side: s} })
}

func hoistFieldDef() *configdef.Def {
	return configdef.New().Define(required(text("field", nil, configdef.Medium, "Field name for the single field that will be created in the resulting Struct or Map.")))
}

type hoistField struct {
	side  side
	name  string
	plans schemas[*data.Schema]
}

func (h *hoistField) Configure(config map[string]string) error {
	v, err := hoistFieldDef().Parse(config)
	if err == nil {
		h.name = v.String("field")
	}
	return err
}

func (h *hoistField) Apply(b *Batch) { b.each(h.apply) }

func (h *hoistField) apply(r *Record, a *data.Arena) error {
	s, v := h.side.schema(r), h.side.value(r)
	if s == nil {
		m := a.Map(1)
		m.Add(data.String(h.name), v)
		h.side.set(r, nil, data.MapOf(m))
		return nil
	}
	to, err := h.plans.get(s, func(s *data.Schema) (*data.Schema, error) {
		made := &data.Schema{Type: data.KindStruct}
		return made, addField(made, h.name, s)
	})
	if err != nil {
		return err
	}
	st := a.Struct(to)
	if err := put(st, 0, v); err != nil {
		return err
	}
	h.side.set(r, to, data.StructOf(st))
	return nil
}
