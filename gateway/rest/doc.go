// Package rest speaks Kafka Connect's REST API. Paths and methods come from the google.api.http
// annotations of the control API, and so does the table from which 404, 405 and OPTIONS are answered (routes.go). What
// annotations cannot say is here, and only here: the shapes of the root's JSON (shapes.go, encode.go), how bodies are
// read (decode.go), what comes before a resource is called, status codes and headers (webserver.go, handler.go, media.go, path.go,
// cors.go, headers.go), what only headers say (upstream.go), Kafka Connect's error bodies (errors.go), and what only its workers
// call (internal.go).
//
// Everything under /v1/ is Sluice's own and answers plain proto JSON.
//
// Where Kafka Connect answers a client's mistake with a 500 (malformed JSON, a wrong shape, an unknown
// field), Sluice answers the 400 that fits, with the same body.
package rest
