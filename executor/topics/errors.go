package topics

import "errors"

var (
	// ErrMalformed is wrapped where a record of an internal topic cannot be read. The reader logs the
	// record's place and goes on, as Kafka Connect does.
	ErrMalformed = errors.New("topics: malformed record")
	// ErrUnsupported is wrapped where a source partition or offset holds what its JSON cannot carry: only
	// strings, numbers, booleans, bytes and null can be in one.
	ErrUnsupported = errors.New("topics: value cannot be part of a source partition or offset")
)
