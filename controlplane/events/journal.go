package events

import (
	"slices"
	"sync"

	"github.com/sluice-project/sluice/controlplane/state"
)

// kept is how many events a journal keeps at least; twice as many at most.
const kept = 4096

// Journal keeps the newest events of a replica. It is a store.Observer. Safe for concurrent use.
type Journal struct {
	mu sync.Mutex
	// entries are the events after floor until revision. What has been handed out is never written again.
	entries         []Entry
	floor, revision int64
	life            uint64
	keep            int
}

// NewJournal returns an empty journal.
func NewJournal() *Journal { return &Journal{keep: kept} }

// Changed implements store.Observer.
func (j *Journal) Changed(changes []state.Change, revision int64) {
	made := Of(changes)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, made...)
	j.revision = max(j.revision, revision)
	if len(j.entries) < 2*j.keep {
		return
	}
	cut := len(j.entries) - j.keep
	for cut < len(j.entries) && j.entries[cut].ID.Revision == j.entries[cut-1].ID.Revision {
		cut++ // a revision stays whole
	}
	j.floor = j.entries[cut-1].ID.Revision
	j.entries = slices.Clone(j.entries[cut:])
}

// Anew implements store.Observer.
func (j *Journal) Anew(revision int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries, j.floor, j.revision = nil, revision, revision
	j.life++
}

// Page is what a journal has after a revision.
type Page struct {
	// Entries are the events after the revision that was asked for, until Revision.
	Entries []Entry
	// Floor is the revision up to which nothing is kept; where it is above what was asked for, Entries is empty.
	Floor, Revision int64
	// Life is another once the store was read anew: what happened in between was never in the journal.
	Life uint64
}

// After returns what is kept after a revision. It must not be written to.
func (j *Journal) After(revision int64) Page {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := Page{Floor: j.floor, Revision: j.revision, Life: j.life}
	if revision >= j.floor {
		i, _ := slices.BinarySearchFunc(j.entries, revision+1, func(e Entry, r int64) int { return int(e.ID.Revision - r) })
		p.Entries = slices.Clip(j.entries[i:])
	}
	return p
}
