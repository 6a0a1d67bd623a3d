package transform

import (
	"errors"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javaregex"
)

func regexRouterInfos() []Info {
	return one("RegexRouter", "Changes the topic by a regular expression and a replacement.", regexRouterDef, func() Transform { return &regexRouter{} })
}

func regexRouterDef() *configdef.Def {
	return configdef.New().
		Define(valid(required(text("regex", nil, configdef.High, "Regular expression to use for matching.")), JavaRegex())).
		Define(required(text("replacement", nil, configdef.High, "Replacement string.")))
}

type regexRouter struct {
	regex *javaregex.Regex
	with  *javaregex.Replacement
	// err is what is wrong with the replacement: every record that matches fails.
	err    error
	routes map[string]string
}

// maxRoutes bounds the remembered topics; beyond it, they begin anew.
const maxRoutes = 10_000

func (t *regexRouter) Configure(config map[string]string) error {
	v, err := regexRouterDef().Parse(config)
	if err != nil {
		return err
	}
	if t.regex, err = javaregex.Compile(v.String("regex")); err != nil {
		return err
	}
	t.with, t.err = t.regex.Replacement(v.String("replacement"))
	return nil
}

func (t *regexRouter) Apply(b *Batch) { b.each(t.apply) }

func (t *regexRouter) apply(r *Record, _ *data.Arena) error {
	if to, ok := t.routes[r.Topic]; ok {
		r.Topic = to
		return nil
	}
	to := r.Topic
	if t.regex.Matches(r.Topic) {
		switch {
		case errors.Is(t.err, javaregex.ErrGroup):
			return fail(outOfBounds, "%s", bare(t.err, javaregex.ErrGroup))
		case t.err != nil:
			return fail(illegalArgument, "%s", bare(t.err, javaregex.ErrArgument))
		}
		to = t.regex.ReplaceFirst(r.Topic, t.with)
	}
	if t.routes == nil || len(t.routes) >= maxRoutes {
		t.routes = map[string]string{}
	}
	t.routes[string([]byte(r.Topic))] = string([]byte(to))
	r.Topic = to
	return nil
}
