package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// chunkSize is where a chunk of a task set is cut, before compression: well under what a transaction takes.
const chunkSize = 256 << 10

// TaskSet is what a planner handed over: the connector config that it planned from and the tasks.
type TaskSet struct {
	ConnectorConfig *sluicev1.Config
	PluginVersion   string
	Tasks           []*sluicev1.Config
}

// Plan is a planner's report.
type Plan struct {
	Connector     string
	Incarnation   int64
	Generation    int64
	Epoch         lease.Epoch
	Sequence      uint64
	PluginVersion string
	TaskClass     sluicev1.UnitClass
	Tasks         []*sluicev1.Config
}

// Fingerprint is equal for tasks with equal connector config (without tasks.max), task config and
// plugin version: such a task is carried over from set to set.
func Fingerprint(connector, task *sluicev1.Config, version string) [state.FingerprintSize]byte {
	h := sha256.New()
	for _, c := range []*sluicev1.Config{connector, task} {
		var lines []string
		for _, e := range c.GetEntries() {
			if c == connector && e.GetKey() == "tasks.max" {
				continue
			}
			v := "-"
			if e.Value != nil {
				v = "+" + e.GetValue()
			}
			lines = append(lines, strconv.Quote(e.GetKey())+strconv.Quote(v))
		}
		slices.Sort(lines)
		fmt.Fprintf(h, "%d\n%s\n", len(lines), strings.Join(lines, "\n"))
	}
	h.Write([]byte(version))
	return [state.FingerprintSize]byte(h.Sum(nil))
}

// SubmitPlan makes a plan the connector's task set. changed is false where the set is the same, or a
// permutation of it. ErrPlanStale where the plan is not for what is there now: it is dropped.
func (s *Store) SubmitPlan(ctx context.Context, p Plan) (changed bool, err error) {
	c, err := s.Connector(ctx, p.Connector)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrPlanStale, err)
	}
	v := c.Value
	if c.Incarnation != p.Incarnation || v.GetConfigGeneration() != p.Generation {
		return false, fmt.Errorf("%w: connector %s has incarnation %d and config %d, the plan %d and %d", ErrPlanStale, p.Connector, c.Incarnation, v.GetConfigGeneration(), p.Incarnation, p.Generation)
	}
	if !s.sameEra(p.Epoch) {
		return false, fmt.Errorf("%w: the planner of connector %s has epoch %s, of another era", ErrPlanStale, p.Connector, p.Epoch)
	}
	if v.GetTargetState() == sluicev1.TargetState_TARGET_STATE_STOPPED {
		return false, fmt.Errorf("%w: connector %s is STOPPED", ErrPlanStale, p.Connector)
	}
	ref := &storev1.TaskSetRef{Id: taskSetID(p, c.ModRevision), Count: int32(len(p.Tasks)), ConfigGeneration: p.Generation, TaskClass: p.TaskClass}
	size := 0
	for i, t := range p.Tasks {
		n := proto.Size(t)
		if size += n; n > MaxTaskConfig {
			return false, fmt.Errorf("%w: the config of task %d of connector %s has %d bytes: at most %d", ErrTooLarge, i, p.Connector, n, MaxTaskConfig)
		}
		f := Fingerprint(v.GetConfig(), t, runs(v, p))
		ref.Fingerprints = append(ref.Fingerprints, f[:]...)
	}
	if size > MaxTaskSet {
		return false, fmt.Errorf("%w: the task set of connector %s has %d bytes: at most %d", ErrTooLarge, p.Connector, size, MaxTaskSet)
	}
	same := samePermutation(v.GetTaskSet(), ref) && v.GetTaskSet().GetTaskClass() == ref.GetTaskClass()
	if same && v.GetTaskSet().GetConfigGeneration() == p.Generation {
		return false, nil
	}
	next := proto.CloneOf(v)
	if same {
		next.TaskSet.ConfigGeneration = p.Generation
	} else {
		if err := s.writeTaskSet(ctx, p, v.GetConfig(), ref); err != nil {
			return false, err
		}
		next.TaskSet = ref
	}
	op, err := put(s.keys.connector(p.Connector), next, 0)
	if err != nil {
		return false, err
	}
	ok, _, err := s.write(ctx, []Compare{
		{op.Key, ModRevision, c.ModRevision},
		{s.keys.assignment(unit.Connector(p.Connector)), CreateRevision, p.Epoch.Revision},
	}, op)
	if err != nil {
		return false, err
	}
	if !ok {
		return false, fmt.Errorf("%w: connector %s or its planner's assignment was written meanwhile", ErrPlanStale, p.Connector)
	}
	return !same, nil
}

// runs is what else a task's fingerprint is of: the plugin's version, and for a source whether it delivers exactly once. A
// task that begins or ends to do so is another: its unit has another class.
func runs(v *storev1.Connector, p Plan) string {
	if v.GetType() == sluicev1.ConnectorType_CONNECTOR_TYPE_SOURCE && p.TaskClass == sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED {
		return p.PluginVersion + "\nexactly once"
	}
	return p.PluginVersion
}

// taskSetID names a set: <planner epoch>-<sequence>-<mod>. A planner that is started anew within its epoch
// counts from 1 again, so that epoch and sequence alone are no name for something that never changes; the
// connector's mod revision that the set replaces is another after every flip. Together with the era it
// also puts sets in order: see replaceable.
func taskSetID(p Plan, mod int64) string {
	return fmt.Sprintf("%d.%d-%d-%d", p.Epoch.Era, p.Epoch.Revision, p.Sequence, mod)
}

// replaceable says whether a set can neither be the present one nor become it, once keep has been: it was
// written for a connector's key that was at most as new as what keep replaced. A newer one may be under way.
func replaceable(id, keep string) bool {
	if id == keep {
		return false
	}
	order := func(id string) (lease.Epoch, bool) {
		var e lease.Epoch
		var epoch, sequence uint64
		n, err := fmt.Sscanf(id, "%d.%d-%d-%d", &e.Era, &epoch, &sequence, &e.Revision)
		return e, err == nil && n == 4
	}
	a, ok := order(id)
	b, kept := order(keep)
	return ok && kept && a.Compare(b) <= 0
}

func samePermutation(a, b *storev1.TaskSetRef) bool {
	if a.GetCount() != b.GetCount() {
		return false
	}
	split := func(r *storev1.TaskSetRef) [][]byte {
		out := slices.Collect(slices.Chunk(slices.Clone(r.GetFingerprints()), state.FingerprintSize))
		slices.SortFunc(out, bytes.Compare)
		return out
	}
	return slices.EqualFunc(split(a), split(b), bytes.Equal)
}

// writeTaskSet writes base and chunks. Nobody sees them until the pointer is flipped.
func (s *Store) writeTaskSet(ctx context.Context, p Plan, base *sluicev1.Config, ref *storev1.TaskSetRef) error {
	prefix := s.keys.taskSet(p.Connector, p.Incarnation, ref.GetId())
	enc, err := encoder()
	if err != nil {
		return err
	}
	chunks := 0
	flush := func(c *storev1.TaskSetChunk) error {
		b, err := encode(c)
		if err != nil {
			return err
		}
		_, _, err = s.write(ctx, nil, Op{Key: prefix + strconv.Itoa(chunks), Value: enc.EncodeAll(b, nil)})
		chunks++
		return err
	}
	chunk := &storev1.TaskSetChunk{}
	size := 0
	for i, t := range p.Tasks {
		d := delta(base, t)
		if n := proto.Size(d); size > 0 && size+n > chunkSize {
			if err := flush(chunk); err != nil {
				return err
			}
			chunk, size = &storev1.TaskSetChunk{First: int32(i)}, 0
		}
		chunk.Tasks = append(chunk.Tasks, d)
		size += proto.Size(d)
	}
	if len(chunk.Tasks) > 0 {
		if err := flush(chunk); err != nil {
			return err
		}
	}
	op, err := put(prefix+"base", &storev1.TaskSetBase{ConnectorConfig: base, PluginVersion: p.PluginVersion, Count: int32(len(p.Tasks)), Chunks: int32(chunks)}, 0)
	if err != nil {
		return err
	}
	_, _, err = s.write(ctx, nil, op)
	return err
}

// encoder is one for all task sets: each has buffers of a megabyte. Safe for concurrent use.
var encoder = sync.OnceValues(func() (*zstd.Encoder, error) { return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)) })

// delta says how a task config differs from the connector config.
func delta(base, task *sluicev1.Config) *storev1.ConfigDelta {
	index := make(map[string]int, len(base.GetEntries()))
	for i, e := range base.GetEntries() {
		index[e.GetKey()] = i
	}
	d := &storev1.ConfigDelta{}
	for _, e := range task.GetEntries() {
		if i, ok := index[e.GetKey()]; ok && proto.Equal(base.GetEntries()[i], e) {
			d.Same = append(d.Same, int32(i))
			d.Order = append(d.Order, 1)
			continue
		}
		d.Set = append(d.Set, e)
		d.Order = append(d.Order, 0)
	}
	return d
}

func undelta(base *sluicev1.Config, d *storev1.ConfigDelta) (*sluicev1.Config, error) {
	out := &sluicev1.Config{}
	set, same := d.GetSet(), d.GetSame()
	for _, o := range d.GetOrder() {
		switch {
		case o == 0 && len(set) > 0:
			out.Entries, set = append(out.Entries, set[0]), set[1:]
		case o == 1 && len(same) > 0 && int(same[0]) < len(base.GetEntries()):
			out.Entries, same = append(out.Entries, base.GetEntries()[same[0]]), same[1:]
		default:
			return nil, fmt.Errorf("store: a task config does not fit its base (bug)")
		}
	}
	return out, nil
}

// TaskSet reads a connector's task set by id. Sets never change, so that the newest few are kept.
// ErrNotFound where it has been collected. The result must not be changed.
func (s *Store) TaskSet(ctx context.Context, connector string, incarnation int64, id string) (*TaskSet, error) {
	prefix := s.keys.taskSet(connector, incarnation, id)
	if t := s.sets.get(prefix); t != nil {
		return t, nil
	}
	kvs, _, err := s.backend.Get(ctx, prefix, true)
	if err != nil {
		return nil, err
	}
	base := &storev1.TaskSetBase{}
	chunks := map[int][]byte{}
	found := false
	for _, kv := range kvs {
		name := strings.TrimPrefix(kv.Key, prefix)
		if name == "base" {
			if base, err = decode(kv, base); err != nil {
				return nil, err
			}
			found = true
			continue
		}
		n, err := strconv.Atoi(name)
		if err != nil {
			return nil, fmt.Errorf("store: %s is no chunk's key", kv.Key)
		}
		chunks[n] = kv.Value
	}
	if !found || len(chunks) < int(base.GetChunks()) {
		return nil, fmt.Errorf("%w: task set %s of connector %s", ErrNotFound, id, connector)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(2*MaxTaskSet))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	out := &TaskSet{ConnectorConfig: base.GetConnectorConfig(), PluginVersion: base.GetPluginVersion()}
	for n := range int(base.GetChunks()) {
		raw, err := dec.DecodeAll(chunks[n], nil)
		if err != nil {
			return nil, fmt.Errorf("store: %s%d: %w", prefix, n, err)
		}
		c, err := decode(KV{Key: prefix, Value: raw}, &storev1.TaskSetChunk{})
		if err != nil {
			return nil, err
		}
		for _, d := range c.GetTasks() {
			t, err := undelta(out.ConnectorConfig, d)
			if err != nil {
				return nil, err
			}
			out.Tasks = append(out.Tasks, t)
		}
	}
	s.sets.put(prefix, out)
	return out, nil
}

// taskSetCache keeps the task sets that were read last.
type taskSetCache struct {
	mu    sync.Mutex
	order []string
	sets  map[string]*TaskSet
}

const cachedTaskSets = 64

func newTaskSetCache() *taskSetCache { return &taskSetCache{sets: map[string]*TaskSet{}} }

func (c *taskSetCache) get(key string) *TaskSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sets[key]
}

func (c *taskSetCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order, c.sets = nil, map[string]*TaskSet{}
}

func (c *taskSetCache) put(key string, t *TaskSet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.sets[key]; !ok {
		c.order = append(c.order, key)
	}
	c.sets[key] = t
	if len(c.order) > cachedTaskSets {
		delete(c.sets, c.order[0])
		c.order = c.order[1:]
	}
}
