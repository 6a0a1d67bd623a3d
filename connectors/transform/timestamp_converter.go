package transform

import (
	"errors"
	"math"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/javadate"
)

func timestampConverterInfos() []Info {
	return pair("TimestampConverter", "Converts times between text, Unix numbers and Connect's Date, Time and Timestamp.", timestampConverterDef, func(s side) Transform { return &timestampConverter{side: s} })
}

func timestampConverterDef() *configdef.Def {
	format := text("format", configdef.Text(""), configdef.Medium, "A SimpleDateFormat-compatible format for the timestamp. Used to generate the output when type=string or used to parse the input if the input is a string.")
	format.Validator = configdef.Func("", func(name string, value *string) error {
		if value == nil {
			return nil
		}
		f, err := javadate.New(*value, epoch)
		if err != nil {
			return nil //nolint:nilerr // Kafka Connect finds it when the task starts; so does Configure
		}
		if err := f.Readable(); err != nil {
			return configdef.Invalid(name, *value, err.Error())
		}
		return nil
	})
	return configdef.New().
		Define(text("field", configdef.Text(""), configdef.High, "The field containing the timestamp, or empty if the entire value is a timestamp")).
		Define(valid(required(text("target.type", nil, configdef.High, "The desired timestamp representation: string, unix, Date, Time, or Timestamp")), configdef.In("string", "unix", "Date", "Time", "Timestamp"))).
		Define(format).
		Define(valid(text("unix.precision", configdef.Text("milliseconds"), configdef.Low, "The desired Unix precision for the timestamp: seconds, milliseconds, microseconds, or nanoseconds. Used to generate the output when type=unix or used to parse the input if the input is a Long.Note: This SMT will cause precision loss during conversions from, and to, values with sub-millisecond components."),
			configdef.In("nanoseconds", "microseconds", "milliseconds", "seconds"))).
		Define(replaceNullKey())
}

// timeType is a representation of a time.
type timeType uint8

const (
	timeText timeType = iota + 1
	timeUnix
	timeDate
	timeTime
	timeStamp
)

var timeTypes = map[string]timeType{"string": timeText, "unix": timeUnix, "Date": timeDate, "Time": timeTime, "Timestamp": timeStamp}

type timestampConverter struct {
	side     side
	field    string
	target   timeType
	format   *javadate.Recent // nil for none
	unit     string
	defaults bool
	plans    schemas[*timePlan]
}

// timePlan is the new schema, and the field that is converted (-1 for none) from which type.
type timePlan struct {
	schema *data.Schema
	at     int
	from   timeType
	err    error // where the field has no time's schema
}

func (c *timestampConverter) Configure(config map[string]string) error {
	v, err := timestampConverterDef().Parse(config)
	if err != nil {
		return err
	}
	c.field, c.target, c.unit, c.defaults = v.String("field"), timeTypes[v.String("target.type")], v.String("unix.precision"), v.Bool(replaceNull)
	pattern := v.String("format")
	blank := strings.TrimSpace(pattern) == ""
	if c.target == timeText && blank {
		return errors.New("TimestampConverter requires format option to be specified when using string timestamps")
	}
	if !blank {
		f, err := javadate.New(pattern, clock.Real().Now())
		if err != nil {
			return errors.New("TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: " + pattern)
		}
		c.format = javadate.NewRecent(f)
	}
	return nil
}

func (c *timestampConverter) Apply(b *Batch) { b.each(c.apply) }

func (c *timestampConverter) apply(r *Record, a *data.Arena) error {
	const purpose = "converting timestamp formats"
	s, v := c.side.schema(r), c.side.value(r)
	switch {
	case s == nil && (v.IsNull() || c.field == ""):
		to, err := c.infer(a, v)
		if err == nil {
			c.side.set(r, nil, to)
		}
		return err
	case s == nil:
		m, err := requireMap(nil, v, purpose)
		if err != nil {
			return err
		}
		at, have := m.Index(data.String(c.field)), data.Null()
		if at >= 0 {
			have = m.Entries()[at].Value
		}
		to, err := c.infer(a, have)
		if err != nil {
			return err
		}
		out := a.CopyMap(m, 1)
		if at >= 0 {
			out.SetAt(at, to)
		} else {
			out.Add(data.String(c.field), to)
		}
		c.side.set(r, nil, data.MapOf(out))
		return nil
	case c.field == "":
		from, err := timeOfSchema(s)
		if err != nil {
			return err
		}
		to, err := c.convert(a, s, v, from, true)
		if err == nil {
			c.side.set(r, timeSchema(c.target, s.Optional), to)
		}
		return err
	}
	var st *data.Struct
	if !v.IsNull() {
		var err error
		if st, err = requireStruct(s, v, purpose); err != nil {
			return err
		}
	}
	plan, err := c.plans.get(s, c.compile)
	if err != nil {
		return err
	}
	if st != nil {
		out := a.Struct(plan.schema)
		if err := c.fill(a, out, st, plan); err != nil {
			return err
		}
		v = data.StructOf(out)
	}
	c.side.set(r, plan.schema, v)
	return nil
}

// fill converts one field of a struct and copies the others.
func (c *timestampConverter) fill(a *data.Arena, out, st *data.Struct, plan *timePlan) error {
	for i := range out.Schema().Fields {
		have := field(st, i, c.defaults)
		if i == plan.at {
			if plan.err != nil {
				return plan.err
			}
			var err error
			if have, err = c.convert(a, st.Schema().Fields[i].Schema, have, plan.from, true); err != nil {
				return err
			}
		}
		if err := put(out, i, have); err != nil {
			return err
		}
	}
	return nil
}

func (c *timestampConverter) compile(s *data.Schema) (*timePlan, error) {
	p := &timePlan{at: -1}
	if s.Type != data.KindStruct {
		return nil, badData("Cannot list fields on non-struct type")
	}
	p.schema = basics(s, data.KindStruct)
	for i, f := range s.Fields {
		to := f.Schema
		if f.Name == c.field {
			p.at = i
			p.from, p.err = timeOfSchema(f.Schema)
			to = timeSchema(c.target, f.Schema.Optional)
		}
		if err := addField(p.schema, f.Name, to); err != nil {
			return nil, err
		}
	}
	p.schema.Optional = s.Optional
	if def := s.Default.Struct(); def != nil {
		// The default's own schema has none: a schema that held itself would have no end.
		bare := *p.schema
		out := data.NewStruct(&bare)
		if err := c.fill(&data.Arena{}, out, def, p); err != nil {
			return nil, err
		}
		p.schema.Default = data.StructOf(out)
	}
	return p, nil
}

var timeSchemas = [...][2]*data.Schema{
	timeText:  {data.StringSchema, data.OptionalStringSchema},
	timeUnix:  {data.Int64Schema, data.OptionalInt64Schema},
	timeDate:  {data.DateSchema, {Type: data.KindInt32, Optional: true, Name: data.DateName, Version: 1}},
	timeTime:  {data.TimeSchema, {Type: data.KindInt32, Optional: true, Name: data.TimeName, Version: 1}},
	timeStamp: {data.TimestampSchema, optionalTimestamp},
}

func timeSchema(t timeType, optional bool) *data.Schema {
	if optional {
		return timeSchemas[t][1]
	}
	return timeSchemas[t][0]
}

func timeOfSchema(s *data.Schema) (timeType, error) {
	switch {
	case s.Name == data.TimestampName:
		return timeStamp, nil
	case s.Name == data.DateName:
		return timeDate, nil
	case s.Name == data.TimeName:
		return timeTime, nil
	case s.Type == data.KindString:
		return timeText, nil
	case s.Type == data.KindInt64:
		return timeUnix, nil
	}
	return 0, fail(connectException, "Schema Schema{%s} does not correspond to a known timestamp type format", schemaText(s))
}

// schemaText is how Java shows a schema: its name and type.
func schemaText(s *data.Schema) string {
	if s.Name != "" {
		return s.Name + ":" + s.Type.String()
	}
	return s.Type.String()
}

// infer converts a value whose class says what it is.
func (c *timestampConverter) infer(a *data.Arena, v data.Value) (data.Value, error) {
	switch v.Kind() {
	case data.KindNull:
		return v, nil
	case data.KindDate:
		return c.convert(a, nil, v, timeStamp, false)
	case data.KindInt64:
		return c.convert(a, nil, v, timeUnix, false)
	case data.KindString:
		return c.convert(a, nil, v, timeText, false)
	}
	return v, badData("TimestampConverter does not support class %s objects as timestamps", converter.JavaClass(nil, v))
}

// convert converts one value. typed says that the result has a schema.
func (c *timestampConverter) convert(a *data.Arena, s *data.Schema, v data.Value, from timeType, typed bool) (data.Value, error) {
	if v.IsNull() {
		return v, nil
	}
	var ms int64
	switch from {
	case timeText:
		if v.Kind() != data.KindString {
			return v, badData("Expected string timestamp to be a String, but found class %s", converter.JavaClass(s, v))
		}
		if c.format == nil {
			return v, fail(nullPointer, "TimestampConverter: a text cannot be read without a format")
		}
		var ok bool
		if ms, ok = c.format.Parse(v.Str()); !ok {
			return v, badData("Could not parse timestamp: value (%s) does not match pattern (%s)", v.Str(), c.format)
		}
	case timeUnix:
		if v.Kind() != data.KindInt64 {
			return v, badData("Expected Unix timestamp to be a Long, but found class %s", converter.JavaClass(s, v))
		}
		switch c.unit {
		case "seconds":
			ms = scaled(v.Int(), 1000)
		case "microseconds":
			ms = v.Int() / 1000
		case "nanoseconds":
			ms = v.Int() / 1_000_000
		default:
			ms = v.Int()
		}
	case timeDate:
		ms = v.Int() * msPerDay
	default:
		ms = v.Int()
	}
	return c.moment(a, ms, typed), nil
}

// moment is the moment in the target type.
func (c *timestampConverter) moment(a *data.Arena, ms int64, typed bool) data.Value {
	switch c.target {
	case timeText:
		var buf [64]byte
		return data.String(a.Text(c.format.Append(buf[:0], ms)))
	case timeUnix:
		switch c.unit {
		case "seconds":
			ms /= 1000
		case "microseconds":
			ms = scaled(ms, 1000)
		case "nanoseconds":
			ms = scaled(ms, 1_000_000)
		}
		return data.Int64(ms)
	case timeDate:
		days := ms / msPerDay
		if ms%msPerDay < 0 {
			days--
		}
		if !typed {
			return data.Moment(days * msPerDay)
		}
		return data.Int32(int32(days)) //nolint:gosec // 5.8 million years
	case timeTime:
		of := (ms%msPerDay + msPerDay) % msPerDay
		if !typed {
			return data.Moment(of)
		}
		return data.Int32(int32(of)) //nolint:gosec // less than a day
	default:
		if !typed {
			return data.Moment(ms)
		}
		return data.Int64(ms)
	}
}

// scaled is TimeUnit's conversion to a finer unit, which saturates.
func scaled(n, by int64) int64 {
	switch {
	case n > math.MaxInt64/by:
		return math.MaxInt64
	case n < math.MinInt64/by:
		return math.MinInt64
	}
	return n * by
}
