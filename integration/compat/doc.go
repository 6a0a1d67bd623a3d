// Package compat holds Sluice against the real Kafka Connect 4.3.1: its topics, and what REST clients are told that nobody here
// wrote (clients/); and its REST API against its own description (openapi_test.go). Build tag integration; make compat.
package compat
