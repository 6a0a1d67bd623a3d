package converter_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/connectors/internal/oracle"
)

var update = flag.Bool("update", false, "write how many vectors there are into docs/converters.md")

// vector is a line of the oracle's; integration/compat/oracle says what its members are.
type vector struct {
	Class  string            `json:"c"`
	Config map[string]string `json:"cfg"`
	G      int
	Dir    string
	M      string // a method of Values
	To     *int
	In     []json.RawMessage
	B      []byte
	X      *string
	Out    []json.RawMessage
	Err    []*string
	oracle.Vector
}

const valuesClass = "org.apache.kafka.connect.data.Values"

// instance is a converter that a few vectors in a row share.
type instance struct {
	c converter.Converter
	h converter.HeaderConverter
}

func instanceOf(v *vector) (instance, error) {
	for _, i := range converter.Builtin() {
		if i.Class != v.Class {
			continue
		}
		if i.New != nil {
			c := i.New()
			return instance{c: c}, c.Configure(v.Config, v.Config["converter.type"] == "key")
		}
		h := i.NewHeader()
		return instance{h: h}, h.Configure(v.Config)
	}
	if v.Class == valuesClass {
		return instance{h: &converter.SimpleHeader{}}, nil
	}
	return instance{}, errors.New("no such class")
}

// answer is what a vector comes to here, as text; an error is "error".
func (x instance) answer(v *vector) (string, error) {
	if v.Dir == "from" || v.Dir == "string" {
		schema, value, err := v.Pair(v.In)
		if err != nil {
			return "", err
		}
		var out []byte
		var null bool
		if x.c != nil {
			out, null, err = x.c.FromData(nil, "t", schema, value)
		} else {
			out, null, err = x.h.FromData(nil, "t", "h", schema, value)
		}
		switch {
		case err != nil:
			return failed(err)
		case null:
			return "null", nil
		}
		return fmt.Sprintf("%q", out), nil
	}
	b := v.B
	if v.Dir == "parse" {
		b = []byte(*v.X)
	}
	var schema *data.Schema
	var value data.Value
	var err error
	if x.c != nil {
		schema, value, err = x.c.ToData("t", b)
	} else {
		schema, value, err = x.h.ToData("t", "h", b)
	}
	if err != nil {
		return failed(err)
	}
	return oracle.ShowSchema(schema) + "\n  " + oracle.ShowValue(value), nil
}

// converts asks what a method of Values is here.
func converts(v *vector) (string, error) {
	from, value, err := v.Pair(v.In)
	if err != nil {
		return "", err
	}
	if v.M == "inferSchema" {
		return oracle.ShowSchema(converter.InferSchema(value)), nil
	}
	to := targets[v.M]
	if v.To != nil {
		if to, err = v.Schema(*v.To); err != nil {
			return "", err
		}
	}
	got, err := converter.Convert(to, from, value)
	if err != nil {
		return failed(err)
	}
	if err := data.Validate(to, got); err != nil && to.Elem == nil && to.Type != data.KindStruct {
		return "", err
	}
	return oracle.ShowValue(got), nil
}

// replayConversion compares one, and counts why it cannot be.
func replayConversion(t *testing.T, v *vector, at string, other map[string]int) error {
	t.Helper()
	got, err := converts(v)
	var u oracle.Unlike
	if errors.As(err, &u) {
		other[string(u)]++
		return nil
	}
	if err != nil {
		return err
	}
	want, err := v.wantConverted()
	if errors.As(err, &u) {
		other[string(u)]++
		return nil
	}
	if got == want || err != nil {
		return err
	}
	why := differs(v, got)
	if v.M == "inferSchema" && strings.Contains(want, "(NULL ") {
		why = "a schema of nulls"
	}
	if why != "" {
		other[why]++
		return nil
	}
	t.Errorf("%s %s\nin   %s\ngot  %s\nwant %s %v", at, v.M, bytes.Join([][]byte{v.In[0], v.In[1]}, []byte(" ")), got, want, v.Err)
	return nil
}

// targets are the schemas that Values' methods stand for: those that take null have an optional one.
var targets = map[string]*data.Schema{
	"convertToBoolean": data.OptionalBoolSchema, "convertToByte": data.OptionalInt8Schema, "convertToShort": data.OptionalInt16Schema,
	"convertToInteger": data.OptionalInt32Schema, "convertToLong": data.OptionalInt64Schema, "convertToFloat": data.OptionalFloat32Schema,
	"convertToDouble": data.OptionalFloat64Schema, "convertToString": data.OptionalStringSchema, "convertToList": {Type: data.KindArray},
	"convertToMap": {Type: data.KindMap}, "convertToStruct": {Type: data.KindStruct}, "convertToTime": data.TimeSchema,
	"convertToDate": data.DateSchema, "convertToTimestamp": data.TimestampSchema, "convertToDecimal": nil, "convertTo": nil,
}

// wantConverted is what a method of Values answered. A decimal has the scale that was asked for, where Java's has any; a date and a
// time are nothing but that.
func (v *vector) wantConverted() (string, error) {
	if v.M == "inferSchema" && v.Err != nil {
		return oracle.ShowSchema(nil), nil // Java's fails where it does not know
	}
	if v.Err != nil {
		return "error", nil
	}
	s, value, err := v.Pair(v.Out)
	if v.M == "inferSchema" {
		return oracle.ShowSchema(s), err
	}
	var u oracle.Unlike
	if !errors.As(err, &u) {
		return oracle.ShowValue(value), err
	}
	var n []any
	if err := json.Unmarshal(v.Out[1], &n); err != nil || n[0] != "n" {
		return "error", err
	}
	text, _ := s.Param(data.ScaleParameter)
	scale, err := strconv.Atoi(text)
	if err != nil {
		return "", err
	}
	unscaled, ok := new(big.Int).SetString(n[1].(string), 10)
	if !ok {
		return "", fmt.Errorf("no number: %v", n[1])
	}
	by := int64(scale) - int64(n[2].(float64))
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(by, -by)), nil)
	want := new(big.Rat).SetInt(unscaled)
	if by > 0 {
		want.Mul(want, new(big.Rat).SetInt(power))
	} else {
		want.Quo(want, new(big.Rat).SetInt(power))
	}
	if !want.IsInt() {
		return "error", nil
	}
	return oracle.ShowValue(data.Decimal(want.Num())), nil
}

// failed is an error of data: anything else is none of an answer.
func failed(err error) (string, error) {
	if errors.Is(err, converter.ErrData) {
		return "error", nil
	}
	return "", err
}

// want is what the real class answered, as answer says it.
func (v *vector) want() (string, error) {
	switch {
	case v.Err != nil:
		return "error", nil
	case v.Out != nil:
		schema, value, err := v.Pair(v.Out)
		return oracle.ShowSchema(schema) + "\n  " + oracle.ShowValue(value), err
	case v.Dir == "string" && v.X != nil:
		return fmt.Sprintf("%q", *v.X), nil
	case v.Dir == "from" && v.B != nil:
		return fmt.Sprintf("%q", v.B), nil
	}
	return "null", nil
}

// TestOracle_EveryValueAndEveryMessageBecomesWhatKafkaConnectMakesOfIt replays what the real classes answered: the same
// bytes, the same schema and value, or an error.
func TestOracle_EveryValueAndEveryMessageBecomesWhatKafkaConnectMakesOfIt(t *testing.T) {
	asked, other := map[string]int{}, map[string]int{}
	var x instance
	last := ""
	err := oracle.Lines("testdata/*.jsonl.gz", func(file string, n int, line []byte) error {
		v := &vector{}
		if err := json.Unmarshal(line, v); err != nil {
			return err
		}
		if v.M != "" {
			asked[v.Class+"."+v.M]++
			return replayConversion(t, v, fmt.Sprintf("%s:%d", file, n), other)
		}
		switch v.Dir {
		case "parse":
			asked[v.Class+".parseString"]++
		case "string":
			asked[v.Class+".convertToString"]++
		default:
			asked[v.Class]++
		}
		if at := fmt.Sprint(v.Class, v.G); at != last {
			var err error
			if x, err = instanceOf(v); err != nil {
				return err
			}
			last = at
		}
		got, err := x.answer(v)
		var u oracle.Unlike
		if errors.As(err, &u) {
			other[string(u)]++
			return nil
		}
		want, werr := v.want()
		if errors.As(werr, &u) {
			other[string(u)]++
			return nil
		}
		if err != nil || werr != nil {
			return errors.Join(err, werr)
		}
		if got != want {
			if why := differs(v, got); why != "" {
				other[why]++
				return nil
			}
			in := string(v.B)
			if v.In != nil {
				in = string(bytes.Join([][]byte{v.In[0], v.In[1]}, []byte(" ")))
			} else if v.X != nil {
				in = *v.X
			}
			words := ""
			if v.Err != nil && v.Err[1] != nil {
				words = *v.Err[1]
			}
			t.Errorf("%s:%d %s %v\nin   %s\ngot  %s\nwant %s %s", file, n, v.Dir, v.Config, in, got, want, words)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range converter.Builtin() {
		asked[i.Class] += 0
	}
	oracle.Counts(t, "../../docs/converters.md", *update, asked, other)
}

// tags are how the oracle writes the kinds that logical types are in our data.
var tags = map[data.Kind]string{data.KindBytes: `["y"`, data.KindInt32: `["i32"`, data.KindInt64: `["i64"`}

// differs says why an answer is another one on purpose: docs/converters.md.
func differs(v *vector, got string) string {
	if v.In != nil {
		s, val, err := v.Pair(v.In)
		if tag := tags[val.Kind()]; err == nil && s != nil && s.Name != "" && tag != "" && bytes.HasPrefix(v.In[1], []byte(tag)) {
			return "a bare value under the schema of a logical type"
		}
		return ""
	}
	if got == "error" && otherType.Match(bytes.ReplaceAll(v.B, []byte{0}, nil)) {
		return "a logical type's name on another type"
	}
	return ""
}

// otherType matches the schemas of a logical type's name that the oracle puts on another type.
var otherType = regexp.MustCompile(`"type":"(bytes|string)"[^{}]*"name":"org\.apache\.kafka\.connect\.data\.(Date|Time|Timestamp)"|"type":"(string|int8|boolean)"[^{}]*"name":"org\.apache\.kafka\.connect\.data\.Decimal"`)
