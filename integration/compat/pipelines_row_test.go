//go:build integration

package compat

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

type msg = kafkaio.Message

// pipeline is a row of the table: a connector whose records live the same life on both. In all of its texts {p} is its name on
// a side, kc-NAME or sl-NAME, which its topics begin with: {p}.in, {p}.out, {p}.dlq.
type pipeline struct {
	name string
	// class is the connector's; default FileStreamSink where there is in, else FileStreamSource.
	class string
	// key, value and header are converters with their settings, `JsonConverter schemas.enable=false`; default the worker's, of strings.
	key, value, header string
	// smts are the transforms in order, `HoistField$Value field=line`. p0 is the first predicate.
	smts, predicates []string
	// errors are settings below errors., `tolerance=all`; dlq stands for the queue {p}.dlq, dlq+ for it with context headers.
	errors string
	// more are other settings.
	more string
	// in is what a sink is given, in {p}.in; lines what a file source is given, one record each.
	in    []kafkaio.Message
	lines []string
	// partitions of {p}.in; default 1. Lines of a file are compared sorted where there are more.
	partitions int32

	// topics are those that are written to, by the last part of their names; default out for sources, dlq for a queue.
	topics string
	// records is how many come to these. For sources -1 is as many as lines.
	records int
	// less is how many fewer Sluice writes, for a reason that is in differs.
	less int
	// prints is how many records a VerifiableSink is put; default all of in.
	prints int
	// first compares only so many records: the source goes on.
	first int
	// fails says that the task ends FAILED.
	fails bool
	// uncommitted is of how many of a source's last lines no offset is committed: those that are dropped at the end.
	uncommitted int
	// end is a state that it is put to at the end: PAUSED or STOPPED.
	end string
	// differs are the facets that differ, with the reason. The test fails where one of them does not.
	differs map[string]string
}

const transforms = "org.apache.kafka.connect.transforms."

// dlq and dlqPlus are words of pipeline.errors.
var errorWords = map[string][]string{
	"dlq":  {"deadletterqueue.topic.name={p}.dlq", "deadletterqueue.topic.replication.factor=1"},
	"dlq+": {"deadletterqueue.topic.name={p}.dlq", "deadletterqueue.topic.replication.factor=1", "deadletterqueue.context.headers.enable=true"},
}

func (p *pipeline) sink() bool { return p.in != nil || strings.Contains(p.class, "Sink") }

func (p *pipeline) connector() string {
	switch {
	case p.class != "":
		return p.class
	case p.sink():
		return "FileStreamSink"
	}
	return "FileStreamSource"
}

func (p *pipeline) file(dir, prefix string) string {
	return filepath.Join(dir, prefix+"-"+p.name+".txt")
}

// written are the names of the topics that are written to, on a side.
func (p *pipeline) written(prefix string) (out []string) {
	topics := p.topics
	switch {
	case topics != "":
	case !p.sink():
		topics = "out"
	case strings.Contains(p.errors, "dlq"):
		topics = "dlq"
	}
	for _, t := range strings.Fields(topics) {
		out = append(out, prefix+"-"+p.name+"."+t)
	}
	return out
}

// config is the connector's config on a side.
func (p *pipeline) config(dir, prefix string) map[string]string {
	c := map[string]string{"connector.class": p.connector(), "tasks.max": "1"}
	set := func(key string, settings []string) {
		for _, s := range settings {
			k, v, ok := strings.Cut(s, "=")
			if !ok {
				panic(fmt.Sprintf("%s: %q of %s is no setting", p.name, s, key))
			}
			c[key+k] = v
		}
	}
	if p.sink() {
		c["topics"] = "{p}.in"
	} else {
		c["topic"] = "{p}.out"
	}
	if strings.HasPrefix(c["connector.class"], "FileStream") {
		c["file"] = p.file(dir, prefix)
	}
	for key, converter := range map[string]string{"key.converter": p.key, "value.converter": p.value, "header.converter": p.header} {
		if f := strings.Fields(converter); len(f) > 0 {
			c[key] = f[0]
			set(key+".", f[1:])
		}
	}
	name := func(list, prefix, pkg string, of []string) {
		var names []string
		for i, s := range of {
			f := strings.Fields(s)
			names = append(names, fmt.Sprintf("%s%d", prefix, i))
			c[list+"."+names[i]+".type"] = pkg + f[0]
			set(list+"."+names[i]+".", f[1:])
		}
		if len(names) > 0 {
			c[list] = strings.Join(names, ",")
		}
	}
	name("transforms", "t", transforms, p.smts)
	name("predicates", "p", transforms+"predicates.", p.predicates)
	for _, w := range strings.Fields(p.errors) {
		if all, ok := errorWords[w]; ok {
			set("errors.", all)
		} else {
			set("errors.", []string{w})
		}
	}
	set("", strings.Fields(p.more))
	for k, v := range c {
		c[k] = strings.ReplaceAll(v, "{p}", prefix+"-"+p.name)
	}
	return c
}

// began is the timestamp of the first record of each topic; the others follow by the second. It is recent: a broker deletes
// what is a week old.
var began = time.Now().Truncate(time.Minute).Add(-time.Hour).UnixMilli()

// rec makes a record: strings and bytes, nil for null; headers are names and values.
func rec(key, value any, headers ...any) kafkaio.Message {
	m := kafkaio.Message{Partition: -1, Key: raw(key), Value: raw(value)}
	for i := 0; i < len(headers); i += 2 {
		m.Headers = append(m.Headers, kafkaio.Header{Key: headers[i].(string), Value: raw(headers[i+1])})
	}
	return m
}

func raw(v any) []byte {
	switch v := v.(type) {
	case nil:
		return nil
	case []byte:
		return v
	default:
		return []byte(v.(string))
	}
}

// values makes records with the keys k0, k1 and so on.
func values(of ...any) (out []kafkaio.Message) {
	for i, v := range of {
		out = append(out, rec(fmt.Sprintf("k%d", i), v))
	}
	return out
}

// keys makes records with the values v0, v1 and so on.
func keys(of ...any) (out []kafkaio.Message) {
	for i, k := range of {
		out = append(out, rec(k, fmt.Sprintf("v%d", i)))
	}
	return out
}

// differs gives one reason for several facets.
func differs(why string, facets ...string) map[string]string {
	out := map[string]string{}
	for _, f := range facets {
		out[f] = why
	}
	return out
}
