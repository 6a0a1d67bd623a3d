package store

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Limits of what is stored, in bytes.
const (
	MaxConnectorConfig = 384 << 10
	MaxTaskConfig      = 512 << 10
	MaxTaskSet         = 16 << 20
)

// tries bounds a read-compare-write loop.
const tries = 20

func checkConnector(name string, v *storev1.Connector) error {
	if n := proto.Size(v.GetConfig()); n > MaxConnectorConfig {
		return fmt.Errorf("%w: the config of connector %s has %d bytes: at most %d", ErrTooLarge, name, n, MaxConnectorConfig)
	}
	return nil
}

// CreateConnector writes a new connector. ErrExists where the name is taken.
func (s *Store) CreateConnector(ctx context.Context, name string, v *storev1.Connector) (*state.Connector, error) {
	if err := checkConnector(name, v); err != nil {
		return nil, err
	}
	key := s.keys.connector(name)
	op, err := put(key, v, 0)
	if err != nil {
		return nil, err
	}
	ok, rev, err := s.write(ctx, []Compare{{key, CreateRevision, 0}}, op)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrExists, name)
	}
	return &state.Connector{Name: name, Incarnation: rev, ModRevision: rev, Value: v}, nil
}

// Connector reads one connector, past the view. ErrNotFound where there is none.
func (s *Store) Connector(ctx context.Context, name string) (*state.Connector, error) {
	kvs, _, err := s.backend.Get(ctx, s.keys.connector(name), false)
	if err != nil {
		return nil, err
	}
	if len(kvs) == 0 {
		return nil, fmt.Errorf("%w: connector %s", ErrNotFound, name)
	}
	v, err := decode(kvs[0], &storev1.Connector{})
	if err != nil {
		return nil, err
	}
	return &state.Connector{Name: name, Incarnation: kvs[0].CreateRevision, ModRevision: kvs[0].ModRevision, Value: v}, nil
}

// UpdateConnector writes what f makes of the present value, which f must not change; nil means that
// nothing is to be written. f may be called several times. ErrNotFound where there is no connector.
func (s *Store) UpdateConnector(ctx context.Context, name string, f func(*state.Connector) (*storev1.Connector, error)) (*state.Connector, error) {
	key := s.keys.connector(name)
	for range tries {
		c, err := s.Connector(ctx, name)
		if err != nil {
			return nil, err
		}
		v, err := f(c)
		if err != nil || v == nil {
			return c, err
		}
		if err := checkConnector(name, v); err != nil {
			return nil, err
		}
		op, err := put(key, v, 0)
		if err != nil {
			return nil, err
		}
		ok, rev, err := s.write(ctx, []Compare{{key, ModRevision, c.ModRevision}}, op)
		if err != nil {
			return nil, err
		}
		if ok {
			return &state.Connector{Name: name, Incarnation: c.Incarnation, ModRevision: rev, Value: v}, nil
		}
	}
	return nil, fmt.Errorf("%w: connector %s", ErrConflict, name)
}

// DeleteConnector deletes a connector and leaves deleted/<name> for the mirror. Its units stop and its status goes
// afterwards. ErrNotFound where there is none.
func (s *Store) DeleteConnector(ctx context.Context, name string) error {
	key := s.keys.connector(name)
	for range tries {
		c, err := s.Connector(ctx, name)
		if err != nil {
			return err
		}
		mark, err := put(s.keys.deleted(name), &storev1.Deleted{Incarnation: c.Incarnation}, 0)
		if err != nil {
			return err
		}
		ok, _, err := s.write(ctx, []Compare{{key, ModRevision, c.ModRevision}}, Op{Key: key, Delete: true}, mark)
		if err != nil || ok {
			return err
		}
	}
	return fmt.Errorf("%w: connector %s", ErrConflict, name)
}

// RegisterPlugins writes the catalogue of a pool. Definitions that are there already are not rewritten.
func (s *Store) RegisterPlugins(ctx context.Context, pool string, plugins []*sluicev1.Plugin) error {
	for _, p := range plugins {
		key := s.keys.plugin(pool, p)
		op, err := put(key, &storev1.PluginEntry{Plugin: p}, 0)
		if err != nil {
			return err
		}
		kvs, _, err := s.backend.Get(ctx, key, false)
		if err != nil {
			return err
		}
		if len(kvs) == 1 && string(kvs[0].Value) == string(op.Value) {
			continue
		}
		if _, _, err := s.write(ctx, nil, op); err != nil {
			return err
		}
	}
	return nil
}

// SetReplica says where a replica is reached, as long as its lease lives.
func (s *Store) SetReplica(ctx context.Context, id string, v *storev1.Replica, lease int64) error {
	op, err := put(s.keys.replica(id), v, lease)
	if err != nil {
		return err
	}
	_, _, err = s.write(ctx, nil, op)
	return err
}

// AnnounceLeader is SetReplica for a replica that leads: it writes nothing once another does.
func (s *Store) AnnounceLeader(ctx context.Context, g Guard, id string, v *storev1.Replica, lease int64) error {
	op, err := put(s.keys.replica(id), v, lease)
	if err != nil {
		return err
	}
	_, _, err = s.write(ctx, []Compare{{g.Key, CreateRevision, g.CreateRevision}}, op)
	return err
}
