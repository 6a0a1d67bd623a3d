package converter_test

import (
	"errors"
	"testing"

	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
)

// convertible are the schemas that Convert can be asked for.
var convertible = []*data.Schema{
	data.Int8Schema, data.Int16Schema, data.Int32Schema, data.Int64Schema, data.Float32Schema, data.Float64Schema, data.BoolSchema, data.StringSchema,
	data.DateSchema, data.TimeSchema, data.TimestampSchema, data.DecimalSchema(0), data.DecimalSchema(3), data.DecimalSchema(-2),
	{Type: data.KindArray}, {Type: data.KindMap},
}

func TestConvert_SaysWhatItCannotConvertToWhat(t *testing.T) {
	for _, tt := range []struct {
		to, from *data.Schema
		v        data.Value
		want     string
	}{
		{data.Int32Schema, nil, data.String("x"), `"x" of type STRING is no INT32`},
		{data.DateSchema, data.BoolSchema, data.Bool(true), "true of type BOOLEAN is no org.apache.kafka.connect.data.Date"},
		{data.Int8Schema, nil, data.Null(), "a null value for a schema that requires a value (INT8)"},
		{data.DecimalSchema(1), data.DecimalSchema(2), data.Bytes([]byte{5}), "0.05 of type org.apache.kafka.connect.data.Decimal of scale 2 is no org.apache.kafka.connect.data.Decimal of scale 1"},
	} {
		_, err := converter.Convert(tt.to, tt.from, tt.v)
		if !errors.Is(err, converter.ErrData) || err.Error() != converter.ErrData.Error()+": "+tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

func FuzzConvert_WhatItMakesOfATextFitsTheSchema(f *testing.F) {
	for _, s := range []string{"1", "-7.25", "1e400", "1e-400", "2024-02-29", "10:20:30.400Z", "2024-02-29T10:20:30.400Z", "true", "[1,2]", `{"a":1}`, "null", "[1,12345678901234567890]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, to := range convertible {
			v, err := converter.Convert(to, nil, data.String(s))
			if err != nil {
				if !errors.Is(err, converter.ErrData) {
					t.Errorf("%q to %s: %v", s, to.Type, err)
				}
				continue
			}
			if err := data.Validate(to, v); err != nil {
				t.Errorf("%q to %s: %v", s, to.Type, err)
			}
		}
		_, v := converter.ParseText(s)
		if schema := converter.InferSchema(v); schema != nil && schema.Type != v.Kind() {
			t.Errorf("%q is a %s, and inferred is %s", s, v.Kind(), schema.Type)
		}
	})
}
