package s3

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

// partitioner says into which directory of its topic a record goes. at is the record's time in Unix milliseconds, where
// there is an extractor. Not safe for concurrent use.
type partitioner func(r *connectors.SinkRecord, at int64) (string, error)

// extract says a record's time, in Unix milliseconds.
type extract func(r *connectors.SinkRecord, now time.Time) (int64, error)

func kafkaPartition() partitioner {
	var last int32 = -1
	var text string
	return func(r *connectors.SinkRecord, _ int64) (string, error) {
		if r.Partition != last {
			last, text = r.Partition, "partition="+strconv.Itoa(int(r.Partition))
		}
		return text, nil
	}
}

func timed(p *timePath) partitioner {
	return func(_ *connectors.SinkRecord, at int64) (string, error) { return p.of(at), nil }
}

func fields(names []string, delim string) partitioner {
	return func(r *connectors.SinkRecord, _ int64) (string, error) {
		if r.Value.Kind() != data.KindStruct {
			return "", fmt.Errorf("it has no directory: FieldPartitioner takes STRUCTs, and the value is of type %s", r.Value.Kind())
		}
		var out strings.Builder
		for i, name := range names {
			if i > 0 {
				out.WriteString(delim)
			}
			v, s, ok := fieldOf(r, name)
			if !ok {
				return "", fmt.Errorf("it has no directory: the field %q of partition.field.name is not in its schema", name)
			}
			out.WriteString(name)
			out.WriteByte('=')
			switch v.Kind() {
			case data.KindNull:
				out.WriteString("null")
			case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
				out.WriteString(strconv.FormatInt(v.Int(), 10))
			case data.KindString:
				out.WriteString(v.Str())
			case data.KindBool:
				out.WriteString(strconv.FormatBool(v.Bool()))
			default:
				return "", fmt.Errorf("it has no directory: the field %q of partition.field.name is of type %s; integers, STRING and BOOLEAN have one", name, s.Type)
			}
		}
		return out.String(), nil
	}
}

// fieldOf is a field of the value, by a path with dots; ok is false where there is none.
func fieldOf(r *connectors.SinkRecord, path string) (v data.Value, s *data.Schema, ok bool) {
	v, s = r.Value, r.ValueSchema
	for step := range strings.SplitSeq(path, ".") {
		switch v.Kind() {
		case data.KindStruct:
			i := v.Struct().Schema().FieldIndex(step)
			if i < 0 {
				return v, s, false
			}
			s, v = v.Struct().Schema().Fields[i].Schema, v.Struct().At(i)
		case data.KindMap:
			if v, ok = v.Map().Get(data.String(step)); !ok {
				return v, s, false
			}
			s = nil
		case data.KindNull: // below a null there are nulls
		default:
			return v, s, false
		}
	}
	return v, s, true
}

func byWallclock(_ *connectors.SinkRecord, now time.Time) (int64, error) { return now.UnixMilli(), nil }

func byTimestamp(r *connectors.SinkRecord, _ time.Time) (int64, error) {
	if r.Timestamp == connectors.NoTimestamp {
		return 0, fmt.Errorf("it has no timestamp, and timestamp.extractor=Record wants one")
	}
	return r.Timestamp, nil
}

func byTimestampField(name string) extract {
	return func(r *connectors.SinkRecord, _ time.Time) (int64, error) {
		v, s, ok := fieldOf(r, name)
		if !ok {
			return 0, fmt.Errorf("it has no field %q, which timestamp.field names", name)
		}
		switch v.Kind() {
		case data.KindInt32, data.KindInt64, data.KindInt8, data.KindInt16, data.KindDate:
			return v.Int(), nil
		case data.KindFloat64, data.KindFloat32:
			if s == nil {
				return int64(v.Float()), nil
			}
		case data.KindString:
			if ms, ok := isoTime(v.Str()); ok {
				return ms, nil
			}
			return 0, fmt.Errorf("its field %q of timestamp.field, %q, is no time as ISO 8601 writes it, nor milliseconds", name, v.Str())
		}
		return 0, fmt.Errorf("its field %q of timestamp.field is of type %s: milliseconds, a Timestamp or a text are needed", name, v.Kind())
	}
}

// layouts are the forms of ISO 8601 that are read. Without a zone it is UTC.
var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", time.DateOnly, "2006-01", "2006"}

func isoTime(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil {
			return t.UnixMilli(), true
		}
	}
	return 0, false
}
