package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
)

// maxLogLevels bounds the settings that are kept.
const maxLogLevels = 1000

// rootLogger is the logger above all others.
const rootLogger = "root"

// SetLogLevel sets the level of a logger in all processes, or in one executor where it is named. What that overrides is
// forgotten. ErrTooLarge where too many are set.
func (s *Store) SetLogLevel(ctx context.Context, name, level, executor string) error {
	key := s.keys.logLevels()
	for range tries {
		kvs, _, err := s.backend.Get(ctx, key, false)
		if err != nil {
			return err
		}
		v, mod := &storev1.LogLevels{}, int64(0)
		if len(kvs) > 0 {
			if v, err = decode(kvs[0], v); err != nil {
				return err
			}
			mod = kvs[0].ModRevision
		}
		next := withLogLevel(v, name, level, executor)
		if n := len(next.GetSettings()); n > maxLogLevels {
			return fmt.Errorf("%w: the levels of %d loggers are set for more than one process already, which is the most: set that of %s instead", ErrTooLarge, maxLogLevels, rootLogger)
		}
		op, err := put(key, next, 0)
		if err != nil {
			return err
		}
		ok, _, err := s.write(ctx, []Compare{{key, ModRevision, mod}}, op)
		if err != nil || ok {
			return err
		}
	}
	return fmt.Errorf("%w: the levels of loggers", ErrConflict)
}

// withLogLevel adds a setting at the end, and drops those that it overrides in every process that has them.
func withLogLevel(v *storev1.LogLevels, name, level, executor string) *storev1.LogLevels {
	number := uint64(1)
	if n := len(v.GetSettings()); n > 0 {
		number = v.GetSettings()[n-1].GetNumber() + 1
	}
	out := &storev1.LogLevels{Settings: slices.DeleteFunc(slices.Clone(v.GetSettings()), func(s *storev1.LogLevels_Setting) bool {
		return (executor == "" || s.GetExecutor() == executor) && (name == rootLogger || s.GetName() == name || strings.HasPrefix(s.GetName(), name+"."))
	})}
	out.Settings = append(out.Settings, &storev1.LogLevels_Setting{Name: name, Level: level, Number: number, Executor: executor})
	return out
}
