// Package data is Kafka Connect's data model: values, schemas, structs, maps and headers.
//
// The one idea: a Value is a small struct that holds scalars, strings and bytes by itself, so that a
// record of them costs no allocation for boxing. Structs, arrays and maps are pointers.
//
// Values are immutable by convention; strings and bytes may alias a batch's buffer and live as long as
// the batch does. Nothing here is safe for concurrent use while it is being changed.
package data
