// Package openapi is what the description of the REST API is made of: the part of OpenAPI 3.0 that it needs, schemas out
// of Go types and of proto messages, and the same as Markdown. What is described is in gateway/rest: start at its
// document.go.
package openapi

import (
	"bytes"
	"encoding/json"
)

// Document is an OpenAPI document. Its JSON depends on nothing but its values.
type Document struct {
	OpenAPI    string          `json:"openapi"`
	Info       Info            `json:"info"`
	Tags       []Tag           `json:"tags,omitempty"`
	Paths      map[string]Item `json:"paths"`
	Components Components      `json:"components"`
}

// Info heads a document.
type Info struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Version     string `json:"version"`
}

// Tag is a group of operations.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// Item is a path: its operations by method, in small letters.
type Item map[string]*Operation

// Operation is a method at a path.
type Operation struct {
	Tags        []string            `json:"tags,omitempty"`
	Summary     string              `json:"summary,omitempty"`
	Description string              `json:"description,omitempty"`
	ID          string              `json:"operationId"`
	Parameters  []Parameter         `json:"parameters,omitempty"`
	Body        *Body               `json:"requestBody,omitempty"`
	Responses   map[string]Response `json:"responses"`
}

// Parameter is what a request says outside its body.
type Parameter struct {
	Name        string  `json:"name"`
	In          string  `json:"in"`
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitempty"`
	Schema      *Schema `json:"schema"`
}

// Body is the body of a request.
type Body struct {
	Required bool             `json:"required,omitempty"`
	Content  map[string]Media `json:"content"`
}

// Response is an answer with one status.
type Response struct {
	Description string            `json:"description"`
	Headers     map[string]Header `json:"headers,omitempty"`
	Content     map[string]Media  `json:"content,omitempty"`
}

// Header is a header of an answer.
type Header struct {
	Description string  `json:"description,omitempty"`
	Schema      *Schema `json:"schema"`
}

// Media is a body of one type.
type Media struct {
	Schema *Schema `json:"schema"`
}

// Components are the schemas that have names.
type Components struct {
	Schemas map[string]*Schema `json:"schemas"`
}

// Schema says what a JSON value is like. Ref stands alone.
type Schema struct {
	Ref         string     `json:"$ref,omitempty"`
	Type        string     `json:"type,omitempty"`
	Format      string     `json:"format,omitempty"`
	Description string     `json:"description,omitempty"`
	Nullable    bool       `json:"nullable,omitempty"`
	Enum        []string   `json:"enum,omitempty"`
	MinLength   int        `json:"minLength,omitempty"`
	Items       *Schema    `json:"items,omitempty"`
	MinItems    int        `json:"minItems,omitempty"`
	Properties  Properties `json:"properties,omitempty"`
	Required    []string   `json:"required,omitempty"`
	// Additional is the schema of the members that have no name here; Closed says that there are none.
	Additional *Schema   `json:"-"`
	Closed     bool      `json:"-"`
	AnyOf      []*Schema `json:"anyOf,omitempty"`
	AllOf      []*Schema `json:"allOf,omitempty"`
	Example    any       `json:"example,omitempty"`
}

// MarshalJSON writes Additional and Closed as the one member that they are.
func (s *Schema) MarshalJSON() ([]byte, error) {
	type plain Schema
	var additional any
	switch {
	case s.Closed:
		additional = false
	case s.Additional != nil:
		additional = s.Additional
	}
	return json.Marshal(struct {
		*plain
		Additional any `json:"additionalProperties,omitempty"`
	}{(*plain)(s), additional})
}

// Property is a member of an object.
type Property struct {
	Name   string
	Schema *Schema
}

// Properties are the members of an object, in the order in which they are written.
type Properties []Property

// MarshalJSON writes an object.
func (p Properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, one := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(one.Name)
		if err != nil {
			return nil, err
		}
		schema, err := json.Marshal(one.Schema)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(schema)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// JSON is the document as a file.
func (d *Document) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b.Bytes(), "", " "); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
