package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// How Kafka Connect's clients know the body of PATCH /connectors/{name}/offsets and its elements.
const (
	offsetsClass = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets"
	offsetClass  = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset"
)

// decodeOffsets reads what is to become of offsets. Partitions and offsets are kept as they are written: a number
// that goes through a double is another one.
func decodeOffsets(d *json.Decoder, out *sluicev1.AlterConnectorOffsetsRequest) error {
	var body json.RawMessage
	if err := d.Decode(&body); err != nil {
		return err
	}
	members, err := known(body, "the body", offsetsClass, "offsets")
	if err != nil {
		return err
	}
	out.Offsets = nil
	list := members["offsets"]
	if isNull(list) {
		return nil
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(list, &elements); err != nil {
		return fmt.Errorf("Cannot deserialize value of type `java.util.ArrayList<%s>`: \"offsets\" must be a list", offsetClass)
	}
	for i, e := range elements {
		where := fmt.Sprintf("offsets[%d]", i)
		if isNull(e) {
			return fmt.Errorf("%s is null: an object with \"partition\" and \"offset\" is needed", where)
		}
		m, err := known(e, where, offsetClass, "partition", "offset")
		if err != nil {
			return err
		}
		one := &sluicev1.PartitionOffset{}
		if one.Partition, err = object(m["partition"], where+".partition"); err != nil {
			return err
		}
		if one.Offset, err = object(m["offset"], where+".offset"); err != nil {
			return err
		}
		out.Offsets = append(out.Offsets, one)
	}
	return nil
}

func isNull(b json.RawMessage) bool { return len(b) == 0 || string(b) == "null" }

// known reads an object that has no other members than those.
func known(b json.RawMessage, what, class string, names ...string) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil || m == nil {
		return nil, fmt.Errorf("Cannot deserialize value of type `%s`: %s must be an object", class, what)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		switch {
		case slices.Contains(names, name):
		case len(names) == 1:
			return nil, fmt.Errorf("Unrecognized field %q (class %s), not marked as ignorable (one known property: %q)", name, class, names[0])
		default:
			return nil, fmt.Errorf("Unrecognized field %q (class %s), not marked as ignorable (%d known properties: %q, %q)", name, class, len(names), names[0], names[1])
		}
	}
	return m, nil
}

// object is a JSON object's text without its white space; nil for null.
func object(b json.RawMessage, what string) (*string, error) {
	if isNull(b) {
		return nil, nil
	}
	if b[0] != '{' {
		return nil, fmt.Errorf("Cannot construct instance of `java.util.LinkedHashMap`: %s must be an object or null", what)
	}
	var c bytes.Buffer
	if err := json.Compact(&c, b); err != nil {
		return nil, err
	}
	s := c.String()
	return &s, nil
}

// partitionOffset is Kafka Connect's ConnectorOffset.
type partitionOffset struct {
	Partition json.RawMessage `json:"partition"`
	Offset    json.RawMessage `json:"offset"`
}

type offsetsBody struct {
	Offsets []partitionOffset `json:"offsets"`
}

func offsetsShape(in []*sluicev1.PartitionOffset) offsetsBody {
	out := offsetsBody{Offsets: make([]partitionOffset, 0, len(in))}
	raw := func(s *string) json.RawMessage {
		if s == nil {
			return json.RawMessage("null")
		}
		return json.RawMessage(*s)
	}
	for _, o := range in {
		out.Offsets = append(out.Offsets, partitionOffset{raw(o.Partition), raw(o.Offset)})
	}
	return out
}

// message is what altering offsets answers.
type message struct {
	Message string `json:"message"`
}

type activeTopics struct {
	Topics []string `json:"topics"`
}

func topicsShape(v *sluicev1.GetConnectorTopicsResponse) map[string]activeTopics {
	return map[string]activeTopics{v.GetName(): {notNil(v.GetTopics())}}
}
