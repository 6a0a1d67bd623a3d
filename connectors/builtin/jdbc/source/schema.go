package source

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc/dialect"
	"github.com/sluice-project/sluice/connectors/data"
)

// precisionParameter is the Java connector's parameter of a Decimal's schema.
const precisionParameter = "connect.decimal.precision"

// maxIntegerPrecision is the most digits that fit into an INT64 whatever they are.
const maxIntegerPrecision = 18

// shape is how a row becomes a record's value.
type shape struct {
	schema  *data.Schema
	columns []dialect.Column // one a column of the row; those that are left out are Unsupported
	field   []int            // of a column, its field; -1 where it is left out
	zone    *time.Location
	grain   string
}

// newShape makes a shape of a result's columns. sample is the first row, which says what columns without a type hold.
func (s settings) newShape(name string, columns []dialect.Column, sample []any, log *slog.Logger) *shape {
	out := &shape{schema: &data.Schema{Type: data.KindStruct, Name: name}, columns: columns, zone: s.zone, grain: s.String(granularityKey)}
	mapping := "none"
	if s.Bool(precisionKey) {
		mapping = "precision_only"
	}
	if s.Has(numericKey) {
		mapping = strings.ToLower(s.String(numericKey))
	}
	for i := range columns {
		c := &columns[i]
		if c.Kind == dialect.Any {
			c.Kind = kindOf(sample[i])
		}
		if c.Kind == dialect.Numeric {
			c.Kind = numericKind(*c, mapping)
		}
		schema := out.schemaOf(*c)
		if schema == nil {
			log.Warn("a column has a type that Kafka Connect has none for: it is left out", "column", c.Name, "type", c.Type)
			out.field = append(out.field, -1)
			continue
		}
		out.field = append(out.field, len(out.schema.Fields))
		out.schema.Fields = append(out.schema.Fields, data.Field{Name: c.Name, Schema: schema})
	}
	return out
}

func kindOf(v any) dialect.Kind {
	switch v.(type) {
	case int64:
		return dialect.Int64
	case float64:
		return dialect.Float64
	case []byte:
		return dialect.Bytes
	}
	return dialect.String
}

// numericKind is what numeric.mapping makes of a NUMERIC. One without a precision may have any digits, and stays a
// Decimal, unless best_fit_eager_double takes it for a floating-point number.
func numericKind(c dialect.Column, mapping string) dialect.Kind {
	integer := dialect.Decimal
	if p := c.Precision; p > 0 && p <= maxIntegerPrecision {
		switch {
		case p > 9:
			integer = dialect.Int64
		case p > 4:
			integer = dialect.Int32
		case p > 2:
			integer = dialect.Int16
		default:
			integer = dialect.Int8
		}
	}
	switch {
	case mapping == "none":
	case mapping == "precision_only" && c.Scale == 0, strings.HasPrefix(mapping, "best_fit") && c.Scale <= 0 && c.Precision > 0:
		return integer
	case mapping == "best_fit" && c.Scale > 0 && integer != dialect.Decimal, mapping == "best_fit_eager_double":
		return dialect.Float64
	}
	return dialect.Decimal
}

var kindSchemas = map[dialect.Kind][2]*data.Schema{
	dialect.Bool: {data.BoolSchema, data.OptionalBoolSchema}, dialect.Int8: {data.Int8Schema, data.OptionalInt8Schema},
	dialect.Int16: {data.Int16Schema, data.OptionalInt16Schema}, dialect.Int32: {data.Int32Schema, data.OptionalInt32Schema},
	dialect.Int64: {data.Int64Schema, data.OptionalInt64Schema}, dialect.Float32: {data.Float32Schema, data.OptionalFloat32Schema},
	dialect.Float64: {data.Float64Schema, data.OptionalFloat64Schema}, dialect.String: {data.StringSchema, data.OptionalStringSchema},
	dialect.Bytes: {data.BytesSchema, data.OptionalBytesSchema}, dialect.Date: {data.DateSchema, optional(data.DateSchema)},
	dialect.Time: {data.TimeSchema, optional(data.TimeSchema)},
}

func optional(s *data.Schema) *data.Schema {
	out := *s
	out.Optional = true
	return &out
}

func (s *shape) schemaOf(c dialect.Column) *data.Schema {
	pick := 0
	if c.Nullable {
		pick = 1
	}
	switch c.Kind {
	case dialect.Decimal:
		out := data.DecimalSchema(c.Scale)
		out.Params = append(out.Params, data.Param{Key: precisionParameter, Value: strconv.Itoa(c.Precision)})
		out.Optional = c.Nullable
		return out
	case dialect.Timestamp, dialect.Instant:
		switch s.grain {
		case "connect_logical":
			if c.Nullable {
				return optional(data.TimestampSchema)
			}
			return data.TimestampSchema
		case "micros_long", "nanos_long":
			return kindSchemas[dialect.Int64][pick]
		}
		return kindSchemas[dialect.String][pick]
	}
	return kindSchemas[c.Kind][pick]
}

// value makes a record's value of a row. The struct outlives the row.
func (s *shape) value(row []any) (data.Value, error) {
	out := data.NewStruct(s.schema)
	for i, c := range s.columns {
		if s.field[i] < 0 {
			continue
		}
		v, err := s.cell(c, row[i])
		if err == nil && v.IsNull() && !c.Nullable {
			err = fmt.Errorf("%w: the column %s is null, which it is said never to be", dialect.ErrValue, c.Name)
		}
		if err != nil {
			return data.Null(), connectors.Classify(connectors.DataError, err)
		}
		out.Set(s.field[i], v)
	}
	return data.StructOf(out), nil
}

func (s *shape) cell(c dialect.Column, v any) (data.Value, error) {
	if c.Kind != dialect.Timestamp && c.Kind != dialect.Instant {
		return dialect.Read(c, v)
	}
	t, ok, err := dialect.ReadTime(c, v, s.zone)
	if err != nil || !ok {
		return data.Null(), err
	}
	micros := t.UnixMicro()
	switch s.grain {
	case "micros_long":
		return data.Int64(micros), nil
	case "micros_string":
		return data.String(strconv.FormatInt(micros, 10)), nil
	case "micros_iso_datetime_string":
		return data.String(t.In(s.zone).Format("2006-01-02T15:04:05.000000")), nil
	case "nanos_long":
		return data.Int64(t.UnixNano()), nil
	case "nanos_string":
		return data.String(strconv.FormatInt(t.UnixNano(), 10)), nil
	case "nanos_iso_datetime_string":
		return data.String(t.In(s.zone).Format("2006-01-02T15:04:05.000000000")), nil
	}
	return data.Timestamp(t), nil
}
