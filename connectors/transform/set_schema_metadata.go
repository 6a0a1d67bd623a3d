package transform

import (
	"errors"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
)

func setSchemaMetadataInfos() []Info {
	return pair("SetSchemaMetadata", "Sets the name or version of a struct's schema.", setSchemaMetadataDef, func(s side) Transform { return &setSchemaMetadata{side: s} })
}

func setSchemaMetadataDef() *configdef.Def {
	return configdef.New().
		Define(text("schema.name", nil, configdef.High, "Schema name to set.")).
		Define(configdef.Key{Name: "schema.version", Type: configdef.Int, Importance: configdef.High, Doc: "Schema version to set."}).
		Define(replaceNullKey())
}

type setSchemaMetadata struct {
	side     side
	name     *string
	version  *int32
	defaults bool
	plans    schemas[*data.Schema]
}

func (m *setSchemaMetadata) Configure(config map[string]string) error {
	v, err := setSchemaMetadataDef().Parse(config)
	if err != nil {
		return err
	}
	m.defaults = v.Bool(replaceNull)
	if v.Has("schema.name") {
		name := v.String("schema.name")
		m.name = &name
	}
	if v.Has("schema.version") {
		version := int32(v.Int("schema.version")) //nolint:gosec // an INT
		m.version = &version
	}
	if m.name == nil && m.version == nil {
		return errors.New("Neither schema name nor version configured")
	}
	return nil
}

func (m *setSchemaMetadata) Apply(b *Batch) { b.each(m.apply) }

func (m *setSchemaMetadata) apply(r *Record, a *data.Arena) error {
	s, v := m.side.schema(r), m.side.value(r)
	if s == nil {
		if v.IsNull() {
			return nil
		}
		return badData("Schema required for [updating schema metadata]")
	}
	to, err := m.plans.get(s, m.compile)
	if err != nil {
		return err
	}
	if st := v.Struct(); st != nil {
		out := a.Struct(to)
		for i := range to.Fields {
			if err := put(out, i, field(st, i, m.defaults)); err != nil {
				return err
			}
		}
		v = data.StructOf(out)
	}
	m.side.set(r, to, v)
	return nil
}

func (m *setSchemaMetadata) compile(s *data.Schema) (*data.Schema, error) {
	if s.Type != data.KindStruct {
		return nil, badData("Cannot list fields on non-struct type") // so does Kafka Connect
	}
	made := *s
	if m.name != nil {
		made.Name = *m.name
	}
	if m.version != nil {
		made.Version = *m.version
	}
	return &made, nil
}
