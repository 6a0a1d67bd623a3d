package store

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// keys makes and reads the keys of one cluster. Names are percent-encoded, `/` and `%` included.
type keys struct{ root string }

func newKeys(cluster string) keys { return keys{"/sluice/" + url.PathEscape(cluster) + "/"} }

func (k keys) connector(name string) string { return k.root + "connectors/" + url.PathEscape(name) }
func (k keys) session(id string) string     { return k.root + "sessions/" + url.PathEscape(id) }
func (k keys) replica(id string) string     { return k.root + "replicas/" + url.PathEscape(id) }
func (k keys) assignment(u unit.ID) string  { return k.root + "assignments/" + unitKey(u) }
func (k keys) lapsed(u unit.ID) string      { return k.root + "lapsed/" + unitKey(u) }
func (k keys) release(u unit.ID) string     { return k.root + "releases/" + unitKey(u) }
func (k keys) status(u unit.ID) string      { return k.root + "status/" + unitKey(u) }
func (k keys) offsets(name string) string   { return k.root + "offsets/" + url.PathEscape(name) }
func (k keys) deleted(name string) string   { return k.root + "deleted/" + url.PathEscape(name) }
func (k keys) handBack() string             { return k.root + "handback" }
func (k keys) mirrored() string             { return k.root + "mirrored" }
func (k keys) era() string                  { return k.root + "era" }
func (k keys) logLevels() string            { return k.root + "loglevels" }

// Leader is the prefix of the election's keys.
func (k keys) leader() string { return k.root + "leader" }

// plugin is pool/class/version; and /header for a header converter, whose class may be a converter too.
func (k keys) plugin(pool string, p *sluicev1.Plugin) string {
	key := k.root + "plugins/" + url.PathEscape(pool) + "/" + url.PathEscape(p.GetClass()) + "/" + url.PathEscape(p.GetVersion())
	if p.GetType() == sluicev1.PluginType_PLUGIN_TYPE_HEADER_CONVERTER {
		key += "/header"
	}
	return key
}

func (k keys) taskSets(name string, incarnation int64) string {
	return k.root + "tasksets/" + url.PathEscape(name) + "/" + strconv.FormatInt(incarnation, 10) + "/"
}

func (k keys) taskSet(name string, incarnation int64, id string) string {
	return k.taskSets(name, incarnation) + id + "/"
}

// unitKey is kind/name or kind/name/task.
func unitKey(u unit.ID) string {
	kind, _, _ := strings.Cut(u.String(), ":")
	s := kind + "/" + url.PathEscape(u.Name)
	if u.Kind == unit.KindTask {
		s += "/" + strconv.Itoa(u.Task)
	}
	return s
}

func parseUnitKey(s string) (unit.ID, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 {
		return unit.ID{}, fmt.Errorf("store: %q is not a unit's key", s)
	}
	name, err := url.PathUnescape(parts[1])
	if err != nil {
		return unit.ID{}, fmt.Errorf("store: %q is not a unit's key: %w", s, err)
	}
	return unit.Parse(strings.Join(append([]string{parts[0] + ":" + name}, parts[2:]...), "/"))
}

func encode(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func put(key string, m proto.Message, lease int64) (Op, error) {
	b, err := encode(m)
	if err != nil {
		return Op{}, fmt.Errorf("store: %s: %w", key, err)
	}
	return Op{Key: key, Value: b, Lease: lease}, nil
}
