package transform

import (
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javadate"
	"github.com/sluice-project/sluice/internal/javadecimal"
)

func castInfos() []Info {
	return pair("Cast", "Casts fields, or the whole key or value, to another type.", castDef, func(s side) Transform { return &cast{side: s} })
}

func castDef() *configdef.Def {
	spec := required(configdef.Key{Name: "spec", Type: configdef.List, Importance: configdef.High,
		Doc: "List of fields and the type to cast them to of the form field1:type,field2:type to cast fields of Maps or Structs. A single type to cast the entire value. Valid types are int8, int16, int32, int64, float32, float64, boolean, and string. Note that binary fields can only be cast to string."})
	spec.Validator = configdef.Func("list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>", func(_ string, value *string) error {
		if value == nil || *value == "" {
			return errors.New("Must specify at least one field to cast.")
		}
		_, _, err := parseCasts(strings.Split(*value, ","))
		return err
	})
	return configdef.New().Define(spec).Define(replaceNullKey())
}

const castTypeNames = "INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING"

// parseCasts reads the spec: a kind for each field, or one for the whole value.
func parseCasts(spec []string) (fields map[string]data.Kind, whole data.Kind, err error) {
	fields = map[string]data.Kind{}
	for _, mapping := range spec {
		parts := split(strings.TrimSpace(mapping))
		if len(parts) > 2 || len(parts) == 0 {
			shown := strings.Join(spec, ",")
			return nil, 0, configdef.Invalid("renames", configdef.Shown(&shown), "Invalid rename mapping: "+mapping)
		}
		name := strings.TrimSpace(parts[len(parts)-1])
		kind := data.KindNull
		for k := data.KindInt8; k <= data.KindStruct; k++ {
			if k.String() == strings.ToUpper(name) {
				kind = k
			}
		}
		switch {
		case kind == data.KindNull:
			// Kafka Connect mixes up key and value here.
			return nil, 0, configdef.Invalid("Invalid type found in casting spec: "+name, "java.lang.IllegalArgumentException: No enum constant org.apache.kafka.connect.data.Schema.Type."+strings.ToUpper(name), "")
		case kind > data.KindString:
			return nil, 0, errors.New("Cast transformation does not support casting to " + kind.String() + "; supported types are [" + castTypeNames + "]")
		case len(parts) == 1:
			whole = kind
		default:
			fields[strings.TrimSpace(parts[0])] = kind
		}
	}
	if whole != 0 && len(spec) > 1 {
		return nil, 0, errors.New("Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec")
	}
	return fields, whole, nil
}

type cast struct {
	side     side
	fields   map[string]data.Kind
	names    []string // of fields, in the order of the spec
	whole    data.Kind
	defaults bool
	plans    schemas[castPlan]
}

// castPlan is what becomes of a schema, and the kind that each field is cast to.
type castPlan struct {
	schema *data.Schema
	to     []data.Kind
}

func (c *cast) Configure(config map[string]string) error {
	v, err := castDef().Parse(config)
	if err != nil {
		return err
	}
	c.defaults = v.Bool(replaceNull)
	c.fields, c.whole, err = parseCasts(v.List("spec"))
	for _, m := range v.List("spec") {
		if name := strings.TrimSpace(split(m)[0]); c.whole == 0 {
			c.names = append(c.names, name)
		}
	}
	return err
}

func (c *cast) Apply(b *Batch) { b.each(c.apply) }

func (c *cast) apply(r *Record, a *data.Arena) error {
	s, v := c.side.schema(r), c.side.value(r)
	switch {
	case v.IsNull():
		return nil
	case s == nil && c.whole != 0:
		to, err := castValue(a, nil, v, c.whole)
		if err != nil {
			return err
		}
		c.side.set(r, nil, to)
		return nil
	case s == nil:
		m, err := requireMap(nil, v, "cast types")
		if err != nil {
			return err
		}
		out := a.CopyMap(m, len(c.names))
		for _, name := range c.names {
			have, _ := m.Get(data.String(name))
			to, err := castValue(a, nil, have, c.fields[name])
			if err != nil {
				return err
			}
			out.Put(data.String(name), to)
		}
		c.side.set(r, nil, data.MapOf(out))
		return nil
	}
	plan, err := c.plans.get(s, c.compile)
	if err != nil {
		return err
	}
	if c.whole != 0 {
		to, err := castValue(a, s, v, c.whole)
		if err != nil {
			return err
		}
		c.side.set(r, plan.schema, to)
		return nil
	}
	st, err := requireStruct(s, v, "cast types")
	if err != nil {
		return err
	}
	out := a.Struct(plan.schema)
	for i, to := range plan.to {
		have := field(st, i, c.defaults)
		if to != 0 {
			if have, err = castValue(a, s.Fields[i].Schema, have, to); err != nil {
				return err
			}
		}
		if err := put(out, i, have); err != nil {
			return err
		}
	}
	c.side.set(r, plan.schema, data.StructOf(out))
	return nil
}

func (c *cast) compile(s *data.Schema) (castPlan, error) {
	var p castPlan
	forever := &data.Arena{} // defaults live as long as the schema
	if c.whole != 0 {
		p.schema = basics(s, c.whole)
	} else {
		if s.Type != data.KindStruct {
			return p, badData("Cannot list fields on non-struct type")
		}
		p.schema = basics(s, data.KindStruct)
		for _, f := range s.Fields {
			to := c.fields[f.Name]
			p.to = append(p.to, to)
			made := f.Schema
			if to != 0 {
				made = &data.Schema{Type: to, Optional: f.Schema.Optional}
				if d := f.Schema.Default; !d.IsNull() {
					v, err := castValue(forever, f.Schema, d, to)
					if err != nil {
						return p, err
					}
					made.Default = v
				}
			}
			if err := addField(p.schema, f.Name, made); err != nil {
				return p, err
			}
		}
	}
	p.schema.Optional = s.Optional
	if !s.Default.IsNull() {
		v, err := castValue(forever, s, s.Default, p.schema.Type)
		if err != nil {
			return p, err
		}
		if err := setDefault(p.schema, v); err != nil {
			return p, err
		}
		if c.whole != 0 && logical(s) {
			// The name stays, and Java's object of that name is another than what it was cast to.
			return p, fail(builderException, "Invalid default value")
		}
	}
	return p, nil
}

// castValue is Cast.castValueToType. s is nil for schemaless data.
func castValue(a *data.Arena, s *data.Schema, v data.Value, to data.Kind) (data.Value, error) {
	if v.IsNull() {
		return v, nil
	}
	from := v.Kind()
	if s != nil {
		from = s.Type
	}
	switch {
	case from == data.KindDate, from == data.KindDecimal:
		return v, badData("Cast transformation was passed a value of type class %s which is not supported by Connect's data API", converter.JavaClass(nil, v))
	case from > data.KindBytes:
		return v, badData("Cast transformation does not support casting from %s; supported types are [%s, BYTES]", from, castTypeNames)
	case to > data.KindString || to == data.KindNull:
		return v, badData("%s is not supported in the Cast transformation.", to)
	case to == data.KindString:
		return castString(a, s, v), nil
	}
	if from == data.KindBytes && s != nil && s.Name == data.DecimalName {
		return castDecimal(decimalOf(s, v), to), nil
	}
	switch v.Kind() {
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
		return castInteger(v.Int(), to), nil
	case data.KindBool:
		if v.Bool() {
			return castInteger(1, to), nil
		}
		return castInteger(0, to), nil
	case data.KindFloat32, data.KindFloat64:
		return castFloat(v.Float(), to), nil
	case data.KindString:
		out, ok := castText(v.Str(), to)
		if !ok {
			return v, badData("Value (%s) was out of range for requested data type", v.Str())
		}
		return out, nil
	}
	return v, badData("Unexpected type in Cast transformation: class %s", converter.JavaClass(nil, v))
}

func castInteger(n int64, to data.Kind) data.Value {
	switch to {
	case data.KindInt8:
		return data.Int8(int8(n)) //nolint:gosec // Java narrows so
	case data.KindInt16:
		return data.Int16(int16(n)) //nolint:gosec // Java narrows so
	case data.KindInt32:
		return data.Int32(int32(n)) //nolint:gosec // Java narrows so
	case data.KindFloat32:
		return data.Float32(float32(n))
	case data.KindFloat64:
		return data.Float64(float64(n))
	case data.KindBool:
		return data.Bool(n != 0)
	default:
		return data.Int64(n)
	}
}

func castFloat(f float64, to data.Kind) data.Value {
	switch to {
	case data.KindFloat32:
		return data.Float32(float32(f))
	case data.KindFloat64:
		return data.Float64(f)
	case data.KindInt64, data.KindBool:
		return castInteger(javadecimal.Saturate(f, math.MinInt64, math.MaxInt64), to)
	default: // by way of an int
		return castInteger(javadecimal.Saturate(f, math.MinInt32, math.MaxInt32), to)
	}
}

func castDecimal(d javadecimal.Decimal, to data.Kind) data.Value {
	switch to {
	case data.KindFloat32:
		return data.Float32(float32(d.Float(32)))
	case data.KindFloat64:
		return data.Float64(d.Float(64))
	default:
		return castInteger(d.Long(), to)
	}
}

func castText(s string, to data.Kind) (data.Value, bool) {
	bits := 64
	switch to {
	case data.KindBool:
		return data.Bool(strings.EqualFold(s, "true")), true
	case data.KindFloat32:
		f, ok := parseFloat(s, 32)
		return data.Float32(float32(f)), ok
	case data.KindFloat64:
		f, ok := parseFloat(s, 64)
		return data.Float64(f), ok
	case data.KindInt8:
		bits = 8
	case data.KindInt16:
		bits = 16
	case data.KindInt32:
		bits = 32
	}
	n, ok := parseInteger(s, bits)
	return castInteger(n, to), ok
}

// castString writes dates as SimpleHeaderConverter does, bytes as base64, the rest as Java's toString.
func castString(a *data.Arena, s *data.Schema, v data.Value) data.Value {
	var buf [64]byte
	dst := buf[:0]
	if s != nil {
		switch s.Name {
		case data.DateName:
			return data.String(a.Text(appendDate(dst, v.Int()*msPerDay)))
		case data.TimeName, data.TimestampName:
			return data.String(a.Text(appendDate(dst, v.Int())))
		case data.DecimalName:
			if v.Kind() == data.KindBytes {
				return data.String(decimalOf(s, v).String())
			}
		}
	}
	switch v.Kind() {
	case data.KindString:
		return v
	case data.KindBytes:
		return data.String(a.Text(base64.StdEncoding.AppendEncode(dst, v.Bytes())))
	default:
		return data.String(a.Text(converter.AppendText(dst, v)))
	}
}

const msPerDay = 86_400_000

var (
	isoTime  = isoFormat("HH:mm:ss.SSS'Z'")
	isoDate  = isoFormat("yyyy-MM-dd")
	isoStamp = isoFormat("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
)

// appendDate is Values.dateFormatFor, in UTC.
func appendDate(dst []byte, ms int64) []byte {
	switch {
	case ms < msPerDay:
		return isoTime.Append(dst, ms)
	case ms%msPerDay == 0:
		return isoDate.Append(dst, ms)
	}
	return isoStamp.Append(dst, ms)
}

var epoch = time.Unix(0, 0)

// isoFormat makes a format without years of two digits.
func isoFormat(pattern string) *javadate.Format {
	f, err := javadate.New(pattern, epoch)
	if err != nil {
		panic(err) // a mistake of the program
	}
	return f
}
