// Package converter turns Connect data into Kafka's bytes and back: StringConverter, JsonConverter,
// ByteArrayConverter and those of the primitive types, each for keys, values and headers. Formats are those of the Java classes whose names
// they carry.
//
// FromData appends to a buffer of the caller's, so that a batch is converted into one allocation; ToData
// may alias the bytes it is given. A converter is used by one goroutine at a time.
package converter
