// Package rest speaks Kafka Connect's REST API. Paths and methods come from the google.api.http
// annotations of the control API; what those cannot say is here, and only here: the shapes of the
// root's JSON (shapes.go, encode.go), how bodies are read (decode.go), status codes and headers
// (handler.go), and Kafka Connect's error bodies (errors.go).
//
// Everything under /v1/ is Sluice's own and answers plain proto JSON.
//
// Where Kafka Connect answers a client's mistake with a 500 (malformed JSON, a wrong shape, an unknown
// field), Sluice answers the 400 that fits, with the same body.
package rest
