package elasticsearch

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/elasticsearch/bulk"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
)

const (
	// maxID bounds an id, in bytes: the server refuses the whole request where one is longer.
	maxID = 512
	// timestamp is the field that documents of data streams have to have.
	timestamp = "@timestamp"
)

// documents makes lines of bulk requests of records. Not safe for concurrent use.
type documents struct {
	nulls   string // ignore, delete or fail
	id      idKind
	byTopic map[string]idKind // others
	compact bool
	// upsert has documents updated, create only created.
	upsert, create bool
	// versionHeader is the header with the version; empty: the offset.
	versionHeader string
	// timestamp says that documents have a @timestamp: the first of timestampFields that there is, or the record's. keepTimestamp
	// leaves one that the document has.
	timestamp, keepTimestamp bool
	timestampFields          []string
	routeByKey               bool

	json   converter.JSON
	shapes shapes
	arena  data.Arena // of values in their shapes, for one record
}

// prepare makes it ready.
func (d *documents) prepare() error {
	d.shapes.compact = d.compact
	return d.json.Configure(map[string]string{"schemas.enable": "false"}, false)
}

func (d *documents) idOf(topic string) idKind {
	if k, ok := d.byTopic[topic]; ok {
		return k
	}
	return d.id
}

// skipped says that nothing is made of a record, without an error.
type skipped bool

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRecord}, args...)...)
}

// add makes an operation of a record. It adds nothing where it returns an error, which wraps ErrRecord or a converter's, or
// where nothing is to be done.
func (d *documents) add(b *bulk.Bulk, to *target, r *connectors.SinkRecord, op bulk.Op) (skipped, error) {
	null := r.Value.IsNull()
	if null {
		switch d.nulls {
		case fail:
			return false, invalid("it has no value (with %s=ignore such records are left out)", nullsKey)
		case ignore:
			return true, invalid("it has no value")
		}
		if r.Key.IsNull() || to.id != byKey {
			return true, nil // the id is nobody else's: nothing is there to delete
		}
	}
	dst, from, till, err := d.action(b.Body(), to, r, &op, null)
	if err != nil {
		return false, err
	}
	if !null {
		if dst, err = d.source(dst, to, r); err != nil {
			return false, err
		}
	}
	b.Add(dst, op, from, till)
	return false, nil
}

// action writes the first line, and says where in it the id is.
func (d *documents) action(dst []byte, to *target, r *connectors.SinkRecord, op *bulk.Op, null bool) (out []byte, from, till int, err error) {
	name := "index"
	switch {
	case null:
		name, op.Delete = "delete", true
	case d.upsert:
		name = "update"
	case d.create:
		name = "create"
		op.Once = to.id != byServer
	}
	dst = append(append(append(dst, `{"`...), name...), `":{"_index":`...)
	dst = append(dst, to.index...)
	if to.id != byServer {
		dst = append(dst, `,"_id":`...)
		from = len(dst)
		if dst, err = d.appendID(dst, to, r); err != nil {
			return dst, 0, 0, err
		}
		till = len(dst)
	}
	if d.routeByKey {
		dst = append(dst, `,"routing":`...)
		if dst, err = d.appendKey(dst, r); err != nil {
			return dst, 0, 0, err
		}
	}
	switch {
	case d.upsert && !null:
		dst = append(dst, `,"retry_on_conflict":3`...)
	case to.id == byKey && !d.create && !d.upsert:
		version, err := d.version(r)
		if err != nil {
			return dst, 0, 0, err
		}
		dst = append(strconv.AppendInt(append(dst, `,"version":`...), version, 10), `,"version_type":"external"`...)
		op.Versioned = true
	}
	return append(dst, "}}\n"...), from, till, nil
}

func (d *documents) appendID(dst []byte, to *target, r *connectors.SinkRecord) ([]byte, error) {
	if to.id == byKey {
		return d.appendKey(dst, r)
	}
	dst = append(dst, '"') // a topic has no characters that JSON escapes
	dst = append(append(dst, r.Topic...), '+')
	dst = append(strconv.AppendInt(dst, int64(r.Partition), 10), '+')
	return append(strconv.AppendInt(dst, r.Offset, 10), '"'), nil
}

// appendKey writes the record's key as a text, as far as it can be an id.
func (d *documents) appendKey(dst []byte, r *connectors.SinkRecord) ([]byte, error) {
	switch k := r.Key; k.Kind() {
	case data.KindNull:
		return dst, invalid("its key is the document's id, and it has none: set %s=true, or give it one", ignoreKeyKey)
	case data.KindString:
		switch n := len(k.Raw()); {
		case n == 0:
			return dst, invalid("its key is the document's id, and it is empty")
		case n > maxID:
			return dst, invalid("its key is the document's id, and has %d bytes: %d is the most", n, maxID)
		}
		out, _, err := d.json.FromData(dst, r.Topic, nil, k)
		return out, err
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
		if n := r.KeySchema; n != nil && (n.Name == data.DateName || n.Name == data.TimeName || n.Name == data.TimestampName) {
			return append(converter.AppendTextOf(append(dst, '"'), n, k), '"'), nil // as Java's Date shows itself
		}
		return append(strconv.AppendInt(append(dst, '"'), k.Int(), 10), '"'), nil
	default:
		return dst, invalid("its key is %s, which is no document's id: a text or an integer is", k.Kind())
	}
}

// version is the external version.
func (d *documents) version(r *connectors.SinkRecord) (int64, error) {
	if d.versionHeader == "" {
		return r.Offset, nil
	}
	h, ok := r.Headers.Last(d.versionHeader)
	if !ok {
		return 0, invalid("it has no header %q, which %s names", d.versionHeader, versionHeaderKey)
	}
	n, err := strconv.ParseInt(string(converter.AppendTextOf(nil, h.Schema, h.Value)), 10, 64)
	if err != nil || n < 0 {
		return 0, invalid("the header %q of %s is no version: a number from 0 on is", d.versionHeader, versionHeaderKey)
	}
	return n, nil
}

// source writes the document's line.
func (d *documents) source(dst []byte, to *target, r *connectors.SinkRecord) ([]byte, error) {
	schema, v := r.ValueSchema, r.Value
	if !to.raw {
		sh := d.shapes.of(schema)
		if !sh.same {
			d.arena.Reset()
			var err error
			if v, err = sh.value(&d.arena, v); err != nil {
				return dst, err
			}
			schema = sh.to
		}
	}
	if d.upsert {
		dst = append(dst, `{"doc":`...)
	}
	var err error
	if d.timestamp {
		dst, err = d.stamped(dst, r, schema, v)
	} else {
		dst, _, err = d.json.FromData(dst, r.Topic, schema, v)
	}
	if err != nil {
		return dst, err
	}
	if d.upsert {
		dst = append(dst, `,"doc_as_upsert":true}`...)
	}
	return append(dst, '\n'), nil
}

// stamped writes a document with its @timestamp.
func (d *documents) stamped(dst []byte, r *connectors.SinkRecord, schema *data.Schema, v data.Value) ([]byte, error) {
	fields, ok := fieldsOf(schema, v)
	if !ok {
		return dst, invalid("documents of data streams are objects, and its value is %s", v.Kind())
	}
	at, err := d.moment(r, fields)
	if err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	first := true
	put := func(name []byte) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, name...), ':')
	}
	for _, f := range fields {
		if f.name == timestamp && at != nil {
			continue
		}
		name, _, err := d.json.FromData(nil, r.Topic, nil, data.String(f.name))
		if err != nil {
			return dst, err
		}
		put(name)
		if dst, err = d.plain(dst, r.Topic, f); err != nil {
			return dst, fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	if at != nil {
		put([]byte(`"` + timestamp + `"`))
		dst = append(dst, at...)
	}
	return append(dst, '}'), nil
}

// moment is the @timestamp as JSON; nil leaves what the document has.
func (d *documents) moment(r *connectors.SinkRecord, fields []field) ([]byte, error) {
	find := func(name string) int {
		for i := range fields {
			if fields[i].name == name {
				return i
			}
		}
		return -1
	}
	for _, name := range d.timestampFields {
		if i := find(name); i >= 0 {
			out, err := d.plain(nil, r.Topic, fields[i])
			if err == nil && !bytes.HasPrefix(out, []byte{'"'}) {
				out = append(append([]byte{'"'}, out...), '"') // as a text, which the Java connector makes of it
			}
			return out, err
		}
	}
	if len(d.timestampFields) > 0 || d.keepTimestamp && find(timestamp) >= 0 {
		return nil, nil
	}
	if r.Timestamp == connectors.NoTimestamp {
		return nil, invalid("it has no timestamp, and documents of data streams have to have one")
	}
	return strconv.AppendInt(nil, r.Timestamp, 10), nil
}

func (d *documents) plain(dst []byte, topic string, f field) ([]byte, error) {
	out, null, err := d.json.FromData(dst, topic, f.schema, f.value)
	if null && err == nil {
		out = append(out, "null"...)
	}
	return out, err
}

// field is a member of an object.
type field struct {
	name   string
	schema *data.Schema
	value  data.Value
}

// fieldsOf are the members of a value that is written as an object.
func fieldsOf(schema *data.Schema, v data.Value) ([]field, bool) {
	var out []field
	switch v.Kind() {
	case data.KindStruct:
		for i, f := range v.Struct().Schema().Fields {
			out = append(out, field{f.Name, f.Schema, v.Struct().Raw(i)})
		}
		return out, true
	case data.KindMap:
		var elem *data.Schema
		if schema != nil {
			elem = schema.Elem
		}
		for _, e := range v.Map().Entries() {
			if e.Key.Kind() != data.KindString {
				return nil, false
			}
			out = append(out, field{e.Key.Str(), elem, e.Value})
		}
		return out, true
	}
	return nil, false
}
