package converter

import (
	"fmt"

	"github.com/sluice-project/sluice/connectors/data"
)

var kinds = func() map[string]data.Kind {
	out := map[string]data.Kind{}
	for k, name := range typeNames {
		out[name] = k
	}
	return out
}()

// schemaOf reads a schema.
func (j *JSON) schemaOf(at int) (*data.Schema, error) {
	if j.nodes[at].kind == 'n' {
		return nil, nil
	}
	t := 0
	if j.nodes[at].kind == '{' {
		t = j.member(at, "type")
	}
	if t == 0 || j.nodes[t].kind != '"' {
		return nil, bad("Schema must contain 'type' field")
	}
	kind, ok := kinds[string(j.text(t))]
	if !ok {
		return nil, bad("Unknown schema type: %s", j.text(t))
	}
	s := &data.Schema{Type: kind}
	part := func(key, missing string) (*data.Schema, error) {
		c := j.member(at, key)
		if c == 0 || j.nodes[c].kind == 'n' {
			return nil, bad("%s", missing)
		}
		return j.schemaOf(c)
	}
	var err error
	switch kind {
	case data.KindArray:
		s.Elem, err = part("items", "Array schema did not specify the element type")
	case data.KindMap:
		if s.Key, err = part("keys", "Map schema did not specify the key type"); err == nil {
			s.Elem, err = part("values", "Map schema did not specify the value type")
		}
	case data.KindStruct:
		err = j.schemaFields(s, at)
	}
	if err != nil {
		return nil, err
	}
	return s, j.attributes(s, at)
}

func (j *JSON) schemaFields(s *data.Schema, at int) error {
	list := j.member(at, "fields")
	if list == 0 || j.nodes[list].kind != '[' {
		return bad("Struct schema's \"fields\" argument is not an array.")
	}
	seen := map[string]bool{}
	for c := j.nodes[list].first; c != 0; c = j.nodes[c].next {
		name := j.member(c, "field")
		if name == 0 || j.nodes[name].kind != '"' {
			return bad("Struct schema's field name not specified properly")
		}
		f, err := j.schemaOf(c)
		if err != nil {
			return err
		}
		text := string(j.text(name))
		if seen[text] {
			return bad("Cannot create field because of field name duplication %s", text)
		}
		seen[text] = true
		s.Fields = append(s.Fields, data.Field{Name: text, Schema: f})
	}
	return nil
}

func (j *JSON) attributes(s *data.Schema, at int) error {
	for c := j.nodes[at].first; c != 0; c = j.nodes[c].next {
		n := &j.nodes[c]
		switch key := string(n.key); {
		case n.kind == 'n':
		case key == "optional":
			s.Optional = n.kind == 't'
		case key == "name" && n.kind == '"':
			s.Name = string(j.text(c))
		case key == "doc" && n.kind == '"':
			s.Doc = string(j.text(c))
		case key == "version" && n.kind == '0' && n.integer:
			num := n.number()
			s.Version = int32(num.long()) //nolint:gosec // as Java
		case key == "parameters" && n.kind == '{':
			for p := n.first; p != 0; p = j.nodes[p].next {
				if j.nodes[p].kind != '"' {
					return bad("Schema parameters must have string values.")
				}
				s.Params = append(s.Params, data.Param{Key: string(j.nodes[p].key), Value: string(j.text(p))})
			}
		}
	}
	if d := j.member(at, "default"); d != 0 {
		v, err := j.typed(s, d)
		if err == nil && (j.odd || v.IsNull() && !s.Optional) {
			err = bad("Invalid default value")
		}
		if err != nil {
			return fmt.Errorf("default: %w", err)
		}
		s.Default = data.Clone(v)
	}
	return nil
}
