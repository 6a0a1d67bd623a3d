package store

import (
	"github.com/sluice-project/sluice/internal/lease"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func epochOf(e *sluicev1.Epoch) lease.Epoch {
	return lease.Epoch{Era: e.GetEra(), Revision: e.GetRevision()}
}

func epochProto(e lease.Epoch) *sluicev1.Epoch {
	return &sluicev1.Epoch{Era: e.Era, Revision: e.Revision}
}

// sameEra says whether an epoch may be an assignment's: transactions compare revisions alone, and those come again once
// etcd was restored from a snapshot. The era changes only while no replica runs.
func (s *Store) sameEra(e lease.Epoch) bool { return e.Era == s.View().Era }
