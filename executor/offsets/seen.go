package offsets

import (
	"hash/maphash"
	"time"
)

// seen is which connectors have had records in the topic, from its beginning up to where the last reading ended. A
// connector that is not among them has none up to there: a new one need not read the whole topic. Names are kept as
// hashes, 8 bytes each: two that are equal only make a reading longer.
type seen struct {
	seed  maphash.Seed
	names map[uint64]struct{}
	asOf  time.Duration
	next  map[int32]int64 // nil: nothing is known
}

// fresh says whether a reading at now may begin where the last one ended.
func (s *seen) fresh(now time.Duration) bool { return s.next != nil && now-s.asOf <= readAgain }

func (s *seen) has(connector string) bool {
	_, ok := s.names[maphash.String(s.seed, connector)]
	return ok
}

// add takes the names that a reading came by. whole: it began at the topic's beginning.
func (s *seen) add(whole bool, names []string, asOf time.Duration, next map[int32]int64) {
	if whole || s.names == nil {
		s.seed, s.names = maphash.MakeSeed(), map[uint64]struct{}{}
	}
	for _, n := range names {
		s.names[maphash.String(s.seed, n)] = struct{}{}
	}
	s.asOf, s.next = asOf, next
}
