package transform

import (
	"math/big"
	"slices"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javadecimal"
)

func maskFieldInfos() []Info {
	return pair("MaskField", "Replaces the values of fields by nothing of their type, or by a given text or number.", maskFieldDef, func(s side) Transform { return &maskField{side: s} })
}

func maskFieldDef() *configdef.Def {
	return configdef.New().
		Define(configdef.Key{Name: "fields", Type: configdef.List, Required: true, Validator: configdef.DistinctList(false), Importance: configdef.High, Doc: "Names of fields to mask."}).
		Define(valid(text("replacement", nil, configdef.Low, "Custom value replacement, that will be applied to all 'fields' values (numeric or non-empty string values only)."), configdef.NonEmpty())).
		Define(replaceNullKey())
}

type maskField struct {
	side     side
	fields   []string
	replaces bool
	// with is the replacement; number is it as a number, where it is one.
	with     string
	number   javadecimal.Decimal
	isNumber bool
	defaults bool
	plans    schemas[[]bool]
}

func (m *maskField) Configure(config map[string]string) error {
	v, err := maskFieldDef().Parse(config)
	if err != nil {
		return err
	}
	m.fields, m.defaults = v.List("fields"), v.Bool(replaceNull)
	if m.replaces = v.Has("replacement"); m.replaces {
		m.with = v.String("replacement")
		m.number, m.isNumber = javadecimal.Parse(m.with)
	}
	return nil
}

func (m *maskField) Apply(b *Batch) { b.each(m.apply) }

func (m *maskField) apply(r *Record, a *data.Arena) error {
	const purpose = "mask fields"
	s, v := m.side.schema(r), m.side.value(r)
	if s == nil {
		have, err := requireMap(nil, v, purpose)
		if err != nil {
			return err
		}
		out := a.CopyMap(have, len(m.fields))
		for _, name := range m.fields {
			old, _ := have.Get(data.String(name))
			masked, err := m.mask(nil, old)
			if err != nil {
				return err
			}
			out.Put(data.String(name), masked)
		}
		m.side.set(r, nil, data.MapOf(out))
		return nil
	}
	st, err := requireStruct(s, v, purpose)
	if err != nil {
		return err
	}
	masks, err := m.plans.get(st.Schema(), func(s *data.Schema) ([]bool, error) {
		out := make([]bool, len(s.Fields))
		for i, f := range s.Fields {
			out[i] = slices.Contains(m.fields, f.Name)
		}
		return out, nil
	})
	if err != nil {
		return err
	}
	out := a.Struct(st.Schema())
	for i := range masks {
		have := field(st, i, m.defaults)
		if masks[i] {
			if have, err = m.mask(st.Schema().Fields[i].Schema, have); err != nil {
				return err
			}
		}
		if err := put(out, i, have); err != nil {
			return err
		}
	}
	m.side.set(r, s, data.StructOf(out))
	return nil
}

var (
	noValues = data.Array([]data.Value{})
	zero     = data.Decimal(new(big.Int))
)

// mask is the mask of a value; s is nil for schemaless data.
func (m *maskField) mask(s *data.Schema, v data.Value) (data.Value, error) {
	if v.IsNull() {
		return v, nil
	}
	class := converter.JavaClass(s, v)
	if !m.replaces {
		switch class {
		case "java.math.BigDecimal":
			if v.Kind() == data.KindDecimal {
				return data.BigDecimal(new(big.Int), 0), nil
			}
			return zero, nil
		case "[B", "org.apache.kafka.connect.data.Struct":
			return v, badData("Cannot mask value of type: class %s", class)
		}
		switch v.Kind() {
		case data.KindBool:
			return data.Bool(false), nil
		case data.KindString:
			return data.String(""), nil
		case data.KindArray:
			return noValues, nil
		case data.KindMap:
			return data.MapOf(&data.Map{}), nil
		case data.KindDate:
			return data.Moment(0), nil
		default:
			return castInteger(0, v.Kind()), nil
		}
	}
	switch {
	case class == "java.lang.String":
		return data.String(m.with), nil
	case class == "java.util.Date" || v.Kind() == data.KindBool || v.Kind() > data.KindString && class != "java.math.BigDecimal":
		return v, badData("Cannot mask value of type class %s with custom replacement.", class)
	case !m.isNumber && class == "java.math.BigDecimal":
		return v, badData("Unable to convert %s (class java.lang.String) to number", m.with)
	case !m.isNumber:
		return v, badData("Unable to convert %s (class java.lang.String) to a number", m.with)
	case v.Kind() == data.KindDecimal:
		return data.BigDecimal(m.number.Unscaled, int32(m.number.Scale)), nil //nolint:gosec // a scale has 32 bits
	case class == "java.math.BigDecimal":
		return m.decimal(s)
	case v.Kind() == data.KindFloat32:
		return data.Float32(float32(m.number.Float(64))), nil
	case v.Kind() == data.KindFloat64:
		return data.Float64(m.number.Float(64)), nil
	}
	return castInteger(m.number.Long(), v.Kind()), nil
}

// decimal is the replacement with the digits after the point that the schema wants.
func (m *maskField) decimal(s *data.Schema) (data.Value, error) {
	want := decimalOf(s, zero).Scale
	n := new(big.Int).Set(m.number.Unscaled)
	power := new(big.Int).Exp(big.NewInt(10), new(big.Int).Abs(big.NewInt(int64(want-m.number.Scale))), nil)
	if want >= m.number.Scale {
		n.Mul(n, power)
	} else if rest := new(big.Int); true {
		if n.QuoRem(n, power, rest); rest.Sign() != 0 {
			return data.Null(), badData("The replacement %s has more than the %d digits after the point that the field has", m.with, want)
		}
	}
	return data.Decimal(n), nil
}
