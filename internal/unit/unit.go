// Package unit names the things that one executor at a time holds: connector:<name> plans,
// task:<name>/<n> moves records, offsets:<name> alters offsets, system:<job> is a job of the cluster.
package unit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Kind is what a unit does.
type Kind uint8

// The kinds of units.
const (
	KindConnector Kind = iota + 1
	KindTask
	KindOffsets
	KindSystem
)

// String is connector, task, offsets or system.
func (k Kind) String() string {
	switch k {
	case KindConnector:
		return "connector"
	case KindTask:
		return "task"
	case KindOffsets:
		return "offsets"
	case KindSystem:
		return "system"
	}
	return "unknown"
}

// Class says how two holders of a unit are kept apart (DESIGN 4.6).
type Class uint8

const (
	// ClassExclusive units are acted on only by the holder whose right runs: planners, offsets:,
	// system jobs, at-least-once sources.
	ClassExclusive Class = iota + 1
	// ClassKafkaFenced units may have an old instance until the new holder's fence has taken effect in
	// Kafka: sinks, exactly-once sources.
	ClassKafkaFenced
)

func (c Class) String() string {
	switch c {
	case ClassExclusive:
		return "exclusive"
	case ClassKafkaFenced:
		return "kafka-fenced"
	default:
		return "class-" + strconv.Itoa(int(c))
	}
}

// ErrInvalid is wrapped by Parse.
var ErrInvalid = errors.New("unit: not a unit id")

// ID names a unit. It is comparable; the zero ID names none.
type ID struct {
	Kind Kind
	// Name is the connector, or the job of a system unit.
	Name string
	// Task is the task number of a task, else 0.
	Task int
}

// Connector names the unit that plans a connector's tasks.
func Connector(name string) ID { return ID{Kind: KindConnector, Name: name} }

// Task names a task.
func Task(connector string, n int) ID { return ID{Kind: KindTask, Name: connector, Task: n} }

// Offsets names the unit that alters a connector's offsets.
func Offsets(connector string) ID { return ID{Kind: KindOffsets, Name: connector} }

// Mirror is the job that copies status and configs to Kafka.
var Mirror = ID{Kind: KindSystem, Name: "mirror"}

// Connector is the connector that the unit belongs to, empty for a system job.
func (u ID) Connector() string {
	if u.Kind == KindSystem {
		return ""
	}
	return u.Name
}

// String is the form of logs, status and the API. Parse is its inverse.
func (u ID) String() string {
	switch u.Kind {
	case KindConnector:
		return "connector:" + u.Name
	case KindTask:
		return "task:" + u.Name + "/" + strconv.Itoa(u.Task)
	case KindOffsets:
		return "offsets:" + u.Name
	case KindSystem:
		return "system:" + u.Name
	default:
		return "none"
	}
}

// Parse reads what String writes. A connector's name may hold any character, so a task's number is
// what follows the last slash.
func Parse(s string) (ID, error) {
	kind, rest, ok := strings.Cut(s, ":")
	if !ok || rest == "" {
		return ID{}, fmt.Errorf("%w: %q", ErrInvalid, s)
	}
	switch kind {
	case "connector":
		return Connector(rest), nil
	case "offsets":
		return Offsets(rest), nil
	case "system":
		return ID{Kind: KindSystem, Name: rest}, nil
	case "task":
		i := strings.LastIndexByte(rest, '/')
		if i <= 0 {
			return ID{}, fmt.Errorf("%w: %q has no task number", ErrInvalid, s)
		}
		n, err := strconv.Atoi(rest[i+1:])
		if err != nil || n < 0 || strconv.Itoa(n) != rest[i+1:] {
			return ID{}, fmt.Errorf("%w: %q has no task number", ErrInvalid, s)
		}
		return Task(rest[:i], n), nil
	}
	return ID{}, fmt.Errorf("%w: %q: the kind must be connector, task, offsets or system", ErrInvalid, s)
}

// Compare orders units by name, kind and task number.
func Compare(a, b ID) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	return a.Task - b.Task
}

// Sorted are the units of a map, in order.
func Sorted[V any](m map[ID]V) []ID {
	ids := slices.AppendSeq(make([]ID, 0, len(m)), maps.Keys(m))
	slices.SortFunc(ids, Compare)
	return ids
}
