package format

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
)

// Objects is JSON of the fields: an object a record, or, without the envelope, the one field alone. A file is one value a
// line, or one array. The extension is none: the template of names has it.
func Objects(fields []Field, envelope, array bool) Format {
	l := Lines{After: "\n"}
	if array {
		l = Lines{Open: "[\n", Between: ",\n", Close: "\n]"}
	}
	l.Encoder = func() (Append, error) {
		j, err := jsonConverter(false)
		if err != nil {
			return nil, err
		}
		return func(dst []byte, r *connectors.SinkRecord) (_ []byte, err error) {
			if !envelope {
				return appendField(dst, j, fields[0], r)
			}
			for i, f := range fields {
				if i == 0 {
					dst = append(dst, '{')
				} else {
					dst = append(dst, ',')
				}
				dst = append(append(append(dst, '"'), f...), '"', ':')
				if dst, err = appendField(dst, j, f, r); err != nil {
					return dst, err
				}
			}
			return append(dst, '}'), nil
		}, nil
	}
	return l
}

func appendField(dst []byte, j *converter.JSON, f Field, r *connectors.SinkRecord) ([]byte, error) {
	switch f {
	case Key:
		return appendJSON(dst, j, r.KeySchema, r.Key)
	case Value:
		return appendJSON(dst, j, r.ValueSchema, r.Value)
	case Offset:
		return fmt.Append(dst, r.Offset), nil
	case Timestamp:
		if r.Timestamp == connectors.NoTimestamp {
			return append(dst, "null"...), nil
		}
		return append(appendInstant(append(dst, '"'), r.Timestamp), '"'), nil
	}
	dst = append(dst, '[')
	for i := range r.Headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		h := &r.Headers[i]
		key, err := appendJSON(append(dst, `{"key":`...), j, nil, data.String(h.Key))
		if err != nil {
			return dst, err
		}
		if dst, err = appendJSON(append(key, `,"value":`...), j, h.Schema, h.Value); err != nil {
			return dst, err
		}
		dst = append(dst, '}')
	}
	return append(dst, ']'), nil
}

// appendInstant writes a time as Java's DateTimeFormatter.ISO_INSTANT: with milliseconds where there are any.
func appendInstant(dst []byte, ms int64) []byte {
	layout := "2006-01-02T15:04:05Z"
	if ms%1000 != 0 {
		layout = "2006-01-02T15:04:05.000Z"
	}
	return time.UnixMilli(ms).UTC().AppendFormat(dst, layout)
}

// Enveloped is a format of STRUCTs whose records have the fields, without headers: for Avro and Parquet.
func Enveloped(f Format, fields []Field) Format { return enveloped{f, fields} }

type enveloped struct {
	Format
	fields []Field
}

// New implements Format. The file itself is begun with the first record, which brings the key's schema.
func (e enveloped) New(w io.Writer, _ *data.Schema) (Writer, error) {
	return &enveloping{enveloped: e, w: w}, nil
}

type enveloping struct {
	enveloped
	w      io.Writer
	in     Writer // nil before the first record
	key    *data.Schema
	schema *data.Schema
}

func (e *enveloping) Write(r *connectors.SinkRecord) (int, error) {
	if e.in == nil {
		if err := e.begin(r); err != nil {
			return 0, err
		}
	}
	if !data.SameSchema(e.key, r.KeySchema) && slices.Contains(e.fields, Key) {
		return 0, fmt.Errorf("%w: its key has another schema than those before it in the file", ErrData)
	}
	st := data.NewStruct(e.schema)
	for i, f := range e.fields {
		switch f {
		case Key:
			st.Set(i, r.Key)
		case Value:
			st.Set(i, r.Value)
		case Offset:
			st.Set(i, data.Int64(r.Offset))
		case Timestamp:
			if r.Timestamp != connectors.NoTimestamp {
				st.Set(i, data.Int64(r.Timestamp))
			}
		}
	}
	out := *r
	out.ValueSchema, out.Value = e.schema, data.StructOf(st)
	return e.in.Write(&out)
}

func (e *enveloping) begin(r *connectors.SinkRecord) error {
	schema := &data.Schema{Type: data.KindStruct}
	for _, f := range e.fields {
		s := map[Field]*data.Schema{Key: r.KeySchema, Value: r.ValueSchema, Offset: data.Int64Schema, Timestamp: data.OptionalInt64Schema}[f]
		if s == nil {
			return fmt.Errorf("%w: its %s has no schema, which Avro and Parquet need (JsonConverter: schemas.enable=true)", ErrData, f)
		}
		schema.Fields = append(schema.Fields, data.Field{Name: string(f), Schema: s})
	}
	in, err := e.Format.New(e.w, schema)
	if err == nil {
		e.in, e.key, e.schema = in, r.KeySchema, schema
	}
	return err
}

func (e *enveloping) Held() int64 {
	if e.in == nil {
		return 0
	}
	return e.in.Held()
}

func (e *enveloping) Flush() error {
	if e.in == nil {
		return nil
	}
	return e.in.Flush()
}

func (e *enveloping) Close() error {
	if e.in == nil {
		return nil
	}
	return e.in.Close()
}
