//go:build integration

package compat

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/integration/harness"
)

// look says what a row still lacks, or takes down what it left behind.
func (s *runner) look(p *pipeline, o *outcome, states map[string]harness.Status, sources map[string]string) (late string, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, patient)
	defer cancel()
	name := s.prefix + "-" + p.name
	f := map[string]string{}
	st := states[name]
	if f["status"] = st.Connector.State; st.Connector.State == "FAILED" {
		f["trace"] = outline(st.Connector.Trace)
		s.finish(p, f, o)
		return "", nil
	}
	for _, task := range st.Tasks {
		f["status"] += " " + task.State
		if o.failed = task.State == "FAILED"; o.failed {
			f["trace"] = outline(task.Trace)
		}
	}
	if o.asked {
		if !strings.HasPrefix(f["status"], p.end) || strings.Count(f["status"], p.end) != 1+len(st.Tasks) || p.end == "STOPPED" && len(st.Tasks) > 0 {
			return "its state to be " + p.end + ", it is " + f["status"], nil
		}
	} else if o.failed {
		if !p.fails {
			s.finish(p, f, o)
			return "", nil
		}
	} else if p.fails || f["status"] != "RUNNING RUNNING" {
		return "a state, it is " + f["status"], nil
	}

	offsets, whole, err := s.committed(ctx, p, name, sources)
	if err != nil {
		return "", err
	}
	f["committed"] = offsets
	if !whole && !p.fails {
		return "offsets, committed is " + offsets, nil
	}
	found, err := s.topics(ctx, p, f)
	if err != nil {
		return "", err
	}
	if queue := name + ".dlq"; f[queue] == "(none)" {
		return "its queue", nil // a topic that was just made is not known everywhere yet
	}
	if want := p.records; p.first == 0 && found != s.wants(p) || p.first > 0 && found < want {
		return fmt.Sprintf("records, there are %d of %d", found, s.wants(p)), nil
	}
	if p.connector() == "VerifiableSink" {
		if late = s.printed(p, name, f); late != "" {
			return late, nil
		}
	}
	if p.end != "" && !o.asked {
		o.asked = true
		path, code := "/pause", 202
		if p.end == "STOPPED" {
			path, code = "/stop", 204
		}
		return "its state to be " + p.end, s.call("PUT", "/connectors/"+name+path, nil, code)
	}
	s.finish(p, f, o)
	return "", nil
}

// wants is how many records a row is to write to topics.
func (s *runner) wants(p *pipeline) int {
	n := p.records
	if n < 0 {
		n = len(p.lines)
	}
	if s.prefix == "sl" {
		n -= p.less
	}
	return n
}

// finish adds what a sink's file holds, and takes the name of the side out of all.
func (s *runner) finish(p *pipeline, f map[string]string, o *outcome) {
	if p.connector() == "FileStreamSink" {
		b, err := os.ReadFile(p.file(s.dir, s.prefix))
		if f["file"] = string(b); err != nil {
			f["file"] = "(none)"
		}
		if p.partitions > 1 {
			lines := strings.SplitAfter(f["file"], "\n")
			slices.Sort(lines)
			f["file"] = strings.Join(lines, "")
		}
	}
	o.facets = map[string]string{}
	for k, v := range f {
		o.facets[s.anonymous(p, k)] = s.anonymous(p, v)
	}
}

// anonymous takes the name of the row's connector on a side out of a text.
func (s *runner) anonymous(p *pipeline, text string) string {
	return strings.ReplaceAll(text, s.prefix+"-"+p.name, "{p}")
}

// outline is what of a trace is no frame: the first line and the causes.
func outline(trace string) string {
	var out []string
	for _, l := range strings.Split(trace, "\n") {
		if l != "" && !strings.HasPrefix(l, "\t") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// committed are a row's offsets, and whether they are at the end of what it is given.
func (s *runner) committed(ctx context.Context, p *pipeline, name string, sources map[string]string) (string, bool, error) {
	if !p.sink() {
		var out []string
		for k, v := range sources {
			if strings.HasPrefix(k, `["`+name+`",`) {
				out = append(out, k+" "+v)
			}
		}
		slices.Sort(out)
		text := strings.Join(out, "\n")
		if p.first > 0 { // it counts on by itself
			return "", true, nil
		}
		end := 0
		for _, l := range p.lines[:len(p.lines)-p.uncommitted] {
			if end += len(l) + 1; s.prefix == "kc" { // which counts characters of Java's
				end += len(utf16.Encode([]rune(l))) - len(l)
			}
		}
		return text, end == 0 || strings.HasSuffix(text, fmt.Sprintf(`{"position":%d}`, end)), nil
	}
	group, err := s.admin.GroupOffsets(ctx, "connect-"+name)
	if err != nil {
		return "", false, err
	}
	sum, out := int64(0), make([]string, 0, len(group))
	for tp, n := range group {
		sum += n
		out = append(out, fmt.Sprintf("%s-%d at %d", tp.Topic, tp.Partition, n))
	}
	slices.Sort(out)
	return strings.Join(out, "\n"), sum == int64(len(p.in)), nil
}

// topics takes down what was written to topics, and counts the records.
func (s *runner) topics(ctx context.Context, p *pipeline, f map[string]string) (n int, err error) {
	for _, topic := range p.written(s.prefix) {
		there, err := s.admin.HasTopic(ctx, topic)
		if err != nil {
			return 0, err
		}
		if !there {
			f[topic] = "(none)"
			continue
		}
		if strings.Contains(p.more, "topic.creation") {
			info, err := s.admin.DescribeTopic(ctx, topic)
			if err != nil {
				return 0, err
			}
			f[topic+" settings"] = fmt.Sprintf("%d partitions, cleanup.policy=%s", info.Partitions, info.Config["cleanup.policy"])
		}
		in, err := readAll(ctx, s.kafka, topic, "read_committed")
		if err != nil {
			return 0, err
		}
		slices.SortStableFunc(in, func(a, b kafkaio.Record) int { return int(a.Partition - b.Partition) })
		if p.first > 0 {
			in = in[:min(len(in), p.first)]
		}
		n += len(in)
		for i := range in {
			s.record(p, fmt.Sprintf("%s[%d]", topic[strings.LastIndexByte(topic, '.')+1:], i), &in[i], f)
		}
	}
	return n, nil
}

// record takes down a record, each part of it for itself.
func (s *runner) record(p *pipeline, at string, r *kafkaio.Record, f map[string]string) {
	text := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return fmt.Sprintf("%q", s.anonymous(p, string(b)))
	}
	f[at+" partition"], f[at+" key"], f[at+" value"] = fmt.Sprint(r.Partition), text(r.Key), text(r.Value)
	if p.sink() { // that of a source is the time of its reading
		f[at+" timestamp"] = fmt.Sprint(r.Timestamp)
	}
	seen := map[string]int{}
	names := make([]string, 0, len(r.Headers))
	for _, h := range r.Headers {
		names = append(names, h.Key)
		key := at + " " + h.Key
		if seen[h.Key]++; seen[h.Key] > 1 {
			key += fmt.Sprintf("#%d", seen[h.Key])
		}
		if f[key] = text(h.Value); strings.HasSuffix(h.Key, ".stacktrace") {
			first, _, _ := strings.Cut(string(h.Value), "\n")
			f[key] = text([]byte(first))
		}
	}
	f[at+" headers"] = strings.Join(names, " ")
}

// printed takes down what a VerifiableSink said of the records that it was given.
func (s *runner) printed(p *pipeline, name string, f map[string]string) (late string) {
	var out []string
	for _, path := range s.process.Logs() {
		file, err := os.Open(path)
		if err != nil {
			return err.Error()
		}
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var l map[string]any
			if json.Unmarshal(lines.Bytes(), &l) != nil || l["name"] != name || l["sinkTask"] == nil || l["flushed"] != nil {
				continue
			}
			delete(l, "time_ms")
			b, _ := json.Marshal(l) // it came from JSON
			out = append(out, string(b))
		}
		_ = file.Close()
	}
	f["printed"] = strings.Join(out, "\n")
	if want := cmp.Or(p.prints, len(p.in)); len(out) != want {
		return fmt.Sprintf("what is printed, there are %d of %d lines", len(out), want)
	}
	return ""
}

// told says whether a trace of Sluice's has what the first exception and its cause say in Java's. Frames and the causes of the
// cause it cannot have.
func told(java, ours string) bool {
	for i, l := range strings.Split(java, "\n") {
		_, message, found := strings.Cut(strings.TrimPrefix(l, "Caused by: "), ": ")
		if i < 2 && found && !strings.Contains(ours, message) {
			return false
		}
	}
	return java != ""
}

// compare compares what a row left behind on both sides.
func (p *pipeline) compare(t *testing.T, kc, sl outcome) {
	for _, side := range []struct {
		name string
		outcome
	}{{"Kafka Connect", kc}, {"Sluice", sl}} {
		if side.late != "" {
			t.Errorf("%s: waited in vain for %s", side.name, side.late)
		} else if side.facets == nil {
			t.Errorf("%s: nothing was taken down (bug)", side.name)
		} else if side.failed != p.fails {
			t.Errorf("%s: the task failed is %t, the row says %t:\n%s", side.name, side.failed, p.fails, side.facets["trace"])
		}
	}
	if kc.late != "" || sl.late != "" {
		return
	}
	keys := map[string]bool{}
	for _, f := range []map[string]string{kc.facets, sl.facets, p.differs} {
		for k := range f {
			keys[k] = true
		}
	}
	if told(kc.facets["trace"], sl.facets["trace"]) {
		sl.facets["trace"] = kc.facets["trace"]
	}
	for k := range keys {
		why, listed := p.differs[k]
		a, b := kc.facets[k], sl.facets[k]
		switch {
		case listed && why == "":
			t.Errorf("%s: the row gives no reason for the difference", k)
		case listed && a == b:
			t.Errorf("%s: there is no difference any more, take it out of the row: %s", k, a)
		case !listed && a != b:
			t.Errorf("%s:\nKafka Connect %s\nSluice        %s", k, a, b)
		}
	}
}
