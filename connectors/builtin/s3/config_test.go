package s3

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
)

// faults are what validation says, by key.
func faults(p connectors.Plugin, config map[string]string) map[string]string {
	out := map[string]string{}
	for _, v := range p.Config().Validate(config) {
		if len(v.Errors) > 0 {
			out[v.Name] = strings.Join(v.Errors, "; ")
		}
	}
	p.NewSink().(connectors.Checker).Check(config, func(key, message string) {
		if _, said := out[key]; !said {
			out[key] = message
		}
	})
	return out
}

func TestValidate_SaysWhatIsNotSupportedAndWhatIsMissing(t *testing.T) {
	good := map[string]string{"s3.bucket.name": "abc", "format.class": jsonFormat, "flush.size": "1"}
	timed := map[string]string{"partitioner.class": byTime, "partition.duration.ms": "1000", "path.format": "YYYY", "locale": "en", "timezone": "UTC"}
	for _, c := range []struct {
		base  map[string]string
		extra map[string]string
		key   string // "" where nothing is wrong
		words string
	}{
		{good, nil, "", ""},
		{good, map[string]string{"s3.bucket.name": "A"}, "s3.bucket.name", "3 to 63"},
		{good, map[string]string{"format.class": "com.example.Format"}, "format.class", "not supported"},
		{good, map[string]string{"flush.size": "0"}, "flush.size", "at least 1"},
		{good, map[string]string{"store.kafka.keys": "true"}, "store.kafka.keys", "not supported"},
		{good, map[string]string{"behavior.on.null.values": "write"}, "behavior.on.null.values", "not supported: only values are written"},
		{good, map[string]string{"s3.object.tagging": "true"}, "s3.object.tagging", "not tagged"},
		{good, map[string]string{"avro.codec": "bzip2"}, "avro.codec", "snappy"},
		{good, map[string]string{"s3.sse.customer.key": "hidden"}, "s3.sse.customer.key", "not supported"},
		{good, map[string]string{"aws.access.key.id": "x"}, "aws.secret.access.key", "together"},
		{good, map[string]string{"rotate.schedule.interval.ms": "1000"}, "timezone", "time zone"},
		{good, map[string]string{"timezone": "Atlantis"}, "timezone", "Europe/Berlin"},
		{good, map[string]string{"partitioner.class": byField}, "partition.field.name", "fields"},
		{good, map[string]string{"s3.credentials.provider.class": assumeRole}, "s3.credentials.provider.sts.role.arn", "ARN"},
		{good, map[string]string{"transforms": "a, r", "transforms.r.type": "org.apache.kafka.connect.transforms.RegexRouter"}, "topics.dir", "transforms.r.type"},
		{good, timed, "", ""},
		{good, map[string]string{"partitioner.class": byTime}, "path.format", "pattern"},
		{good, map[string]string{"partitioner.class": byHour, "timezone": "UTC"}, "locale", "en-US"},
		{timed, map[string]string{"path.format": "YYYY-ww"}, "path.format", "weeks"},
		{timed, map[string]string{"path.format": "MMM", "locale": "de"}, "locale", "English"},
		{timed, map[string]string{"path.format": "MM", "locale": "de"}, "", ""},
		{timed, map[string]string{"timestamp.extractor": "com.example.Mine"}, "timestamp.extractor", "not supported"},
		{timed, map[string]string{"timestamp.extractor": extractors + "RecordFieldTimestampExtractor"}, "", ""},
	} {
		config := maps.Clone(good)
		maps.Copy(config, c.base)
		maps.Copy(config, c.extra)
		got := faults(Plugins()[0], config)
		if c.key == "" && len(got) > 0 || c.key != "" && !strings.Contains(got[c.key], c.words) {
			t.Errorf("%v: %v, want %s: …%s…", c.extra, got, c.key, c.words)
		}
		if strings.Contains(got[c.key], `"hidden"`) {
			t.Errorf("a secret is said: %s", got[c.key])
		}
	}
	aivenGood := map[string]string{"aws.s3.bucket.name": "abc"}
	for _, c := range []struct {
		extra      map[string]string
		key, words string
	}{
		{nil, "", ""},
		{map[string]string{"file.name.template": "{{key}}"}, "file.name.template", "{{key}} is not supported"},
		{map[string]string{"file.name.template": "{{topic}}-{{partition}}"}, "file.name.template", "start_offset"},
		{map[string]string{"file.name.template": "{{topic}}-{{partition}}-{{start_offset}}-{{timestamp:unit=mm}}"}, "file.name.template", "unit=yyyy"},
		{map[string]string{"file.prefix.template": "x"}, "file.prefix.template", "file.name.template"},
		{map[string]string{"aws_s3_bucket": "x"}, "aws_s3_bucket", "new name"},
		{map[string]string{"format.output.envelope": "false", "format.output.fields": "key,value"}, "format.output.envelope", "one field"},
		{map[string]string{"format.output.type": "parquet", "format.output.fields": "value,headers"}, "format.output.fields", "headers"},
		{map[string]string{"file.compression.type": "lz4"}, "file.compression.type", "ZSTD"},
	} {
		config := maps.Clone(aivenGood)
		maps.Copy(config, c.extra)
		got := faults(Plugins()[1], config)
		if c.key == "" && len(got) > 0 || c.key != "" && !strings.Contains(got[c.key], c.words) {
			t.Errorf("%v: %v, want %s: …%s…", c.extra, got, c.key, c.words)
		}
	}
}

// Each example writes a record that it is made for.
func TestExamples_AreValidAndRun(t *testing.T) {
	files, err := filepath.Glob("../../../examples/s3/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	schema := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "country", Schema: data.StringSchema}, {Name: "placed_at", Schema: data.TimestampSchema}}}
	st := data.NewStruct(schema)
	st.Set(0, data.String("FI"))
	st.Set(1, data.Int64(1_700_000_000_000))
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			config := map[string]string{}
			if err := json.Unmarshal(b, &config); err != nil {
				t.Fatal(err)
			}
			p := Plugins()[0]
			f := newFake(t)
			more := map[string]string{"s3.bucket.name": bucket, "store.url": f.url, "flush.size": "1"}
			if config["connector.class"] == Plugins()[1].Class {
				p, more = Plugins()[1], map[string]string{"aws.s3.bucket.name": bucket, "aws.s3.endpoint": f.url}
			}
			if config["connector.class"] != p.Class {
				t.Fatal(config["connector.class"])
			}
			if got := faults(p, config); len(got) > 0 {
				t.Fatal(got)
			}
			maps.Copy(config, more)
			maps.Copy(config, map[string]string{"aws.access.key.id": "id", "aws.secret.access.key": "secret"})
			sink := begin(t, p, &conformance.SinkContext{Partitions: []connectors.TopicPartition{{Topic: "orders"}}}, config)
			if err := sink.Put(t.Context(), &connectors.SinkBatch{Records: []connectors.SinkRecord{{Topic: "orders", KeySchema: data.StringSchema, Key: data.String("k"), ValueSchema: schema, Value: data.StructOf(st)}}}); err != nil {
				t.Fatal(err)
			}
			if _, err := sink.(connectors.PreCommitter).PreCommit(t.Context(), map[connectors.TopicPartition]int64{{Topic: "orders"}: 1}); err != nil {
				t.Fatal(err)
			}
			if n := len(f.objects(t)); n != 1 {
				t.Errorf("%d objects", n)
			}
		})
	}
}

func TestTimePath_IsAsTheJavaConnectorNamesIt(t *testing.T) {
	berlin, err := zone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	const hour = 3_600_000
	for _, c := range []struct {
		pattern  string
		duration int64
		zone     *time.Location
		at       string
		want     string
	}{
		{"'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH", hour, time.UTC, "2015-12-31T23:59:59Z", "year=2015/month=12/day=31/hour=23"},
		{"'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH", hour, berlin, "2015-12-31T23:59:59Z", "year=2016/month=01/day=01/hour=00"},
		{"'dt'=yyyy-MM-dd", 24 * hour, berlin, "2024-03-31T23:30:00+02:00", "dt=2024-03-31"},
		{"HH-mm", 600_000, berlin, "2024-10-27T01:15:30Z", "02-10"},
		{"MMM/EEE/e", 24 * hour, time.UTC, "2024-02-29T12:00:00Z", "Feb/Thu/4"},
		{"'it''s' yy", hour, time.UTC, "2024-02-29T12:00:00Z", "it's 24"},
	} {
		p, err := newTimePath(c.pattern, c.duration, c.zone)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.of(at.UnixMilli()); got != c.want {
			t.Errorf("%s at %s: %s, want %s", c.pattern, c.at, got, c.want)
		}
	}
}

func TestNextSchedule_CountsFromMidnightOfTheZone(t *testing.T) {
	berlin, _ := zone("Europe/Berlin")
	for _, c := range []struct {
		now   string
		every time.Duration
		zone  *time.Location
		want  string
	}{
		{"2024-05-01T10:20:30Z", 10 * time.Minute, time.UTC, "2024-05-01T10:30:00Z"},
		{"2024-05-01T10:30:00Z", 10 * time.Minute, time.UTC, "2024-05-01T10:40:00Z"},
		{"2024-05-01T20:00:00Z", 7 * time.Hour, time.UTC, "2024-05-01T21:00:00Z"},
		{"2024-05-01T22:00:00Z", 7 * time.Hour, time.UTC, "2024-05-02T00:00:00Z"},
		{"2024-05-01T21:00:00Z", 24 * time.Hour, berlin, "2024-05-01T22:00:00Z"},
	} {
		now, _ := time.Parse(time.RFC3339, c.now)
		if got := nextSchedule(now, c.every, c.zone).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s, every %s: %s, want %s", c.now, c.every, got, c.want)
		}
	}
}

func TestCompatibility_CutsAndProjectsAsItsName(t *testing.T) {
	v1, v2 := versions[0], versions[1]
	bare := &data.Schema{Type: data.KindStruct, Name: "r", Fields: v1.Fields}
	for _, c := range []struct {
		how          compatibility
		record, file *data.Schema
		cuts         bool
		refused      bool
	}{
		{"NONE", v1, v1, false, false}, {"NONE", v2, v1, true, false}, {"NONE", nil, v1, true, false}, {"NONE", nil, nil, false, false},
		{"BACKWARD", v2, v1, true, false}, {"BACKWARD", v1, v2, false, false}, {"FULL", v2, v1, true, false}, {"FULL", v1, v2, false, false},
		{"FORWARD", v2, v1, false, false}, {"FORWARD", v1, v2, true, false},
		{"BACKWARD", bare, v1, false, true}, {"BACKWARD", data.StringSchema, v1, true, true},
		{"BACKWARD", &data.Schema{Type: data.KindStruct, Name: "other", Version: 1, Fields: v1.Fields}, v1, true, false},
	} {
		cuts, err := c.how.cuts(c.record, c.file)
		if (err != nil) != c.refused || err == nil && cuts != c.cuts {
			t.Errorf("%s: %v, %v", c.how, cuts, err)
		}
	}
	st := data.NewStruct(v1)
	st.Set(0, data.String("d"))
	got := compatibility("BACKWARD").project(&connectors.SinkRecord{ValueSchema: v1, Value: data.StructOf(st)}, v2)
	if err := data.Validate(v2, got.Value); err == nil || got.ValueSchema != v2 || got.Value.Struct().Get("dir").Str() != "d" {
		t.Errorf("%#v %v", got.Value, err) // at and id are missing in the record, too
	}
	if v := project(data.Int32(3), data.Int32Schema, data.Float64Schema); v.Float() != 3 {
		t.Errorf("%#v", v)
	}
}

func TestTimestampField_ReadsWhatPeopleWrite(t *testing.T) {
	m := func(v data.Value) *connectors.SinkRecord {
		mm := &data.Map{}
		mm.Put(data.String("at"), v)
		outer := &data.Map{}
		outer.Put(data.String("in"), data.MapOf(mm))
		return &connectors.SinkRecord{Value: data.MapOf(outer)}
	}
	for text, want := range map[string]int64{"1700000000000": 1700000000000, "2023-11-14T22:13:20Z": 1700000000000, "2023-11-14T22:13:20.000+00:00": 1700000000000, "2023-11-14T23:13:20+0100": 1700000000000, "2023-11-14": 1699920000000} {
		if got, err := byTimestampField("in.at")(m(data.String(text)), time.Time{}); err != nil || got != want {
			t.Errorf("%s: %d %v", text, got, err)
		}
	}
	for _, bad := range []*connectors.SinkRecord{m(data.String("soon")), m(data.Bool(true)), m(data.Null()), {Value: data.String("x")}} {
		if _, err := byTimestampField("in.at")(bad, time.Time{}); err == nil {
			t.Errorf("%#v has a time", bad.Value)
		}
	}
}

// A definition that panics is a mistake of the program.
func TestDefs_HaveDocs(t *testing.T) {
	for _, d := range []*configdef.Def{sinkDef(), aivenDef()} {
		for _, k := range d.Keys() {
			if k.Doc == "" {
				t.Error(k.Name)
			}
		}
	}
}
