package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/executor/kafkaio"
)

// leaky is a source that tells its password to whoever listens: its log, its tasks' configs, its errors.
type leaky struct {
	conf map[string]string
	seen *sync.Map // passwords that tasks were started with
}

func leakyPlugin(seen *sync.Map) connectors.Plugin {
	return connectors.Plugin{Class: "test.LeakySource", Version: "1", Type: connectors.Source, NewSource: func() connectors.SourceConnector { return &leaky{seen: seen} },
		Config: func() *configdef.Def {
			d := configdef.New()
			for _, k := range []string{"pw", "url", "derive", "fail"} {
				d.Define(configdef.Key{Name: k, Type: configdef.String, Default: configdef.Text(""), Importance: configdef.High, Doc: k})
			}
			return d
		}}
}

func (l *leaky) Start(_ context.Context, cc connectors.ConnectorContext, c map[string]string) error {
	cc.Logger().Info("connecting to "+c["url"], "config", c)
	l.conf = c
	return nil
}

func (l *leaky) TaskConfigs(context.Context, int) ([]map[string]string, error) {
	task := maps.Clone(l.conf)
	if l.conf["derive"] != "" {
		task["jdbc"] = "jdbc:x?pw=" + l.conf["pw"]
	}
	return []map[string]string{task}, nil
}

func (*leaky) Stop(context.Context) error       { return nil }
func (l *leaky) NewTask() connectors.SourceTask { return &leakyTask{seen: l.seen} }
func (*leaky) Check(c map[string]string, fail func(key, message string)) {
	if c["fail"] == "validation" {
		fail("url", "cannot log in with "+c["pw"])
	}
}

type leakyTask struct {
	seen *sync.Map
	conf map[string]string
	log  *slog.Logger
}

func (t *leakyTask) Start(_ context.Context, tc connectors.SourceTaskContext, c map[string]string) error {
	t.conf, t.log = c, tc.Logger()
	t.seen.Store(c["pw"], true)
	t.log.Warn("logging in", "pw", c["pw"], "err", errors.New(c["url"]))
	return nil
}

func (t *leakyTask) Poll(ctx context.Context, _ *connectors.SourceBatch) error {
	switch t.conf["fail"] {
	case "error":
		return fmt.Errorf("access denied for %q", t.conf["pw"])
	case "panic":
		panic("access denied with " + t.conf["url"])
	}
	<-ctx.Done()
	return nil
}

func (*leakyTask) Stop(context.Context) error { return nil }

// buffer is a buffer that loggers share.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}
func (b *buffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.buf.String() }

func TestASecret_IsInThePluginAndNowhereElse(t *testing.T) {
	const first, second = "hunter2/first-s3cret", "hunter2/second-s3cret"
	path := filepath.Join(t.TempDir(), "db.properties")
	write := func(pw string) {
		t.Helper()
		next := path + ".next"
		if err := os.WriteFile(next, []byte("password="+pw+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
	}
	write(first)
	c := newCluster(t, 1, 0)
	logs := &buffer{}
	var seen sync.Map
	c.log = slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.plugins = []connectors.Plugin{leakyPlugin(&seen)}
	c.worker = map[string]string{"config.providers": "file", "config.providers.file.class": "FileConfigProvider",
		"config.providers.file.param.allowed.paths": filepath.Dir(path), "config.providers.file.param.ttl.ms": "200"}
	c.startExecutor("x1:1", []string{c.replicas[0].Addr()})
	ref := "${file:" + path + ":password}"
	conf := func(more ...string) map[string]string {
		out := map[string]string{"connector.class": "test.LeakySource", "tasks.max": "1", "pw": ref, "url": "http://user:" + ref + "@host"}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	answers := &strings.Builder{}
	call := func(method, path string, body any) string {
		t.Helper()
		_, text := c.call(method, path, body)
		answers.WriteString(text)
		return text
	}
	c.create("good", conf())
	c.create("error", conf("fail", "error"))
	c.create("panic", conf("fail", "panic"))
	c.create("derived", conf("derive", "true"))
	if code, body := c.call("POST", "/connectors", map[string]any{"name": "invalid", "config": conf("fail", "validation")}); code != 400 || !strings.Contains(body, "cannot log in with "+ref) {
		t.Errorf("%d %s", code, body)
	}
	c.running("good", 1)
	for _, name := range []string{"error", "panic"} {
		await(t, name+" has failed", func() bool {
			s := c.status(name)
			return len(s.Tasks) == 1 && s.Tasks[0].State == "FAILED" && strings.Contains(s.Tasks[0].Trace, "access denied")
		})
	}
	await(t, "the plan with a secret is refused", func() bool {
		s := c.status("derived").Connector
		return s.State == "FAILED" && strings.Contains(s.Trace, "the key jdbc of a task config contains what "+ref)
	})
	if _, ok := seen.Load(first); !ok {
		t.Error("no task was started with the value")
	}
	write(second)
	await(t, "a task is started with the changed value", func() bool { _, ok := seen.Load(second); return ok })
	c.running("good", 1)
	for _, name := range []string{"good", "error", "panic", "derived"} {
		for _, of := range []string{"", "/config", "/status", "/tasks", "/tasks/0/status"} {
			call("GET", "/connectors/"+name+of, nil)
		}
		validate := conf("name", name, "fail", "validation")
		call("PUT", "/connector-plugins/test.LeakySource/config/validate", validate)
	}
	call("GET", "/connectors?expand=status&expand=info", nil)
	if !strings.Contains(answers.String(), ref) {
		t.Error("no answer shows the reference")
	}

	everywhere := map[string]string{"the API": answers.String(), "the log": logs.String()}
	if !strings.Contains(everywhere["the log"], "logging in") {
		t.Error("the log has nothing of the plugin's")
	}
	got, err := c.etcd.Get(limited(t), "", clientv3.WithPrefix())
	if err != nil || len(got.Kvs) == 0 {
		t.Fatal(len(got.Kvs), err)
	}
	var etcd strings.Builder
	for _, kv := range got.Kvs {
		etcd.Write(kv.Key)
		etcd.Write(kv.Value)
	}
	everywhere["etcd"] = etcd.String()
	for _, topic := range []string{"connect-configs", "connect-status", "connect-offsets"} {
		var text strings.Builder
		read := func() error {
			text.Reset()
			_, err := kafkaio.ReadToEnd(limited(t), kafkaio.Client{"bootstrap.servers": c.kafka}, topic, kafkaio.ReadOptions{Logger: quiet()}, func(r kafkaio.Record) error {
				text.Write(r.Key)
				text.Write(r.Value)
				return nil
			})
			return err
		}
		await(t, topic+" is written", func() bool {
			if err := read(); err != nil {
				t.Fatal(err)
			}
			return topic == "connect-offsets" || strings.Contains(text.String(), "good") && strings.Contains(text.String(), "derived")
		})
		everywhere[topic] = text.String()
	}
	for where, text := range everywhere {
		for _, bad := range []string{"s3cret", "hunter2"} {
			if i := strings.Index(text, bad); i >= 0 {
				t.Errorf("%s has the secret: %s", where, text[max(0, i-200):min(len(text), i+60)])
			}
		}
	}
}
