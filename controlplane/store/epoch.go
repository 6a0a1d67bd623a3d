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
