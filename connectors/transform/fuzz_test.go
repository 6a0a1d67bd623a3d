package transform_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/connectors/predicate"
	"github.com/sluice-project/sluice/connectors/transform"
)

// FuzzTransforms_AnyConfigIsRefusedOrRuns gives a transform or predicate a config of lines key=value and a record whose
// value is JSON with a schema, or without one. A record that it cannot take must come out as it was.
func FuzzTransforms_AnyConfigIsRefusedOrRuns(f *testing.F) {
	const plain = `{"a":1,"b":{"c":"x","d.e":null},"f":[1.5,"2"],"t":"2024-02-29"}`
	const typed = `{"schema":{"type":"struct","fields":[{"field":"a","type":"int32"},{"field":"b","type":"string","optional":true,"default":"d"},{"field":"t","type":"int64","name":"org.apache.kafka.connect.data.Timestamp"}]},"payload":{"a":1,"b":"x","t":86400000}}`
	all := transform.Builtin()
	for i, conf := range map[string]string{
		"Cast$Value": "spec=a:string,b:int8", "DropHeaders": "headers=h", "ExtractField$Value": "field=b.`d.e`\nfield.syntax.version=V2", "Flatten$Value": "delimiter=_",
		"HeaderFrom$Value": "fields=a\nheaders=x\noperation=move", "HoistField$Value": "field=z", "InsertField$Value": "topic.field=a!\nstatic.field=s?\nstatic.value=v\ntimestamp.field=ts",
		"InsertHeader": "header=h\nvalue.literal={\"a\":[1]}", "MaskField$Value": "fields=a,b\nreplacement=7", "RegexRouter": "regex=(.*)-(?<n>\\\\w)\nreplacement=${n}$1",
		"ReplaceField$Value": "renames=a:z,b:y\nexclude=t", "SetSchemaMetadata$Value": "schema.name=n\nschema.version=2", "TimestampConverter$Value": "field=t\ntarget.type=string\nformat=yyyy-MM-dd\nunix.precision=seconds",
		"TimestampRouter": "topic.format=${topic}-${timestamp}\ntimestamp.format=yyyyMMdd", "ValueToKey": "fields=a,b", "Filter": "",
	} {
		for n, info := range all {
			if strings.HasSuffix(info.Class, "."+i) {
				f.Add(uint8(n), conf, plain)
				f.Add(uint8(n), conf, typed)
			}
		}
	}
	f.Add(uint8(len(all)), "name=h", plain)
	f.Add(uint8(len(all)+2), "pattern=t.*", plain)
	f.Fuzz(func(t *testing.T, which uint8, conf, value string) {
		config := map[string]string{}
		for l := range strings.SplitSeq(conf, "\n") {
			if k, v, ok := strings.Cut(l, "="); ok {
				config[k] = v
			}
		}
		r := record(value)
		if n := int(which) % (len(all) + len(predicate.Builtin())); n >= len(all) {
			p := predicate.Builtin()[n-len(all)].New()
			if p.Configure(config) == nil {
				before := show(r)
				p.Test([]*transform.Record{r}, make([]bool, 1))
				if show(r) != before {
					t.Fatalf("a predicate changed the record:\n%s\n%s", before, show(r))
				}
			}
			return
		}
		info := all[int(which)%(len(all)+len(predicate.Builtin()))]
		tr := info.New()
		if tr.Configure(config) != nil {
			return
		}
		before := show(r)
		out := *r
		tr.Apply(&transform.Batch{Records: []*transform.Record{&out}, Arena: &data.Arena{}})
		if show(r) != before {
			t.Fatalf("%s %q: what was handed in has changed:\n%s\n%s", info.Class, conf, before, show(r))
		}
		var e *transform.Error
		if out.Err != nil && !errors.As(out.Err, &e) {
			t.Fatalf("%s %q: %T %v", info.Class, conf, out.Err, out.Err)
		}
		if out.Err != nil && show(&out) != before {
			t.Fatalf("%s %q: failed with %v, and changed the record:\n%s\n%s", info.Class, conf, out.Err, before, show(&out))
		}
		show(&out)
	})
}

// record has its value from JSON: with a schema where the text has one, without where it is JSON, else as it is.
func record(value string) *transform.Record {
	r := &transform.Record{Topic: "to-pic", Partition: 3, Timestamp: 1_709_164_800_000, Offset: 7, Key: data.String("k"), KeySchema: &data.Schema{Type: data.KindString},
		Value: data.String(value), ValueSchema: &data.Schema{Type: data.KindString},
		Headers: data.Headers{{Key: "h", Value: data.Int32(1), Schema: &data.Schema{Type: data.KindInt32}}}}
	for _, on := range []string{"true", "false"} {
		j := &converter.JSON{}
		if err := j.Configure(map[string]string{"schemas.enable": on}, false); err != nil {
			panic(err)
		}
		if s, v, err := j.ToData("t", []byte(value)); err == nil {
			r.ValueSchema, r.Value = s, v
			break
		}
	}
	return r
}
