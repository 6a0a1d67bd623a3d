// Package events tells what changes in the cluster, in the words of WatchEvents.
//
// The one idea: an event is made of what one revision did to the store's keys, and of nothing else. So every replica
// makes the same events of the same revision, from its own watch or from etcd's history, and their ids are the
// revisions: a reader who goes on elsewhere with the last id misses nothing and sees nothing twice.
//
// Of makes the events of a revision; Journal keeps the newest ones, bounded, for any number of readers, who each know
// where they are: nobody waits for a reader, and one who falls behind what is kept is told so (api.Events). Configs are
// never in an event, only the names of their keys.
// Start reading at of.go.
package events
