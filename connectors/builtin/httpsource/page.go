package httpsource

import (
	"crypto/md5" //nolint:gosec // Java's UUID.nameUUIDFromBytes is made with it
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

// record is one that was found in an answer.
type record struct {
	key, value string
	time       time.Time // the record's, or that of reading
	at         offset
}

// page is what of an answer is left to be handed over.
type page struct {
	records []record
	after   offset // the cursors behind it
	seen    validators
	same    string // the request that the validators are for
}

// entries are the records of an answer, in its order, and how many there were. now is their timestamp where they have none.
func (s *settings) entries(r request, body []byte, now time.Time) ([]record, error) {
	if len(body) == 0 {
		return nil, nil
	}
	list, err := s.locate(r, body, s.list, listKey)
	if err != nil {
		return nil, err
	}
	switch {
	case string(list) == "null":
		return nil, nil
	case list[0] != '[':
		one, err := s.entry(r, list, now)
		return []record{one}, err
	}
	var out []record
	for e := range elements(list) {
		one, err := s.entry(r, e, now)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// check says whether a body is JSON.
func check(r request, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	if !utf8.Valid(body) {
		return dataError(fmt.Errorf("%w: %s: it is no UTF-8", ErrAnswer, r))
	}
	if !json.Valid(body) {
		return dataError(fmt.Errorf("%w: %s: it is no JSON (%d bytes, beginning with %q)", ErrAnswer, r, len(body), excerpt(string(body), 20)))
	}
	return nil
}

func (s *settings) locate(r request, doc []byte, p pointer, key string) ([]byte, error) {
	v, ok := p.in(doc)
	if !ok {
		return nil, dataError(fmt.Errorf("%w: %s: there is nothing at %s (%s)", ErrAnswer, r, p.text, key))
	}
	return v, nil
}

// entry is a record as castorm makes one.
func (s *settings) entry(r request, doc []byte, now time.Time) (record, error) {
	v, err := s.locate(r, doc, s.record, recordKey)
	if err != nil {
		return record{}, err
	}
	out := record{time: now, at: offset{}}
	if v[0] == '{' || v[0] == '[' {
		out.value = string(appendJSON(make([]byte, 0, len(v)), v))
	} else {
		out.value = textOf(v)
	}
	for name, p := range s.offsets {
		if v, err = s.locate(r, doc, p, offsetKey); err != nil {
			return record{}, err
		}
		out.at[name] = textOf(v)
	}
	var parts []string
	for _, p := range s.keys {
		if v, err = s.locate(r, doc, p, keyPointerKey); err != nil {
			return record{}, err
		}
		if text := textOf(v); text != "" {
			parts = append(parts, text)
		}
	}
	var ok bool
	if out.key = strings.Join(parts, "+"); out.key == "" {
		if out.key, ok = out.at[keyName]; !ok {
			out.key = nameUUID(out.value)
		}
	}
	out.at[keyName] = out.key
	text, ok := out.at[timestampName]
	if s.timestamp != nil {
		if v, err = s.locate(r, doc, *s.timestamp, timePointerKey); err != nil {
			return record{}, err
		}
		text, ok = textOf(v), true
	}
	if !ok {
		return out, nil
	}
	if out.time, err = s.parseTime(text); err != nil {
		return record{}, dataError(fmt.Errorf("%w: %s: the timestamp of the record %q: %w", ErrAnswer, r, excerpt(out.key, 60), err))
	}
	if out.time.UnixMilli() < 0 || out.time.Year() > 9999 {
		return record{}, dataError(fmt.Errorf("%w: %s: the record %q has the timestamp %s, which no record of Kafka can have", ErrAnswer, r, excerpt(out.key, 60), excerpt(text, 60)))
	}
	out.at[timestampName] = instant(out.time)
	return out, nil
}

// nameUUID is Java's UUID.nameUUIDFromBytes: a key that equal records have in common.
func nameUUID(text string) string {
	sum := md5.Sum([]byte(text)) //nolint:gosec // as above
	sum[6], sum[8] = sum[6]&0x0f|0x30, sum[8]&0x3f|0x80
	return uuid.UUID(sum).String()
}

// sort puts records into ascending order, where the config or the timestamps of the first and the last say that they are not.
func (s *settings) sort(r request, records []record) error {
	order := upper(s.Values, orderKey)
	if order == implicit && len(records) > 1 && records[0].time.UnixMilli() > records[len(records)-1].time.UnixMilli() {
		if s.String(pagesKey) != noPages {
			return dataError(fmt.Errorf("%w: %s: the records are in descending order of timestamps, which cannot be with %s=%s: ask the API for ascending order, or say %s=%s if it is one",
				ErrAnswer, r, pagesKey, s.String(pagesKey), orderKey, ascending))
		}
		order = descending
	}
	if order == descending {
		slices.Reverse(records)
	}
	return nil
}

// The schemas of castorm's records.
var (
	optionalKey = &data.Schema{Type: data.KindString, Optional: true, Doc: "HTTP Record Key"}
	keySchema   = &data.Schema{Type: data.KindStruct, Name: "com.github.castorm.kafka.connect.http.Key", Doc: "Message Key", Fields: []data.Field{{Name: keyName, Schema: optionalKey}}}
	valueSchema = &data.Schema{Type: data.KindStruct, Name: "com.github.castorm.kafka.connect.http.Value", Doc: "Message Value", Fields: []data.Field{
		{Name: "value", Schema: &data.Schema{Type: data.KindString, Doc: "HTTP Record Value"}},
		{Name: keyName, Schema: optionalKey},
		{Name: timestampName, Schema: &data.Schema{Type: data.KindInt64, Optional: true, Doc: "HTTP Record Timestamp"}}}}
)

// put makes a record of Kafka's.
func (s *settings) put(r record, to *connectors.SourceRecord) {
	to.Topic, to.Timestamp, to.Offset.Value = s.String(topicKey), r.time.UnixMilli(), r.at.value()
	if s.String(mapperKey) == stringMapper {
		to.KeySchema, to.Key, to.ValueSchema, to.Value = data.StringSchema, data.String(r.key), data.StringSchema, data.String(r.value)
		return
	}
	key, value := data.NewStruct(keySchema), data.NewStruct(valueSchema)
	key.Set(0, data.String(r.key))
	value.Set(0, data.String(r.value))
	value.Set(1, data.String(r.key))
	value.Set(2, data.Int64(r.time.UnixMilli()))
	to.KeySchema, to.Key, to.ValueSchema, to.Value = keySchema, data.StructOf(key), valueSchema, data.StructOf(value)
}
