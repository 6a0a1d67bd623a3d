// Package cli is the command line for people: `sluice connectors|tasks|executors|plugins|events …` over the
// control API. Tables for people, -o json for programs; --watch prints again when something changes.
package cli
