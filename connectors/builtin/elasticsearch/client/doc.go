// Package client sends requests to the nodes of an Elasticsearch or OpenSearch cluster, by net/http: the client libraries
// speak to one of the two each (Elastic's refuses other products), and what a sink needs is a handful of requests whose
// bodies are there already.
//
// A request goes to one node after the other until one answers; what no node answers, or answers with "busy" or "away", is
// tried again with pauses. Start with client.go; errors.go says what an answer means. No error has the password or what
// stands before the @ of a URL.
package client
