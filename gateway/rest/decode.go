package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// maxBody bounds a request's body, in bytes: well above the largest config that the store takes.
const maxBody = 2 << 20

// createClass is how Kafka Connect's clients know the body of POST /connectors.
const createClass = "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest"

// decodeBody reads one JSON body into what grpc-gateway asks for: the request of POST /connectors, the config of a PUT
// or PATCH, what is to become of offsets, the level of a logger; and proto JSON into what Kafka Connect does not have.
func decodeBody(r io.Reader, v any) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("the body cannot be read: %w", err)
	}
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) { // which the decoder would alter
		return fmt.Errorf("the body is not valid UTF-8: byte %d", validPrefix(body)+1)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	switch v := v.(type) {
	case *sluicev1.CreateConnectorRequest:
		err = decodeCreate(d, v)
	case *sluicev1.AlterConnectorOffsetsRequest:
		err = decodeOffsets(d, v)
	case **sluicev1.Config:
		// Kafka Connect looks for the connector before it looks whether there is a config.
		if text := string(bytes.TrimSpace(body)); text == "" || text == "null" {
			*v = nil
			return nil
		}
		*v, err = decodeConfig(d)
	case **string:
		*v, err = decodeLevel(d)
	case proto.Message:
		return decodeOwn(body, v)
	default:
		return fmt.Errorf("no body is expected here, for %T (bug)", v)
	}
	switch {
	case err != nil && len(bytes.TrimSpace(body)) == 0:
		return errors.New("the body is empty: a JSON object is needed")
	case err != nil:
		return bodyError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the JSON value: the body must be one JSON object")
	}
	return nil
}

// validPrefix is how many bytes at the front are UTF-8.
func validPrefix(b []byte) int {
	n := 0
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		n += size
	}
	return n
}

// decodeOwn reads the body of a request that Kafka Connect does not have. It may be left out.
func decodeOwn(body []byte, m proto.Message) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := protojson.Unmarshal(body, m); err != nil {
		return fmt.Errorf("the body is not what is expected here: %w", err)
	}
	return nil
}

// bodyError names the place of a syntax error, and never says EOF: grpc-gateway takes that for an
// absent body.
func bodyError(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("the body is not valid JSON: %w at byte %d", syntax, syntax.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the body is not valid JSON: it ends too early")
	default:
		return err
	}
}

func decodeCreate(d *json.Decoder, out *sluicev1.CreateConnectorRequest) error {
	if err := openObject(d, "the body"); err != nil {
		return err
	}
	for d.More() {
		key, err := stringToken(d)
		if err != nil {
			return err
		}
		switch key {
		case "name":
			s, err := scalar(d, key)
			if err != nil {
				return err
			}
			out.Name = ""
			if s != nil {
				out.Name = *s
			}
		case "config":
			if out.Config, err = decodeConfig(d); err != nil {
				return err
			}
		case "initial_state":
			s, err := scalar(d, key)
			if err != nil {
				return err
			}
			if out.InitialState, err = initialState(s); err != nil {
				return err
			}
		default:
			return fmt.Errorf("Unrecognized field %q (class %s), not marked as ignorable (3 known properties: \"config\", \"initial_state\", \"name\"])", key, createClass)
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if out.Config == nil {
		return errors.New(`the field "config" is missing: an object of the connector's config is needed`)
	}
	return nil
}

func initialState(s *string) (sluicev1.TargetState, error) {
	if s == nil {
		return sluicev1.TargetState_TARGET_STATE_UNSPECIFIED, nil
	}
	switch strings.ToUpper(*s) {
	case "RUNNING":
		return sluicev1.TargetState_TARGET_STATE_STARTED, nil
	case "PAUSED":
		return sluicev1.TargetState_TARGET_STATE_PAUSED, nil
	case "STOPPED":
		return sluicev1.TargetState_TARGET_STATE_STOPPED, nil
	}
	return 0, fmt.Errorf("Cannot construct instance of `%s$InitialState`, problem: No enum constant %s.InitialState.%s: it must be RUNNING, PAUSED or STOPPED", createClass, createClass, strings.ToUpper(*s))
}

// decodeConfig reads a flat object. Scalars that are no strings become their literal text, null stays
// null, the last of repeated keys counts, and the order is kept: as Kafka Connect reads them.
func decodeConfig(d *json.Decoder) (*sluicev1.Config, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, errors.New("the config is null: an object is needed")
	}
	if t != json.Delim('{') {
		return nil, errors.New("Cannot deserialize value of type `java.util.LinkedHashMap<java.lang.String,java.lang.String>`: the config must be an object of strings")
	}
	config := &sluicev1.Config{}
	at := map[string]int{}
	for d.More() {
		key, err := stringToken(d)
		if err != nil {
			return nil, err
		}
		value, err := scalar(d, key)
		if err != nil {
			return nil, err
		}
		if i, ok := at[key]; ok {
			config.Entries[i].Value = value
			continue
		}
		at[key] = len(config.Entries)
		config.Entries = append(config.Entries, &sluicev1.ConfigEntry{Key: key, Value: value})
	}
	_, err = d.Token()
	return config, err
}

// decodeLevel reads the level of a logger. Other members are of no interest, but must be what a level could be.
func decodeLevel(d *json.Decoder) (*string, error) {
	config, err := decodeConfig(d)
	for _, e := range config.GetEntries() {
		if e.GetKey() == "level" {
			return e.Value, err
		}
	}
	return nil, err
}

func openObject(d *json.Decoder, what string) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return fmt.Errorf("%s must be a JSON object", what)
	}
	return nil
}

func stringToken(d *json.Decoder) (string, error) {
	t, err := d.Token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("a key must be a string, not %v", t)
	}
	return s, nil
}

// scalar reads a value as text; nil is JSON null.
func scalar(d *json.Decoder, key string) (*string, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	var s string
	switch t := t.(type) {
	case nil:
		return nil, nil
	case string:
		s = t
	case json.Number:
		s = t.String()
	case bool:
		s = fmt.Sprint(t)
	case json.Delim:
		kind := "Object"
		if t == '[' {
			kind = "Array"
		}
		return nil, fmt.Errorf("Cannot deserialize value of type `java.lang.String` from %s value: %q must be a string", kind, key)
	}
	return &s, nil
}
