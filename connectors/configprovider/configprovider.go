package configprovider

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/internal/javaregex"
)

// ErrParam is wrapped where a parameter of a provider cannot be used.
var ErrParam = errors.New("config provider")

// Data is what a provider found.
type Data struct {
	// Values has the keys that there are.
	Values map[string]string
	// TTL is how long they hold; 0 says that they do not end.
	TTL time.Duration
	// Why says why none was looked for, where that is so.
	Why string
}

// Provider looks values up. Safe for concurrent use.
type Provider interface {
	// Get looks keys up at a path, which may be empty. An error's text holds no value.
	Get(ctx context.Context, path string, keys []string) (Data, error)
}

// Info describes a kind of provider.
type Info struct {
	// Class is the Java class, Aliases are Kafka Connect's short names.
	Class   string
	Aliases []string
	// New makes one of its parameters: config.providers.<name>.param.*, without that prefix.
	New func(params map[string]string) (Provider, error)
}

const kafka = "org.apache.kafka.common.config.provider."

// Builtin are the providers that there are, by class.
func Builtin() []Info {
	info := func(simple string, make func(map[string]string) (Provider, error)) Info {
		return Info{Class: kafka + simple, Aliases: []string{simple, strings.TrimSuffix(simple, "ConfigProvider")}, New: make}
	}
	return []Info{
		info("DirectoryConfigProvider", newDirectory),
		info("EnvVarConfigProvider", func(params map[string]string) (Provider, error) { return NewEnv(params, os.Environ()) }),
		info("FileConfigProvider", newFile),
	}
}

// ttl reads ttl.ms.
func ttl(params map[string]string) (time.Duration, error) {
	text, ok := params["ttl.ms"]
	if !ok {
		return 0, nil
	}
	const most = int64(1) << 40
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%w: ttl.ms is %q: use a number of milliseconds from 1 to %d", ErrParam, text, most)
	}
	return time.Duration(n) * time.Millisecond, nil
}

// env is EnvVarConfigProvider.
type env map[string]string

// NewEnv makes a provider of environment variables, as os.Environ gives them: those whose whole name matches
// allowlist.pattern, by default all.
func NewEnv(params map[string]string, environ []string) (Provider, error) {
	text, ok := params["allowlist.pattern"]
	if !ok {
		text = ".*"
	}
	allowed, err := javaregex.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("%w: allowlist.pattern is %q: %w", ErrParam, text, err)
	}
	out := env{}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok && allowed.Matches(name) {
			out[name] = value
		}
	}
	return out, nil
}

// Get implements Provider.
func (e env) Get(_ context.Context, path string, keys []string) (Data, error) {
	if path != "" {
		return Data{}, fmt.Errorf("Path is not supported for EnvVarConfigProvider, invalid value '%s'", path)
	}
	out := Data{Values: map[string]string{}}
	for _, k := range keys {
		if v, ok := e[k]; ok {
			out.Values[k] = v
		}
	}
	return out, nil
}
