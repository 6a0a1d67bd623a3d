//go:build integration

package compat

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

// restClient is a client of Kafka Connect's REST API that nobody here wrote, in a program that makes every call it has.
type restClient struct {
	name string
	// command installs it, once, and is the program, which is given the address and a file.
	command func(t *testing.T) (env []string, args []string)
}

var restClients = []restClient{
	{"kafka-connect-py 1.0.0 (PyPI)", func(t *testing.T) ([]string, []string) {
		harness.Need(t, "python3", "Python 3 with venv", "python3 python3-venv")
		dir := harness.Cached(t, "kafka-connect-py-1.0.0", func(ctx context.Context, dir string) *exec.Cmd {
			return exec.CommandContext(ctx, "python3", "-m", "venv", dir)
		}, func(ctx context.Context, dir string) *exec.Cmd {
			return exec.CommandContext(ctx, filepath.Join(dir, "bin/pip"), "install", "--quiet", "-r", "clients/python/requirements.txt")
		})
		return nil, []string{filepath.Join(dir, "bin/python"), "clients/python/client.py"}
	}},
	{"org.sourcelab:kafka-connect-client 4.0.4 (Maven)", func(t *testing.T) ([]string, []string) {
		jars := harness.Fetch(t, "clients/java/pom.xml", "sourcelab-kafka-connect-client-4.0.4")
		return nil, []string{"java", "-cp", jars + "/*", "clients/java/Client.java"}
	}},
	{"kafka-connect-client 2.3.0 (npm)", func(t *testing.T) ([]string, []string) {
		harness.Need(t, "node", "Node.js of at least 18", "nodejs")
		harness.Need(t, "npm", "npm", "npm")
		dir := harness.Cached(t, "npm-kafka-connect-client-2.3.0", func(ctx context.Context, dir string) *exec.Cmd {
			return exec.CommandContext(ctx, "cp", "clients/node/package.json", "clients/node/package-lock.json", dir)
		}, func(ctx context.Context, dir string) *exec.Cmd {
			return exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", dir)
		})
		return []string{"NODE_PATH=" + filepath.Join(dir, "node_modules")}, []string{"node", "clients/node/client.js"}
	}},
}

// covered are the operations that the clients make together, each of which a worker carries out for one of them at least.
var covered = []string{"create", "list", "expand", "pause", "resume", "stop", "restart", "validate", "topics", "offsets", "alter-offsets", "reset-offsets", "delete"}

// line is what a program says of one call.
type line struct{ operation, call, answer string }

// refused answers are those in which a client says that its call was refused.
var refused = regexp.MustCompile(`^\w*(Error|Exception)\b`)

func TestClients_ThatNobodyHereWroteSeeNoDifference(t *testing.T) {
	kafka := harness.StartKafka(t, root)
	sluice := harness.Start(t, harness.Options{Kafka: kafka, Root: root, Executors: []string{"default"}}, harness.Binaries(t, root))
	properties, base := harness.ConnectProperties(t, kafka, "clients", "clients-configs", "clients-offsets", "clients-status")
	java := harness.StartConnect(t, root, properties, base)
	made := map[string]map[string][]string{} // by operation and client: the calls, a refused one in brackets
	done := map[string]bool{}
	for _, c := range restClients {
		in := filepath.Join(t.TempDir(), "in.txt")
		write(t, in, 0, 3)
		theirs := c.run(t, java.Base, in)
		ours := c.run(t, sluice.REST(0), in)
		for i := range max(len(theirs), len(ours)) {
			var a, b line
			if i < len(theirs) {
				a = theirs[i]
			}
			if i < len(ours) {
				b = ours[i]
			}
			if a != b {
				t.Errorf("%s: call %d:\nKafka Connect %v\nSluice        %v", c.name, i, a, b)
			}
			text := b.call
			if refused.MatchString(b.answer) {
				text = "(" + text + ")"
			} else {
				done[b.operation] = true
			}
			if made[b.operation] == nil {
				made[b.operation] = map[string][]string{}
			}
			if calls := made[b.operation]; !slices.Contains(calls[c.name], text) {
				calls[c.name] = append(calls[c.name], text)
			}
		}
		if last := ours[len(ours)-1]; last.operation != "not called" || last.answer != "[]" {
			t.Errorf("%s: it has calls that were not made: %v", c.name, last)
		}
	}
	for _, o := range covered {
		if !done[o] {
			t.Errorf("no client does %s", o)
		}
	}
	t.Logf("the calls that each client made, those refused on both sides in brackets:\n%s", table(made))
}

func table(made map[string]map[string][]string) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, c := range restClients {
		_, _ = fmt.Fprintf(w, "\t%s", c.name) // a buffer takes all
	}
	operations := make([]string, 0, len(made))
	for o := range made {
		operations = append(operations, o)
	}
	slices.Sort(operations)
	for _, o := range operations {
		_, _ = fmt.Fprintf(w, "\n%s", o)
		for _, c := range restClients {
			_, _ = fmt.Fprintf(w, "\t%s", strings.Join(made[o][c.name], ", "))
		}
	}
	_ = w.Flush()
	return b.String()
}

// volatile is what differs from process to process: who answers, of which build, with which Kafka's id as it is now.
var volatile = []struct {
	is *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`("(?:worker_id|workerId)": ?)"[^"]*"`), `$1"WORKER"`},
	{regexp.MustCompile(`("commit": ?)"[^"]*"`), `$1"COMMIT"`},
}

func (c restClient) run(t *testing.T, base, file string) []line {
	t.Helper()
	env, args := c.command(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], append(args[1:], base, file)...) //nolint:gosec // a test's own programs
	cmd.Env = append(os.Environ(), append(env, "PYTHONIOENCODING=utf-8")...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s against %s: %v\n%s%s", c.name, base, err, out.Bytes(), errs.Bytes())
	}
	text := strings.ReplaceAll(out.String(), base, "BASE")
	for _, v := range volatile {
		text = v.is.ReplaceAllString(text, v.to)
	}
	var lines []line
	for l := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(l, "\n"), "\t", 3)
		if len(parts) != 3 {
			t.Fatalf("%s: a line that is none: %q\n%s", c.name, l, errs.Bytes())
		}
		lines = append(lines, line{parts[0], parts[1], parts[2]})
	}
	return lines
}
