// Package activetopics keeps which topics connectors use (KIP-558), in the status topic and in memory.
//
// The one idea: the topic is the truth, and every executor follows it. A task tells of the topics of each batch
// (Used); what the topic does not have yet is written. So a reset, by whatever executor or tool, needs no word to the
// tasks: their next batch finds the topic missing and writes it again. Questions (List, Forget) first read to the
// topic's end, so they know everything that was written before them, on whatever executor they are asked.
//
// Where there is no status topic (standalone mode) all of it is in memory alone.
//
// Used never waits and loses what it cannot queue: the next batch tells it again.
// Start with topics.go.
package activetopics
