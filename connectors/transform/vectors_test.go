package transform_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/connectors/internal/oracle"
	"github.com/sluice-project/sluice/connectors/transform"
)

// vector is a line of the oracle's; integration/compat/oracle says what its members are.
type vector struct {
	Class  string            `json:"c"`
	Config map[string]string `json:"cfg"`
	Def    []definition      `json:"def"`
	Val    [][]*string       `json:"val"`
	CErr   []*string         `json:"cerr"`
	In     *recordJSON       `json:"in"`
	Out    *recordJSON       `json:"out"`
	Drop   bool              `json:"drop"`
	Match  *bool             `json:"match"`
	Err    []*string         `json:"err"`
	oracle.Vector

	line int
	file string
}

type definition struct {
	Name, Type, Importance, Doc string
	Required                    bool
	Default, Valid              *string
}

type recordJSON struct {
	Topic string
	Part  *int32
	TS    *int64 `json:"ts"`
	Off   *int64
	K, V  []json.RawMessage
	H     [][]json.RawMessage
}

// vectors are what the real classes answered.
func vectors(t testing.TB) []*vector {
	t.Helper()
	out, err := readOnce()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var readOnce = sync.OnceValues(func() (out []*vector, err error) {
	err = oracle.Lines("testdata/*.jsonl.gz", func(file string, n int, line []byte) error {
		v := &vector{line: n, file: file}
		out = append(out, v)
		return json.Unmarshal(line, v)
	})
	return out, err
})

// record decodes a record.
func (v *vector) record(j *recordJSON) (*transform.Record, error) {
	r := &transform.Record{Topic: j.Topic, Partition: connectors.NoPartition, Timestamp: connectors.NoTimestamp, Offset: transform.NoOffset}
	if j.Part != nil {
		r.Partition = *j.Part
	}
	if j.TS != nil {
		r.Timestamp = *j.TS
	}
	if j.Off != nil {
		r.Offset = *j.Off
	}
	var err error
	if r.KeySchema, r.Key, err = v.Pair(j.K); err != nil {
		return nil, err
	}
	if r.ValueSchema, r.Value, err = v.Pair(j.V); err != nil {
		return nil, err
	}
	for _, raw := range j.H {
		var h data.Header
		if err := json.Unmarshal(raw[0], &h.Key); err != nil {
			return nil, err
		}
		if h.Schema, h.Value, err = v.Pair(raw[1:]); err != nil {
			return nil, err
		}
		r.Headers = append(r.Headers, h)
	}
	return r, nil
}

// show writes a record so that equal ones are equal texts: entries of maps have no order, and the schema of a
// default is that of its schema.
func show(r *transform.Record) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "topic %q partition %d timestamp %d offset %d\n", r.Topic, r.Partition, r.Timestamp, r.Offset)
	fmt.Fprintf(&b, "key %s\n  %s\nvalue %s\n  %s\n", oracle.ShowSchema(r.KeySchema), oracle.ShowValue(r.Key), oracle.ShowSchema(r.ValueSchema), oracle.ShowValue(r.Value))
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "header %q %s %s\n", h.Key, oracle.ShowSchema(h.Schema), oracle.ShowValue(h.Value))
	}
	return b.String()
}
