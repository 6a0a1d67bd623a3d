package format

import (
	"encoding/base64"
	"fmt"
	"io"
	"strconv"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
)

// Lines are formats in which a file is its records, one after the other.
type Lines struct {
	// Ext is the extension.
	Ext string
	// Open stands at the beginning of a file, Close at its end, Between between records, After after each.
	Open, Close, Between, After string
	// Encoder makes what appends one record; each file has its own.
	Encoder func() (Append, error)
}

// Append appends one record's text to dst.
type Append func(dst []byte, r *connectors.SinkRecord) ([]byte, error)

// Extension implements Format.
func (l Lines) Extension() string { return l.Ext }

// New implements Format.
func (l Lines) New(w io.Writer, _ *data.Schema) (Writer, error) {
	enc, err := l.Encoder()
	if err != nil {
		return nil, err
	}
	return &lines{Lines: l, w: w, encode: enc}, nil
}

type lines struct {
	Lines
	w      io.Writer
	encode Append
	buf    []byte
	begun  bool
}

// maxKept is how much memory is kept for the next record, in bytes.
const maxKept = 64 << 10

func (l *lines) Write(r *connectors.SinkRecord) (int, error) {
	before := l.Between
	if !l.begun {
		before = l.Open
	}
	buf, err := l.encode(append(l.buf[:0], before...), r)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrData, err)
	}
	buf = append(buf, l.After...)
	_, err = l.w.Write(buf)
	l.begun = true
	if l.buf = buf; cap(buf) > maxKept {
		l.buf = nil
	}
	return len(buf) - len(before), err
}

func (l *lines) Flush() error { return nil }
func (l *lines) Held() int64  { return 0 }

func (l *lines) Close() error {
	if l.Lines.Close == "" {
		return nil
	}
	_, err := io.WriteString(l.w, l.Lines.Close)
	return err
}

// JSON is one JSON value a line, as io.confluent.connect.s3.format.json.JsonFormat writes it. numeric has decimals as
// numbers, else they are base64.
func JSON(numeric bool) Format {
	return Lines{Ext: ".json", After: "\n", Encoder: func() (Append, error) {
		j, err := jsonConverter(numeric)
		if err != nil {
			return nil, err
		}
		return func(dst []byte, r *connectors.SinkRecord) ([]byte, error) {
			return appendJSON(dst, j, r.ValueSchema, r.Value)
		}, nil
	}}
}

func jsonConverter(numeric bool) (*converter.JSON, error) {
	config := map[string]string{"schemas.enable": "false"}
	if numeric {
		config["decimal.format"] = "NUMERIC"
	}
	j := &converter.JSON{}
	return j, j.Configure(config, false)
}

func appendJSON(dst []byte, j *converter.JSON, s *data.Schema, v data.Value) ([]byte, error) {
	out, null, err := j.FromData(dst, "", s, v)
	if null {
		return append(dst, "null"...), nil
	}
	return out, err
}

// Bytes is the records' values as they are, each followed by a separator, as
// io.confluent.connect.s3.format.bytearray.ByteArrayFormat writes them.
func Bytes(extension, separator string) Format {
	return Lines{Ext: extension, After: separator, Encoder: func() (Append, error) {
		return func(dst []byte, r *connectors.SinkRecord) ([]byte, error) {
			if k := r.Value.Kind(); k != data.KindBytes && k != data.KindNull {
				return dst, fmt.Errorf("its value is of type %s: raw bytes need value.converter=org.apache.kafka.connect.converters.ByteArrayConverter", k)
			}
			return append(dst, r.Value.Bytes()...), nil
		}, nil
	}}
}

// Field is what of a record goes into a file of Aiven's formats.
type Field string

// The fields.
const (
	Key       Field = "key"
	Value     Field = "value"
	Offset    Field = "offset"
	Timestamp Field = "timestamp"
	Headers   Field = "headers"
)

// CSV is the fields, between commas, one record a line. Keys, headers and, where asked for, values are base64.
func CSV(fields []Field, base64Value bool) Format {
	return Lines{After: "\n", Encoder: func() (Append, error) {
		return func(dst []byte, r *connectors.SinkRecord) (_ []byte, err error) {
			for i, f := range fields {
				if i > 0 {
					dst = append(dst, ',')
				}
				if dst, err = appendCell(dst, f, r, base64Value); err != nil {
					return dst, err
				}
			}
			return dst, nil
		}, nil
	}}
}

func appendCell(dst []byte, f Field, r *connectors.SinkRecord, base64Value bool) ([]byte, error) {
	text := func(what string, v data.Value, encode bool) ([]byte, error) {
		if k := v.Kind(); k != data.KindBytes && k != data.KindString && k != data.KindNull {
			return dst, fmt.Errorf("%s is of type %s: csv takes BYTES and STRING, as ByteArrayConverter and StringConverter make them", what, k)
		}
		if encode {
			return base64.StdEncoding.AppendEncode(dst, v.Raw()), nil
		}
		return append(dst, v.Raw()...), nil
	}
	switch f {
	case Key:
		return text("its key", r.Key, true)
	case Value:
		return text("its value", r.Value, base64Value)
	case Offset:
		return strconv.AppendInt(dst, r.Offset, 10), nil
	case Timestamp:
		if r.Timestamp == connectors.NoTimestamp {
			return dst, nil
		}
		return strconv.AppendInt(dst, r.Timestamp, 10), nil
	}
	for i := range r.Headers {
		h := &r.Headers[i]
		dst = append(base64.StdEncoding.AppendEncode(dst, []byte(h.Key)), ':')
		out, err := text(fmt.Sprintf("its header %q", h.Key), h.Value, true)
		if err != nil {
			return dst, err
		}
		dst = append(out, ';')
	}
	return dst, nil
}
