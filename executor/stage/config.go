package stage

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/predicate"
	"github.com/sluice-project/sluice/connectors/transform"
)

// Registry finds converters, transforms and predicates by class or alias; executor/plugin has the one that
// there is.
type Registry interface {
	Converter(class string) (converter.Info, error)
	HeaderConverter(class string) (converter.Info, error)
	Transform(class string) (transform.Info, error)
	Predicate(class string) (predicate.Info, error)
}

// DefaultHeaderConverter is used where neither connector nor worker names one.
const DefaultHeaderConverter = "org.apache.kafka.connect.storage.SimpleHeaderConverter"

// Converters are the three converters of a task.
type Converters struct {
	Key, Value converter.Converter
	Header     converter.HeaderConverter
	// KeyClass, ValueClass and HeaderClass name them in reports.
	KeyClass, ValueClass, HeaderClass string
}

// NewConverters makes the converters of a connector. A connector that names a converter brings all of its
// settings, and the worker's are not inherited; one that names none gets the worker's with the worker's
// settings, and its own sub-keys have no effect (as Kafka Connect does).
func NewConverters(reg Registry, worker, connector map[string]string) (Converters, error) {
	var c Converters
	make1 := func(key string) (string, converter.Converter, error) {
		class, conf := Section(key+".converter", worker, connector)
		if class == "" {
			return "", nil, fmt.Errorf("%w: %s.converter: neither the connector nor the worker names one", ErrConfig, key)
		}
		info, err := reg.Converter(class)
		if err != nil {
			return "", nil, fmt.Errorf("%w: %s.converter: %w", ErrConfig, key, err)
		}
		conf["converter.type"] = key
		v := info.New()
		if err := v.Configure(conf, key == "key"); err != nil {
			return "", nil, fmt.Errorf("%w: %s.converter: %w", ErrConfig, key, err)
		}
		return info.Class, v, nil
	}
	var err error
	if c.KeyClass, c.Key, err = make1("key"); err != nil {
		return c, err
	}
	if c.ValueClass, c.Value, err = make1("value"); err != nil {
		return c, err
	}
	class, conf := Section("header.converter", worker, connector)
	if class == "" {
		class = DefaultHeaderConverter
	}
	info, err := reg.HeaderConverter(class)
	if err != nil {
		return c, fmt.Errorf("%w: header.converter: %w", ErrConfig, err)
	}
	conf["converter.type"] = "header"
	c.HeaderClass, c.Header = info.Class, info.NewHeader()
	if err := c.Header.Configure(conf); err != nil {
		return c, fmt.Errorf("%w: header.converter: %w", ErrConfig, err)
	}
	return c, nil
}

// Section returns the class that a key names and the settings below it: all of the connector's where it
// names the class, else all of the worker's.
func Section(key string, worker, connector map[string]string) (class string, conf map[string]string) {
	from := worker
	if strings.TrimSpace(connector[key]) != "" {
		from = connector
	}
	conf = map[string]string{}
	for k, v := range from {
		if rest, ok := strings.CutPrefix(k, key+"."); ok && rest != "" {
			conf[rest] = v
		}
	}
	return strings.TrimSpace(from[key]), conf
}

// Policy is what a connector's errors.* keys say.
type Policy struct {
	// Tolerate is errors.tolerance=all.
	Tolerate bool
	// RetryTimeout is errors.retry.timeout: 0 no retry, negative for ever.
	RetryTimeout time.Duration
	// RetryDelayMax is errors.retry.delay.max.ms.
	RetryDelayMax time.Duration
	// Log and LogMessages are errors.log.enable and errors.log.include.messages.
	Log, LogMessages bool
}

// ParsePolicy reads errors.* and reports the first key that cannot be read.
func ParsePolicy(config map[string]string) (Policy, error) {
	p := Policy{RetryDelayMax: time.Minute}
	switch v := strings.ToLower(strings.TrimSpace(config["errors.tolerance"])); v {
	case "", "none":
	case "all":
		p.Tolerate = true
	default:
		return p, fmt.Errorf("%w: errors.tolerance is %q: use none or all", ErrConfig, v)
	}
	for _, k := range []struct {
		key   string
		to    *time.Duration
		least int64
	}{{"errors.retry.timeout", &p.RetryTimeout, math.MinInt64}, {"errors.retry.delay.max.ms", &p.RetryDelayMax, 1}} {
		if v := strings.TrimSpace(config[k.key]); v != "" {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil || n < k.least {
				return p, fmt.Errorf("%w: %s is %q: use a number of milliseconds, at least %d", ErrConfig, k.key, v, k.least)
			}
			*k.to = time.Duration(max(min(n, int64(1)<<40), -1)) * time.Millisecond
		}
	}
	for _, k := range []struct {
		key string
		to  *bool
	}{{"errors.log.enable", &p.Log}, {"errors.log.include.messages", &p.LogMessages}} {
		switch v := strings.ToLower(strings.TrimSpace(config[k.key])); v {
		case "", "false":
		case "true":
			*k.to = true
		default:
			return p, fmt.Errorf("%w: %s is %q: use true or false", ErrConfig, k.key, v)
		}
	}
	return p, nil
}
