package data

import "fmt"

// Struct holds the fields of a STRUCT schema, by position.
type Struct struct {
	schema *Schema
	values []Value
}

// NewStruct makes a struct of nulls. The schema must be a STRUCT.
func NewStruct(s *Schema) *Struct { return &Struct{schema: s, values: make([]Value, len(s.Fields))} }

// Schema is the struct's schema.
func (s *Struct) Schema() *Schema { return s.schema }

// Put sets a field by name. It fails where there is no such field; the value is checked by Validate.
func (s *Struct) Put(name string, v Value) error {
	i := s.schema.FieldIndex(name)
	if i < 0 {
		return fmt.Errorf("%w: %s is not a valid field name", ErrMismatch, name)
	}
	s.values[i] = v
	return nil
}

// Set sets a field by position.
func (s *Struct) Set(i int, v Value) { s.values[i] = v }

// At is a field by position: its default where it is null.
func (s *Struct) At(i int) Value {
	if s.values[i].IsNull() {
		return s.schema.Fields[i].Schema.Default
	}
	return s.values[i]
}

// Raw is a field by position as it was put, null where it was not.
func (s *Struct) Raw(i int) Value { return s.values[i] }

// Get is a field by name, null where there is none.
func (s *Struct) Get(name string) Value {
	if i := s.schema.FieldIndex(name); i >= 0 {
		return s.At(i)
	}
	return Value{}
}

func (s *Struct) equal(o *Struct) bool {
	if !SameSchema(s.schema, o.schema) {
		return false
	}
	for i := range s.values {
		if !Equal(s.values[i], o.values[i]) {
			return false
		}
	}
	return true
}

// Entry is one entry of a Map.
type Entry struct{ Key, Value Value }

// Map holds entries in the order in which they were put. Lookup is linear: maps of records are small.
type Map struct{ entries []Entry }

// Index is where a key is among the entries, or -1.
func (m *Map) Index(k Value) int {
	for i := range m.entries {
		// What is equal has equal bits, and most keys are strings of another length.
		if e := &m.entries[i]; e.Key.bits == k.bits && Equal(e.Key, k) {
			return i
		}
	}
	return -1
}

// Put sets the value of a key.
func (m *Map) Put(k, v Value) {
	if i := m.Index(k); i >= 0 {
		m.entries[i].Value = v
		return
	}
	m.Add(k, v)
}

// SetAt sets the value of the entry at an index.
func (m *Map) SetAt(i int, v Value) { m.entries[i].Value = v }

// Get returns the value of a key.
func (m *Map) Get(k Value) (Value, bool) {
	if i := m.Index(k); i >= 0 {
		return m.entries[i].Value, true
	}
	return Value{}, false
}

// Entries are the entries, in order. They must not be changed.
func (m *Map) Entries() []Entry { return m.entries }

// Len is the number of entries.
func (m *Map) Len() int { return len(m.entries) }

func (m *Map) equal(o *Map) bool {
	if len(m.entries) != len(o.entries) {
		return false
	}
	for _, e := range m.entries {
		if v, ok := o.Get(e.Key); !ok || !Equal(v, e.Value) {
			return false
		}
	}
	return true
}

// Header is one header of a record.
type Header struct {
	Key    string
	Schema *Schema
	Value  Value
}

// Headers are a record's headers: in order, keys may repeat.
type Headers []Header

// Last returns the last header of a key.
func (h Headers) Last(key string) (Header, bool) {
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].Key == key {
			return h[i], true
		}
	}
	return Header{}, false
}

// Add appends an entry whose key is not in the map: the caller knows that.
func (m *Map) Add(k, v Value) { m.entries = AppendEntry(m.entries, k, v) }

// AppendEntry appends an entry. It writes it where it stays: an Entry that is made elsewhere and copied is read before it has been written,
// for which a processor waits.
func AppendEntry(to []Entry, k, v Value) []Entry {
	n := len(to)
	if n == cap(to) {
		to = append(to, Entry{})
	}
	to = to[:n+1]
	to[n].Key, to[n].Value = k, v
	return to
}

// Remove takes a key out, if it is there.
func (m *Map) Remove(k Value) {
	if i := m.Index(k); i >= 0 {
		m.entries = append(m.entries[:i], m.entries[i+1:]...)
	}
}
