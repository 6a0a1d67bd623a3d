package process

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/loglevel"
	"github.com/sluice-project/sluice/internal/props"
	"github.com/sluice-project/sluice/internal/tlsfiles"
)

// Settings are a process's own keys, checked.
type Settings struct {
	Values configdef.Values
	Props  props.Props
	// Levels are those of the process's loggers. Set when Compose is called.
	Levels   *loglevel.Levels
	warnings []string
}

// load reads the file (none where path is empty), the environment and the flags, and checks the process's keys, the
// worker's where it takes them, and that no key of Sluice's is unknown to all processes.
func load(k Kind, path string, env []string, flags map[string]string) (Settings, error) {
	var file []byte
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return Settings{}, fmt.Errorf("--config: %w", err)
		}
		file = b
	}
	p, err := props.Merge(file, env, flags, known)
	if err != nil {
		return Settings{}, err
	}
	s := Settings{Props: p}
	var faults []error
	own := map[string]string{}
	for _, d := range k.Def.Keys() {
		if v, ok := p.Values[d.Name]; ok {
			own[d.Name] = v
		}
	}
	if s.Values, err = k.Def.Parse(own); err != nil {
		for _, v := range k.Def.Validate(own) {
			if len(v.Errors) > 0 { // what comes after the first is said of the null that is left
				faults = append(faults, fmt.Errorf("%s%s", v.Errors[0], p.From[v.Name]))
			}
		}
	}
	if k.Worker {
		_, _, err := config.FromProps(p, AllKeys()) // what it warns of is said where the worker is made
		if err != nil {
			faults = append(faults, err)
		}
		return s, invalid(faults)
	}
	var strange []string
	for _, key := range slices.Sorted(maps.Keys(p.Values)) {
		switch {
		case known(key):
		case strings.HasPrefix(key, "sluice."):
			faults = append(faults, fmt.Errorf("%s%s: Sluice has no such key; the nearest is %s", key, p.From[key], props.Nearest(key, sluiceKeys())))
		default:
			strange = append(strange, key)
		}
	}
	if len(strange) > 0 {
		s.warnings = append(s.warnings, "These keys are known neither to Kafka Connect nor to Sluice and are ignored: "+strings.Join(strange, ", "))
	}
	return s, invalid(faults)
}

func invalid(faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", props.ErrInvalid, errors.Join(faults...))
}

// LoadREST reads the keys of the REST API, for a process that is all in one. Its other keys are not looked at.
func LoadREST(file []byte, env []string, flags map[string]string) (Settings, error) {
	p, err := props.Merge(file, env, flags, known)
	if err != nil {
		return Settings{}, err
	}
	own := map[string]string{}
	for _, k := range RESTDef.Keys() {
		if v, ok := p.Values[k.Name]; ok {
			own[k.Name] = v
		}
	}
	v, err := RESTDef.Parse(own)
	if err != nil {
		return Settings{}, fmt.Errorf("%w: %w", props.ErrInvalid, err)
	}
	return Settings{Values: v, Props: p}, nil
}

func sluiceKeys() []string {
	var out []string
	for _, k := range AllKeys() {
		if strings.HasPrefix(k, "sluice.") {
			out = append(out, k)
		}
	}
	for _, k := range config.Definitions() {
		if k.Sluice {
			out = append(out, k.Name)
		}
	}
	return out
}

// MS is the value of a key in milliseconds.
func (s Settings) MS(key string) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(s.Values.Long(key), most)) * time.Millisecond
}

// logger logs to the standard error stream, at levels that can be changed.
func (s Settings) logger(c clock.Clock) (*slog.Logger, *loglevel.Levels) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.Values.String(logLevel))) // load has checked it
	levels := loglevel.New(level, c)
	o := &slog.HandlerOptions{Level: loglevel.Everything}
	if s.Values.String(logFormat) == "json" {
		return slog.New(levels.Handler(slog.NewJSONHandler(os.Stderr, o))), levels
	}
	return slog.New(levels.Handler(slog.NewTextHandler(os.Stderr, o))), levels
}

// Credentials are those between Sluice's processes; nil is in the clear.
func (s Settings) Credentials(now time.Time) (credentials.TransportCredentials, error) {
	f := tlsfiles.Files{Cert: s.Values.String(tlsCert), Key: s.Values.String(tlsKey), CA: s.Values.String(tlsCA)}
	if f.None() {
		return nil, nil //nolint:nilnil // no credentials is an answer
	}
	c, err := f.Mutual(tlsfiles.Names{Cert: tlsCert, Key: tlsKey, CA: tlsCA}, now)
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(c), nil
}

// Advertised is an address that others can dial: the host's name stands for "all addresses".
func Advertised(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			host = "localhost"
		}
	}
	return net.JoinHostPort(host, port)
}
