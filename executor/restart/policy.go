package restart

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
)

// The keys.
const (
	Prefix   = "sluice.restart."
	On       = Prefix + "on"
	Attempts = Prefix + "attempts"
	Delay    = Prefix + "delay.ms"
	DelayMax = Prefix + "delay.max.ms"
	Healthy  = Prefix + "healthy.ms"
)

// none is the value of On that is Kafka Connect's behaviour: what failed waits for a person.
const none = "none"

// maxMS bounds the keys of times: 34 years.
const maxMS = int64(1) << 40

var classes = []connectors.ErrorClass{connectors.TransientError, connectors.DataError, connectors.ConfigError, connectors.AuthorisationError, connectors.OtherError}

// Keys are the definitions of the keys.
func Keys() []configdef.Key {
	key := func(order int, name string, t configdef.Type, def, display string, v configdef.Validator, doc string) configdef.Key {
		return configdef.Key{Name: name, Type: t, Default: &def, Validator: v, Importance: configdef.Medium, Group: "Restarts", OrderInGroup: order, Width: "MEDIUM", DisplayName: display, Doc: doc}
	}
	ms := func(order int, name, def, display, doc string) configdef.Key {
		return key(order, name, configdef.Long, def, display, configdef.Between(1, maxMS), doc)
	}
	return []configdef.Key{
		key(1, On, configdef.List, connectors.TransientError.String(), "Restart on", configdef.Func("none, or some of transient, data, config, authorisation, other", validOn),
			"The classes of errors after which a connector or task that failed is started again by itself: transient (a system is away or busy), data (a record cannot be taken), config, authorisation, other (whatever nobody has classified). 'none' is Kafka Connect's behaviour: it stays failed until somebody restarts it."),
		key(2, Attempts, configdef.Int, "100", "Restart attempts", configdef.AtLeast(1),
			"How often it is started again, without a healthy period between, before it is left to a person."),
		ms(3, Delay, "1000", "First delay", "How long the first attempt waits, in milliseconds. Each further one waits twice as long, and each by a random part of up to a half less."),
		ms(4, DelayMax, "300000", "Greatest delay", "The longest wait before an attempt, in milliseconds, also where the first delay is longer."),
		ms(5, Healthy, "600000", "Healthy period", "How long it has to run, in milliseconds, for all attempts to be there again and the wait to begin anew."),
	}
}

func validOn(name string, value *string) error {
	list := configdef.SplitList(*value)
	for _, c := range list {
		if c == none && len(list) > 1 {
			return configdef.Invalid(name, *value, "none stands alone")
		}
		if c != none && !slices.ContainsFunc(classes, func(k connectors.ErrorClass) bool { return k.String() == c }) {
			return configdef.Invalid(name, *value, "Each must be one of transient, data, config, authorisation, other; or use none alone")
		}
	}
	return nil
}

// Policy is what a connector's config says.
type Policy struct {
	On              []connectors.ErrorClass
	Attempts        int
	Delay, DelayMax time.Duration
	Healthy         time.Duration
}

// ErrPolicy is wrapped where the keys cannot be used.
var ErrPolicy = errors.New(Prefix + "*")

// Parse reads the keys of a connector's config as it was given: references are not resolved in them.
func Parse(config map[string]string) (Policy, error) {
	def := configdef.New()
	for _, k := range Keys() {
		def.Define(k)
	}
	v, err := def.Parse(config)
	if err != nil {
		return Policy{}, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	ms := func(key string) time.Duration { return time.Duration(v.Long(key)) * time.Millisecond }
	p := Policy{Attempts: v.Int(Attempts), Delay: ms(Delay), DelayMax: ms(DelayMax), Healthy: ms(Healthy)}
	for _, c := range classes {
		if slices.Contains(v.List(On), c.String()) {
			p.On = append(p.On, c)
		}
	}
	return p, nil
}

func names(list []connectors.ErrorClass) string {
	if len(list) == 0 {
		return none
	}
	var out []string
	for _, c := range list {
		out = append(out, c.String())
	}
	return strings.Join(out, ",")
}
