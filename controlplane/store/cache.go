package store

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
)

// builder makes one snapshot out of the one before: a map is copied when it is first written.
type builder struct {
	keys   keys
	snap   state.Snapshot
	copied map[string]bool
	// changes are kept where record is set: those of users' interest, in order.
	record  bool
	changes []state.Change
}

// changed keeps a change.
func (b *builder) changed(e Event, old, now any) {
	if b.record {
		b.changes = append(b.changes, state.Change{Revision: e.ModRevision, Era: b.snap.Era, Old: old, New: now})
	}
}

func newBuilder(k keys, from *state.Snapshot) *builder {
	b := &builder{keys: k, copied: map[string]bool{}}
	if from != nil {
		b.snap = *from
	}
	return b
}

// own copies a map once, and makes one where there is none.
func own[K comparable, V any](b *builder, name string, m *map[K]V) map[K]V {
	if !b.copied[name] {
		b.copied[name] = true
		if *m = maps.Clone(*m); *m == nil {
			*m = map[K]V{}
		}
	}
	return *m
}

func decode[T proto.Message](kv KV, into T) (T, error) {
	if err := proto.Unmarshal(kv.Value, into); err != nil {
		return into, fmt.Errorf("store: %s: %w", kv.Key, err)
	}
	return into, nil
}

// apply takes one change. Keys that are not watched values (task sets, the election) are ignored.
func (b *builder) apply(e Event) error {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(e.Key, b.keys.root), "/")
	switch kind {
	case "connectors":
		name, err := url.PathUnescape(rest)
		if err != nil {
			return fmt.Errorf("store: %s: %w", e.Key, err)
		}
		return set(b, kind, &b.snap.Connectors, name, e, &storev1.Connector{}, func(v *storev1.Connector) *state.Connector {
			return &state.Connector{Name: name, Incarnation: e.CreateRevision, ModRevision: e.ModRevision, Value: v}
		})
	case "offsets":
		name, err := url.PathUnescape(rest)
		if err != nil {
			return fmt.Errorf("store: %s: %w", e.Key, err)
		}
		return set(b, kind, &b.snap.Offsets, name, e, &storev1.Offsets{}, func(v *storev1.Offsets) *state.Offsets {
			return &state.Offsets{Connector: name, ModRevision: e.ModRevision, Value: v}
		})
	case "sessions":
		id, err := url.PathUnescape(rest)
		if err != nil {
			return fmt.Errorf("store: %s: %w", e.Key, err)
		}
		return set(b, kind, &b.snap.Sessions, id, e, &storev1.Session{}, func(v *storev1.Session) *state.Session {
			return &state.Session{ID: id, Created: e.CreateRevision, ModRevision: e.ModRevision, Value: v}
		})
	case "replicas":
		id, err := url.PathUnescape(rest)
		if err != nil {
			return fmt.Errorf("store: %s: %w", e.Key, err)
		}
		return set(b, kind, &b.snap.Replicas, id, e, &storev1.Replica{}, func(v *storev1.Replica) *state.Replica {
			return &state.Replica{ID: id, Value: v}
		})
	case "deleted":
		name, err := url.PathUnescape(rest)
		if err != nil {
			return fmt.Errorf("store: %s: %w", e.Key, err)
		}
		return set(b, kind, &b.snap.Deleted, name, e, &storev1.Deleted{}, func(v *storev1.Deleted) *state.Deleted {
			return &state.Deleted{Name: name, ModRevision: e.ModRevision, Value: v}
		})
	case "handback":
		var old, now any
		if b.snap.HandBack != nil {
			old = b.snap.HandBack
		}
		b.snap.HandBack = nil
		if !e.Deleted {
			v, err := decode(e.KV, &storev1.HandBack{})
			if err != nil {
				return err
			}
			b.snap.HandBack = &state.HandBack{ModRevision: e.ModRevision, Value: v}
			now = b.snap.HandBack
		}
		b.changed(e, old, now)
		return nil
	case "mirrored":
		b.snap.Mirrored = 0
		if !e.Deleted {
			v, err := decode(e.KV, &storev1.Mirrored{})
			if err != nil {
				return err
			}
			b.snap.Mirrored = v.GetRevision()
		}
		return nil
	case "era":
		b.snap.Era = 0
		if !e.Deleted {
			era, err := strconv.ParseUint(strings.TrimSpace(string(e.Value)), 10, 64)
			if err != nil {
				return fmt.Errorf("store: %s must be a whole number: %w", e.Key, err)
			}
			b.snap.Era = era
		}
		return nil
	case "loglevels":
		b.snap.LogLevels = nil
		if !e.Deleted {
			v, err := decode(e.KV, &storev1.LogLevels{})
			if err != nil {
				return err
			}
			b.snap.LogLevels = v
		}
		return nil
	case "plugins":
		return b.plugin(e)
	case "assignments", "lapsed", "releases", "status":
		u, err := parseUnitKey(rest)
		if err != nil {
			return err
		}
		return b.unit(kind, u, e)
	}
	return nil
}

func (b *builder) unit(kind string, u unit.ID, e Event) error {
	switch kind {
	case "assignments":
		return set(b, kind, &b.snap.Assignments, u, e, &storev1.Assignment{}, func(v *storev1.Assignment) *state.Assignment {
			return &state.Assignment{Unit: u, Epoch: lease.Epoch{Era: b.snap.Era, Revision: e.CreateRevision}, ModRevision: e.ModRevision, Value: v}
		})
	case "lapsed":
		return set(b, kind, &b.snap.Lapsed, u, e, &storev1.Lapsed{}, func(v *storev1.Lapsed) *state.Lapsed {
			return &state.Lapsed{Unit: u, ModRevision: e.ModRevision, Value: v}
		})
	case "releases":
		return set(b, kind, &b.snap.Releases, u, e, &storev1.Release{}, func(v *storev1.Release) *state.Release {
			return &state.Release{Unit: u, Epoch: epochOf(v.GetEpoch()), ModRevision: e.ModRevision, Value: v}
		})
	default:
		return set(b, kind, &b.snap.Statuses, u, e, &storev1.Status{}, func(v *storev1.Status) *state.Status {
			return &state.Status{Unit: u, ModRevision: e.ModRevision, Value: v}
		})
	}
}

// set puts or deletes one entry of one map.
func set[K comparable, S any, V proto.Message](b *builder, name string, m *map[K]S, key K, e Event, into V, make func(V) S) error {
	owned := own(b, name, m)
	var old, now any
	if was, ok := owned[key]; ok {
		old = was
	}
	if e.Deleted {
		delete(owned, key)
	} else {
		v, err := decode(e.KV, into)
		if err != nil {
			return err
		}
		is := make(v)
		owned[key], now = is, is
	}
	b.changed(e, old, now)
	return nil
}

// plugin keeps the list in order of pool, class and version.
func (b *builder) plugin(e Event) error {
	parts := strings.Split(strings.TrimPrefix(e.Key, b.keys.root), "/")
	if len(parts) != 4 && len(parts) != 5 {
		return fmt.Errorf("store: %s is not a plugin's key", e.Key)
	}
	pool, err := url.PathUnescape(parts[1])
	if err != nil {
		return fmt.Errorf("store: %s: %w", e.Key, err)
	}
	path := func(p *state.Plugin) string {
		return b.keys.plugin(p.Pool, p.Value.GetPlugin())
	}
	list := slices.DeleteFunc(slices.Clone(b.snap.Plugins), func(p *state.Plugin) bool { return path(p) == e.Key })
	if !e.Deleted {
		v, err := decode(e.KV, &storev1.PluginEntry{})
		if err != nil {
			return err
		}
		list = append(list, &state.Plugin{Pool: pool, Value: v})
		slices.SortFunc(list, func(x, y *state.Plugin) int { return strings.Compare(path(x), path(y)) })
	}
	b.snap.Plugins = list
	return nil
}

// done returns the snapshot as of a revision.
func (b *builder) done(revision int64) *state.Snapshot {
	out := b.snap
	out.Revision = revision
	return &out
}
