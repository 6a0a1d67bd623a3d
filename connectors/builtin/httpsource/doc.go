// Package httpsource is the source for HTTP APIs that answer in JSON. It takes the configs of castorm's kafka-connect-http.
//
// The one idea: what was read is known by an offset, texts by names that were taken out of the last record that was handed
// over, and the next request is made of it by templates. A listing is one such request and the pages that follow from its
// answer; it is filtered by the offset that it began with, so that records which come again are not handed over again. A
// Poll asks for one page at most, and hands over what the batch has room for; one page is all that is held.
//
// Source partitions and offsets are castorm's, so that a connector that was moved goes on where it was.
//
// Promises: no record is lost that the API lists behind the offset, in the order of timestamps; the offset of a record is
// handed over with it, never before it. Not promised: that none comes twice; what the filter passes is said in filter.go.
// Secrets are in no error: requests are named without their query. Start reading in task.go; request.go is what is asked
// for, client.go how, page.go what becomes of the answer.
package httpsource
