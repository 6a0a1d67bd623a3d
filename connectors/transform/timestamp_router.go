package transform

import (
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javadate"
)

func timestampRouterInfos() []Info {
	return one("TimestampRouter", "Changes the topic by its name and the record's timestamp.", timestampRouterDef, func() Transform { return &timestampRouter{} })
}

func timestampRouterDef() *configdef.Def {
	return configdef.New().
		Define(text("topic.format", configdef.Text("${topic}-${timestamp}"), configdef.High, "Format string which can contain <code>${topic}</code> and <code>${timestamp}</code> as placeholders for the topic and timestamp, respectively.")).
		Define(text("timestamp.format", configdef.Text("yyyyMMdd"), configdef.High, "Format string for the timestamp that is compatible with <code>java.text.SimpleDateFormat</code>."))
}

type timestampRouter struct {
	topic  string
	format *javadate.Format
	// err is what is wrong with the format: every record fails.
	err    error
	last   string // the last time as text, own
	routes map[string]string
}

func (t *timestampRouter) Configure(config map[string]string) error {
	v, err := timestampRouterDef().Parse(config)
	if err != nil {
		return err
	}
	t.topic = v.String("topic.format")
	t.format, t.err = javadate.New(v.String("timestamp.format"), epoch)
	return nil
}

func (t *timestampRouter) Apply(b *Batch) { b.each(t.apply) }

func (t *timestampRouter) apply(r *Record, _ *data.Arena) error {
	if r.Timestamp < 0 {
		return badData("Timestamp missing on record: topic %s", r.Topic)
	}
	if t.err != nil {
		return fail(illegalArgument, "%s", bare(t.err, javadate.ErrPattern))
	}
	var buf [64]byte
	at := t.format.Append(buf[:0], r.Timestamp)
	// Topics of one time are remembered: with the usual formats many records have the same.
	if t.routes == nil || string(at) != t.last || len(t.routes) >= maxRoutes {
		t.last, t.routes = string(at), map[string]string{}
	}
	to, ok := t.routes[r.Topic]
	if !ok {
		topic := string([]byte(r.Topic))
		to = strings.ReplaceAll(strings.ReplaceAll(t.topic, "${topic}", topic), "${timestamp}", t.last)
		t.routes[topic] = to
	}
	r.Topic = to
	return nil
}
