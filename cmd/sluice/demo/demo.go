package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
)

// Options say what is moved and where.
type Options struct {
	// REST is the base URL of the REST API.
	REST string
	// GRPC and Kafka are only shown.
	GRPC, Kafka string
	// File is the text; empty means this project's documents.
	File string
	// Lines is how many lines the documents are repeated to. Default 100000.
	Lines int
	// Dir is where texts and copies go.
	Dir string
	// Deadline bounds the whole move. Default 2 minutes.
	Deadline time.Duration
	// Terminal says whether the progress line may be rewritten in place.
	Terminal bool
	Out      io.Writer
	Clock    clock.Clock
}

// pipeline is one pair of connectors.
type pipeline struct {
	name, topic, converter string
	extra                  map[string]string
	copy                   counter
}

// ErrVerdict says that a copy is not equal to its text.
var ErrVerdict = errors.New("demo: a copy is not equal to the text")

// Run moves the text and prints the verdict. An error is a failed demo.
func Run(ctx context.Context, o Options) error {
	start := o.Clock.Now()
	t, err := prepare(o)
	if err != nil {
		return err
	}
	d := &run{Options: o, text: t, id: fmt.Sprintf("%x", start.UnixMilli()&0xffffff)}
	d.say("\nThe text: %s, %d lines, %d bytes, sha256 %s\n", t.path, t.lines, t.size, short(t.sum))
	pipelines := []*pipeline{
		{name: "string", converter: "org.apache.kafka.connect.storage.StringConverter"},
		{name: "json", converter: "org.apache.kafka.connect.json.JsonConverter", extra: map[string]string{"value.converter.schemas.enable": "false"}},
	}
	d.say("\nTwo pipelines, deployed over REST: file -> topic -> file\n")
	for _, p := range pipelines {
		p.topic = "demo-" + p.name + "-" + d.id
		p.copy.path = filepath.Join(o.Dir, "copy-"+p.name+"-"+d.id+".txt")
		if err := d.deploy(ctx, p); err != nil {
			return err
		}
	}
	moved := o.Clock.Now()
	if err := d.follow(ctx, pipelines); err != nil {
		return err
	}
	took := o.Clock.Now().Sub(moved)
	ok := true
	d.say("\n")
	for _, p := range pipelines {
		got, err := sum(p.copy.path)
		if err != nil {
			return err
		}
		verdict := "EQUAL"
		if got != t.sum {
			verdict, ok = "DIFFERENT", false
		}
		d.say("  %-7s %d records  sha256 %s  %s\n", p.name, p.copy.lines, short(got), verdict)
	}
	if !ok {
		return ErrVerdict
	}
	d.say("\nVerdict: both copies are equal to the text. %d records in %.2f s, %.2f s in all.\n", 2*t.lines, took.Seconds(), o.Clock.Now().Sub(start).Seconds())
	d.say("\nLook around:\n  curl -s %s/connectors?expand=status\n  curl -s %s/connectors/demo-string-source-%s/status\n  curl -s %s/v1/executors\n  ./bin/sluice connectors list --server %s\n  grpcurl -plaintext %s list\n  Kafka is at %s: topics demo-string-%s and demo-json-%s\n",
		o.REST, o.REST, d.id, o.REST, o.GRPC, o.GRPC, o.Kafka, d.id, d.id)
	return nil
}

func prepare(o Options) (text, error) {
	path := o.File
	if path == "" {
		path = filepath.Join(o.Dir, "documents.txt")
		if err := writeDocuments(path, o.Lines); err != nil {
			return text{}, err
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return text{}, err
	}
	return measure(path)
}

type run struct {
	Options
	text text
	id   string
}

func (d *run) say(format string, args ...any) { fmt.Fprintf(d.Out, format, args...) }

// deploy creates the source and the sink of a pipeline.
func (d *run) deploy(ctx context.Context, p *pipeline) error {
	source := map[string]string{"connector.class": "FileStreamSource", "tasks.max": "1", "file": d.text.path, "topic": p.topic}
	sink := map[string]string{"connector.class": "FileStreamSink", "tasks.max": "1", "file": p.copy.path, "topics": p.topic,
		// A new topic is found by the consumer at its next refresh: five minutes by default.
		"consumer.override.metadata.max.age.ms": "200"}
	for _, c := range []struct {
		kind   string
		config map[string]string
	}{{"source", source}, {"sink", sink}} {
		c.config["key.converter"] = "org.apache.kafka.connect.storage.StringConverter"
		c.config["value.converter"] = p.converter
		for k, v := range p.extra {
			c.config[k] = v
		}
		if err := d.post(ctx, "demo-"+p.name+"-"+c.kind+"-"+d.id, c.config); err != nil {
			return err
		}
	}
	return nil
}

func (d *run) post(ctx context.Context, name string, config map[string]string) error {
	body, err := json.Marshal(map[string]any{"name": name, "config": config})
	if err != nil {
		return err
	}
	d.say("\n  curl -s -X POST -H 'Content-Type: application/json' %s/connectors \\\n    -d '%s'\n", d.REST, strings.ReplaceAll(string(body), "'", `'\''`))
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.REST+"/connectors", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("POST /connectors %s: %s: %s", name, resp.Status, answer)
	}
	d.say("  -> %s\n", resp.Status)
	return nil
}

// follow waits until all lines are in the copies, and says how it goes.
func (d *run) follow(ctx context.Context, pipelines []*pipeline) error {
	ctx, cancel := context.WithTimeout(ctx, d.Deadline)
	defer cancel()
	begun, shown := d.Clock.Now(), time.Time{}
	want := d.text.lines * len(pipelines)
	for {
		have, whole := 0, true
		for _, p := range pipelines {
			if err := p.copy.update(); err != nil {
				return err
			}
			have += p.copy.lines
			whole = whole && p.copy.size >= d.text.size
		}
		now := d.Clock.Now()
		if whole || now.Sub(shown) >= 500*time.Millisecond {
			shown = now
			end := "\n"
			if d.Terminal {
				end = "\r"
			}
			d.say("  %d of %d records   %.0f records/s   lag %d      %s", have, want, float64(have)/max(now.Sub(begun).Seconds(), 0.001), want-have, end)
		}
		if whole {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("demo: %d of %d records after %s: %w", have, want, d.Deadline, ctx.Err()), d.failures(pipelines))
		case <-d.Clock.After(20 * time.Millisecond):
		}
	}
}

// failures says what the connectors report, for a demo that did not end.
func (d *run) failures(pipelines []*pipeline) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var errs []error
	for _, p := range pipelines {
		for _, kind := range []string{"source", "sink"} {
			url := d.REST + "/connectors/demo-" + p.name + "-" + kind + "-" + d.id + "/status"
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			b, err := io.ReadAll(resp.Body)
			errs = append(errs, errors.Join(fmt.Errorf("%s: %s", url, b), err, resp.Body.Close()))
		}
	}
	return errors.Join(errs...)
}

func short(sum string) string { return sum[:16] }

// Dir makes a directory for texts and copies under base, or a temporary one.
func Dir(base string) (string, error) {
	if base == "" {
		return os.MkdirTemp("", "sluice-demo-")
	}
	dir := filepath.Join(base, "demo")
	return dir, os.MkdirAll(dir, 0o755)
}
