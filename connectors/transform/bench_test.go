package transform_test

import (
	"testing"

	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/connectors/transform"
)

// usual is a usual config of each transform.
var usual = map[string]map[string]string{
	"Cast$Value":               {"spec": "id:string,ts:int64"},
	"DropHeaders":              {"headers": "h1"},
	"ExtractField$Value":       {"field": "id"},
	"Filter":                   {},
	"Flatten$Value":            {},
	"HeaderFrom$Value":         {"fields": "id", "headers": "id", "operation": "move"},
	"HoistField$Value":         {"field": "line"},
	"InsertField$Value":        {"topic.field": "topic", "timestamp.field": "at", "static.field": "s", "static.value": "x"},
	"InsertHeader":             {"header": "h", "value.literal": "1"},
	"MaskField$Value":          {"fields": "name"},
	"RegexRouter":              {"regex": "(.*)", "replacement": "x-$1"},
	"ReplaceField$Value":       {"exclude": "name", "renames": "id:key"},
	"SetSchemaMetadata$Value":  {"schema.name": "order"},
	"TimestampConverter$Value": {"field": "ts", "target.type": "string", "format": "yyyy-MM-dd'T'HH:mm:ss.SSSX"},
	"TimestampRouter":          {},
	"ValueToKey":               {"fields": "id"},
}

// thousand is a batch of a thousand records, with a schema or without.
func thousand(schemaless bool) []transform.Record {
	address := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "city", Schema: data.StringSchema}}}
	s := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "id", Schema: data.Int64Schema}, {Name: "name", Schema: data.StringSchema},
		{Name: "ts", Schema: data.TimestampSchema}, {Name: "address", Schema: address}}}
	out := make([]transform.Record, 1000)
	for i := range out {
		r := &out[i]
		r.Topic, r.Timestamp, r.Headers = "orders", 1709211909007, data.Headers{{Key: "h1"}, {Key: "h2"}}
		values := []data.Value{data.Int64(int64(i)), data.String("name"), data.Int64(1709211909007)}
		if schemaless {
			m, a := &data.Map{}, &data.Map{}
			a.Put(data.String("city"), data.String("Oslo"))
			for j, v := range values {
				m.Put(data.String(s.Fields[j].Name), v)
			}
			m.Put(data.String("address"), data.MapOf(a))
			r.Value = data.MapOf(m)
			continue
		}
		st, a := data.NewStruct(s), data.NewStruct(address)
		a.Set(0, data.String("Oslo"))
		for j, v := range values {
			st.Set(j, v)
		}
		st.Set(3, data.StructOf(a))
		r.ValueSchema, r.Value = s, data.StructOf(st)
	}
	return out
}

// rig applies one transform to the same batch again and again.
type rig struct {
	in, work []transform.Record
	batch    transform.Batch
	t        transform.Transform
}

func rigOf(tb testing.TB, name string, schemaless bool) *rig {
	tb.Helper()
	for _, i := range transform.Builtin() {
		if i.Class != "org.apache.kafka.connect.transforms."+name {
			continue
		}
		r := &rig{in: thousand(schemaless), t: i.New(), batch: transform.Batch{Arena: &data.Arena{}}}
		r.work = make([]transform.Record, len(r.in))
		for j := range r.work {
			r.batch.Records = append(r.batch.Records, &r.work[j])
		}
		if err := r.t.Configure(usual[name]); err != nil {
			tb.Fatal(name, err)
		}
		r.apply()
		if err := r.work[0].Err; err != nil && (!schemaless || name != "SetSchemaMetadata$Value") {
			tb.Fatal(name, err)
		}
		return r
	}
	tb.Fatal("no transform ", name)
	return nil
}

func (r *rig) apply() {
	copy(r.work, r.in)
	r.batch.Arena.Reset()
	r.t.Apply(&r.batch)
}

func TestApply_AllocatesNothingPerRecord(t *testing.T) {
	for name := range usual {
		for _, schemaless := range []bool{false, true} {
			if schemaless && name == "SetSchemaMetadata$Value" {
				continue // each record is an error
			}
			r := rigOf(t, name, schemaless)
			if n := testing.AllocsPerRun(20, r.apply); n > 2 {
				t.Errorf("%s, schemaless %v: %.0f allocations for a thousand records", name, schemaless, n)
			}
		}
	}
}

func BenchmarkApply(b *testing.B) {
	for name := range usual {
		b.Run(name, func(b *testing.B) {
			r := rigOf(b, name, false)
			b.ReportAllocs()
			for b.Loop() {
				r.apply()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(r.in)), "ns/record")
		})
	}
}
