// Package state is the control plane's view of the cluster: plain values, as of one revision of the
// store. It knows nothing of etcd, so that what decides over it (scheduler, session, api) is pure.
//
// A Snapshot and everything in it is immutable once handed out.
package state

import (
	"fmt"

	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
)

// Connector is connectors/<name>.
type Connector struct {
	Name string
	// Incarnation is the key's create revision: new for every create of the name.
	Incarnation int64
	// ModRevision is the revision of the last write.
	ModRevision int64
	Value       *storev1.Connector
}

// Assignment is assignments/<unit>.
type Assignment struct {
	Unit        unit.ID
	Epoch       lease.Epoch
	ModRevision int64
	Value       *storev1.Assignment
}

// Lapsed is lapsed/<unit>.
type Lapsed struct {
	Unit        unit.ID
	ModRevision int64
	Value       *storev1.Lapsed
}

// Release is releases/<unit>.
type Release struct {
	Unit        unit.ID
	Epoch       lease.Epoch
	ModRevision int64
	Value       *storev1.Release
}

// Offsets is offsets/<name>: a request to alter a connector's offsets.
type Offsets struct {
	Connector   string
	ModRevision int64
	Value       *storev1.Offsets
}

// Session is sessions/<id>.
type Session struct {
	ID          string
	Created     int64 // the create revision
	ModRevision int64
	Value       *storev1.Session
}

// Status is status/<unit>.
type Status struct {
	Unit        unit.ID
	ModRevision int64
	Value       *storev1.Status
}

// Plugin is plugins/<pool>/<class>/<version>.
type Plugin struct {
	Pool  string
	Value *storev1.PluginEntry
}

// Replica is replicas/<id>.
type Replica struct {
	ID    string
	Value *storev1.Replica
}

// Deleted is deleted/<name>: a deletion that connect-configs does not have yet.
type Deleted struct {
	Name        string
	ModRevision int64
	Value       *storev1.Deleted
}

// HandBack is handback.
type HandBack struct {
	ModRevision int64
	Value       *storev1.HandBack
}

// Since is when it began, unix ms; 0 for nil.
func (h *HandBack) Since() int64 {
	if h == nil {
		return 0
	}
	return h.Value.GetSinceMs()
}

// Snapshot is the cluster as of one revision. Task sets are not in it: they are read on demand.
type Snapshot struct {
	Revision int64
	// Restored is the newest era and revision that this replica had read when etcd was restored from an older snapshot,
	// until the era is above it; else zero.
	Restored    lease.Epoch
	Era         uint64
	Connectors  map[string]*Connector
	Assignments map[unit.ID]*Assignment
	Lapsed      map[unit.ID]*Lapsed
	Releases    map[unit.ID]*Release
	Offsets     map[string]*Offsets
	Sessions    map[string]*Session
	Statuses    map[unit.ID]*Status
	Plugins     []*Plugin
	Replicas    map[string]*Replica
	// LogLevels are loglevels; nil where none was ever set.
	LogLevels *storev1.LogLevels
	Deleted   map[string]*Deleted
	// HandBack is nil where the cluster is not handed back to Kafka Connect.
	HandBack *HandBack
	// Mirrored is the revision up to which the mirror of a handed-back cluster is whole; 0 where there is none.
	Mirrored int64
}

// Busy says, for people, why a connector is not quiet (DESIGN 4.9): which of its tasks is held by whom; empty
// where it is quiet.
func (s *Snapshot) Busy(connector string) string {
	first, why := unit.ID{}, ""
	say := func(u unit.ID, format string, args ...any) {
		if u.Kind == unit.KindTask && u.Name == connector && (why == "" || unit.Compare(u, first) < 0) {
			first, why = u, fmt.Sprintf(format, args...)
		}
	}
	for u, a := range s.Assignments {
		say(u, "%s is still held by executor %s", u, a.Value.GetExecutor())
	}
	for u, l := range s.Lapsed {
		say(u, "the last instance of %s, at executor %s, has not been fenced yet", u, l.Value.GetExecutor())
	}
	for u := range s.Releases {
		say(u, "the release of %s has not been taken yet", u)
	}
	return why
}

// Quiet says whether the cluster is handed back and nobody of it acts any more, but for the mirror: no unit is held or
// lapsed, and nothing is reported.
func (s *Snapshot) Quiet() bool {
	if s.HandBack == nil || len(s.Lapsed) > 0 {
		return false
	}
	for u := range s.Statuses {
		if u != unit.Mirror {
			return false
		}
	}
	for u := range s.Assignments {
		if u != unit.Mirror {
			return false
		}
	}
	return true
}

// MirroredAll says whether a handed-back cluster is quiet and Kafka has everything of it: the mirror has said so of a
// view that was quiet, and no connector was written since.
func (s *Snapshot) MirroredAll() bool {
	if !s.Quiet() || s.Mirrored < s.HandBack.ModRevision || len(s.Deleted) > 0 {
		return false
	}
	for _, c := range s.Connectors {
		if c.ModRevision > s.Mirrored {
			return false
		}
	}
	return true
}

// FingerprintSize is the length of a task's fingerprint in bytes.
const FingerprintSize = 16

// Fingerprint returns the nth task's fingerprint of a set, or nil.
func Fingerprint(ref *storev1.TaskSetRef, n int) []byte {
	if ref == nil || n < 0 || n >= int(ref.GetCount()) || len(ref.GetFingerprints()) < (n+1)*FingerprintSize {
		return nil
	}
	return ref.GetFingerprints()[n*FingerprintSize : (n+1)*FingerprintSize]
}
