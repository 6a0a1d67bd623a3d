package transform

import (
	"errors"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
)

func extractFieldInfos() []Info {
	return pair("ExtractField", "Replaces the key or value by one of its fields.", extractFieldDef, func(s side) Transform { return &extractField{side: s} })
}

func extractFieldDef() *configdef.Def {
	return configdef.New().Define(required(text("field", nil, configdef.Medium, "Field name to extract."))).Define(replaceNullKey()).Define(syntaxVersionKey())
}

type extractField struct {
	side     side
	name     string
	path     path
	defaults bool
	fields   schemas[*data.Schema]
}

func (e *extractField) Configure(config map[string]string) error {
	v, err := extractFieldDef().Parse(config)
	if err != nil {
		return err
	}
	e.name, e.defaults = v.String("field"), v.Bool(replaceNull)
	e.path = path{e.name}
	if strings.EqualFold(v.String(syntaxVersion), "V2") {
		if e.path, err = parsePath(e.name); err == nil && len(e.path) == 0 {
			err = errors.New("field: is empty: name a field")
		}
	}
	return err
}

func (e *extractField) Apply(b *Batch) { b.each(e.apply) }

func (e *extractField) apply(r *Record, _ *data.Arena) error {
	const purpose = "field extraction"
	s, v := e.side.schema(r), e.side.value(r)
	if s == nil {
		if v.IsNull() {
			return nil
		}
		m, err := requireMap(nil, v, purpose)
		if err != nil {
			return err
		}
		if v, err = e.path.ofMap(m); err != nil {
			return err
		}
		e.side.set(r, nil, v)
		return nil
	}
	var st *data.Struct
	var err error
	if !v.IsNull() {
		if st, err = requireStruct(s, v, purpose); err != nil {
			return err
		}
	}
	to, err := e.fields.get(s, e.path.schema)
	if err != nil {
		return err
	}
	if to == nil {
		return fail(illegalArgument, "Unknown field: %s", e.name)
	}
	if st != nil {
		if v, err = e.path.ofStruct(st, e.defaults); err != nil {
			return err
		}
	}
	e.side.set(r, to, v)
	return nil
}
