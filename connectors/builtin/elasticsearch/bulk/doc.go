// Package bulk sends operations on documents in bulk requests: a few at once, each of bounded size, with what a node refuses
// for a moment tried again item by item.
//
// The one idea: there is one bulk that is being filled, and there are some that are on their way. A bulk goes when it is
// full, or due (linger has passed, or a flush waits) and a place is free. So under load bulks grow to their full size by
// themselves, and a filler that finds no place waits: that is the back-pressure.
//
// The Sender's goroutines are its own, and end with Stop. Its one lock is held while a filler fills (Begin to End) and for
// moments by what comes back; nothing is sent or waited for under it.
//
// Promises: what Flush has returned nil for was done, or handed to Settle. Of operations with the same id that have no
// version, in bulks of a Sender with InOrder, the last wins. Start with sender.go; answer.go says what an item's answer means.
package bulk
