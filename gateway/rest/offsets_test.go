package rest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func (c *controlPlane) AlterConnectorOffsets(_ context.Context, r *sluicev1.AlterConnectorOffsetsRequest) (*sluicev1.AlterConnectorOffsetsResponse, error) {
	c.calls = append(c.calls, r)
	return &sluicev1.AlterConnectorOffsetsResponse{Message: "done <&>"}, nil
}

func (c *controlPlane) ResetConnectorOffsets(context.Context, *sluicev1.ResetConnectorOffsetsRequest) (*sluicev1.ResetConnectorOffsetsResponse, error) {
	return &sluicev1.ResetConnectorOffsetsResponse{Message: "gone"}, nil
}

func (c *controlPlane) GetConnectorOffsets(context.Context, *sluicev1.GetConnectorOffsetsRequest) (*sluicev1.GetConnectorOffsetsResponse, error) {
	p, o := `{"topic":"<ä>","n":1}`, `{"lsn":9007199254740993,"d":1.0E10,"x":100.0}`
	return &sluicev1.GetConnectorOffsetsResponse{Offsets: []*sluicev1.PartitionOffset{{Partition: &p, Offset: &o}, {Partition: &p}}}, nil
}

func (c *controlPlane) GetConnectorTopics(_ context.Context, r *sluicev1.GetConnectorTopicsRequest) (*sluicev1.GetConnectorTopicsResponse, error) {
	out := &sluicev1.GetConnectorTopicsResponse{Name: r.GetName()}
	if r.GetName() != "none" {
		out.Topics = []string{"t", "u"}
	}
	return out, nil
}

func (c *controlPlane) ResetConnectorTopics(context.Context, *sluicev1.ResetConnectorTopicsRequest) (*sluicev1.ResetConnectorTopicsResponse, error) {
	return &sluicev1.ResetConnectorTopicsResponse{}, nil
}

func TestOffsetsAndTopics_AnswerAsKafkaConnectAndKeepTheDigits(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"GET", "/connectors/a/offsets", "", 200, `{"offsets":[{"partition":{"topic":"<ä>","n":1},"offset":{"lsn":9007199254740993,"d":1.0E10,"x":100.0}},{"partition":{"topic":"<ä>","n":1},"offset":null}]}`},
		{"PATCH", "/connectors/a/offsets", `{"offsets":[{}]}`, 200, `{"message":"done <&>"}`},
		{"DELETE", "/connectors/a/offsets", "", 200, `{"message":"gone"}`},
		{"GET", "/connectors/a/topics/", "", 200, `{"a":{"topics":["t","u"]}}`},
		{"GET", "/connectors/none/topics", "", 200, `{"none":{"topics":[]}}`},
		{"PUT", "/connectors/a/topics/reset", "", 202, ""},
	} {
		_, base := serve(t)
		given := ""
		if c.body != "" {
			given = "application/json"
		}
		resp, body := call(t, c.method, base+c.path, given, c.body) //nolint:bodyclose // call read and closed it
		if resp.StatusCode != c.code || body != c.want {
			t.Errorf("%s %s: %d %s\nwant %d %s", c.method, c.path, resp.StatusCode, body, c.code, c.want)
		}
	}
}

func TestAlterOffsets_BodiesReachTheControlPlaneAsTheyAreWritten(t *testing.T) {
	str := func(s string) *string { return &s }
	for _, c := range []struct {
		body string
		want []*sluicev1.PartitionOffset
	}{
		{`{}`, nil},
		{`{"offsets":null}`, nil},
		{`{"offsets":[]}`, nil},
		{`{"offsets":[{}]}`, []*sluicev1.PartitionOffset{{}}},
		{`{"offsets":[{"partition": { "f" : "a b" } ,"offset":{"lsn": 9007199254740993, "z":1.50}},{"partition":null,"offset":null}]}`,
			[]*sluicev1.PartitionOffset{{Partition: str(`{"f":"a b"}`), Offset: str(`{"lsn":9007199254740993,"z":1.50}`)}, {}}},
	} {
		cp, base := serve(t)
		resp, body := call(t, "PATCH", base+"/connectors/a/offsets", "application/json", c.body) //nolint:bodyclose // call read and closed it
		if resp.StatusCode != 200 || len(cp.calls) != 1 {
			t.Fatalf("%s: %d %s", c.body, resp.StatusCode, body)
		}
		r := cp.calls[0].(*sluicev1.AlterConnectorOffsetsRequest)
		same := func(a, b *sluicev1.PartitionOffset) bool {
			return cmp.Equal(a.Partition, b.Partition) && cmp.Equal(a.Offset, b.Offset)
		}
		if r.GetName() != "a" || !cmp.Equal(c.want, r.GetOffsets(), cmp.Comparer(same)) {
			t.Errorf("%s: %v", c.body, r)
		}
	}
}

func TestAlterOffsets_BadBodiesAreRefusedWithTheirPlace(t *testing.T) {
	const one = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset"
	for body, want := range map[string]string{
		``:                                "the body is empty: a JSON object is needed",
		`{bad`:                            "the body is not valid JSON",
		`[]`:                              "the body must be an object",
		`null`:                            "the body must be an object",
		`{"offsets":{}}`:                  `"offsets" must be a list`,
		`{"offsets":["x"]}`:               "offsets[0] must be an object",
		`{"offsets":[null]}`:              "offsets[0] is null",
		`{"offsets":[{},{"zz":1}]}`:       `Unrecognized field "zz" (class ` + one + `), not marked as ignorable (2 known properties: "partition", "offset")`,
		`{"offsets":[{}],"zz":1}`:         `Unrecognized field "zz" (class ` + one + `s), not marked as ignorable (one known property: "offsets")`,
		`{"offsets":[{"partition":"x"}]}`: "offsets[0].partition must be an object or null",
		`{"offsets":[{"offset":[1]}]}`:    "offsets[0].offset must be an object or null",
		"{\"offsets\":[{\"partition\":{\"a\":\"\xff\"}}]}": "the body is not valid UTF-8: byte 32",
		`{"offsets":[{}]} {}`:                              "there is more after the JSON value",
	} {
		cp, base := serve(t)
		resp, got := call(t, "PATCH", base+"/connectors/a/offsets", "application/json", body) //nolint:bodyclose // call read and closed it
		if resp.StatusCode != 400 || !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), want) || len(cp.calls) > 0 {
			t.Errorf("%s: %d %s\nwant %s", body, resp.StatusCode, got, want)
		}
	}
}
