package rest

import (
	_ "embed"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/sluice-project/sluice/gateway/rest/openapi"
)

// ownRoute is a route that the gateway serves by itself, with what the reference says of it.
type ownRoute struct {
	method, path string
	handle       runtime.HandlerFunc

	id, summary, about string
	body               *openapi.Schema         // of the request; nil for none
	answers            map[int]*openapi.Schema // what it answers besides what any route does; nil is no body
}

// ownRoutes are those that no rpc is behind.
var ownRoutes = []ownRoute{
	{method: http.MethodPost, path: "/connectors/{name}/tasks", handle: internalHandler(true), id: "putTaskConfigs",
		summary: "Refuses what only workers of Kafka Connect call at one another",
		about:   "Sluice's processes do not call one another over REST: no signature is ever right here. 403 where there is one.",
		body:    &openapi.Schema{Type: "array", Items: &openapi.Schema{Type: "object"}},
		answers: map[int]*openapi.Schema{http.StatusForbidden: errorSchema}},
	{method: http.MethodPut, path: "/connectors/{name}/fence", handle: internalHandler(false), id: "fenceZombies",
		summary: "Refuses what only workers of Kafka Connect call at one another",
		about:   "As POST /connectors/{name}/tasks.",
		answers: map[int]*openapi.Schema{http.StatusForbidden: errorSchema}},
	{method: http.MethodGet, path: "/v1/openapi.json", handle: serveDocument, id: "getOpenAPI",
		summary: "Returns this document", about: "OpenAPI 3.0, made from the same protos and tables as the gateway.",
		answers: map[int]*openapi.Schema{http.StatusOK: {Type: "object"}}},
}

// document is what `make generate` wrote last.
//
//go:embed openapi.json
var document []byte

func serveDocument(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document) // the client is gone: there is nobody to tell
}
