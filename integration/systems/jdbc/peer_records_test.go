//go:build integration

package jdbc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	partitions = 8
	// keys is how many there are, each written versions times; those that tombstoned names are then deleted, and of these
	// every other one comes back.
	keys, versions = 2000, 4
	// markers are keys from which on there is one a partition, which ends it.
	markers = 1_000_000
)

func tombstoned(id int) bool { return id%7 == 0 }
func back(id int) bool       { return id%14 == 0 }

// column is a field of a value and a column of the table.
type column struct {
	name, schema string
	value        func(i int) any
}

func logical(kind, name string, more string) string {
	return fmt.Sprintf(`"type":%q,"optional":true,"name":"org.apache.kafka.connect.data.%s","version":1%s`, kind, name, more)
}

func optional(kind string) string { return fmt.Sprintf(`"type":%q,"optional":true`, kind) }

// cycle takes values in turn.
func cycle(values ...any) func(int) any { return func(i int) any { return values[i%len(values)] } }

func unscaled(digits string) string {
	n, _ := new(big.Int).SetString(digits, 10) // the callers' are numbers
	b := n.Bytes()
	if n.Sign() < 0 { // two's complement of one byte more
		b = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*(len(b)+1)))).Bytes() //nolint:gosec // a few bytes
	} else {
		b = append([]byte{0}, b...)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func date(text string) int64 {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err) // the callers' are dates
	}
	return t.Unix() / 86400
}

func moment(text string) int64 {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err) // as above
	}
	return t.UnixMilli()
}

// columns are of every type that both take. The lengths of the cycles have no common factor with one another or with the
// number of versions, so that what is last of a key is any of them.
var columns = []column{
	{"id", `"type":"int32","optional":false`, func(i int) any { return i % keys }},
	{"version", `"type":"int32","optional":false`, func(i int) any { return i / keys }},
	{"i8", optional("int8"), cycle(-128, 127, nil)},
	{"i16", optional("int16"), cycle(math.MinInt16, math.MaxInt16, nil)},
	{"i32", optional("int32"), cycle(math.MinInt32, math.MaxInt32, nil)},
	{"i64", optional("int64"), cycle(int64(math.MinInt64), int64(math.MaxInt64), nil)},
	{"f32", optional("float"), cycle(0.1, -3.4028235e38, 1e-45, 0, nil)},
	{"f64", optional("double"), cycle(0.1, 1.7976931348623157e308, 5e-324, -1e22, nil)},
	{"flag", optional("boolean"), cycle(true, false, nil)},
	{"txt", optional("string"), cycle("", "é😀", `it's "quoted" \ {a,b}`, "line\nand\ttab", nil)},
	{"bin", optional("bytes"), cycle("", base64.StdEncoding.EncodeToString([]byte{0, 0xff, '\\', '\''}), nil)},
	{"num", logical("bytes", "Decimal", `,"parameters":{"scale":"2"}`), cycle(unscaled("0"), unscaled("-1"), unscaled("1230"), unscaled("123456789012345678901234567890"), nil)},
	{"day", logical("int32", "Date", ""), cycle(date("2024-02-29"), date("1969-12-31"), date("1500-01-01"), date("9999-12-31"), nil)},
	{"tod", logical("int32", "Time", ""), cycle(0, 86_399_999, 3_723_456, nil, 1)},
	{"ts", logical("int64", "Timestamp", ""), cycle(moment("2024-07-01T12:00:00.123Z"), moment("1969-12-31T23:59:59.999Z"), moment("2024-03-31T02:30:00Z"), 0, nil)},
	{"tags", `"type":"array","optional":true,"items":{"type":"string","optional":true}`, cycle([]any{"a", `b "c" \ {,}`, "é"}, []any{}, []any{"x", nil}, nil)},
	{"nums", `"type":"array","optional":true,"items":{"type":"int32","optional":true}`, cycle([]any{1, -2}, []any{}, nil)},
	{"need", `"type":"string","optional":false`, func(i int) any { return fmt.Sprint("row ", i) }},
	{"num_default", `"type":"int32","optional":true,"default":7`, cycle(1, nil)},
	{"txt_default", `"type":"string","optional":true,"default":"it's"`, cycle("given", nil)},
}

// later are columns that come while the connectors run.
var later = []column{
	{"late", optional("string"), func(i int) any { return fmt.Sprint("late ", i) }},
	{"late_default", `"type":"int64","optional":false,"default":5`, func(i int) any { return i }},
}

// message is JsonConverter's, with the schema.
func message(t *testing.T, fields []column, i int, over map[string]any) []byte {
	t.Helper()
	payload := map[string]any{}
	schemas := make([]string, len(fields))
	for n, f := range fields {
		payload[f.name] = f.value(i)
		schemas[n] = fmt.Sprintf(`{"field":%q,%s}`, f.name, f.schema)
	}
	maps.Copy(payload, over)
	b, err := json.Marshal(map[string]any{"schema": json.RawMessage(`{"type":"struct","optional":false,"name":"row","fields":[` + strings.Join(schemas, ",") + `]}`), "payload": payload})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var keyColumns = []column{{"region", `"type":"string","optional":false`, nil}, {"id", `"type":"int32","optional":false`, nil}}

// record is key id's; a nil value deletes it.
func record(t *testing.T, topic string, id int, value []byte) *kgo.Record {
	t.Helper()
	fields := slices.Clone(keyColumns)
	fields[0].value, fields[1].value = func(int) any { return []string{"eu", "us", "ap"}[id%3] }, func(int) any { return id }
	return &kgo.Record{Topic: topic, Partition: int32(id % partitions), Key: message(t, fields, id, nil), Value: value} //nolint:gosec // below partitions
}

// firstRecords are all without the later columns, and the rows that they leave behind.
func firstRecords(t *testing.T, topic string) (out []*kgo.Record, rows int) {
	t.Helper()
	for i := range keys * versions {
		out = append(out, record(t, topic, i%keys, message(t, columns, i, nil)))
	}
	rows = keys
	for id := range keys {
		if !tombstoned(id) {
			continue
		}
		out = append(out, record(t, topic, id, nil))
		if rows--; back(id) {
			out = append(out, record(t, topic, id, message(t, columns, keys*versions+id, nil)))
			rows++
		}
	}
	return out, rows
}

// markersOf end the partitions.
func markersOf(t *testing.T, topic string, from int, fields []column) (out []*kgo.Record) {
	t.Helper()
	for p := range partitions {
		out = append(out, record(t, topic, from+p, message(t, fields, p, map[string]any{"id": from + p})))
	}
	return out
}

func produce(ctx context.Context, addr string, records ...*kgo.Record) error {
	kc, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer kc.Close()
	return kc.ProduceSync(ctx, records...).FirstErr()
}
