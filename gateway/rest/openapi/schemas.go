package openapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Shape says what a Go type of a body is called, and which message explains its members.
type Shape struct {
	Name    string
	Message protoreflect.FullName
}

// Schemas makes schemas, and collects those that have names.
type Schemas struct {
	Named map[string]*Schema

	files  *protoregistry.Files
	names  map[string]string // of schemas, by what they are of
	shapes map[reflect.Type]Shape
	fixed  map[reflect.Type]*Schema
}

// NewSchemas takes descriptors that have their comments, the names of the Go structs that will be met, and the schemas of
// Go types that write their JSON themselves.
func NewSchemas(set *descriptorpb.FileDescriptorSet, shapes map[reflect.Type]Shape, fixed map[reflect.Type]*Schema) (*Schemas, error) {
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	return &Schemas{Named: map[string]*Schema{}, names: map[string]string{}, files: files, shapes: shapes, fixed: fixed}, nil
}

// Comment is what the protos say of a message, field or rpc, in one line; empty where it only points elsewhere.
func (s *Schemas) Comment(name protoreflect.FullName) string {
	d, err := s.files.FindDescriptorByName(name)
	if err != nil {
		return ""
	}
	text := strings.Join(strings.Fields(d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments), " ")
	if strings.HasPrefix(text, "See ") {
		return ""
	}
	return text
}

// Ref points to a schema that has a name.
func Ref(name string) *Schema { return &Schema{Ref: "#/components/schemas/" + name} }

// Text is a string.
func Text(description string) *Schema { return &Schema{Type: "string", Description: description} }

// Of is the schema of a Go type, as encoding/json writes it.
func (s *Schemas) Of(t reflect.Type) *Schema {
	if f, ok := s.fixed[t]; ok {
		return f
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nullable(s.Of(t.Elem()))
	case reflect.String:
		return &Schema{Type: "string"}
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.Int32:
		return &Schema{Type: "integer", Format: "int32"}
	case reflect.Int, reflect.Int64:
		return &Schema{Type: "integer", Format: "int64"}
	case reflect.Float64:
		return &Schema{Type: "number", Format: "double"}
	case reflect.Slice:
		return &Schema{Type: "array", Items: s.Of(t.Elem())}
	case reflect.Map:
		return &Schema{Type: "object", Additional: s.Of(t.Elem())}
	case reflect.Struct:
		return s.structOf(t)
	}
	panic(fmt.Sprintf("openapi: no schema for %s (bug)", t))
}

// claim returns the name of the schema of a thing, and whether it is new: then the caller makes it.
func (s *Schemas) claim(thing, wanted string) (name string, fresh bool) {
	if name, ok := s.names[thing]; ok {
		return name, false
	}
	name = wanted
	for n := 2; s.Named[name] != nil; n++ {
		name = fmt.Sprintf("%s%d", wanted, n)
	}
	s.names[thing], s.Named[name] = name, &Schema{}
	return name, true
}

// nullable lets a value be null too. What stands beside a $ref is ignored in OpenAPI 3.0.
func nullable(s *Schema) *Schema {
	if s.Ref != "" {
		return &Schema{Nullable: true, AllOf: []*Schema{s}}
	}
	out := *s
	out.Nullable = true
	return &out
}

func (s *Schemas) structOf(t reflect.Type) *Schema {
	shape, ok := s.shapes[t]
	if !ok {
		panic(fmt.Sprintf("openapi: the struct %s has no name among the shapes (bug)", t))
	}
	name, fresh := s.claim("type "+t.String(), shape.Name)
	if !fresh {
		return Ref(name)
	}
	out := s.Named[name]
	out.Type, out.Description = "object", s.Comment(shape.Message)
	for i := range t.NumField() {
		f := t.Field(i)
		member, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		of := f.Type
		if option == "omitempty" && of.Kind() == reflect.Pointer {
			of = of.Elem() // left out, never null
		}
		one := s.Of(of)
		if values := f.Tag.Get("values"); values != "" {
			one.Enum = strings.Split(values, ",")
		}
		out.Properties = append(out.Properties, Property{member, described(one, s.Comment(shape.Message.Append(protoreflect.Name(member))))})
		if option != "omitempty" {
			out.Required = append(out.Required, member)
		}
	}
	return Ref(name)
}

func described(s *Schema, text string) *Schema {
	if s.Ref != "" || text == "" {
		return s
	}
	out := *s
	out.Description = text
	return &out
}

// use is what becomes of a message.
type use uint8

const (
	whole  use = iota // written with the members that hold nothing
	sparse            // written without them
	read              // any member may be left out, and none is taken that is not there
)

// Body is the schema of a message that is read as proto JSON.
func (s *Schemas) Body(d protoreflect.MessageDescriptor) *Schema { return s.message(d, read) }

// Answer is the schema of a message that is written as proto JSON, with the members that hold nothing.
func (s *Schemas) Answer(d protoreflect.MessageDescriptor) *Schema { return s.message(d, whole) }

// Sparse is the schema of a message that is written as proto JSON without them.
func (s *Schemas) Sparse(d protoreflect.MessageDescriptor) *Schema { return s.message(d, sparse) }

func (s *Schemas) message(d protoreflect.MessageDescriptor, as use) *Schema {
	switch d.FullName() {
	case "google.protobuf.Timestamp":
		return &Schema{Type: "string", Format: "date-time"}
	case "google.protobuf.Duration":
		return &Schema{Type: "string"}
	}
	name, fresh := s.claim(fmt.Sprint("message ", d.FullName(), as), string(d.Name()))
	if !fresh {
		return Ref(name)
	}
	out := s.Named[name]
	out.Type, out.Description, out.Closed = "object", s.Comment(d.FullName()), as == read
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		one := s.field(f, as)
		if as == read || as == whole && f.Message() != nil && f.HasPresence() && f.ContainingOneof() == nil {
			one = nullable(one)
		}
		out.Properties = append(out.Properties, Property{f.JSONName(), described(one, s.Comment(f.FullName()))})
		if as == whole && f.ContainingOneof() == nil {
			out.Required = append(out.Required, f.JSONName())
		}
	}
	return Ref(name)
}

func (s *Schemas) field(f protoreflect.FieldDescriptor, as use) *Schema {
	switch {
	case f.IsMap():
		return &Schema{Type: "object", Additional: s.value(f.MapValue(), as)}
	case f.IsList():
		return &Schema{Type: "array", Items: s.value(f, as)}
	}
	return s.value(f, as)
}

// Value is the schema of one value of a field that is read.
func (s *Schemas) Value(f protoreflect.FieldDescriptor) *Schema { return s.value(f, read) }

func (s *Schemas) value(f protoreflect.FieldDescriptor, as use) *Schema {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return &Schema{Type: "boolean"}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return &Schema{Type: "integer", Format: "int32"}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return &Schema{Type: "integer"}
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return &Schema{Type: "number"}
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return &Schema{Type: "string", Format: "int64"} // proto JSON keeps the digits
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return &Schema{Type: "string", Format: "uint64"}
	case protoreflect.BytesKind:
		return &Schema{Type: "string", Format: "byte"}
	case protoreflect.EnumKind:
		out := &Schema{Type: "string"}
		for i := range f.Enum().Values().Len() {
			out.Enum = append(out.Enum, string(f.Enum().Values().Get(i).Name()))
		}
		return out
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return s.message(f.Message(), as)
	default:
		return &Schema{Type: "string"}
	}
}

// Any is the schema of what is one of several; equal ones count once.
func Any(several []*Schema) *Schema {
	var out []*Schema
	for _, s := range several {
		if !slices.ContainsFunc(out, func(o *Schema) bool { return same(o, s) }) {
			out = append(out, s)
		}
	}
	if len(out) == 1 {
		return out[0]
	}
	return &Schema{AnyOf: out}
}

func same(a, b *Schema) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
