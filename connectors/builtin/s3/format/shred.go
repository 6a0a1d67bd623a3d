package format

import (
	"fmt"

	"github.com/parquet-go/parquet-go"

	"github.com/sluice-project/sluice/connectors/data"
)

// shredder takes values apart into Parquet's columns, with repetition and definition levels.
type shredder struct {
	leaves  int
	columns [][]parquet.Value // of the present row
	size    int               // of the present row, in bytes
}

// column is a schema with the columns below it: [first, last).
type column struct {
	*data.Schema
	first, last int
	fields      []*column // of a STRUCT; of a MAP key and value, of an ARRAY its elements
	repetition  int       // of what repeats
}

// of makes a schema's node; repetition is the level of what is around it.
func (s *shredder) of(schema *data.Schema, repetition int) (parquet.Node, *column, error) {
	c := &column{Schema: schema, first: s.leaves, repetition: repetition + 1}
	below := func(schema *data.Schema, repetition int) (parquet.Node, error) {
		node, sub, err := s.of(schema, repetition)
		c.fields = append(c.fields, sub)
		return node, err
	}
	var node parquet.Node
	var err error
	switch schema.Type {
	case data.KindStruct:
		nodes := make([]parquet.Node, len(schema.Fields))
		for i, f := range schema.Fields {
			if nodes[i], err = below(f.Schema, repetition); err != nil {
				return nil, nil, err
			}
		}
		node, err = groupOf(schema, nodes)
	case data.KindArray:
		var elem parquet.Node
		if elem, err = below(schema.Elem, repetition+1); err == nil {
			node = parquet.List(elem)
		}
	case data.KindMap:
		var key, value parquet.Node
		required := *schema.Key
		required.Optional = false // keys are, in Parquet
		if key, err = below(&required, repetition+1); err != nil {
			return nil, nil, err
		}
		if value, err = below(schema.Elem, repetition+1); err == nil {
			node = parquet.Map(key, value)
		}
	default:
		s.leaves++
		node, err = leafOf(schema)
	}
	if err != nil {
		return nil, nil, err
	}
	if schema.Optional {
		node = parquet.Optional(node)
	}
	c.last = s.leaves
	return node, c, nil
}

func leafOf(s *data.Schema) (parquet.Node, error) {
	switch s.Type {
	case data.KindInt8, data.KindInt16, data.KindInt32:
		switch s.Name {
		case data.DateName:
			return parquet.Date(), nil
		case data.TimeName:
			return parquet.Time(parquet.Millisecond), nil
		}
		return parquet.Leaf(parquet.Int32Type), nil
	case data.KindInt64:
		if s.Name == data.TimestampName {
			return parquet.Timestamp(parquet.Millisecond), nil
		}
		return parquet.Leaf(parquet.Int64Type), nil
	case data.KindFloat32:
		return parquet.Leaf(parquet.FloatType), nil
	case data.KindFloat64:
		return parquet.Leaf(parquet.DoubleType), nil
	case data.KindBool:
		return parquet.Leaf(parquet.BooleanType), nil
	case data.KindString:
		return parquet.String(), nil
	case data.KindBytes:
		if s.Name != data.DecimalName {
			return parquet.Leaf(parquet.ByteArrayType), nil
		}
		scale, precision, err := decimalOf(s)
		if err != nil {
			return nil, err
		}
		if scale < 0 || scale > precision {
			return nil, fmt.Errorf("%w: Parquet has no decimals of scale %d and precision %d", ErrData, scale, precision)
		}
		return parquet.Decimal(scale, precision, parquet.ByteArrayType), nil
	}
	return nil, fmt.Errorf("%w: Parquet has no type for %s", ErrData, s.Type)
}

// shred adds a value to the columns of the row; the levels are those of what is around it.
func (s *shredder) shred(c *column, v data.Value, repetition, definition int) error {
	if v.IsNull() {
		v = c.Default
	}
	if v.IsNull() {
		if !c.Optional {
			return fmt.Errorf("a value is null whose schema, of type %s, is required", c.Type)
		}
		s.nulls(c, repetition, definition)
		return nil
	}
	if v.Kind() != c.Type {
		return fmt.Errorf("a value is of type %s where its schema says %s", v.Kind(), c.Type)
	}
	if c.Optional {
		definition++
	}
	switch c.Type {
	case data.KindStruct:
		st := v.Struct()
		if len(st.Schema().Fields) != len(c.fields) {
			return fmt.Errorf("a struct has %d fields where the file's schema has %d", len(st.Schema().Fields), len(c.fields))
		}
		for i, f := range c.fields {
			if err := s.shred(f, st.At(i), repetition, definition); err != nil {
				return fmt.Errorf("field %q: %w", c.Fields[i].Name, err)
			}
		}
	case data.KindArray:
		for i, e := range v.Array() {
			if err := s.shred(c.fields[0], e, levelOf(i, repetition, c.repetition), definition+1); err != nil {
				return err
			}
		}
		if len(v.Array()) == 0 {
			s.nulls(c, repetition, definition)
		}
	case data.KindMap:
		for i, e := range v.Map().Entries() {
			at := levelOf(i, repetition, c.repetition)
			if err := s.shred(c.fields[0], e.Key, at, definition+1); err != nil {
				return err
			}
			if err := s.shred(c.fields[1], e.Value, at, definition+1); err != nil {
				return err
			}
		}
		if v.Map().Len() == 0 {
			s.nulls(c, repetition, definition)
		}
	default:
		s.add(c.first, leafValue(v), repetition, definition)
		s.size += 8 + len(v.Raw())
	}
	return nil
}

// levelOf is the repetition level of element i: the first of a list repeats what is around it.
func levelOf(i, around, own int) int {
	if i == 0 {
		return around
	}
	return own
}

func (s *shredder) nulls(c *column, repetition, definition int) {
	for i := c.first; i < c.last; i++ {
		s.add(i, parquet.NullValue(), repetition, definition)
	}
	s.size++
}

func (s *shredder) add(i int, v parquet.Value, repetition, definition int) {
	s.columns[i] = append(s.columns[i], v.Level(repetition, definition, i))
}

func leafValue(v data.Value) parquet.Value {
	switch v.Kind() {
	case data.KindInt8, data.KindInt16, data.KindInt32:
		return parquet.Int32Value(int32(v.Int())) //nolint:gosec // it is no wider
	case data.KindInt64:
		return parquet.Int64Value(v.Int())
	case data.KindFloat32:
		return parquet.FloatValue(float32(v.Float()))
	case data.KindFloat64:
		return parquet.DoubleValue(v.Float())
	case data.KindBool:
		return parquet.BooleanValue(v.Bool())
	}
	return parquet.ByteArrayValue(v.Raw())
}
