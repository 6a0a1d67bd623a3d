// Package election decides which replica leads, and hands out the guard that every write of the leader
// carries: the election's key with its create revision. A replica that lost the election without
// noticing has its writes refused by that compare, not by its own good will.
package election
