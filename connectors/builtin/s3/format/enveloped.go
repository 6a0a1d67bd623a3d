package format

import (
	"fmt"
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
