package data

import "unsafe"

// Arena makes values in memory that is used again: what it handed out is valid until Reset. The zero Arena is
// ready. One that has seen a few batches of a kind allocates nothing more. Not safe for concurrent use.
//
// A nil Arena makes values that live as long as they are used.
type Arena struct {
	structs slab[Struct]
	maps    slab[Map]
	values  slab[Value]
	entries slab[Entry]
	headers slab[Header]
	bytes   slab[byte]
}

// Struct makes a struct of nulls, as NewStruct does.
func (a *Arena) Struct(s *Schema) *Struct {
	if a == nil {
		return NewStruct(s)
	}
	st := &a.structs.take(1)[0]
	st.schema, st.values = s, a.values.take(len(s.Fields))
	return st
}

// Map makes an empty map with room for n entries.
func (a *Arena) Map(n int) *Map {
	if a == nil {
		return &Map{entries: make([]Entry, 0, n)}
	}
	m := &a.maps.take(1)[0]
	m.entries = a.entries.take(n)[:0]
	return m
}

// MapOf makes a map of entries, whose keys differ; they are copied.
func (a *Arena) MapOf(entries []Entry) *Map {
	m := a.Map(len(entries))
	m.entries = append(m.entries, entries...)
	return m
}

// CopyMap copies a map, with room for more entries.
func (a *Arena) CopyMap(m *Map, more int) *Map {
	out := a.Map(len(m.entries) + more)
	out.entries = append(out.entries, m.entries...)
	return out
}

// Values makes no values, with room for n.
func (a *Arena) Values(n int) []Value {
	if a == nil {
		return make([]Value, 0, n)
	}
	return a.values.take(n)[:0]
}

// Headers makes no headers, with room for n.
func (a *Arena) Headers(n int) Headers {
	if a == nil {
		return make(Headers, 0, n)
	}
	return a.headers.take(n)[:0]
}

// Bytes makes no bytes, with room for n.
func (a *Arena) Bytes(n int) []byte {
	if a == nil {
		return make([]byte, 0, n)
	}
	return a.bytes.take(n)[:0]
}

// Text copies b.
func (a *Arena) Text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	to := append(a.Bytes(len(b)), b...)
	return unsafe.String(unsafe.SliceData(to), len(to))
}

// Reset takes back everything that was handed out.
func (a *Arena) Reset() {
	a.structs.reset()
	a.maps.reset()
	a.values.reset()
	a.entries.reset()
	a.headers.reset()
	a.bytes.reset()
}

// slab hands out parts of one slice. When it is full a larger one takes its place; the old one lives as long as
// its parts are used.
type slab[T any] struct{ all []T }

const (
	firstSlab = 64
	// maxSlab bounds what of a slab is kept over a Reset, in bytes.
	maxSlab = 4 << 20
)

func (s *slab[T]) take(n int) []T {
	if s.all == nil || cap(s.all)-len(s.all) < n {
		s.all = make([]T, 0, max(firstSlab, 2*cap(s.all), n))
	}
	from := len(s.all)
	s.all = s.all[:from+n]
	return s.all[from : from+n : from+n]
}

func (s *slab[T]) reset() {
	var zero T
	if cap(s.all)*int(unsafe.Sizeof(zero)) > maxSlab {
		s.all = nil
		return
	}
	clear(s.all) // what it points to may go, and take hands out zeroes
	s.all = s.all[:0]
}
