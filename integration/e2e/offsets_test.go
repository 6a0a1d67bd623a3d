package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-project/sluice/internal/unit"
)

const altered = `{"message":"The offsets for this connector have been altered successfully"}`

type offsetsBody struct {
	Offsets []struct {
		Partition map[string]any  `json:"partition"`
		Offset    json.RawMessage `json:"offset"`
	} `json:"offsets"`
}

// offsets are a connector's, as text by the partition's value under a key.
func (c *cluster) offsets(name, key string) map[string]string {
	c.t.Helper()
	code, body := c.call("GET", "/connectors/"+name+"/offsets", nil)
	if code != 200 {
		c.t.Fatalf("offsets of %s: %d %s", name, code, body)
	}
	var b offsetsBody
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		c.t.Fatal(err)
	}
	out := map[string]string{}
	for _, o := range b.Offsets {
		out[fmt.Sprint(o.Partition[key])] = string(o.Offset)
	}
	return out
}

func (c *cluster) topics(name string) string {
	c.t.Helper()
	code, body := c.call("GET", "/connectors/"+name+"/topics", nil)
	if code != 200 {
		c.t.Fatalf("topics of %s: %d %s", name, code, body)
	}
	return strings.TrimSuffix(strings.TrimPrefix(body, `{"`+name+`":{"topics":`), "}}")
}

func (c *cluster) want(method, path string, body any, code int, text string) {
	c.t.Helper()
	if got, answer := c.call(method, path, body); got != code || text != "" && answer != text {
		c.t.Fatalf("%s %s: %d %s, want %d %s", method, path, got, answer, code, text)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) stopped(name string) {
	c.t.Helper()
	c.want("PUT", "/connectors/"+name+"/stop", nil, 204, "")
}

func TestOffsets_ASourceAndASinkGoOnWhereTheyWerePut(t *testing.T) {
	c := newCluster(t, 2, 2)
	in, out := text(t, 10), filepath.Join(t.TempDir(), "out.txt")
	c.create("src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1"})
	c.create("dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1", "consumer.override.metadata.max.age.ms": "200"})
	await(t, "ten lines", func() bool { return len(lines(out)) == 10 })
	await(t, "the sink's offset", func() bool { return c.offsets("dst", "kafka_topic")["lines"] == `{"kafka_offset":10}` })
	c.want("PATCH", "/connectors/src/offsets", `{"offsets":[{"partition":{"filename":"x"},"offset":{"position":0}}]}`, 400, "")
	// No wait between stop and alter: the call waits until the tasks are quiet.
	c.stopped("src")
	large := `{"offsets":[{"partition":{"filename":"` + in + `"},"offset":{"position":0}},{"partition":{"filename":"large"},"offset":{"position":9007199254740993}}]}`
	c.want("PATCH", "/connectors/src/offsets", large, 200, altered)
	if o := c.offsets("src", "filename"); o["large"] != `{"position":9007199254740993}` || o[in] != `{"position":0}` {
		t.Errorf("%v", o)
	}
	c.want("PUT", "/connectors/src/resume", nil, 202, "")
	await(t, "every line again", func() bool {
		for _, n := range lines(out) {
			if n != 2 {
				return false
			}
		}
		return true
	})
	c.stopped("dst")
	c.want("PATCH", "/connectors/dst/offsets", `{"offsets":[{"partition":{"kafka_topic":"lines","kafka_partition":"0"},"offset":{"kafka_offset":15}}]}`, 200, altered)
	c.want("PUT", "/connectors/dst/resume", nil, 202, "")
	await(t, "five lines a third time", func() bool {
		third := 0
		for _, n := range lines(out) {
			if n == 3 {
				third++
			}
		}
		return third == 5
	})
	c.stopped("dst")
	c.want("DELETE", "/connectors/dst/offsets", nil, 200, `{"message":"The offsets for this connector have been reset successfully"}`)
	c.stopped("src")
	c.want("DELETE", "/connectors/src/offsets", nil, 200, `{"message":"The offsets for this connector have been reset successfully"}`)
	if o := append([]any{}, len(c.offsets("src", "filename")), len(c.offsets("dst", "kafka_topic"))); o[0] != 0 || o[1] != 0 {
		t.Errorf("after the reset: %v", o)
	}
}

func TestOffsets_AnExecutorThatDiesInTheMiddleLeavesThemWhollyAlteredOrNotAtAll(t *testing.T) {
	for _, commit := range []bool{false, true} {
		t.Run(fmt.Sprint("committed ", commit), func(t *testing.T) {
			c := newCluster(t, 1, 2)
			in := text(t, 10)
			c.create("src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1"})
			await(t, "its offset", func() bool { return len(c.offsets("src", "filename")) == 1 })
			before := c.offsets("src", "filename")[in]
			c.stopped("src")
			await(t, "it is quiet", func() bool { return len(c.status("src").Tasks) == 0 && c.replicas[0].Store().View().Busy("src") == "" })
			// The end of the alteration's transaction kills its holder: before Kafka has it, or as soon as it does.
			var once sync.Once
			var killed atomic.Bool
			reached := make(chan struct{})
			c.kfake.ControlKey(int16(kmsg.EndTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
				c.kfake.KeepControl()
				if r.(*kmsg.EndTxnRequest).TransactionalID != "e2e-src-offsets" || killed.Load() {
					return nil, nil, false
				}
				once.Do(func() { close(reached) })
				if commit {
					return nil, nil, false
				}
				return nil, errors.New("the connection dies"), true
			})
			done := make(chan string, 1)
			go func() {
				var b strings.Builder
				b.WriteString(`{"offsets":[{"partition":{"filename":"` + in + `"},"offset":{"position":1}}`)
				for i := range 100 {
					fmt.Fprintf(&b, `,{"partition":{"filename":"f%d"},"offset":{"position":%d}}`, i, i)
				}
				code, body := c.call("PATCH", "/connectors/src/offsets", b.String()+"]}")
				done <- fmt.Sprint(code, " ", body)
			}()
			<-reached
			holder := ""
			if a := c.replicas[0].Store().View().Assignments[unit.Offsets("src")]; a != nil {
				holder = a.Value.GetExecutor()
			} else if !commit {
				t.Fatal("nobody holds the unit")
			}
			// While it is altered, a resume waits.
			c.want("PUT", "/connectors/src/resume", nil, 202, "")
			c.kill(holder)
			killed.Store(true)
			select {
			case answer := <-done:
				if answer != "200 "+altered {
					t.Fatalf("another executor does it again: %s", answer)
				}
			case <-limited(t).Done():
				t.Fatal("no answer")
			}
			o := c.offsets("src", "filename")
			if len(o) != 101 || o["f99"] != `{"position":99}` || o[in] != `{"position":1}` && o[in] != before {
				t.Errorf("%d offsets, %s", len(o), o[in])
			}
			c.running("src", 1)
		})
	}
}

func TestOffsets_ASinksAlterationThatIsCutInTheMiddleIsEndedByTheNextExecutor(t *testing.T) {
	c := newCluster(t, 1, 2)
	for _, topic := range []string{"a", "b"} {
		c.create("src-"+topic, map[string]string{"connector.class": "FileStreamSource", "file": text(t, 3), "topic": topic, "tasks.max": "1"})
		await(t, "topic "+topic, func() bool { return c.topics("src-"+topic) == `["`+topic+`"]` })
	}
	c.want("POST", "/connectors", map[string]any{"name": "dst", "initial_state": "STOPPED", "config": map[string]string{
		"connector.class": "FileStreamSink", "file": filepath.Join(t.TempDir(), "out.txt"), "topics": "a,b", "tasks.max": "1"}}, 201, "")
	change := func(topic, offset string) string {
		return `{"partition":{"kafka_topic":"` + topic + `","kafka_partition":0},"offset":` + offset + `}`
	}
	c.want("PATCH", "/connectors/dst/offsets", `{"offsets":[`+change("a", `{"kafka_offset":1}`)+`,`+change("b", `{"kafka_offset":2}`)+`]}`, 200, altered)
	// The first offset is committed; its holder dies before the other is forgotten.
	var once sync.Once
	var killed atomic.Bool
	reached := make(chan struct{})
	c.kfake.ControlKey(int16(kmsg.OffsetDelete), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.kfake.KeepControl()
		if killed.Load() {
			return nil, nil, false
		}
		once.Do(func() { close(reached) })
		return nil, errors.New("the connection dies"), true
	})
	done := make(chan string, 1)
	go func() {
		code, body := c.call("PATCH", "/connectors/dst/offsets", `{"offsets":[`+change("a", `{"kafka_offset":3}`)+`,`+change("b", "null")+`]}`)
		done <- fmt.Sprint(code, " ", body)
	}()
	<-reached
	a := c.replicas[0].Store().View().Assignments[unit.Offsets("dst")]
	if a == nil {
		t.Fatal("nobody holds the unit")
	}
	c.kill(a.Value.GetExecutor())
	killed.Store(true)
	if answer := <-done; answer != "200 "+altered {
		t.Fatal(answer)
	}
	if o := c.offsets("dst", "kafka_topic"); len(o) != 1 || o["a"] != `{"kafka_offset":3}` {
		t.Errorf("%v", o)
	}
}

// kill kills an executor by its name.
func (c *cluster) kill(name string) {
	for i, x := range c.executors {
		if name == fmt.Sprintf("x%d:1", i+1) {
			x.Kill()
		}
	}
}

func TestTopics_AreTheSameWhoeverIsAskedAndAreForgottenWithTheirConnector(t *testing.T) {
	c := newCluster(t, 2, 2)
	in, out := text(t, 10), filepath.Join(t.TempDir(), "out.txt")
	conf := map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1"}
	c.create("src", conf)
	c.create("dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1", "consumer.override.metadata.max.age.ms": "200"})
	for _, name := range []string{"src", "dst"} {
		await(t, "topics of "+name, func() bool { return c.topics(name) == `["lines"]` })
		for range 6 { // executors take turns
			if got := c.topics(name); got != `["lines"]` {
				t.Fatalf("%s: %s", name, got)
			}
		}
	}
	c.want("PUT", "/connectors/src/topics/reset", nil, 202, "")
	if got := c.topics("src"); got != "[]" {
		t.Errorf("after the reset: %s", got)
	}
	appendTo(t, in, "one more\n")
	await(t, "it is back", func() bool { return c.topics("src") == `["lines"]` })
	c.want("DELETE", "/connectors/src", nil, 204, "")
	if got := c.topics("src"); got != "[]" {
		t.Errorf("of a deleted one: %s", got)
	}
	conf["file"] = filepath.Join(t.TempDir(), "other")
	c.want("POST", "/connectors", map[string]any{"name": "src", "config": conf, "initial_state": "STOPPED"}, 201, "")
	await(t, "the new one is known", func() bool { return c.status("src").Connector.State == "STOPPED" })
	if got := c.topics("src"); got != "[]" {
		t.Errorf("of one created anew: %s", got)
	}
	if got := c.topics("dst"); got != `["lines"]` {
		t.Errorf("the other's: %s", got)
	}
}
