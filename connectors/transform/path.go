package transform

import (
	"fmt"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
)

const (
	syntaxVersion    = "field.syntax.version"
	syntaxVersionDoc = "Defines the version of the syntax to access fields. If set to <code>V1</code>, then the field paths are limited to access the elements at the root level of the struct or map. If set to <code>V2</code>, the syntax will support accessing nested elements. To access nested elements, dotted notation is used. If dots are already included in the field name, then backtick pairs can be used to wrap field names containing dots. E.g. to access the subfield <code>baz</code> from a field named \"foo.bar\" in a struct/map the following format can be used to access its elements: \"<code>foo.bar</code>.baz\"."
)

func syntaxVersionKey() configdef.Key {
	return valid(text(syntaxVersion, configdef.Text("V1"), configdef.High, syntaxVersionDoc), configdef.InIgnoreCase("V1", "V2"))
}

// path leads to a field (KIP-821). Only the first step is there in V1, and it is literal.
type path []string

// parsePath reads a path of V2: steps between dots, or between backticks where they hold dots. A backtick before a
// dot is part of the name after a backslash.
func parsePath(text string) (path, error) {
	var steps path
	rest := text
	for rest != "" {
		if rest[0] != '`' {
			step, after, more := strings.Cut(rest, ".")
			steps = append(steps, step)
			if rest = after; !more {
				return steps, nil
			}
			continue
		}
		step, after, ok := quotedStep(rest[1:])
		if !ok {
			return nil, fmt.Errorf("Incomplete backtick pair in path: [%s], consider adding a backslash before backtick at position %d to escape it", text, len(text)-len(rest))
		}
		steps = append(steps, step)
		rest = after
	}
	if strings.HasSuffix(text, ".") {
		steps = append(steps, "")
	}
	return steps, nil
}

// quotedStep reads up to the closing backtick: one at the end or before a dot, and not after a backslash.
func quotedStep(s string) (step, after string, ok bool) {
	var b strings.Builder
	start := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '`' {
			continue
		}
		escaped := i > 0 && s[i-1] == '\\'
		switch {
		case i == len(s)-1:
			b.WriteString(s[start:i])
			return b.String(), "", !escaped
		case s[i+1] != '.':
		case escaped:
			b.WriteString(s[start : i-1])
			b.WriteByte('`')
			start = i + 1
		default:
			b.WriteString(s[start:i])
			return b.String(), s[i+2:], true
		}
	}
	return "", "", false
}

// schema is the schema of the field, nil where there is none.
func (p path) schema(s *data.Schema) (*data.Schema, error) {
	for _, step := range p {
		if s.Type != data.KindStruct {
			return nil, badData("Cannot look up fields on non-struct type")
		}
		i := s.FieldIndex(step)
		if i < 0 {
			return nil, nil
		}
		s = s.Fields[i].Schema
	}
	return s, nil
}

// ofStruct is the value of the field, null where something on the way is null or not there.
func (p path) ofStruct(st *data.Struct, defaults bool) (data.Value, error) {
	for n, step := range p {
		i := st.Schema().FieldIndex(step)
		if i < 0 {
			return data.Null(), nil
		}
		if n == len(p)-1 {
			return field(st, i, defaults), nil
		}
		v := st.At(i)
		if v.IsNull() {
			return v, nil
		}
		var err error
		if st, err = requireStruct(st.Schema().Fields[i].Schema, v, "nested field access"); err != nil {
			return v, err
		}
	}
	return data.Null(), nil
}

func (p path) ofMap(m *data.Map) (data.Value, error) {
	for n, step := range p {
		v, _ := m.Get(data.String(step))
		if n == len(p)-1 || v.IsNull() {
			return v, nil
		}
		var err error
		if m, err = requireMap(nil, v, "nested field access"); err != nil {
			return v, err
		}
	}
	return data.Null(), nil
}
