//go:build verify

package verify

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/internal/props"
)

const (
	askTimeout  = 30 * time.Second
	controlName = "sluice-controlplane"
	gatewayName = "sluice-gateway"
	workerName  = "sluice-executor"
)

// binary is what a real binary says about itself.
type binary struct {
	name, path string
	keys       map[string]string // key to default
	admin      []string          // the paths of the admin server
}

// binaries are the three, by name.
type binaries map[string]binary

var (
	helpLine  = regexp.MustCompile(`(?m)^\s+(?:-\w, )?--([a-z0-9.-]+)(?: string)?\s+(.*)$`)
	helpDef   = regexp.MustCompile(`\(default "(.*)"\)$`)
	adminPath = regexp.MustCompile(`/[a-z]+`)
)

// need is an environment variable that `make verify` sets.
func need(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run `make verify`", name)
	}
	abs, err := filepath.Abs(v)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// askAll asks the three binaries for their keys.
func askAll(t *testing.T) binaries {
	t.Helper()
	dir := need(t, "SLUICE_BIN")
	all := binaries{}
	for _, name := range []string{controlName, gatewayName, workerName} {
		b := binary{name: name, path: filepath.Join(dir, name), keys: map[string]string{}}
		out, err := output(t, b.path, "--help")
		if err != nil {
			t.Fatalf("%s --help: %v\n%s", name, err, out)
		}
		for _, m := range helpLine.FindAllStringSubmatch(out, -1) {
			b.keys[m[1]] = ""
			if d := helpDef.FindStringSubmatch(m[2]); d != nil {
				b.keys[m[1]] = d[1]
			}
			if m[1] == "sluice.admin.listen" {
				b.admin = adminPath.FindAllString(m[2], -1)
			}
		}
		if len(b.keys) < 5 || len(b.admin) < 3 {
			t.Fatalf("%s --help is not understood: keys %v, admin paths %v", name, b.keys, b.admin)
		}
		all[name] = b
	}
	return all
}

// output runs a program to its end, with none of this process's SLUICE_ variables.
func output(t *testing.T, path string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), askTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func environment(more ...string) []string {
	return append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "SLUICE_") }), more...)
}

func (all binaries) any(key string) bool {
	for _, b := range all {
		if _, ok := b.keys[key]; ok {
			return true
		}
	}
	return false
}

// strangers are those of the keys that no process knows. --help has no lines for the Kafka clients' keys (ssl.*,
// consumer.*), so where a key is not in it, an executor is given the key and says itself whether it knows it.
func (all binaries) strangers(t *testing.T, keys []string) (out []string) {
	t.Helper()
	for _, key := range keys {
		if all.any(key) {
			continue
		}
		file := filepath.Join(t.TempDir(), "asked.properties")
		// Without group.id and topics an executor ends by itself.
		if err := os.WriteFile(file, []byte(key+"=x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		said, err := output(t, all[workerName].path, "--config="+file)
		switch {
		case strings.Contains(said, key+": Sluice has no such key"), strings.Contains(said, "ignored: "+key):
			out = append(out, key)
		case err == nil || !strings.Contains(said, "group.id"):
			t.Fatalf("%s was to end with a complaint about group.id; it said: %v %s", workerName, err, said)
		}
	}
	return out
}

// settings are what a container gives to its process.
type settings struct {
	binary            binary
	flags, env, file  map[string]string
	configPath, words string
}

// get is the value in effect.
func (s settings) get(key string) string {
	for _, from := range []map[string]string{s.flags, s.env, s.file, s.binary.keys} {
		if v, ok := from[key]; ok {
			return v
		}
	}
	return ""
}

// read collects what a container gives to its process. Faults are of the form, not of the keys.
func (all binaries) read(c container, config func(path string) (string, bool)) (s settings, faults []string) {
	b, ok := all[c.program()]
	if !ok {
		return s, []string{fmt.Sprintf("image %s: there is no binary %s", c.Image, c.program())}
	}
	s = settings{binary: b, flags: map[string]string{}, env: map[string]string{}, file: map[string]string{}}
	for _, a := range c.Args {
		name, value, ok := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		if !ok || !strings.HasPrefix(a, "--") {
			faults = append(faults, fmt.Sprintf("argument %q: write --key=value", a))
			continue
		}
		s.flags[name] = value
	}
	var env []string
	for _, e := range c.Env {
		if e.From != nil && e.Value == "" {
			env = append(env, e.Name+"=from elsewhere")
			continue
		}
		env = append(env, e.Name+"="+e.Value)
	}
	p, err := props.Merge(nil, env, nil, all.any)
	if err != nil {
		faults = append(faults, err.Error())
	}
	s.env = p.Values
	if path, ok := s.flags["config"]; ok {
		s.configPath = path
		text, ok := config(path)
		if !ok {
			return s, append(faults, fmt.Sprintf("--config=%s: no ConfigMap with such a file is mounted there", path))
		}
		if p, err = props.Merge([]byte(text), nil, nil, all.any); err != nil {
			faults = append(faults, err.Error())
		}
		s.file, s.words = p.Values, text
	}
	return s, faults
}
